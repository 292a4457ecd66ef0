//! `/appointments/{appointment_id}/calendar-file` and `/calendar-feeds`.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, delete, get, http::header, post, web::Data};
use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use kernel::{Lang, Page, PublicCode};
use platform::{
    access::{Caller, policy},
    audit::{self, Change},
    directory::{routes::PageQuery, store as directory},
    http::{
        Answer, Body, IdPair, IdPath, IdempotencyKey, Language, Params, ProblemBody, Reply, names_tag, not_found,
        paging,
    },
    idempotency::{self, InFlight},
    privacy::access_log::{self, Shown},
    tenants::Tenant,
};
use storage::{Db, DbError, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    ics::{self, Entry},
    model::{CalendarFile, Feed, FeedId, FeedView, NewFeed},
    store,
};
use crate::{
    appointments::{
        Appointment, AppointmentId, AppointmentState,
        find::{find_by_code, find_for},
        looks,
        model::AppointmentLookup,
    },
    calendars::{Calendar, CalendarId, routes::managed, store as calendars},
    services::store as services,
};

/// How far back and ahead a feed reaches, and how much it holds at most.
const BACK: SignedDuration = SignedDuration::from_hours(30 * 24);
const AHEAD: SignedDuration = SignedDuration::from_hours(180 * 24);
const MOST: usize = 5000;

/// An appointment for one's calendar
///
/// As iCalendar (RFC 5545). A later version of the same appointment has the same `UID` and a higher `SEQUENCE`, and
/// one that was called off has `STATUS:CANCELLED`: calendar programs then change what they have.
#[utoipa::path(tag = "appointments", params(("appointment_id" = AppointmentId, Path, description = "The appointment")), responses(
    (status = 200, description = "The appointment", body = CalendarFile, content_type = "text/calendar"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/appointments/{appointment_id}/calendar-file")]
async fn show_appointment_calendar_file(
    caller: Caller,
    lang: Language,
    id: IdPath<Appointment>,
    db: Data<Db>,
) -> Answer {
    let who = caller.clone();
    let text = access_log::read(&db, &caller, move |tx| {
        let appointment = find_for(tx, &who, id.0, policy::Wish::Read, None)?;
        let looks = looks::at(tx, &who, &appointment)?;
        Ok(Shown { answer: file(tx, &who.tenant, lang.0, appointment)?, looks })
    })
    .await?;
    Ok(calendar_file("appuntamento.ics").body(text))
}

/// An appointment for one's calendar, by its code
///
/// The same for who booked without signing in: code and manage token travel in the body, never in an address.
#[utoipa::path(tag = "appointments", request_body = AppointmentLookup, security(()), responses(
    (status = 200, description = "The appointment", body = CalendarFile, content_type = "text/calendar"),
    (status = 403, description = "`code-token-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/appointment-calendar-files")]
async fn look_up_appointment_calendar_file(
    caller: Caller,
    lang: Language,
    body: Body<AppointmentLookup>,
    db: Data<Db>,
) -> Answer {
    let lookup = body.into_inner();
    let who = caller.clone();
    let text = db
        .read(&caller, move |tx| {
            let appointment = find_by_code(tx, &lookup)?;
            file(tx, &who.tenant, lang.0, appointment)
        })
        .await?;
    Ok(calendar_file("appuntamento.ics").body(text))
}

/// A file of one appointment.
pub(crate) fn file(tx: &mut Tx<'_>, tenant: &Tenant, lang: Lang, appointment: Appointment) -> storage::Result<String> {
    Ok(ics::calendar(&tenant.name, &entries(tx, tenant, lang, vec![appointment])?))
}

/// What calendar programs are told: what for, where, when and the code; never who.
fn entries(
    tx: &mut Tx<'_>,
    tenant: &Tenant,
    lang: Lang,
    appointments: Vec<Appointment>,
) -> storage::Result<Vec<Entry>> {
    let mut wanted: Vec<_> = appointments.iter().map(|appointment| appointment.service_id).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let services: HashMap<_, _> =
        services::by_ids(tx, &wanted)?.into_iter().map(|service| (service.id, service)).collect();
    let mut wanted: Vec<_> = appointments.iter().map(|appointment| appointment.office_id).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let offices: HashMap<_, _> =
        directory::offices_with_places(tx, &wanted)?.into_iter().map(|pair| (pair.0.id, pair)).collect();
    let entry = |appointment: Appointment| {
        // Foreign keys hold both.
        let missing = || DbError::Other("an appointment without its service or office".to_owned());
        let service = services.get(&appointment.service_id).ok_or_else(missing)?;
        let (office, place) = offices.get(&appointment.office_id).ok_or_else(missing)?;
        let code = PublicCode::parse(&appointment.code).map_err(|error| DbError::Other(error.to_string()))?;
        let documents: Vec<String> =
            service.required_documents.iter().map(|text| format!("- {}", text.text(lang))).collect();
        let mut description = code.to_string();
        for line in documents {
            description.push('\n');
            description.push_str(&line);
        }
        Ok(Entry {
            uid: format!("{}@{}.sportello", appointment.id, tenant.slug),
            changed_at: appointment.updated_at,
            sequence: appointment.version.saturating_sub(1),
            starts_at: appointment.starts_at,
            ends_at: appointment.ends_at,
            summary: format!("{}, {}", service.name.text(lang), office.name.0.text(lang)),
            description: Some(description),
            location: Some(format!(
                "{}, {}, {} {}",
                place.name.0.text(lang),
                place.address,
                place.postal_code,
                place.locality
            )),
            position: place.latitude_e6.zip(place.longitude_e6),
            cancelled: appointment.state == AppointmentState::Cancelled,
        })
    };
    appointments.into_iter().map(entry).collect()
}

fn calendar_file(name: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/calendar; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    response
}

/// Open a feed of a calendar
///
/// Makes an address at which a calendar program reads the appointments of this calendar without a token: what for,
/// when and the code, never who. The address is told once; whoever has it can read, until the feed is ended.
#[utoipa::path(tag = "calendars", request_body = NewFeed,
    params(("calendar_id" = CalendarId, Path, description = "The calendar"),
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry")), responses(
    (status = 201, description = "Made; `href` is its address", body = FeedView),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/calendars/{calendar_id}/feeds")]
async fn create_calendar_feed(
    caller: Caller,
    id: IdPath<Calendar>,
    key: IdempotencyKey,
    body: Body<NewFeed>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    let (new, digest) = body.into_parts();
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, Some(&key), &digest, move |tx| {
        may_feed(tx, &who, id.0)?;
        let code = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let feed = Feed {
            tenant_id: tx.tenant(),
            id: tx.new_id(),
            calendar_id: id.0,
            label: new.label.trim().to_owned(),
            code_hash: hash(&code),
            created_at: tx.now(),
        };
        store::insert(tx, &feed)?;
        record(tx, "calendar_feed.created", feed.id)?;
        let mut view = FeedView::from(feed);
        view.href = Some(format!("/{}/v1/calendar-feeds/{code}", who.tenant.slug));
        Ok(Reply::created(view))
    })
    .await
}

/// Feeds of a calendar
///
/// Who reads this calendar, without the addresses.
#[utoipa::path(tag = "calendars", params(("calendar_id" = CalendarId, Path, description = "The calendar"), PageQuery), responses(
    (status = 200, description = "A page of feeds", body = Page<FeedView>),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/calendars/{calendar_id}/feeds")]
async fn list_calendar_feeds(caller: Caller, id: IdPath<Calendar>, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    let page = paging::<FeedId>(query.limit, query.after.as_deref())?;
    let who = caller.clone();
    let rows = db
        .read(&caller, move |tx| {
            may_feed(tx, &who, id.0)?;
            store::of_calendar(tx, id.0, &page)
        })
        .await?;
    Reply::page(Page::cut(rows, &page, |feed| feed.id).map(FeedView::from))
}

/// End a feed
///
/// Its address answers 404 from now on.
#[utoipa::path(tag = "calendars",
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), ("feed_id" = FeedId, Path, description = "The feed")), responses(
    (status = 204, description = "Ended"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/calendars/{calendar_id}/feeds/{feed_id}")]
async fn revoke_calendar_feed(caller: Caller, ids: IdPair<Calendar, Feed>, db: Data<Db>) -> Answer {
    let who = caller.clone();
    db.write(&caller, move |tx| {
        let IdPair(calendar, feed) = ids;
        may_feed(tx, &who, calendar)?;
        if !store::delete(tx, calendar, feed)? {
            return Err(not_found().into());
        }
        record(tx, "calendar_feed.deleted", feed)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Read a feed
///
/// The appointments of a calendar from 30 days ago to 180 days ahead, without the people they are for, as iCalendar
/// (RFC 5545); of more than 5,000 the nearest, those to come first. The code in the address is the only key; an address
/// that was ended and one that never was answer alike.
#[utoipa::path(tag = "calendars", security(()),
    params(("feed_code" = String, Path, min_length = 43, max_length = 43, pattern = "^[A-Za-z0-9_-]+$", description = "The code of the feed's address"),
        ("If-None-Match" = Option<String>, Header, max_length = 100, description = "The `ETag` of what one has")), responses(
    (status = 200, description = "The appointments. `ETag` is set.", body = CalendarFile, content_type = "text/calendar"),
    (status = 304, description = "Nothing has changed since"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/calendar-feeds/{feed_code}")]
async fn show_calendar_feed(caller: Caller, lang: Language, request: HttpRequest, db: Data<Db>) -> Answer {
    let hash = hash(request.match_info().get("feed_code").unwrap_or_default());
    let who = caller.clone();
    let text = db
        .read(&caller, move |tx| {
            let feed = store::by_code_hash(tx, &hash)?.ok_or_else(not_found)?;
            let calendar = calendars::calendar(tx, feed.calendar_id)?.ok_or_else(not_found)?;
            let now = tx.now();
            let (from, until) = (now.saturating_sub(BACK).unwrap_or(now), now.saturating_add(AHEAD).unwrap_or(now));
            let rows = store::appointments_around(tx, calendar.id, from..until, MOST)?;
            let entries = entries(tx, &who.tenant, lang.0, rows)?;
            Ok(ics::calendar(calendar.name.text(lang.0), &entries))
        })
        .await?;
    let etag = format!("\"{}\"", hex::encode(digest::digest(&digest::SHA256, text.as_bytes())));
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| names_tag(known, &etag)) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, etag)).finish());
    }
    Ok(calendar_file("calendario.ics")
        .insert_header((header::ETAG, etag))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .body(text))
}

/// Whether this caller opens and ends feeds of a calendar.
fn may_feed(tx: &mut Tx<'_>, caller: &Caller, id: CalendarId) -> storage::Result<()> {
    managed(tx, caller, id)?;
    // A feed is appointments read without a token: whoever opens one may read them with theirs.
    policy::exports(caller, false)?;
    Ok(())
}

fn record(tx: &mut Tx<'_>, action: &str, subject: FeedId) -> storage::Result<()> {
    audit::record(tx, Change { action, subject_kind: "calendar_feed", subject, before: None, after: None })
}

fn hash(code: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, code.as_bytes()))
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show_appointment_calendar_file)
        .service(look_up_appointment_calendar_file)
        .service(create_calendar_feed)
        .service(list_calendar_feeds)
        .service(revoke_calendar_feed)
        .service(show_calendar_feed);
}
