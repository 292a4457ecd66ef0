//! `/closures`: days on which the whole Comune, and so every calendar that keeps holidays, is closed.

use actix_web::{HttpResponse, delete, get, post, web::Data};
use jiff::civil::Date;
use kernel::{Page, Problem};
use platform::{
    access::{Caller, policy},
    changes::{Done, tell},
    directory::{Closure, ClosureId, bodies::NewClosure, model::ClosureView, routes::PageQuery, store as directory},
    http::{
        Answer, Body, IdPath, IdempotencyKeyHeader, IfMatch, IfMatchHeader, Language, MaybeIdempotencyKey, Params,
        ProblemBody, Reply, not_found, paging, sane_date,
    },
    idempotency::{self, InFlight},
    problems::INVALID_BODY,
};
use serde_json::json;
use storage::{Db, Failure, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::store;

/// Closing days
///
/// The days on which the whole Comune is closed besides the holidays, past ones too, by date.
#[utoipa::path(tag = "directory", params(PageQuery), security(()), responses(
    (status = 200, description = "A page of closures", body = Page<ClosureView>),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/closures")]
async fn list_closures(caller: Caller, lang: Language, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    let page = paging::<Date>(query.limit, query.after.as_deref())?;
    page.after.map(|date| sane_date("after", date)).transpose()?;
    let rows = db.read(&caller, move |tx| directory::closures(tx, &page)).await?;
    Reply::page(Page::cut(rows, &page, |closure| closure.date).map(|closure| closure.view(lang.0)))
}

/// One closing day
///
/// The day and why.
#[utoipa::path(tag = "directory", security(()),
    params(("closure_id" = ClosureId, Path, description = "The closure")), responses(
    (status = 200, description = "The closure. `ETag` is set.", body = ClosureView),
))]
#[get("/closures/{closure_id}")]
async fn show_closure(caller: Caller, lang: Language, id: IdPath<Closure>, db: Data<Db>) -> Answer {
    let closure = db.read(&caller, move |tx| directory::closure(tx, id.0)).await?.ok_or_else(not_found)?;
    let etag = format!("{}.{}", closure.version, lang.0.tag());
    Reply::with(actix_web::http::StatusCode::OK, closure.whole(lang.0)).etag(etag).answer()
}

/// Close the Comune for a day
///
/// Every calendar that is closed on holidays is closed on that day too, from now on: nothing more can be booked.
/// What is booked stays; `/calendars/{calendar_id}/conflicts` lists it. For admins and for systems with the scope
/// `directory:write`.
#[utoipa::path(tag = "directory", request_body = NewClosure, params(IdempotencyKeyHeader), responses(
    (status = 201, description = "Closed. `Location` and `ETag` are set.", body = ClosureView),
))]
#[post("/closures")]
async fn create_closure(
    caller: Caller,
    lang: Language,
    key: MaybeIdempotencyKey,
    body: Body<NewClosure>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    policy::directory(&caller)?;
    let (new, digest) = body.into_parts();
    let slug = caller.tenant.slug.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let (tenant, id) = (tx.tenant(), tx.new_id());
        let closure = new.clone().closure(tenant, id)?;
        store::lock_all_hours(tx)?;
        directory::insert_closure(tx, &closure).map_err(taken)?;
        tell_of(tx, "closure.created", &closure, false)?;
        let etag = format!("1.{}", lang.0.tag());
        Ok(Reply::created(closure.whole(lang.0)).at(format!("/{slug}/v1/closures/{id}")).etag(etag))
    })
    .await
}

/// Open the Comune again
///
/// The day is an ordinary one again.
#[utoipa::path(tag = "directory", params(("closure_id" = ClosureId, Path, description = "The closure"), IfMatchHeader), responses(
    (status = 204, description = "Deleted"),
))]
#[delete("/closures/{closure_id}")]
async fn remove_closure(caller: Caller, id: IdPath<Closure>, if_match: IfMatch, db: Data<Db>) -> Answer {
    policy::directory(&caller)?;
    db.write(&caller, move |tx| {
        let closure = directory::closure(tx, id.0)?.ok_or_else(not_found)?;
        if_match.check(closure.version, true)?;
        store::lock_all_hours(tx)?;
        directory::delete_closure(tx, closure.id, closure.version)?;
        tell_of(tx, "closure.deleted", &closure, true)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

fn taken(failure: Failure) -> Failure {
    if failure.is_unique("closures", &["tenant_id", "date"]) {
        return Problem::new(&INVALID_BODY).field("/date", "taken", "closed already").into();
    }
    failure
}

fn tell_of(tx: &mut Tx<'_>, action: &str, closure: &Closure, gone: bool) -> storage::Result<()> {
    let state = json!({
        "id": closure.id, "date": closure.date, "reason": closure.reason.0, "version": closure.version,
    });
    let (before, after) = if gone { (Some(state), None) } else { (None, Some(state)) };
    let version = closure.version.saturating_add(i64::from(gone));
    tell(tx, Done { action, kind: "closure", subject: closure.id, version, before, after })
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_closures).service(show_closure).service(create_closure).service(remove_closure);
}
