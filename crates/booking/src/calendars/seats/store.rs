//! Queries over what is taken: seats at ticks, and the days that are locked before they are looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use diesel::prelude::*;
use jiff::{Timestamp, civil::Date};
use kernel::civil;
use storage::{
    Tx, both, fixed,
    types::{At, CivilDate, Day, Key, Uid},
};

use super::super::{
    model::CalendarId,
    occupancy::{Audience, FIRST_INTERNAL_SEAT, Seats},
    store::ClaimId,
    ticks::instant_of,
};
use crate::schema::{calendars, occupancy};

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
pub(crate) const SWEEP_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

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
