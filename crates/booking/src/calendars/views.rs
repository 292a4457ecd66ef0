//! Calendars and their hours, as they are served.

use actix_web::http::StatusCode;
use jiff::civil::Date;
use kernel::{Lang, civil};
use platform::{
    directory::{LocalizedName, OfficeId},
    http::{Answer, Reply},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    model::{Calendar, CalendarId, ExceptionId, ExceptionKind, OpeningException, OpeningRule, RuleId},
    occupancy::Slot,
};

/// A calendar of a counter.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Calendar, example = json!({
    "id": "01980000-0000-7000-8000-000000000003", "office_id": "01980000-0000-7000-8000-000000000002",
    "name": "Sportello 1 e 2", "tick_minutes": 10, "slot_minutes": 20, "capacity": 2, "closed_on_holidays": true,
    "lead_minutes": 60, "horizon_days": 60, "timezone": "Europe/Rome",
    "version": 1, "translations": { "name": { "it": "Sportello 1 e 2", "en": "Counters 1 and 2", "de": null } }
}))]
pub struct CalendarView {
    /// Identifier.
    pub id: CalendarId,
    /// The office whose counters these are.
    pub office_id: OfficeId,
    /// Its name, in the language asked for.
    #[schema(max_length = 200)]
    pub name: String,
    /// The grain of hours and of occupancy, in minutes.
    #[schema(minimum = 5, maximum = 60)]
    pub tick_minutes: i64,
    /// Distance between the starts offered, in minutes.
    #[schema(minimum = 5, maximum = 1440)]
    pub slot_minutes: i64,
    /// Counters that work in parallel, where an opening rule does not say otherwise.
    #[schema(minimum = 0, maximum = 1000)]
    pub capacity: i64,
    /// Whether the weekly hours are void on holidays.
    pub closed_on_holidays: bool,
    /// Notice needed, in minutes.
    #[schema(minimum = 0, maximum = 525600)]
    pub lead_minutes: i64,
    /// How far ahead one may book, in days.
    #[schema(minimum = 0, maximum = 3650)]
    pub horizon_days: i64,
    /// The clock its hours are read on (IANA).
    #[schema(max_length = 50)]
    pub timezone: &'static str,
    /// Counts changes, those of its hours too; the number in the `ETag`.
    #[schema(minimum = 1, maximum = 1000000)]
    pub version: i64,
    /// The texts in every language; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translations: Option<CalendarTexts>,
}

/// The texts of a calendar.
#[derive(Debug, Serialize, ToSchema)]
pub struct CalendarTexts {
    /// What people call it.
    pub name: LocalizedName,
}

/// What the API serves of a calendar by itself.
pub(super) fn whole(calendar: &Calendar, lang: Lang) -> CalendarView {
    let texts = CalendarTexts { name: calendar.name.clone().into() };
    CalendarView { translations: Some(texts), ..self::calendar(calendar, lang) }
}

/// The answer that is a calendar by itself.
pub(super) fn calendar_reply(calendar: &Calendar, lang: Lang) -> Answer {
    Reply::with(StatusCode::OK, whole(calendar, lang)).etag(etag(calendar.version, lang)).answer()
}

/// The strong validator of a version in a language.
pub(crate) fn etag(version: i64, lang: Lang) -> String {
    format!("{version}.{}", lang.tag())
}

/// What the API serves of a calendar in lists.
pub(super) fn calendar(calendar: &Calendar, lang: Lang) -> CalendarView {
    CalendarView {
        id: calendar.id,
        office_id: calendar.office_id,
        name: calendar.name.text(lang).to_owned(),
        tick_minutes: calendar.tick_minutes,
        slot_minutes: calendar.slot_minutes,
        capacity: calendar.capacity,
        closed_on_holidays: calendar.closed_on_holidays,
        lead_minutes: calendar.lead_minutes,
        horizon_days: calendar.horizon_days,
        timezone: "Europe/Rome",
        version: calendar.version,
        translations: None,
    }
}

/// Weekly hours.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpeningRule, example = json!({
    "id": "01980000-0000-7000-8000-000000000004", "weekday": 1, "starts_at": "09:00:00", "ends_at": "12:30:00",
    "valid_from": "2026-01-01", "valid_until": null, "every_n_weeks": 1, "capacity": 2,
    "internal_capacity": 1, "version": 1
}))]
pub struct OpeningRuleView {
    /// Identifier.
    pub id: RuleId,
    /// Day of the week, ISO 8601: 1 is Monday, 7 is Sunday.
    #[schema(minimum = 1, maximum = 7)]
    pub weekday: i64,
    /// Opens, on the clocks of Europe/Rome.
    #[schema(value_type = String, max_length = 8, pattern = "^\\d{2}:\\d{2}:\\d{2}$")]
    pub starts_at: jiff::civil::Time,
    /// Closes, on the clocks of Europe/Rome.
    #[schema(value_type = String, max_length = 8, pattern = "^\\d{2}:\\d{2}:\\d{2}$")]
    pub ends_at: jiff::civil::Time,
    /// The first date on which the rule holds.
    pub valid_from: Date,
    /// The last date on which it holds; without one it holds until it is changed.
    pub valid_until: Option<Date>,
    /// 1 is every week, 2 every other week, counted in ISO weeks from the one of `valid_from`.
    #[schema(minimum = 1, maximum = 52)]
    pub every_n_weeks: i64,
    /// Counters in parallel; rules that overlap add theirs.
    #[schema(minimum = 0, maximum = 1000)]
    pub capacity: i64,
    /// Counters besides, which only the office itself may fill.
    #[schema(minimum = 0, maximum = 1000)]
    pub internal_capacity: i64,
    /// Counts changes; the number in the `ETag`.
    #[schema(minimum = 1, maximum = 1000000)]
    pub version: i64,
}

impl From<OpeningRule> for OpeningRuleView {
    fn from(rule: OpeningRule) -> Self {
        Self {
            id: rule.id,
            weekday: rule.weekday,
            starts_at: rule.starts_at,
            ends_at: rule.ends_at,
            valid_from: rule.valid_from,
            valid_until: rule.valid_until,
            every_n_weeks: rule.every_n_weeks,
            capacity: rule.capacity,
            internal_capacity: rule.internal_capacity,
            version: rule.version,
        }
    }
}

/// A date, or some of its hours, that differ from the weekly hours.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpeningException, example = json!({
    "id": "01980000-0000-7000-8000-000000000005", "date": "2026-12-24", "kind": "closed",
    "starts_at": null, "ends_at": null, "capacity": null, "reason": "Chiusura prefestiva",
    "version": 1, "translations": { "reason": { "it": "Chiusura prefestiva", "en": "Closed for the eve", "de": null } }
}))]
pub struct OpeningExceptionView {
    /// Identifier.
    pub id: ExceptionId,
    /// The date that differs.
    pub date: Date,
    /// In which way.
    pub kind: ExceptionKind,
    /// From this time of Europe/Rome; without one, from the beginning of the day.
    #[schema(value_type = Option<String>, max_length = 8, pattern = "^\\d{2}:\\d{2}:\\d{2}$")]
    pub starts_at: Option<jiff::civil::Time>,
    /// To this time of Europe/Rome; without one, to the end of the day.
    #[schema(value_type = Option<String>, max_length = 8, pattern = "^\\d{2}:\\d{2}:\\d{2}$")]
    pub ends_at: Option<jiff::civil::Time>,
    /// Counters in parallel, for `open` and `capacity`; without one, the calendar's own.
    #[schema(minimum = 0, maximum = 1000)]
    pub capacity: Option<i64>,
    /// What people are told, in the language asked for.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// Counts changes; the number in the `ETag`.
    #[schema(minimum = 1, maximum = 1000000)]
    pub version: i64,
    /// The texts in every language; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translations: Option<OpeningExceptionTexts>,
}

/// The texts of an exception.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpeningExceptionTexts {
    /// What people are told.
    pub reason: Option<LocalizedName>,
}

/// What the API serves of an exception in lists.
pub(super) fn exception(exception: OpeningException, lang: Lang) -> OpeningExceptionView {
    OpeningExceptionView {
        id: exception.id,
        date: exception.date,
        kind: exception.kind,
        starts_at: exception.starts_at,
        ends_at: exception.ends_at,
        capacity: exception.capacity,
        reason: exception.reason.map(|text| text.text(lang).to_owned()),
        version: exception.version,
        translations: None,
    }
}

/// What the API serves of an exception by itself.
pub(super) fn whole_exception(exception: OpeningException, lang: Lang) -> OpeningExceptionView {
    let texts = OpeningExceptionTexts { reason: exception.reason.clone().map(Into::into) };
    OpeningExceptionView { translations: Some(texts), ..self::exception(exception, lang) }
}

/// A time at which a visit can start.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Slot, example = json!({
    "starts_at": "2026-12-02T09:00:00+01:00", "ends_at": "2026-12-02T09:20:00+01:00", "free": 2
}))]
pub struct SlotView {
    /// When the visit would start.
    #[serde(with = "civil::rfc3339")]
    pub starts_at: jiff::Timestamp,
    /// When it would end.
    #[serde(with = "civil::rfc3339")]
    pub ends_at: jiff::Timestamp,
    /// How many more such visits could start then; 0: taken.
    #[schema(minimum = 0, maximum = 1000)]
    pub free: i64,
}

impl From<Slot> for SlotView {
    fn from(slot: Slot) -> Self {
        Self { starts_at: slot.starts_at, ends_at: slot.ends_at, free: slot.free }
    }
}
