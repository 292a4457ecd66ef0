//! Who waits for what is written hears of it when it is committed, and not before.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::scope::TenantId;

/// Rung for a Comune once a transaction that [announces](crate::Tx::announce) is committed. One listener hears each
/// ring; what is rung while nobody listens waits. It rings in this process alone, so whoever must not miss
/// anything looks from time to time by themselves. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    rung: Mutex<HashSet<TenantId>>,
    listener: Notify,
}

impl Bell {
    /// Rings for a Comune.
    pub fn ring(&self, tenant: TenantId) {
        let new = self.0.rung.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant);
        if new {
            self.0.listener.notify_one();
        }
    }

    /// Waits until it is rung; answers for which Comuni it was since the last time.
    pub async fn rung(&self) -> HashSet<TenantId> {
        loop {
            let rung = std::mem::take(&mut *self.0.rung.lock().unwrap_or_else(PoisonError::into_inner));
            if !rung.is_empty() {
                return rung;
            }
            self.0.listener.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use kernel::Id;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn what_is_rung_before_somebody_listens_is_heard_once() {
        let (bell, one) = (Bell::default(), Id::from_uuid(Uuid::from_u128(1)));
        bell.ring(one);
        bell.ring(one);
        assert_eq!(bell.rung().await, HashSet::from([one]));
        let waiting = tokio::spawn({
            let bell = bell.clone();
            async move { bell.rung().await }
        });
        tokio::task::yield_now().await;
        let two = Id::from_uuid(Uuid::from_u128(2));
        bell.ring(two);
        assert_eq!(waiting.await.unwrap(), HashSet::from([two]));
    }
}
