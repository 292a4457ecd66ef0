//! What administrators send: calendars, weekly hours and exceptions, as they are to be.

use jiff::civil::{Date, Time};
use platform::directory::{LocalizedName, OfficeId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;
use validator::Validate;

use crate::calendars::model::{
    Calendar, CalendarId, ExceptionId, ExceptionKind, OpeningException, OpeningRule, RuleId,
};

/// A time on the clocks of Europe/Rome, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallTime(pub Time);

impl WallTime {
    /// `HH:MM` or `HH:MM:00`, and nothing else that might be taken for a time.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix(":00").filter(|rest| rest.len() == 5).unwrap_or(text);
        let (hour, minute) = text.split_once(':')?;
        let number = |part: &str| {
            (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<i8>().ok()).flatten()
        };
        Time::new(number(hour)?, number(minute)?, 0, 0).ok().map(Self)
    }
}

impl<'de> Deserialize<'de> for WallTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected a time of day as HH:MM"))
    }
}

impl Serialize for WallTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A calendar, as it is to be.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "office_id": "01980000-0000-7000-8000-000000000002", "name": { "it": "Sportello 1 e 2", "en": "Counters 1 and 2" },
    "tick_minutes": 10, "slot_minutes": 20, "capacity": 2, "closed_on_holidays": true, "lead_minutes": 60, "horizon_days": 60
}))]
pub struct NewCalendar {
    /// The office whose counters these are.
    pub office_id: OfficeId,
    /// What people call it.
    #[validate(nested)]
    pub name: LocalizedName,
    /// The grain of hours and of occupancy: 5, 10, 15, 30 or 60 minutes. It cannot be changed while time is taken.
    #[validate(range(min = 5, max = 60))]
    #[schema(minimum = 5, maximum = 60, multiple_of = 5)]
    pub tick_minutes: i64,
    /// Distance between the starts offered, in minutes; a multiple of `tick_minutes`.
    #[validate(range(min = 5, max = 1440))]
    #[schema(minimum = 5, maximum = 1440)]
    pub slot_minutes: i64,
    /// Counters that work in parallel where an opening rule does not say otherwise.
    #[validate(range(min = 0, max = 1000))]
    #[schema(minimum = 0, maximum = 1000)]
    pub capacity: i64,
    /// Whether the weekly hours are void on holidays and closures; so when absent.
    pub closed_on_holidays: Option<bool>,
    /// Notice needed, in minutes; none when absent.
    #[validate(range(min = 0, max = 525_600))]
    #[schema(minimum = 0, maximum = 525600)]
    pub lead_minutes: Option<i64>,
    /// How far ahead one may book, in days; 60 when absent.
    #[validate(range(min = 0, max = 3650))]
    #[schema(minimum = 0, maximum = 3650)]
    pub horizon_days: Option<i64>,
}

impl NewCalendar {
    /// The calendar.
    pub fn calendar(self, id: CalendarId, version: i64) -> Calendar {
        Calendar {
            id,
            office_id: self.office_id,
            name: self.name.into(),
            tick_minutes: self.tick_minutes,
            slot_minutes: self.slot_minutes,
            capacity: self.capacity,
            closed_on_holidays: self.closed_on_holidays.unwrap_or(true),
            lead_minutes: self.lead_minutes.unwrap_or(0),
            horizon_days: self.horizon_days.unwrap_or(60),
            version,
        }
    }
}

impl From<Calendar> for NewCalendar {
    fn from(calendar: Calendar) -> Self {
        Self {
            office_id: calendar.office_id,
            name: calendar.name.into(),
            tick_minutes: calendar.tick_minutes,
            slot_minutes: calendar.slot_minutes,
            capacity: calendar.capacity,
            closed_on_holidays: Some(calendar.closed_on_holidays),
            lead_minutes: Some(calendar.lead_minutes),
            horizon_days: Some(calendar.horizon_days),
        }
    }
}

/// Weekly hours, as they are to be.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "weekday": 1, "starts_at": "09:00", "ends_at": "12:30", "valid_from": "2027-01-01", "valid_until": null,
    "every_n_weeks": 1, "capacity": 2, "internal_capacity": 1
}))]
pub struct NewOpeningRule {
    /// Day of the week, ISO 8601: 1 is Monday, 7 is Sunday.
    #[validate(range(min = 1, max = 7))]
    #[schema(minimum = 1, maximum = 7)]
    pub weekday: i64,
    /// Opens, on the clocks of Europe/Rome; a whole number of ticks after midnight.
    #[schema(value_type = String, max_length = 8, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:00)?$")]
    pub starts_at: WallTime,
    /// Closes, on the clocks of Europe/Rome; after `starts_at`, and a whole number of ticks after midnight.
    #[schema(value_type = String, max_length = 8, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:00)?$")]
    pub ends_at: WallTime,
    /// The first date on which the rule holds.
    pub valid_from: Date,
    /// The last date on which it holds; without one it holds until it is changed.
    pub valid_until: Option<Date>,
    /// 1 is every week, 2 every other week, counted in ISO weeks from the one of `valid_from`; 1 when absent.
    #[validate(range(min = 1, max = 52))]
    #[schema(minimum = 1, maximum = 52)]
    pub every_n_weeks: Option<i64>,
    /// Counters in parallel; rules that overlap add theirs, up to 1000.
    #[validate(range(min = 0, max = 1000))]
    #[schema(minimum = 0, maximum = 1000)]
    pub capacity: i64,
    /// Counters besides, which only the office itself may fill; none when absent.
    #[validate(range(min = 0, max = 1000))]
    #[schema(minimum = 0, maximum = 1000)]
    pub internal_capacity: Option<i64>,
}

impl NewOpeningRule {
    /// The rule.
    pub fn rule(self, id: RuleId, calendar_id: CalendarId, version: i64) -> OpeningRule {
        OpeningRule {
            id,
            calendar_id,
            weekday: self.weekday,
            starts_at: self.starts_at.0,
            ends_at: self.ends_at.0,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            every_n_weeks: self.every_n_weeks.unwrap_or(1),
            capacity: self.capacity,
            internal_capacity: self.internal_capacity.unwrap_or(0),
            version,
        }
    }
}

impl From<OpeningRule> for NewOpeningRule {
    fn from(rule: OpeningRule) -> Self {
        Self {
            weekday: rule.weekday,
            starts_at: WallTime(rule.starts_at),
            ends_at: WallTime(rule.ends_at),
            valid_from: rule.valid_from,
            valid_until: rule.valid_until,
            every_n_weeks: Some(rule.every_n_weeks),
            capacity: rule.capacity,
            internal_capacity: Some(rule.internal_capacity),
        }
    }
}

/// A date, or some of its hours, that are to differ from the weekly hours.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "date": "2026-12-24", "kind": "closed", "starts_at": "12:00", "ends_at": "18:00", "reason": { "it": "Chiusura prefestiva" }
}))]
pub struct NewOpeningException {
    /// The date that differs.
    pub date: Date,
    /// In which way.
    pub kind: ExceptionKind,
    /// From this time of Europe/Rome; without it and `ends_at`, all day. `open` needs it.
    #[schema(value_type = Option<String>, max_length = 8, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:00)?$")]
    pub starts_at: Option<WallTime>,
    /// To this time of Europe/Rome, after `starts_at`. `open` needs it.
    #[schema(value_type = Option<String>, max_length = 8, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:00)?$")]
    pub ends_at: Option<WallTime>,
    /// Counters in parallel, for `open` and `capacity`; without one, the calendar's own.
    #[validate(range(min = 0, max = 1000))]
    #[schema(minimum = 0, maximum = 1000)]
    pub capacity: Option<i64>,
    /// What people are told, if anything.
    #[validate(nested)]
    pub reason: Option<LocalizedName>,
}

impl NewOpeningException {
    /// The exception.
    pub fn exception(self, id: ExceptionId, calendar_id: CalendarId, version: i64) -> OpeningException {
        OpeningException {
            id,
            calendar_id,
            date: self.date,
            kind: self.kind,
            starts_at: self.starts_at.map(|time| time.0),
            ends_at: self.ends_at.map(|time| time.0),
            capacity: self.capacity,
            reason: self.reason.map(Into::into),
            version,
        }
    }
}

impl From<OpeningException> for NewOpeningException {
    fn from(exception: OpeningException) -> Self {
        Self {
            date: exception.date,
            kind: exception.kind,
            starts_at: exception.starts_at.map(WallTime),
            ends_at: exception.ends_at.map(WallTime),
            capacity: exception.capacity,
            reason: exception.reason.map(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;

    use super::*;

    #[test]
    fn a_time_of_day_is_read_to_the_minute() {
        for text in ["09:30", "09:30:00"] {
            assert_eq!(WallTime::parse(text), Some(WallTime(time(9, 30, 0, 0))), "{text}");
        }
        assert_eq!(WallTime::parse("09:00"), Some(WallTime(time(9, 0, 0, 0))));
        for text in ["", "9:30", "09:30:15", "24:00", "09:60", "0930", "09", "+9:30", "09:30:00:00", "09:3é"] {
            assert_eq!(WallTime::parse(text), None, "{text}");
        }
    }
}
