//! Events, written in the transaction that causes them: none is lost, none is invented.
//!
//! * [`emit`] writes one. It is in no order yet: transactions that go on side by side end in an order that nobody
//!   knows beforehand.
//! * [`publish`] gives what is committed its places, 1, 2, 3 …, in which everybody reads it, queues it for the
//!   webhooks that want it and lets the domains react. What was published stays where it is.
//! * Whoever reads, reads published events by their place; nothing else decides what happened.

mod model;
mod publishing;
mod reactions;
pub mod store;

use storage::Tx;

pub use model::{Event, EventId, EventTag, ParkedReaction, StoredEvent};
pub use publishing::{Published, publish};
pub use reactions::{Reaction, retry};

/// Records an event, to be published when the transaction is committed; answers its identifier.
///
/// # Errors
/// When the database fails.
pub fn emit<S: 'static>(tx: &mut Tx<'_>, event: Event<'_, S>) -> storage::Result<EventId> {
    let id = store::insert(tx, event)?;
    tx.announce();
    Ok(id)
}
