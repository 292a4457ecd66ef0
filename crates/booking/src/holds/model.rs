//! Holds, as stored, asked for and served.

use diesel::{Queryable, Selectable};
use jiff::Timestamp;
use kernel::{Id, civil};
use serde::{Deserialize, Serialize};
use storage::TenantId;
use utoipa::ToSchema;
use validator::Validate;

use crate::{calendars::CalendarId, offers::Wish, schema::holds, services::AppointmentServiceId};

/// The identifier of a hold.
pub type HoldId = Id<Hold>;

/// A time kept for somebody until it expires, is released or becomes an appointment.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = holds)]
pub struct Hold {
    /// The Comune.
    pub tenant_id: TenantId,
    /// Identifier.
    pub id: HoldId,
    /// For what.
    pub service_id: AppointmentServiceId,
    /// Where.
    pub calendar_id: CalendarId,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// For how many.
    pub persons: i64,
    /// The actor who may use it.
    pub owner: String,
    /// From this instant on it counts for nothing.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Hold {
    /// The visit it keeps the time for.
    pub const fn wish(&self) -> Wish {
        Wish {
            service_id: self.service_id,
            calendar_id: self.calendar_id,
            starts_at: self.starts_at,
            persons: self.persons,
        }
    }

    /// Whether it still keeps its time.
    pub fn is_open(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

/// A time to keep.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "service_id": "01980000-0000-7000-8000-000000000010", "calendar_id": "01980000-0000-7000-8000-000000000003",
    "starts_at": "2026-12-02T09:00:00+01:00"
}))]
pub struct NewHold {
    /// What one would come for.
    pub service_id: AppointmentServiceId,
    /// The calendar, one of those that give the service.
    pub calendar_id: CalendarId,
    /// When the visit would start: RFC 3339 with offset, one of the calendar's slots.
    #[schema(format = "date-time", max_length = 40)]
    pub starts_at: String,
    /// How many come; 1 when absent.
    #[validate(range(min = 1, max = 100))]
    #[schema(minimum = 1, maximum = 100)]
    pub persons: Option<i64>,
}

/// A time kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hold, example = json!({
    "id": "01980000-0000-7000-8000-000000000020", "service_id": "01980000-0000-7000-8000-000000000010",
    "calendar_id": "01980000-0000-7000-8000-000000000003", "starts_at": "2026-12-02T09:00:00+01:00",
    "ends_at": "2026-12-02T09:20:00+01:00", "persons": 1, "expires_at": "2026-11-24T10:05:00+01:00"
}))]
pub struct HoldView {
    /// Identifier; pass it as `hold_id` when booking.
    pub id: HoldId,
    /// For what.
    pub service_id: AppointmentServiceId,
    /// Where.
    pub calendar_id: CalendarId,
    /// From when.
    #[serde(with = "civil::rfc3339")]
    pub starts_at: Timestamp,
    /// Until when.
    #[serde(with = "civil::rfc3339")]
    pub ends_at: Timestamp,
    /// For how many.
    #[schema(minimum = 1, maximum = 100)]
    pub persons: i64,
    /// From this instant on the time is anybody's.
    #[serde(with = "civil::rfc3339")]
    pub expires_at: Timestamp,
}

impl From<Hold> for HoldView {
    fn from(hold: Hold) -> Self {
        Self {
            id: hold.id,
            service_id: hold.service_id,
            calendar_id: hold.calendar_id,
            starts_at: hold.starts_at,
            ends_at: hold.ends_at,
            persons: hold.persons,
            expires_at: hold.expires_at,
        }
    }
}
