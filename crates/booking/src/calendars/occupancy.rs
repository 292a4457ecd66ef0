//! What is left of a day once others have booked: free counts, seats.
//!
//! Each tick has as many seats as counters are open; a booking holds one seat in each of its ticks,
//! not the same one throughout, because which counter calls is decided when the person is called.
//! Otherwise short bookings could scatter over the seats until none is free all along, though
//! a counter is.
//!
//! Seats are of two kinds, told apart by their number. The public has those from 1 on, as many as there are counters
//! for everybody, and nothing else. The office has its own, from [`FIRST_INTERNAL_SEAT`] on, and takes of the public's
//! only in a tick in which its own are gone. Each kind is counted by itself: what the office holds of its own never
//! makes a public seat less, and a public booking never takes one of the office's.

use std::{collections::BTreeSet, ops::Range};

use jiff::{SignedDuration, Timestamp, civil::Date};
use kernel::civil;

use super::{
    model::Calendar,
    ticks::{Span, instant_of, tick_of},
    timetable::DayPlan,
};

/// The number of the first seat that is the office's own: above all that there are for the public.
pub const FIRST_INTERNAL_SEAT: i64 = 1_000_001;

/// For whom a time is looked for or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody.
    Public,
    /// The office itself.
    Office,
}

/// How many seats of each kind: of a tick, or taken in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seats {
    /// Everybody's.
    pub public: i64,
    /// The office's own.
    pub internal: i64,
}

impl Seats {
    /// None of either.
    pub const NONE: Self = Self { public: 0, internal: 0 };

    /// How many this audience may take.
    pub const fn of(self, audience: Audience) -> i64 {
        match audience {
            Audience::Public => self.public,
            Audience::Office => self.public.saturating_add(self.internal),
        }
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            public: self.public.saturating_add(other.public),
            internal: self.internal.saturating_add(other.internal),
        }
    }

    /// What is left of these once those are taken, never negative: who sits where there is no seat any more takes
    /// none of the other kind.
    #[must_use]
    pub fn without(self, taken: Self) -> Self {
        Self {
            public: self.public.saturating_sub(taken.public).max(0),
            internal: self.internal.saturating_sub(taken.internal).max(0),
        }
    }
}

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
pub fn slots(plan: &DayPlan, span: Span, audience: Audience, taken: impl Fn(i64) -> Seats) -> Vec<Slot> {
    let starts = plan.starts(audience).iter().copied();
    let offered = starts.filter(|start| plan.is_open(span.visit(*start), audience));
    offered
        .map(|start| {
            let visit = span.visit(start);
            Slot {
                starts_at: instant_of(visit.start, plan.tick_minutes()),
                ends_at: instant_of(visit.end, plan.tick_minutes()),
                free: free(plan, span.occupied(start), audience, &taken),
            }
        })
        .collect()
}

/// How many more bookings these ticks bear: what the fullest of them has left.
fn free(plan: &DayPlan, ticks: Range<i64>, audience: Audience, taken: impl Fn(i64) -> Seats) -> i64 {
    ticks.map(|tick| plan.seats_at(tick).without(taken(tick)).of(audience)).min().unwrap_or(0)
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
    audience: Audience,
    calendar: &Calendar,
    span: Span,
    starts_at: Timestamp,
    now: Timestamp,
) -> Result<i64, StartRefusal> {
    Window::of(calendar, now).admits(starts_at)?;
    let tick = tick_of(starts_at, plan.tick_minutes());
    let visit = span.visit(tick);
    let begins = instant_of(tick, plan.tick_minutes()) == starts_at;
    let on_the_grid = begins && plan.starts(audience).binary_search(&tick).is_ok();
    if on_the_grid && plan.is_open(visit, audience) {
        Ok(tick)
    } else if on_the_grid || !plan.is_open(tick..tick.saturating_add(1), audience) {
        Err(StartRefusal::OutsideOpeningHours)
    } else {
        Err(StartRefusal::NotASlotStart)
    }
}

/// Chooses a seat in each tick, the lowest free one: `(tick, seat)`; for the office the lowest of its own where one is
/// left, else the lowest of the public's. `taken` holds the seats that others hold in these ticks (more does no
/// harm). `None` when a tick is full.
///
/// A tick is full when it has as many holders as seats, whichever seats they hold: after the
/// capacity was lowered, a holder may sit above it while a lower seat is free, and that seat
/// must not be given.
pub fn assign_seats(
    seats_of: impl Fn(i64) -> Seats,
    audience: Audience,
    taken: &BTreeSet<(i64, i64)>,
    ticks: Range<i64>,
) -> Option<Vec<(i64, i64)>> {
    ticks.map(|tick| free_seats(seats_of(tick), audience, taken, tick).next().map(|seat| (tick, seat))).collect()
}

/// Chooses the seats of a block: in each tick so many, or all there are when there are fewer or when no number is
/// said; the office's own first. The tick that has not so many left, when there is one.
///
/// # Errors
/// That tick.
pub fn block_seats(
    seats_of: impl Fn(i64) -> Seats,
    wanted: Option<i64>,
    taken: &BTreeSet<(i64, i64)>,
    ticks: impl Iterator<Item = i64>,
) -> Result<Vec<(i64, i64)>, i64> {
    let mut chosen = Vec::new();
    for tick in ticks {
        let seats = seats_of(tick);
        let all = usize::try_from(seats.of(Audience::Office)).unwrap_or(0);
        let needed = wanted.and_then(|wanted| usize::try_from(wanted).ok()).map_or(all, |wanted| wanted.min(all));
        let before = chosen.len();
        let free = free_seats(seats, Audience::Office, taken, tick).take(needed);
        chosen.extend(free.map(|seat| (tick, seat)));
        if chosen.len().saturating_sub(before) < needed {
            return Err(tick);
        }
    }
    Ok(chosen)
}

/// The free seats of a tick that an audience may take, in the order in which it takes them.
fn free_seats(seats: Seats, audience: Audience, taken: &BTreeSet<(i64, i64)>, tick: i64) -> impl Iterator<Item = i64> {
    let of_a_kind = move |first: i64, end: i64, there_are: i64| {
        let held = i64::try_from(taken.range((tick, first)..(tick, end)).count()).unwrap_or(i64::MAX);
        let left = usize::try_from(there_are.saturating_sub(held)).unwrap_or(0);
        (first..end).filter(move |seat| !taken.contains(&(tick, *seat))).take(left)
    };
    let own = if audience == Audience::Office { seats.internal } else { 0 };
    of_a_kind(FIRST_INTERNAL_SEAT, i64::MAX, own).chain(of_a_kind(1, FIRST_INTERNAL_SEAT, seats.public))
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

    /// What everybody is offered.
    fn public_slots(plan: &DayPlan, span: Span, taken: impl Fn(i64) -> i64) -> Vec<Slot> {
        slots(plan, span, Audience::Public, |tick| Seats { public: taken(tick), internal: 0 })
    }

    fn span_of(minutes: i64) -> Span {
        span(ServiceTime { minutes, ..HALF_HOUR }, 1, &calendar()).unwrap()
    }

    fn monday(time: Time) -> Timestamp {
        civil::at(MONDAY, time)
    }

    fn offered(plan: &DayPlan, span: Span) -> Vec<Timestamp> {
        public_slots(plan, span, |_| 0).iter().map(|slot| slot.starts_at).collect()
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
            let slots = public_slots(&plan, span_of(30), |_| 0);
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
            public_slots(&plan, span, |tick| taken.get(&tick).copied().unwrap_or(0))
                .iter()
                .map(|slot| slot.free)
                .collect()
        };
        assert_eq!(free(span_of(30)), [2, 0]);
        assert_eq!(free(Span { buffer_before_ticks: 1, ..span_of(30) }), [1, 0]);
        assert_eq!(
            plan.reach(Span { buffer_before_ticks: 1, buffer_after_ticks: 3, ..span_of(30) }),
            nine - 1..nine + 7
        );
        assert_eq!(public_slots(&plan, span_of(90), |_| 0), []);
    }

    #[test]
    fn each_refusal_of_a_start() {
        let plan = plan(&[rule(1, at(9, 0), at(11, 0))], &[], MONDAY);
        let now = civil::at(date(2027, 5, 9), at(12, 0));
        let check = |span, starts_at, now| check_start(&plan, Audience::Public, &calendar(), span, starts_at, now);
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
        assert_eq!(
            assign_seats(|_| Seats { public: 3, internal: 0 }, Audience::Public, &taken, 10..13),
            Some(vec![(10, 3), (11, 1), (12, 1)])
        );
        assert_eq!(assign_seats(|_| Seats { public: 3, internal: 0 }, Audience::Public, &taken, 10..14), None);
        assert_eq!(
            assign_seats(|_| Seats { public: 0, internal: 0 }, Audience::Public, &BTreeSet::new(), 10..11),
            None
        );
    }

    #[test]
    fn a_holder_above_a_lowered_capacity_still_counts() {
        let taken = BTreeSet::from([(1, 2), (1, 3)]);
        assert_eq!(assign_seats(|_| Seats { public: 2, internal: 0 }, Audience::Public, &taken, 1..2), None);
        assert_eq!(
            assign_seats(|_| Seats { public: 3, internal: 0 }, Audience::Public, &taken, 1..2),
            Some(vec![(1, 1)])
        );
    }

    #[test]
    fn the_office_takes_its_own_seats_first_and_then_what_is_left_of_the_publics() {
        let seats = |_| Seats { public: 1, internal: 2 };
        let mut taken = BTreeSet::new();
        let mut take = |audience| {
            let chosen = assign_seats(seats, audience, &taken, 5..6).map(|seats| seats[0]);
            taken.extend(chosen);
            chosen.map(|(_, seat)| seat)
        };
        let own = FIRST_INTERNAL_SEAT;
        let chosen =
            [Audience::Office, Audience::Office, Audience::Office, Audience::Public, Audience::Office].map(&mut take);
        assert_eq!(chosen, [Some(own), Some(own + 1), Some(1), None, None]);
        // What the office holds of its own counts for nothing against the public, lowered or not.
        let own_taken = BTreeSet::from([(5, own), (5, own + 1), (5, own + 2)]);
        assert_eq!(assign_seats(seats, Audience::Public, &own_taken, 5..6), Some(vec![(5, 1)]));
        assert_eq!(assign_seats(seats, Audience::Office, &own_taken, 5..6), Some(vec![(5, 1)]));
    }

    #[test]
    fn a_block_takes_what_it_asks_for_or_all_there_is_or_nothing() {
        let seats = |tick| if tick == 7 { Seats { public: 1, internal: 0 } } else { Seats { public: 2, internal: 1 } };
        let own = FIRST_INTERNAL_SEAT;
        let block = |wanted, taken: &[(i64, i64)]| block_seats(seats, wanted, &taken.iter().copied().collect(), 6..8);
        assert_eq!(block(None, &[]), Ok(vec![(6, own), (6, 1), (6, 2), (7, 1)]));
        assert_eq!(block(Some(2), &[]), Ok(vec![(6, own), (6, 1), (7, 1)]));
        assert_eq!(block(Some(1), &[(6, own), (6, 1)]), Ok(vec![(6, 2), (7, 1)]));
        assert_eq!(block(Some(1), &[(7, 1)]), Err(7));
        assert_eq!(block(None, &[(6, 2)]), Err(6));
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
