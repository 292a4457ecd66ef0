//! `/webhooks`: where events are sent to.

use actix_web::{HttpResponse, delete, get, http::StatusCode, patch, post, web::Data};
use kernel::{Page, Problem};
use serde::Serialize;
use storage::Db;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    changes,
    deliveries::model::DeliveryId,
    model::{CreatedWebhook, NewRotation, NewSigningKey, NewWebhook, Webhook, WebhookId, WebhookPatch, WebhookView},
    store,
};
use crate::{
    access::{Caller, policy},
    directory::routes::PageQuery,
    events::EventTypes,
    http::{
        Answer, Body, IdPath, IdempotencyKey, IdempotencyKeyHeader, IfMatch, IfMatchHeader, Link, MaybeIdempotencyKey,
        Params, ProblemBody, Reply, TypedPatch, not_found, paging,
    },
    idempotency::{self, InFlight},
    outbox::EventId,
    problems::INVALID_BODY,
};

/// How many webhooks a Comune may have: each event is queued for each of them.
#[derive(Debug, Clone, Copy)]
pub struct MostWebhooks(pub i64);

/// The event that was sent to try a webhook out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "event_id": "01980000-0000-7000-8000-000000000080", "webhook_id": "01980000-0000-7000-8000-000000000060", "delivery_id": "01980000-0000-7000-8000-000000000070", "links": [] }))]
pub struct TestEvent {
    /// The event, of the type `webhook.tested`.
    pub event_id: EventId,
    /// The webhook that it is sent to.
    pub webhook_id: WebhookId,
    /// Its delivery, where it can be seen what came of it.
    pub delivery_id: DeliveryId,
    /// Where that is.
    #[schema(max_items = 5)]
    pub links: Vec<Link>,
}

/// Webhooks
///
/// Where the Comune has its events sent to, in the order in which they were made. For admins, and for systems with the
/// scope `webhooks:write`.
#[utoipa::path(tag = "events", params(PageQuery), responses(
    (status = 200, description = "A page of webhooks", body = Page<WebhookView>),
    (status = 403, description = "`forbidden`: not an admin, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/webhooks")]
async fn list_webhooks(caller: Caller, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    policy::webhooks(&caller)?;
    let page = paging::<WebhookId>(query.limit, query.after.as_deref())?;
    let rows = db.read(&caller, move |tx| store::list(tx, &page)).await?;
    Reply::page(Page::cut(rows, &page, |webhook| webhook.id).map(|webhook| webhook.view(&caller.tenant.slug)))
}

/// A webhook
///
/// Without its key, which is shown when it is made and when it is rotated. For admins, and for systems with the scope
/// `webhooks:write`.
#[utoipa::path(tag = "events", params(("webhook_id" = WebhookId, Path, description = "Which one")), responses(
    (status = 200, description = "The webhook. `ETag`: its version", body = WebhookView),
    (status = 403, description = "`forbidden`: not an admin, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/webhooks/{webhook_id}")]
async fn show_webhook(caller: Caller, id: IdPath<Webhook>, db: Data<Db>) -> Answer {
    policy::webhooks(&caller)?;
    let webhook = db.read(&caller, move |tx| store::get(tx, id.0)).await?.ok_or_else(not_found)?;
    reply(StatusCode::OK, webhook, &caller.tenant.slug).answer()
}

/// Have events sent somewhere
///
/// From now on each event of these kinds is posted to the address, at least once and in order for each object, as a
/// CloudEvent in JSON, signed as Standard Webhooks says (headers `webhook-id`, `webhook-timestamp`,
/// `webhook-signature`). The receiver answers 2xx within the deployment's time limit (15 s unless it says otherwise);
/// 410 ends the webhook; anything else is tried again for three days, and then parked. The key is shown in this
/// answer alone.
#[utoipa::path(tag = "events", request_body = NewWebhook,
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in")), responses(
    (status = 201, description = "Made. `ETag`: the version; `Location`: the webhook", body = CreatedWebhook),
    (status = 403, description = "`forbidden`: not an admin, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`too-many-webhooks`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/webhooks")]
async fn create_webhook(
    caller: Caller,
    key: IdempotencyKey,
    body: Body<NewWebhook>,
    (types, most): (Data<EventTypes>, Data<MostWebhooks>),
    (db, in_flight): (Data<Db>, Data<InFlight>),
) -> Answer {
    policy::webhooks(&caller)?;
    let (new, digest) = body.into_parts();
    are_known(&new.kinds, &types)?;
    let (who, most) = (caller.clone(), most.0);
    idempotency::once(&db, &in_flight, &caller, Some(&key), &digest, move |tx| {
        let may = (who.settings().private_hosts.as_slice(), most);
        let (webhook, key) = changes::create(tx, who.secret(), may, &new)?;
        let (slug, version) = (&who.tenant.slug, webhook.version);
        let location = format!("/{slug}/v1/webhooks/{}", webhook.id);
        let made = CreatedWebhook { webhook: webhook.view(slug), signing_key: key.text() };
        Ok(Reply::created(made).at(location).etag(version.to_string()))
    })
    .await
}

/// Change a webhook
///
/// Its address, which kinds, whether it is sent to. Enabled again, it is sent what waits for it.
#[utoipa::path(tag = "events", request_body(content = WebhookPatch, content_type = "application/merge-patch+json"),
    params(("webhook_id" = WebhookId, Path, description = "Which one"), IfMatchHeader), responses(
    (status = 200, description = "The webhook as it is now. `ETag`: its version", body = WebhookView),
    (status = 403, description = "`forbidden`: not an admin, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[patch("/webhooks/{webhook_id}")]
async fn update_webhook(
    caller: Caller,
    id: IdPath<Webhook>,
    if_match: IfMatch,
    patch: TypedPatch<WebhookPatch>,
    (db, types): (Data<Db>, Data<EventTypes>),
) -> Answer {
    policy::webhooks(&caller)?;
    are_known(patch.0.kinds.as_deref().unwrap_or_default(), &types)?;
    let who = caller.clone();
    let changed = db.write(&caller, move |tx| {
        changes::change(tx, id.0, &who.settings().private_hosts, &patch.0, |version| if_match.check(version, true))
    });
    reply(StatusCode::OK, changed.await?, &caller.tenant.slug).answer()
}

/// End a webhook
///
/// With its log, and what was still on its way.
#[utoipa::path(tag = "events", params(("webhook_id" = WebhookId, Path, description = "Which one"), IfMatchHeader), responses(
    (status = 204, description = "It is gone"),
    (status = 403, description = "`forbidden`: not an admin, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/webhooks/{webhook_id}")]
async fn remove_webhook(caller: Caller, id: IdPath<Webhook>, if_match: IfMatch, db: Data<Db>) -> Answer {
    policy::webhooks(&caller)?;
    db.write(&caller, move |tx| changes::delete(tx, id.0, |version| if_match.check(version, true))).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Rotate a webhook's signing key
///
/// The new key is shown in this answer alone. For so many hours deliveries carry two signatures, one with each key, so
/// that the receiver may change over when it likes.
#[utoipa::path(tag = "events", request_body = NewRotation,
    params(("webhook_id" = WebhookId, Path, description = "Which one"), IfMatchHeader, IdempotencyKeyHeader), responses(
    (status = 201, description = "Rotated. `ETag`: the webhook's version", body = NewSigningKey),
    (status = 403, description = "`forbidden`: not an admin, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/webhooks/{webhook_id}/signing-key-rotations")]
async fn rotate_webhook_key(
    caller: Caller,
    id: IdPath<Webhook>,
    (if_match, key): (IfMatch, MaybeIdempotencyKey),
    body: Body<NewRotation>,
    (db, in_flight): (Data<Db>, Data<InFlight>),
) -> Answer {
    policy::webhooks(&caller)?;
    let (new, digest) = body.into_parts();
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let check = |version| if_match.check(version, true);
        let (webhook, key) = changes::rotate(tx, who.secret(), id.0, new.overlap_hours, check)?;
        let previous_key_expires_at = webhook.previous_expires_at.unwrap_or(webhook.updated_at);
        let rotated = NewSigningKey { signing_key: key.text(), previous_key_expires_at };
        Ok(Reply::created(rotated).etag(webhook.version.to_string()))
    })
    .await
}

/// Try a webhook out
///
/// Sends an event of the type `webhook.tested` to this webhook and to no other, as every event is sent. What came of
/// it is in its delivery a moment later.
#[utoipa::path(tag = "events", params(("webhook_id" = WebhookId, Path, description = "Which one"), IdempotencyKeyHeader), responses(
    (status = 202, description = "It is on its way", body = TestEvent),
    (status = 403, description = "`forbidden`: not an admin, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`: it is disabled; `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/webhooks/{webhook_id}/test-events")]
async fn send_test_event(
    caller: Caller,
    id: IdPath<Webhook>,
    key: MaybeIdempotencyKey,
    (db, in_flight): (Data<Db>, Data<InFlight>),
) -> Answer {
    policy::webhooks(&caller)?;
    let slug = caller.tenant.slug.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), "", move |tx| {
        let (event_id, delivery_id) = changes::test(tx, id.0)?;
        let href = format!("/{slug}/v1/webhooks/{}/deliveries/{delivery_id}", id.0);
        let links = vec![Link { rel: "delivery".to_owned(), method: "GET".to_owned(), href }];
        Ok(Reply::with(StatusCode::ACCEPTED, TestEvent { event_id, webhook_id: id.0, delivery_id, links }))
    })
    .await
}

/// Whoever misspells a kind would wait for it in vain.
fn are_known(kinds: &[String], types: &EventTypes) -> Result<(), Problem> {
    let unknown = kinds.iter().enumerate().filter(|(_, kind)| !types.knows(kind));
    let problem = unknown.fold(Problem::new(&INVALID_BODY), |problem, (at, _)| {
        problem.field(format!("/kinds/{at}"), "unknown-reference", "no kind of event, as /event-types lists them")
    });
    if problem.errors.is_empty() { Ok(()) } else { Err(problem) }
}

fn reply(status: StatusCode, webhook: Webhook, slug: &str) -> Reply<WebhookView> {
    let etag = webhook.version.to_string();
    Reply::with(status, webhook.view(slug)).etag(etag)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_webhooks)
        .service(show_webhook)
        .service(create_webhook)
        .service(update_webhook)
        .service(remove_webhook)
        .service(rotate_webhook_key)
        .service(send_test_event);
    super::deliveries::routes::routes(cfg);
}
