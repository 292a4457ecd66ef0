//! The transaction: everything a query may know.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use diesel::connection::TransactionManager;
use jiff::Timestamp;
use kernel::Id;

use crate::{
    Result,
    conn::Conn,
    scope::{Actor, Scope, TenantId},
    seal::Seal,
};

/// An open transaction: connection, tenant, actor, the instant it began and a source of ids.
///
/// Made by [`Db::read`](crate::Db::read) and [`Db::write`](crate::Db::write) only, so a query
/// without a tenant cannot be written by accident.
#[derive(Debug)]
pub struct Tx<'c> {
    conn: &'c mut Conn,
    scope: &'c Scope,
    seal: &'c Seal,
    now: Timestamp,
    /// Drawn once.
    lot: u8,
    /// How many ids were made: those of one transaction follow one another.
    ids: u16,
    /// Whether somebody waits for what it wrote.
    announced: bool,
}

impl<'c> Tx<'c> {
    pub(crate) fn new(conn: &'c mut Conn, scope: &'c Scope, seal: &'c Seal, now: Timestamp) -> Self {
        Self { conn, scope, seal, now, lot: rand::random(), ids: 0, announced: false }
    }

    /// The connection, for `store.rs`.
    pub const fn conn(&mut self) -> &mut Conn {
        self.conn
    }

    /// The Comune this transaction works in.
    pub const fn tenant(&self) -> TenantId {
        self.scope.tenant
    }

    /// Who acts.
    pub const fn actor(&self) -> &Actor {
        &self.scope.actor
    }

    /// The instant the transaction began; the same throughout it.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// What only this deployment can have written.
    pub const fn seal(&self) -> &Seal {
        self.seal
    }

    /// A number drawn for the transaction, the same throughout it: spreads what all of them would queue for.
    pub const fn lot(&self) -> u8 {
        self.lot
    }

    /// Whether other transactions may be writing meanwhile. On SQLite none is: there is nothing to lock.
    pub const fn writes_beside_others(&self) -> bool {
        matches!(self.conn, Conn::Pg(_))
    }

    /// Says that somebody waits for what is written here: once it is committed, [`Bell`](crate::Bell) is rung.
    pub const fn announce(&mut self) {
        self.announced = true;
    }

    /// Whether [`Tx::announce`] was called, in what is kept of the transaction.
    pub(crate) const fn is_announced(&self) -> bool {
        self.announced
    }

    /// A new identifier, greater than those made before it in this transaction (up to 4,096 of them).
    pub fn new_id<T>(&mut self) -> Id<T> {
        let mut random: [u8; 10] = rand::random();
        let [high, low] = self.ids.to_be_bytes();
        random[0] = high;
        random[1] = low;
        self.ids = self.ids.wrapping_add(1) & 0x0fff;
        Id::generate(self.now, random)
    }

    /// Runs `work` in a savepoint: when it fails, what it wrote is undone and the transaction goes on.
    ///
    /// # Errors
    /// What `work` failed with.
    pub fn savepoint<R>(&mut self, work: impl FnOnce(&mut Tx<'_>) -> Result<R>) -> Result<R> {
        type Manager = <Conn as diesel::Connection>::TransactionManager;
        Manager::begin_transaction(self.conn)?;
        let (scope, seal, now, lot, ids) = (self.scope, self.seal, self.now, self.lot, self.ids);
        let mut inner = Tx { conn: self.conn, scope, seal, now, lot, ids, announced: false };
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&mut inner)));
        self.ids = inner.ids;
        let announced = inner.announced;
        match outcome {
            Ok(Ok(value)) => {
                Manager::commit_transaction(self.conn)?;
                self.announced |= announced;
                Ok(value)
            }
            Ok(Err(failure)) => {
                Manager::rollback_transaction(self.conn)?;
                Err(failure)
            }
            Err(panic) => {
                // A savepoint left open would swallow the commit of whoever catches the panic.
                let undone = Manager::rollback_transaction(self.conn);
                undone.unwrap_or_else(|error| tracing::error!(%error, "a savepoint could not be undone"));
                resume_unwind(panic)
            }
        }
    }
}
