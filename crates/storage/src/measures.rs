//! What is measured of the database. The names are explained in docs/operations.md; without somebody who collects
//! them, measuring does nothing.

use std::time::Instant;

use metrics::{counter, gauge, histogram};

use crate::{Failure, Result, conn::Access};

const fn name(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "write",
    }
}

/// A transaction has ended, however it did.
pub(crate) fn ended<R>(access: Access, since: Instant, outcome: &Result<R>) {
    let outcome = match outcome {
        Ok(_) => "done",
        Err(Failure::Refused(_)) => "refused",
        Err(Failure::Database(_)) => "failed",
    };
    counter!("sportello_db_transactions_total", "access" => name(access), "outcome" => outcome).increment(1);
    histogram!("sportello_db_transaction_duration_seconds", "access" => name(access)).record(since.elapsed());
}

/// A transaction has its connection, or its turn at the writer.
pub(crate) fn waited(access: Access, since: Instant) {
    histogram!("sportello_db_wait_seconds", "access" => name(access)).record(since.elapsed());
}

/// PostgreSQL found a transaction in conflict with another; it runs again.
pub(crate) fn again() {
    counter!("sportello_db_retries_total").increment(1);
}

/// A write waits for SQLite's writer.
pub(crate) fn queued() {
    gauge!("sportello_db_writer_queue").increment(1.0);
}

/// It did not get into the queue.
pub(crate) fn turned_away() {
    gauge!("sportello_db_writer_queue").decrement(1.0);
}

/// SQLite's writer has taken so many, to commit them together.
pub(crate) fn batch(size: usize) {
    let size = f64::from(u32::try_from(size).unwrap_or(u32::MAX));
    gauge!("sportello_db_writer_queue").decrement(size);
    histogram!("sportello_db_writer_batch_size").record(size);
}

/// A pooled connection in use, until dropped.
pub(crate) struct InUse(Access);

impl InUse {
    pub(crate) fn of(access: Access) -> Self {
        gauge!("sportello_db_connections_in_use", "access" => name(access)).increment(1.0);
        Self(access)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        gauge!("sportello_db_connections_in_use", "access" => name(self.0)).decrement(1.0);
    }
}
