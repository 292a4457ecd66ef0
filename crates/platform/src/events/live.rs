//! Who reads along is woken when something was published.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use storage::TenantId;
use tokio::sync::watch;

/// The last places published, for those who read along in this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Live(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    streams: Mutex<HashMap<TenantId, watch::Sender<i64>>>,
    open: AtomicUsize,
    most: usize,
    closed: AtomicBool,
}

impl Live {
    /// For at most so many streams at once.
    pub fn new(most: usize) -> Self {
        let (open, closed) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self(Arc::new(Inner { streams: Mutex::default(), open, most, closed }))
    }

    /// Reads along in a Comune; `None` when as many as may do so already, or the server is stopping.
    pub fn join(&self, tenant: TenantId) -> Option<Seat> {
        let taken = self.0.open.fetch_add(1, Ordering::SeqCst);
        let seat = Seat { live: self.clone(), positions: self.subscribe(tenant) };
        // Asked after it was entered: what is closed from now on has an end.
        let stopping = self.0.closed.load(Ordering::SeqCst);
        (taken < self.0.most && !stopping).then_some(seat)
    }

    /// Events up to this place can be read.
    pub fn published(&self, tenant: TenantId, position: i64) {
        let streams = self.0.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = streams.get(&tenant) {
            sender.send_if_modified(|last| {
                let newer = position > *last;
                *last = position.max(*last);
                newer
            });
        }
    }

    /// The Comuni in which somebody reads along.
    pub fn tenants(&self) -> Vec<TenantId> {
        let mut streams = self.0.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|_, sender| sender.receiver_count() > 0);
        streams.keys().copied().collect()
    }

    /// How many read along.
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::SeqCst)
    }

    /// Ends every stream: the server is about to stop, and would wait for them.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
        self.0.streams.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn subscribe(&self, tenant: TenantId) -> watch::Receiver<i64> {
        let mut streams = self.0.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.entry(tenant).or_insert_with(|| watch::channel(0).0).subscribe()
    }
}

/// A place among those who read along; given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    live: Live,
    positions: watch::Receiver<i64>,
}

impl Seat {
    /// Waits until something new may be there. `false`: the server is stopping.
    pub async fn changed(&mut self) -> bool {
        self.positions.changed().await.is_ok()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.live.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn tenant(n: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(n))
    }

    #[tokio::test]
    async fn only_those_of_the_comune_are_woken_and_seats_are_given_back() {
        let live = Live::new(2);
        let (mut here, there) = (live.join(tenant(1)).unwrap(), live.join(tenant(2)).unwrap());
        assert!(live.join(tenant(1)).is_none());
        live.published(tenant(1), 5);
        assert!(here.changed().await);
        drop(there);
        assert_eq!((live.open(), live.tenants()), (1, vec![tenant(1)]));
        assert!(live.join(tenant(3)).is_some());
    }

    #[tokio::test]
    async fn a_stop_ends_every_stream() {
        let live = Live::new(2);
        let mut seat = live.join(tenant(1)).unwrap();
        live.close();
        assert!(!seat.changed().await);
        assert!(live.join(tenant(1)).is_none());
    }
}
