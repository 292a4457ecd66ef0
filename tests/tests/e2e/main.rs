//! The real binary over HTTP, on both databases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a surprise here should stop the test, with its place"
)]

mod access;
mod administration;
mod audit;
mod backup;
mod commands;
mod compression;
mod contention;
mod contract;
mod counter;
mod crash;
mod crowd;
mod documents;
mod events;
mod freshness;
mod habits;
mod idempotency;
mod identity;
mod ledger;
mod limits;
mod messages;
mod metrics;
mod mint;
mod payments;
mod people;
mod privacy;
mod protocol;
mod refusals;
mod reports;
mod rows;
mod settings;
mod shutdown;
mod smoke;
mod telemetry;
mod world;

/// Says on the terminal which databases this run is about.
#[test]
fn which_databases_ran() {
    for backend in [tests::Backend::Sqlite, tests::Backend::Postgres] {
        backend.available();
    }
}
