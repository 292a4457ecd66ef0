//! What is stored about a calendar: its grid and limits, its weekly hours, the days that differ.

use jiff::civil::{Date, Time};
use kernel::{Id, Localized};
use platform::directory::Office;

/// The identifier of a calendar.
pub type CalendarId = Id<Calendar>;

/// A diary of an office: one grid of slots, served by a number of parallel counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Identifier.
    pub id: Id<Calendar>,
    /// The office whose counters these are.
    pub office_id: Id<Office>,
    /// What people read.
    pub name: Localized,
    /// The unit in which time is claimed, in minutes: 5, 10, 15, 30 or 60.
    pub tick_minutes: i64,
    /// Distance between the starts that are offered, in minutes; a multiple of `tick_minutes`.
    /// Visits last a whole number of slots.
    pub slot_minutes: i64,
    /// Parallel counters where no rule says otherwise: exceptions without a capacity, and
    /// preparation or clearing time outside opening hours.
    pub capacity: i64,
    /// Whether the weekly hours are void on public holidays.
    pub closed_on_holidays: bool,
    /// Notice the office needs: a visit starts at least this many minutes after it is booked.
    pub lead_minutes: i64,
    /// How far ahead one may book, in days of the local calendar: 0 is today only.
    pub horizon_days: i64,
    /// Rises with every change; the strong `ETag`.
    pub version: i64,
}

/// The identifier of weekly hours.
pub type RuleId = Id<OpeningRule>;
/// The identifier of an exception.
pub type ExceptionId = Id<OpeningException>;

/// Weekly hours: on this weekday, from this time to that, with so many counters.
#[derive(Debug, Clone, PartialEq, Eq, diesel::Queryable)]
pub struct OpeningRule {
    /// Identifier.
    pub id: Id<OpeningRule>,
    /// The calendar that opens.
    pub calendar_id: Id<Calendar>,
    /// Day of the week, ISO 8601: 1 is Monday, 7 is Sunday.
    pub weekday: i64,
    /// Opening time on the clocks of Europe/Rome.
    pub starts_at: Time,
    /// Closing time on the clocks of Europe/Rome, after `starts_at`.
    pub ends_at: Time,
    /// The first date on which the rule holds.
    pub valid_from: Date,
    /// The last date on which the rule holds; without one it holds until it is changed.
    pub valid_until: Option<Date>,
    /// 1 is every week, 2 every other week: ISO weeks, counted from the one of `valid_from`.
    pub every_n_weeks: i64,
    /// Parallel counters; rules that overlap add theirs.
    pub capacity: i64,
    /// Counters besides, which only the office itself may fill.
    pub internal_capacity: i64,
    /// Counts changes.
    pub version: i64,
}

storage::text_enum! {
    /// What an exception does to the hours of its date.
    pub enum ExceptionKind {
        /// Nobody is received, whatever rules and other exceptions say.
        Closed = "closed",
        /// Extra hours, also on a holiday; they add to the counters that are there already.
        Open = "open",
        /// Another number of counters, in hours that are open anyway.
        Capacity = "capacity",
    }
}

/// One date, or some of its hours, that differ from the weekly hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpeningException {
    /// Identifier.
    pub id: Id<OpeningException>,
    /// The calendar that differs.
    pub calendar_id: Id<Calendar>,
    /// The date that differs.
    pub date: Date,
    /// In which way.
    pub kind: ExceptionKind,
    /// From this time of Europe/Rome; without one, from the beginning of the day. `Open` needs it.
    pub starts_at: Option<Time>,
    /// To this time of Europe/Rome; without one, to the end of the day. `Open` needs it.
    pub ends_at: Option<Time>,
    /// Parallel counters for `Open` and `Capacity`; without one, the calendar's own.
    pub capacity: Option<i64>,
    /// What people are told, if anything.
    pub reason: Option<Localized>,
    /// Counts changes.
    pub version: i64,
}

#[cfg(test)]
pub(super) mod samples {
    //! One calendar, rule and exception for the tests of this folder to vary.

    use jiff::{
        Timestamp,
        civil::{date, time},
    };

    use kernel::holidays::HolidayCalendar;

    use super::*;

    fn id<T>(n: u8) -> Id<T> {
        Id::generate(Timestamp::UNIX_EPOCH, [n; 10])
    }

    pub(crate) fn at(hour: i8, minute: i8) -> Time {
        time(hour, minute, 0, 0)
    }

    /// The national holidays alone.
    pub(crate) fn holidays() -> HolidayCalendar {
        HolidayCalendar::national()
    }

    /// Ticks of 15 minutes, slots of 30, two counters, closed on holidays.
    pub(crate) fn calendar() -> Calendar {
        Calendar {
            id: id(1),
            office_id: id(1),
            name: Localized::italian("Carta d'identità"),
            tick_minutes: 15,
            slot_minutes: 30,
            capacity: 2,
            closed_on_holidays: true,
            lead_minutes: 60,
            horizon_days: 30,
            version: 1,
        }
    }

    /// Every week from 1 January 2026, with one counter.
    pub(crate) fn rule(weekday: i64, starts_at: Time, ends_at: Time) -> OpeningRule {
        OpeningRule {
            id: id(2),
            calendar_id: id(1),
            weekday,
            starts_at,
            ends_at,
            valid_from: date(2026, 1, 1),
            valid_until: None,
            every_n_weeks: 1,
            capacity: 1,
            internal_capacity: 0,
            version: 1,
        }
    }

    /// Without a capacity of its own.
    pub(crate) fn exception(kind: ExceptionKind, date: Date, hours: Option<(Time, Time)>) -> OpeningException {
        OpeningException {
            id: id(3),
            calendar_id: id(1),
            date,
            kind,
            starts_at: hours.map(|(from, _)| from),
            ends_at: hours.map(|(_, until)| until),
            capacity: None,
            reason: None,
            version: 1,
        }
    }
}
