//! Queries over calendars, their hours and their occupancy.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use diesel::{prelude::*, sql_query};
use jiff::{Timestamp, civil::Date};
use kernel::{Id, Localized, PageRequest, civil};
use platform::directory::OfficeId;
use storage::{
    DbError, Json, MultiBackend, Tx, both, fixed,
    types::{At, CivilDate, Day, Hour, Key, Uid},
};

use super::{
    model::{Calendar, CalendarId, ExceptionKind, OpeningException, OpeningRule},
    occupancy::{Audience, FIRST_INTERNAL_SEAT, Seats},
    ticks::instant_of,
};
use crate::schema::{calendars, occupancy, opening_exceptions, opening_rules};

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

/// Locks days of calendars until the end of the transaction, so that claims of the same day follow
/// one another, and raises their versions: whatever changes what is free on a day has locked it. Give them in the
/// one order everybody uses (sorted), or two claims can lock each other out.
///
/// # Errors
/// When the database fails.
pub fn lock_days(tx: &mut Tx<'_>, days: &BTreeSet<(CalendarId, Date)>) -> storage::Result<()> {
    let tenant = tx.tenant();
    for (calendar, day) in days {
        fixed(
            "INSERT INTO calendar_days (tenant_id, calendar_id, day, version) VALUES (?, ?, ?, 1) \
             ON CONFLICT (tenant_id, calendar_id, day) DO UPDATE SET version = calendar_days.version + 1",
        )
        .bind::<Uid, _>(Key(tenant))
        .bind::<Uid, _>(Key(*calendar))
        .bind::<CivilDate, _>(Day(*day))
        .execute(tx.conn())?;
    }
    Ok(())
}

/// The seats taken in these ticks: `(tick, seat)`. A hold that has expired takes none.
///
/// # Errors
/// When the database fails.
pub fn taken(tx: &mut Tx<'_>, calendar: CalendarId, ticks: Range<i64>) -> storage::Result<BTreeSet<(i64, i64)>> {
    use occupancy as o;
    let now = At(tx.now());
    let rows: Vec<(i64, i64)> = o::table
        .filter(o::tenant_id.eq(Key(tx.tenant())))
        .filter(o::calendar_id.eq(Key(calendar)))
        .filter(o::tick.ge(ticks.start).and(o::tick.lt(ticks.end)))
        .filter(o::hold_expires_at.is_null().or(o::hold_expires_at.gt(now)))
        .select((o::tick, o::seat))
        .load(tx.conn())?;
    Ok(rows.into_iter().collect())
}

/// How many seats that matter to this audience are taken in each of these ticks; a tick that is free is left out.
///
/// # Errors
/// When the database fails.
pub fn taken_counts(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    ticks: Range<i64>,
    audience: Audience,
) -> storage::Result<BTreeMap<i64, Seats>> {
    let mut counts: BTreeMap<i64, Seats> = BTreeMap::new();
    for (tick, count) in counted(tx, calendar, ticks.clone(), 1..FIRST_INTERNAL_SEAT)? {
        counts.entry(tick).or_default().public = count;
    }
    if audience == Audience::Office {
        for (tick, count) in counted(tx, calendar, ticks, FIRST_INTERNAL_SEAT..i64::MAX)? {
            counts.entry(tick).or_default().internal = count;
        }
    }
    Ok(counts)
}

fn counted(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    ticks: Range<i64>,
    seats: Range<i64>,
) -> storage::Result<Vec<(i64, i64)>> {
    use occupancy as o;
    let now = At(tx.now());
    Ok(o::table
        .filter(o::tenant_id.eq(Key(tx.tenant())))
        .filter(o::calendar_id.eq(Key(calendar)))
        .filter(o::tick.ge(ticks.start).and(o::tick.lt(ticks.end)))
        .filter(o::seat.ge(seats.start).and(o::seat.lt(seats.end)))
        .filter(o::hold_expires_at.is_null().or(o::hold_expires_at.gt(now)))
        .group_by(o::tick)
        .select((o::tick, diesel::dsl::count_star()))
        .load(tx.conn())?)
}

/// Whose seats are taken in this tick; whether by an appointment, a hold or a block is not told.
///
/// # Errors
/// When the database fails.
pub fn claims_at(tx: &mut Tx<'_>, calendar: CalendarId, tick: i64) -> storage::Result<Vec<ClaimId>> {
    use occupancy as o;
    let now = At(tx.now());
    Ok(o::table
        .filter(o::tenant_id.eq(Key(tx.tenant())))
        .filter(o::calendar_id.eq(Key(calendar)))
        .filter(o::tick.eq(tick))
        .filter(o::hold_expires_at.is_null().or(o::hold_expires_at.gt(now)))
        .order(o::seat)
        .select(o::claim_id)
        .load(tx.conn())?)
}

/// Removes the holds that have expired and have a seat in these ticks, so that it can be claimed. The
/// days must be locked.
///
/// Each goes as a whole, with its seats in other ticks too. Whoever used the hold before it expired, by
/// an earlier transaction or by a slower clock, may be waiting for the day: what they would find must be
/// either all of its seats or none.
///
/// # Errors
/// When the database fails.
pub fn drop_expired(tx: &mut Tx<'_>, calendar: CalendarId, ticks: Range<i64>) -> storage::Result<()> {
    use occupancy as o;
    let (tenant, now) = (Key(tx.tenant()), At(tx.now()));
    let expired: Vec<ClaimId> = o::table
        .filter(o::tenant_id.eq(tenant))
        .filter(o::calendar_id.eq(Key(calendar)))
        .filter(o::tick.ge(ticks.start).and(o::tick.lt(ticks.end)))
        .filter(o::hold_expires_at.le(now))
        .select(o::claim_id)
        .distinct()
        .load(tx.conn())?;
    if !expired.is_empty() {
        let claims: Vec<_> = expired.into_iter().map(Key).collect();
        diesel::delete(o::table.filter(o::tenant_id.eq(tenant)).filter(o::claim_id.eq_any(claims)))
            .execute(tx.conn())?;
    }
    Ok(())
}

/// Takes seats.
///
/// # Errors
/// A unique violation when one of them is taken, which the locked day should have prevented.
pub fn take(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    claim: ClaimId,
    seats: &[(i64, i64)],
    hold_expires_at: Option<Timestamp>,
) -> storage::Result<()> {
    use occupancy as o;
    let tenant = Key(tx.tenant());
    let row = |(tick, seat): &(i64, i64)| {
        (
            o::tenant_id.eq(tenant),
            o::calendar_id.eq(Key(calendar)),
            o::tick.eq(*tick),
            o::seat.eq(*seat),
            o::claim_id.eq(Key(claim)),
            o::hold_expires_at.eq(hold_expires_at.map(At)),
        )
    };
    // A day of five-minute ticks is 288 rows of six values: within the 32,766 that SQLite binds. A block may be more.
    for seats in seats.chunks(1000) {
        let rows: Vec<_> = seats.iter().map(row).collect();
        both!(tx, conn => diesel::insert_into(o::table).values(&rows).execute(conn))?;
    }
    Ok(())
}

/// Gives back the seats of a claim in the ticks after this one.
///
/// # Errors
/// When the database fails.
pub fn release_after(tx: &mut Tx<'_>, claim: ClaimId, tick: i64) -> storage::Result<()> {
    use occupancy as o;
    let days = days_of(tx, claim)?;
    lock_days(tx, &days)?;
    let theirs = o::table.filter(o::tenant_id.eq(Key(tx.tenant()))).filter(o::claim_id.eq(Key(claim)));
    diesel::delete(theirs.filter(o::tick.gt(tick))).execute(tx.conn())?;
    Ok(())
}

/// The days in which a claim has seats.
///
/// # Errors
/// When the database fails.
pub fn days_of(tx: &mut Tx<'_>, claim: ClaimId) -> storage::Result<BTreeSet<(CalendarId, Date)>> {
    use occupancy as o;
    let seats: Vec<(CalendarId, i64, i64)> = o::table
        .inner_join(calendars::table.on(calendars::tenant_id.eq(o::tenant_id).and(calendars::id.eq(o::calendar_id))))
        .filter(o::tenant_id.eq(Key(tx.tenant())))
        .filter(o::claim_id.eq(Key(claim)))
        .select((o::calendar_id, o::tick, calendars::tick_minutes))
        .load(tx.conn())?;
    let day = |(calendar, tick, tick_minutes)| (calendar, civil::date_of(instant_of(tick, tick_minutes)));
    Ok(seats.into_iter().map(day).collect())
}

/// Gives back every seat of a claim. Its days are locked first, so that their versions tell of it to whoever
/// remembers what is free; a transaction that locks others besides locks them all together before ([`days_of`]).
///
/// # Errors
/// When the database fails.
pub fn release(tx: &mut Tx<'_>, claim: ClaimId) -> storage::Result<()> {
    use occupancy as o;
    let days = days_of(tx, claim)?;
    lock_days(tx, &days)?;
    let tenant = Key(tx.tenant());
    diesel::delete(o::table.filter(o::tenant_id.eq(tenant)).filter(o::claim_id.eq(Key(claim)))).execute(tx.conn())?;
    Ok(())
}

/// Hands the seats of a hold over to an appointment, for good. Returns how many there were.
///
/// # Errors
/// When the database fails.
pub fn hand_over(tx: &mut Tx<'_>, hold: ClaimId, appointment: ClaimId) -> storage::Result<usize> {
    use occupancy as o;
    let tenant = Key(tx.tenant());
    Ok(diesel::update(o::table.filter(o::tenant_id.eq(tenant)).filter(o::claim_id.eq(Key(hold))))
        .set((o::claim_id.eq(Key(appointment)), o::hold_expires_at.eq(None::<At>)))
        .execute(tx.conn())?)
}

/// How long past its end a hold is left alone by [`sweep_expired`]: longer than any transaction takes, so
/// that tidying never meets somebody who is just using the hold.
pub const SWEEP_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// Deletes the rows of holds that expired a while ago.
///
/// # Errors
/// When the database fails.
pub fn sweep_expired(tx: &mut Tx<'_>) -> storage::Result<()> {
    use occupancy as o;
    let (tenant, before) = (Key(tx.tenant()), At(tx.now().saturating_sub(SWEEP_AFTER).unwrap_or(Timestamp::MIN)));
    diesel::delete(o::table.filter(o::tenant_id.eq(tenant)).filter(o::hold_expires_at.le(before)))
        .execute(tx.conn())?;
    Ok(())
}
