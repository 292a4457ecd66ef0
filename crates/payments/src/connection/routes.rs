//! `/connections/payments`: how the Comune is paid, and with which keys notifications are signed.

use actix_web::{HttpResponse, delete, get, http::StatusCode, post, put, web::Data};
use base64::{Engine, engine::general_purpose::STANDARD};
use kernel::Problem;
use platform::{
    access::{Caller, policy},
    audit::{self, Change},
    http::{
        Answer, Body, IdPath, IdempotencyKeyHeader, IfMatch, IfMatchHeader, MaybeIdempotencyKey, ProblemBody, Reply,
        not_found,
    },
    idempotency::{self, InFlight},
    problems::INVALID_BODY,
};
use serde_json::{Value, json};
use storage::{Db, Json, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    NOTIFICATION_KEY, SUBSCRIPTION_KEY,
    model::{Connection, ConnectionView, NewConnection, NewKeyView, NotificationKey, NotificationKeyId},
    store,
};
use crate::debts::store as debts;

fn view(tx: &mut Tx<'_>) -> storage::Result<Reply<ConnectionView>> {
    let view = ConnectionView::of(store::get(tx)?, store::keys(tx)?);
    let etag = view.version.to_string();
    Ok(Reply::with(StatusCode::OK, view).etag(etag))
}

fn record(tx: &mut Tx<'_>, action: &str, before: Option<&Value>, after: Option<&Value>) -> storage::Result<()> {
    let subject = tx.tenant();
    audit::record(tx, Change { action, subject_kind: "tenant", subject, before, after })
}

/// The connection as the audit keeps it: everything but the key.
fn state(of: &Connection) -> Value {
    json!({
        "organisation_tax_code": of.organisation_tax_code, "segregation_code": of.segregation_code, "iban": of.iban,
        "company_name": of.company_name, "return_origins": of.return_origins.0, "enabled": of.enabled,
        "version": of.version,
    })
}

/// How the Comune is paid
///
/// For admins. Keys are never shown.
#[utoipa::path(tag = "payments", responses(
    (status = 200, description = "How it is paid. `ETag`: its version", body = ConnectionView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/connections/payments")]
async fn show_payments_connection(caller: Caller, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    db.read(&caller, view).await?.answer()
}

/// Say how the Comune is paid
///
/// For admins. Payments that were asked for before stay as they are, with their numbers and their account; what waits
/// because the key was not accepted is tried again.
#[utoipa::path(tag = "payments", request_body = NewConnection, params(IfMatchHeader), responses(
    (status = 200, description = "Said. `ETag`: the version", body = ConnectionView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[put("/connections/payments")]
async fn update_payments_connection(
    caller: Caller,
    if_match: IfMatch,
    body: Body<NewConnection>,
    db: Data<Db>,
) -> Answer {
    policy::administration(&caller)?;
    let new = body.into_inner();
    let key = new.subscription_key.as_deref();
    let given = key.map(|key| caller.secret().conceal(SUBSCRIPTION_KEY, key.as_bytes())).transpose()?;
    db.write(&caller, move |tx| {
        let before = store::get(tx)?;
        let version = before.as_ref().map_or(0, |before| before.version);
        if_match.check(version, true)?;
        let kept = || before.as_ref().map(|before| before.concealed_key.clone());
        let missing = || Problem::new(&INVALID_BODY).field("/subscription_key", "incomplete", "there is none yet");
        let after = Connection {
            organisation_tax_code: new.organisation_tax_code.clone(),
            segregation_code: new.segregation_code.clone(),
            iban: new.iban.clone(),
            company_name: new.company_name.clone(),
            concealed_key: given.clone().or_else(kept).ok_or_else(missing)?,
            return_origins: Json(new.return_origins.clone()),
            enabled: new.enabled,
            version: version.saturating_add(1),
            updated_at: tx.now(),
        };
        store::put(tx, &after)?;
        // What waits because there was no good key need not wait any longer.
        debts::hurry_what_had_no_key(tx)?;
        let (was, is) = (before.as_ref().map(state), state(&after));
        record(tx, "payments-connection.updated", was.as_ref(), Some(&is))?;
        view(tx)
    })
    .await?
    .answer()
}

/// Make a key for notifications
///
/// For admins. The provider signs with it what it tells by itself (`POST /payment-notifications`). Other keys stay
/// good, so that keys can be changed at leisure; delete the old one then.
#[utoipa::path(tag = "payments", params(IdempotencyKeyHeader), responses(
    (status = 201, description = "The key, told once", body = NewKeyView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`too-many-notification-keys`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/connections/payments/notification-keys")]
async fn create_payment_notification_key(
    caller: Caller,
    key: MaybeIdempotencyKey,
    (db, in_flight): (Data<Db>, Data<InFlight>),
) -> Answer {
    policy::administration(&caller)?;
    let bytes: [u8; 32] = rand::random();
    let concealed = caller.secret().conceal(NOTIFICATION_KEY, &bytes)?;
    let signing_key = format!("whsec_{}", STANDARD.encode(bytes));
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), "", move |tx| {
        let made = NotificationKey { id: tx.new_id(), concealed: concealed.clone(), created_at: tx.now() };
        store::add_key(tx, &made)?;
        record(tx, "payments-notification-key.created", None, Some(&json!({ "id": made.id })))?;
        Ok(Reply::created(NewKeyView { id: made.id, created_at: made.created_at, signing_key: signing_key.clone() }))
    })
    .await
}

/// Delete a key for notifications
///
/// For admins. What is signed with it is refused from now on.
#[utoipa::path(tag = "payments", params(("notification_key_id" = NotificationKeyId, Path, description = "Which one")), responses(
    (status = 204, description = "It is gone"),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/connections/payments/notification-keys/{notification_key_id}")]
async fn remove_payment_notification_key(caller: Caller, id: IdPath<NotificationKey>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    db.write(&caller, move |tx| {
        if !store::remove_key(tx, id.0)? {
            return Err(not_found().into());
        }
        record(tx, "payments-notification-key.deleted", Some(&json!({ "id": id.0 })), None)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show_payments_connection)
        .service(update_payments_connection)
        .service(create_payment_notification_key)
        .service(remove_payment_notification_key);
}
