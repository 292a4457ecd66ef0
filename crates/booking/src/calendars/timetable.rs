//! From weekly hours, exceptions and holidays to one day: when it is open, with how many counters,
//! and when a visit may start.
//!
//! Hours are those on the clocks of Europe/Rome; a day is laid out on the absolute time line
//! in ticks (see `occupancy`). On the last Sunday of March, 02:00 to 03:00 does not exist:
//! a time in it stands for the first instant after it. On the last Sunday of October it happens
//! twice: a time in it stands for the first occurrence, and hours that span it are an hour longer.

use std::ops::Range;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
};
use kernel::{civil, holidays::HolidayCalendar};

use super::{
    model::{Calendar, ExceptionKind, OpeningException, OpeningRule},
    ticks::{Span, instant_of, tick_of, units},
};

/// How a calendar is open on one date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayPlan {
    tick_minutes: i64,
    capacity_outside: i64,
    /// In order, disjoint, each with at least one counter.
    open: Vec<Stretch>,
    /// In order, each open.
    starts: Vec<i64>,
}

/// Ticks with the same number of counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    from: i64,
    until: i64,
    capacity: i64,
}

impl Stretch {
    const fn covers(self, other: Range<i64>) -> bool {
        self.from <= other.start && other.end <= self.until
    }
}

impl DayPlan {
    /// The plan of a calendar for one date, from its rules and exceptions (those of other dates do no harm).
    ///
    /// The weekly hours of the date, none on a holiday when the calendar closes on them, and the
    /// `Open` exceptions open it; where several do, their counters add up. There, a `Capacity`
    /// exception sets another number; where several do, the one that starts last. Then `Closed` closes.
    ///
    /// Hours that do not fall on ticks open only the ticks that lie wholly in them, and close or
    /// change each tick that they touch.
    pub fn of(
        calendar: &Calendar,
        rules: &[OpeningRule],
        exceptions: &[OpeningException],
        holidays: &HolidayCalendar,
        date: Date,
    ) -> Self {
        let tick_minutes = calendar.tick_minutes;
        let within = |(starts_at, ends_at), capacity| Stretch {
            from: tick_up(instant_at(date, starts_at), tick_minutes),
            until: tick_of(instant_at(date, ends_at), tick_minutes),
            capacity,
        };
        let mut openings = Vec::new();
        if !(calendar.closed_on_holidays && holidays.is_holiday(date)) {
            let rules = rules.iter().filter(|rule| holds_on(rule, date));
            openings.extend(rules.map(|rule| within((rule.starts_at, rule.ends_at), rule.capacity)));
        }
        let (mut changes, mut closures) = (Vec::new(), Vec::new());
        for exception in exceptions.iter().filter(|exception| exception.date == date) {
            let capacity = exception.capacity.unwrap_or(calendar.capacity);
            match (exception.kind, exception.starts_at, exception.ends_at) {
                (ExceptionKind::Open, Some(starts_at), Some(ends_at)) => {
                    openings.push(within((starts_at, ends_at), capacity));
                }
                (ExceptionKind::Open, _, _) => {}
                (ExceptionKind::Capacity, _, _) => {
                    changes.push((exception, touched(exception, capacity, tick_minutes)));
                }
                (ExceptionKind::Closed, _, _) => closures.push(touched(exception, 0, tick_minutes)),
            }
        }
        openings.retain(|opening| opening.from < opening.until && opening.capacity > 0);
        // The latest first: it is the one that counts. The id makes the order total.
        changes.sort_unstable_by_key(|(exception, _)| (exception.starts_at, exception.id));
        let changes: Vec<Stretch> = changes.into_iter().rev().map(|(_, change)| change).collect();

        let mut plan = Self {
            tick_minutes,
            capacity_outside: calendar.capacity.max(0),
            open: stretches(&openings, &changes, &closures),
            starts: Vec::new(),
        };
        plan.starts = plan.starts_of(&openings, units(calendar.slot_minutes, tick_minutes));
        plan
    }

    /// The grids of all openings, from the start of each.
    fn starts_of(&self, openings: &[Stretch], slot_ticks: i64) -> Vec<i64> {
        let step = usize::try_from(slot_ticks.max(1)).unwrap_or(usize::MAX);
        let grid = openings.iter().flat_map(|opening| (opening.from..opening.until).step_by(step));
        let mut starts: Vec<i64> = grid.filter(|tick| self.capacity_at(*tick) > 0).collect();
        starts.sort_unstable();
        starts.dedup();
        starts
    }

    /// The unit of this plan's ticks, in minutes.
    pub const fn tick_minutes(&self) -> i64 {
        self.tick_minutes
    }

    /// The ticks at which a visit may start, if it ends within the opening hours; in order.
    pub fn starts(&self) -> &[i64] {
        &self.starts
    }

    /// How many counters receive people in this tick; 0 when closed.
    pub fn capacity_at(&self, tick: i64) -> i64 {
        let open = self.open.iter().find(|stretch| stretch.covers(tick..tick.saturating_add(1)));
        open.map_or(0, |stretch| stretch.capacity)
    }

    /// How many bookings this tick can hold: the counters that are open or, outside the opening
    /// hours, where only preparation and clearing happen, the calendar's own number.
    pub fn seats_at(&self, tick: i64) -> i64 {
        match self.capacity_at(tick) {
            0 => self.capacity_outside,
            open => open,
        }
    }

    /// Whether all of these ticks are open, be it by several adjoining rules.
    pub fn is_open(&self, ticks: Range<i64>) -> bool {
        let mut reached = ticks.start;
        for stretch in &self.open {
            if stretch.from <= reached && reached < stretch.until {
                reached = stretch.until;
            }
        }
        reached >= ticks.end
    }

    /// All ticks in which visits of this length on this day can hold a seat; empty on a closed day.
    pub fn reach(&self, span: Span) -> Range<i64> {
        match (self.open.first(), self.open.last()) {
            (Some(first), Some(last)) => {
                first.from.saturating_sub(span.buffer_before_ticks)..last.until.saturating_add(span.buffer_after_ticks)
            }
            _ => 0..0,
        }
    }
}

/// Lays openings, changes of capacity (the first that covers a tick counts) and closures over each other.
fn stretches(openings: &[Stretch], changes: &[Stretch], closures: &[Stretch]) -> Vec<Stretch> {
    let all = openings.iter().chain(changes).chain(closures);
    let mut edges: Vec<i64> = all.flat_map(|stretch| [stretch.from, stretch.until]).collect();
    edges.sort_unstable();
    edges.dedup();

    let mut open: Vec<Stretch> = Vec::with_capacity(edges.len());
    for (&from, &until) in edges.iter().zip(edges.iter().skip(1)) {
        let here = |stretch: &&Stretch| stretch.covers(from..until);
        let counters = openings.iter().filter(here).fold(0_i64, |sum, opening| sum.saturating_add(opening.capacity));
        if counters == 0 || closures.iter().any(|closure| here(&closure)) {
            continue;
        }
        let capacity = changes.iter().find(here).map_or(counters, |change| change.capacity);
        match open.last_mut() {
            _ if capacity <= 0 => {}
            Some(last) if last.until == from && last.capacity == capacity => last.until = until,
            _ => open.push(Stretch { from, until, capacity }),
        }
    }
    open
}

/// Whether a rule has hours on this date.
fn holds_on(rule: &OpeningRule, date: Date) -> bool {
    i64::from(date.weekday().to_monday_one_offset()) == rule.weekday
        && rule.valid_from <= date
        && rule.valid_until.is_none_or(|last| date <= last)
        && weeks_between(rule.valid_from, date) % rule.every_n_weeks.max(1) == 0
}

/// How many ISO weeks after the week of `from` the week of `to` is.
fn weeks_between(from: Date, to: Date) -> i64 {
    let days = to.duration_since(from).as_hours() / 24;
    let into_the_week = i64::from(from.weekday().to_monday_zero_offset());
    (days + into_the_week).div_euclid(7)
}

/// The instant that a time on the wall stands for: the first of two; for one that is skipped, the
/// instant at which the clocks skip it.
fn instant_at(date: Date, time: Time) -> Timestamp {
    let instant = civil::at(date, time);
    if !civil::is_in_gap(date.to_datetime(time)) {
        return instant;
    }
    // `at` goes on to the time after the change that lies as far behind it: at least to the change itself.
    let beyond = instant.saturating_add(SignedDuration::from_secs(1)).unwrap_or(instant);
    civil::rome().preceding(beyond).next().map_or(instant, |change| change.timestamp())
}

/// The first tick that begins at or after an instant.
fn tick_up(instant: Timestamp, tick_minutes: i64) -> i64 {
    let tick = tick_of(instant, tick_minutes);
    if instant_of(tick, tick_minutes) < instant { tick.saturating_add(1) } else { tick }
}

/// Every tick that an exception touches; without hours, all there are.
fn touched(exception: &OpeningException, capacity: i64, tick_minutes: i64) -> Stretch {
    let at = |time| instant_at(exception.date, time);
    Stretch {
        from: exception.starts_at.map_or(i64::MIN, |time| tick_of(at(time), tick_minutes)),
        until: exception.ends_at.map_or(i64::MAX, |time| tick_up(at(time), tick_minutes)),
        capacity,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{
        super::model::samples::{at, calendar, exception, holidays, rule},
        *,
    };

    const MONDAY: Date = date(2027, 5, 10);

    fn plan(rules: &[OpeningRule], exceptions: &[OpeningException], date: Date) -> DayPlan {
        DayPlan::of(&calendar(), rules, exceptions, &holidays(), date)
    }

    /// Of a calendar that is open on holidays too: in 2027 the clocks go forward at Easter.
    fn every_day(rules: &[OpeningRule], date: Date) -> DayPlan {
        DayPlan::of(&Calendar { closed_on_holidays: false, ..calendar() }, rules, &[], &holidays(), date)
    }

    fn clock(tick: i64) -> Time {
        civil::rome().to_datetime(instant_of(tick, 15)).time()
    }

    /// The hours of a plan as a poster at the door would show them, with the counters.
    fn hours(plan: &DayPlan) -> Vec<(Time, Time, i64)> {
        plan.open.iter().map(|stretch| (clock(stretch.from), clock(stretch.until), stretch.capacity)).collect()
    }

    fn starts(plan: &DayPlan) -> Vec<Time> {
        plan.starts().iter().map(|tick| clock(*tick)).collect()
    }

    #[test]
    fn a_rule_opens_its_weekday_only() {
        let rules = [rule(1, at(9, 0), at(10, 30))];
        let monday = plan(&rules, &[], MONDAY);
        assert_eq!(hours(&monday), [(at(9, 0), at(10, 30), 1)]);
        assert_eq!(starts(&monday), [at(9, 0), at(9, 30), at(10, 0)]);
        let tuesday = plan(&rules, &[], date(2027, 5, 11));
        assert_eq!((hours(&tuesday), starts(&tuesday)), (vec![], vec![]));
    }

    #[test]
    fn overlapping_rules_add_their_counters_and_their_grids() {
        let rules = [rule(1, at(9, 0), at(11, 0)), rule(1, at(9, 45), at(12, 0)), rule(1, at(9, 0), at(9, 30))];
        let plan = plan(&rules, &[], MONDAY);
        let expected =
            [(at(9, 0), at(9, 30), 2), (at(9, 30), at(9, 45), 1), (at(9, 45), at(11, 0), 2), (at(11, 0), at(12, 0), 1)];
        assert_eq!(hours(&plan), expected);
        let (first, second) = ([at(9, 0), at(9, 30), at(10, 0), at(10, 30)], [at(9, 45), at(10, 15), at(10, 45)]);
        let mut grids = [&first[..], &second[..], &[at(11, 15), at(11, 45)]].concat();
        grids.sort_unstable();
        assert_eq!(starts(&plan), grids);
    }

    #[test]
    fn validity_includes_both_its_dates() {
        let mut rule = rule(1, at(9, 0), at(10, 0));
        (rule.valid_from, rule.valid_until) = (MONDAY, Some(date(2027, 5, 17)));
        let open = |day| !plan(std::slice::from_ref(&rule), &[], date(2027, 5, day)).starts().is_empty();
        assert_eq!([3, 10, 17, 24].map(open), [false, true, true, false]);
    }

    #[test]
    fn every_other_week_counts_iso_weeks_from_the_one_of_the_first_date() {
        // Valid from a Sunday: the Monday after it lies in the next ISO week, though a day later.
        let mut rule = rule(1, at(9, 0), at(10, 0));
        (rule.valid_from, rule.every_n_weeks) = (date(2026, 12, 20), 2);
        let open = |date| !plan(std::slice::from_ref(&rule), &[], date).starts().is_empty();
        let mondays = [date(2026, 12, 21), date(2026, 12, 28), date(2027, 1, 4), date(2027, 1, 11), date(2027, 1, 18)];
        assert_eq!(mondays.map(open), [false, true, false, true, false]);
    }

    #[test]
    fn a_holiday_voids_the_weekly_hours_but_not_an_extra_opening() {
        let christmas = date(2027, 12, 25);
        let rules = [rule(6, at(8, 0), at(13, 0))];
        assert_eq!(hours(&plan(&rules, &[], christmas)), []);
        let extra = exception(ExceptionKind::Open, christmas, Some((at(10, 15), at(11, 0))));
        let open = plan(&rules, &[extra], christmas);
        assert_eq!(hours(&open), [(at(10, 15), at(11, 0), 2)]);
        assert_eq!(starts(&open), [at(10, 15), at(10, 45)]);

        assert_eq!(hours(&every_day(&rules, christmas)), [(at(8, 0), at(13, 0), 1)]);
    }

    #[test]
    fn exceptions_open_then_change_then_close_in_whichever_order_they_come() {
        let rules = [rule(1, at(9, 0), at(12, 0))];
        let mut exceptions = vec![
            exception(ExceptionKind::Closed, MONDAY, Some((at(11, 30), at(14, 0)))),
            OpeningException {
                capacity: Some(5),
                ..exception(ExceptionKind::Capacity, MONDAY, Some((at(11, 0), at(20, 0))))
            },
            OpeningException {
                capacity: Some(3),
                ..exception(ExceptionKind::Open, MONDAY, Some((at(12, 0), at(15, 0))))
            },
            exception(ExceptionKind::Closed, date(2027, 5, 17), None),
        ];
        let expected = [(at(9, 0), at(11, 0), 1), (at(11, 0), at(11, 30), 5), (at(14, 0), at(15, 0), 5)];
        for _ in 0..exceptions.len() {
            assert_eq!(hours(&plan(&rules, &exceptions, MONDAY)), expected);
            exceptions.rotate_left(1);
        }
    }

    #[test]
    fn the_change_of_capacity_that_starts_last_counts() {
        let rules = [rule(1, at(9, 0), at(12, 0))];
        let change = |capacity, hours| OpeningException {
            capacity: Some(capacity),
            ..exception(ExceptionKind::Capacity, MONDAY, hours)
        };
        let exceptions = [change(4, Some((at(10, 0), at(11, 0)))), change(0, None)];
        assert_eq!(hours(&plan(&rules, &exceptions, MONDAY)), [(at(10, 0), at(11, 0), 4)]);
        let unsaid = exception(ExceptionKind::Capacity, MONDAY, None);
        assert_eq!(hours(&plan(&rules, &[unsaid], MONDAY)), [(at(9, 0), at(12, 0), 2)]);
    }

    #[test]
    fn closing_without_hours_closes_the_day_and_opening_without_hours_opens_nothing() {
        let rules = [rule(1, at(9, 0), at(12, 0))];
        let closed = exception(ExceptionKind::Closed, MONDAY, None);
        assert_eq!(hours(&plan(&rules, &[closed], MONDAY)), []);
        let from_eleven =
            OpeningException { starts_at: Some(at(11, 0)), ..exception(ExceptionKind::Closed, MONDAY, None) };
        assert_eq!(hours(&plan(&rules, &[from_eleven], MONDAY)), [(at(9, 0), at(11, 0), 1)]);
        let open = exception(ExceptionKind::Open, MONDAY, None);
        assert_eq!(hours(&plan(&[], &[open], MONDAY)), []);
    }

    #[test]
    fn hours_between_ticks_open_what_lies_wholly_in_them_and_close_what_they_touch() {
        let rules = [rule(1, at(9, 5), at(12, 5))];
        let closed = exception(ExceptionKind::Closed, MONDAY, Some((at(10, 10), at(10, 50))));
        let plan = plan(&rules, &[closed], MONDAY);
        assert_eq!(hours(&plan), [(at(9, 15), at(10, 0), 1), (at(11, 0), at(12, 0), 1)]);
        assert_eq!(starts(&plan), [at(9, 15), at(9, 45), at(11, 15), at(11, 45)]);
    }

    #[test]
    fn in_march_the_skipped_hour_is_not_open() {
        let spring = date(2027, 3, 28);
        let night = every_day(&[rule(7, at(1, 0), at(5, 0))], spring);
        assert_eq!(starts(&night), [at(1, 0), at(1, 30), at(3, 0), at(3, 30), at(4, 0), at(4, 30)]);
        // A time that does not exist is the first instant that does.
        let from_the_gap = every_day(&[rule(7, at(2, 30), at(4, 0))], spring);
        assert_eq!(starts(&from_the_gap), [at(3, 0), at(3, 30)]);
        let into_the_gap = every_day(&[rule(7, at(1, 0), at(2, 30))], spring);
        assert_eq!(starts(&into_the_gap), [at(1, 0), at(1, 30)]);
        for (from, until) in [(at(2, 0), at(3, 0)), (at(2, 15), at(2, 45))] {
            assert_eq!(hours(&every_day(&[rule(7, from, until)], spring)), []);
        }
        assert_eq!(starts(&every_day(&[rule(7, at(2, 0), at(3, 30))], spring)), [at(3, 0)]);
    }

    #[test]
    fn in_october_the_repeated_hour_is_open_twice() {
        let autumn = date(2027, 10, 31);
        let night = every_day(&[rule(7, at(1, 0), at(5, 0))], autumn);
        let twice = [at(2, 0), at(2, 30), at(2, 0), at(2, 30)];
        assert_eq!(
            starts(&night),
            [&[at(1, 0), at(1, 30)], &twice[..], &[at(3, 0), at(3, 30), at(4, 0), at(4, 30)]].concat()
        );
        // A time that happens twice is the first of the two.
        let into_the_hour = every_day(&[rule(7, at(1, 0), at(2, 30))], autumn);
        assert_eq!(starts(&into_the_hour), [at(1, 0), at(1, 30), at(2, 0)]);
        let from_the_hour = every_day(&[rule(7, at(2, 30), at(3, 0))], autumn);
        assert_eq!(starts(&from_the_hour), [at(2, 30), at(2, 0), at(2, 30)]);
    }
}
