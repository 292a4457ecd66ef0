//! Claiming time: the one path by which holds, bookings and moves take seats.
//!
//! Lock the days, forget what expired, look, take. The lock makes claims of a day follow one another;
//! the primary key of `occupancy` is the second wall behind it.

use std::ops::{Range, RangeInclusive};

use jiff::{SignedDuration, Timestamp, civil::Date};
use kernel::{Problem, civil, holidays::HolidayCalendar};
use storage::Tx;

use super::{
    model::Calendar,
    occupancy::{self, Slot, StartRefusal},
    store::{self, ClaimId},
    ticks::{self, Span},
    timetable::DayPlan,
};
use crate::{
    offers::{Notice, Offer, Wish},
    problems::{BEYOND_HORIZON, DURATION_NOT_ALLOWED, LEAD_TIME, OUTSIDE_OPENING_HOURS, SLOT_TAKEN},
};

/// A visit that somebody wants, checked against the calendar but not yet against others.
#[derive(Debug, Clone)]
pub struct Visit {
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
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
    notice: Notice,
) -> storage::Result<Visit> {
    let (calendar, starts_at) = (&offer.calendar, wish.starts_at);
    let span = span(offer, wish.persons)?;
    let date = civil::date_of(starts_at);
    let plan = day_plans(tx, calendar, holidays, date, date)?.into_iter().next();
    let Some((_, plan)) = plan else { return Err(Problem::new(&OUTSIDE_OPENING_HOURS).into()) };
    let asked = match notice {
        Notice::Usual => calendar.clone(),
        Notice::Waived => Calendar { lead_minutes: 0, ..calendar.clone() },
    };
    let tick = occupancy::check_start(&plan, &asked, span, starts_at, tx.now()).map_err(refusal)?;
    let ends_at = ticks::instant_of(span.visit(tick).end, calendar.tick_minutes);
    Ok(Visit { starts_at, ends_at, plan, ticks: span.occupied(tick) })
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
    let seats = occupancy::assign_seats(|tick| visit.plan.seats_at(tick), &taken, visit.ticks.clone())
        .ok_or_else(slot_taken)?;
    store::take(tx, calendar.id, claim, &seats, hold_expires_at).map_err(|failure| {
        let second_wall = failure.is_unique("occupancy", &["tenant_id", "calendar_id", "tick", "seat"]);
        if second_wall { slot_taken().into() } else { failure }
    })
}

/// Locks the days a visit touches. Giving time back needs no lock: whoever looks meanwhile sees it taken.
///
/// # Errors
/// When the database fails.
pub fn lock(tx: &mut Tx<'_>, calendar: &Calendar, visit: &Visit) -> storage::Result<()> {
    let days = ticks::days_touched(visit.ticks.clone(), calendar.tick_minutes);
    store::lock_days(tx, &days.into_iter().map(|day| (calendar.id, day)).collect())
}

/// The plans of a range of dates, both included.
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
    let dates = from.series(jiff::Span::new().days(1)).take_while(|date| *date <= to);
    Ok(dates.map(|date| (date, DayPlan::of(calendar, &rules, &exceptions, holidays, date))).collect())
}

/// The slots of a range of dates that can be asked for now, each with how many are free.
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
    let calendar = &offer.calendar;
    let span = span(offer, persons)?;
    let window = occupancy::Window::of(calendar, tx.now());
    let plans = day_plans(tx, calendar, holidays, *dates.start(), window.last_date.min(*dates.end()))?;
    let reaches = || plans.iter().map(|(_, plan)| plan.reach(span)).filter(|reach| !reach.is_empty());
    let whole = reaches().map(|r| r.start).min().unwrap_or(0)..reaches().map(|r| r.end).max().unwrap_or(0);
    let taken = store::taken_counts(tx, calendar.id, whole)?;
    let free = |plan: &DayPlan| {
        let mut slots = occupancy::slots(plan, span, |tick| taken.get(&tick).copied().unwrap_or(0));
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
) -> storage::Result<Vec<Slot>> {
    let from = civil::date_of(wanted).max(civil::date_of(tx.now()));
    let days = slots(tx, offer, holidays, persons, from..=from.saturating_add(LOOK_AHEAD))?;
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
