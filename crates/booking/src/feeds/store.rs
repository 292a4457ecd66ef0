//! Queries over feeds and what they show.

use std::ops::Range;

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::PageRequest;
use storage::{
    MultiBackend, Tx,
    types::{At, Key},
};

use super::model::{Feed, FeedId};
use crate::{
    appointments::{Appointment, AppointmentState},
    calendars::CalendarId,
    schema::{appointments, calendar_feeds},
};

/// Adds a feed.
///
/// # Errors
/// When the calendar is unknown or the database fails.
pub fn insert(tx: &mut Tx<'_>, feed: &Feed) -> storage::Result<()> {
    use calendar_feeds as f;
    diesel::insert_into(f::table)
        .values((
            f::tenant_id.eq(Key(tx.tenant())),
            f::id.eq(Key(feed.id)),
            f::calendar_id.eq(Key(feed.calendar_id)),
            f::label.eq(&feed.label),
            f::code_hash.eq(&feed.code_hash),
            f::created_at.eq(At(feed.created_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// A page of the feeds of a calendar, by id.
///
/// # Errors
/// When the database fails.
pub fn of_calendar(tx: &mut Tx<'_>, calendar: CalendarId, page: &PageRequest<FeedId>) -> storage::Result<Vec<Feed>> {
    use calendar_feeds as f;
    let mut query = f::table
        .filter(f::tenant_id.eq(Key(tx.tenant())))
        .filter(f::calendar_id.eq(Key(calendar)))
        .select(Feed::as_select())
        .into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(f::id.gt(Key(after)));
    }
    Ok(query.order(f::id).limit(page.fetch()).load(tx.conn())?)
}

/// The feed of a code.
///
/// # Errors
/// When the database fails.
pub fn by_code_hash(tx: &mut Tx<'_>, hash: &str) -> storage::Result<Option<Feed>> {
    let mine = calendar_feeds::table.filter(calendar_feeds::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.filter(calendar_feeds::code_hash.eq(hash)).select(Feed::as_select()).first(tx.conn()).optional()?)
}

/// Ends a feed of a calendar; `false` when there is none.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut Tx<'_>, calendar: CalendarId, id: FeedId) -> storage::Result<bool> {
    use calendar_feeds as f;
    let ended = diesel::delete(
        f::table
            .filter(f::tenant_id.eq(Key(tx.tenant())))
            .filter(f::calendar_id.eq(Key(calendar)))
            .filter(f::id.eq(Key(id))),
    )
    .execute(tx.conn())?;
    Ok(ended == 1)
}

/// The appointments of a calendar that start within `times` and were not called off, in order. Of more than `limit`
/// those to come are kept before those that were, and of either the nearest.
///
/// # Errors
/// When the database fails.
pub fn appointments_around(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    times: Range<Timestamp>,
    limit: usize,
) -> storage::Result<Vec<Appointment>> {
    use appointments as a;
    let now = tx.now();
    let mut starting = |times: Range<Timestamp>, limit: usize, backwards: bool| {
        let query = a::table
            .filter(a::tenant_id.eq(Key(tx.tenant())))
            .filter(a::calendar_id.eq(Key(calendar)))
            .filter(a::starts_at.ge(At(times.start)))
            .filter(a::starts_at.lt(At(times.end)))
            .filter(a::state.ne(AppointmentState::Cancelled))
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .select(Appointment::as_select())
            .into_boxed::<MultiBackend>();
        let ordered = if backwards {
            query.order((a::starts_at.desc(), a::id.desc()))
        } else {
            query.order((a::starts_at, a::id))
        };
        ordered.load::<Appointment>(tx.conn())
    };
    let to_come = starting(now..times.end, limit, false)?;
    let mut found = starting(times.start..now, limit.saturating_sub(to_come.len()), true)?;
    found.reverse();
    found.extend(to_come);
    Ok(found)
}
