//! Brings either database to the schema of this version, from one text for both.
//!
//! The texts in `migrations/` are written in the common subset of SQL, with tokens for what the
//! two databases call differently:
//!
//! | token | PostgreSQL | SQLite |
//! |---|---|---|
//! | `{ID}` | `uuid` | `BLOB` |
//! | `{INSTANT}` | `timestamptz` | `INTEGER` |
//! | `{JSON}` | `jsonb` | `TEXT` |
//! | `{DATE}` / `{TIME}` | `date` / `time` | `TEXT` |
//! | `{BYTES}` (text compared byte by byte) | `text COLLATE "C"` | `TEXT` |
//! | `{INT}` / `{BOOL}` | `bigint` / `boolean` | `INTEGER` |
//! | `{KEYED}` (after a table) | nothing | `STRICT, WITHOUT ROWID` |
//!
//! What they have no common words for, triggers, is written for each: between `{POSTGRES}` and `{/POSTGRES}`,
//! and between `{SQLITE}` and `{/SQLITE}`.

use std::time::Duration;

use diesel::{
    QueryableByName, RunQueryDsl,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    sql_query,
    sql_types::Text,
};

use crate::conn::{Access, Conn, Target};

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The folder's name: `<date>_<crate>_<what>`.
    pub name: &'static str,
    /// The text, with its tokens.
    pub sql: &'static str,
}

macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        /// Every step, in order. A test compares the list with the folder.
        pub const MIGRATIONS: &[Migration] = &[ $( Migration {
            name: $name,
            sql: include_str!(concat!("../../../migrations/", $name, "/up.sql")),
        } ),* ];
    };
}

migrations![
    "2026-11-24_platform_base",
    "2026-11-24_booking_appointments",
    "2026-11-25_platform_trust",
    "2026-11-25_booking_internal_capacity",
    "2026-11-25_booking_calendar_feeds",
    "2026-11-25_booking_back_office",
    "2026-11-25_platform_closures",
    "2026-11-25_booking_administration",
    "2026-11-25_platform_staff_version",
    "2026-11-25_booking_keywords",
    "2026-11-25_booking_hours_version",
    "2026-11-28_platform_events",
    "2026-11-28_platform_privacy",
    "2026-11-28_platform_messages",
    "2026-11-28_booking_applicant_language",
    "2026-11-28_platform_sessions",
    "2026-11-29_booking_special_category",
    "2026-11-29_platform_pdnd",
    "2026-11-29_documents_files",
    "2026-11-29_protocol_register",
    "2026-11-29_payments_debts",
];

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database cannot be reached.
    #[error("cannot open the database: {0}")]
    Open(#[from] diesel::ConnectionError),
    /// A step failed; it was rolled back, the steps before it stand.
    #[error("migration {name}: {source}")]
    Step {
        /// Which one.
        name: String,
        /// What the database said.
        source: diesel::result::Error,
    },
    /// The SQLite file cannot be made.
    #[error("cannot make the database file: {0}")]
    File(#[from] std::io::Error),
    /// The bookkeeping could not be read or written.
    #[error("migration bookkeeping: {0}")]
    Bookkeeping(#[from] diesel::result::Error),
    /// The database knows a step this version does not: it was migrated by a newer one.
    #[error("the database has the step {0}, which this version does not know; use the newer version")]
    Newer(String),
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    name: String,
}

const BOOKKEEPING: &str =
    "CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL)";

/// Applies every missing step, each in a transaction of its own, and returns their names. Several
/// processes may call it at once: they take turns.
///
/// # Errors
/// When a step fails or the database is of a newer version.
pub fn run(target: &Target, now: jiff::Timestamp) -> Result<Vec<&'static str>, MigrateError> {
    target.make_private_file()?;
    let mut conn = target.open(Access::Write, Duration::from_secs(60))?;
    lock(&mut conn)?;
    conn.batch_execute(BOOKKEEPING)?;
    let mut done = Vec::new();
    for step in missing(&mut conn)? {
        let applied = apply(&mut conn, step, now);
        if applied.map_err(|source| MigrateError::Step { name: step.name.to_owned(), source })? {
            done.push(step.name);
        }
    }
    match &mut conn {
        Conn::Pg(conn) => conn.batch_execute(ROW_LEVEL_SECURITY)?,
        Conn::Sqlite(conn) => conn.batch_execute(STATISTICS)?,
    }
    Ok(done)
}

/// The steps that [`run`] would apply.
///
/// # Errors
/// When the database cannot be read or is of a newer version.
pub fn pending(target: &Target) -> Result<Vec<&'static str>, MigrateError> {
    let mut conn = target.open(Access::Write, Duration::from_secs(5))?;
    let exists = sql_query(match target {
        Target::Sqlite(_) => "SELECT name FROM sqlite_schema WHERE name = 'schema_migrations'",
        Target::Postgres(_) => {
            "SELECT CAST(to_regclass('schema_migrations') AS text) AS name \
                                WHERE to_regclass('schema_migrations') IS NOT NULL"
        }
    })
    .load::<Applied>(&mut conn)?;
    if exists.is_empty() {
        return Ok(MIGRATIONS.iter().map(|step| step.name).collect());
    }
    Ok(missing(&mut conn)?.into_iter().map(|step| step.name).collect())
}

/// The text of a step for one of the databases.
pub fn render(sql: &str, target: &Target) -> String {
    let tokens: [(&str, &str, &str); 13] = [
        ("{ID}", "uuid", "BLOB"),
        ("{INSTANT}", "timestamptz", "INTEGER"),
        ("{JSON}", "jsonb", "TEXT"),
        ("{BYTES}", "text COLLATE \"C\"", "TEXT"),
        ("{DATE}", "date", "TEXT"),
        ("{TIME}", "time", "TEXT"),
        ("{INT}", "bigint", "INTEGER"),
        ("{BOOL}", "boolean", "INTEGER"),
        ("{KEYED}", "", "STRICT, WITHOUT ROWID"),
        // What is for the other database is a comment.
        ("{POSTGRES}", "", "/*"),
        ("{/POSTGRES}", "", "*/"),
        ("{SQLITE}", "/*", ""),
        ("{/SQLITE}", "*/", ""),
    ];
    tokens.iter().fold(sql.to_owned(), |text, (token, postgres, sqlite)| {
        text.replace(token, if matches!(target, Target::Postgres(_)) { postgres } else { sqlite })
    })
}

fn missing(conn: &mut Conn) -> Result<Vec<&'static Migration>, MigrateError> {
    let applied: Vec<Applied> = sql_query("SELECT name FROM schema_migrations ORDER BY name").load(conn)?;
    if let Some(unknown) = applied.iter().find(|a| MIGRATIONS.iter().all(|step| step.name != a.name)) {
        return Err(MigrateError::Newer(unknown.name.clone()));
    }
    Ok(MIGRATIONS.iter().filter(|step| applied.iter().all(|a| a.name != step.name)).collect())
}

/// Applies a step in a transaction of its own; `false` when another process has been faster.
fn apply(conn: &mut Conn, step: &Migration, now: jiff::Timestamp) -> diesel::QueryResult<bool> {
    let target = match conn {
        Conn::Pg(_) => Target::Postgres(String::new()),
        Conn::Sqlite(_) => Target::Sqlite(std::path::PathBuf::new()),
    };
    match conn {
        Conn::Pg(conn) => AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN")?,
        Conn::Sqlite(conn) => AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE")?,
    }
    let outcome = apply_once(conn, step, &target, now);
    type Manager = <Conn as diesel::Connection>::TransactionManager;
    match outcome {
        Ok(applied) => Manager::commit_transaction(conn).map(|()| applied),
        Err(error) => {
            Manager::rollback_transaction(conn)?;
            Err(error)
        }
    }
}

/// The list of missing steps was read before the write lock was taken: the step may be there by now.
fn apply_once(conn: &mut Conn, step: &Migration, target: &Target, now: jiff::Timestamp) -> diesel::QueryResult<bool> {
    let there: Vec<Applied> =
        sql_query("SELECT name FROM schema_migrations WHERE name = $1").bind::<Text, _>(step.name).load(conn)?;
    if !there.is_empty() {
        return Ok(false);
    }
    if let Conn::Pg(conn) = conn {
        conn.batch_execute(&WALL_FOR_THE_OWNER.replace("{IS}", "").replace("{SET}", "NO FORCE"))?;
    }
    conn.batch_execute(&render(step.sql, target))?;
    if let Conn::Pg(conn) = conn {
        conn.batch_execute(&WALL_FOR_THE_OWNER.replace("{IS}", "NOT").replace("{SET}", "FORCE"))?;
    }
    sql_query("INSERT INTO schema_migrations (name, applied_at) VALUES ($1, $2)")
        .bind::<Text, _>(step.name)
        .bind::<Text, _>(now.to_string())
        .execute(conn)?;
    Ok(true)
}

/// One process migrates at a time. PostgreSQL: an advisory lock, kept until the connection closes.
/// SQLite: each step takes the write lock, and the loser finds the step applied.
fn lock(conn: &mut Conn) -> diesel::QueryResult<()> {
    match conn {
        Conn::Pg(conn) => {
            conn.batch_execute("SET lock_timeout = 0; SET statement_timeout = 0; SELECT pg_advisory_lock(7236741985)")
        }
        Conn::Sqlite(_) => Ok(()),
    }
}

/// A step that fills a new column does so for every tenant, so for as long as its transaction lasts the
/// tables' owner, who migrates, is not held to one. Nobody else sees that: the tables are locked meanwhile.
const WALL_FOR_THE_OWNER: &str = "
DO $$
DECLARE t text;
BEGIN
  FOR t IN
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relrowsecurity
      AND {IS} relforcerowsecurity
  LOOP
    EXECUTE format('ALTER TABLE %I {SET} ROW LEVEL SECURITY', t);
  END LOOP;
END $$;";

/// The second wall: whatever a query forgets, PostgreSQL shows a transaction the rows of its own
/// tenant only. Applied to every table with a tenant, so a new table cannot miss it.
/// `tenants` is left out: it is where a slug becomes a tenant, before there is one.
const ROW_LEVEL_SECURITY: &str = "
DO $$
DECLARE t text;
BEGIN
  FOR t IN
    SELECT c.table_name FROM information_schema.columns c
    JOIN pg_class k ON k.relname = c.table_name AND k.relnamespace = current_schema()::regnamespace
    WHERE c.table_schema = current_schema() AND c.column_name = 'tenant_id' AND c.table_name <> 'tenants'
      AND NOT k.relrowsecurity
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY own_tenant ON %I USING (tenant_id = nullif(current_setting(''sportello.tenant'', true), '''')::uuid)', t);
  END LOOP;
END $$;";

/// What SQLite's planner is told of every index: how many rows share a tenant, and how many fewer each further
/// column leaves. Left to its own guess, that a tenant has ten, it reads all rows of a Comune instead of an
/// index, which shows once there are many. Counting (`ANALYZE`) would tell it the truth of one day, and of a
/// database that is still empty no truth at all; PostgreSQL counts by itself. Whoever counts nevertheless is
/// believed: what is there stays.
const STATISTICS: &str = "
BEGIN IMMEDIATE;
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 (tbl, idx, stat)
SELECT t.name, CASE i.origin WHEN 'pk' THEN t.name ELSE i.name END, (
    SELECT '1000000 ' || group_concat(c.alike, ' ') FROM (
        SELECT CASE
            WHEN i.\"unique\" AND k.seqno = (SELECT max(seqno) FROM pragma_index_info(i.name)) THEN 1
            ELSE CASE k.seqno WHEN 0 THEN 1000000 WHEN 1 THEN 10000 WHEN 2 THEN 100 ELSE 1 END
        END AS alike
        FROM pragma_index_info(i.name) k ORDER BY k.seqno
    ) c
)
FROM sqlite_schema t JOIN pragma_index_list(t.name) i
WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND NOT EXISTS (
    SELECT 1 FROM sqlite_stat1 s
    WHERE s.tbl = t.name AND s.idx = CASE i.origin WHEN 'pk' THEN t.name ELSE i.name END
);
ANALYZE sqlite_schema;
COMMIT;";
