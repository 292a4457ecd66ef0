//! Opening hours and free counts against a slow computation that shares no code with them: it walks
//! through the day minute by minute with a clock of Europe/Rome in hand. And what must hold of seats
//! whatever people do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{
    Timestamp, ToSpan, Zoned,
    civil::{Date, Time, date, time},
};
use kernel::Id;
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
};

use super::{
    model::{
        Calendar, ExceptionKind, OpeningException, OpeningRule,
        samples::{calendar, exception, holidays, rule},
    },
    occupancy::{Audience, FIRST_INTERNAL_SEAT, Seats, Slot, assign_seats, check_start, slots},
    ticks::{ServiceTime, Span, span, tick_of},
    timetable::DayPlan,
};

/// A calendar on a date, and a visit that somebody wants.
#[derive(Debug, Clone)]
struct Case {
    calendar: Calendar,
    rules: Vec<OpeningRule>,
    exceptions: Vec<OpeningException>,
    date: Date,
    service: ServiceTime,
    persons: i64,
    /// Seats taken, repeating over the ticks: everybody's, and the office's own.
    taken: Vec<(i64, i64)>,
}

impl Case {
    fn plan(&self) -> DayPlan {
        DayPlan::of(&self.calendar, &self.rules, &self.exceptions, &holidays(), self.date)
    }

    fn span(&self) -> Span {
        span(self.service, self.persons, &self.calendar).unwrap()
    }

    fn taken(&self, tick: i64) -> Seats {
        let index = tick.rem_euclid(i64::try_from(self.taken.len()).unwrap());
        let (public, internal) = self.taken[usize::try_from(index).unwrap()];
        Seats { public, internal }
    }
}

fn dates() -> impl Strategy<Value = Date> {
    let any = (0..500_i64).prop_map(|days| date(2026, 9, 1) + days.days());
    let holidays = select(vec![date(2026, 12, 25), date(2027, 1, 6), date(2027, 3, 29), date(2027, 4, 25)]);
    // The clocks change; 28 March 2027 is Easter as well.
    let changes = select(vec![date(2026, 3, 29), date(2027, 3, 28), date(2027, 10, 31)]);
    prop_oneof![3 => any, 4 => changes, 1 => holidays]
}

fn calendars() -> impl Strategy<Value = Calendar> {
    (select(vec![5, 10, 15, 30, 60]), 1..=4_i64, 0..=4_i64, any::<bool>()).prop_map(
        |(tick_minutes, ticks, capacity, closed_on_holidays)| Calendar {
            tick_minutes,
            slot_minutes: tick_minutes * ticks,
            capacity,
            closed_on_holidays,
            lead_minutes: 0,
            horizon_days: 1000,
            ..calendar()
        },
    )
}

/// Mostly quarters of an hour, many in the small hours, where the clocks change, some between the ticks.
fn times() -> impl Strategy<Value = Time> {
    let quarters = || select(vec![0, 15, 30, 45]);
    prop_oneof![6 => (0..24_i8, quarters()), 4 => (0..5_i8, quarters()), 1 => (0..24_i8, 0..60_i8)]
        .prop_map(|(hour, minute)| time(hour, minute, 0, 0))
}

fn hours() -> impl Strategy<Value = (Time, Time)> {
    let two = (times(), times()).prop_filter("empty hours", |(one, other)| one != other);
    two.prop_map(|(one, other)| (one.min(other), one.max(other)))
}

fn rules(on: Date) -> impl Strategy<Value = OpeningRule> {
    let today = i64::from(on.weekday().to_monday_one_offset());
    let weekday = prop_oneof![5 => Just(today), 1 => 1..=7_i64];
    let counters = (0..=4_i64, select(vec![0, 0, 1, 3]));
    (weekday, hours(), -45..=2_i64, option::weighted(0.3, 0..60_i64), select(vec![1, 1, 2, 3]), counters).prop_map(
        move |(weekday, (starts_at, ends_at), since, days, every_n_weeks, (capacity, internal_capacity))| {
            let valid_from = on + since.days();
            let valid_until = days.map(|days| valid_from + days.days());
            let rule = rule(weekday, starts_at, ends_at);
            OpeningRule { valid_from, valid_until, every_n_weeks, capacity, internal_capacity, ..rule }
        },
    )
}

fn exceptions(on: Date) -> impl Strategy<Value = OpeningException> {
    let kind = select(vec![ExceptionKind::Closed, ExceptionKind::Open, ExceptionKind::Capacity]);
    let said = prop_oneof![4 => Just((true, true)), 1 => any::<(bool, bool)>()];
    (kind, select(vec![0, 0, 0, 1]), hours(), said, option::of(0..=4_i64), any::<[u8; 10]>()).prop_map(
        move |(kind, days, (from, until), (says_from, says_until), capacity, id)| OpeningException {
            id: Id::generate(Timestamp::UNIX_EPOCH, id),
            starts_at: says_from.then_some(from),
            ends_at: says_until.then_some(until),
            capacity,
            ..exception(kind, on + days.days(), None)
        },
    )
}

fn services() -> impl Strategy<Value = ServiceTime> {
    (prop_oneof![3 => 1..=40_i64, 1 => 1..=150_i64], 0..=30_i64, 0..=40_i64, 0..=40_i64).prop_map(
        |(minutes, extra_person_minutes, buffer_before_minutes, buffer_after_minutes)| ServiceTime {
            minutes,
            extra_person_minutes,
            buffer_before_minutes,
            buffer_after_minutes,
        },
    )
}

fn taken() -> impl Strategy<Value = (i64, i64)> {
    (select(vec![0, 0, 0, 1, 1, 2, 3]), select(vec![0, 0, 1, 2, 4]))
}

fn audiences() -> impl Strategy<Value = Audience> {
    select(vec![Audience::Public, Audience::Office])
}

fn cases() -> impl Strategy<Value = Case> {
    dates().prop_flat_map(|date| {
        let hours = (vec(rules(date), 0..6), vec(exceptions(date), 0..5));
        (calendars(), hours, services(), 1..=3_i64, vec(taken(), 1..12)).prop_map(
            move |(calendar, (rules, exceptions), service, persons, taken)| Case {
                calendar,
                rules,
                exceptions,
                date,
                service,
                persons,
                taken,
            },
        )
    })
}

/// One day as somebody with a watch lives it: each minute since 1970, and what the clock shows in it.
struct Watch(Vec<(i64, Time)>);

impl Watch {
    fn on(date: Date) -> Self {
        let midnight = |date: Date| date.in_tz("Europe/Rome").unwrap();
        let (mut now, end): (Zoned, Zoned) = (midnight(date), midnight(date.tomorrow().unwrap()));
        let mut minutes = Vec::new();
        while now < end {
            minutes.push((now.timestamp().as_second() / 60, now.time()));
            now += 1.minute();
        }
        Self(minutes)
    }

    /// From when the clock first shows `from`, or would have, until it first shows `until`.
    fn between(&self, from: Option<Time>, until: Option<Time>) -> BTreeSet<i64> {
        let first = |time: Time| self.0.iter().position(|(_, clock)| *clock >= time).unwrap_or(self.0.len());
        let (opens, closes) = (from.map_or(0, first), until.map_or(self.0.len(), first));
        self.0.iter().skip(opens).take(closes.saturating_sub(opens)).map(|(minute, _)| *minute).collect()
    }
}

fn tick_around(minute: i64, tick_minutes: i64) -> std::ops::Range<i64> {
    let mut first = minute;
    while first % tick_minutes != 0 {
        first -= 1;
    }
    first..first + tick_minutes
}

/// Finds the rule's next weeks one by one.
fn rule_holds(rule: &OpeningRule, date: Date) -> bool {
    let mut week = rule.valid_from;
    while week.iso_week_date() < date.iso_week_date() && !same_week(week, date) {
        week += rule.every_n_weeks.weeks();
    }
    let weekday = i64::from(date.iso_week_date().weekday().to_monday_one_offset());
    let ended = rule.valid_until.is_some_and(|last| last < date);
    same_week(week, date) && weekday == rule.weekday && date >= rule.valid_from && !ended
}

fn same_week(one: Date, other: Date) -> bool {
    let week = |date: Date| (date.iso_week_date().year(), date.iso_week_date().week());
    week(one) == week(other)
}

fn reference(case: &Case, audience: Audience) -> Vec<Slot> {
    let Calendar { tick_minutes, slot_minutes, .. } = case.calendar;
    let watch = Watch::on(case.date);
    let whole = |minutes: BTreeSet<i64>| -> BTreeSet<i64> {
        let inside = |minute: &i64| tick_around(*minute, tick_minutes).all(|minute| minutes.contains(&minute));
        minutes.iter().copied().filter(inside).collect()
    };
    let touched = |minutes: BTreeSet<i64>| -> BTreeSet<i64> {
        minutes.iter().flat_map(|minute| tick_around(*minute, tick_minutes)).collect()
    };
    let today = || case.exceptions.iter().filter(|exception| exception.date == case.date);
    let of_kind = |kind| today().filter(move |exception| exception.kind == kind);
    let hours = |exception: &OpeningException| watch.between(exception.starts_at, exception.ends_at);
    let counters = |exception: &OpeningException| exception.capacity.unwrap_or(case.calendar.capacity);

    // Minutes that are open, counters for everybody, counters for the office besides.
    let mut openings = Vec::new();
    if !case.calendar.closed_on_holidays || !holidays().is_holiday(case.date) {
        for rule in case.rules.iter().filter(|rule| rule_holds(rule, case.date)) {
            let minutes = whole(watch.between(Some(rule.starts_at), Some(rule.ends_at)));
            openings.push((minutes, rule.capacity, rule.internal_capacity));
        }
    }
    for extra in of_kind(ExceptionKind::Open).filter(|open| open.starts_at.is_some() && open.ends_at.is_some()) {
        openings.push((whole(hours(extra)), counters(extra), 0));
    }
    let (mut public, mut internal) = (BTreeMap::<i64, i64>::new(), BTreeMap::<i64, i64>::new());
    for (minutes, everybodys, own) in &openings {
        for minute in minutes {
            *public.entry(*minute).or_default() += everybodys;
            *internal.entry(*minute).or_default() += own;
        }
    }
    public.retain(|minute, counters| *counters > 0 || internal[minute] > 0);
    let mut changes: Vec<_> = of_kind(ExceptionKind::Capacity).collect();
    changes.sort_by_key(|change| (change.starts_at, change.id));
    for change in changes {
        for minute in touched(hours(change)) {
            public.entry(minute).and_modify(|capacity| *capacity = counters(change));
        }
    }
    for closure in of_kind(ExceptionKind::Closed) {
        for minute in touched(hours(closure)) {
            public.remove(&minute);
        }
    }
    public.retain(|minute, counters| *counters > 0 || internal[minute] > 0);
    internal.retain(|minute, _| public.contains_key(minute));
    let most_internal = internal.values().copied().max().unwrap_or(0);
    let theirs = |everybodys: i64, own: i64| match audience {
        Audience::Public => everybodys,
        Audience::Office => everybodys + own,
    };
    let capacity =
        |minute: &i64| theirs(public.get(minute).copied().unwrap_or(0), internal.get(minute).copied().unwrap_or(0));

    let up_to = |needed: i64, unit: i64| (0..).map(|n| n * unit).find(|total| *total >= needed).unwrap();
    let needed = (1..case.persons).fold(case.service.minutes, |sum, _| sum + case.service.extra_person_minutes);
    let visit = up_to(needed, slot_minutes);
    let before = up_to(case.service.buffer_before_minutes, tick_minutes);
    let after = up_to(case.service.buffer_after_minutes, tick_minutes);

    let mut starts = BTreeSet::new();
    for (minutes, ..) in openings.iter().filter(|(_, everybodys, own)| theirs(*everybodys, *own) > 0) {
        let first = minutes.first().copied().unwrap_or(0);
        starts.extend(minutes.iter().copied().filter(|minute| (minute - first) % slot_minutes == 0));
    }
    starts.retain(|start| (*start..start + visit).all(|minute| capacity(&minute) > 0));
    let left = |minute: i64| {
        let outside = (case.calendar.capacity, most_internal);
        let (everybodys, own) = public.get(&minute).map_or(outside, |seats| (*seats, internal[&minute]));
        let taken = case.taken(minute.div_euclid(tick_minutes));
        theirs((everybodys - taken.public).max(0), (own - taken.internal).max(0))
    };
    let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
    let slot = |start: i64| Slot {
        starts_at: at(start),
        ends_at: at(start + visit),
        free: (start - before..start + visit + after).map(left).min().unwrap().max(0),
    };
    starts.into_iter().map(slot).collect()
}

/// What people do at a counter.
#[derive(Debug, Clone)]
enum Act {
    Claim { first: i64, ticks: i64 },
    Release { booking: usize },
    SetCapacity { tick: usize, seats: i64 },
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..20_i64, 1..8_i64).prop_map(|(first, ticks)| Act::Claim { first, ticks }),
        3 => any::<usize>().prop_map(|booking| Act::Release { booking }),
        1 => (0..28_usize, 0..4_i64).prop_map(|(tick, seats)| Act::SetCapacity { tick, seats }),
    ]
}

fn held(taken: &BTreeSet<(i64, i64)>, tick: i64) -> Seats {
    let count = |internal: bool| {
        let here = |(other, seat): &&(i64, i64)| *other == tick && (*seat >= FIRST_INTERNAL_SEAT) == internal;
        i64::try_from(taken.iter().filter(here).count()).unwrap()
    };
    Seats { public: count(false), internal: count(true) }
}

proptest! {
    #[test]
    fn slots_are_those_of_the_slow_computation(case in cases(), audience in audiences()) {
        let (plan, span) = (case.plan(), case.span());
        let reach = plan.reach(span);
        let taken = |tick| {
            assert!(reach.contains(&tick), "{tick} lies outside {reach:?}");
            case.taken(tick)
        };
        prop_assert_eq!(slots(&plan, span, audience, taken), reference(&case, audience));
    }

    #[test]
    fn exactly_the_offered_starts_are_accepted(case in cases(), audience in audiences()) {
        let (plan, span, now) = (case.plan(), case.span(), date(2026, 1, 1).in_tz("UTC").unwrap().timestamp());
        let offered: BTreeSet<Timestamp> =
            slots(&plan, span, audience, |_| Seats::NONE).iter().map(|slot| slot.starts_at).collect();
        for (minute, _) in Watch::on(case.date).0 {
            let starts_at = Timestamp::from_second(minute * 60).unwrap();
            let accepted = check_start(&plan, audience, &case.calendar, span, starts_at, now);
            prop_assert_eq!(accepted.is_ok(), offered.contains(&starts_at), "{} {:?}", starts_at, accepted);
        }
    }

    #[test]
    fn every_claim_takes_one_from_its_slot_until_the_last_is_refused(
        case in cases(), audience in audiences(), which in any::<Index>()
    ) {
        let (plan, span) = (case.plan(), case.span());
        let mut taken = BTreeSet::new();
        let list = |taken: &BTreeSet<_>, audience| slots(&plan, span, audience, |tick| held(taken, tick));
        let mut before = list(&taken, audience);
        if before.is_empty() {
            return Ok(());
        }
        let chosen = which.index(before.len());
        let ticks = span.occupied(tick_of(before[chosen].starts_at, plan.tick_minutes()));
        loop {
            let public_before = list(&taken, Audience::Public);
            let own_left = ticks.clone().all(|tick| plan.seats_at(tick).internal > held(&taken, tick).internal);
            let seats = assign_seats(|tick| plan.seats_at(tick), audience, &taken, ticks.clone());
            prop_assert_eq!(seats.is_some(), before[chosen].free > 0);
            let Some(seats) = seats else { break };
            taken.extend(seats);
            let after = list(&taken, audience);
            prop_assert_eq!(after[chosen].free, before[chosen].free - 1);
            for (was, is) in before.iter().zip(&after) {
                prop_assert!(is.free == was.free || is.free == was.free - 1);
            }
            // The office takes nothing from the public as long as it has seats of its own.
            if audience == Audience::Office && own_left {
                prop_assert_eq!(list(&taken, Audience::Public), public_before);
            }
            before = after;
        }
    }

    #[test]
    fn seats_never_exceed_the_capacity(
        mut capacity in vec((0..4_i64, 0..3_i64), 28), acts in vec((acts(), audiences()), 1..80)
    ) {
        let mut taken: BTreeSet<(i64, i64)> = BTreeSet::new();
        let mut bookings: Vec<Vec<(i64, i64)>> = Vec::new();
        for (act, audience) in acts {
            match act {
                Act::Claim { first, ticks } => {
                    let seats_at = |tick: i64| {
                        let (public, internal) = capacity[usize::try_from(tick).unwrap()];
                        Seats { public, internal }
                    };
                    let claimed = assign_seats(seats_at, audience, &taken, first..first + ticks);
                    let room = |tick| seats_at(tick).without(held(&taken, tick));
                    let fits = (first..first + ticks).all(|tick| room(tick).of(audience) > 0);
                    prop_assert_eq!(claimed.is_some(), fits);
                    let Some(booking) = claimed else { continue };
                    prop_assert!(booking.iter().map(|(tick, _)| *tick).eq(first..first + ticks));
                    for &(tick, seat) in &booking {
                        let own = seat >= FIRST_INTERNAL_SEAT;
                        let (from, there_are) =
                            if own { (FIRST_INTERNAL_SEAT, seats_at(tick).internal) } else { (1, seats_at(tick).public) };
                        prop_assert!((from..from + there_are).contains(&seat));
                        prop_assert!(!own || audience == Audience::Office);
                        // The public's last, while the office has one of its own.
                        prop_assert!(own || audience == Audience::Public || room(tick).internal == 0);
                        prop_assert!(!taken.contains(&(tick, seat)), "seat {} of tick {} was given twice", seat, tick);
                    }
                    taken.extend(&booking);
                    bookings.push(booking);
                }
                Act::Release { booking } if !bookings.is_empty() => {
                    for seat in bookings.swap_remove(booking % bookings.len()) {
                        taken.remove(&seat);
                    }
                }
                Act::Release { .. } => {}
                Act::SetCapacity { tick, seats } => capacity[tick].0 = seats,
            }
        }
    }
}
