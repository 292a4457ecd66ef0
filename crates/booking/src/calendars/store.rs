//! Queries over calendars and their hours; what is taken of them is in `seats`.

use diesel::{prelude::*, sql_query};
use jiff::civil::Date;
use kernel::{Id, Localized, PageRequest};
use platform::directory::OfficeId;
use storage::{
    DbError, Json, MultiBackend, Tx,
    types::{Day, Hour, Key, Uid},
};

use super::model::{Calendar, CalendarId, ExceptionKind, OpeningException, OpeningRule};
use crate::schema::{calendars, opening_exceptions, opening_rules};

pub(crate) use super::seats::store::SWEEP_AFTER;
pub use super::seats::store::{
    claims_at, days_of, drop_expired, hand_over, lock_days, release, release_after, sweep_expired, take, taken,
    taken_counts,
};

/// What takes time in a calendar: a hold or an appointment.
#[derive(Debug)]
pub enum ClaimTag {}

/// The identifier of a hold or an appointment, as occupancy knows it.
pub type ClaimId = Id<ClaimTag>;

type CalendarRow = (CalendarId, OfficeId, Json<Localized>, i64, i64, i64, bool, i64, i64, i64);

const CALENDAR: (
    calendars::id,
    calendars::office_id,
    calendars::name,
    calendars::tick_minutes,
    calendars::slot_minutes,
    calendars::capacity,
    calendars::closed_on_holidays,
    calendars::lead_minutes,
    calendars::horizon_days,
    calendars::version,
) = (
    calendars::id,
    calendars::office_id,
    calendars::name,
    calendars::tick_minutes,
    calendars::slot_minutes,
    calendars::capacity,
    calendars::closed_on_holidays,
    calendars::lead_minutes,
    calendars::horizon_days,
    calendars::version,
);

fn calendar_of(row: CalendarRow) -> Calendar {
    let (id, office_id, Json(name), tick_minutes, slot_minutes, capacity, closed, lead, horizon, version) = row;
    Calendar {
        id,
        office_id,
        name,
        tick_minutes,
        slot_minutes,
        capacity,
        closed_on_holidays: closed,
        lead_minutes: lead,
        horizon_days: horizon,
        version,
    }
}

/// Adds a calendar.
///
/// # Errors
/// When the office is unknown or the database fails.
pub fn insert_calendar(tx: &mut Tx<'_>, calendar: &Calendar) -> storage::Result<()> {
    use calendars as c;
    diesel::insert_into(c::table)
        .values((
            c::tenant_id.eq(Key(tx.tenant())),
            c::id.eq(Key(calendar.id)),
            c::office_id.eq(Key(calendar.office_id)),
            c::name.eq(Json(calendar.name.clone())),
            c::tick_minutes.eq(calendar.tick_minutes),
            c::slot_minutes.eq(calendar.slot_minutes),
            c::capacity.eq(calendar.capacity),
            c::closed_on_holidays.eq(calendar.closed_on_holidays),
            c::lead_minutes.eq(calendar.lead_minutes),
            c::horizon_days.eq(calendar.horizon_days),
            c::version.eq(calendar.version),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Adds weekly hours.
///
/// # Errors
/// When the calendar is unknown or the database fails.
pub fn insert_rule(tx: &mut Tx<'_>, rule: &OpeningRule) -> storage::Result<()> {
    use opening_rules as r;
    diesel::insert_into(r::table)
        .values((
            r::tenant_id.eq(Key(tx.tenant())),
            r::id.eq(Key(rule.id)),
            r::calendar_id.eq(Key(rule.calendar_id)),
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
    Ok(())
}

/// Adds an exception.
///
/// # Errors
/// When the calendar is unknown or the database fails.
pub fn insert_exception(tx: &mut Tx<'_>, exception: &OpeningException) -> storage::Result<()> {
    use opening_exceptions as e;
    diesel::insert_into(e::table)
        .values((
            e::tenant_id.eq(Key(tx.tenant())),
            e::id.eq(Key(exception.id)),
            e::calendar_id.eq(Key(exception.calendar_id)),
            e::date.eq(Day(exception.date)),
            e::kind.eq(exception.kind),
            e::starts_at.eq(exception.starts_at.map(Hour)),
            e::ends_at.eq(exception.ends_at.map(Hour)),
            e::capacity.eq(exception.capacity),
            e::reason.eq(exception.reason.clone().map(Json)),
            e::version.eq(exception.version),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// One calendar.
///
/// # Errors
/// When the database fails.
pub fn calendar(tx: &mut Tx<'_>, id: CalendarId) -> storage::Result<Option<Calendar>> {
    let row: Option<CalendarRow> = calendars::table
        .filter(calendars::tenant_id.eq(Key(tx.tenant())))
        .filter(calendars::id.eq(Key(id)))
        .select(CALENDAR)
        .first(tx.conn())
        .optional()?;
    Ok(row.map(calendar_of))
}

/// A page of the calendars, by id, of one office or of all.
///
/// # Errors
/// When the database fails.
pub fn calendars(
    tx: &mut Tx<'_>,
    office: Option<OfficeId>,
    page: &PageRequest<CalendarId>,
) -> storage::Result<Vec<Calendar>> {
    let mut query = calendars::table
        .filter(calendars::tenant_id.eq(Key(tx.tenant())))
        .select(CALENDAR)
        .into_boxed::<MultiBackend>();
    if let Some(office) = office {
        query = query.filter(calendars::office_id.eq(Key(office)));
    }
    if let Some(after) = page.after {
        query = query.filter(calendars::id.gt(Key(after)));
    }
    let rows: Vec<CalendarRow> = query.order(calendars::id).limit(page.fetch()).load(tx.conn())?;
    Ok(rows.into_iter().map(calendar_of).collect())
}

/// The weekly hours of a calendar, in the order they were made.
///
/// # Errors
/// When the database fails.
pub fn rules(tx: &mut Tx<'_>, calendar: CalendarId) -> storage::Result<Vec<OpeningRule>> {
    use opening_rules as r;
    Ok(r::table
        .filter(r::tenant_id.eq(Key(tx.tenant())))
        .filter(r::calendar_id.eq(Key(calendar)))
        .order(r::id)
        .select((
            r::id,
            r::calendar_id,
            r::weekday,
            r::starts_at,
            r::ends_at,
            r::valid_from,
            r::valid_until,
            r::every_n_weeks,
            r::capacity,
            r::internal_capacity,
            r::version,
        ))
        .load(tx.conn())?)
}

/// The exceptions of a calendar from one date to another, both included, by date.
///
/// # Errors
/// When the database fails.
pub fn exceptions(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    from: Date,
    to: Date,
) -> storage::Result<Vec<OpeningException>> {
    use opening_exceptions as e;
    type Row = (
        Id<OpeningException>,
        CalendarId,
        Date,
        ExceptionKind,
        Option<jiff::civil::Time>,
        Option<jiff::civil::Time>,
        Option<i64>,
        Option<Json<Localized>>,
        i64,
    );
    let rows: Vec<Row> = e::table
        .filter(e::tenant_id.eq(Key(tx.tenant())))
        .filter(e::calendar_id.eq(Key(calendar)))
        .filter(e::date.ge(Day(from)))
        .filter(e::date.le(Day(to)))
        .order((e::date, e::id))
        .select((e::id, e::calendar_id, e::date, e::kind, e::starts_at, e::ends_at, e::capacity, e::reason, e::version))
        .load(tx.conn())?;
    Ok(rows
        .into_iter()
        .map(|(id, calendar_id, date, kind, starts_at, ends_at, capacity, reason, version)| OpeningException {
            id,
            calendar_id,
            date,
            kind,
            starts_at,
            ends_at,
            capacity,
            reason: reason.map(|json| json.0),
            version,
        })
        .collect())
}

/// Keeps the hours of a calendar as they are until the end of the transaction: whoever books decides by the
/// hours there are when the booking lands, and whoever edits them waits. Those who book do not wait for one
/// another. A calendar that changed since it was read is read again.
///
/// # Errors
/// When it has changed meanwhile, or the database fails.
pub fn share_hours(tx: &mut Tx<'_>, calendar: &Calendar) -> storage::Result<()> {
    if !tx.writes_beside_others() {
        return Ok(());
    }
    let found: Vec<Version> = sql_query("SELECT version FROM calendars WHERE tenant_id = $1 AND id = $2 FOR SHARE")
        .bind::<Uid, _>(Key(tx.tenant()))
        .bind::<Uid, _>(Key(calendar.id))
        .load(tx.conn())?;
    if found.iter().any(|found| found.version == calendar.version) {
        return Ok(());
    }
    Err(DbError::Retry("the calendar changed meanwhile".to_owned()).into())
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    version: i64,
}

/// Makes those who book at calendars that keep holidays, and those who edit these, wait until the end of the
/// transaction.
///
/// # Errors
/// When the database fails.
pub fn lock_all_hours(tx: &mut Tx<'_>) -> storage::Result<()> {
    use calendars as c;
    let mine = c::table.filter(c::tenant_id.eq(Key(tx.tenant()))).filter(c::closed_on_holidays.eq(true));
    diesel::update(mine).set(c::version.eq(c::version)).execute(tx.conn())?;
    Ok(())
}
