//! Registrations with the Comune's protocol system, as asked for and served.

use jiff::Timestamp;
use kernel::{Id, civil};
use platform::{directory::OfficeId, http::Link, settings::rules::one_line};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{connections::ConnectorKind, entries::EntryId};

/// The identifier of a registration.
pub type RegistrationId = Id<super::store::Row>;

storage::text_enum! {
    /// How far handing on is.
    pub enum RegistrationState {
        /// It waits, or is tried again.
        Pending = "pending",
        /// It has its number.
        Registered = "registered",
        /// Nobody knows what came of an attempt, and the system cannot be asked: somebody has to look.
        NeedsReview = "needs_review",
        /// It was refused, or tried as often as is tried.
        Failed = "failed",
    }
}

/// The number in the Comune's own protocol system
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExternalProtocol, example = json!({
    "register": "PG", "number": "0012345", "year": 2026, "registered_at": "2026-11-23T10:16:02+01:00", "reference": null
}))]
pub struct ExternalView {
    /// The register, where the system names it.
    #[schema(max_length = 50)]
    pub register: Option<String>,
    /// The number, as the system writes it.
    #[schema(max_length = 50)]
    pub number: String,
    /// Its year.
    #[schema(minimum = 1900, maximum = 9999)]
    pub year: i64,
    /// When, where the system says so.
    #[serde(with = "civil::rfc3339::option")]
    pub registered_at: Option<Timestamp>,
    /// How the system itself knows the document.
    #[schema(max_length = 200)]
    pub reference: Option<String>,
}

/// Handing an entry on to the Comune's protocol system
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ProtocolRegistration, example = json!({
    "id": "01980000-0000-7000-8000-0000000000b0", "entry_id": "01980000-0000-7000-8000-0000000000a0",
    "office_id": "01980000-0000-7000-8000-000000000002", "connector": "http_json", "state": "needs_review",
    "outcome_unknown": true, "attempts": 1, "next_attempt_at": null, "problem": "timed-out", "external": null,
    "created_at": "2026-11-23T10:15:00+01:00", "settled_at": "2026-11-23T10:15:31+01:00", "version": 3, "links": []
}))]
pub struct RegistrationView {
    /// Identifier; the key under which it is handed on.
    pub id: RegistrationId,
    /// The entry in the register here.
    pub entry_id: EntryId,
    /// The office it is for, or from.
    pub office_id: OfficeId,
    /// To what it is handed on.
    pub connector: ConnectorKind,
    /// How far it is.
    pub state: RegistrationState,
    /// Whether an attempt was begun of which nobody knows what came of it.
    pub outcome_unknown: bool,
    /// How often it was tried.
    #[schema(minimum = 0, maximum = 1000000)]
    pub attempts: i64,
    /// When it is tried next; null where it is not.
    #[serde(with = "civil::rfc3339::option")]
    pub next_attempt_at: Option<Timestamp>,
    /// Why the last attempt came to nothing.
    #[schema(max_length = 50)]
    pub problem: Option<String>,
    /// The number in the Comune's own protocol system; null until it has one, and where there is no such system.
    pub external: Option<ExternalView>,
    /// Since when it waits.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
    /// Since when it does not.
    #[serde(with = "civil::rfc3339::option")]
    pub settled_at: Option<Timestamp>,
    /// Counts changes.
    #[schema(minimum = 1)]
    pub version: i64,
    /// What the caller may do with it now.
    #[schema(max_items = 5)]
    pub links: Vec<Link>,
}

/// A wish to hand an entry on once more
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "not_found_there": true }))]
pub struct NewProtocolAttempt {
    /// Whether somebody has looked into the protocol system and found that the document is not there. Needed where
    /// nobody knows what came of an attempt: otherwise it could be registered twice.
    #[serde(default)]
    pub not_found_there: bool,
}

/// The number that somebody has found in the Comune's protocol system
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "register": "PG", "number": "0012345", "year": 2026, "reference": "doc-77120" }))]
pub struct NewExternalProtocol {
    /// The register.
    #[validate(length(min = 1, max = 50), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 50,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub register: Option<String>,
    /// The number, as the system writes it.
    #[validate(length(min = 1, max = 50), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 50,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub number: String,
    /// Its year.
    #[validate(range(min = 1900, max = 2200))]
    #[schema(minimum = 1900, maximum = 2200)]
    pub year: i64,
    /// How the system itself knows the document.
    #[validate(length(min = 1, max = 200), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub reference: Option<String>,
}
