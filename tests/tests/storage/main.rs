//! What `storage` promises, on both databases: all or nothing, whatever fails and whoever else is writing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a surprise here should stop the test, with its place"
)]

mod connections;
mod ledger;
mod statistics;
mod together;
mod transactions;

/// Runs each `async fn name(ledger: Ledger)` of the module on a fresh SQLite file and a fresh PostgreSQL database.
macro_rules! on_both_databases {
    ($($body:ident),+ $(,)?) => { $(
        mod $body {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                super::$body($crate::ledger::Ledger::new(tests::Backend::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgres() {
                if tests::Backend::Postgres.available() {
                    super::$body($crate::ledger::Ledger::new(tests::Backend::Postgres).await).await;
                }
            }
        }
    )+ };
}
pub(crate) use on_both_databases;
