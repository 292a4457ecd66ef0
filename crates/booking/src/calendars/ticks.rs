//! Ticks: the grain in which time is claimed.
//!
//! Tick `n` of a calendar begins `n · tick_minutes` minutes after 1970-01-01T00:00Z: on the absolute
//! time line, so that clock changes need no case of their own.

use std::ops::Range;

use jiff::{Timestamp, civil::Date};
use kernel::civil;

use super::model::Calendar;

/// The longest day there is, that of the autumn clock change, in minutes.
const LONGEST_DAY_MINUTES: i64 = 25 * 60;
/// The longest visit there is, in minutes.
pub const LONGEST_VISIT_MINUTES: i64 = LONGEST_DAY_MINUTES;

/// The tick in which an instant lies.
pub fn tick_of(instant: Timestamp, tick_minutes: i64) -> i64 {
    let micros = tick_minutes.max(1).saturating_mul(60_000_000);
    instant.as_microsecond().div_euclid(micros)
}

/// The instant at which a tick begins; outside the years jiff knows, the last instant it does.
pub fn instant_of(tick: i64, tick_minutes: i64) -> Timestamp {
    let seconds = tick.saturating_mul(tick_minutes.max(1)).saturating_mul(60);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

/// How many units of `unit` minutes hold `minutes`.
pub(super) const fn units(minutes: i64, unit: i64) -> i64 {
    let unit = if unit < 1 { 1 } else { unit };
    minutes.saturating_add(unit - 1).div_euclid(unit)
}

/// How long a service takes, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceTime {
    /// The visit of one person.
    pub minutes: i64,
    /// Added to the visit for each further person.
    pub extra_person_minutes: i64,
    /// Preparation: the counter is busy, the visitor not there yet.
    pub buffer_before_minutes: i64,
    /// Clearing: the visitor has left, the counter is busy still.
    pub buffer_after_minutes: i64,
}

/// The ticks that a visit takes, whenever it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The visit itself, whole slots.
    pub slot_ticks: i64,
    /// Preparation.
    pub buffer_before_ticks: i64,
    /// Clearing.
    pub buffer_after_ticks: i64,
}

impl Span {
    /// The ticks of the visit itself.
    pub const fn visit(self, start: i64) -> Range<i64> {
        start..start.saturating_add(self.slot_ticks)
    }

    /// The ticks in which the visit holds a seat: with preparation and clearing.
    pub const fn occupied(self, start: i64) -> Range<i64> {
        let visit = self.visit(start);
        visit.start.saturating_sub(self.buffer_before_ticks)..visit.end.saturating_add(self.buffer_after_ticks)
    }
}

/// So many persons, or a service so long, do not fit in any day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationNotAllowed;

/// The ticks that a service takes for so many persons: the visit rounded up to whole slots of the
/// calendar, its buffers to whole ticks.
///
/// # Errors
/// [`DurationNotAllowed`] when there is no person, a time is negative, or the visit or one of its
/// buffers is longer than the longest day (25 hours).
pub fn span(service: ServiceTime, persons: i64, calendar: &Calendar) -> Result<Span, DurationNotAllowed> {
    let minutes = persons
        .checked_sub(1)
        .and_then(|others| others.checked_mul(service.extra_person_minutes))
        .and_then(|extra| extra.checked_add(service.minutes))
        .ok_or(DurationNotAllowed)?;
    let buffers = [service.buffer_before_minutes, service.buffer_after_minutes];
    let fits = persons >= 1
        && service.minutes >= 1
        && service.extra_person_minutes >= 0
        && minutes <= LONGEST_DAY_MINUTES
        && buffers.iter().all(|buffer| (0..=LONGEST_DAY_MINUTES).contains(buffer));
    if !fits {
        return Err(DurationNotAllowed);
    }
    let slot_minutes = calendar.slot_minutes.max(1);
    Ok(Span {
        slot_ticks: units(units(minutes, slot_minutes).saturating_mul(slot_minutes), calendar.tick_minutes),
        buffer_before_ticks: units(service.buffer_before_minutes, calendar.tick_minutes),
        buffer_after_ticks: units(service.buffer_after_minutes, calendar.tick_minutes),
    })
}

/// The dates of Europe/Rome in which these ticks lie, in order: the days to lock before claiming.
pub fn days_touched(ticks: Range<i64>, tick_minutes: i64) -> Vec<Date> {
    if ticks.is_empty() {
        return Vec::new();
    }
    let date_of = |tick| civil::date_of(instant_of(tick, tick_minutes));
    let last = date_of(ticks.end.saturating_sub(1));
    date_of(ticks.start).series(jiff::Span::new().days(1)).take_while(|date| *date <= last).collect()
}
