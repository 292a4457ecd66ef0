//! One transaction: what it leaves behind, and what is said when it fails.

use diesel::{connection::SimpleConnection, prelude::*};
use kernel::Id;
use storage::{DbError, Failure, Scope, Tx, types::Key};
use tests::Backend;
use uuid::Uuid;

use crate::{
    ledger::{Ledger, enter, enter_as, entries, numbers, panic_quietly, refusal, scope, tenant},
    on_both_databases,
};

on_both_databases!(
    what_fails_leaves_nothing,
    a_savepoint_undoes_its_own,
    a_panic_in_a_savepoint_is_a_panic_of_the_whole,
    a_unique_key_is_known_by_its_columns,
    other_keys_are_known_by_their_kind,
    an_error_that_was_swallowed_is_not_a_success,
    a_transaction_inside_another_is_refused,
    what_is_read_is_one_snapshot,
    a_reader_writes_nothing,
    ids_follow_one_another,
    another_comune_is_behind_a_wall,
);

async fn what_fails_leaves_nothing(ledger: Ledger) {
    let refused = ledger
        .write(|tx| {
            enter(tx, 1)?;
            enter(tx, 2)?;
            Err::<(), _>(refusal().into())
        })
        .await;
    assert_eq!(refused.unwrap_err().kind.slug, "forbidden");
    let broken = ledger
        .write(|tx| {
            enter(tx, 3)?;
            enter(tx, 3)
        })
        .await;
    assert_eq!(broken.unwrap_err().kind.slug, "internal-error");
    let panicked = ledger
        .write(|tx| {
            enter(tx, 4)?;
            panic_quietly();
            #[expect(unreachable_code, reason = "tells the type")]
            Ok(())
        })
        .await;
    assert_eq!(panicked.unwrap_err().kind.slug, "internal-error");
    assert_eq!(ledger.numbers().await, [0_i64; 0]);
    ledger.write(|tx| enter(tx, 5)).await.unwrap();
    assert_eq!(ledger.numbers().await, [5]);
}

async fn a_savepoint_undoes_its_own(ledger: Ledger) {
    let seen = ledger
        .write(|tx| {
            enter(tx, 1)?;
            tx.savepoint(|tx| enter(tx, 2))?;
            let taken = tx.savepoint(|tx| {
                enter(tx, 3)?;
                enter_as(tx, 1, "another first", None)
            });
            assert!(taken.unwrap_err().is_unique("entries", &["tenant_id", "number"]));
            tx.savepoint(|tx| {
                enter(tx, 4)?;
                let refused = tx.savepoint(|tx| {
                    enter(tx, 5)?;
                    tx.savepoint(|tx| enter(tx, 6))?;
                    Err::<(), _>(refusal().into())
                });
                assert!(matches!(refused, Err(Failure::Refused(_))));
                enter(tx, 7)
            })?;
            numbers(tx)
        })
        .await
        .unwrap();
    assert_eq!(seen, [1, 2, 4, 7]);
    assert_eq!(ledger.numbers().await, [1, 2, 4, 7]);
}

async fn a_panic_in_a_savepoint_is_a_panic_of_the_whole(ledger: Ledger) {
    for round in 0..3 {
        let panicked = ledger
            .write(move |tx| {
                enter(tx, 100 + round)?;
                tx.savepoint(|tx| {
                    enter(tx, 200 + round)?;
                    tx.savepoint(|_| -> storage::Result<()> { panic_quietly() })
                })
            })
            .await;
        assert_eq!(panicked.unwrap_err().kind.slug, "internal-error");
        // Whoever comes next is stored for good, and not left in somebody else's open savepoint.
        ledger.write(move |tx| enter(tx, round)).await.unwrap();
        assert_eq!(ledger.numbers().await, (0..=round).collect::<Vec<_>>());
    }
}

async fn a_unique_key_is_known_by_its_columns(ledger: Ledger) {
    ledger.write(|tx| enter_as(tx, 1, "one, with (brackets)", Some(1))).await.unwrap();
    let failed = |number, words: &'static str| {
        ledger.write(move |tx| {
            let failure = tx.savepoint(|tx| enter_as(tx, number, words, None)).unwrap_err();
            Ok(failure)
        })
    };
    let by_key = failed(1, "other").await.unwrap();
    assert!(by_key.is_unique("entries", &["tenant_id", "number"]), "{by_key}");
    assert!(!by_key.is_unique("entries", &["number", "tenant_id"]) && !by_key.is_unique("entries", &["number"]));
    assert!(!by_key.is_unique("other", &["tenant_id", "number"]));
    let by_words = failed(2, "one, with (brackets)").await.unwrap();
    assert!(by_words.is_unique("entries", &["tenant_id", "words"]), "{by_words}");
    // Values are nobody's business: not in the log either.
    assert!(!by_words.to_string().contains("brackets"), "{by_words}");
}

async fn other_keys_are_known_by_their_kind(ledger: Ledger) {
    let failure = |work: fn(&mut Tx<'_>) -> storage::Result<()>| {
        ledger.write(move |tx| match tx.savepoint(work) {
            Err(Failure::Database(error)) => Ok(error),
            other => panic!("{other:?}"),
        })
    };
    let negative = failure(|tx| enter_as(tx, -1, "negative", None)).await.unwrap();
    assert!(matches!(negative, DbError::Check(_)), "{negative:?}");
    let nameless = failure(|tx| {
        let missing = "UPDATE entries SET words = NULL";
        enter(tx, 1)?;
        Ok(tx.conn().batch_execute(missing)?)
    });
    let nameless = nameless.await.unwrap();
    assert!(matches!(nameless, DbError::Check(_)), "{nameless:?}");
    let orphan = failure(|tx| enter_as(tx, 2, "orphan", Some(99))).await.unwrap();
    assert!(matches!(orphan, DbError::ForeignKey(_)), "{orphan:?}");
    let pointed_at = failure(|tx| {
        enter(tx, 1)?;
        enter_as(tx, 2, "child", Some(1))?;
        Ok(tx.conn().batch_execute("DELETE FROM entries WHERE number = 1")?)
    });
    let pointed_at = pointed_at.await.unwrap();
    assert!(matches!(pointed_at, DbError::ForeignKey(_)), "{pointed_at:?}");
}

/// After a failed statement PostgreSQL answers COMMIT with a rollback and no error; SQLite keeps the rest. Either
/// is fine, as long as what is told is what is stored.
async fn an_error_that_was_swallowed_is_not_a_success(ledger: Ledger) {
    let outcome = ledger
        .write(|tx| {
            enter(tx, 1)?;
            let _swallowed = enter(tx, 1);
            Ok(())
        })
        .await;
    let stored = ledger.numbers().await;
    match outcome {
        Ok(()) => assert_eq!(stored, [1]),
        Err(problem) => {
            assert_eq!(problem.kind.slug, "internal-error");
            assert_eq!(stored, [0_i64; 0]);
        }
    }
    ledger.write(|tx| enter(tx, 2)).await.unwrap();
}

async fn a_transaction_inside_another_is_refused(ledger: Ledger) {
    let outer = |inner: fn(&storage::Db, &tokio::runtime::Handle) -> Option<&'static str>| {
        let (db, here) = (ledger.db.clone(), tokio::runtime::Handle::current());
        move |tx: &mut Tx<'_>| {
            enter(tx, 1)?;
            let refused = inner(&db, &here);
            Err::<(), _>(Failure::Refused(refusal().detail(refused.unwrap_or("opened"))))
        }
    };
    let write = outer(|db, here| here.block_on(db.write(&scope(), |_| Ok(()))).err().map(|e| e.kind.slug));
    let read = outer(|db, here| here.block_on(db.read(&scope(), |_| Ok(()))).err().map(|e| e.kind.slug));
    let in_a_write = [ledger.write(write).await, ledger.write(read).await];
    for told in in_a_write {
        assert_eq!(told.unwrap_err().detail.as_deref(), Some("internal-error"));
    }
    let (db, here) = (ledger.db.clone(), tokio::runtime::Handle::current());
    let work = move |_: &mut Tx<'_>| Ok(here.block_on(db.write(&scope(), |_| Ok(()))).err().map(|e| e.kind.slug));
    assert_eq!(ledger.db.read(&scope(), work).await.unwrap(), Some("internal-error"));
    // The threads that refused are good for the next one.
    for number in 0..8 {
        ledger.write(move |tx| enter(tx, number)).await.unwrap();
    }
}

async fn what_is_read_is_one_snapshot(ledger: Ledger) {
    ledger.write(|tx| enter(tx, 1)).await.unwrap();
    let (db, here) = (ledger.db.clone(), tokio::runtime::Handle::current());
    let work = move |tx: &mut Tx<'_>| {
        let before = numbers(tx)?;
        let db = db.clone();
        // From another thread, because this one is inside a transaction.
        let writer = here.spawn(async move { db.write(&scope(), |tx| enter(tx, 2)).await });
        here.block_on(writer).unwrap().unwrap();
        Ok((before, numbers(tx)?))
    };
    assert_eq!(ledger.db.read(&scope(), work).await.unwrap(), (vec![1], vec![1]));
    assert_eq!(ledger.numbers().await, [1, 2]);
}

async fn a_reader_writes_nothing(ledger: Ledger) {
    let problem = ledger.db.read(&scope(), |tx| enter(tx, 1)).await.unwrap_err();
    assert_eq!(problem.kind.slug, "internal-error");
    assert_eq!(ledger.numbers().await, [0_i64; 0]);
}

async fn ids_follow_one_another(ledger: Ledger) {
    let ids = ledger
        .write(|tx| {
            let mut ids: Vec<Id<()>> = (0..500).map(|_| tx.new_id()).collect();
            tx.savepoint(|tx| {
                ids.extend((0..500).map(|_| tx.new_id::<()>()));
                Ok(())
            })?;
            ids.extend((0..500).map(|_| tx.new_id::<()>()));
            Ok(ids)
        })
        .await
        .unwrap();
    assert!(ids.is_sorted_by(|one, next| one < next), "an id came before the one made before it");
}

/// On SQLite the filter of every query is the only wall; PostgreSQL has a second one behind it.
async fn another_comune_is_behind_a_wall(ledger: Ledger) {
    let other = Scope::system(Id::from_uuid(Uuid::from_u128(8)));
    ledger.write(|tx| enter(tx, 1)).await.unwrap();
    ledger.db.write(&other, |tx| enter(tx, 1)).await.unwrap();
    assert_eq!(ledger.numbers().await, [1]);
    let unfiltered = ledger.db.read(&other, |tx| Ok(entries::table.count().get_result::<i64>(tx.conn())?)).await;
    let foreign = ledger.db.write(&other, |tx| {
        let row = (entries::tenant_id.eq(Key(tenant())), entries::number.eq(2), entries::words.eq("foreign"));
        diesel::insert_into(entries::table).values(row).execute(tx.conn())?;
        Ok(())
    });
    if ledger.backend == Backend::Postgres {
        assert_eq!(unfiltered.unwrap(), 1);
        assert_eq!(foreign.await.unwrap_err().kind.slug, "internal-error");
        let changed = ledger.db.write(&other, |tx| {
            let foreign = entries::table.filter(entries::tenant_id.eq(Key(tenant())));
            Ok(diesel::delete(foreign).execute(tx.conn())?)
        });
        assert_eq!(changed.await.unwrap(), 0);
    } else {
        assert_eq!(unfiltered.unwrap(), 2);
        drop(foreign);
    }
    assert_eq!(ledger.numbers().await, [1]);
}
