//! Claiming time: the one path by which holds, bookings and moves take seats.
//!
//! Lock the days, forget what expired, look, take. The lock makes claims of a day follow one another;
//! the primary key of `occupancy` is the second wall behind it.

use std::{
    collections::BTreeMap,
    ops::{Range, RangeInclusive},
};

use jiff::{SignedDuration, Timestamp, civil::Date};
use kernel::{Problem, civil, holidays::HolidayCalendar};
use platform::{directory::store as directory, problems::INVALID_BODY};
use storage::Tx;

use super::{
    model::{Calendar, CalendarId},
    occupancy::{self, Audience, Seats, Slot, StartRefusal},
    store::{self, ClaimId},
    ticks::{self, Span},
    timetable::DayPlan,
};
use crate::{
    offers::{Offer, Terms, Wish},
    problems::{BEYOND_HORIZON, DURATION_NOT_ALLOWED, LEAD_TIME, OUTSIDE_OPENING_HOURS, SLOT_TAKEN},
};

/// A visit that somebody wants, checked against the calendar but not yet against others.
#[derive(Debug, Clone)]
pub struct Visit {
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    audience: Audience,
    plan: DayPlan,
    ticks: Range<i64>,
}

/// Checks that a visit may start then, as far as hours, notice and horizon go.
///
/// # Errors
/// The refusals of the calendar, or the database's.
pub fn plan_visit(
    tx: &mut Tx<'_>,
    offer: &Offer,
    holidays: &HolidayCalendar,
    wish: Wish,
    terms: Terms,
) -> storage::Result<Visit> {
    let (calendar, starts_at) = (&offer.calendar, wish.starts_at);
    store::share_hours(tx, calendar)?;
    let span = span(offer, wish.persons)?;
    let date = civil::date_of(starts_at);
    let plan = day_plans(tx, calendar, holidays, date, date)?.into_iter().next();
    let Some((_, plan)) = plan else { return Err(Problem::new(&OUTSIDE_OPENING_HOURS).into()) };
    let mut asked = calendar.clone();
    if !terms.asks_notice() {
        asked.lead_minutes = 0;
    }
    let audience = terms.audience();
    let tick = occupancy::check_start(&plan, audience, &asked, span, starts_at, tx.now()).map_err(refusal)?;
    let ends_at = ticks::instant_of(span.visit(tick).end, calendar.tick_minutes);
    Ok(Visit { starts_at, ends_at, audience, plan, ticks: span.occupied(tick) })
}

/// Takes seats for a visit. The days must be locked ([`lock`]).
///
/// # Errors
/// `slot-taken` when a tick is full.
pub fn take(
    tx: &mut Tx<'_>,
    calendar: &Calendar,
    visit: &Visit,
    claim: ClaimId,
    hold_expires_at: Option<Timestamp>,
) -> storage::Result<()> {
    store::drop_expired(tx, calendar.id, visit.ticks.clone())?;
    let taken = store::taken(tx, calendar.id, visit.ticks.clone())?;
    let seats = occupancy::assign_seats(|tick| visit.plan.seats_at(tick), visit.audience, &taken, visit.ticks.clone())
        .ok_or_else(slot_taken)?;
    store::take(tx, calendar.id, claim, &seats, hold_expires_at).map_err(|failure| {
        let second_wall = failure.is_unique("occupancy", &["tenant_id", "calendar_id", "tick", "seat"]);
        if second_wall { slot_taken().into() } else { failure }
    })
}

/// Locks the days a visit touches.
///
/// # Errors
/// When the database fails.
pub fn lock(tx: &mut Tx<'_>, calendar: &Calendar, visit: &Visit) -> storage::Result<()> {
    store::lock_days(tx, &days(calendar, visit).collect())
}

/// Locks the days a visit touches and those of a claim that it takes the place of, in the one order.
///
/// # Errors
/// When the database fails.
pub fn lock_for_move(tx: &mut Tx<'_>, calendar: &Calendar, visit: &Visit, from: ClaimId) -> storage::Result<()> {
    let mut both = store::days_of(tx, from)?;
    both.extend(days(calendar, visit));
    store::lock_days(tx, &both)
}

fn days(calendar: &Calendar, visit: &Visit) -> impl Iterator<Item = (CalendarId, Date)> {
    let id = calendar.id;
    ticks::days_touched(visit.ticks.clone(), calendar.tick_minutes).into_iter().map(move |day| (id, day))
}

/// The plans of a range of dates, both included, with the closures of the Comune as they are now.
///
/// # Errors
/// When the database fails.
pub fn day_plans(
    tx: &mut Tx<'_>,
    calendar: &Calendar,
    holidays: &HolidayCalendar,
    from: Date,
    to: Date,
) -> storage::Result<Vec<(Date, DayPlan)>> {
    let rules = store::rules(tx, calendar.id)?;
    let exceptions = store::exceptions(tx, calendar.id, from, to)?;
    let holidays =
        &if calendar.closed_on_holidays { directory::with_closures(tx, holidays, from, to)? } else { holidays.clone() };
    let dates = from.series(jiff::Span::new().days(1)).take_while(|date| *date <= to);
    Ok(dates.map(|date| (date, DayPlan::of(calendar, &rules, &exceptions, holidays, date))).collect())
}

/// Gives back what is left of a claim's time after the tick that runs now.
///
/// # Errors
/// When the database fails.
pub fn give_back_the_rest(tx: &mut Tx<'_>, calendar: CalendarId, claim: ClaimId) -> storage::Result<()> {
    let Some(calendar) = store::calendar(tx, calendar)? else { return Ok(()) };
    let running = ticks::tick_of(tx.now(), calendar.tick_minutes);
    store::release_after(tx, claim, running)
}

/// Takes again what [`give_back_the_rest`] gave back of a visit, as far as it lies ahead still.
///
/// # Errors
/// `slot-taken` when somebody else has it now.
pub fn take_the_rest(
    tx: &mut Tx<'_>,
    offer: &Offer,
    holidays: &HolidayCalendar,
    times: Range<Timestamp>,
    claim: ClaimId,
    terms: Terms,
) -> storage::Result<()> {
    let (calendar, date) = (&offer.calendar, civil::date_of(times.start));
    store::share_hours(tx, calendar)?;
    let tick_of = |instant| ticks::tick_of(instant, calendar.tick_minutes);
    let clearing = ticks::units(offer.service.buffer_after_minutes, calendar.tick_minutes);
    let ahead = tick_of(tx.now()).saturating_add(1);
    let ticks = ahead.max(tick_of(times.start))..tick_of(times.end).saturating_add(clearing);
    let plan = day_plans(tx, calendar, holidays, date, date)?.into_iter().next();
    let (Some((_, plan)), false) = (plan, ticks.is_empty()) else { return Ok(()) };
    let visit = Visit { starts_at: times.start, ends_at: times.end, audience: terms.audience(), plan, ticks };
    lock(tx, calendar, &visit)?;
    take(tx, calendar, &visit, claim, None)
}

/// How many seats one block takes at most: a month of quarters of an hour at fifty counters.
const MOST_BLOCKED: usize = 100_000;

/// Takes seats of the open ticks of a time for nobody's visit: so many, or all. What its first and last tick touch
/// is taken as a whole. Answers whose claims are in the way, where not enough seats are left; nothing is taken then.
///
/// # Errors
/// `outside-opening-hours` where nothing is open anyway, `invalid-body` beyond [`MOST_BLOCKED`].
pub fn block(
    tx: &mut Tx<'_>,
    calendar: &Calendar,
    holidays: &HolidayCalendar,
    times: Range<Timestamp>,
    seats: Option<i64>,
    claim: ClaimId,
) -> storage::Result<Option<Vec<ClaimId>>> {
    store::share_hours(tx, calendar)?;
    let minutes = calendar.tick_minutes;
    let last = times.end.saturating_sub(SignedDuration::from_micros(1)).unwrap_or(times.end);
    let ticks = ticks::tick_of(times.start, minutes)..ticks::tick_of(last, minutes).saturating_add(1);
    let days = ticks::days_touched(ticks.clone(), minutes);
    store::lock_days(tx, &days.iter().map(|day| (calendar.id, *day)).collect())?;
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(None) };
    let plans = day_plans(tx, calendar, holidays, *first, *last)?;
    let open: BTreeMap<i64, Seats> = plans
        .iter()
        .flat_map(|(_, plan)| plan.open_ticks(ticks.clone()).map(|tick| (tick, plan.seats_at(tick))))
        .collect();
    if open.is_empty() {
        return Err(Problem::new(&OUTSIDE_OPENING_HOURS).field("/starts_at", "closed", "nothing is open then").into());
    }
    store::drop_expired(tx, calendar.id, ticks.clone())?;
    let taken = store::taken(tx, calendar.id, ticks)?;
    let seats_of = |tick: i64| open.get(&tick).copied().unwrap_or_default();
    match occupancy::block_seats(seats_of, seats, &taken, open.keys().copied()) {
        Ok(seats) if seats.len() > MOST_BLOCKED => {
            let words = "more counters, for longer, than one block may keep free";
            Err(Problem::new(&INVALID_BODY).field("/ends_at", "too-large", words).into())
        }
        Ok(seats) => store::take(tx, calendar.id, claim, &seats, None).map(|()| None),
        Err(full) => store::claims_at(tx, calendar.id, full).map(Some),
    }
}

/// The slots of a range of dates that everybody can ask for now, each with how many are free.
///
/// # Errors
/// `duration-not-allowed`, or the database's.
pub fn slots(
    tx: &mut Tx<'_>,
    offer: &Offer,
    holidays: &HolidayCalendar,
    persons: i64,
    dates: RangeInclusive<Date>,
) -> storage::Result<Vec<(Date, Vec<Slot>)>> {
    slots_for(tx, offer, holidays, persons, dates, Terms::Public)
}

/// The slots of a range of dates that can be asked for now on these terms, each with how many are free.
///
/// # Errors
/// `duration-not-allowed`, or the database's.
pub fn slots_for(
    tx: &mut Tx<'_>,
    offer: &Offer,
    holidays: &HolidayCalendar,
    persons: i64,
    dates: RangeInclusive<Date>,
    terms: Terms,
) -> storage::Result<Vec<(Date, Vec<Slot>)>> {
    let (calendar, audience) = (&offer.calendar, terms.audience());
    let span = span(offer, persons)?;
    let mut window = occupancy::Window::of(calendar, tx.now());
    if !terms.asks_notice() {
        window.earliest = tx.now();
    }
    let plans = day_plans(tx, calendar, holidays, *dates.start(), window.last_date.min(*dates.end()))?;
    let reaches = || plans.iter().map(|(_, plan)| plan.reach(span)).filter(|reach| !reach.is_empty());
    let whole = reaches().map(|r| r.start).min().unwrap_or(0)..reaches().map(|r| r.end).max().unwrap_or(0);
    let taken = store::taken_counts(tx, calendar.id, whole, audience)?;
    let free = |plan: &DayPlan| {
        let mut slots = occupancy::slots(plan, span, audience, |tick| taken.get(&tick).copied().unwrap_or_default());
        slots.retain(|slot| window.admits(slot.starts_at).is_ok());
        slots
    };
    Ok(plans.iter().map(|(date, plan)| (*date, free(plan))).collect())
}

/// How far [`alternatives`] looks, and how many it offers.
const LOOK_AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);
const OFFERED: usize = 5;

/// The next free times at or after the start of `wanted`'s day, the nearest to it first.
///
/// # Errors
/// When the database fails.
pub fn alternatives(
    tx: &mut Tx<'_>,
    offer: &Offer,
    holidays: &HolidayCalendar,
    persons: i64,
    wanted: Timestamp,
    terms: Terms,
) -> storage::Result<Vec<Slot>> {
    let from = civil::date_of(wanted).max(civil::date_of(tx.now()));
    let days = slots_for(tx, offer, holidays, persons, from..=from.saturating_add(LOOK_AHEAD), terms)?;
    let mut free: Vec<Slot> = days.into_iter().flat_map(|(_, slots)| slots).filter(|slot| slot.free > 0).collect();
    free.sort_by_key(|slot| slot.starts_at.duration_since(wanted).abs());
    free.truncate(OFFERED);
    free.sort_by_key(|slot| slot.starts_at);
    Ok(free)
}

/// The ticks of a visit, or why there are none.
fn span(offer: &Offer, persons: i64) -> Result<Span, Problem> {
    let service = &offer.service;
    if persons > service.max_persons {
        return Err(Problem::new(&DURATION_NOT_ALLOWED)
            .field("/persons", "too-many", format!("at most {} in one appointment", service.max_persons))
            .with("max_persons", service.max_persons));
    }
    ticks::span(service.time(), persons, &offer.calendar)
        .map_err(|_too_long| Problem::new(&DURATION_NOT_ALLOWED).detail("the visit would not fit in a day"))
}

fn slot_taken() -> Problem {
    Problem::new(&SLOT_TAKEN).detail("every counter is taken at that time")
}

fn refusal(refusal: StartRefusal) -> Problem {
    let at_start = |problem: Problem, words: &str| problem.field("/starts_at", "not-bookable", words.to_owned());
    match refusal {
        StartRefusal::OutsideOpeningHours => {
            at_start(Problem::new(&OUTSIDE_OPENING_HOURS), "closed then, or before the visit would end")
        }
        StartRefusal::NotASlotStart => at_start(Problem::new(&OUTSIDE_OPENING_HOURS), "open, but no slot starts then"),
        StartRefusal::LeadTime { earliest } => {
            at_start(Problem::new(&LEAD_TIME), "too soon").with("earliest", civil::format_rfc3339(earliest))
        }
        StartRefusal::BeyondHorizon { last_date } => {
            at_start(Problem::new(&BEYOND_HORIZON), "too far ahead").with("last_date", last_date.to_string())
        }
    }
}
