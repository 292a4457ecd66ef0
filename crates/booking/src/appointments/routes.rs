//! `/appointments`: booking, moving, calling off and looking up.

use actix_web::{HttpResponse, get, post, web::Data};
use jiff::Timestamp;
use kernel::{Lang, Page, Problem, PublicCode, civil};
use platform::{
    access::{Caller, CallerKind, Pseudonym, policy},
    directory::{OfficeId, routes::PageQuery, store as directory},
    http::{
        Answer, Body, IdPath, IdempotencyKey, IfMatch, Language, MaybeIdempotencyKey, Params, ProblemBody, Refused,
        Reply, not_found, paging,
    },
    idempotency::{self, InFlight},
};
use serde_json::json;
use storage::{Db, DbError, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    changes::{self, Order},
    model::{
        Applicant, Appointment, AppointmentId, AppointmentLookup, AppointmentView, Cancellation, Channel, Link,
        NewAppointment, OfficeReference, Rescheduling, ServiceReference,
    },
    rules, store,
};
use crate::{
    calendars::{CalendarId, claim, store as calendars},
    problems::{CODE_TOKEN_MISMATCH, SLOT_TAKEN},
    services::{AppointmentServiceId, store as services},
};

/// Book an appointment
///
/// Books a time, with or without a hold. Citizens book for themselves or for somebody else, staff on
/// behalf of somebody at their own offices, and where the service allows it anybody without signing in:
/// they get a `manage_token`, once.
#[utoipa::path(tag = "appointments", request_body = NewAppointment, security((), ("bearer" = [])),
    params(("Idempotency-Key" = String, Header, max_length = 255, description = "A random key, the same on every retry")), responses(
    (status = 201, description = "Booked. `Location` and `ETag` are set.", body = AppointmentView),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`slot-taken` (with `alternatives`), `hold-expired`, `person-limit-reached`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `hold-mismatch`, `outside-opening-hours`, `lead-time`, `beyond-horizon`, `duration-not-allowed`, `local-time-does-not-exist`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/appointments")]
async fn create_appointment(
    caller: Caller,
    lang: Language,
    key: IdempotencyKey,
    body: Body<NewAppointment>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    let (new, digest) = body.into_parts();
    let starts_at = changes::moment(&new.starts_at)?;
    let persons = new.persons.unwrap_or(1);
    let (service_id, calendar_id) = (new.service_id, new.calendar_id);
    let who = caller.clone();
    let outcome = idempotency::once(&db, &in_flight, &caller, Some(&key), &digest, move |tx| {
        let order = order(tx, &who, &new, starts_at, persons)?;
        let booked = changes::book(tx, &order, &who.tenant.holidays())?;
        let location = format!("/{}/v1/appointments/{}", who.tenant.slug, booked.appointment.id);
        let etag = etag(&booked.appointment, lang.0);
        let manages = booked.manage_token.is_some();
        let mut view = view(tx, &who, &booked.appointment, lang.0, manages)?;
        view.manage_token = booked.manage_token;
        Ok(Reply::created(view).at(location).etag(etag))
    })
    .await;
    with_alternatives(outcome, &db, &caller, service_id, calendar_id, persons, starts_at).await
}

/// Who books what, from what the caller is and what they wrote.
fn order(
    tx: &mut Tx<'_>,
    caller: &Caller,
    new: &NewAppointment,
    starts_at: Timestamp,
    persons: i64,
) -> storage::Result<Order> {
    let (calendar, service) = changes::find_offer(tx, new.service_id, new.calendar_id)?;
    let way = policy::booking(caller, calendar.office_id, service.anonymous_allowed)?;
    let mut tax_code = new.applicant.tax_code.clone();
    if let CallerKind::Citizen(citizen) = &caller.kind {
        tax_code.get_or_insert_with(|| citizen.tax_code.clone());
    }
    let person =
        Pseudonym::of_person(tx.tenant(), tax_code.as_ref().map(kernel::TaxCode::as_str), &new.applicant.email);
    let (channel, owner) = match way {
        policy::Booking::Anonymous => (Channel::Anonymous, caller.actor().clone()),
        policy::Booking::Own => (Channel::Citizen, caller.actor().clone()),
        // What an office books for a person whose tax code it has seen is that person's own.
        policy::Booking::OnBehalf => (Channel::Counter, person.actor()),
        policy::Booking::Integration => (Channel::Integration, person.actor()),
    };
    let trimmed = |text: &String| text.trim().to_owned();
    Ok(Order {
        service_id: new.service_id,
        calendar_id: new.calendar_id,
        starts_at,
        persons,
        hold_id: new.hold_id,
        applicant: Applicant {
            given_name: trimmed(&new.applicant.given_name),
            family_name: trimmed(&new.applicant.family_name),
            tax_code,
            email: trimmed(&new.applicant.email),
            phone: new.applicant.phone.as_ref().map(trimmed),
            notes: new.notes.as_ref().map(trimmed),
        },
        channel,
        owner: owner.as_str().to_owned(),
        person_key: person.as_str().to_owned(),
        notice: changes::notice_for(caller),
    })
}

/// One appointment
///
/// For the citizen whose it is, for the staff of its office and for the URP. Who booked without signing
/// in asks `/appointment-lookups` instead.
#[utoipa::path(tag = "appointments", params(("appointment_id" = AppointmentId, Path, description = "The appointment")), responses(
    (status = 200, description = "The appointment. `ETag` is set.", body = AppointmentView),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/appointments/{appointment_id}")]
async fn show_appointment(caller: Caller, lang: Language, id: IdPath<Appointment>, db: Data<Db>) -> Answer {
    must_say_who(&caller)?;
    let who = caller.clone();
    db.read(&caller, move |tx| {
        let appointment = find_for(tx, &who, id.0, policy::Wish::Read, None)?;
        let etag = etag(&appointment, lang.0);
        Ok(Reply::with(actix_web::http::StatusCode::OK, view(tx, &who, &appointment, lang.0, false)?).etag(etag))
    })
    .await?
    .answer()
}

/// Move an appointment
///
/// Gives back the old time and takes the new one in one step: either both or neither. Asking for the
/// time it already has changes nothing.
#[utoipa::path(tag = "appointments", request_body = Rescheduling, security((), ("bearer" = [])),
    params(("appointment_id" = AppointmentId, Path, description = "The appointment"),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, description = "A random key, the same on every retry"),
        ("If-Match" = Option<String>, Header, max_length = 100, description = "The `ETag` of the version to change; required of staff and other systems")), responses(
    (status = 200, description = "Moved. `ETag` is set.", body = AppointmentView),
    (status = 403, description = "`code-token-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`slot-taken` (with `alternatives`), `invalid-transition`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `outside-opening-hours`, `lead-time`, `beyond-horizon`, `local-time-does-not-exist`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/appointments/{appointment_id}/rescheduling")]
#[expect(clippy::too_many_arguments, reason = "each is one thing the request says")]
async fn reschedule_appointment(
    caller: Caller,
    lang: Language,
    id: IdPath<Appointment>,
    key: MaybeIdempotencyKey,
    if_match: IfMatch,
    body: Body<Rescheduling>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    let (wanted, digest) = body.into_parts();
    let to = changes::moment(&wanted.starts_at)?;
    let who = caller.clone();
    let calendar_id = wanted.calendar_id;
    let outcome = idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let appointment = find_for(tx, &who, id.0, policy::Wish::Change, wanted.manage_token.as_deref())?;
        if_match.check(appointment.version, policy::must_match_version(&who))?;
        let calendar = wanted.calendar_id.unwrap_or(appointment.calendar_id);
        let notice = changes::notice_for(&who);
        let moved = changes::reschedule(tx, appointment, to, calendar, &who.tenant.holidays(), notice)?;
        changed(tx, &who, &moved, lang.0, wanted.manage_token.is_some())
    })
    .await;
    let Err(refused) = outcome else { return outcome };
    if refused.0.kind != &SLOT_TAKEN {
        return Err(refused);
    }
    // The refusal came after the caller was found to be entitled: the appointment may be read for its service.
    let (service, calendar, persons) = db
        .read(&caller, move |tx| {
            let appointment = store::find(tx, id.0)?.ok_or_else(not_found)?;
            Ok((appointment.service_id, calendar_id.unwrap_or(appointment.calendar_id), appointment.persons))
        })
        .await?;
    with_alternatives(Err(refused), &db, &caller, service, calendar, persons, to).await
}

/// Call an appointment off
///
/// Frees its time at once. Calling it off again changes nothing.
#[utoipa::path(tag = "appointments", request_body = Cancellation, security((), ("bearer" = [])),
    params(("appointment_id" = AppointmentId, Path, description = "The appointment"),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, description = "A random key, the same on every retry"),
        ("If-Match" = Option<String>, Header, max_length = 100, description = "The `ETag` of the version to change; required of staff and other systems")), responses(
    (status = 200, description = "Called off. `ETag` is set.", body = AppointmentView),
    (status = 403, description = "`code-token-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/appointments/{appointment_id}/cancellation")]
#[expect(clippy::too_many_arguments, reason = "each is one thing the request says")]
async fn cancel_appointment(
    caller: Caller,
    lang: Language,
    id: IdPath<Appointment>,
    key: MaybeIdempotencyKey,
    if_match: IfMatch,
    body: Body<Cancellation>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    let (wanted, digest) = body.into_parts();
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let token = wanted.manage_token.as_deref();
        let appointment = find_for(tx, &who, id.0, policy::Wish::Change, token)?;
        if_match.check(appointment.version, policy::must_match_version(&who))?;
        let cancelled = changes::cancel(tx, appointment, wanted.reason.clone())?;
        changed(tx, &who, &cancelled, lang.0, token.is_some())
    })
    .await
}

/// Look an appointment up by its code
///
/// For who booked without signing in: code and manage token travel in the body, never in an address.
/// A wrong token and an unknown code get the same answer.
#[utoipa::path(tag = "appointments", request_body = AppointmentLookup, security(()), responses(
    (status = 200, description = "The appointment. `ETag` is set.", body = AppointmentView),
    (status = 403, description = "`code-token-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/appointment-lookups")]
async fn look_up_appointment(caller: Caller, lang: Language, body: Body<AppointmentLookup>, db: Data<Db>) -> Answer {
    let lookup = body.into_inner();
    let who = caller.clone();
    db.read(&caller, move |tx| {
        let found = match PublicCode::parse(&lookup.code) {
            Ok(code) => store::by_code(tx, code.as_str())?,
            Err(_no_code) => None,
        };
        let appointment = found
            .filter(|appointment| changes::token_fits(appointment, &lookup.manage_token))
            .ok_or_else(|| Problem::new(&CODE_TOKEN_MISMATCH))?;
        changed(tx, &who, &appointment, lang.0, true)
    })
    .await?
    .answer()
}

/// My appointments
///
/// Those of the citizen who asks, the latest first, also those that the Comune booked for them.
#[utoipa::path(tag = "appointments", params(PageQuery), responses(
    (status = 200, description = "A page of appointments", body = Page<AppointmentView>),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: only citizens have appointments of their own", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/me/appointments")]
async fn list_my_appointments(caller: Caller, lang: Language, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    let owner = caller.citizen()?.pseudonym.actor();
    let page = paging::<(Timestamp, AppointmentId)>(query.limit, query.after.as_deref())?;
    let who = caller.clone();
    let page = db
        .read(&caller, move |tx| {
            let rows = store::owned_by(tx, owner.as_str(), &page)?;
            let page = Page::cut(rows, &page, |row| (row.starts_at, row.id));
            let mut items = Vec::with_capacity(page.items.len());
            for row in page.items {
                items.push(summary(tx, &who, &row, lang.0, false)?);
            }
            Ok(Page { items, next: page.next })
        })
        .await?;
    Reply::page(page)
}

/// The appointment, when this caller may do this to it: because it is theirs, because of their office,
/// or because they hold its manage token.
fn find_for(
    tx: &mut Tx<'_>,
    caller: &Caller,
    id: AppointmentId,
    wish: policy::Wish,
    manage_token: Option<&str>,
) -> storage::Result<Appointment> {
    let found = store::find(tx, id)?;
    if let Some(token) = manage_token {
        let fits = found.filter(|appointment| changes::token_fits(appointment, token));
        return Ok(fits.ok_or_else(|| Problem::new(&CODE_TOKEN_MISMATCH))?);
    }
    let rows = policy::appointments(caller, wish);
    let own = found.filter(|appointment| rows.contains(&object(appointment)));
    match own {
        Some(appointment) => Ok(appointment),
        None => {
            must_say_who(caller)?;
            Err(not_found().into())
        }
    }
}

fn object(appointment: &Appointment) -> policy::Object<'_> {
    policy::Object { owner: &appointment.owner, office: appointment.office_id }
}

/// Nobody in particular has no appointments: they are asked who they are, whatever they ask for.
fn must_say_who(caller: &Caller) -> Result<(), Problem> {
    if matches!(caller.kind, CallerKind::Anonymous) {
        return Err(Problem::new(&platform::problems::UNAUTHENTICATED).detail("a token or a manage token is needed"));
    }
    Ok(())
}

fn etag(appointment: &Appointment, lang: Lang) -> String {
    format!("{}.{}", appointment.version, lang.tag())
}

fn changed(
    tx: &mut Tx<'_>,
    caller: &Caller,
    appointment: &Appointment,
    lang: Lang,
    holds_token: bool,
) -> storage::Result<Reply<AppointmentView>> {
    let etag = etag(appointment, lang);
    let view = view(tx, caller, appointment, lang, holds_token)?;
    Ok(Reply::with(actix_web::http::StatusCode::OK, view).etag(etag))
}

/// The appointment with the person it is for; a device does without.
fn view(
    tx: &mut Tx<'_>,
    caller: &Caller,
    appointment: &Appointment,
    lang: Lang,
    holds_token: bool,
) -> storage::Result<AppointmentView> {
    let mut view = summary(tx, caller, appointment, lang, holds_token)?;
    if !matches!(caller.kind, CallerKind::Device(_)) {
        view.applicant = store::applicant(tx, appointment.id)?.map(Into::into);
    }
    Ok(view)
}

fn summary(
    tx: &mut Tx<'_>,
    caller: &Caller,
    appointment: &Appointment,
    lang: Lang,
    holds_token: bool,
) -> storage::Result<AppointmentView> {
    let service = services::service(tx, appointment.service_id)?;
    let office = office(tx, appointment.office_id, lang)?;
    let code = PublicCode::parse(&appointment.code).map_err(|error| DbError::Other(error.to_string()))?;
    let may_change = holds_token || policy::appointments(caller, policy::Wish::Change).contains(&object(appointment));
    let transitions = if may_change { rules::allowed(appointment, tx.now()) } else { &[] };
    let link = |transition: &rules::Transition| Link {
        rel: transition.path().to_owned(),
        method: "POST".to_owned(),
        href: format!("/{}/v1/appointments/{}/{}", caller.tenant.slug, appointment.id, transition.path()),
    };
    Ok(AppointmentView {
        id: appointment.id,
        code,
        state: appointment.state,
        service: ServiceReference {
            id: appointment.service_id,
            name: service.map(|service| service.name.text(lang).to_owned()).unwrap_or_default(),
        },
        calendar_id: appointment.calendar_id,
        office,
        starts_at: appointment.starts_at,
        ends_at: appointment.ends_at,
        persons: appointment.persons,
        channel: appointment.channel,
        applicant: None,
        cancellation_reason: appointment.cancellation_reason.clone(),
        version: appointment.version,
        created_at: appointment.created_at,
        updated_at: appointment.updated_at,
        links: transitions.iter().map(link).collect(),
        manage_token: None,
    })
}

fn office(tx: &mut Tx<'_>, id: OfficeId, lang: Lang) -> storage::Result<OfficeReference> {
    let found = directory::offices_with_places(tx, &[id])?.into_iter().next();
    // A foreign key holds the office, and the office holds its place.
    let (office, place) = found.ok_or_else(|| DbError::Other("an appointment without its office".to_owned()))?;
    Ok(OfficeReference {
        id: office.id,
        name: office.name.0.text(lang).to_owned(),
        address: place.address,
        locality: place.locality,
    })
}

/// A refusal for a taken time is told together with the next free ones. They are looked up outside
/// the transaction that was refused: those who come too late must not hold up those who book.
pub(crate) async fn with_alternatives(
    outcome: Answer,
    db: &Db,
    caller: &Caller,
    service_id: AppointmentServiceId,
    calendar_id: CalendarId,
    persons: i64,
    wanted: Timestamp,
) -> Result<HttpResponse, Refused> {
    let refused = match outcome {
        Err(refused) if refused.0.kind == &SLOT_TAKEN => refused,
        other => return other,
    };
    let holidays = caller.tenant.holidays();
    let found = db
        .read(caller, move |tx| {
            let service = services::service(tx, service_id)?.ok_or_else(not_found)?;
            let calendar = calendars::calendar(tx, calendar_id)?.ok_or_else(not_found)?;
            claim::alternatives(tx, &calendar, &service, &holidays, persons, wanted)
        })
        .await?;
    let slot = |slot: crate::calendars::occupancy::Slot| {
        json!({
            "calendar_id": calendar_id,
            "starts_at": civil::format_rfc3339(slot.starts_at),
            "ends_at": civil::format_rfc3339(slot.ends_at),
            "free": slot.free,
        })
    };
    let alternatives: Vec<_> = found.into_iter().map(slot).collect();
    Err(refused.0.with("alternatives", alternatives).into())
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create_appointment)
        .service(show_appointment)
        .service(reschedule_appointment)
        .service(cancel_appointment)
        .service(look_up_appointment)
        .service(list_my_appointments);
}
