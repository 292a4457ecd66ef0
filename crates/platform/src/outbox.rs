//! Events, written in the transaction that causes them: none is lost, none is invented.
//!
//! Delivery to webhooks and streams reads this table; nothing else decides what happened.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::Id;
use serde_json::Value;
use storage::{
    Json, Tx,
    types::{At, Key},
};

use crate::schema::outbox_events;

/// Marks ids of events.
#[derive(Debug)]
pub enum EventTag {}

/// Something that happened to one object.
#[derive(Debug)]
pub struct Event<'a, S> {
    /// Dotted, past tense: `appointment.confirmed`.
    pub kind: &'a str,
    /// What kind of object: `appointment`.
    pub subject_kind: &'a str,
    /// Which one.
    pub subject: Id<S>,
    /// Its version after the event; gives the order per object.
    pub version: i64,
    /// What integrators need to know. Personal data stays out: whoever may have it fetches the object.
    pub payload: Value,
}

/// An event as it was stored.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = outbox_events)]
pub struct StoredEvent {
    /// Identifier.
    pub id: Id<EventTag>,
    /// Dotted, past tense: `appointment.confirmed`.
    pub kind: String,
    /// What kind of object: `appointment`.
    pub subject_kind: String,
    /// Which one; of what kind `subject_kind` says.
    pub subject_id: Id<()>,
    /// Its version after the event.
    pub subject_version: i64,
    /// Kind and pseudonymous id of who caused it.
    pub actor: String,
    /// What integrators need to know.
    pub payload: Json<Value>,
    /// When.
    pub occurred_at: Timestamp,
}

/// What a domain does upon an event, in the database alone. It runs once for each event, in the order of each
/// object's events, in the transaction that publishes it; where it fails, what it wrote is undone and the event is
/// published all the same.
pub type Reaction = fn(&mut Tx<'_>, &StoredEvent) -> storage::Result<()>;

/// Records an event.
///
/// # Errors
/// When the database fails.
pub fn emit<S: 'static>(tx: &mut Tx<'_>, event: Event<'_, S>) -> storage::Result<()> {
    use outbox_events as e;
    let id = tx.new_id::<EventTag>();
    diesel::insert_into(e::table)
        .values((
            e::tenant_id.eq(Key(tx.tenant())),
            e::id.eq(Key(id)),
            e::kind.eq(event.kind),
            e::subject_kind.eq(event.subject_kind),
            e::subject_id.eq(Key(event.subject)),
            e::subject_version.eq(event.version),
            e::actor.eq(tx.actor().as_str().to_owned()),
            e::payload.eq(Json(event.payload)),
            e::occurred_at.eq(At(tx.now())),
        ))
        .execute(tx.conn())?;
    Ok(())
}
