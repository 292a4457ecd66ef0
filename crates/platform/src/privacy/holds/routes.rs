//! `/legal-holds`: what is kept whatever the rules say.

use actix_web::{HttpResponse, delete, get, post, web::Data};
use kernel::Page;
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    changes,
    model::{LegalHold, LegalHoldId, LegalHoldView, NewLegalHold},
    store,
};
use crate::{
    access::{Caller, policy},
    directory::routes::PageQuery,
    http::{
        Answer, Body, IdPath, IdempotencyKeyHeader, MaybeIdempotencyKey, Params, ProblemBody, Reply, not_found, paging,
    },
    idempotency::{self, InFlight},
    privacy::{Holdings, Place},
};

/// Legal holds
///
/// What is kept whatever the rules of retention say, in the order in which it was said. For admins.
#[utoipa::path(tag = "privacy", params(PageQuery), responses(
    (status = 200, description = "A page of holds", body = Page<LegalHoldView>),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/legal-holds")]
async fn list_legal_holds(caller: Caller, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let page = paging::<LegalHoldId>(query.limit, query.after.as_deref())?;
    let rows = db.read(&caller, move |tx| store::list(tx, &page)).await?;
    Reply::page(Page::cut(rows, &page, |hold| hold.id).map(|hold| hold.view(&caller.tenant.slug)))
}

/// Lay a legal hold
///
/// On a person, by codice fiscale, of which only a pseudonym is kept, or on one record: runs of the rules pass over
/// what it is about, and count it as held, until it is lifted. For admins.
#[utoipa::path(tag = "privacy", request_body = NewLegalHold, params(IdempotencyKeyHeader), responses(
    (status = 201, description = "Laid. `Location` is set.", body = LegalHoldView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/legal-holds")]
async fn create_legal_hold(
    caller: Caller,
    key: MaybeIdempotencyKey,
    body: Body<NewLegalHold>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
    holdings: Data<Holdings>,
) -> Answer {
    policy::administration(&caller)?;
    let (new, digest) = body.into_parts();
    let (who, holdings) = (caller.clone(), Holdings::clone(&holdings));
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let hold = changes::lay(tx, &holdings, Place::of(&who), &new)?;
        let slug = &who.tenant.slug;
        let location = format!("/{slug}/v1/legal-holds/{}", hold.id);
        Ok(Reply::created(hold.view(slug)).at(location))
    })
    .await
}

/// A legal hold
///
/// For admins.
#[utoipa::path(tag = "privacy", params(("legal_hold_id" = LegalHoldId, Path, description = "The hold")), responses(
    (status = 200, description = "The hold", body = LegalHoldView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/legal-holds/{legal_hold_id}")]
async fn show_legal_hold(caller: Caller, id: IdPath<LegalHold>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let hold = db.read(&caller, move |tx| store::get(tx, id.0)).await?.ok_or_else(not_found)?;
    Reply::ok(hold.view(&caller.tenant.slug))
}

/// Lift a legal hold
///
/// The rules apply again, from the next run on. For admins.
#[utoipa::path(tag = "privacy", params(("legal_hold_id" = LegalHoldId, Path, description = "The hold")), responses(
    (status = 204, description = "Lifted"),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/legal-holds/{legal_hold_id}")]
async fn lift_legal_hold(caller: Caller, id: IdPath<LegalHold>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    db.write(&caller, move |tx| changes::lift(tx, id.0)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_legal_holds).service(create_legal_hold).service(show_legal_hold).service(lift_legal_hold);
}
