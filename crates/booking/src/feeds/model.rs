//! Feeds of calendars.

use diesel::{Queryable, Selectable};
use jiff::Timestamp;
use kernel::{Id, civil};
use platform::settings::rules::one_line;
use serde::{Deserialize, Serialize};
use storage::TenantId;
use utoipa::ToSchema;
use validator::Validate;

use crate::{calendars::CalendarId, schema::calendar_feeds};

/// The identifier of a feed.
pub type FeedId = Id<Feed>;

/// An address at which another program reads a calendar.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = calendar_feeds)]
pub struct Feed {
    /// The Comune.
    pub tenant_id: TenantId,
    /// Identifier.
    pub id: FeedId,
    /// The calendar that is read.
    pub calendar_id: CalendarId,
    /// Who reads it, in the office's words.
    pub label: String,
    /// Digest of the code in the address.
    pub code_hash: String,
    /// When it was made.
    pub created_at: Timestamp,
}

kernel::redacted_debug!(Feed, FeedView);

/// A feed to be made.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "label": "Agenda dell'ufficio tributi" }))]
pub struct NewFeed {
    /// Who will read it, so that it is known later which one to end.
    #[validate(length(min = 1, max = 100), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub label: String,
}

/// A feed of a calendar.
#[derive(Serialize, ToSchema)]
#[schema(as = CalendarFeed, example = json!({
    "id": "01980000-0000-7000-8000-000000000020", "calendar_id": "01980000-0000-7000-8000-000000000003",
    "label": "Agenda dell'ufficio tributi", "created_at": "2026-12-02T09:00:00+01:00",
    "href": "/bugliano/v1/calendar-feeds/2qk0mNqJ0m9Q7sC3ZbX8w5r1tYvE6uHh4aGdLfPoIjk"
}))]
pub struct FeedView {
    /// Identifier.
    pub id: FeedId,
    /// The calendar.
    pub calendar_id: CalendarId,
    /// Who reads it.
    #[schema(max_length = 100)]
    pub label: String,
    /// When it was made.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
    /// Where it is read, without any token: told once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub href: Option<String>,
}

impl From<Feed> for FeedView {
    fn from(feed: Feed) -> Self {
        Self { id: feed.id, calendar_id: feed.calendar_id, label: feed.label, created_at: feed.created_at, href: None }
    }
}

/// A calendar in the form of RFC 5545.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, max_length = 8_000_000, example = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n")]
pub struct CalendarFile(pub String);
