//! What statistics are asked for, and what they say.

use jiff::{Timestamp, civil::Date};
use kernel::civil;
use platform::directory::OfficeId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{calendars::CalendarId, services::AppointmentServiceId};

/// By what the figures are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum GroupBy {
    /// By office.
    Office,
    /// By service.
    Service,
    /// By date of Europe/Rome.
    Day,
}

/// Of which appointments.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatisticsQuery {
    /// Those that start on this date of Europe/Rome or later; 30 days before `to` when absent.
    pub from: Option<Date>,
    /// Those that start on this date of Europe/Rome or before, at most 366 days in all; when absent, 30 days
    /// after `from`, or today without it.
    pub to: Option<Date>,
    /// Those of one office.
    pub office_id: Option<OfficeId>,
    /// Those for one service.
    pub service_id: Option<AppointmentServiceId>,
    /// By what the figures are told apart; all together when absent.
    #[param(inline)]
    pub group_by: Option<GroupBy>,
}

/// Appointments in figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({
    "booked": 120, "open": 10, "kept": 90, "no_shows": 8,
    "cancelled_by_citizens": 9, "cancelled_by_staff": 2, "cancelled_by_others": 1,
    "lead_hours_median": 72, "lead_hours_mean": 96
}))]
pub struct Figures {
    /// All that were booked, whatever became of them.
    #[schema(minimum = 0, maximum = 1000000000)]
    pub booked: i64,
    /// Still to come, or being served.
    #[schema(minimum = 0, maximum = 1000000000)]
    pub open: i64,
    /// Took place.
    #[schema(minimum = 0, maximum = 1000000000)]
    pub kept: i64,
    /// The person did not come.
    #[schema(minimum = 0, maximum = 1000000000)]
    pub no_shows: i64,
    /// Called off by the people they were for, signed in or not.
    #[schema(minimum = 0, maximum = 1000000000)]
    pub cancelled_by_citizens: i64,
    /// Called off by the Comune's staff.
    #[schema(minimum = 0, maximum = 1000000000)]
    pub cancelled_by_staff: i64,
    /// Called off by other systems, or by the platform.
    #[schema(minimum = 0, maximum = 1000000000)]
    pub cancelled_by_others: i64,
    /// Hours from booking to visit, of which half of the bookings had no more: whole hours up to a week, whole days
    /// beyond. Absent when nothing was booked.
    #[schema(minimum = 0, maximum = 1000000)]
    pub lead_hours_median: Option<i64>,
    /// The same on average.
    #[schema(minimum = 0, maximum = 1000000)]
    pub lead_hours_mean: Option<i64>,
}

/// The figures of an office, a service or a day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "office_id": "01980000-0000-7000-8000-000000000002", "service_id": null, "date": null, "name": "Ufficio anagrafe",
    "figures": { "booked": 1, "open": 0, "kept": 1, "no_shows": 0, "cancelled_by_citizens": 0, "cancelled_by_staff": 0,
        "cancelled_by_others": 0, "lead_hours_median": 72, "lead_hours_mean": 72 }
}))]
pub struct StatisticsGroup {
    /// The office, with `group_by=office`.
    pub office_id: Option<OfficeId>,
    /// The service, with `group_by=service`.
    pub service_id: Option<AppointmentServiceId>,
    /// The date, with `group_by=day`.
    pub date: Option<Date>,
    /// The name of office or service, in the language asked for.
    #[schema(max_length = 200)]
    pub name: Option<String>,
    /// Its figures.
    pub figures: Figures,
}

/// When a calendar is free next for a service.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "office_id": "01980000-0000-7000-8000-000000000002", "service_id": "01980000-0000-7000-8000-000000000010",
    "calendar_id": "01980000-0000-7000-8000-000000000003", "next_free": "2026-12-02T09:00:00+01:00"
}))]
pub struct FirstFree {
    /// The office.
    pub office_id: OfficeId,
    /// The service.
    pub service_id: AppointmentServiceId,
    /// The calendar.
    pub calendar_id: CalendarId,
    /// The first time at which a visit of one person could start, as things stand; absent: none within 62 days.
    #[serde(with = "civil::rfc3339::option")]
    pub next_free: Option<Timestamp>,
}

/// Appointments in figures, and when there is room again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "from": "2026-11-01", "to": "2026-11-30",
    "total": { "booked": 1, "open": 0, "kept": 1, "no_shows": 0, "cancelled_by_citizens": 0, "cancelled_by_staff": 0,
        "cancelled_by_others": 0, "lead_hours_median": 72, "lead_hours_mean": 72 },
    "groups": [], "first_free": []
}))]
pub struct AppointmentStatistics {
    /// The first date counted.
    pub from: Date,
    /// The last date counted.
    pub to: Date,
    /// All of them together.
    pub total: Figures,
    /// Told apart by `group_by`, those without appointments left out; empty without it.
    #[schema(max_items = 1000)]
    pub groups: Vec<StatisticsGroup>,
    /// When each calendar is free next for each of its services, today; the first 100 of them.
    #[schema(max_items = 100)]
    pub first_free: Vec<FirstFree>,
}
