//! Weekly hours of a calendar, made, changed and deleted.

use actix_web::{HttpResponse, delete, get, http::StatusCode, patch, post, web::Data};
use platform::{
    access::Caller,
    changes::{Done, state, tell},
    http::{
        Answer, Body, IdPair, IdPath, IdempotencyKeyHeader, IfMatch, IfMatchHeader, Language, MaybeIdempotencyKey,
        MergePatch, Reply, not_found,
    },
    idempotency::{self, InFlight},
};
use storage::{Db, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{bodies::NewOpeningRule, calendars::locked, rules, store};
use crate::calendars::{
    model::{Calendar, CalendarId, OpeningRule, RuleId},
    store as hours,
    views::{self, OpeningRuleView},
};

/// What is to be different about weekly hours.
type OpeningRulePatch = MergePatch<NewOpeningRule>;

/// Add weekly hours
///
/// A rule: on this weekday, from this time to that. For the managers of the office and for admins, and for systems with the scope `directory:write`.
/// What is booked stays booked: `/calendars/{calendar_id}/conflicts` lists what lies outside the hours then, and
/// `/calendars/{calendar_id}/conflict-previews` tells it beforehand.
#[utoipa::path(tag = "calendars", request_body = NewOpeningRule,
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), IdempotencyKeyHeader), responses(
    (status = 201, description = "Added. `Location` and `ETag` are set.", body = OpeningRuleView),
))]
#[post("/calendars/{calendar_id}/opening-rules")]
async fn create_opening_rule(
    caller: Caller,
    lang: Language,
    id: IdPath<Calendar>,
    key: MaybeIdempotencyKey,
    body: Body<NewOpeningRule>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    let (new, digest) = body.into_parts();
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let calendar = locked(tx, &who, id.0)?;
        let rule = new.clone().rule(tx.new_id(), calendar.id, 1);
        rules::check_rule(&calendar, &rule, &hours::rules(tx, calendar.id)?)?;
        hours::insert_rule(tx, &rule)?;
        tell_of(tx, &calendar, None, Some(&rule))?;
        let location = format!("/{}/v1/calendars/{}/opening-rules/{}", who.tenant.slug, calendar.id, rule.id);
        Ok(Reply::created(OpeningRuleView::from(rule)).at(location).etag(views::etag(1, lang.0)))
    })
    .await
}

/// Weekly hours of a calendar, one by one
///
/// One rule; it has no texts, and is the same in every language.
#[utoipa::path(tag = "calendars", security(()),
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), ("rule_id" = RuleId, Path, description = "The rule")), responses(
    (status = 200, description = "The rule. `ETag` is set.", body = OpeningRuleView),
))]
#[get("/calendars/{calendar_id}/opening-rules/{rule_id}")]
async fn show_opening_rule(caller: Caller, lang: Language, ids: IdPair<Calendar, OpeningRule>, db: Data<Db>) -> Answer {
    let rule = db.read(&caller, move |tx| find(tx, ids.0, ids.1)).await?;
    reply(rule, lang)
}

/// Change weekly hours
///
/// A merge patch (RFC 7396): what is not mentioned stays, `null` takes away. What is booked stays booked.
#[utoipa::path(tag = "calendars",
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), ("rule_id" = RuleId, Path, description = "The rule"), IfMatchHeader),
    request_body(content = OpeningRulePatch, content_type = "application/merge-patch+json"), responses(
    (status = 200, description = "Changed. `ETag` is set.", body = OpeningRuleView),
))]
#[patch("/calendars/{calendar_id}/opening-rules/{rule_id}")]
async fn update_opening_rule(
    caller: Caller,
    lang: Language,
    ids: IdPair<Calendar, OpeningRule>,
    if_match: IfMatch,
    patch: OpeningRulePatch,
    db: Data<Db>,
) -> Answer {
    let who = caller.clone();
    let rule = db
        .write(&caller, move |tx| {
            let calendar = locked(tx, &who, ids.0)?;
            let before = find(tx, calendar.id, ids.1)?;
            if_match.check(before.version, true)?;
            let wanted = patch.apply(&NewOpeningRule::from(before.clone()))?;
            let rule = wanted.rule(before.id, calendar.id, before.version.saturating_add(1));
            rules::check_rule(&calendar, &rule, &hours::rules(tx, calendar.id)?)?;
            store::save_rule(tx, &rule)?;
            tell_of(tx, &calendar, Some(&before), Some(&rule))?;
            Ok(rule)
        })
        .await?;
    reply(rule, lang)
}

/// Delete weekly hours
///
/// What is booked stays booked: `/calendars/{calendar_id}/conflicts` lists what lies outside the hours then.
#[utoipa::path(tag = "calendars",
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), ("rule_id" = RuleId, Path, description = "The rule"), IfMatchHeader), responses(
    (status = 204, description = "Deleted"),
))]
#[delete("/calendars/{calendar_id}/opening-rules/{rule_id}")]
async fn remove_opening_rule(
    caller: Caller,
    ids: IdPair<Calendar, OpeningRule>,
    if_match: IfMatch,
    db: Data<Db>,
) -> Answer {
    let who = caller.clone();
    db.write(&caller, move |tx| {
        let calendar = locked(tx, &who, ids.0)?;
        let rule = find(tx, calendar.id, ids.1)?;
        if_match.check(rule.version, true)?;
        store::delete_rule(tx, rule.id, rule.version)?;
        tell_of(tx, &calendar, Some(&rule), None)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

fn find(tx: &mut Tx<'_>, calendar: CalendarId, id: RuleId) -> storage::Result<OpeningRule> {
    let found = hours::rules(tx, calendar)?.into_iter().find(|rule| rule.id == id);
    Ok(found.ok_or_else(not_found)?)
}

fn reply(rule: OpeningRule, lang: Language) -> Answer {
    let etag = views::etag(rule.version, lang.0);
    Reply::with(StatusCode::OK, OpeningRuleView::from(rule)).etag(etag).answer()
}

/// The hours are the calendar's: it is what changed.
fn tell_of(
    tx: &mut Tx<'_>,
    calendar: &Calendar,
    before: Option<&OpeningRule>,
    after: Option<&OpeningRule>,
) -> storage::Result<()> {
    let state = |rule: &OpeningRule| {
        let state = state(rule.id, rule.version, &NewOpeningRule::from(rule.clone()))?;
        Ok::<_, storage::Failure>(serde_json::json!({ "calendar_id": calendar.id, "opening_rule": state }))
    };
    let (before, after) = (before.map(state).transpose()?, after.map(state).transpose()?);
    let version = calendar.version.saturating_add(1);
    tell(tx, Done { action: "calendar.hours_changed", kind: "calendar", subject: calendar.id, version, before, after })
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create_opening_rule)
        .service(show_opening_rule)
        .service(update_opening_rule)
        .service(remove_opening_rule);
}
