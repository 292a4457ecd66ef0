//! How a transaction ends when it does not end well.

use std::fmt;

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};
use kernel::Problem;

use crate::{
    keys,
    problems::{INTERNAL_ERROR, STORAGE_BUSY},
};

/// The outcome of anything that runs inside a transaction.
pub type Result<T> = std::result::Result<T, Failure>;

/// Why a transaction was rolled back.
#[derive(Debug, Clone)]
pub enum Failure {
    /// A rule said no: the caller is told.
    Refused(Problem),
    /// The database, or the code that spoke to it, failed: the log is told.
    Database(DbError),
}

/// A database error in the terms of both databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DbError {
    /// A unique key was taken. PostgreSQL names the constraint and SQLite does not, so it is known by its columns.
    Unique {
        /// The table.
        table: String,
        /// The columns of the key, in its order.
        columns: Vec<String>,
    },
    /// A row points at nothing, or is still pointed at.
    ForeignKey(String),
    /// A CHECK or NOT NULL said no.
    Check(String),
    /// Another transaction was in the way and this one may simply be run again.
    Retry(String),
    /// The database could not take the work in time.
    Busy(String),
    /// The connection is gone.
    Closed(String),
    /// A transaction was opened inside another.
    Nested,
    /// The work panicked; the message is in the log.
    Panicked,
    /// Anything else.
    Other(String),
}

impl DbError {
    /// Whether this is the unique key of `table` over `columns` (the tenant column included).
    pub fn is_unique(&self, table: &str, columns: &[&str]) -> bool {
        matches!(self, Self::Unique { table: t, columns: c } if t == table && c == columns)
    }
}

impl Failure {
    /// Whether this is the unique key of `table` over `columns`.
    pub fn is_unique(&self, table: &str, columns: &[&str]) -> bool {
        matches!(self, Self::Database(error) if error.is_unique(table, columns))
    }

    /// What the caller is told. Trouble with the database keeps its particulars for the log.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::Refused(problem) => problem,
            Self::Database(DbError::Busy(reason) | DbError::Retry(reason)) => {
                tracing::warn!(%reason, "the database is busy");
                Problem::new(&STORAGE_BUSY).retry_after(1)
            }
            Self::Database(error) => {
                tracing::error!(%error, "the database failed");
                Problem::new(&INTERNAL_ERROR)
            }
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}
impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}
impl From<DieselError> for Failure {
    fn from(error: DieselError) -> Self {
        Self::Database(error.into())
    }
}
impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        failure.into_problem()
    }
}

impl From<DieselError> for DbError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(kind, info) => from_database(&kind, info.as_ref()),
            DieselError::BrokenTransactionManager => Self::Closed(error.to_string()),
            other => Self::Other(other.to_string()),
        }
    }
}

fn from_database(kind: &DatabaseErrorKind, info: &(dyn DatabaseErrorInformation + Send + Sync)) -> DbError {
    let message = info.message().to_owned();
    match kind {
        DatabaseErrorKind::UniqueViolation => unique(info),
        // The message of PostgreSQL names tables and constraints; the values are in its details, left out here.
        DatabaseErrorKind::ForeignKeyViolation | DatabaseErrorKind::RestrictViolation => DbError::ForeignKey(message),
        DatabaseErrorKind::CheckViolation | DatabaseErrorKind::NotNullViolation => DbError::Check(message),
        DatabaseErrorKind::SerializationFailure => DbError::Retry(message),
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => DbError::Closed(message),
        _ => {
            // diesel keeps no SQLSTATE for these (40P01, 55P03, 57014, 57P01, SQLITE_BUSY); the words are all
            // there is, so the role that serves wants `lc_messages = 'C'` (docs/operations.md).
            let lower = message.to_lowercase();
            if lower.contains("deadlock") {
                DbError::Retry(message)
            } else if lower.contains("lock timeout")
                || lower.contains("statement timeout")
                || lower.contains("database is locked")
            {
                DbError::Busy(message)
            } else if lower.contains("server closed the connection") || lower.contains("terminating connection") {
                DbError::Closed(message)
            } else {
                DbError::Other(message)
            }
        }
    }
}

/// SQLite: `UNIQUE constraint failed: t.a, t.b`. PostgreSQL: the table and the key by name.
fn unique(info: &(dyn DatabaseErrorInformation + Send + Sync)) -> DbError {
    if let Some(table) = info.table_name() {
        let columns = info.constraint_name().and_then(keys::columns_of).unwrap_or_default();
        return DbError::Unique { table: table.to_owned(), columns };
    }
    let list = info.message().rsplit_once(": ").map_or("", |(_, list)| list);
    let mut table = String::new();
    let mut columns = Vec::new();
    for column in list.split(',') {
        if let Some((t, c)) = column.trim().split_once('.') {
            table = t.to_owned();
            columns.push(c.to_owned());
        }
    }
    DbError::Unique { table, columns }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unique { table, columns } => write!(f, "unique key taken: {table}({})", columns.join(", ")),
            Self::ForeignKey(m) => write!(f, "foreign key: {m}"),
            Self::Check(m) => write!(f, "check: {m}"),
            Self::Retry(m) => write!(f, "conflict with another transaction: {m}"),
            Self::Busy(m) => write!(f, "busy: {m}"),
            Self::Closed(m) => write!(f, "connection lost: {m}"),
            Self::Nested => f.write_str("a transaction was opened inside another"),
            Self::Panicked => f.write_str("the work panicked"),
            Self::Other(m) => f.write_str(m),
        }
    }
}
impl std::error::Error for DbError {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(problem) => problem.fmt(f),
            Self::Database(error) => error.fmt(f),
        }
    }
}
impl std::error::Error for Failure {}

/// A stored or received word that its enum does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a known {0}")]
pub struct UnknownWord(pub &'static str);
