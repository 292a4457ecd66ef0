//! Events and what failed upon them, as told and stored.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::Id;
use serde_json::Value;
use storage::Json;

use crate::{
    directory::Office,
    schema::{outbox_events, parked_reactions},
};

/// Marks ids of events.
#[derive(Debug)]
pub enum EventTag {}

/// The identifier of an event.
pub type EventId = Id<EventTag>;

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
    /// What integrators need to know. Personal data stays out: whoever may have it fetches the object. Its
    /// `office_id`, where it has one, says who of the staff may read the event.
    pub payload: Value,
}

impl<S> Event<'_, S> {
    /// The office it is about.
    pub(super) fn office(&self) -> Option<Id<Office>> {
        if self.subject_kind == "office" {
            return Some(self.subject.cast());
        }
        self.payload.get("office_id")?.as_str()?.parse().ok()
    }
}

/// An event as it was stored.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = outbox_events)]
pub struct StoredEvent {
    /// Identifier.
    pub id: EventId,
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
    /// Its place; absent until it is published.
    pub position: Option<i64>,
    /// The office it is about.
    pub office_id: Option<Id<Office>>,
}

/// A reaction that failed.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = parked_reactions)]
pub struct ParkedReaction {
    /// Identifier.
    pub id: Id<ParkedReaction>,
    /// The event.
    pub event_id: EventId,
    /// Its name.
    pub reaction: String,
    /// Why; without personal data.
    pub error: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it failed last.
    pub failed_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_event_is_about_the_office_of_its_payload_or_about_an_office() {
        let id: Id<()> = Id::from_uuid(Uuid::from_u128(7));
        let event = |subject_kind, payload| Event { kind: "a.b", subject_kind, subject: id, version: 1, payload };
        assert_eq!(event("office", json!({})).office(), Some(id.cast()));
        assert_eq!(event("calendar", json!({ "office_id": id })).office(), Some(id.cast()));
        assert_eq!(event("closure", json!({})).office(), None);
    }
}
