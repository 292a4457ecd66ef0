//! Two small tables with every kind of key, to write into.

use std::{sync::Arc, time::Duration};

use diesel::{connection::SimpleConnection, prelude::*};
use jiff::Timestamp;
use kernel::{Id, Problem, SystemClock};
use storage::{Db, DbOptions, Scope, Target, TenantId, Tx, migrate, types::Key};
use tempfile::TempDir;
use tests::Backend;
use uuid::Uuid;

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    entries (tenant_id, number) {
        tenant_id -> Uid,
        number -> BigInt,
        words -> Text,
        parent -> Nullable<BigInt>,
    }
}

/// The second unique key has its columns in another order than the table.
const TABLE: &str = "CREATE TABLE entries (tenant_id {ID} NOT NULL, number {INT} NOT NULL CHECK (number >= 0), \
    words TEXT NOT NULL, parent {INT}, PRIMARY KEY (tenant_id, number), UNIQUE (tenant_id, words), \
    UNIQUE (tenant_id, parent, number), FOREIGN KEY (tenant_id, parent) REFERENCES entries (tenant_id, number)) {KEYED}";

/// How long the database of these tests is waited for before it is called busy.
pub(crate) const PATIENCE: Duration = Duration::from_millis(400);

/// A fresh database with one table beside the product's own.
pub(crate) struct Ledger {
    pub(crate) backend: Backend,
    pub(crate) target: Target,
    pub(crate) db: Db,
    _folder: TempDir,
}

impl Ledger {
    pub(crate) async fn new(backend: Backend) -> Self {
        Self::with(backend, DbOptions { busy_timeout: Duration::from_secs(20), ..DbOptions::default() }).await
    }

    pub(crate) async fn with(backend: Backend, options: DbOptions) -> Self {
        let folder = tempfile::Builder::new().prefix("ledger-").tempdir_in(tests::reaper::folder()).unwrap();
        let url = match backend {
            Backend::Sqlite => format!("sqlite:{}", folder.path().join("ledger.sqlite").display()),
            Backend::Postgres => tests::postgres::fresh_database(),
        };
        let target = Target::parse(&url).unwrap();
        migrate::run(&target, Timestamp::UNIX_EPOCH).unwrap();
        let make = migrate::render(TABLE, &target);
        match &target {
            Target::Sqlite(path) => SqliteConnection::establish(&path.to_string_lossy()).unwrap().batch_execute(&make),
            Target::Postgres(url) => PgConnection::establish(url).unwrap().batch_execute(&make),
        }
        .unwrap();
        // So that the new table gets its row-level security too.
        migrate::run(&target, Timestamp::UNIX_EPOCH).unwrap();
        let db = Db::open(&target, &options, Arc::new(SystemClock)).unwrap();
        Self { backend, target, db, _folder: folder }
    }

    /// The same database, with other sizes and another patience.
    pub(crate) fn reopened(&self, options: &DbOptions) -> Db {
        Db::open(&self.target, options, Arc::new(SystemClock)).unwrap()
    }

    /// Writes in the Comune of these tests.
    pub(crate) async fn write<R, F>(&self, work: F) -> Result<R, Problem>
    where
        R: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> storage::Result<R> + Send + 'static,
    {
        self.db.write(&scope(), work).await
    }

    /// The numbers that are stored, in order.
    pub(crate) async fn numbers(&self) -> Vec<i64> {
        self.db.read(&scope(), numbers).await.unwrap()
    }
}

pub(crate) fn tenant() -> TenantId {
    Id::from_uuid(Uuid::from_u128(7))
}

pub(crate) fn scope() -> Scope {
    Scope::system(tenant())
}

/// Enters a number under its own name.
pub(crate) fn enter(tx: &mut Tx<'_>, number: i64) -> storage::Result<()> {
    enter_as(tx, number, &format!("entry {number}"), None)
}

pub(crate) fn enter_as(tx: &mut Tx<'_>, number: i64, words: &str, parent: Option<i64>) -> storage::Result<()> {
    diesel::insert_into(entries::table)
        .values((
            entries::tenant_id.eq(Key(tx.tenant())),
            entries::number.eq(number),
            entries::words.eq(words),
            entries::parent.eq(parent),
        ))
        .execute(tx.conn())?;
    Ok(())
}

pub(crate) fn numbers(tx: &mut Tx<'_>) -> storage::Result<Vec<i64>> {
    let own = entries::table.filter(entries::tenant_id.eq(Key(tx.tenant())));
    Ok(own.select(entries::number).order(entries::number).load(tx.conn())?)
}

/// A refusal, as a rule gives it.
pub(crate) fn refusal() -> Problem {
    Problem::new(&platform::problems::FORBIDDEN)
}

/// A panic without the noise of one: the hook that prints it is not called.
pub(crate) fn panic_quietly() -> ! {
    std::panic::resume_unwind(Box::new("of a test"))
}
