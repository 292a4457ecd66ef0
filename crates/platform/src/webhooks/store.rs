//! Queries over webhooks, and the queueing of events for them.

use diesel::prelude::*;
use kernel::{Id, PageRequest};
use storage::{
    Json, MultiBackend, Tx,
    types::{At, Key},
};

use super::{
    deliveries::model::{DeliveryId, DeliveryState},
    model::{Webhook, WebhookId, WebhookState},
    rules,
};
use crate::{
    outbox::{EventId, StoredEvent},
    schema::{webhook_attempts as a, webhook_deliveries as d, webhooks as w},
};

/// The kind of event that is sent to try a webhook out: to that one and to no other.
pub const TEST_EVENT: &str = "webhook.tested";

/// A webhook that is sent to, and what it wants.
#[derive(Debug)]
pub struct Listener {
    id: WebhookId,
    kinds: Vec<String>,
}

impl Listener {
    /// A test was queued for its webhook when it was made.
    fn wants(&self, event: &StoredEvent) -> bool {
        event.kind != TEST_EVENT && rules::lets_through(&self.kinds, &event.kind)
    }
}

/// The webhooks that are sent to.
///
/// # Errors
/// When the database fails.
pub fn listeners(tx: &mut Tx<'_>) -> storage::Result<Vec<Listener>> {
    let rows: Vec<(WebhookId, Json<Vec<String>>)> = w::table
        .filter(w::tenant_id.eq(Key(tx.tenant())))
        .filter(w::state.eq(WebhookState::Enabled))
        .order(w::id)
        .select((w::id, w::kinds))
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|(id, kinds)| Listener { id, kinds: kinds.0 }).collect())
}

/// Queues an event that has got its place for those who want it; answers for how many.
///
/// # Errors
/// When the database fails.
pub fn queue(tx: &mut Tx<'_>, listeners: &[Listener], event: &StoredEvent, position: i64) -> storage::Result<usize> {
    let mut queued: usize = 0;
    for listener in listeners.iter().filter(|listener| listener.wants(event)) {
        queue_for(tx, listener.id, (event.id, event.subject_id), position)?;
        queued = queued.saturating_add(1);
    }
    Ok(queued)
}

/// Queues an event, with what it is about, for one webhook.
///
/// # Errors
/// When the database fails.
pub fn queue_for(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    (event, subject): (EventId, Id<()>),
    position: i64,
) -> storage::Result<DeliveryId> {
    let (tenant, now, id) = (tx.tenant(), tx.now(), tx.new_id());
    diesel::insert_into(d::table)
        .values((
            d::tenant_id.eq(Key(tenant)),
            d::id.eq(Key(id)),
            d::webhook_id.eq(Key(webhook)),
            d::event_id.eq(Key(event)),
            d::subject_id.eq(Key(subject)),
            d::position.eq(position),
            d::state.eq(DeliveryState::Pending),
            d::attempts.eq(0_i64),
            d::next_attempt_at.eq(At(now)),
            d::created_at.eq(At(now)),
        ))
        .execute(tx.conn())?;
    Ok(id)
}

/// A page of the Comune's webhooks, in the order in which they were made.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut Tx<'_>, page: &PageRequest<WebhookId>) -> storage::Result<Vec<Webhook>> {
    let mut query = w::table.filter(w::tenant_id.eq(Key(tx.tenant()))).into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(w::id.gt(Key(after)));
    }
    Ok(query.order(w::id).limit(page.fetch()).select(Webhook::as_select()).load(tx.conn())?)
}

/// A webhook.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, id: WebhookId) -> storage::Result<Option<Webhook>> {
    let found = w::table.filter(w::tenant_id.eq(Key(tx.tenant()))).filter(w::id.eq(Key(id)));
    Ok(found.select(Webhook::as_select()).first(tx.conn()).optional()?)
}

/// How many there are.
///
/// # Errors
/// When the database fails.
pub fn count(tx: &mut Tx<'_>) -> storage::Result<i64> {
    Ok(w::table.filter(w::tenant_id.eq(Key(tx.tenant()))).count().get_result(tx.conn())?)
}

/// Writes a new one.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut Tx<'_>, webhook: &Webhook) -> storage::Result<()> {
    let tenant = tx.tenant();
    diesel::insert_into(w::table)
        .values((
            w::tenant_id.eq(Key(tenant)),
            w::id.eq(Key(webhook.id)),
            w::url.eq(&webhook.url),
            w::description.eq(&webhook.description),
            w::kinds.eq(webhook.kinds.clone()),
            w::state.eq(webhook.state),
            w::disabled_because.eq(webhook.disabled_because),
            w::signing_key.eq(&webhook.signing_key),
            w::version.eq(webhook.version),
            w::created_at.eq(At(webhook.created_at)),
            w::updated_at.eq(At(webhook.updated_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Writes what follows the version before it. `false`: somebody was faster.
///
/// # Errors
/// When the database fails.
pub fn update(tx: &mut Tx<'_>, webhook: &Webhook) -> storage::Result<bool> {
    let tenant = tx.tenant();
    let before = webhook.version.saturating_sub(1);
    let row =
        w::table.filter(w::tenant_id.eq(Key(tenant))).filter(w::id.eq(Key(webhook.id))).filter(w::version.eq(before));
    let changed = diesel::update(row)
        .set((
            w::url.eq(&webhook.url),
            w::description.eq(&webhook.description),
            w::kinds.eq(webhook.kinds.clone()),
            w::state.eq(webhook.state),
            w::disabled_because.eq(webhook.disabled_because),
            w::signing_key.eq(&webhook.signing_key),
            w::previous_key.eq(&webhook.previous_key),
            w::previous_expires_at.eq(webhook.previous_expires_at.map(At)),
            w::version.eq(webhook.version),
            w::updated_at.eq(At(webhook.updated_at)),
        ))
        .execute(tx.conn())?;
    Ok(changed == 1)
}

/// Takes one away, with what was on its way to it and what was noted about that.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut Tx<'_>, id: WebhookId) -> storage::Result<()> {
    let tenant = tx.tenant();
    let of = d::table.filter(d::tenant_id.eq(Key(tenant))).filter(d::webhook_id.eq(Key(id)));
    let ids = of.select(d::id);
    diesel::delete(a::table.filter(a::tenant_id.eq(Key(tenant))).filter(a::delivery_id.eq_any(ids)))
        .execute(tx.conn())?;
    diesel::delete(of).execute(tx.conn())?;
    diesel::delete(w::table.filter(w::tenant_id.eq(Key(tenant))).filter(w::id.eq(Key(id)))).execute(tx.conn())?;
    Ok(())
}
