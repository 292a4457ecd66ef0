//! Many that write at once: each gets its own outcome, and what one does harms no other.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use diesel::{connection::SimpleConnection, prelude::*};
use futures_util::future::join_all;
use kernel::Problem;
use storage::Tx;
use tests::Backend;

use crate::{
    ledger::{Ledger, enter, entries, panic_quietly, refusal, scope},
    on_both_databases,
};

on_both_databases!(many_at_once_harm_nobody, increments_are_not_lost, who_gave_up_waiting_is_stored_or_not);

/// How one of the many ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stored,
    Refused,
    /// A key that another row has.
    Taken,
    Panics,
    PanicsInSavepoint,
    /// Fails inside a savepoint and goes on.
    Recovers,
}

impl Fate {
    fn of(number: i64) -> Self {
        match number % 10 {
            1 => Self::Refused,
            3 => Self::Taken,
            5 => Self::Panics,
            7 => Self::PanicsInSavepoint,
            9 => Self::Recovers,
            _ => Self::Stored,
        }
    }

    fn work(self, tx: &mut Tx<'_>, number: i64) -> storage::Result<()> {
        enter(tx, number)?;
        match self {
            Self::Stored => Ok(()),
            Self::Refused => Err(refusal().with("number", number).into()),
            Self::Taken => enter(tx, 1_000_000),
            Self::Panics => panic_quietly(),
            Self::PanicsInSavepoint => tx.savepoint(|tx| {
                enter(tx, number + 500_000)?;
                panic_quietly()
            }),
            Self::Recovers => {
                let failed = tx.savepoint(|tx| {
                    enter(tx, number + 500_000)?;
                    enter(tx, 1_000_000)
                });
                assert!(failed.is_err());
                Ok(())
            }
        }
    }

    #[track_caller]
    fn check(self, number: i64, outcome: &Result<(), Problem>) {
        let told = outcome.as_ref().map_err(|problem| problem.kind.slug).copied();
        let expected = match self {
            Self::Stored | Self::Recovers => Ok(()),
            Self::Refused => Err("forbidden"),
            Self::Taken | Self::Panics | Self::PanicsInSavepoint => Err("internal-error"),
        };
        assert_eq!(told, expected, "{number}, {self:?}");
        if let (Self::Refused, Err(problem)) = (self, outcome) {
            assert_eq!(problem.extensions["number"], number, "somebody else's refusal");
        }
    }
}

async fn many_at_once_harm_nobody(ledger: Ledger) {
    ledger.write(|tx| enter(tx, 1_000_000)).await.unwrap();
    let all: Vec<i64> = (0..400).collect();
    let outcomes = join_all(all.iter().map(|number| {
        let number = *number;
        ledger.write(move |tx| Fate::of(number).work(tx, number))
    }));
    for (number, outcome) in all.iter().zip(outcomes.await) {
        Fate::of(*number).check(*number, &outcome);
    }
    let kept = |number: &i64| matches!(Fate::of(*number), Fate::Stored | Fate::Recovers);
    let mut expected: Vec<i64> = all.into_iter().filter(kept).collect();
    expected.push(1_000_000);
    assert_eq!(ledger.numbers().await, expected);
    ledger.write(|tx| enter(tx, 2_000_000)).await.unwrap();
}

/// Read, add one, write: on PostgreSQL the row is locked by the reading UPDATE, on SQLite there is one writer.
async fn increments_are_not_lost(ledger: Ledger) {
    ledger.write(|tx| enter(tx, 0)).await.unwrap();
    let add = |tx: &mut Tx<'_>| {
        let row = entries::table.filter(entries::number.eq(0));
        diesel::update(row).set(entries::words.eq(entries::words)).execute(tx.conn())?;
        let words: String = row.select(entries::words).first(tx.conn())?;
        let count: i64 = words.strip_prefix("entry ").unwrap_or_default().parse().unwrap_or_default();
        diesel::update(row).set(entries::words.eq(format!("entry {}", count + 1))).execute(tx.conn())?;
        Ok(())
    };
    for outcome in join_all((0..100).map(|_| ledger.write(add))).await {
        outcome.unwrap();
    }
    let words: Vec<String> =
        ledger.db.read(&scope(), |tx| Ok(entries::table.select(entries::words).load(tx.conn())?)).await.unwrap();
    assert_eq!(words, ["entry 100"]);
}

/// A client that goes away leaves its future unfinished; its work is whole or not there.
async fn who_gave_up_waiting_is_stored_or_not(ledger: Ledger) {
    for number in 0..40 {
        let two = ledger.write(move |tx| {
            enter(tx, number * 2)?;
            enter(tx, number * 2 + 1)
        });
        // Dropped at once, while it waits or runs.
        let _ = tokio::time::timeout(Duration::from_micros(u64::try_from(number).unwrap() * 100), two).await;
    }
    // Everything begun before is done when this is, on SQLite; PostgreSQL's may still be on their way.
    ledger.write(|tx| enter(tx, 1_000)).await.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let stored = ledger.numbers().await;
        let halves = stored.iter().filter(|number| **number < 1_000 && !stored.contains(&(**number ^ 1))).count();
        assert_eq!(halves, 0, "{stored:?}");
        let settled = stored == ledger.numbers().await;
        if settled || std::time::Instant::now() > deadline {
            break;
        }
    }
}

/// Two that lock the same rows in opposite order: PostgreSQL ends one of them, which is then run again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deadlock_is_tried_again() {
    if !Backend::Postgres.available() {
        return;
    }
    let ledger = Ledger::new(Backend::Postgres).await;
    ledger.write(|tx| enter(tx, 1).and_then(|()| enter(tx, 2))).await.unwrap();
    let (met, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    let both = [(1, 2), (2, 1)].map(|(first, second)| {
        let (met, runs) = (Arc::clone(&met), Arc::clone(&runs));
        let mut has_met = false;
        ledger.write(move |tx| {
            runs.fetch_add(1, Ordering::SeqCst);
            for number in [first, second] {
                let row = entries::table.filter(entries::number.eq(number));
                diesel::update(row).set(entries::parent.eq(Some(number))).execute(tx.conn())?;
                if !has_met {
                    has_met = true;
                    met.wait();
                }
            }
            Ok(())
        })
    });
    for outcome in join_all(both).await {
        outcome.unwrap();
    }
    assert_eq!(runs.load(Ordering::SeqCst), 3, "one of the two is run twice");
}

/// When the disk is full SQLite undoes the whole transaction, everybody's in the batch; nobody is told that they were
/// stored, and the writer goes on when there is room again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_disk_is_survived() {
    let ledger = Ledger::new(Backend::Sqlite).await;
    ledger.write(|tx| enter(tx, 1)).await.unwrap();
    for round in 0..3 {
        let fills = ledger.write(move |tx| {
            tx.conn().batch_execute("PRAGMA max_page_count = 1")?;
            let filled = crate::ledger::enter_as(tx, 2, &"x".repeat(1 << 22), None);
            assert!(filled.is_err(), "the disk is not full");
            filled
        });
        let others = join_all((10..30).map(|number| ledger.write(move |tx| enter(tx, number + round * 100))));
        let (filled, others) = tokio::join!(fills, others);
        assert_eq!(filled.unwrap_err().kind.slug, "internal-error");
        // Room again: of this connection, unless it was replaced.
        let room = ledger.write(|tx| Ok(tx.conn().batch_execute("PRAGMA max_page_count = 1000000")?)).await;
        room.unwrap();
        let stored = ledger.numbers().await;
        for (number, outcome) in (10..30).zip(others) {
            assert_eq!(stored.contains(&(number + round * 100)), outcome.is_ok(), "{number}: {outcome:?}");
        }
        ledger.write(move |tx| enter(tx, 1_000 + round)).await.unwrap();
    }
}
