//! `/emergency-registers`: opening one while the ordinary protocol is interrupted, and closing it.

use actix_web::{get, http::StatusCode, post, web::Data};
use kernel::Page;
use platform::{
    access::{
        Caller,
        policy::{self, ProtocolWish},
    },
    http::{
        Answer, Body, IdPath, IdempotencyKey, IdempotencyKeyHeader, IfMatch, IfMatchHeader, Link, MaybeIdempotencyKey,
        Params, ProblemBody, Reply, not_found, paging,
    },
    idempotency::{self, InFlight},
    privacy::Place,
};
use serde::Deserialize;
use storage::Db;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    changes,
    model::{EmergencyRegister, EmergencyRegisterId, EmergencyState, EmergencyView, NewEmergencyRegister},
    store,
};

/// Which emergency registers.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EmergencyQuery {
    /// How many items at most; 20 when absent.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 500)]
    pub after: Option<String>,
}

fn view(of: EmergencyRegister, caller: &Caller) -> EmergencyView {
    let is_open = of.closed_at.is_none();
    let mut links = Vec::new();
    if is_open && policy::protocol(caller, ProtocolWish::Decide).is_ok() {
        let href = format!("/{}/v1/emergency-registers/{}/closure", caller.tenant.slug, of.id);
        links.push(Link { rel: "closure".to_owned(), method: "POST".to_owned(), href });
    }
    EmergencyView {
        id: of.id,
        aoo_code: of.aoo_code,
        register_code: of.register_code,
        state: if is_open { EmergencyState::Open } else { EmergencyState::Closed },
        reason: of.reason,
        opened_by: of.opened_by,
        opened_at: of.opened_at,
        closed_by: of.closed_by,
        closed_at: of.closed_at,
        recovered: of.recovered,
        version: of.version,
        links,
    }
}

/// Emergency registers
///
/// The newest first. For staff, and for systems with the scope `protocol:read`.
#[utoipa::path(tag = "protocol", params(EmergencyQuery), responses(
    (status = 200, description = "A page of emergency registers", body = Page<EmergencyView>),
    (status = 403, description = "`forbidden`: not staff, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/emergency-registers")]
async fn list_emergency_registers(caller: Caller, query: Params<EmergencyQuery>, db: Data<Db>) -> Answer {
    policy::protocol(&caller, ProtocolWish::Read)?;
    let page = paging::<EmergencyRegisterId>(query.limit, query.after.as_deref())?;
    let found = db.read(&caller, move |tx| store::list(tx, &page)).await?;
    Reply::page(Page::cut(found, &page, |it| it.id).map(|it| view(it, &caller)))
}

/// An emergency register
#[utoipa::path(tag = "protocol", params(("emergency_register_id" = EmergencyRegisterId, Path, description = "Which one")), responses(
    (status = 200, description = "The emergency register. `ETag` is set.", body = EmergencyView),
    (status = 403, description = "`forbidden`: not staff, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/emergency-registers/{emergency_register_id}")]
async fn show_emergency_register(caller: Caller, id: IdPath<EmergencyRegister>, db: Data<Db>) -> Answer {
    policy::protocol(&caller, ProtocolWish::Read)?;
    let found = db.read(&caller, move |tx| store::get(tx, id.0)).await?.ok_or_else(not_found)?;
    let etag = found.version.to_string();
    Reply::with(StatusCode::OK, view(found, &caller)).etag(etag).answer()
}

/// Open an emergency register
///
/// While the Comune's ordinary protocol is interrupted (DPR 445/2000, articolo 63). It numbers by itself; what is
/// registered there names it in `emergency_register_id`. For admins, managers of the central office, and systems with
/// the scope `protocol:write`.
#[utoipa::path(tag = "protocol", request_body = NewEmergencyRegister,
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in")), responses(
    (status = 201, description = "Open. `ETag` is set. `Location` is set.", body = EmergencyView),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/emergency-registers")]
async fn create_emergency_register(
    caller: Caller,
    key: IdempotencyKey,
    body: Body<NewEmergencyRegister>,
    (db, in_flight): (Data<Db>, Data<InFlight>),
) -> Answer {
    policy::protocol(&caller, ProtocolWish::Decide)?;
    let (new, digest) = body.into_parts();
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, Some(&key), &digest, move |tx| {
        let made = changes::open(tx, &who.tenant.slug, &new.reason)?;
        let at = format!("/{}/v1/emergency-registers/{}", who.tenant.slug, made.id);
        let etag = made.version.to_string();
        Ok(Reply::created(view(made, &who)).at(at).etag(etag))
    })
    .await
}

/// Close an emergency register
///
/// Each of its entries gets a number in the ordinary register, in their order, and both are kept.
#[utoipa::path(tag = "protocol",
    params(("emergency_register_id" = EmergencyRegisterId, Path, description = "Which one"), IdempotencyKeyHeader, IfMatchHeader), responses(
    (status = 200, description = "Closed. `ETag` is set.", body = EmergencyView),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`emergency-register-closed`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/emergency-registers/{emergency_register_id}/closure")]
async fn close_emergency_register(
    caller: Caller,
    id: IdPath<EmergencyRegister>,
    (key, if_match): (MaybeIdempotencyKey, IfMatch),
    (db, in_flight): (Data<Db>, Data<InFlight>),
) -> Answer {
    policy::protocol(&caller, ProtocolWish::Decide)?;
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), "", move |tx| {
        let place = Place { tenant: &who.tenant, secret: who.secret() };
        let closed = changes::close(tx, place, id.0, |it| if_match.check(it.version, true))?;
        let etag = closed.version.to_string();
        Ok(Reply::with(StatusCode::OK, view(closed, &who)).etag(etag))
    })
    .await
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_emergency_registers)
        .service(show_emergency_register)
        .service(create_emergency_register)
        .service(close_emergency_register);
}
