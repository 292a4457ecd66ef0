//! Queries over deliveries and attempts.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::{Id, PageRequest};
use storage::{
    MultiBackend, Tx, fixed,
    types::{At, Instant, Key, Uid},
};

use super::model::{Attempt, Claimed, Delivery, DeliveryId, DeliveryState, Tried};
use crate::{
    outbox::StoredEvent,
    schema::{outbox_events as e, webhook_attempts as a, webhook_deliveries as d, webhooks as w},
    webhooks::model::{Webhook, WebhookId, WebhookState},
};

/// For how long a delivery is somebody's, and whose.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// The worker.
    pub by: Id<()>,
    /// Past this instant anybody may take it over.
    pub until: Timestamp,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Uid)]
    id: DeliveryId,
}

/// Takes up to `limit` deliveries that are due, at most `at_once` of them under way to one webhook. None is taken of
/// an object about which an earlier event is still on its way to the same webhook: they arrive in order.
///
/// # Errors
/// When the database fails.
pub fn claim(tx: &mut Tx<'_>, lease: Lease, at_once: i64, limit: usize) -> storage::Result<Vec<Claimed>> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let webhooks: Vec<Webhook> = w::table
        .filter(w::tenant_id.eq(Key(tenant)))
        .filter(w::state.eq(WebhookState::Enabled))
        .select(Webhook::as_select())
        .load(tx.conn())?;
    let mut claimed = Vec::new();
    for webhook in webhooks {
        let under_way: i64 = d::table
            .filter(d::tenant_id.eq(Key(tenant)))
            .filter(d::webhook_id.eq(Key(webhook.id)))
            .filter(d::state.eq(DeliveryState::Pending))
            .filter(d::leased_until.gt(Some(At(now))))
            .count()
            .get_result(tx.conn())?;
        let free = i64::try_from(limit.saturating_sub(claimed.len())).unwrap_or(0);
        let room = at_once.saturating_sub(under_way).min(free);
        if room < 1 {
            continue;
        }
        for id in due(tx, webhook.id, room)? {
            if take(tx, id, lease)? {
                claimed.push(whole(tx, id, webhook.clone())?);
            }
        }
    }
    Ok(claimed)
}

fn due(tx: &mut Tx<'_>, webhook: WebhookId, limit: i64) -> storage::Result<Vec<DeliveryId>> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let found: Vec<Found> = fixed(
        "SELECT d.id FROM webhook_deliveries d WHERE d.tenant_id = ? AND d.webhook_id = ? AND d.state = 'pending' \
         AND d.next_attempt_at <= ? AND (d.leased_until IS NULL OR d.leased_until <= ?) AND NOT EXISTS ( \
             SELECT 1 FROM webhook_deliveries e WHERE e.tenant_id = d.tenant_id AND e.webhook_id = d.webhook_id \
             AND e.subject_id = d.subject_id AND e.position < d.position AND e.state = 'pending' \
         ) ORDER BY d.position LIMIT ?",
    )
    .bind::<Uid, _>(Key(tenant))
    .bind::<Uid, _>(Key(webhook))
    .bind::<Instant, _>(At(now))
    .bind::<Instant, _>(At(now))
    .bind::<diesel::sql_types::BigInt, _>(limit)
    .load(tx.conn())?;
    Ok(found.into_iter().map(|found| found.id).collect())
}

/// Whoever comes second finds it leased: PostgreSQL asks the condition again once the first has committed.
fn take(tx: &mut Tx<'_>, id: DeliveryId, lease: Lease) -> storage::Result<bool> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let free = d::table
        .filter(d::tenant_id.eq(Key(tenant)))
        .filter(d::id.eq(Key(id)))
        .filter(d::state.eq(DeliveryState::Pending))
        .filter(d::leased_until.is_null().or(d::leased_until.le(Some(At(now)))));
    let taken = diesel::update(free)
        .set((
            d::leased_by.eq(Some(Key(lease.by))),
            d::leased_until.eq(Some(At(lease.until))),
            d::attempts.eq(d::attempts + 1),
        ))
        .execute(tx.conn())?;
    Ok(taken == 1)
}

fn whole(tx: &mut Tx<'_>, id: DeliveryId, webhook: Webhook) -> storage::Result<Claimed> {
    let tenant = tx.tenant();
    let delivery: Delivery = d::table
        .filter(d::tenant_id.eq(Key(tenant)))
        .filter(d::id.eq(Key(id)))
        .select(Delivery::as_select())
        .first(tx.conn())?;
    let event: StoredEvent = e::table
        .filter(e::tenant_id.eq(Key(tenant)))
        .filter(e::id.eq(Key(delivery.event_id)))
        .select(StoredEvent::as_select())
        .first(tx.conn())?;
    Ok(Claimed { delivery, webhook, event })
}

/// Notes what came of an attempt. A lease that somebody has taken over is no longer settled by whoever had it: they
/// try it once more, and the receiver knows it by its id.
///
/// # Errors
/// When the database fails.
pub fn settle(tx: &mut Tx<'_>, id: DeliveryId, by: Id<()>, tried: &Tried) -> storage::Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let there: Option<DeliveryId> = d::table
        .filter(d::tenant_id.eq(Key(tenant)))
        .filter(d::id.eq(Key(id)))
        .select(d::id)
        .first(tx.conn())
        .optional()?;
    if there.is_none() {
        // The webhook was deleted meanwhile.
        return Ok(());
    }
    let attempt: Id<()> = tx.new_id();
    diesel::insert_into(a::table)
        .values((
            a::tenant_id.eq(Key(tenant)),
            a::delivery_id.eq(Key(id)),
            a::id.eq(Key(attempt)),
            a::started_at.eq(At(tried.started_at)),
            a::millis.eq(tried.millis),
            a::status.eq(tried.status.map(i64::from)),
            a::outcome.eq(tried.outcome.as_str()),
        ))
        .execute(tx.conn())?;
    let (state, settled_at) = match (tried.outcome, tried.again_at) {
        (super::super::rules::Outcome::Delivered, _) => (DeliveryState::Delivered, Some(now)),
        (_, Some(_)) => (DeliveryState::Pending, None),
        (_, None) => (DeliveryState::Parked, Some(now)),
    };
    let mine =
        d::table.filter(d::tenant_id.eq(Key(tenant))).filter(d::id.eq(Key(id))).filter(d::leased_by.eq(Some(Key(by))));
    diesel::update(mine)
        .set((
            d::state.eq(state),
            d::next_attempt_at.eq(At(tried.again_at.unwrap_or(now))),
            d::settled_at.eq(settled_at.map(At)),
            d::leased_by.eq(None::<Key<()>>),
            d::leased_until.eq(None::<At>),
        ))
        .execute(tx.conn())?;
    Ok(())
}

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = diesel::sql_types::Nullable<Instant>)]
    at: Option<Timestamp>,
}

/// When something is due the next time, by waits and by leases; what waits for its object's turn apart.
///
/// # Errors
/// When the database fails.
pub fn next_due(tx: &mut Tx<'_>) -> storage::Result<Option<Timestamp>> {
    let tenant = tx.tenant();
    let due: Due = fixed(
        "SELECT min(CASE WHEN d.leased_until > d.next_attempt_at THEN d.leased_until ELSE d.next_attempt_at END) AS at \
         FROM webhook_deliveries d JOIN webhooks w ON w.tenant_id = d.tenant_id AND w.id = d.webhook_id \
         WHERE d.tenant_id = ? AND d.state = 'pending' AND w.state = 'enabled' AND NOT EXISTS ( \
             SELECT 1 FROM webhook_deliveries e WHERE e.tenant_id = d.tenant_id AND e.webhook_id = d.webhook_id \
             AND e.subject_id = d.subject_id AND e.position < d.position AND e.state = 'pending' \
         )",
    )
    .bind::<Uid, _>(Key(tenant))
    .get_result(tx.conn())?;
    Ok(due.at)
}

/// A page of what was and is on its way to a webhook, the newest first.
///
/// # Errors
/// When the database fails.
pub fn list(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    state: Option<DeliveryState>,
    page: &PageRequest<DeliveryId>,
) -> storage::Result<Vec<Delivery>> {
    let mut query = d::table
        .filter(d::tenant_id.eq(Key(tx.tenant())))
        .filter(d::webhook_id.eq(Key(webhook)))
        .into_boxed::<MultiBackend>();
    if let Some(state) = state {
        query = query.filter(d::state.eq(state));
    }
    if let Some(after) = page.after {
        query = query.filter(d::id.lt(Key(after)));
    }
    Ok(query.order(d::id.desc()).limit(page.fetch()).select(Delivery::as_select()).load(tx.conn())?)
}

/// A delivery to a webhook.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, webhook: WebhookId, id: DeliveryId) -> storage::Result<Option<Delivery>> {
    let found = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(id)));
    let found = found.filter(d::webhook_id.eq(Key(webhook)));
    Ok(found.select(Delivery::as_select()).first(tx.conn()).optional()?)
}

/// The last `limit` tries, oldest first.
///
/// # Errors
/// When the database fails.
pub fn attempts(tx: &mut Tx<'_>, id: DeliveryId, limit: i64) -> storage::Result<Vec<Attempt>> {
    let of = a::table.filter(a::tenant_id.eq(Key(tx.tenant()))).filter(a::delivery_id.eq(Key(id)));
    let mut last: Vec<Attempt> = of.order(a::id.desc()).limit(limit).select(Attempt::as_select()).load(tx.conn())?;
    last.reverse();
    Ok(last)
}

/// Has a delivery tried anew and at once, whatever came of it before.
///
/// # Errors
/// When the database fails.
pub fn replay(tx: &mut Tx<'_>, id: DeliveryId) -> storage::Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    diesel::update(d::table.filter(d::tenant_id.eq(Key(tenant))).filter(d::id.eq(Key(id))))
        .set((
            d::state.eq(DeliveryState::Pending),
            d::attempts.eq(0_i64),
            d::next_attempt_at.eq(At(now)),
            d::settled_at.eq(None::<At>),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// The oldest deliveries to a webhook that are parked.
///
/// # Errors
/// When the database fails.
pub fn parked(tx: &mut Tx<'_>, webhook: WebhookId, limit: i64) -> storage::Result<Vec<DeliveryId>> {
    let parked = d::table
        .filter(d::tenant_id.eq(Key(tx.tenant())))
        .filter(d::webhook_id.eq(Key(webhook)))
        .filter(d::state.eq(DeliveryState::Parked));
    Ok(parked.order(d::position).limit(limit).select(d::id).load(tx.conn())?)
}

/// Parks everything that waits for a webhook.
///
/// # Errors
/// When the database fails.
pub fn park_all(tx: &mut Tx<'_>, webhook: WebhookId) -> storage::Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let waiting = d::table
        .filter(d::tenant_id.eq(Key(tenant)))
        .filter(d::webhook_id.eq(Key(webhook)))
        .filter(d::state.eq(DeliveryState::Pending));
    diesel::update(waiting)
        .set((d::state.eq(DeliveryState::Parked), d::settled_at.eq(Some(At(now)))))
        .execute(tx.conn())?;
    Ok(())
}
