//! What is left of a day once others have booked: free counts, seats.
//!
//! Each tick has as many seats as counters are open; a booking holds one seat in each of its ticks,
//! not the same one throughout, because which counter calls is decided when the person is called.
//! Otherwise short bookings could scatter over the seats until none is free all along, though
//! a counter is.

use std::{collections::BTreeSet, ops::Range};

use jiff::{SignedDuration, Timestamp, civil::Date};
use kernel::civil;

use super::{
    model::Calendar,
    ticks::{Span, instant_of, tick_of},
    timetable::DayPlan,
};

/// A time that the calendar offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// When the visit starts.
    pub starts_at: Timestamp,
    /// When the visit ends.
    pub ends_at: Timestamp,
    /// How many more visits of this length may start then; never negative.
    pub free: i64,
}

/// The times at which a visit of this length fits in the opening hours of the day, in order, also
/// those that are full. `taken` tells how many seats of a tick are held, within [`DayPlan::reach`].
pub fn slots(plan: &DayPlan, span: Span, taken: impl Fn(i64) -> i64) -> Vec<Slot> {
    let offered = plan.starts().iter().copied().filter(|start| plan.is_open(span.visit(*start)));
    offered
        .map(|start| {
            let visit = span.visit(start);
            Slot {
                starts_at: instant_of(visit.start, plan.tick_minutes()),
                ends_at: instant_of(visit.end, plan.tick_minutes()),
                free: free(plan, span.occupied(start), &taken),
            }
        })
        .collect()
}

/// How many more bookings these ticks bear: what the fullest of them has left.
fn free(plan: &DayPlan, ticks: Range<i64>, taken: impl Fn(i64) -> i64) -> i64 {
    ticks.map(|tick| plan.seats_at(tick).saturating_sub(taken(tick))).min().unwrap_or(0).max(0)
}

/// When one may book, seen from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first instant at which a visit may start.
    pub earliest: Timestamp,
    /// The last date of Europe/Rome on which it may.
    pub last_date: Date,
}

impl Window {
    /// The window of a calendar at the instant `now`.
    pub fn of(calendar: &Calendar, now: Timestamp) -> Self {
        let lead = SignedDuration::from_secs(calendar.lead_minutes.saturating_mul(60));
        // Dates have no clock changes: so many days are so many times 24 hours.
        let horizon = SignedDuration::from_secs(calendar.horizon_days.saturating_mul(86_400));
        Self {
            earliest: now.saturating_add(lead).unwrap_or(Timestamp::MAX),
            last_date: civil::date_of(now).saturating_add(horizon),
        }
    }

    /// Whether a visit may start then, as far as notice and horizon go.
    ///
    /// # Errors
    /// [`StartRefusal::LeadTime`] when it is too soon, [`StartRefusal::BeyondHorizon`] when it is too far off.
    pub fn admits(self, starts_at: Timestamp) -> Result<(), StartRefusal> {
        if starts_at < self.earliest {
            Err(StartRefusal::LeadTime { earliest: self.earliest })
        } else if civil::date_of(starts_at) > self.last_date {
            Err(StartRefusal::BeyondHorizon { last_date: self.last_date })
        } else {
            Ok(())
        }
    }
}

/// Why a visit cannot start when it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartRefusal {
    /// The calendar is closed then, or closes before the visit would end.
    OutsideOpeningHours,
    /// The calendar is open, but no slot starts then.
    NotASlotStart,
    /// The office needs more notice.
    LeadTime {
        /// The first instant at which a visit may start.
        earliest: Timestamp,
    },
    /// Too far ahead.
    BeyondHorizon {
        /// The last date that can be booked.
        last_date: Date,
    },
}

/// Whether a visit may start at `starts_at`, and in which tick. `plan` is the one of its date in
/// Europe/Rome. Says nothing about free seats.
///
/// # Errors
/// A [`StartRefusal`]; notice and horizon are judged before the opening hours.
pub fn check_start(
    plan: &DayPlan,
    calendar: &Calendar,
    span: Span,
    starts_at: Timestamp,
    now: Timestamp,
) -> Result<i64, StartRefusal> {
    Window::of(calendar, now).admits(starts_at)?;
    let tick = tick_of(starts_at, plan.tick_minutes());
    let visit = span.visit(tick);
    let on_the_grid = instant_of(tick, plan.tick_minutes()) == starts_at && plan.starts().binary_search(&tick).is_ok();
    if on_the_grid && plan.is_open(visit) {
        Ok(tick)
    } else if on_the_grid || !plan.is_open(tick..tick.saturating_add(1)) {
        Err(StartRefusal::OutsideOpeningHours)
    } else {
        Err(StartRefusal::NotASlotStart)
    }
}

/// Chooses a seat in each tick, the lowest free one: `(tick, seat)` with seats counted from 1.
/// `taken` holds the seats that others hold in these ticks (more does no harm).
/// `None` when a tick is full.
///
/// A tick is full when it has as many holders as seats, whichever seats they hold: after the
/// capacity was lowered, a holder may sit above it while a lower seat is free, and that seat
/// must not be given.
pub fn assign_seats(
    capacity_of: impl Fn(i64) -> i64,
    taken: &BTreeSet<(i64, i64)>,
    ticks: Range<i64>,
) -> Option<Vec<(i64, i64)>> {
    ticks
        .map(|tick| {
            let (mut held, mut seat) = (0_i64, 1_i64);
            for &(_, other) in taken.range((tick, i64::MIN)..=(tick, i64::MAX)) {
                held += 1;
                if other == seat {
                    seat += 1;
                }
            }
            (held < capacity_of(tick)).then_some((tick, seat))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::civil::{Time, date};

    use super::{
        super::model::{
            ExceptionKind::Closed,
            OpeningException, OpeningRule,
            samples::{at, calendar, exception, holidays, rule},
        },
        super::ticks::{DurationNotAllowed, ServiceTime, days_touched, span},
        *,
    };

    const MONDAY: Date = date(2027, 5, 10);
    const HALF_HOUR: ServiceTime =
        ServiceTime { minutes: 30, extra_person_minutes: 0, buffer_before_minutes: 0, buffer_after_minutes: 0 };

    fn plan(rules: &[OpeningRule], exceptions: &[OpeningException], date: Date) -> DayPlan {
        DayPlan::of(&calendar(), rules, exceptions, &holidays(), date)
    }

    fn span_of(minutes: i64) -> Span {
        span(ServiceTime { minutes, ..HALF_HOUR }, 1, &calendar()).unwrap()
    }

    fn monday(time: Time) -> Timestamp {
        civil::at(MONDAY, time)
    }

    fn offered(plan: &DayPlan, span: Span) -> Vec<Timestamp> {
        slots(plan, span, |_| 0).iter().map(|slot| slot.starts_at).collect()
    }

    #[test]
    fn a_tick_holds_the_instants_from_its_own_to_the_next() {
        for tick_minutes in [5, 10, 15, 30, 60] {
            let tick = tick_of(monday(at(9, 0)), tick_minutes);
            assert_eq!(instant_of(tick, tick_minutes), monday(at(9, 0)));
            let last = instant_of(tick + 1, tick_minutes) - SignedDuration::from_micros(1);
            assert_eq!(tick_of(last, tick_minutes), tick);
        }
        assert_eq!(tick_of(Timestamp::from_second(-1).unwrap(), 5), -1);
        assert_eq!(instant_of(i64::MAX, 5), Timestamp::MAX);
    }

    #[test]
    fn a_span_rounds_the_visit_to_slots_and_the_buffers_to_ticks() {
        let service =
            ServiceTime { minutes: 20, extra_person_minutes: 10, buffer_before_minutes: 1, buffer_after_minutes: 16 };
        let ticks = |persons| span(service, persons, &calendar()).map(|span| span.slot_ticks);
        assert_eq!([1, 2, 3, 5].map(ticks), [Ok(2), Ok(2), Ok(4), Ok(4)]);
        let span = span(service, 1, &calendar()).unwrap();
        assert_eq!(span, Span { slot_ticks: 2, buffer_before_ticks: 1, buffer_after_ticks: 2 });
        assert_eq!((span.visit(100), span.occupied(100)), (100..102, 99..104));
    }

    #[test]
    fn what_fits_in_no_day_is_refused() {
        let refused = |service, persons| span(service, persons, &calendar()) == Err(DurationNotAllowed);
        assert!(!refused(ServiceTime { minutes: 1500, ..HALF_HOUR }, 1));
        assert!(refused(ServiceTime { minutes: 1501, ..HALF_HOUR }, 1));
        assert!(refused(ServiceTime { minutes: 0, ..HALF_HOUR }, 1));
        assert!(refused(ServiceTime { buffer_after_minutes: -1, ..HALF_HOUR }, 1));
        assert!(refused(ServiceTime { extra_person_minutes: -1, ..HALF_HOUR }, 2));
        assert!(refused(HALF_HOUR, 0));
        assert!(refused(ServiceTime { extra_person_minutes: 10, ..HALF_HOUR }, i64::MAX));
        assert!(refused(ServiceTime { extra_person_minutes: 10, ..HALF_HOUR }, i64::MIN));
    }

    #[test]
    fn a_night_has_six_slots_in_march_and_ten_in_october() {
        // Open on holidays too: in 2027 the clocks go forward at Easter.
        let calendar = Calendar { closed_on_holidays: false, ..calendar() };
        let night = [rule(7, at(1, 0), at(5, 0))];
        let half_hours = |date| {
            let plan = DayPlan::of(&calendar, &night, &[], &holidays(), date);
            let slots = slots(&plan, span_of(30), |_| 0);
            let lasts = |slot: &Slot| slot.ends_at.duration_since(slot.starts_at) == SignedDuration::from_mins(30);
            assert!(slots.iter().all(lasts));
            assert!(slots.windows(2).all(|pair| pair[0].ends_at == pair[1].starts_at));
            slots.len()
        };
        assert_eq!([date(2027, 3, 21), date(2027, 3, 28), date(2027, 10, 31)].map(half_hours), [8, 6, 10]);
    }

    #[test]
    fn a_long_visit_runs_across_adjoining_rules_and_ends_within_the_hours() {
        let adjoining = [rule(1, at(9, 0), at(10, 0)), rule(1, at(10, 0), at(11, 0))];
        let open = plan(&adjoining, &[], MONDAY);
        assert_eq!(offered(&open, span_of(90)), [monday(at(9, 0)), monday(at(9, 30))]);
        let lunch = exception(Closed, MONDAY, Some((at(10, 0), at(10, 15))));
        let open = plan(&adjoining, &[lunch], MONDAY);
        assert_eq!(offered(&open, span_of(60)), [monday(at(9, 0))]);
        assert_eq!(offered(&open, span_of(90)), []);
    }

    #[test]
    fn the_fullest_tick_counts_and_buffers_outside_the_hours_have_the_calendars_own_counters() {
        let mut morning = rule(1, at(9, 0), at(10, 0));
        morning.capacity = 5;
        let plan = plan(&[morning], &[], MONDAY);
        let nine = tick_of(monday(at(9, 0)), 15);
        let taken = BTreeMap::from([(nine - 1, 1), (nine + 1, 3), (nine + 2, 9)]);
        let free = |span| -> Vec<i64> {
            slots(&plan, span, |tick| taken.get(&tick).copied().unwrap_or(0)).iter().map(|slot| slot.free).collect()
        };
        assert_eq!(free(span_of(30)), [2, 0]);
        assert_eq!(free(Span { buffer_before_ticks: 1, ..span_of(30) }), [1, 0]);
        assert_eq!(
            plan.reach(Span { buffer_before_ticks: 1, buffer_after_ticks: 3, ..span_of(30) }),
            nine - 1..nine + 7
        );
        assert_eq!(slots(&plan, span_of(90), |_| 0), []);
    }

    #[test]
    fn each_refusal_of_a_start() {
        let plan = plan(&[rule(1, at(9, 0), at(11, 0))], &[], MONDAY);
        let now = civil::at(date(2027, 5, 9), at(12, 0));
        let check = |span, starts_at, now| check_start(&plan, &calendar(), span, starts_at, now);
        let half = |starts_at, now| check(span_of(30), starts_at, now);

        assert_eq!(half(monday(at(9, 30)), now), Ok(tick_of(monday(at(9, 30)), 15)));
        assert_eq!(half(monday(at(8, 30)), now), Err(StartRefusal::OutsideOpeningHours));
        assert_eq!(half(monday(at(11, 0)), now), Err(StartRefusal::OutsideOpeningHours));
        assert_eq!(check(span_of(60), monday(at(10, 30)), now), Err(StartRefusal::OutsideOpeningHours));
        assert_eq!(half(monday(at(9, 45)), now), Err(StartRefusal::NotASlotStart));
        assert_eq!(half(monday(Time::constant(9, 30, 1, 0)), now), Err(StartRefusal::NotASlotStart));

        let (ten, late) = (monday(at(10, 0)), monday(at(9, 1)));
        assert_eq!(half(ten, late), Err(StartRefusal::LeadTime { earliest: monday(at(10, 1)) }));
        assert!(half(ten, monday(at(9, 0))).is_ok());
    }

    #[test]
    fn the_horizon_is_counted_in_local_dates() {
        let window = |now| Window::of(&calendar(), now);
        let last = StartRefusal::BeyondHorizon { last_date: MONDAY };
        // Half an hour to midnight in Rome is the same date, also where Greenwich and Rome differ.
        for late in [at(0, 30), at(23, 30)] {
            let now = civil::at(date(2027, 4, 10), late);
            assert_eq!(window(now).admits(monday(at(23, 45))), Ok(()));
            assert_eq!(window(now).admits(civil::at(date(2027, 5, 11), at(0, 0))), Err(last));
        }
        let boundless = Calendar { lead_minutes: 0, horizon_days: i64::MAX, ..calendar() };
        assert_eq!(Window::of(&boundless, monday(at(9, 0))).last_date, Date::MAX);
    }

    #[test]
    fn each_tick_gets_its_lowest_free_seat() {
        let taken = BTreeSet::from([(9, 1), (10, 1), (10, 2), (11, 2), (13, 1), (13, 2), (13, 3)]);
        assert_eq!(assign_seats(|_| 3, &taken, 10..13), Some(vec![(10, 3), (11, 1), (12, 1)]));
        assert_eq!(assign_seats(|_| 3, &taken, 10..14), None);
        assert_eq!(assign_seats(|_| 0, &BTreeSet::new(), 10..11), None);
    }

    #[test]
    fn a_holder_above_a_lowered_capacity_still_counts() {
        let taken = BTreeSet::from([(1, 2), (1, 3)]);
        assert_eq!(assign_seats(|_| 2, &taken, 1..2), None);
        assert_eq!(assign_seats(|_| 3, &taken, 1..2), Some(vec![(1, 1)]));
    }

    #[test]
    fn the_days_of_a_night_are_those_of_rome() {
        let from = tick_of(civil::at(date(2027, 3, 27), at(23, 0)), 60);
        assert_eq!(days_touched(from..from + 1, 60), [date(2027, 3, 27)]);
        assert_eq!(days_touched(from..from + 2, 60), [date(2027, 3, 27), date(2027, 3, 28)]);
        // 23 hours of Sunday, then Monday.
        assert_eq!(days_touched(from + 1..from + 24, 60), [date(2027, 3, 28)]);
        assert_eq!(days_touched(from + 1..from + 25, 60), [date(2027, 3, 28), date(2027, 3, 29)]);
        assert_eq!(days_touched(from..from, 60), []);
    }
}
