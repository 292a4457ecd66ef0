//! Connections kept open, and a queue in front of them that does not occupy threads.

use std::{sync::Arc, time::Duration};

use diesel::{
    connection::{Connection, TransactionManager},
    r2d2::{ManageConnection, Pool as R2d2Pool, PooledConnection},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    conn::{Access, Conn, Target},
    error::DbError,
    scope::TenantId,
};

/// A pooled connection.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) conn: Conn,
    /// Whether it is known to be lost.
    pub(crate) lost: bool,
    /// Which Comune PostgreSQL's session is of outside of transactions; each of those says its own.
    pub(crate) glances_at: Option<TenantId>,
}

#[derive(Debug)]
pub(crate) struct Manager {
    target: Target,
    access: Access,
    busy: Duration,
}

impl ManageConnection for Manager {
    type Connection = Slot;
    type Error = diesel::ConnectionError;

    fn connect(&self) -> Result<Slot, Self::Error> {
        self.target.open(self.access, self.busy).map(|conn| Slot { conn, lost: false, glances_at: None })
    }

    // A round trip before every transaction would cost more than the rare retry it saves: a lost
    // connection is noticed when the transaction begins, and replaced there.
    fn is_valid(&self, _: &mut Slot) -> Result<(), Self::Error> {
        Ok(())
    }

    fn has_broken(&self, slot: &mut Slot) -> bool {
        slot.lost || <Conn as Connection>::TransactionManager::is_broken_transaction_manager(&mut slot.conn)
    }
}

/// A pool whose waiting callers wait as futures, for a bounded time.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    connections: R2d2Pool<Manager>,
    permits: Arc<Semaphore>,
    patience: Duration,
}

pub(crate) type Pooled = PooledConnection<Manager>;

impl Pool {
    pub(crate) fn open(target: &Target, access: Access, size: u32, busy: Duration) -> Result<Self, DbError> {
        let manager = Manager { target: target.clone(), access, busy };
        let connections = R2d2Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            .test_on_check_out(false)
            .connection_timeout(busy)
            .build(manager)
            .map_err(|error| DbError::Closed(error.to_string()))?;
        let permits = Arc::new(Semaphore::new(usize::try_from(size).unwrap_or(1)));
        Ok(Self { connections, permits, patience: busy })
    }

    /// A turn at one of the connections; [`DbError::Busy`] when none comes in time.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, DbError> {
        match tokio::time::timeout(self.patience, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_closed)) => Err(DbError::Closed("the pool is shut".to_owned())),
            Err(_elapsed) => Err(DbError::Busy("no database connection became free in time".to_owned())),
        }
    }

    /// A connection; call it with a turn in hand, from a thread that may block. [`DbError::Busy`] when none
    /// can be opened in time: nothing was sent, so the caller may simply ask again.
    pub(crate) fn get(&self) -> Result<Pooled, DbError> {
        self.connections.get().map_err(|error| DbError::Busy(error.to_string()))
    }

    /// How many connections there are at most.
    pub(crate) fn size(&self) -> u32 {
        self.connections.max_size()
    }
}
