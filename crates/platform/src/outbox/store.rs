//! Queries over events, their places and what could not be done upon them.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::{Id, PageRequest};
use storage::{
    Json, Tx, fixed,
    types::{At, Key, Uid},
};

use super::{Event, EventId, EventTag, ParkedReaction, StoredEvent};
use crate::directory::OfficeId;
use crate::schema::{event_streams as s, outbox_events as e, parked_reactions as p};

pub(super) fn insert<S: 'static>(tx: &mut Tx<'_>, event: Event<'_, S>) -> storage::Result<EventId> {
    let id = tx.new_id::<EventTag>();
    let office = event.office();
    diesel::insert_into(e::table)
        .values((
            e::tenant_id.eq(Key(tx.tenant())),
            e::id.eq(Key(id)),
            e::kind.eq(event.kind),
            e::subject_kind.eq(event.subject_kind),
            e::subject_id.eq(Key(event.subject)),
            e::subject_version.eq(event.version),
            e::actor.eq(tx.actor().as_str().to_owned()),
            e::payload.eq(Json(event.payload)),
            e::occurred_at.eq(At(tx.now())),
            e::office_id.eq(office.map(Key)),
        ))
        .execute(tx.conn())?;
    Ok(id)
}

/// Up to `limit` events that have no place yet, in the order of their ids.
pub(super) fn unpublished(tx: &mut Tx<'_>, limit: i64) -> storage::Result<Vec<StoredEvent>> {
    let waiting = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::position.is_null());
    Ok(waiting.order(e::id).limit(limit).select(StoredEvent::as_select()).load(tx.conn())?)
}

/// Whether something waits to be published.
///
/// # Errors
/// When the database fails.
pub fn is_waiting(tx: &mut Tx<'_>) -> storage::Result<bool> {
    let waiting = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::position.is_null());
    Ok(diesel::select(diesel::dsl::exists(waiting)).get_result(tx.conn())?)
}

/// Everything about these objects that has no place yet.
pub(super) fn unpublished_of(tx: &mut Tx<'_>, subjects: &[Id<()>]) -> storage::Result<Vec<StoredEvent>> {
    let subjects: Vec<_> = subjects.iter().map(|id| Key(*id)).collect();
    let waiting = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::position.is_null());
    let waiting = waiting.filter(e::subject_id.eq_any(subjects));
    Ok(waiting.order(e::id).select(StoredEvent::as_select()).load(tx.conn())?)
}

#[derive(QueryableByName)]
struct Last {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    last_position: i64,
}

/// Waits for whoever else publishes, and answers the last place given.
pub(super) fn lock_stream(tx: &mut Tx<'_>) -> storage::Result<i64> {
    let tenant = tx.tenant();
    let last: Last = fixed(
        "INSERT INTO event_streams (tenant_id, last_position) VALUES (?, 0) ON CONFLICT (tenant_id) DO UPDATE \
         SET last_position = event_streams.last_position RETURNING last_position",
    )
    .bind::<Uid, _>(Key(tenant))
    .get_result(tx.conn())?;
    Ok(last.last_position)
}

/// Gives an event its place.
pub(super) fn place(tx: &mut Tx<'_>, id: EventId, position: i64) -> storage::Result<()> {
    let tenant = tx.tenant();
    diesel::update(e::table.filter(e::tenant_id.eq(Key(tenant))).filter(e::id.eq(Key(id))))
        .set(e::position.eq(Some(position)))
        .execute(tx.conn())?;
    Ok(())
}

pub(super) fn keep_last(tx: &mut Tx<'_>, position: i64) -> storage::Result<()> {
    let tenant = tx.tenant();
    diesel::update(s::table.filter(s::tenant_id.eq(Key(tenant))))
        .set(s::last_position.eq(position))
        .execute(tx.conn())?;
    Ok(())
}

/// The last place given; 0 when nothing was ever published.
///
/// # Errors
/// When the database fails.
pub fn last_position(tx: &mut Tx<'_>) -> storage::Result<i64> {
    let tenant = tx.tenant();
    let last = s::table.filter(s::tenant_id.eq(Key(tenant))).select(s::last_position).first(tx.conn()).optional()?;
    Ok(last.unwrap_or(0))
}

/// The place of the oldest event that is kept.
///
/// # Errors
/// When the database fails.
pub fn first_position(tx: &mut Tx<'_>) -> storage::Result<Option<i64>> {
    let published = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::position.is_not_null());
    let first: Option<Option<i64>> = published.order(e::position).select(e::position).first(tx.conn()).optional()?;
    Ok(first.flatten())
}

/// What those who read about their offices alone are told nothing of, although it is about no office.
pub const ADMINS_ALONE: [&str; 3] = ["legal_hold", "retention_rule", "webhook"];

/// Which events somebody reads.
#[derive(Debug, Clone, Default)]
pub struct Sought {
    /// Those of these kinds; empty: of every kind.
    pub kinds: Vec<String>,
    /// Those about this object.
    pub subject_id: Option<Id<()>>,
    /// Those about these offices, and whether those about no office too; absent: all.
    pub offices: Option<(Vec<OfficeId>, bool)>,
}

/// Published events in their order, after a place.
///
/// # Errors
/// When the database fails.
pub fn after(tx: &mut Tx<'_>, sought: &Sought, position: i64, limit: i64) -> storage::Result<Vec<StoredEvent>> {
    let mut query = e::table
        .filter(e::tenant_id.eq(Key(tx.tenant())))
        .filter(e::position.gt(position))
        .into_boxed::<storage::MultiBackend>();
    if !sought.kinds.is_empty() {
        query = query.filter(e::kind.eq_any(sought.kinds.clone()));
    }
    if let Some(subject) = sought.subject_id {
        query = query.filter(e::subject_id.eq(Key(subject)));
    }
    if let Some((offices, and_none)) = &sought.offices {
        let offices: Vec<_> = offices.iter().map(|id| Some(Key(*id))).collect();
        query = match and_none {
            true => query.filter(e::office_id.is_null().or(e::office_id.eq_any(offices))),
            false => query.filter(e::office_id.eq_any(offices)),
        };
        query = query.filter(e::subject_kind.ne_all(ADMINS_ALONE));
    }
    Ok(query.order(e::position).limit(limit).select(StoredEvent::as_select()).load(tx.conn())?)
}

/// An event, published or not.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, id: EventId) -> storage::Result<Option<StoredEvent>> {
    let found = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::id.eq(Key(id)));
    Ok(found.select(StoredEvent::as_select()).first(tx.conn()).optional()?)
}

pub(super) fn park(tx: &mut Tx<'_>, parked: &ParkedReaction) -> storage::Result<()> {
    let tenant = tx.tenant();
    diesel::insert_into(p::table)
        .values((
            p::tenant_id.eq(Key(tenant)),
            p::id.eq(Key(parked.id)),
            p::event_id.eq(Key(parked.event_id)),
            p::reaction.eq(&parked.reaction),
            p::error.eq(&parked.error),
            p::attempts.eq(parked.attempts),
            p::failed_at.eq(At(parked.failed_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// What waits for somebody to look, oldest first.
///
/// # Errors
/// When the database fails.
pub fn parked(tx: &mut Tx<'_>, page: &PageRequest<Id<ParkedReaction>>) -> storage::Result<Vec<ParkedReaction>> {
    let mut query = p::table.filter(p::tenant_id.eq(Key(tx.tenant()))).into_boxed::<storage::MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(p::id.gt(Key(after)));
    }
    Ok(query.order(p::id).limit(page.fetch()).select(ParkedReaction::as_select()).load(tx.conn())?)
}

/// It was done after all.
pub(super) fn unpark(tx: &mut Tx<'_>, id: Id<ParkedReaction>) -> storage::Result<()> {
    let tenant = tx.tenant();
    diesel::delete(p::table.filter(p::tenant_id.eq(Key(tenant))).filter(p::id.eq(Key(id)))).execute(tx.conn())?;
    Ok(())
}

/// It failed again.
pub(super) fn park_again(tx: &mut Tx<'_>, parked: &ParkedReaction) -> storage::Result<()> {
    let tenant = tx.tenant();
    diesel::update(p::table.filter(p::tenant_id.eq(Key(tenant))).filter(p::id.eq(Key(parked.id))))
        .set((p::error.eq(&parked.error), p::attempts.eq(parked.attempts), p::failed_at.eq(At(parked.failed_at))))
        .execute(tx.conn())?;
    Ok(())
}

/// Takes away up to `limit` published events of before an instant that nothing waits for any more, with what was
/// noted about their deliveries.
///
/// # Errors
/// When the database fails.
pub fn sweep(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> storage::Result<usize> {
    use crate::schema::{webhook_attempts as a, webhook_deliveries as d};
    let tenant = tx.tenant();
    let waits =
        d::table.filter(d::tenant_id.eq(Key(tenant))).filter(d::event_id.eq(e::id)).filter(d::state.eq("pending"));
    let failed = p::table.filter(p::tenant_id.eq(Key(tenant))).filter(p::event_id.eq(e::id));
    let old: Vec<EventId> = e::table
        .filter(e::tenant_id.eq(Key(tenant)))
        .filter(e::occurred_at.lt(At(before)))
        .filter(e::position.is_not_null())
        .filter(diesel::dsl::not(diesel::dsl::exists(waits)))
        .filter(diesel::dsl::not(diesel::dsl::exists(failed)))
        .order(e::occurred_at)
        .limit(limit)
        .select(e::id)
        .load(tx.conn())?;
    let old: Vec<_> = old.into_iter().map(Key).collect();
    let deliveries: Vec<Id<()>> = d::table
        .filter(d::tenant_id.eq(Key(tenant)))
        .filter(d::event_id.eq_any(old.clone()))
        .select(d::id)
        .load(tx.conn())?;
    let deliveries: Vec<_> = deliveries.into_iter().map(Key).collect();
    diesel::delete(a::table.filter(a::tenant_id.eq(Key(tenant))).filter(a::delivery_id.eq_any(deliveries.clone())))
        .execute(tx.conn())?;
    diesel::delete(d::table.filter(d::tenant_id.eq(Key(tenant))).filter(d::id.eq_any(deliveries)))
        .execute(tx.conn())?;
    Ok(diesel::delete(e::table.filter(e::tenant_id.eq(Key(tenant))).filter(e::id.eq_any(old))).execute(tx.conn())?)
}
