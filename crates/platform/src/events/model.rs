//! The envelope: CloudEvents 1.0 in JSON, as it is read, streamed and signed.

use jiff::Timestamp;
use kernel::{Id, Problem, civil};
use serde::Serialize;
use serde_json::Value;
use storage::problems::INTERNAL_ERROR;
use utoipa::ToSchema;

use crate::outbox::{EventId, StoredEvent};

/// Something that happened, as a CloudEvent (CloudEvents 1.0.2, JSON format). Nothing personal is in it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({
    "specversion": "1.0", "id": "01980000-0000-7000-8000-000000000080", "source": "/bugliano/v1",
    "type": "appointment.confirmed", "subject": "appointment/01980000-0000-7000-8000-000000000030",
    "time": "2026-11-28T10:00:00+01:00", "datacontenttype": "application/json",
    "dataschema": "/bugliano/v1/event-types#appointment.confirmed", "sequence": "00000000000000001042",
    "subjectversion": 1, "actor": "staff:01980000-0000-7000-8000-000000000040",
    "data": { "office_id": "01980000-0000-7000-8000-000000000002" }
}))]
pub struct CloudEvent {
    /// Always `1.0`.
    #[schema(min_length = 3, max_length = 3)]
    pub specversion: &'static str,
    /// Identifier; the same however often it is sent.
    pub id: EventId,
    /// The Comune whose event it is.
    #[schema(max_length = 100)]
    pub source: String,
    /// What happened; `/event-types` explains it.
    #[schema(max_length = 100)]
    pub r#type: String,
    /// To what: the kind of object, and which one.
    #[schema(max_length = 100)]
    pub subject: String,
    /// When.
    #[serde(with = "civil::rfc3339")]
    pub time: Timestamp,
    /// Always `application/json`.
    #[schema(max_length = 30)]
    pub datacontenttype: &'static str,
    /// Where the form of `data` is described.
    #[schema(max_length = 200)]
    pub dataschema: String,
    /// Its place in the one order of the Comune's events; compared as text. Extension `sequence` of CloudEvents;
    /// absent for a moment, until the event is published, and in tests of webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20)]
    pub sequence: Option<String>,
    /// The object's version after the event: the greater one is the newer state.
    #[schema(minimum = 0)]
    pub subjectversion: i64,
    /// Who caused it: kind and pseudonymous id.
    #[schema(max_length = 200)]
    pub actor: String,
    /// What is told of it. Its members depend on `type`: `/event-types` has a JSON Schema for each.
    #[schema(value_type = Object)]
    pub data: Value,
}

impl CloudEvent {
    /// The envelope of an event of the Comune with this slug.
    pub fn of(event: StoredEvent, slug: &str) -> Self {
        Self {
            specversion: "1.0",
            id: event.id,
            source: format!("/{slug}/v1"),
            subject: format!("{}/{}", event.subject_kind, event.subject_id),
            time: event.occurred_at,
            datacontenttype: "application/json",
            dataschema: format!("/{slug}/v1/event-types#{}", event.kind),
            sequence: event.position.map(|position| format!("{position:020}")),
            subjectversion: event.subject_version,
            actor: event.actor,
            r#type: event.kind,
            data: event.payload.0,
        }
    }

    /// The JSON text, the same for the same event.
    ///
    /// # Errors
    /// `internal-error` when it cannot be written.
    pub fn written(&self) -> Result<Vec<u8>, Problem> {
        serde_json::to_vec(self).map_err(|error| {
            tracing::error!(%error, "an event could not be written");
            Problem::new(&INTERNAL_ERROR)
        })
    }
}

/// The identifier of what an event is about, of whatever kind.
pub type SubjectId = Id<uuid::Uuid>;
