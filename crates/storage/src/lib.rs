//! One database for everybody: SQLite with no set-up, PostgreSQL for many Comuni, the same code on both.
//!
//! * [`Db`] is the way in: [`Db::read`] and [`Db::write`] open the only transactions there are
//! * [`Tx`] carries what a query may know: connection, tenant, actor, the instant and the source of ids
//! * [`Bell`] tells who waits for what a transaction wrote that it is committed
//! * [`types`] are the column types that are native on each side
//! * [`Failure`] is what a transaction can end with: a refusal, or trouble with the database
//! * [`backup`] copies a SQLite file while it is in use; [`health`] looks at either database
//! * [`migrate`] brings either database to the schema in `migrations/`

pub mod backup;
mod bell;
mod both;
pub mod conn;
pub mod db;
pub mod error;
mod fixed;
pub mod health;
mod keys;
mod measures;
pub mod migrate;
mod pool;
pub mod problems;
pub mod scope;
mod seal;
mod text_enum;
pub mod tx;
pub mod types;
mod writer;

pub use bell::Bell;
pub use conn::{Conn, MultiBackend, Target};
pub use db::{Db, DbOptions, GROUP_COMMIT, SPANS};
pub use error::{DbError, Failure, Result};
pub use fixed::{Fixed, fixed};
pub use scope::{Actor, Scope, TenantId};
pub use seal::Seal;
pub use tx::Tx;
pub use types::Json;

#[doc(hidden)]
pub use diesel;
