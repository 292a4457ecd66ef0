//! `/pdnd-clients`: which systems the Comune lets in through PDND.

use actix_web::{HttpResponse, delete, get, http::StatusCode, patch, post, web::Data};
use kernel::Page;
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    changes,
    model::{NewPdndClient, PdndClient, PdndClientId, PdndClientPatch, PdndClientView},
    store,
};
use crate::{
    access::{Caller, policy},
    directory::routes::PageQuery,
    http::{
        Answer, Body, IdPath, IdempotencyKeyHeader, IfMatch, IfMatchHeader, MaybeIdempotencyKey, Params, ProblemBody,
        Reply, TypedPatch, not_found, paging,
    },
    idempotency::{self, InFlight},
};

/// Clients of PDND
///
/// The systems that the Comune lets in through PDND, in the order in which they were registered. For admins.
#[utoipa::path(tag = "systems", params(PageQuery), responses(
    (status = 200, description = "A page of clients", body = Page<PdndClientView>),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/pdnd-clients")]
async fn list_pdnd_clients(caller: Caller, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let page = paging::<PdndClientId>(query.limit, query.after.as_deref())?;
    let rows = db.read(&caller, move |tx| store::list(tx, &page)).await?;
    Reply::page(Page::cut(rows, &page, |client| client.id).map(|client| client.view(&caller.tenant.slug)))
}

/// A client of PDND
///
/// What it may do, and whether it gets in. For admins.
#[utoipa::path(tag = "systems", params(("pdnd_client_id" = PdndClientId, Path, description = "Which one")), responses(
    (status = 200, description = "The client. `ETag`: its version", body = PdndClientView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/pdnd-clients/{pdnd_client_id}")]
async fn show_pdnd_client(caller: Caller, id: IdPath<PdndClient>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let client = db.read(&caller, move |tx| store::get(tx, id.0)).await?.ok_or_else(not_found)?;
    reply(StatusCode::OK, client, &caller.tenant.slug).answer()
}

/// Register a client of PDND
///
/// Lets the system that PDND calls so in with its vouchers, within these scopes, where `settings.pdnd` lets such
/// systems in at all. For admins.
#[utoipa::path(tag = "systems", request_body = NewPdndClient, params(IdempotencyKeyHeader), responses(
    (status = 201, description = "Registered. `ETag`: the version; `Location`: the client", body = PdndClientView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`already-registered`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/pdnd-clients")]
async fn create_pdnd_client(
    caller: Caller,
    key: MaybeIdempotencyKey,
    body: Body<NewPdndClient>,
    (db, in_flight): (Data<Db>, Data<InFlight>),
) -> Answer {
    policy::administration(&caller)?;
    let (new, digest) = body.into_parts();
    let slug = caller.tenant.slug.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let client = changes::register(tx, &new)?;
        let location = format!("/{slug}/v1/pdnd-clients/{}", client.id);
        Ok(reply(StatusCode::CREATED, client, &slug).at(location))
    })
    .await
}

/// Change a client of PDND
///
/// What people call it, its scopes, and whether it gets in; heeded from its next request on. For admins.
#[utoipa::path(tag = "systems", request_body(content = PdndClientPatch, content_type = "application/merge-patch+json"),
    params(("pdnd_client_id" = PdndClientId, Path, description = "Which one"), IfMatchHeader), responses(
    (status = 200, description = "The client as it is now. `ETag`: its version", body = PdndClientView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[patch("/pdnd-clients/{pdnd_client_id}")]
async fn update_pdnd_client(
    caller: Caller,
    id: IdPath<PdndClient>,
    if_match: IfMatch,
    patch: TypedPatch<PdndClientPatch>,
    db: Data<Db>,
) -> Answer {
    policy::administration(&caller)?;
    let changed =
        db.write(&caller, move |tx| changes::change(tx, id.0, &patch.0, |version| if_match.check(version, true)));
    reply(StatusCode::OK, changed.await?, &caller.tenant.slug).answer()
}

/// Strike off a client of PDND
///
/// It gets in no more; what it has made stays. For admins.
#[utoipa::path(tag = "systems", params(("pdnd_client_id" = PdndClientId, Path, description = "Which one"), IfMatchHeader), responses(
    (status = 204, description = "It is gone"),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/pdnd-clients/{pdnd_client_id}")]
async fn remove_pdnd_client(caller: Caller, id: IdPath<PdndClient>, if_match: IfMatch, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    db.write(&caller, move |tx| changes::remove(tx, id.0, |version| if_match.check(version, true))).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn reply(status: StatusCode, client: PdndClient, slug: &str) -> Reply<PdndClientView> {
    let etag = client.version.to_string();
    Reply::with(status, client.view(slug)).etag(etag)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_pdnd_clients)
        .service(show_pdnd_client)
        .service(create_pdnd_client)
        .service(update_pdnd_client)
        .service(remove_pdnd_client);
}
