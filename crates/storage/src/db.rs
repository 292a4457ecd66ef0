//! The way in: the only place that opens transactions.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use diesel::{
    RunQueryDsl,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    pg::PgConnection,
};
use kernel::{Clock, Problem};
use tracing::{Instrument, Span};

use crate::{
    Bell, Failure, Result,
    conn::{Access, Conn, Target},
    error::DbError,
    keys, measures,
    pool::{Pool, Slot},
    scope::Scope,
    seal::Seal,
    tx::Tx,
    writer::Writer,
};

/// How often a PostgreSQL transaction that met another is run again.
const RETRIES: u32 = 6;

/// The target of the spans of transactions, for whoever collects them.
pub const SPANS: &str = "storage::transaction";

/// How many of SQLite's waiting writes may share one commit.
pub const GROUP_COMMIT: usize = 256;

/// Sizes and patience.
#[derive(Debug, Clone)]
pub struct DbOptions {
    /// Connections for reading.
    pub read_connections: u32,
    /// Connections for writing. PostgreSQL only: SQLite has one writer.
    pub write_connections: u32,
    /// How many waiting writes may share one commit; 1: each has its own. SQLite only: [`GROUP_COMMIT`] unless
    /// it is being measured.
    pub group_commit: usize,
    /// How long to wait for a connection or a lock before saying that the database is busy.
    pub busy_timeout: Duration,
    /// Seals what must be provable later.
    pub seal: Seal,
}

impl Default for DbOptions {
    fn default() -> Self {
        Self {
            read_connections: 8,
            write_connections: 8,
            group_commit: GROUP_COMMIT,
            busy_timeout: Duration::from_secs(5),
            seal: Seal::default(),
        }
    }
}

/// A database, SQLite or PostgreSQL. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    target: Target,
    clock: Arc<dyn Clock>,
    seal: Seal,
    readers: Pool,
    writer: WritePath,
    bell: Bell,
}

#[derive(Debug, Clone)]
enum WritePath {
    /// One thread with group commit.
    Sqlite(Writer),
    /// A pool, row locks and retries.
    Postgres(Pool),
}

#[derive(diesel::QueryableByName)]
struct Bypasses {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    bypasses: bool,
}

thread_local! {
    static IN_TRANSACTION: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on this thread as the inside of a transaction: opening another one there is an error on
/// both databases, where PostgreSQL would open it beside the first and SQLite's writer would wait for itself.
/// A panic is an outcome.
pub(crate) fn inside<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
    IN_TRANSACTION.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Failure::Database(DbError::Panicked)));
    IN_TRANSACTION.set(false);
    outcome
}

impl Db {
    /// Opens the database. It must have been migrated.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn open(target: &Target, options: &DbOptions, clock: Arc<dyn Clock>) -> std::result::Result<Self, DbError> {
        let (busy, bell) = (options.busy_timeout, Bell::default());
        let writer = match target {
            Target::Sqlite(_) => WritePath::Sqlite(Writer::start(target, Arc::clone(&clock), options, bell.clone())?),
            Target::Postgres(_) => {
                WritePath::Postgres(Pool::open(target, Access::Write, options.write_connections, busy)?)
            }
        };
        let readers = Pool::open(target, Access::Read, options.read_connections, busy)?;
        keys::learn(&mut readers.get()?.conn)?;
        Ok(Self { target: target.clone(), clock, seal: options.seal.clone(), readers, writer, bell })
    }

    /// Where the data is.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Whether row-level security binds the role that is connected. SQLite has no roles: nothing is missing.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn is_walled(&self) -> std::result::Result<bool, Problem> {
        if matches!(self.target, Target::Sqlite(_)) {
            return Ok(true);
        }
        self.read(&Scope::platform(), |tx| {
            let bypasses: Bypasses = diesel::sql_query(
                "SELECT rolsuper OR rolbypassrls AS bypasses FROM pg_roles WHERE rolname = current_user",
            )
            .get_result(tx.conn())?;
            Ok(!bypasses.bypasses)
        })
        .await
    }

    /// Rung when something is committed here that somebody waits for.
    pub const fn bell(&self) -> &Bell {
        &self.bell
    }

    /// The clock transactions read.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Reads, in one consistent snapshot.
    ///
    /// # Errors
    /// The refusal of `work`, or a problem that says the database is busy or failed.
    pub async fn read<R, F>(&self, scope: &impl AsRef<Scope>, work: F) -> std::result::Result<R, Problem>
    where
        R: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<R> + Send + 'static,
    {
        let (scope, started) = (scope.as_ref().clone(), Instant::now());
        let outcome = self.pooled(self.readers.clone(), Way::Read, scope, work).instrument(self.span("read")).await;
        measures::ended(Access::Read, started, &outcome);
        outcome.map_err(Failure::into_problem)
    }

    /// Reads with one statement that is known to be short: a row by its key, a sum over some dozen. It is run
    /// outside of a transaction: opening and closing one, and on SQLite handing it to another thread and back,
    /// would take longer than the statement does (docs/performance.md). A second statement might see another
    /// moment.
    ///
    /// # Errors
    /// The refusal of `work`, or a problem that says the database is busy or failed.
    pub async fn glance<R, F>(&self, scope: &impl AsRef<Scope>, mut work: F) -> std::result::Result<R, Problem>
    where
        R: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<R> + Send + 'static,
    {
        if matches!(self.target, Target::Postgres(_)) {
            let (pool, scope) = (self.readers.clone(), scope.as_ref().clone());
            let seen = self.pooled(pool, Way::Glance, scope, work).instrument(self.span("glance"));
            return seen.await.map_err(Failure::into_problem);
        }
        let mut glance = async || {
            if IN_TRANSACTION.get() {
                return Err(DbError::Nested.into());
            }
            let turn = self.readers.turn().await?;
            let mut slot = self.readers.get()?;
            let now = self.clock.now();
            let seen = inside(|| work(&mut Tx::new(&mut slot.conn, scope.as_ref(), &self.seal, now)));
            drop((slot, turn));
            seen
        };
        glance().instrument(self.span("glance")).await.map_err(Failure::into_problem)
    }

    /// Writes, all or nothing: commits when `work` is `Ok`, rolls back otherwise.
    ///
    /// `work` may run more than once, when PostgreSQL finds it in conflict with another
    /// transaction; it must therefore do nothing outside the database.
    ///
    /// # Errors
    /// The refusal of `work`, or a problem that says the database is busy or failed.
    pub async fn write<R, F>(&self, scope: &impl AsRef<Scope>, work: F) -> std::result::Result<R, Problem>
    where
        R: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<R> + Send + 'static,
    {
        let (scope, started) = (scope.as_ref().clone(), Instant::now());
        let span = self.span("write");
        let outcome = match &self.writer {
            _ if IN_TRANSACTION.get() => Err(DbError::Nested.into()),
            WritePath::Sqlite(writer) => writer.run(scope, work).instrument(span).await,
            WritePath::Postgres(pool) => self.pooled(pool.clone(), Way::Write, scope, work).instrument(span).await,
        };
        measures::ended(Access::Write, started, &outcome);
        outcome.map_err(Failure::into_problem)
    }

    /// Of the time from asking to the answer, waiting for a connection included. What was asked is not in it: the
    /// request around it says which route that was.
    fn span(&self, name: &'static str) -> Span {
        let system = match self.target {
            Target::Sqlite(_) => "sqlite",
            Target::Postgres(_) => "postgresql",
        };
        tracing::debug_span!(target: SPANS, "transaction", otel.name = name, otel.kind = "client", db.system.name = system)
    }

    async fn pooled<R, F>(&self, pool: Pool, way: Way, scope: Scope, mut work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<R> + Send + 'static,
    {
        if IN_TRANSACTION.get() {
            return Err(DbError::Nested.into());
        }
        let started = Instant::now();
        let turn = pool.turn().await?;
        measures::waited(way.access(), started);
        let in_use = measures::InUse::of(way.access());
        let (clock, seal, bell) = (Arc::clone(&self.clock), self.seal.clone(), self.bell.clone());
        let task = tokio::task::spawn_blocking(move || {
            let outcome = with_retries(
                &pool,
                way,
                &Context { scope: &scope, seal: &seal, clock: clock.as_ref(), bell: &bell },
                &mut work,
            );
            drop((in_use, turn));
            outcome
        });
        task.await.unwrap_or(Err(Failure::Database(DbError::Panicked)))
    }
}

/// What a transaction is given.
struct Context<'a> {
    scope: &'a Scope,
    seal: &'a Seal,
    clock: &'a dyn Clock,
    bell: &'a Bell,
}

fn with_retries<R>(
    pool: &Pool,
    way: Way,
    context: &Context<'_>,
    work: &mut dyn FnMut(&mut Tx<'_>) -> Result<R>,
) -> Result<R> {
    let mut attempt = 0;
    let mut lost_connections = 0;
    loop {
        let mut slot = pool.get()?;
        let outcome = begin(&mut slot, way, context.scope)
            .map_err(|error| (Stage::Begin, error.into()))
            .and_then(|()| run(&mut slot.conn, way, context, work).map_err(|failure| (Stage::Work, failure)));
        let (stage, failure) = match outcome {
            Ok(value) => return Ok(value),
            Err(failed) => failed,
        };
        let lost = matches!(failure, Failure::Database(DbError::Closed(_)));
        slot.lost |= lost;
        drop(slot);
        // A lost connection may be replaced only while nothing has been sent on it: after that
        // nobody knows what was committed; a glance sends nothing before its work, and commits nothing.
        // When the server was restarted, every idle one is lost.
        let sent = stage == Stage::Work && way != Way::Glance;
        if lost && !sent && lost_connections < pool.size() {
            lost_connections += 1;
            continue;
        }
        let again = matches!(failure, Failure::Database(DbError::Retry(_)));
        attempt += 1;
        if !again || attempt > RETRIES {
            return Err(failure);
        }
        measures::again();
        std::thread::sleep(Duration::from_millis(rand::random_range(0..=u64::from(attempt) * 8)));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Work,
}

/// How the database is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Read,
    Write,
    /// One statement, outside of a transaction.
    Glance,
}

impl Way {
    const fn access(self) -> Access {
        match self {
            Self::Read | Self::Glance => Access::Read,
            Self::Write => Access::Write,
        }
    }
}

/// On PostgreSQL one round trip opens the transaction and names the tenant to row-level security. The session
/// names one to those who only glance, so that the next of the same Comune need not.
fn begin(slot: &mut Slot, way: Way, scope: &Scope) -> std::result::Result<(), DbError> {
    let tenant = scope.tenant;
    let conn = match &mut slot.conn {
        Conn::Sqlite(conn) => return Ok(AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN")?),
        Conn::Pg(conn) => conn,
    };
    let mode = match way {
        Way::Read => "ISOLATION LEVEL REPEATABLE READ READ ONLY",
        Way::Write => "ISOLATION LEVEL READ COMMITTED",
        Way::Glance if slot.glances_at == Some(tenant) => return Ok(()),
        Way::Glance => {
            slot.glances_at = None;
            conn.batch_execute(&format!("SET sportello.tenant = '{tenant}'"))?;
            slot.glances_at = Some(tenant);
            return Ok(());
        }
    };
    let sql = format!("BEGIN {mode}; SET LOCAL sportello.tenant = '{tenant}'");
    Ok(AnsiTransactionManager::begin_transaction_sql(conn, &sql)?)
}

type Manager = <Conn as diesel::Connection>::TransactionManager;

fn run<R>(
    conn: &mut Conn,
    way: Way,
    context: &Context<'_>,
    work: &mut dyn FnMut(&mut Tx<'_>) -> Result<R>,
) -> Result<R> {
    let now = context.clock.now();
    let mut tx = Tx::new(conn, context.scope, context.seal, now);
    let mut outcome = inside(|| work(&mut tx));
    let announced = tx.is_announced();
    if way != Way::Glance {
        outcome = outcome.and_then(|value| Ok(commit(conn).map(|()| value)?));
    }
    match outcome {
        Ok(value) => {
            if announced {
                context.bell.ring(context.scope.tenant);
            }
            Ok(value)
        }
        Err(failure) => {
            if let Err(error) = roll_back(conn) {
                tracing::warn!(%error, "rolling back failed; the connection is dropped");
            }
            Err(failure)
        }
    }
}

/// Leaves no transaction open, however deep the failure was; a failed COMMIT may have closed it already.
pub(crate) fn roll_back(conn: &mut Conn) -> diesel::QueryResult<()> {
    while Manager::transaction_manager_status_mut(conn).transaction_depth()?.is_some() {
        Manager::rollback_transaction(conn)?;
    }
    Ok(())
}

/// PostgreSQL answers the COMMIT of a transaction in which a statement has failed with a ROLLBACK and no
/// error, so work that swallowed the statement's error would be told that it was stored. A savepoint asks
/// first, in the same round trip.
fn commit(conn: &mut Conn) -> diesel::QueryResult<()> {
    match conn {
        Conn::Pg(conn) => conn.batch_execute("SAVEPOINT sound; COMMIT"),
        Conn::Sqlite(_) => Manager::commit_transaction(conn),
    }
}

// Kept honest by the compiler: a pooled slot crosses threads.
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<Slot>();
    is_send::<PgConnection>();
};
