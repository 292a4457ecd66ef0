//! `/webhooks/{webhook_id}/deliveries`: what was sent, what came of it, and having it sent again.

use actix_web::{get, http::StatusCode, post, web::Data};
use kernel::Page;
use serde::Deserialize;
use serde_json::json;
use storage::{Db, Tx};
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{AttemptView, Delivery, DeliveryId, DeliveryLog, DeliveryState, DeliveryView, NewReplays, Replayed},
    store,
};
use crate::{
    access::{Caller, policy},
    audit::{self, Change},
    http::{
        Answer, Body, IdPair, IdPath, IdempotencyKeyHeader, MaybeIdempotencyKey, Params, ProblemBody, Reply, not_found,
        paging,
    },
    idempotency::{self, InFlight},
    webhooks::{
        model::{Webhook, WebhookId},
        store as webhooks,
    },
};

/// How many tries of a delivery are shown.
const TRIES: i64 = 100;

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryQuery {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// How many items at most; 20 when absent.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 500)]
    pub after: Option<String>,
}

/// Deliveries to a webhook
///
/// What was and is on its way, the newest first. For admins, and for systems with the scope `webhooks:write`.
#[utoipa::path(tag = "events", params(("webhook_id" = WebhookId, Path, description = "Which webhook"), DeliveryQuery), responses(
    (status = 200, description = "A page of deliveries", body = Page<DeliveryView>),
    (status = 403, description = "`forbidden`: not an admin, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/webhooks/{webhook_id}/deliveries")]
async fn list_webhook_deliveries(
    caller: Caller,
    id: IdPath<Webhook>,
    query: Params<DeliveryQuery>,
    db: Data<Db>,
) -> Answer {
    policy::webhooks(&caller)?;
    let (page, state) = (paging::<DeliveryId>(query.limit, query.after.as_deref())?, query.state);
    let rows = db
        .read(&caller, move |tx| {
            is_there(tx, id.0)?;
            store::list(tx, id.0, state, &page)
        })
        .await?;
    Reply::page(Page::cut(rows, &page, |delivery| delivery.id).map(|it| it.view(&caller.tenant.slug)))
}

/// A delivery
///
/// With each time it was tried. Nothing of what the receiver answered is kept but its status.
#[utoipa::path(tag = "events", params(("webhook_id" = WebhookId, Path, description = "Which webhook"),
    ("delivery_id" = DeliveryId, Path, description = "Which delivery")), responses(
    (status = 200, description = "The delivery", body = DeliveryLog),
    (status = 403, description = "`forbidden`: not an admin, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/webhooks/{webhook_id}/deliveries/{delivery_id}")]
async fn show_webhook_delivery(caller: Caller, ids: IdPair<Webhook, Delivery>, db: Data<Db>) -> Answer {
    policy::webhooks(&caller)?;
    let (delivery, tries) = db
        .read(&caller, move |tx| {
            let delivery = store::get(tx, ids.0, ids.1)?.ok_or_else(not_found)?;
            Ok((delivery, store::attempts(tx, ids.1, TRIES)?))
        })
        .await?;
    let tries = tries.into_iter().map(AttemptView::from).collect();
    Reply::ok(DeliveryLog { delivery: delivery.view(&caller.tenant.slug), tries })
}

/// Send an event again
///
/// A delivery that arrived or was parked is tried anew, with the same `webhook-id`, and one that waits is tried at
/// once. Later events about the same object wait for it.
#[utoipa::path(tag = "events", params(("webhook_id" = WebhookId, Path, description = "Which webhook"),
    ("delivery_id" = DeliveryId, Path, description = "Which delivery"), IdempotencyKeyHeader), responses(
    (status = 202, description = "It is on its way", body = DeliveryView),
    (status = 403, description = "`forbidden`: not an admin, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/webhooks/{webhook_id}/deliveries/{delivery_id}/replays")]
async fn replay_webhook_delivery(
    caller: Caller,
    ids: IdPair<Webhook, Delivery>,
    key: MaybeIdempotencyKey,
    (db, in_flight): (Data<Db>, Data<InFlight>),
) -> Answer {
    policy::webhooks(&caller)?;
    let slug = caller.tenant.slug.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), "", move |tx| {
        let delivery = store::get(tx, ids.0, ids.1)?.ok_or_else(not_found)?;
        store::replay(tx, delivery.id)?;
        told(tx, ids.1)?;
        let delivery = store::get(tx, ids.0, ids.1)?.ok_or_else(not_found)?;
        Ok(Reply::with(StatusCode::ACCEPTED, delivery.view(&slug)))
    })
    .await
}

/// Send everything that was parked again
///
/// Of this webhook, the oldest first: once its receiver is in order again.
#[utoipa::path(tag = "events", request_body = NewReplays,
    params(("webhook_id" = WebhookId, Path, description = "Which webhook"), IdempotencyKeyHeader), responses(
    (status = 202, description = "They are on their way", body = Replayed),
    (status = 403, description = "`forbidden`: not an admin, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/webhooks/{webhook_id}/replays")]
async fn replay_parked_deliveries(
    caller: Caller,
    id: IdPath<Webhook>,
    key: MaybeIdempotencyKey,
    body: Body<NewReplays>,
    (db, in_flight): (Data<Db>, Data<InFlight>),
) -> Answer {
    policy::webhooks(&caller)?;
    let (new, digest) = body.into_parts();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        is_there(tx, id.0)?;
        let mut replayed: i64 = 0;
        for delivery in store::parked(tx, id.0, new.limit.unwrap_or(1000))? {
            store::replay(tx, delivery)?;
            replayed = replayed.saturating_add(1);
        }
        let (action, subject_kind, subject) = ("webhook.replayed", "webhook", id.0);
        let after = json!({ "replayed": replayed });
        audit::record(tx, Change { action, subject_kind, subject, before: None, after: Some(&after) })?;
        tx.announce();
        Ok(Reply::with(StatusCode::ACCEPTED, Replayed { replayed }))
    })
    .await
}

fn told(tx: &mut Tx<'_>, subject: DeliveryId) -> storage::Result<()> {
    let action = "webhook_delivery.replayed";
    audit::record(tx, Change { action, subject_kind: "webhook_delivery", subject, before: None, after: None })?;
    tx.announce();
    Ok(())
}

fn is_there(tx: &mut Tx<'_>, id: WebhookId) -> storage::Result<()> {
    webhooks::get(tx, id)?.map(|_webhook| ()).ok_or_else(|| not_found().into())
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_webhook_deliveries)
        .service(show_webhook_delivery)
        .service(replay_webhook_delivery)
        .service(replay_parked_deliveries);
}
