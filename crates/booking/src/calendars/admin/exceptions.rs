//! Exceptions of a calendar, made, changed and deleted.

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

use super::{bodies::NewOpeningException, calendars::locked, rules, store};
use crate::calendars::{
    model::{Calendar, CalendarId, ExceptionId, OpeningException},
    store as hours,
    views::{self, OpeningExceptionView},
};

/// What is to be different about an exception.
type OpeningExceptionPatch = MergePatch<NewOpeningException>;

/// Add an exception
///
/// A date, or some of its hours, that differ from the weekly hours. For the managers of the office and for admins, and for systems with the scope `directory:write`.
/// What is booked stays booked: `/calendars/{calendar_id}/conflicts` lists what lies outside the hours then, and
/// `/calendars/{calendar_id}/conflict-previews` tells it beforehand.
#[utoipa::path(tag = "calendars", request_body = NewOpeningException,
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), IdempotencyKeyHeader), responses(
    (status = 201, description = "Added. `Location` and `ETag` are set.", body = OpeningExceptionView),
))]
#[post("/calendars/{calendar_id}/opening-exceptions")]
async fn create_opening_exception(
    caller: Caller,
    lang: Language,
    id: IdPath<Calendar>,
    key: MaybeIdempotencyKey,
    body: Body<NewOpeningException>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    let (new, digest) = body.into_parts();
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let calendar = locked(tx, &who, id.0)?;
        let exception = new.clone().exception(tx.new_id(), calendar.id, 1);
        rules::check_exception(&calendar, &exception)?;
        hours::insert_exception(tx, &exception)?;
        tell_of(tx, &calendar, None, Some(&exception))?;
        let location = format!("/{}/v1/calendars/{}/opening-exceptions/{}", who.tenant.slug, calendar.id, exception.id);
        Ok(Reply::created(views::whole_exception(exception, lang.0)).at(location).etag(views::etag(1, lang.0)))
    })
    .await
}

/// One exception of a calendar
///
/// A date, or some of its hours, that differ from the weekly hours.
#[utoipa::path(tag = "calendars", security(()),
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), ("exception_id" = ExceptionId, Path, description = "The exception")), responses(
    (status = 200, description = "The exception. `ETag` is set.", body = OpeningExceptionView),
))]
#[get("/calendars/{calendar_id}/opening-exceptions/{exception_id}")]
async fn show_opening_exception(
    caller: Caller,
    lang: Language,
    ids: IdPair<Calendar, OpeningException>,
    db: Data<Db>,
) -> Answer {
    let exception = db.read(&caller, move |tx| find(tx, ids.0, ids.1)).await?;
    reply(exception, lang)
}

/// Change an exception
///
/// A merge patch (RFC 7396): what is not mentioned stays, `null` takes away. What is booked stays booked.
#[utoipa::path(tag = "calendars",
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), ("exception_id" = ExceptionId, Path, description = "The exception"), IfMatchHeader),
    request_body(content = OpeningExceptionPatch, content_type = "application/merge-patch+json"), responses(
    (status = 200, description = "Changed. `ETag` is set.", body = OpeningExceptionView),
))]
#[patch("/calendars/{calendar_id}/opening-exceptions/{exception_id}")]
async fn update_opening_exception(
    caller: Caller,
    lang: Language,
    ids: IdPair<Calendar, OpeningException>,
    if_match: IfMatch,
    patch: OpeningExceptionPatch,
    db: Data<Db>,
) -> Answer {
    let who = caller.clone();
    let exception = db
        .write(&caller, move |tx| {
            let calendar = locked(tx, &who, ids.0)?;
            let before = find(tx, calendar.id, ids.1)?;
            if_match.check(before.version, true)?;
            let wanted = patch.apply(&NewOpeningException::from(before.clone()))?;
            let exception = wanted.exception(before.id, calendar.id, before.version.saturating_add(1));
            rules::check_exception(&calendar, &exception)?;
            store::save_exception(tx, &exception)?;
            tell_of(tx, &calendar, Some(&before), Some(&exception))?;
            Ok(exception)
        })
        .await?;
    reply(exception, lang)
}

/// Delete an exception
///
/// What is booked stays booked: `/calendars/{calendar_id}/conflicts` lists what lies outside the hours then.
#[utoipa::path(tag = "calendars",
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), ("exception_id" = ExceptionId, Path, description = "The exception"), IfMatchHeader), responses(
    (status = 204, description = "Deleted"),
))]
#[delete("/calendars/{calendar_id}/opening-exceptions/{exception_id}")]
async fn remove_opening_exception(
    caller: Caller,
    ids: IdPair<Calendar, OpeningException>,
    if_match: IfMatch,
    db: Data<Db>,
) -> Answer {
    let who = caller.clone();
    db.write(&caller, move |tx| {
        let calendar = locked(tx, &who, ids.0)?;
        let exception = find(tx, calendar.id, ids.1)?;
        if_match.check(exception.version, true)?;
        store::delete_exception(tx, exception.id, exception.version)?;
        tell_of(tx, &calendar, Some(&exception), None)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

fn find(tx: &mut Tx<'_>, calendar: CalendarId, id: ExceptionId) -> storage::Result<OpeningException> {
    Ok(store::exception(tx, calendar, id)?.ok_or_else(not_found)?)
}

fn reply(exception: OpeningException, lang: Language) -> Answer {
    let etag = views::etag(exception.version, lang.0);
    Reply::with(StatusCode::OK, views::whole_exception(exception, lang.0)).etag(etag).answer()
}

/// The hours are the calendar's: it is what changed.
fn tell_of(
    tx: &mut Tx<'_>,
    calendar: &Calendar,
    before: Option<&OpeningException>,
    after: Option<&OpeningException>,
) -> storage::Result<()> {
    let state = |exception: &OpeningException| {
        let state = state(exception.id, exception.version, &NewOpeningException::from(exception.clone()))?;
        Ok::<_, storage::Failure>(serde_json::json!({ "calendar_id": calendar.id, "opening_exception": state }))
    };
    let (before, after) = (before.map(state).transpose()?, after.map(state).transpose()?);
    let version = calendar.version.saturating_add(1);
    tell(tx, Done { action: "calendar.hours_changed", kind: "calendar", subject: calendar.id, version, before, after })
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create_opening_exception)
        .service(show_opening_exception)
        .service(update_opening_exception)
        .service(remove_opening_exception);
}
