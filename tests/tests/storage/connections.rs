//! Busy, lost and too few connections.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};

use diesel::{connection::SimpleConnection, prelude::*, sql_query};
use futures_util::future::join_all;
use kernel::Problem;
use storage::{Db, DbOptions, Target};
use tests::Backend;

use crate::{
    ledger::{Ledger, PATIENCE, enter, entries, scope},
    on_both_databases,
};

on_both_databases!(a_lock_of_somebody_elses_is_busy, too_few_connections_is_busy);

#[track_caller]
fn is_busy(problem: &Problem) {
    assert_eq!((problem.kind.slug, problem.kind.status), ("storage-busy", 503), "{problem}");
    assert!(problem.retry_after.is_some_and(|seconds| seconds > 0), "no Retry-After");
}

fn impatient() -> DbOptions {
    DbOptions { busy_timeout: PATIENCE, ..DbOptions::default() }
}

async fn a_lock_of_somebody_elses_is_busy(ledger: Ledger) {
    ledger.write(|tx| enter(tx, 1)).await.unwrap();
    let db = ledger.reopened(&impatient());
    let change = |db: &Db| {
        let db = db.clone();
        async move {
            let row = entries::table.filter(entries::number.eq(1));
            let work = move |tx: &mut storage::Tx<'_>| {
                Ok(diesel::update(row).set(entries::parent.eq(Some(1))).execute(tx.conn())?)
            };
            db.write(&scope(), work).await
        }
    };
    // Another process, past this program.
    let release: Box<dyn FnOnce()> = match &ledger.target {
        Target::Sqlite(path) => {
            let mut other = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
            other.batch_execute("BEGIN IMMEDIATE").unwrap();
            Box::new(move || other.batch_execute("ROLLBACK").unwrap())
        }
        Target::Postgres(url) => {
            let mut other = PgConnection::establish(url).unwrap();
            let lock = format!(
                "BEGIN; SET LOCAL sportello.tenant = '{}'; SELECT 1 FROM entries FOR UPDATE",
                crate::ledger::tenant()
            );
            other.batch_execute(&lock).unwrap();
            Box::new(move || other.batch_execute("ROLLBACK").unwrap())
        }
    };
    is_busy(&change(&db).await.unwrap_err());
    // Who only reads is not held up.
    assert_eq!(ledger.numbers().await, [1]);
    release();
    assert_eq!(change(&db).await.unwrap(), 1);
}

async fn too_few_connections_is_busy(ledger: Ledger) {
    let db = ledger.reopened(&DbOptions { read_connections: 1, write_connections: 1, ..impatient() });
    let (inside, entered) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let first = {
        let db = db.clone();
        tokio::spawn(async move {
            db.read(&scope(), move |_| {
                inside.send(()).unwrap();
                may_leave.recv().unwrap();
                Ok(())
            })
            .await
        })
    };
    tokio::task::spawn_blocking(move || entered.recv().unwrap()).await.unwrap();
    is_busy(&db.read(&scope(), |_| Ok(())).await.unwrap_err());
    // Reading and writing have connections of their own.
    db.write(&scope(), |tx| enter(tx, 1)).await.unwrap();
    leave.send(()).unwrap();
    first.await.unwrap().unwrap();
    db.read(&scope(), |_| Ok(())).await.unwrap();
}

/// Ends every connection to this database but the one that asks.
fn end_connections(ledger: &Ledger) -> usize {
    let Target::Postgres(url) = &ledger.target else { panic!("of PostgreSQL only") };
    let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    sql_query(end).execute(&mut PgConnection::establish(url).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_connection_is_replaced() {
    if !Backend::Postgres.available() {
        return;
    }
    // More than the attempts that a conflict is worth.
    const CONNECTIONS: u32 = 12;
    let ledger = Ledger::new(Backend::Postgres).await;
    let all = DbOptions { read_connections: CONNECTIONS, write_connections: CONNECTIONS, ..DbOptions::default() };
    let db = ledger.reopened(&all);
    for round in 0..3 {
        // All of them at once, so that the pools hold them all.
        for write in [true, false] {
            let met = Arc::new(Barrier::new(usize::try_from(CONNECTIONS).unwrap()));
            let visits = (0..CONNECTIONS).map(|_| {
                let (db, met) = (db.clone(), Arc::clone(&met));
                let work = move |_: &mut storage::Tx<'_>| {
                    met.wait();
                    Ok(())
                };
                async move { if write { db.write(&scope(), work).await } else { db.read(&scope(), work).await } }
            });
            for outcome in join_all(visits).await {
                outcome.unwrap();
            }
        }
        let ended = end_connections(&ledger);
        assert!(ended >= usize::try_from(2 * CONNECTIONS).unwrap(), "only {ended} connections were open");
        // One alone meets every lost connection, and many meet some each.
        db.write(&scope(), move |tx| enter(tx, round * 100)).await.unwrap();
        db.read(&scope(), crate::ledger::numbers).await.unwrap();
        end_connections(&ledger);
        let many = join_all((1..30).map(|n| {
            let db = db.clone();
            async move { db.write(&scope(), move |tx| enter(tx, round * 100 + n)).await }
        }));
        for outcome in many.await {
            outcome.unwrap();
        }
    }
    let expected: Vec<i64> = (0..3).flat_map(|round| (0..30).map(move |n| round * 100 + n)).collect();
    assert_eq!(ledger.numbers().await, expected);
}

/// A glance says nothing before its one statement, so it is that statement which meets the lost connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_glance_survives_a_lost_connection() {
    if !Backend::Postgres.available() {
        return;
    }
    let ledger = Ledger::new(Backend::Postgres).await;
    let db = ledger.reopened(&DbOptions { read_connections: 1, ..DbOptions::default() });
    db.write(&scope(), |tx| enter(tx, 1)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(db.glance(&scope(), crate::ledger::numbers).await.unwrap(), [1]);
        assert!(end_connections(&ledger) > 0);
    }
    assert_eq!(db.glance(&scope(), crate::ledger::numbers).await.unwrap(), [1]);
}

/// Once something was sent nobody knows what was stored, so nothing is sent twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_lost_at_work_is_not_tried_again() {
    if !Backend::Postgres.available() {
        return;
    }
    let ledger = Ledger::new(Backend::Postgres).await;
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let lost = ledger.write(move |tx| {
        counted.fetch_add(1, Ordering::SeqCst);
        enter(tx, 1)?;
        sql_query("SELECT pg_terminate_backend(pg_backend_pid())").execute(tx.conn())?;
        enter(tx, 2)
    });
    assert_eq!(lost.await.unwrap_err().kind.slug, "internal-error");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(ledger.numbers().await, [0_i64; 0]);
    ledger.write(|tx| enter(tx, 3)).await.unwrap();
    assert_eq!(ledger.numbers().await, [3]);
}

/// A database that cannot be reached at all is busy: nothing was sent, and asking again may help.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_is_away_is_busy() {
    if !Backend::Postgres.available() {
        return;
    }
    let ledger = Ledger::new(Backend::Postgres).await;
    let db = ledger.reopened(&impatient());
    let Target::Postgres(url) = &ledger.target else { unreachable!() };
    let allow = |yes: bool| {
        // From another database: in its own one may not say this.
        let name = url.trim_start_matches("postgres:///").split('?').next().unwrap();
        let elsewhere = url.replace(name, "postgres");
        let sql = format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {yes}");
        PgConnection::establish(&elsewhere).unwrap().batch_execute(&sql).unwrap();
    };
    allow(false);
    end_connections_of(url);
    is_busy(&db.write(&scope(), |tx| enter(tx, 1)).await.unwrap_err());
    is_busy(&db.read(&scope(), |_| Ok(())).await.unwrap_err());
    allow(true);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while db.write(&scope(), |tx| enter(tx, 1)).await.is_err() {
        assert!(std::time::Instant::now() < deadline, "the pool does not come back");
    }
    assert_eq!(ledger.numbers().await, [1]);
}

fn end_connections_of(url: &str) {
    let name = url.trim_start_matches("postgres:///").split('?').next().unwrap();
    let elsewhere = url.replace(name, "postgres");
    let end = format!("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'");
    sql_query(end).execute(&mut PgConnection::establish(&elsewhere).unwrap()).unwrap();
}
