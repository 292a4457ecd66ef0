//! Webhooks, as stored, asked for and served.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::{Id, civil};
use serde::{Deserialize, Serialize};
use storage::Json;
use utoipa::ToSchema;
use validator::Validate;

use super::rules;
use crate::{
    http::{
        Link,
        typed_patch::{given, kept},
    },
    schema::webhooks,
};

/// The identifier of a webhook.
pub type WebhookId = Id<Webhook>;

storage::text_enum! {
    /// Whether a webhook is sent to.
    pub enum WebhookState {
        /// It is.
        Enabled = "enabled",
        /// Nothing is queued for it, and what was queued waits.
        Disabled = "disabled",
    }
}

storage::text_enum! {
    /// Why a webhook is disabled.
    pub enum DisabledBecause {
        /// Somebody said so.
        ByHand = "by_hand",
        /// Its receiver answered 410: it wants no more.
        Gone = "gone",
    }
}

/// An address that events are sent to.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = webhooks)]
pub struct Webhook {
    /// Identifier.
    pub id: WebhookId,
    /// Where to.
    pub url: String,
    /// What it is for, in the Comune's own words.
    pub description: Option<String>,
    /// Which kinds of events.
    pub kinds: Json<Vec<String>>,
    /// Whether it is sent to.
    pub state: WebhookState,
    /// Why it is not.
    pub disabled_because: Option<DisabledBecause>,
    /// What it is signed with, concealed.
    pub signing_key: String,
    /// What it was signed with before, concealed.
    pub previous_key: Option<String>,
    /// Until when that signs too.
    pub previous_expires_at: Option<Timestamp>,
    /// Counts changes.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

// An address may hold a token of the receiver's.
kernel::redacted_debug!(Webhook);

/// A webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook, example = json!({
    "id": "01980000-0000-7000-8000-000000000060", "url": "https://protocollo.example/sportello",
    "description": "Protocollo", "kinds": ["appointment.*"], "state": "enabled", "disabled_because": null,
    "previous_key_expires_at": null, "version": 1, "created_at": "2026-11-28T10:00:00+01:00",
    "updated_at": "2026-11-28T10:00:00+01:00", "links": []
}))]
pub struct WebhookView {
    /// Identifier.
    pub id: WebhookId,
    /// Where events are sent to.
    #[schema(max_length = 500)]
    pub url: String,
    /// What it is for.
    #[schema(max_length = 200)]
    pub description: Option<String>,
    /// Which kinds of events.
    #[schema(value_type = Vec<KindFilter>, min_items = 1, max_items = 50)]
    pub kinds: Vec<String>,
    /// Whether it is sent to.
    pub state: WebhookState,
    /// Why it is not.
    pub disabled_because: Option<DisabledBecause>,
    /// After a rotation: until when deliveries carry a signature with the old key too.
    #[serde(with = "civil::rfc3339::option")]
    pub previous_key_expires_at: Option<Timestamp>,
    /// Counts changes.
    #[schema(minimum = 1)]
    pub version: i64,
    /// When it was made.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
    /// When it was changed last.
    #[serde(with = "civil::rfc3339")]
    pub updated_at: Timestamp,
    /// What the caller may do with it now.
    #[schema(max_items = 10)]
    pub links: Vec<Link>,
}

/// A kind of event, or the beginning of kinds.
#[derive(Debug, ToSchema)]
#[schema(min_length = 1, max_length = 100, pattern = r"^(\*|[a-z_]+\.(\*|[a-z_]+))$", example = "appointment.*")]
pub struct KindFilter(#[expect(dead_code, reason = "describes the items of a list in the contract")] String);

/// A webhook that was just made, with the key that its receiver checks signatures with. The key is not shown again.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "01980000-0000-7000-8000-000000000060", "url": "https://protocollo.example/sportello",
    "description": "Protocollo", "kinds": ["appointment.*"], "state": "enabled", "disabled_because": null,
    "previous_key_expires_at": null, "version": 1, "created_at": "2026-11-28T10:00:00+01:00",
    "updated_at": "2026-11-28T10:00:00+01:00", "links": [], "signing_key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
}))]
pub struct CreatedWebhook {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: WebhookView,
    /// `whsec_` and base64, as Standard Webhooks receivers take it.
    #[schema(max_length = 100)]
    pub signing_key: String,
}

/// The new key of a webhook. It is not shown again.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({ "signing_key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "previous_key_expires_at": "2026-11-29T10:00:00+01:00" }))]
pub struct NewSigningKey {
    /// `whsec_` and base64.
    #[schema(max_length = 100)]
    pub signing_key: String,
    /// Until when deliveries carry a signature with the old key too.
    #[serde(with = "civil::rfc3339")]
    pub previous_key_expires_at: Timestamp,
}

/// A webhook to be made.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "url": "https://protocollo.example/sportello", "description": "Protocollo", "kinds": ["appointment.*"] }))]
pub struct NewWebhook {
    /// An https address. One within the Comune's own network only if `settings.private_hosts` names its host, and
    /// then http too.
    #[validate(length(min = 8, max = 500), custom(function = rules::address))]
    #[schema(min_length = 8, max_length = 500, pattern = r"^https?://[!-~]+$")]
    pub url: String,
    /// What it is for.
    #[validate(length(min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200)]
    pub description: Option<String>,
    /// Which kinds of events: `appointment.confirmed`, all that begin alike with `appointment.*`, or `*`.
    #[validate(length(min = 1, max = 50), custom(function = rules::filters))]
    #[schema(value_type = Vec<KindFilter>, min_items = 1, max_items = 50)]
    pub kinds: Vec<String>,
}

/// What to change of a webhook.
#[derive(Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "state": "enabled" }))]
pub struct WebhookPatch {
    /// Where to.
    #[serde(default, deserialize_with = "kept")]
    #[validate(length(min = 8, max = 500), custom(function = rules::address))]
    #[schema(value_type = String, min_length = 8, max_length = 500, pattern = r"^https?://[!-~]+$")]
    pub url: Option<String>,
    /// What it is for.
    #[serde(default, deserialize_with = "given")]
    #[validate(length(min = 1, max = 200))]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    pub description: Option<Option<String>>,
    /// Which kinds of events, from now on.
    #[serde(default, deserialize_with = "kept")]
    #[validate(length(min = 1, max = 50), custom(function = rules::filters))]
    #[schema(value_type = Vec<KindFilter>, min_items = 1, max_items = 50)]
    pub kinds: Option<Vec<String>>,
    /// Whether it is sent to. Enabled again, it is sent what waits, and not what happened meanwhile.
    #[serde(default, deserialize_with = "kept")]
    #[schema(value_type = WebhookState)]
    pub state: Option<WebhookState>,
}

kernel::redacted_debug!(NewWebhook);
kernel::redacted_debug!(WebhookPatch);
kernel::redacted_debug!(WebhookView);
kernel::redacted_debug!(CreatedWebhook);
kernel::redacted_debug!(NewSigningKey);

/// How long the old key signs too.
#[derive(Debug, Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "overlap_hours": 24 }))]
pub struct NewRotation {
    /// In hours; 24 when absent, 0: not at all.
    #[validate(range(min = 0, max = 168))]
    #[schema(minimum = 0, maximum = 168, default = 24)]
    pub overlap_hours: Option<i64>,
}

impl Webhook {
    /// What is shown of it.
    pub fn view(self, slug: &str) -> WebhookView {
        let at = format!("/{slug}/v1/webhooks/{}", self.id);
        let link = |rel: &str, method: &str, tail: &str| Link {
            rel: rel.to_owned(),
            method: method.to_owned(),
            href: format!("{at}{tail}"),
        };
        let mut links = vec![
            link("update", "PATCH", ""),
            link("delete", "DELETE", ""),
            link("deliveries", "GET", "/deliveries"),
            link("signing-key-rotation", "POST", "/signing-key-rotations"),
        ];
        if self.state == WebhookState::Enabled {
            links.push(link("test-event", "POST", "/test-events"));
        }
        WebhookView {
            id: self.id,
            url: self.url,
            description: self.description,
            kinds: self.kinds.0,
            state: self.state,
            disabled_because: self.disabled_because,
            previous_key_expires_at: self.previous_expires_at,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            links,
        }
    }
}
