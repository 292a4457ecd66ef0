//! Calendars, made, changed and deleted.

use actix_web::{HttpResponse, delete, patch, post, web::Data};
use kernel::Problem;
use platform::{
    access::{Caller, policy},
    changes::{Done, state, tell},
    directory::store as directory,
    http::{
        Answer, Body, IdPath, IdempotencyKeyHeader, IfMatch, IfMatchHeader, Language, MaybeIdempotencyKey, MergePatch,
        ProblemBody, Reply, not_found,
    },
    idempotency::{self, InFlight},
    problems::{IN_USE, INVALID_BODY},
};
use storage::{Db, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{bodies::NewCalendar, rules, store};
use crate::calendars::{
    model::{Calendar, CalendarId},
    routes::managed,
    store as calendars,
    views::{self, CalendarView},
};

/// What is to be different about a calendar.
type CalendarPatch = MergePatch<NewCalendar>;

/// Add a calendar
///
/// A diary of an office, without hours yet. For admins and for systems with the scope `directory:write`.
#[utoipa::path(tag = "calendars", request_body = NewCalendar, params(IdempotencyKeyHeader), responses(
    (status = 201, description = "Added. `Location` and `ETag` are set.", body = CalendarView),
))]
#[post("/calendars")]
async fn create_calendar(
    caller: Caller,
    lang: Language,
    key: MaybeIdempotencyKey,
    body: Body<NewCalendar>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    policy::directory(&caller)?;
    let (new, digest) = body.into_parts();
    let slug = caller.tenant.slug.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let calendar = new.clone().calendar(tx.new_id(), 1);
        rules::check_calendar(&calendar)?;
        is_of_an_office(tx, &calendar)?;
        calendars::insert_calendar(tx, &calendar)?;
        tell_of(tx, "calendar.created", None, Some(&calendar))?;
        let location = format!("/{slug}/v1/calendars/{}", calendar.id);
        Ok(Reply::created(views::whole(&calendar, lang.0)).at(location).etag(views::etag(1, lang.0)))
    })
    .await
}

/// Change a calendar
///
/// A merge patch (RFC 7396): what is not mentioned stays, `null` takes away. What is booked stays as it is. The
/// grain, `tick_minutes`, cannot be changed while time is taken: it is what taken time is counted in.
#[utoipa::path(tag = "calendars", params(("calendar_id" = CalendarId, Path, description = "The calendar"), IfMatchHeader),
    request_body(content = CalendarPatch, content_type = "application/merge-patch+json"), responses(
    (status = 200, description = "Changed. `ETag` is set.", body = CalendarView),
    (status = 409, description = "`in-use`: another grain while time is taken", body = ProblemBody, content_type = "application/problem+json"),
))]
#[patch("/calendars/{calendar_id}")]
async fn update_calendar(
    caller: Caller,
    lang: Language,
    id: IdPath<Calendar>,
    if_match: IfMatch,
    patch: CalendarPatch,
    db: Data<Db>,
) -> Answer {
    policy::directory(&caller)?;
    let calendar = db
        .write(&caller, move |tx| {
            let before = current(tx, id.0)?;
            if_match.check(before.version, true)?;
            let version = before.version.saturating_add(1);
            let calendar = patch.apply(&NewCalendar::from(before.clone()))?.calendar(before.id, version);
            rules::check_calendar(&calendar)?;
            is_of_an_office(tx, &calendar)?;
            if calendar.tick_minutes != before.tick_minutes {
                if store::has_occupancy(tx, calendar.id)? {
                    return Err(Problem::new(&IN_USE)
                        .field("/tick_minutes", "in-use", "time is taken, and counted in these ticks")
                        .into());
                }
                rules::check_grain(&calendar, &calendars::rules(tx, calendar.id)?)?;
            }
            store::save_calendar(tx, &calendar)?;
            tell_of(tx, "calendar.updated", Some(&before), Some(&calendar))?;
            Ok(calendar)
        })
        .await?;
    views::calendar_reply(&calendar, lang.0)
}

/// Delete a calendar
///
/// With its hours. Refused when something is held or was ever booked there; to close it for good, end its
/// opening rules.
#[utoipa::path(tag = "calendars", params(("calendar_id" = CalendarId, Path, description = "The calendar"), IfMatchHeader), responses(
    (status = 204, description = "Deleted"),
    (status = 409, description = "`in-use`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/calendars/{calendar_id}")]
async fn remove_calendar(caller: Caller, id: IdPath<Calendar>, if_match: IfMatch, db: Data<Db>) -> Answer {
    policy::directory(&caller)?;
    db.write(&caller, move |tx| {
        let calendar = current(tx, id.0)?;
        if_match.check(calendar.version, true)?;
        store::delete_calendar(tx, calendar.id)?;
        tell_of(tx, "calendar.deleted", Some(&calendar), None)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A calendar as it was, locked for the change that makes it the next version.
fn current(tx: &mut Tx<'_>, id: CalendarId) -> storage::Result<Calendar> {
    let next = store::next_version(tx, id)?.ok_or_else(not_found)?;
    Ok(Calendar { version: next.version.saturating_sub(1), ..next })
}

/// The calendar, locked for a change of its hours by somebody who may make it.
pub(super) fn locked(tx: &mut Tx<'_>, caller: &Caller, id: CalendarId) -> storage::Result<Calendar> {
    managed(tx, caller, id)?;
    let calendar = current(tx, id)?;
    // It may have moved to another office before it was locked.
    policy::management(caller, calendar.office_id)?;
    Ok(calendar)
}

fn is_of_an_office(tx: &mut Tx<'_>, calendar: &Calendar) -> storage::Result<()> {
    if directory::office(tx, calendar.office_id)?.is_none() {
        return Err(Problem::new(&INVALID_BODY).field("/office_id", "unknown-reference", "no such office").into());
    }
    Ok(())
}

fn tell_of(tx: &mut Tx<'_>, action: &str, before: Option<&Calendar>, after: Option<&Calendar>) -> storage::Result<()> {
    let Some(calendar) = after.or(before) else { return Ok(()) };
    let version = after.map_or_else(|| calendar.version.saturating_add(1), |calendar| calendar.version);
    let state = |calendar: &Calendar| state(calendar.id, calendar.version, &NewCalendar::from(calendar.clone()));
    let (before, after) = (before.map(state).transpose()?, after.map(state).transpose()?);
    tell(tx, Done { action, kind: "calendar", subject: calendar.id, version, before, after })
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create_calendar).service(update_calendar).service(remove_calendar);
}
