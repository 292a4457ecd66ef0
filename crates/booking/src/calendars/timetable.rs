//! From weekly hours, exceptions and holidays to one day: when it is open, with how many counters,
//! and when a visit may start.
//!
//! Hours are those on the clocks of Europe/Rome; a day is laid out on the absolute time line
//! in ticks (see `occupancy`). On the last Sunday of March, 02:00 to 03:00 does not exist:
//! a time in it stands for the first instant after it. On the last Sunday of October it happens
//! twice: a time in it stands for the first occurrence, and hours that span it are an hour longer.
//!
//! A rule opens counters for everybody and, besides, counters that only the office itself fills. Both kinds add up
//! over overlapping rules, each for itself; an exception says how many there are for everybody and leaves those of
//! the office as they are, except that it closes both. Where only the office's own are open, the public has no seat,
//! not even to prepare or clear.

use std::ops::Range;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
};
use kernel::{civil, holidays::HolidayCalendar};

use super::{
    model::{Calendar, ExceptionKind, OpeningException, OpeningRule},
    occupancy::{Audience, Seats},
    ticks::{Span, instant_of, tick_of, units},
};

/// How a calendar is open on one date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayPlan {
    tick_minutes: i64,
    /// The calendar's own number, and as many of the office's as the day has at most.
    seats_outside: Seats,
    /// In order, disjoint, each with at least one counter.
    open: Vec<Stretch>,
    /// In order, each open to everybody.
    starts: Vec<i64>,
    /// In order, each open to the office: those of everybody, and those of hours that only the office has.
    office_starts: Vec<i64>,
}

/// Ticks with the same number of counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    from: i64,
    until: i64,
    seats: Seats,
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
        let within = |(starts_at, ends_at), public: i64, internal: i64| Stretch {
            from: tick_up(instant_at(date, starts_at), tick_minutes),
            until: tick_of(instant_at(date, ends_at), tick_minutes),
            seats: Seats { public: public.max(0), internal: internal.max(0) },
        };
        let mut openings = Vec::new();
        if !(calendar.closed_on_holidays && holidays.is_holiday(date)) {
            let rules = rules.iter().filter(|rule| holds_on(rule, date));
            openings.extend(
                rules.map(|rule| within((rule.starts_at, rule.ends_at), rule.capacity, rule.internal_capacity)),
            );
        }
        let (mut changes, mut closures) = (Vec::new(), Vec::new());
        for exception in exceptions.iter().filter(|exception| exception.date == date) {
            let capacity = exception.capacity.unwrap_or(calendar.capacity);
            match (exception.kind, exception.starts_at, exception.ends_at) {
                (ExceptionKind::Open, Some(starts_at), Some(ends_at)) => {
                    openings.push(within((starts_at, ends_at), capacity, 0));
                }
                (ExceptionKind::Open, _, _) => {}
                (ExceptionKind::Capacity, _, _) => {
                    changes.push((exception, touched(exception, capacity, tick_minutes)));
                }
                (ExceptionKind::Closed, _, _) => closures.push(touched(exception, 0, tick_minutes)),
            }
        }
        openings.retain(|opening| opening.from < opening.until && opening.seats.of(Audience::Office) > 0);
        // The latest first: it is the one that counts. The id makes the order total.
        changes.sort_unstable_by_key(|(exception, _)| (exception.starts_at, exception.id));
        let changes: Vec<Stretch> = changes.into_iter().rev().map(|(_, change)| change).collect();

        let open = stretches(&openings, &changes, &closures);
        let internal = open.iter().map(|stretch| stretch.seats.internal).max().unwrap_or(0);
        let mut plan = Self {
            tick_minutes,
            seats_outside: Seats { public: calendar.capacity.max(0), internal },
            open,
            starts: Vec::new(),
            office_starts: Vec::new(),
        };
        let slot_ticks = units(calendar.slot_minutes, tick_minutes);
        plan.office_starts = plan.starts_of(&openings, Audience::Office, slot_ticks);
        plan.starts = plan.starts_of(&openings, Audience::Public, slot_ticks);
        plan
    }

    /// The grids of all openings that this audience has, from the start of each.
    fn starts_of(&self, openings: &[Stretch], audience: Audience, slot_ticks: i64) -> Vec<i64> {
        let step = usize::try_from(slot_ticks.max(1)).unwrap_or(usize::MAX);
        let theirs = openings.iter().filter(|opening| opening.seats.of(audience) > 0);
        let grid = theirs.flat_map(|opening| (opening.from..opening.until).step_by(step));
        let mut starts: Vec<i64> = grid.filter(|tick| self.open_at(*tick).of(audience) > 0).collect();
        starts.sort_unstable();
        starts.dedup();
        starts
    }

    /// The unit of this plan's ticks, in minutes.
    pub const fn tick_minutes(&self) -> i64 {
        self.tick_minutes
    }

    /// The ticks at which a visit may start, if it ends within the opening hours; in order.
    pub fn starts(&self, audience: Audience) -> &[i64] {
        match audience {
            Audience::Public => &self.starts,
            Audience::Office => &self.office_starts,
        }
    }

    /// How many counters receive people in this tick; none when closed.
    pub fn open_at(&self, tick: i64) -> Seats {
        let open = self.open.iter().find(|stretch| stretch.covers(tick..tick.saturating_add(1)));
        open.map_or(Seats::NONE, |stretch| stretch.seats)
    }

    /// How many bookings this tick can hold: the counters that are open or, outside the opening
    /// hours, where only preparation and clearing happen, the calendar's own number, and the most
    /// that the office has for itself on that day.
    pub fn seats_at(&self, tick: i64) -> Seats {
        match self.open_at(tick) {
            Seats::NONE => self.seats_outside,
            open => open,
        }
    }

    /// The open ticks among these, in order.
    pub fn open_ticks(&self, within: Range<i64>) -> impl Iterator<Item = i64> {
        let part = move |stretch: &Stretch| stretch.from.max(within.start)..stretch.until.min(within.end);
        self.open.iter().flat_map(part)
    }

    /// Whether all of these ticks are open to this audience, be it by several adjoining rules.
    pub fn is_open(&self, ticks: Range<i64>, audience: Audience) -> bool {
        let mut reached = ticks.start;
        for stretch in self.open.iter().filter(|stretch| stretch.seats.of(audience) > 0) {
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
        let counters = openings.iter().filter(here).fold(Seats::NONE, |sum, opening| sum.and(opening.seats));
        if counters == Seats::NONE || closures.iter().any(|closure| here(&closure)) {
            continue;
        }
        let public = changes.iter().find(here).map_or(counters.public, |change| change.seats.public.max(0));
        let seats = Seats { public, ..counters };
        match open.last_mut() {
            _ if seats == Seats::NONE => {}
            Some(last) if last.until == from && last.seats == seats => last.until = until,
            _ => open.push(Stretch { from, until, seats }),
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
        seats: Seats { public: capacity, internal: 0 },
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
        plan.open.iter().map(|stretch| (clock(stretch.from), clock(stretch.until), stretch.seats.public)).collect()
    }

    fn starts(plan: &DayPlan) -> Vec<Time> {
        plan.starts(Audience::Public).iter().map(|tick| clock(*tick)).collect()
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
    fn the_offices_own_counters_open_hours_and_grid_to_the_office_only() {
        let mut shared = rule(1, at(9, 0), at(10, 0));
        shared.internal_capacity = 2;
        let own = OpeningRule { capacity: 0, internal_capacity: 1, ..rule(1, at(9, 15), at(11, 0)) };
        let fewer = OpeningException {
            capacity: Some(0),
            ..exception(ExceptionKind::Capacity, MONDAY, Some((at(9, 30), at(10, 0))))
        };
        let plan = plan(&[shared, own], &[fewer], MONDAY);
        let seats = |hour, minute| {
            let seats = plan.seats_at(tick_of(civil::at(MONDAY, at(hour, minute)), 15));
            (seats.public, seats.internal)
        };
        assert_eq!([seats(9, 0), seats(9, 15), seats(9, 30), seats(10, 0)], [(1, 2), (1, 3), (0, 3), (0, 1)]);
        // Outside, where one prepares and clears: the calendar's own, and the most that the office has that day.
        assert_eq!([seats(8, 45), seats(11, 0)], [(2, 3), (2, 3)]);
        let starts = |audience| plan.starts(audience).iter().map(|tick| clock(*tick)).collect::<Vec<_>>();
        assert_eq!(starts(Audience::Public), [at(9, 0)]);
        assert_eq!(starts(Audience::Office), [at(9, 0), at(9, 15), at(9, 30), at(9, 45), at(10, 15), at(10, 45)]);
        let quarter = |audience| plan.is_open(plan.starts(audience)[0]..plan.starts(audience)[0] + 4, audience);
        assert!(!quarter(Audience::Public) && quarter(Audience::Office));
    }

    #[test]
    fn validity_includes_both_its_dates() {
        let mut rule = rule(1, at(9, 0), at(10, 0));
        (rule.valid_from, rule.valid_until) = (MONDAY, Some(date(2027, 5, 17)));
        let open =
            |day| !plan(std::slice::from_ref(&rule), &[], date(2027, 5, day)).starts(Audience::Public).is_empty();
        assert_eq!([3, 10, 17, 24].map(open), [false, true, true, false]);
    }

    #[test]
    fn every_other_week_counts_iso_weeks_from_the_one_of_the_first_date() {
        // Valid from a Sunday: the Monday after it lies in the next ISO week, though a day later.
        let mut rule = rule(1, at(9, 0), at(10, 0));
        (rule.valid_from, rule.every_n_weeks) = (date(2026, 12, 20), 2);
        let open = |date| !plan(std::slice::from_ref(&rule), &[], date).starts(Audience::Public).is_empty();
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
