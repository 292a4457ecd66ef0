//! Deliveries and attempts, as stored and served.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::{Id, civil};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    http::Link,
    outbox::EventId,
    schema::{webhook_attempts, webhook_deliveries},
    webhooks::{
        model::{Webhook, WebhookId},
        rules::Outcome,
    },
};

/// The identifier of a delivery.
pub type DeliveryId = Id<Delivery>;

storage::text_enum! {
    /// How far a delivery is.
    pub enum DeliveryState {
        /// It will be tried, or tried again.
        Pending = "pending",
        /// It was answered with 2xx.
        Delivered = "delivered",
        /// It is not tried any more, unless somebody replays it.
        Parked = "parked",
    }
}

/// An event on its way to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = webhook_deliveries)]
pub struct Delivery {
    /// Identifier.
    pub id: DeliveryId,
    /// Where to.
    pub webhook_id: WebhookId,
    /// What.
    pub event_id: EventId,
    /// What that is about.
    pub subject_id: Id<()>,
    /// The event's place.
    pub position: i64,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried since it was queued or replayed.
    pub attempts: i64,
    /// Not before this instant.
    pub next_attempt_at: Timestamp,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it was delivered or parked.
    pub settled_at: Option<Timestamp>,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = webhook_attempts)]
pub struct Attempt {
    /// When.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub millis: i64,
    /// The HTTP status that was answered.
    pub status: Option<i64>,
    /// What came of it.
    pub outcome: String,
}

/// A delivery that is this worker's to attempt, with what it needs for that.
#[derive(Debug)]
pub struct Claimed {
    /// The delivery; its `attempts` count this one.
    pub delivery: Delivery,
    /// Where to.
    pub webhook: Webhook,
    /// What.
    pub event: crate::outbox::StoredEvent,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Tried {
    /// When it was begun.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub millis: i64,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What that means.
    pub outcome: Outcome,
    /// When it is to be tried again; absent: not any more.
    pub again_at: Option<Timestamp>,
}

/// A delivery.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookDelivery, example = json!({
    "id": "01980000-0000-7000-8000-000000000070", "webhook_id": "01980000-0000-7000-8000-000000000060",
    "event_id": "01980000-0000-7000-8000-000000000080", "state": "parked", "attempts": 10,
    "next_attempt_at": null, "created_at": "2026-11-28T10:00:00+01:00", "settled_at": "2026-12-01T13:35:00+01:00",
    "links": []
}))]
pub struct DeliveryView {
    /// Identifier.
    pub id: DeliveryId,
    /// Where to.
    pub webhook_id: WebhookId,
    /// The event; `GET /events/{event_id}` shows it.
    pub event_id: EventId,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried since it was queued or replayed.
    #[schema(minimum = 0)]
    pub attempts: i64,
    /// When it is tried (again), at the earliest; null when it is not.
    #[serde(with = "civil::rfc3339::option")]
    pub next_attempt_at: Option<Timestamp>,
    /// When it was queued.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
    /// When it was delivered or parked.
    #[serde(with = "civil::rfc3339::option")]
    pub settled_at: Option<Timestamp>,
    /// What the caller may do with it now.
    #[schema(max_items = 5)]
    pub links: Vec<Link>,
}

/// A delivery with each time it was tried.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "01980000-0000-7000-8000-000000000070", "webhook_id": "01980000-0000-7000-8000-000000000060",
    "event_id": "01980000-0000-7000-8000-000000000080", "state": "delivered", "attempts": 1,
    "next_attempt_at": null, "created_at": "2026-11-28T10:00:00+01:00", "settled_at": "2026-11-28T10:00:01+01:00",
    "links": [], "tries": [{ "started_at": "2026-11-28T10:00:00+01:00", "millis": 84, "status": 204, "outcome": "delivered" }]
}))]
pub struct DeliveryLog {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryView,
    /// The tries, oldest first; of very many the last.
    #[schema(max_items = 100)]
    pub tries: Vec<AttemptView>,
}

/// One try.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookAttempt, example = json!({ "started_at": "2026-11-28T10:00:00+01:00", "millis": 84, "status": 503, "outcome": "refused" }))]
pub struct AttemptView {
    /// When.
    #[serde(with = "civil::rfc3339")]
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    #[schema(minimum = 0)]
    pub millis: i64,
    /// The HTTP status that was answered; null without an answer.
    #[schema(minimum = 100, maximum = 999)]
    pub status: Option<i64>,
    /// What came of it: `delivered`, `refused` (an answer that is no 2xx), `gone` (410), `unreachable`, `timed_out`,
    /// `forbidden_address` (it leads where nothing may be sent to).
    #[schema(max_length = 20)]
    pub outcome: String,
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        let Attempt { started_at, millis, status, outcome } = attempt;
        Self { started_at, millis, status, outcome }
    }
}

/// Which parked deliveries to try again.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "limit": 100 }))]
pub struct NewReplays {
    /// At most so many, the oldest first; 1000 when absent.
    #[validate(range(min = 1, max = 1000))]
    #[schema(minimum = 1, maximum = 1000, default = 1000)]
    pub limit: Option<i64>,
}

/// How many are tried again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "replayed": 12 }))]
pub struct Replayed {
    /// So many.
    #[schema(minimum = 0, maximum = 1000)]
    pub replayed: i64,
}

impl Delivery {
    /// What is shown of it.
    pub fn view(self, slug: &str) -> DeliveryView {
        let at = format!("/{slug}/v1/webhooks/{}/deliveries/{}", self.webhook_id, self.id);
        let link =
            |rel: &str, method: &str, href: String| Link { rel: rel.to_owned(), method: method.to_owned(), href };
        let links = vec![
            link("event", "GET", format!("/{slug}/v1/events/{}", self.event_id)),
            link("replay", "POST", format!("{at}/replays")),
        ];
        DeliveryView {
            id: self.id,
            webhook_id: self.webhook_id,
            event_id: self.event_id,
            state: self.state,
            attempts: self.attempts,
            next_attempt_at: (self.state == DeliveryState::Pending).then_some(self.next_attempt_at),
            created_at: self.created_at,
            settled_at: self.settled_at,
            links,
        }
    }
}
