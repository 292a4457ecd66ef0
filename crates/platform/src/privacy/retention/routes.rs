//! `/retention-rules`, `/retention-previews`, `/retention-runs`.

use actix_web::{HttpResponse, delete, get, http::StatusCode, patch, post, web::Data};
use kernel::Page;
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    changes,
    model::{
        NewRetentionRule, RetentionPreview, RetentionRule, RetentionRuleId, RetentionRulePatch, RetentionRuleView,
        RetentionRunId, RetentionRunView,
    },
    run, store,
};
use crate::{
    access::{Caller, policy},
    directory::routes::PageQuery,
    http::{
        Answer, Body, IdPath, IdempotencyKeyHeader, IfMatch, IfMatchHeader, MaybeIdempotencyKey, Params, ProblemBody,
        Reply, TypedPatch, not_found, paging,
    },
    idempotency::{self, InFlight},
    privacy::Holdings,
};

/// Rules of retention
///
/// How long what is known of people is kept, in the order in which the rules were made. For admins. Without a rule
/// appointments are anonymised 730 days after their day, and entries of the access log deleted after as many.
#[utoipa::path(tag = "privacy", params(PageQuery), responses(
    (status = 200, description = "A page of rules", body = Page<RetentionRuleView>),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/retention-rules")]
async fn list_retention_rules(caller: Caller, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let page = paging::<RetentionRuleId>(query.limit, query.after.as_deref())?;
    let rows = db.read(&caller, move |tx| store::list(tx, &page)).await?;
    Reply::page(Page::cut(rows, &page, |rule| rule.id).map(|rule| rule.view(&caller.tenant.slug)))
}

/// Make a rule of retention
///
/// For records of a kind, or for those of one service, which the general rule then leaves alone. `hold` always wins:
/// where all records of a kind are held, a rule for one service does not let them go. For admins.
#[utoipa::path(tag = "privacy", request_body = NewRetentionRule, params(IdempotencyKeyHeader), responses(
    (status = 201, description = "Made. `Location` and `ETag` are set.", body = RetentionRuleView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/retention-rules")]
async fn create_retention_rule(
    caller: Caller,
    key: MaybeIdempotencyKey,
    body: Body<NewRetentionRule>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
    holdings: Data<Holdings>,
) -> Answer {
    policy::administration(&caller)?;
    let (new, digest) = body.into_parts();
    let (slug, holdings) = (caller.tenant.slug.clone(), Holdings::clone(&holdings));
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let rule = changes::create(tx, &holdings, &new)?;
        let location = format!("/{slug}/v1/retention-rules/{}", rule.id);
        Ok(reply(StatusCode::CREATED, rule, &slug).at(location))
    })
    .await
}

/// A rule of retention
///
/// For admins.
#[utoipa::path(tag = "privacy", params(("retention_rule_id" = RetentionRuleId, Path, description = "The rule")), responses(
    (status = 200, description = "The rule. `ETag` is set.", body = RetentionRuleView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/retention-rules/{retention_rule_id}")]
async fn show_retention_rule(caller: Caller, id: IdPath<RetentionRule>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let rule = db.read(&caller, move |tx| store::get(tx, id.0)).await?.ok_or_else(not_found)?;
    reply(StatusCode::OK, rule, &caller.tenant.slug).answer()
}

/// Change a rule of retention
///
/// What becomes of the records, and when; for which records it is does not change. For admins.
#[utoipa::path(tag = "privacy", params(("retention_rule_id" = RetentionRuleId, Path, description = "The rule"), IfMatchHeader),
    request_body(content = RetentionRulePatch, content_type = "application/merge-patch+json"), responses(
    (status = 200, description = "Changed. `ETag` is set.", body = RetentionRuleView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[patch("/retention-rules/{retention_rule_id}")]
async fn update_retention_rule(
    caller: Caller,
    id: IdPath<RetentionRule>,
    if_match: IfMatch,
    patch: TypedPatch<RetentionRulePatch>,
    db: Data<Db>,
) -> Answer {
    policy::administration(&caller)?;
    let rule = db
        .write(&caller, move |tx| changes::change(tx, id.0, &patch.0, |version| if_match.check(version, true)))
        .await?;
    reply(StatusCode::OK, rule, &caller.tenant.slug).answer()
}

/// Delete a rule of retention
///
/// Its records have the general rule again, or the default. For admins.
#[utoipa::path(tag = "privacy", params(("retention_rule_id" = RetentionRuleId, Path, description = "The rule"), IfMatchHeader), responses(
    (status = 204, description = "Deleted"),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/retention-rules/{retention_rule_id}")]
async fn remove_retention_rule(caller: Caller, id: IdPath<RetentionRule>, if_match: IfMatch, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    db.write(&caller, move |tx| changes::remove(tx, id.0, |version| if_match.check(version, true))).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What the rules would do now
///
/// A dry run: counts what a run would dispose of and what would be held, by rule, and does nothing of it. That it was
/// asked stands among the runs, where it met anything. For admins.
#[utoipa::path(tag = "privacy", responses(
    (status = 200, description = "What a run would do", body = RetentionPreview),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/retention-previews")]
async fn preview_retention(caller: Caller, db: Data<Db>, holdings: Data<Holdings>) -> Answer {
    policy::administration(&caller)?;
    let runs = run::all_rules(&db, &holdings, caller.as_ref(), true, |_| ()).await?;
    Reply::ok(RetentionPreview { items: runs.into_iter().map(RetentionRunView::from).collect() })
}

/// Runs of the rules
///
/// What was disposed of and what was held, by rule, and dry runs; the last first. Runs that met nothing are not there.
/// For admins.
#[utoipa::path(tag = "privacy", params(PageQuery), responses(
    (status = 200, description = "A page of runs", body = Page<RetentionRunView>),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/retention-runs")]
async fn list_retention_runs(caller: Caller, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let page = paging::<RetentionRunId>(query.limit, query.after.as_deref())?;
    let rows = db.read(&caller, move |tx| store::runs(tx, &page)).await?;
    Reply::page(Page::cut(rows, &page, |run| run.id).map(RetentionRunView::from))
}

fn reply(status: StatusCode, rule: RetentionRule, slug: &str) -> Reply<RetentionRuleView> {
    let etag = rule.version.to_string();
    Reply::with(status, rule.view(slug)).etag(etag)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_retention_rules)
        .service(create_retention_rule)
        .service(show_retention_rule)
        .service(update_retention_rule)
        .service(remove_retention_rule)
        .service(preview_retention)
        .service(list_retention_runs);
}
