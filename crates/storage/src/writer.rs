//! SQLite's one writer: waiting transactions share a commit.
//!
//! SQLite has a single writer whatever one does, and with `synchronous = FULL` the price of a
//! write is the disk flush at its end. So one thread owns the writing connection, takes every job
//! that waits (up to [`DbOptions::group_commit`]), runs each in its own savepoint inside one `BEGIN IMMEDIATE`, and
//! answers them after the one `COMMIT`. A job that fails undoes its own savepoint and nobody else's.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use kernel::Clock;
use tokio::sync::{mpsc, oneshot};

use crate::{
    Result, Tx,
    bell::Bell,
    conn::{Access, Conn, Target},
    db::{DbOptions, inside, roll_back},
    error::DbError,
    measures,
    scope::Scope,
    seal::Seal,
};

/// How many may wait before callers are told that the database is busy.
const QUEUE: usize = 4096;

/// A transaction waiting for its turn, with the type of its result forgotten.
trait Job: Send {
    /// Runs it; `true` when its savepoint may be kept.
    fn run(&mut self, conn: &mut Conn, seal: &Seal, now: jiff::Timestamp) -> bool;
    /// Answers the caller, once it is known whether the batch was committed.
    fn settle(self: Box<Self>, committed: std::result::Result<(), DbError>);
}

struct Typed<F, R> {
    scope: Scope,
    work: F,
    queued: Instant,
    result: Option<Result<R>>,
    /// Rung if the work says so and is kept.
    bell: Bell,
    announced: bool,
    reply: oneshot::Sender<Result<R>>,
}

impl<F, R> Job for Typed<F, R>
where
    F: FnMut(&mut Tx<'_>) -> Result<R> + Send,
    R: Send,
{
    fn run(&mut self, conn: &mut Conn, seal: &Seal, now: jiff::Timestamp) -> bool {
        measures::waited(Access::Write, self.queued);
        let (scope, work) = (&self.scope, &mut self.work);
        let mut tx = Tx::new(conn, scope, seal, now);
        let outcome = inside(|| work(&mut tx));
        let keep = outcome.is_ok();
        self.announced = keep && tx.is_announced();
        self.result = Some(outcome);
        keep
    }

    fn settle(self: Box<Self>, committed: std::result::Result<(), DbError>) {
        if self.announced && committed.is_ok() {
            self.bell.ring(self.scope.tenant);
        }
        let answer = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            // Also what was refused may have been refused because of rows that are now undone.
            (Err(error), _) => Err(error.into()),
            (Ok(()), None) => Err(DbError::Other("the transaction was never run".to_owned()).into()),
        };
        // The caller may have gone away; the work is committed all the same.
        drop(self.reply.send(answer));
    }
}

/// The queue in front of the writing thread.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    patience: Duration,
    bell: Bell,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl Writer {
    /// Opens the writing connection and starts its thread, which ends when the last handle is gone.
    pub(crate) fn start(
        target: &Target,
        clock: Arc<dyn Clock>,
        options: &DbOptions,
        bell: Bell,
    ) -> std::result::Result<Self, DbError> {
        let (busy, seal, together) = (options.busy_timeout, options.seal.clone(), options.group_commit.max(1));
        let mut conn = target.open(Access::Write, busy).map_err(|e| DbError::Closed(e.to_string()))?;
        let target = target.clone();
        let (queue, mut jobs) = mpsc::channel::<Box<dyn Job>>(QUEUE);
        thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                let mut batch = Vec::with_capacity(together);
                while let Some(first) = jobs.blocking_recv() {
                    batch.push(first);
                    while batch.len() < together {
                        let Ok(next) = jobs.try_recv() else { break };
                        batch.push(next);
                    }
                    measures::batch(batch.len());
                    let outcome = run_batch(&mut conn, &mut batch, &seal, clock.as_ref());
                    if is_broken(&mut conn) {
                        match target.open(Access::Write, busy) {
                            Ok(fresh) => conn = fresh,
                            Err(error) => tracing::error!(%error, "the writing connection could not be replaced"),
                        }
                    }
                    for job in batch.drain(..) {
                        job.settle(outcome.clone());
                    }
                }
            })
            .map_err(|error| DbError::Other(error.to_string()))?;
        Ok(Self { queue, patience: busy, bell })
    }

    pub(crate) async fn run<R, F>(&self, scope: Scope, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<R> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let bell = self.bell.clone();
        let job = Box::new(Typed { scope, work, queued: Instant::now(), result: None, bell, announced: false, reply });
        measures::queued();
        self.queue.send_timeout(job, self.patience).await.map_err(|error| {
            measures::turned_away();
            match error {
                mpsc::error::SendTimeoutError::Timeout(_) => DbError::Busy("too many writes are waiting".to_owned()),
                mpsc::error::SendTimeoutError::Closed(_) => DbError::Closed("the writer has stopped".to_owned()),
            }
        })?;
        answer.await.unwrap_or_else(|_gone| Err(DbError::Closed("the writer has stopped".to_owned()).into()))
    }
}

fn run_batch(
    conn: &mut Conn,
    batch: &mut [Box<dyn Job>],
    seal: &Seal,
    clock: &dyn Clock,
) -> std::result::Result<(), DbError> {
    begin(conn)?;
    let outcome = run_jobs(conn, batch, seal, clock).and_then(|()| commit(conn));
    if outcome.is_err()
        && let Err(error) = roll_back(conn)
    {
        tracing::error!(%error, "rolling back a batch of writes failed");
    }
    outcome
}

/// Whether the connection can open no transaction any more.
fn is_broken(conn: &mut Conn) -> bool {
    <Conn as diesel::Connection>::TransactionManager::is_broken_transaction_manager(conn)
}

fn depth(conn: &mut Conn) -> std::result::Result<u32, DbError> {
    type Manager = <Conn as diesel::Connection>::TransactionManager;
    let depth = Manager::transaction_manager_status_mut(conn).transaction_depth()?;
    Ok(depth.map_or(0, std::num::NonZeroU32::get))
}

fn run_jobs(
    conn: &mut Conn,
    batch: &mut [Box<dyn Job>],
    seal: &Seal,
    clock: &dyn Clock,
) -> std::result::Result<(), DbError> {
    for job in batch {
        savepoint(conn, Savepoint::Begin)?;
        let before = depth(conn)?;
        let keep = job.run(conn, seal, clock.now());
        // After some errors (disk full, out of memory) SQLite has already rolled everything back
        // and the savepoint is gone: the whole batch then fails, and nobody is told it was kept.
        if depth(conn)? != before {
            return Err(DbError::Other("the transaction was ended, or one left open in it, by its work".to_owned()));
        }
        savepoint(conn, if keep { Savepoint::Keep } else { Savepoint::Undo })?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Savepoint {
    Begin,
    Keep,
    Undo,
}

// The enum's own transaction manager would do, but only the concrete one takes the SQL of BEGIN.
fn with_sqlite(
    conn: &mut Conn,
    f: impl FnOnce(&mut diesel::SqliteConnection) -> diesel::QueryResult<()>,
) -> std::result::Result<(), DbError> {
    match conn {
        Conn::Sqlite(conn) => f(conn).map_err(DbError::from),
        Conn::Pg(_) => Err(DbError::Other("group commit is for SQLite".to_owned())),
    }
}

fn begin(conn: &mut Conn) -> std::result::Result<(), DbError> {
    with_sqlite(conn, |c| AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE"))
}

fn commit(conn: &mut Conn) -> std::result::Result<(), DbError> {
    with_sqlite(conn, AnsiTransactionManager::commit_transaction)
}

fn savepoint(conn: &mut Conn, step: Savepoint) -> std::result::Result<(), DbError> {
    with_sqlite(conn, |c| match step {
        Savepoint::Begin => AnsiTransactionManager::begin_transaction(c),
        Savepoint::Keep => AnsiTransactionManager::commit_transaction(c),
        Savepoint::Undo => AnsiTransactionManager::rollback_transaction(c),
    })
}
