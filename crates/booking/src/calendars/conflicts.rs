//! What is booked and lies outside the hours: after they were changed, or as a change would leave it.
//!
//! Changing hours moves nobody. What was booked under other hours stays until somebody calls the person; here
//! is the list of whom to call. The counters that only the office fills count as counters: whoever was put there
//! is where they belong.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use jiff::{Timestamp, civil::Date};
use kernel::{
    PageRequest, civil,
    holidays::{Holiday, HolidayCalendar},
};
use platform::directory::{Closure, store as directory};
use storage::Tx;

use super::{
    admin::store as queries,
    model::{Calendar, OpeningException, OpeningRule},
    occupancy::Audience,
    store,
    ticks::{instant_of, tick_of},
    timetable::DayPlan,
};
use crate::appointments::{Appointment, AppointmentId};

storage::text_enum! {
    /// Why a booked visit does not fit the hours.
    pub enum ConflictReason {
        /// The calendar is closed on that day.
        Closed = "closed",
        /// The calendar is closed then, or before the visit ends.
        OutsideHours = "outside_hours",
        /// More visits are booked than there are counters, and this one was booked after the others.
        OverCapacity = "over_capacity",
    }
}

/// Everything that says when a calendar is open.
#[derive(Debug, Clone)]
pub struct Hours {
    /// The calendar.
    pub calendar: Calendar,
    /// Its weekly hours.
    pub rules: Vec<OpeningRule>,
    /// Its exceptions from today on.
    pub exceptions: Vec<OpeningException>,
    /// The closures of the Comune from today on.
    pub closures: Vec<Closure>,
    /// The holidays, without the closures.
    pub holidays: HolidayCalendar,
}

/// The last day that anybody means.
const LAST_DAY: Date = Date::constant(2200, 12, 31);

impl Hours {
    /// The hours of a calendar from today on.
    ///
    /// # Errors
    /// When the database fails.
    pub fn of(tx: &mut Tx<'_>, calendar: Calendar, holidays: HolidayCalendar) -> storage::Result<Self> {
        let today = civil::date_of(tx.now());
        let rules = store::rules(tx, calendar.id)?;
        let exceptions = store::exceptions(tx, calendar.id, today, LAST_DAY)?;
        let closures = directory::closures_between(tx, today, LAST_DAY)?;
        Ok(Self { calendar, rules, exceptions, closures, holidays })
    }

    fn all_holidays(&self) -> HolidayCalendar {
        let closed = |closure: &Closure| Holiday { date: closure.date, name: closure.reason.0.clone() };
        self.holidays.clone().and_closed(self.closures.iter().map(closed))
    }

    /// When a date is open, for the public and for the office.
    pub fn plan(&self, date: Date) -> DayPlan {
        DayPlan::of(&self.calendar, &self.rules, &self.exceptions, &self.all_holidays(), date)
    }

    /// How many visits of one slot the public could book in these dates, were nothing booked.
    pub fn places(&self, dates: impl Iterator<Item = Date>) -> i64 {
        dates
            .map(|date| {
                let plan = self.plan(date);
                let starts = plan.starts(Audience::Public).iter();
                starts.map(|start| plan.open_at(*start).public).fold(0_i64, i64::saturating_add)
            })
            .fold(0, i64::saturating_add)
    }
}

/// A tick in which a visit holds a seat, and how many visits booked before it hold one there too.
pub type Seat = (i64, i64);

/// Why a visit does not fit a day, if it does not. Of those who are too many, the last to book are.
pub fn conflict(plan: &DayPlan, visit: Range<i64>, seats: &[Seat]) -> Option<ConflictReason> {
    if plan.starts(Audience::Office).is_empty() {
        return Some(ConflictReason::Closed);
    }
    if !plan.is_open(visit, Audience::Office) {
        return Some(ConflictReason::OutsideHours);
    }
    let too_many = seats.iter().any(|(tick, before)| *before >= plan.seats_at(*tick).of(Audience::Office));
    too_many.then_some(ConflictReason::OverCapacity)
}

/// The seats of every claim, from `(tick, claim)` in the order of ticks and claims: ids are in the order in
/// which they were booked.
fn seats_by_claim(occupied: &[(i64, AppointmentId)]) -> HashMap<AppointmentId, Vec<Seat>> {
    let mut found: HashMap<AppointmentId, Vec<Seat>> = HashMap::new();
    let (mut current, mut before) = (i64::MIN, 0_i64);
    for &(tick, claim) in occupied {
        if tick != current {
            (current, before) = (tick, 0);
        }
        found.entry(claim).or_default().push((tick, before));
        before = before.saturating_add(1);
    }
    found
}

/// Where a list of conflicts goes on.
pub type Place = (Timestamp, AppointmentId);

/// How many appointments are looked at in one go.
const BATCH: i64 = 500;

/// The appointments from now on that `judge` finds something about, in the order of their times: at most one
/// more than the page has, so that it is known whether another follows.
///
/// # Errors
/// When the database fails.
pub fn search<C>(
    tx: &mut Tx<'_>,
    calendar: &Calendar,
    page: &PageRequest<Place>,
    mut judge: impl FnMut(&Appointment, Range<i64>, &[Seat]) -> Option<C>,
) -> storage::Result<Vec<(Appointment, C)>> {
    let wanted = usize::try_from(page.fetch()).unwrap_or(usize::MAX);
    let tick = |at: Timestamp| tick_of(at, calendar.tick_minutes);
    let mut found = Vec::new();
    let mut after = page.after;
    loop {
        let batch = queries::open_appointments(tx, calendar.id, after, BATCH)?;
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(found) };
        // Whatever was booked on the days of these visits, so that each is counted among all.
        let (from, to) = (civil::date_of(first.starts_at), civil::date_of(last.starts_at));
        let ticks = whole_days(from, to, calendar.tick_minutes);
        let seats = seats_by_claim(&queries::occupied(tx, calendar.id, ticks)?);
        after = Some((last.starts_at, last.id));
        let more = i64::try_from(batch.len()).unwrap_or(BATCH) == BATCH;
        for appointment in batch {
            // A visit that ends within a tick holds all of it.
            let last_moment = appointment.ends_at.saturating_sub(jiff::SignedDuration::from_micros(1));
            let end = tick(last_moment.unwrap_or(appointment.ends_at)).saturating_add(1);
            let own = seats.get(&appointment.id).map_or(&[][..], Vec::as_slice);
            if let Some(conflict) = judge(&appointment, tick(appointment.starts_at)..end, own) {
                found.push((appointment, conflict));
                if found.len() >= wanted {
                    return Ok(found);
                }
            }
        }
        if !more {
            return Ok(found);
        }
    }
}

/// The ticks of these dates, with those of the days beside them, into which buffers may reach.
fn whole_days(from: Date, to: Date, tick_minutes: i64) -> Range<i64> {
    let midnight = |date: Date| tick_of(civil::at(date, jiff::civil::Time::midnight()), tick_minutes);
    midnight(from.yesterday().unwrap_or(from))..midnight(to.saturating_add(jiff::Span::new().days(2)))
}

/// Judges by the hours of one calendar, laying each day out once.
#[derive(Debug)]
pub struct Judge<'a> {
    hours: &'a Hours,
    plans: BTreeMap<Date, DayPlan>,
}

impl<'a> Judge<'a> {
    /// A judge by these hours.
    pub const fn by(hours: &'a Hours) -> Self {
        Self { hours, plans: BTreeMap::new() }
    }

    /// Why a visit does not fit, if it does not.
    pub fn conflict(&mut self, visit: Range<i64>, seats: &[Seat]) -> Option<ConflictReason> {
        let date = civil::date_of(instant_of(visit.start, self.hours.calendar.tick_minutes));
        let plan = self.plans.entry(date).or_insert_with(|| self.hours.plan(date));
        conflict(plan, visit, seats)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use kernel::Localized;
    use storage::Json;
    use uuid::Uuid;

    use super::*;
    use crate::calendars::model::{
        ExceptionKind,
        samples::{at, calendar, exception, holidays, rule},
    };

    fn hours(rules: Vec<OpeningRule>) -> Hours {
        Hours { calendar: calendar(), rules, exceptions: Vec::new(), closures: Vec::new(), holidays: holidays() }
    }

    /// Monday 11 January 2027, from nine to noon, with one counter.
    const MONDAY: Date = Date::constant(2027, 1, 11);

    fn visit(hour: i8, minute: i8, ticks: i64) -> Range<i64> {
        let start = tick_of(civil::at(MONDAY, at(hour, minute)), 15);
        start..start + ticks
    }

    fn told(hours: &Hours, visit: Range<i64>, before: i64) -> Option<ConflictReason> {
        let seats: Vec<Seat> = visit.clone().map(|tick| (tick, before)).collect();
        Judge::by(hours).conflict(visit, &seats)
    }

    #[test]
    fn a_visit_is_outside_when_the_hours_end_before_it_does() {
        let hours = hours(vec![rule(1, at(9, 0), at(12, 0))]);
        assert_eq!(told(&hours, visit(9, 0, 2), 0), None);
        assert_eq!(told(&hours, visit(11, 30, 2), 0), None);
        assert_eq!(told(&hours, visit(11, 45, 2), 0), Some(ConflictReason::OutsideHours));
        assert_eq!(told(&hours, visit(8, 45, 1), 0), Some(ConflictReason::OutsideHours));
        // It need not start on the grid: nobody is moved because slots are cut in another way.
        assert_eq!(told(&hours, visit(9, 15, 1), 0), None);
    }

    #[test]
    fn the_last_to_book_are_too_many() {
        let with = |capacity, internal_capacity| {
            hours(vec![OpeningRule { capacity, internal_capacity, ..rule(1, at(9, 0), at(12, 0)) }])
        };
        assert_eq!(told(&with(1, 0), visit(9, 0, 2), 0), None);
        assert_eq!(told(&with(1, 0), visit(9, 0, 2), 1), Some(ConflictReason::OverCapacity));
        assert_eq!(told(&with(1, 1), visit(9, 0, 2), 1), None, "a counter of the office's own");
        assert_eq!(told(&with(0, 1), visit(9, 0, 2), 0), None);
        assert_eq!(with(1, 1).places([MONDAY].into_iter()), 6, "which the public cannot book");
    }

    #[test]
    fn closed_is_closed_by_whatever_closes() {
        let open = hours(vec![rule(1, at(9, 0), at(12, 0))]);
        let closure = Closure {
            tenant_id: storage::scope::PLATFORM,
            id: kernel::Id::from_uuid(Uuid::nil()),
            date: MONDAY,
            reason: Json(Localized::italian("Chiusura")),
            version: 1,
        };
        let shut = Hours { closures: vec![closure], ..open.clone() };
        assert_eq!(told(&shut, visit(9, 0, 2), 0), Some(ConflictReason::Closed));
        let always = Calendar { closed_on_holidays: false, ..calendar() };
        assert_eq!(told(&Hours { calendar: always, ..shut }, visit(9, 0, 2), 0), None);
        let off = Hours { exceptions: vec![exception(ExceptionKind::Closed, MONDAY, None)], ..open.clone() };
        assert_eq!(told(&off, visit(9, 0, 2), 0), Some(ConflictReason::Closed));
        let gone = Hours { rules: Vec::new(), ..open.clone() };
        assert_eq!(told(&gone, visit(9, 0, 2), 0), Some(ConflictReason::Closed));
        assert_eq!((open.places([MONDAY].into_iter()), gone.places([MONDAY].into_iter())), (6, 0));
        assert_eq!(open.places([date(2027, 1, 12)].into_iter()), 0);
    }

    #[test]
    fn seats_are_counted_in_the_order_of_booking() {
        let id = |n| AppointmentId::from_uuid(Uuid::from_u128(n));
        let seats = seats_by_claim(&[(7, id(1)), (7, id(2)), (8, id(2)), (8, id(3)), (9, id(3))]);
        assert_eq!(seats[&id(1)], [(7, 0)]);
        assert_eq!(seats[&id(2)], [(7, 1), (8, 0)]);
        assert_eq!(seats[&id(3)], [(8, 1), (9, 0)]);
    }
}
