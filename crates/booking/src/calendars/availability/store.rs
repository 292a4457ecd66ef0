//! What an answer about free time was made from, said in few bytes.

use std::ops::RangeInclusive;

use diesel::{dsl::min, prelude::*, sql_types::BigInt};
use jiff::{SignedDuration, Timestamp, civil::Date};
use kernel::civil;
use storage::{
    Tx, fixed,
    types::{At, CivilDate, Day, Key, Uid},
};

use super::{
    super::{model::Calendar, ticks::tick_of},
    Question,
};
use crate::schema::occupancy;

/// Changes whenever anything changes that [`claim::slots_for`](super::super::claim::slots_for) reads, other than
/// the time. `None` is a calendar that does not give the service.
///
/// Hours, exceptions and closures raise the calendar's `hours_version` by triggers, so that it shows however
/// somebody changes them. Taken time is here as the versions of its days, which rise in every transaction that
/// takes or gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub(super) struct Stamp {
    #[diesel(sql_type = BigInt)]
    calendar: i64,
    #[diesel(sql_type = BigInt)]
    hours: i64,
    #[diesel(sql_type = BigInt)]
    service: i64,
    #[diesel(sql_type = BigInt)]
    days: i64,
}

/// One statement, so that it is of one moment wherever it runs.
const STAMP: &str = "SELECT c.version AS calendar, c.hours_version AS hours, s.version AS service, \
        (SELECT CAST(COALESCE(SUM(d.version), 0) AS bigint) FROM calendar_days d \
            WHERE d.tenant_id = ? AND d.calendar_id = ? AND d.day BETWEEN ? AND ?) AS days \
    FROM calendars c \
    JOIN service_calendars l ON l.tenant_id = c.tenant_id AND l.calendar_id = c.id AND l.given \
    JOIN appointment_services s ON s.tenant_id = l.tenant_id AND s.id = l.service_id \
    WHERE c.tenant_id = ? AND c.id = ? AND s.id = ?";

/// Preparation and clearing, of a day at most, reach into the days beside the visit's.
const REACH: SignedDuration = SignedDuration::from_hours(2 * 24);

/// The stamp of an answer to this question given now.
///
/// # Errors
/// When the database fails.
pub(super) fn stamp(tx: &mut Tx<'_>, question: &Question) -> storage::Result<Option<Stamp>> {
    let (tenant, calendar, service) = (Key(tx.tenant()), Key(question.calendar), Key(question.service));
    let (before, after) = (question.from.saturating_sub(REACH), question.to.saturating_add(REACH));
    Ok(fixed(STAMP)
        .bind::<Uid, _>(tenant)
        .bind::<Uid, _>(calendar)
        .bind::<CivilDate, _>(Day(before))
        .bind::<CivilDate, _>(Day(after))
        .bind::<Uid, _>(tenant)
        .bind::<Uid, _>(calendar)
        .bind::<Uid, _>(service)
        .get_result(tx.conn())
        .optional()?)
}

/// When the next hold ends that takes time on these dates: time that becomes free without anybody writing.
///
/// # Errors
/// When the database fails.
pub(super) fn next_expiry(
    tx: &mut Tx<'_>,
    calendar: &Calendar,
    dates: RangeInclusive<Date>,
) -> storage::Result<Option<Timestamp>> {
    use occupancy as o;
    let now = At(tx.now());
    let (from, _) = civil::day_bounds(dates.start().saturating_sub(REACH));
    let (_, to) = civil::day_bounds(dates.end().saturating_add(REACH));
    Ok(o::table
        .filter(o::tenant_id.eq(Key(tx.tenant())))
        .filter(o::calendar_id.eq(Key(calendar.id)))
        .filter(o::tick.ge(tick_of(from, calendar.tick_minutes)).and(o::tick.lt(tick_of(to, calendar.tick_minutes))))
        .filter(o::hold_expires_at.gt(now))
        .select(min(o::hold_expires_at))
        .get_result(tx.conn())?)
}
