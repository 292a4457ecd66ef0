//! Queries of those who administer calendars and hours.

use std::ops::Range;

use diesel::prelude::*;
use jiff::{Timestamp, civil::Date};
use kernel::Localized;
use platform::changes::in_use;
use storage::{
    DbError, Json, MultiBackend, Tx,
    types::{At, Day, Hour, Key},
};

use crate::{
    appointments::{Appointment, AppointmentId, AppointmentState},
    calendars::{
        model::{Calendar, CalendarId, ExceptionId, OpeningException, OpeningRule, RuleId},
        store,
    },
    schema::{
        appointments, calendar_days, calendars, holds, occupancy, opening_exceptions, opening_rules, service_calendars,
    },
};

/// Whether a change hit the version it was made from; if it did not, somebody was faster: it is decided again.
fn hit(rows: usize) -> storage::Result<()> {
    if rows == 1 { Ok(()) } else { Err(DbError::Retry("it changed meanwhile".to_owned()).into()) }
}

/// A calendar, locked until the end of the transaction, with its version raised by one: who books there, or
/// changes something of it, waits and then sees what it has become.
///
/// # Errors
/// When the database fails.
pub fn next_version(tx: &mut Tx<'_>, id: CalendarId) -> storage::Result<Option<Calendar>> {
    use calendars as c;
    let mine = c::table.filter(c::tenant_id.eq(Key(tx.tenant()))).filter(c::id.eq(Key(id)));
    diesel::update(mine).set(c::version.eq(c::version + 1)).execute(tx.conn())?;
    store::calendar(tx, id)
}

/// Saves a calendar whose version was raised before.
///
/// # Errors
/// When the office is unknown or the database fails.
pub fn save_calendar(tx: &mut Tx<'_>, calendar: &Calendar) -> storage::Result<()> {
    use calendars as c;
    let mine = c::table.filter(c::tenant_id.eq(Key(tx.tenant()))).filter(c::id.eq(Key(calendar.id)));
    let changed = diesel::update(mine.filter(c::version.eq(calendar.version)))
        .set((
            c::office_id.eq(Key(calendar.office_id)),
            c::name.eq(Json(calendar.name.clone())),
            c::tick_minutes.eq(calendar.tick_minutes),
            c::slot_minutes.eq(calendar.slot_minutes),
            c::capacity.eq(calendar.capacity),
            c::closed_on_holidays.eq(calendar.closed_on_holidays),
            c::lead_minutes.eq(calendar.lead_minutes),
            c::horizon_days.eq(calendar.horizon_days),
        ))
        .execute(tx.conn())?;
    hit(changed)
}

/// Whether any time of a calendar is or was taken: ticks are what it is counted in. Holds that have expired
/// do not count.
///
/// # Errors
/// When the database fails.
pub fn has_occupancy(tx: &mut Tx<'_>, id: CalendarId) -> storage::Result<bool> {
    use occupancy as o;
    forget_expired(tx, id)?;
    let found: Option<i64> = o::table
        .filter(o::tenant_id.eq(Key(tx.tenant())))
        .filter(o::calendar_id.eq(Key(id)))
        .select(o::tick)
        .first(tx.conn())
        .optional()?;
    Ok(found.is_some())
}

/// Removes what holds that have expired left at a calendar.
fn forget_expired(tx: &mut Tx<'_>, id: CalendarId) -> storage::Result<()> {
    let (tenant, now) = (Key(tx.tenant()), At(tx.now()));
    let seats = occupancy::table.filter(occupancy::tenant_id.eq(tenant)).filter(occupancy::calendar_id.eq(Key(id)));
    diesel::delete(seats.filter(occupancy::hold_expires_at.le(now))).execute(tx.conn())?;
    let kept = holds::table.filter(holds::tenant_id.eq(tenant)).filter(holds::calendar_id.eq(Key(id)));
    diesel::delete(kept.filter(holds::expires_at.le(now))).execute(tx.conn())?;
    Ok(())
}

/// Deletes a calendar with its hours and the services it gives. It must be locked ([`next_version`]).
///
/// # Errors
/// `in-use` when something is held or was ever booked there, or the database fails.
pub fn delete_calendar(tx: &mut Tx<'_>, id: CalendarId) -> storage::Result<()> {
    forget_expired(tx, id)?;
    let (tenant, key) = (Key(tx.tenant()), Key(id));
    macro_rules! of_calendar {
        ($table:ident) => {
            diesel::delete($table::table.filter($table::tenant_id.eq(tenant)).filter($table::calendar_id.eq(key)))
                .execute(tx.conn())
                .map_err(|error| in_use(error.into()))?
        };
    }
    of_calendar!(service_calendars);
    of_calendar!(opening_rules);
    of_calendar!(opening_exceptions);
    of_calendar!(calendar_days);
    let mine = calendars::table.filter(calendars::tenant_id.eq(tenant)).filter(calendars::id.eq(key));
    hit(diesel::delete(mine).execute(tx.conn()).map_err(|error| in_use(error.into()))?)
}

/// Saves weekly hours as the version after the one they were read as.
///
/// # Errors
/// When somebody was faster or the database fails.
pub fn save_rule(tx: &mut Tx<'_>, rule: &OpeningRule) -> storage::Result<()> {
    use opening_rules as r;
    let mine = r::table.filter(r::tenant_id.eq(Key(tx.tenant()))).filter(r::id.eq(Key(rule.id)));
    let changed = diesel::update(mine.filter(r::version.eq(rule.version.saturating_sub(1))))
        .set((
            r::weekday.eq(rule.weekday),
            r::starts_at.eq(Hour(rule.starts_at)),
            r::ends_at.eq(Hour(rule.ends_at)),
            r::valid_from.eq(Day(rule.valid_from)),
            r::valid_until.eq(rule.valid_until.map(Day)),
            r::every_n_weeks.eq(rule.every_n_weeks),
            r::capacity.eq(rule.capacity),
            r::internal_capacity.eq(rule.internal_capacity),
            r::version.eq(rule.version),
        ))
        .execute(tx.conn())?;
    hit(changed)
}

/// Deletes weekly hours in this version.
///
/// # Errors
/// When somebody was faster or the database fails.
pub fn delete_rule(tx: &mut Tx<'_>, id: RuleId, version: i64) -> storage::Result<()> {
    use opening_rules as r;
    let mine = r::table.filter(r::tenant_id.eq(Key(tx.tenant()))).filter(r::id.eq(Key(id)));
    hit(diesel::delete(mine.filter(r::version.eq(version))).execute(tx.conn())?)
}

/// One exception of a calendar.
///
/// # Errors
/// When the database fails.
pub fn exception(tx: &mut Tx<'_>, calendar: CalendarId, id: ExceptionId) -> storage::Result<Option<OpeningException>> {
    use opening_exceptions as e;
    let date: Option<Date> = e::table
        .filter(e::tenant_id.eq(Key(tx.tenant())))
        .filter(e::calendar_id.eq(Key(calendar)))
        .filter(e::id.eq(Key(id)))
        .select(e::date)
        .first(tx.conn())
        .optional()?;
    let Some(date) = date else { return Ok(None) };
    Ok(store::exceptions(tx, calendar, date, date)?.into_iter().find(|exception| exception.id == id))
}

/// Saves an exception as the version after the one it was read as.
///
/// # Errors
/// When somebody was faster or the database fails.
pub fn save_exception(tx: &mut Tx<'_>, exception: &OpeningException) -> storage::Result<()> {
    use opening_exceptions as e;
    let reason: Option<Json<Localized>> = exception.reason.clone().map(Json);
    let mine = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::id.eq(Key(exception.id)));
    let changed = diesel::update(mine.filter(e::version.eq(exception.version.saturating_sub(1))))
        .set((
            e::date.eq(Day(exception.date)),
            e::kind.eq(exception.kind),
            e::starts_at.eq(exception.starts_at.map(Hour)),
            e::ends_at.eq(exception.ends_at.map(Hour)),
            e::capacity.eq(exception.capacity),
            e::reason.eq(reason),
            e::version.eq(exception.version),
        ))
        .execute(tx.conn())?;
    hit(changed)
}

/// Deletes an exception in this version.
///
/// # Errors
/// When somebody was faster or the database fails.
pub fn delete_exception(tx: &mut Tx<'_>, id: ExceptionId, version: i64) -> storage::Result<()> {
    use opening_exceptions as e;
    let mine = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::id.eq(Key(id)));
    hit(diesel::delete(mine.filter(e::version.eq(version))).execute(tx.conn())?)
}

/// Appointments of a calendar that have not begun yet, by time, after a place in that order.
///
/// # Errors
/// When the database fails.
pub fn open_appointments(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    after: Option<(Timestamp, AppointmentId)>,
    limit: i64,
) -> storage::Result<Vec<Appointment>> {
    use appointments as a;
    let now = At(tx.now());
    let mut query = a::table
        .filter(a::tenant_id.eq(Key(tx.tenant())))
        .filter(a::calendar_id.eq(Key(calendar)))
        .filter(a::starts_at.ge(now))
        .filter(a::state.eq_any(AppointmentState::OPEN))
        .select(Appointment::as_select())
        .into_boxed::<MultiBackend>();
    if let Some((starts_at, id)) = after {
        let (at, key) = (At(starts_at), Key(id));
        query = query.filter(a::starts_at.gt(at).or(a::starts_at.eq(at).and(a::id.gt(key))));
    }
    Ok(query.order((a::starts_at, a::id)).limit(limit).load(tx.conn())?)
}

/// The seats that appointments hold in these ticks, by tick and by appointment. Holds are left out: they will
/// be gone before anybody is called.
///
/// # Errors
/// When the database fails.
pub fn occupied(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    ticks: Range<i64>,
) -> storage::Result<Vec<(i64, AppointmentId)>> {
    use occupancy as o;
    let rows: Vec<(i64, store::ClaimId)> = o::table
        .filter(o::tenant_id.eq(Key(tx.tenant())))
        .filter(o::calendar_id.eq(Key(calendar)))
        .filter(o::tick.ge(ticks.start).and(o::tick.lt(ticks.end)))
        .filter(o::hold_expires_at.is_null())
        .order((o::tick, o::claim_id))
        .select((o::tick, o::claim_id))
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|(tick, claim)| (tick, claim.cast())).collect())
}
