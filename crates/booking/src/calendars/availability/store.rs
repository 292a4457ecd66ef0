//! What an answer about free time was made from, said in few bytes.

use std::ops::RangeInclusive;

use diesel::{
    dsl::min,
    prelude::*,
    sql_types::{BigInt, Nullable, Text},
};
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

/// Changes whenever anything changes that [`claim::slots_for`](super::super::claim::slots_for) reads, other than the time.
///
/// Hours are here as they are written: however somebody changes them, it shows. Taken time is here as the
/// versions of its days, which rise in every transaction that takes or gives back.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub(super) struct Stamp {
    #[diesel(sql_type = Nullable<BigInt>)]
    calendar: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    service: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    hours: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    exceptions: Option<String>,
    #[diesel(sql_type = BigInt)]
    days: i64,
    #[diesel(sql_type = Nullable<Text>)]
    closures: Option<String>,
}

impl Stamp {
    /// How many bytes its texts have.
    pub(super) fn len(&self) -> usize {
        [&self.hours, &self.exceptions, &self.closures].into_iter().flatten().map(String::len).sum()
    }
}

/// One statement, so that it is of one moment wherever it runs.
const STAMP: &str = "SELECT \
    (SELECT c.version FROM calendars c WHERE c.tenant_id = ? AND c.id = ?) AS calendar, \
    (SELECT s.version FROM service_calendars l \
        JOIN appointment_services s ON s.tenant_id = l.tenant_id AND s.id = l.service_id \
        WHERE l.tenant_id = ? AND l.service_id = ? AND l.calendar_id = ? AND l.given) AS service, \
    (SELECT string_agg(concat_ws(',', r.weekday, r.starts_at, r.ends_at, r.valid_from, \
            COALESCE(CAST(r.valid_until AS text), '-'), r.every_n_weeks, r.capacity, r.internal_capacity), ';' \
            ORDER BY r.id) \
        FROM opening_rules r WHERE r.tenant_id = ? AND r.calendar_id = ?) AS hours, \
    (SELECT string_agg(concat_ws(',', e.date, e.kind, COALESCE(CAST(e.starts_at AS text), '-'), \
            COALESCE(CAST(e.ends_at AS text), '-'), COALESCE(CAST(e.capacity AS text), '-')), ';' ORDER BY e.id) \
        FROM opening_exceptions e \
        WHERE e.tenant_id = ? AND e.calendar_id = ? AND e.date BETWEEN ? AND ?) AS exceptions, \
    (SELECT CAST(COALESCE(SUM(d.version), 0) AS bigint) FROM calendar_days d \
        WHERE d.tenant_id = ? AND d.calendar_id = ? AND d.day BETWEEN ? AND ?) AS days, \
    (SELECT string_agg(CAST(x.date AS text), ';' ORDER BY x.date) FROM closures x \
        WHERE x.tenant_id = ? AND x.date BETWEEN ? AND ?) AS closures";

/// Preparation and clearing, of a day at most, reach into the days beside the visit's.
const REACH: SignedDuration = SignedDuration::from_hours(2 * 24);

/// The stamp of an answer to this question given now.
///
/// # Errors
/// When the database fails.
pub(super) fn stamp(tx: &mut Tx<'_>, question: &Question) -> storage::Result<Stamp> {
    let Question { from, to, .. } = *question;
    let (tenant, calendar, service) = (Key(tx.tenant()), Key(question.calendar), Key(question.service));
    let (before, after) = (Day(from.saturating_sub(REACH)), Day(to.saturating_add(REACH)));
    let (from, to) = (Day(from), Day(to));
    Ok(fixed(STAMP)
        .bind::<Uid, _>(tenant)
        .bind::<Uid, _>(calendar)
        .bind::<Uid, _>(tenant)
        .bind::<Uid, _>(service)
        .bind::<Uid, _>(calendar)
        .bind::<Uid, _>(tenant)
        .bind::<Uid, _>(calendar)
        .bind::<Uid, _>(tenant)
        .bind::<Uid, _>(calendar)
        .bind::<CivilDate, _>(from)
        .bind::<CivilDate, _>(to)
        .bind::<Uid, _>(tenant)
        .bind::<Uid, _>(calendar)
        .bind::<CivilDate, _>(before)
        .bind::<CivilDate, _>(after)
        .bind::<Uid, _>(tenant)
        .bind::<CivilDate, _>(from)
        .bind::<CivilDate, _>(to)
        .get_result(tx.conn())?)
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
