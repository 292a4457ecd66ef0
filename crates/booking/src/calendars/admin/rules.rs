//! Whether a calendar and its hours are possible. Each refusal names the member at fault.

use jiff::{
    ToSpan,
    civil::{Date, Time},
};
use kernel::Problem;
use platform::{directory::bodies::sane_day, problems::INVALID_BODY};

use crate::calendars::model::{Calendar, ExceptionKind, OpeningException, OpeningRule};

/// The grains that an hour can be cut into.
const TICKS: [i64; 5] = [5, 10, 15, 30, 60];
/// The most counters in parallel.
const MOST_COUNTERS: i64 = 1000;

fn refuse(pointer: &str, code: &'static str, words: &str) -> Problem {
    Problem::new(&INVALID_BODY).field(pointer, code, words)
}

/// Whether a calendar's grid is possible.
///
/// # Errors
/// `invalid-body`.
pub fn check_calendar(calendar: &Calendar) -> Result<(), Problem> {
    if !TICKS.contains(&calendar.tick_minutes) {
        return Err(refuse("/tick_minutes", "not-a-tick", "5, 10, 15, 30 or 60"));
    }
    if calendar.slot_minutes.rem_euclid(calendar.tick_minutes) != 0 {
        return Err(refuse("/slot_minutes", "not-a-multiple", "a multiple of `tick_minutes`"));
    }
    Ok(())
}

/// Whether the hours that there are lie on the ticks of a calendar: asked when its tick is changed.
///
/// # Errors
/// `invalid-body`, naming the tick.
pub fn check_grain(calendar: &Calendar, rules: &[OpeningRule]) -> Result<(), Problem> {
    let on_ticks = |time: Time| is_on_tick(time, calendar.tick_minutes);
    if rules.iter().all(|rule| on_ticks(rule.starts_at) && on_ticks(rule.ends_at)) {
        return Ok(());
    }
    Err(refuse("/tick_minutes", "not-a-multiple", "an opening rule does not lie on such ticks: change it first"))
}

/// Whether weekly hours are possible beside the others of their calendar.
///
/// # Errors
/// `invalid-body`.
pub fn check_rule(calendar: &Calendar, rule: &OpeningRule, others: &[OpeningRule]) -> Result<(), Problem> {
    check_hours(calendar, rule.starts_at, rule.ends_at)?;
    sane_day("/valid_from", rule.valid_from)?;
    if let Some(last) = rule.valid_until {
        sane_day("/valid_until", last)?;
        if last < rule.valid_from {
            return Err(refuse("/valid_until", "not-after", "not before `valid_from`"));
        }
        if first_date(rule) > last {
            return Err(refuse("/valid_until", "never", "no such weekday comes until then"));
        }
    }
    let mut counters = rule.capacity.saturating_add(rule.internal_capacity);
    let beside = others.iter().filter(|other| other.id != rule.id && overlap(rule, other));
    for other in beside {
        counters = counters.saturating_add(other.capacity).saturating_add(other.internal_capacity);
    }
    if counters > MOST_COUNTERS {
        let words = format!("with the rules it overlaps, at most {MOST_COUNTERS} counters");
        return Err(refuse("/capacity", "too-many", &words));
    }
    Ok(())
}

/// Whether an exception is possible.
///
/// # Errors
/// `invalid-body`.
pub fn check_exception(calendar: &Calendar, exception: &OpeningException) -> Result<(), Problem> {
    sane_day("/date", exception.date)?;
    match (exception.starts_at, exception.ends_at) {
        (Some(starts_at), Some(ends_at)) => check_hours(calendar, starts_at, ends_at)?,
        (Some(_), None) => return Err(refuse("/ends_at", "incomplete", "hours have a beginning and an end")),
        (None, Some(_)) => return Err(refuse("/starts_at", "incomplete", "hours have a beginning and an end")),
        (None, None) if exception.kind == ExceptionKind::Open => {
            return Err(refuse("/starts_at", "incomplete", "`open` needs hours"));
        }
        (None, None) => {}
    }
    if exception.kind == ExceptionKind::Closed && exception.capacity.is_some() {
        return Err(refuse("/capacity", "not-with-closed", "where nobody is received there are no counters"));
    }
    Ok(())
}

fn check_hours(calendar: &Calendar, starts_at: Time, ends_at: Time) -> Result<(), Problem> {
    for (pointer, time) in [("/starts_at", starts_at), ("/ends_at", ends_at)] {
        if !is_on_tick(time, calendar.tick_minutes) {
            let words = format!("a whole number of ticks of {} minutes after midnight", calendar.tick_minutes);
            return Err(refuse(pointer, "not-a-multiple", &words));
        }
    }
    if ends_at <= starts_at {
        return Err(refuse("/ends_at", "not-after", "after `starts_at`"));
    }
    Ok(())
}

fn is_on_tick(time: Time, tick_minutes: i64) -> bool {
    let minutes = i64::from(time.hour()) * 60 + i64::from(time.minute());
    time.second() == 0 && minutes.rem_euclid(tick_minutes.max(1)) == 0
}

/// The first date on which a rule holds.
fn first_date(rule: &OpeningRule) -> Date {
    let days = rule.weekday.saturating_sub(i64::from(rule.valid_from.weekday().to_monday_one_offset()));
    let weeks = if days < 0 { rule.every_n_weeks.max(1) } else { 0 };
    rule.valid_from.saturating_add(days.days()).saturating_add(weeks.weeks())
}

/// Whether two rules may hold at the same time; rules of different weeks are taken to.
fn overlap(one: &OpeningRule, other: &OpeningRule) -> bool {
    let ends_before =
        |one: &OpeningRule, other: &OpeningRule| one.valid_until.is_some_and(|last| last < other.valid_from);
    one.weekday == other.weekday
        && one.starts_at < other.ends_at
        && other.starts_at < one.ends_at
        && !ends_before(one, other)
        && !ends_before(other, one)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use kernel::Id;

    use super::*;
    use crate::calendars::model::samples::{at, calendar, exception, rule};

    fn at_fault(outcome: Result<(), Problem>) -> Option<String> {
        outcome.err().map(|problem| {
            let error = &problem.errors[0];
            format!("{} {}", error.pointer, error.code)
        })
    }

    #[test]
    fn a_grid_is_of_whole_ticks() {
        let with = |tick_minutes, slot_minutes| check_calendar(&Calendar { tick_minutes, slot_minutes, ..calendar() });
        assert_eq!(at_fault(with(15, 45)), None);
        assert_eq!(at_fault(with(20, 40)).unwrap(), "/tick_minutes not-a-tick");
        assert_eq!(at_fault(with(15, 40)).unwrap(), "/slot_minutes not-a-multiple");
        let half_past = [rule(1, at(9, 30), at(12, 0))];
        let grain = |tick_minutes| check_grain(&Calendar { tick_minutes, ..calendar() }, &half_past);
        assert_eq!(at_fault(grain(30)), None);
        assert_eq!(at_fault(grain(60)).unwrap(), "/tick_minutes not-a-multiple");
    }

    #[test]
    fn weekly_hours_are_hours_and_come_some_day() {
        let monday = || rule(1, at(9, 0), at(12, 0));
        let until = |day: Date| OpeningRule { valid_until: Some(day), ..monday() };
        // 1 January 2026 was a Thursday, the Monday after it is the 5th.
        for (rule, expected) in [
            (monday(), None),
            (rule(1, at(9, 5), at(12, 0)), Some("/starts_at not-a-multiple")),
            (rule(1, at(9, 0), at(12, 10)), Some("/ends_at not-a-multiple")),
            (rule(1, at(9, 0), at(9, 0)), Some("/ends_at not-after")),
            (rule(1, at(9, 0), at(8, 0)), Some("/ends_at not-after")),
            (until(date(2026, 1, 5)), None),
            (until(date(2026, 1, 4)), Some("/valid_until never")),
            (until(date(2025, 12, 31)), Some("/valid_until not-after")),
            (OpeningRule { every_n_weeks: 2, ..until(date(2026, 1, 11)) }, Some("/valid_until never")),
            (OpeningRule { every_n_weeks: 2, ..until(date(2026, 1, 12)) }, None),
            (OpeningRule { valid_from: date(1899, 1, 1), ..monday() }, Some("/valid_from out-of-range")),
            (until(date(2201, 1, 1)), Some("/valid_until out-of-range")),
        ] {
            assert_eq!(at_fault(check_rule(&calendar(), &rule, &[])).as_deref(), expected, "{rule:?}");
        }
    }

    #[test]
    fn rules_that_overlap_have_no_more_counters_than_there_can_be() {
        let other =
            OpeningRule { id: Id::from_uuid(uuid::Uuid::from_u128(7)), capacity: 999, ..rule(1, at(11, 0), at(13, 0)) };
        let beside = |rule: OpeningRule| at_fault(check_rule(&calendar(), &rule, std::slice::from_ref(&other)));
        let many = |starts, ends| OpeningRule { internal_capacity: 1, ..rule(1, starts, ends) };
        assert_eq!(beside(rule(1, at(9, 0), at(12, 0))), None);
        assert_eq!(beside(many(at(9, 0), at(12, 0))).unwrap(), "/capacity too-many");
        assert_eq!(beside(many(at(9, 0), at(11, 0))), None);
        assert_eq!(beside(OpeningRule { weekday: 2, ..many(at(9, 0), at(12, 0)) }), None);
        assert_eq!(beside(OpeningRule { id: other.id, ..many(at(9, 0), at(12, 0)) }), None, "itself");
    }

    #[test]
    fn an_exception_says_what_its_kind_needs() {
        let day = date(2026, 12, 24);
        let with = |kind, hours| exception(kind, day, hours);
        let half = OpeningException { ends_at: None, ..with(ExceptionKind::Closed, Some((at(9, 0), at(12, 0)))) };
        let other = OpeningException { starts_at: None, ..with(ExceptionKind::Closed, Some((at(9, 0), at(12, 0)))) };
        for (exception, expected) in [
            (with(ExceptionKind::Closed, None), None),
            (with(ExceptionKind::Capacity, None), None),
            (with(ExceptionKind::Open, None), Some("/starts_at incomplete")),
            (with(ExceptionKind::Open, Some((at(9, 0), at(12, 0)))), None),
            (with(ExceptionKind::Open, Some((at(12, 0), at(9, 0)))), Some("/ends_at not-after")),
            (half, Some("/ends_at incomplete")),
            (other, Some("/starts_at incomplete")),
            (
                OpeningException { capacity: Some(1), ..with(ExceptionKind::Closed, None) },
                Some("/capacity not-with-closed"),
            ),
        ] {
            assert_eq!(at_fault(check_exception(&calendar(), &exception)).as_deref(), expected, "{exception:?}");
        }
    }
}
