//! What a database says of itself, for whoever looks after it.

use std::time::Duration;

use diesel::{
    QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Bool, Text},
};
use jiff::Timestamp;

use crate::conn::{Access, Conn, Target};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Of a SQLite file.
    Sqlite {
        /// The library's version.
        version: String,
        /// `wal`, unless something is amiss.
        journal_mode: String,
        /// `ok`, or what is damaged.
        quick_check: String,
    },
    /// Of a PostgreSQL database.
    Postgres {
        /// Such as 150004.
        version: i64,
        /// Whether row-level security does not bind the role.
        bypasses: bool,
        /// Tables of tenants on which it is not enabled and forced.
        unwalled: Vec<String>,
        /// The language of its messages.
        lc_messages: String,
        /// Its clock.
        now: Timestamp,
    },
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// It cannot be reached.
    #[error("cannot open the database: {0}")]
    Open(#[from] diesel::ConnectionError),
    /// It does not answer.
    #[error("the database answered: {0}")]
    Query(#[from] diesel::result::Error),
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    word: String,
}

#[derive(QueryableByName)]
struct Settings {
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(sql_type = Text)]
    lc_messages: String,
    #[diesel(sql_type = Bool)]
    bypasses: bool,
    #[diesel(sql_type = BigInt)]
    micros: i64,
}

#[derive(QueryableByName)]
struct Checked {
    #[diesel(sql_type = Text)]
    quick_check: String,
}

#[derive(QueryableByName)]
struct Mode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

/// Looks at a database, on a connection of its own.
///
/// # Errors
/// When it cannot be reached or does not answer.
pub fn examine(target: &Target) -> Result<Health, HealthError> {
    // A large file takes a while to check.
    let mut conn = target.open(Access::Read, Duration::from_secs(60))?;
    match &mut conn {
        Conn::Sqlite(conn) => {
            let version: Word = sql_query("SELECT sqlite_version() AS word").get_result(conn)?;
            let mode: Mode = sql_query("PRAGMA journal_mode").get_result(conn)?;
            let checked: Vec<Checked> = sql_query("PRAGMA quick_check(5)").load(conn)?;
            let lines: Vec<String> = checked.into_iter().map(|row| row.quick_check).collect();
            Ok(Health::Sqlite { version: version.word, journal_mode: mode.journal_mode, quick_check: lines.join("; ") })
        }
        Conn::Pg(conn) => {
            let settings: Settings = sql_query(
                "SELECT CAST(current_setting('server_version_num') AS bigint) AS version, \
                 current_setting('lc_messages') AS lc_messages, rolsuper OR rolbypassrls AS bypasses, \
                 CAST(floor(extract(epoch FROM clock_timestamp()) * 1000000) AS bigint) AS micros \
                 FROM pg_roles WHERE rolname = current_user",
            )
            .get_result(conn)?;
            let unwalled: Vec<Word> = sql_query(
                "SELECT CAST(k.relname AS text) AS word FROM pg_class k \
                 JOIN pg_attribute a ON a.attrelid = k.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped \
                 WHERE k.relkind = 'r' AND k.relnamespace = CAST(current_schema() AS regnamespace) \
                 AND k.relname <> 'tenants' AND NOT (k.relrowsecurity AND k.relforcerowsecurity) ORDER BY 1",
            )
            .load(conn)?;
            Ok(Health::Postgres {
                version: settings.version,
                bypasses: settings.bypasses,
                unwalled: unwalled.into_iter().map(|row| row.word).collect(),
                lc_messages: settings.lc_messages,
                now: Timestamp::from_microsecond(settings.micros).unwrap_or_default(),
            })
        }
    }
}
