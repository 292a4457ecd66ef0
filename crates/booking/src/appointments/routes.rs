//! `/appointments`: booking, moving, calling off and looking up.

use std::sync::{Arc, OnceLock};

use actix_web::{get, post, web::Data};
use jiff::Timestamp;
use kernel::{Lang, Page, civil};
use platform::{
    access::{Caller, CallerKind, policy},
    directory::routes::PageQuery,
    http::{Answer, Body, IdPath, IdempotencyKey, Language, Params, ProblemBody, Reply, paging, sane_date},
    idempotency::{self, InFlight},
    privacy::access_log,
};
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    changes::{self, Order},
    changing::Changing,
    find::{Party, find_by_code, find_for, must_say_who},
    model::{
        Applicant, Appointment, AppointmentId, AppointmentLookup, AppointmentView, Cancellation, Channel, NewApplicant,
        NewAppointment, Rescheduling,
    },
    store,
    views::{self, Reader},
};
use crate::offers::{self, Terms, Wish};

/// Book an appointment
///
/// Books a time, with or without a hold. Citizens book for themselves or for somebody else, staff on
/// behalf of somebody at their own offices, and where the service allows it anybody without signing in:
/// they get a `manage_token`, once.
#[utoipa::path(tag = "appointments", request_body = NewAppointment, security((), ("bearer" = [])),
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in")), responses(
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
    let wish = Wish::read(new.service_id, new.calendar_id, &new.starts_at, new.persons)?;
    let who = caller.clone();
    let outcome = idempotency::once(&db, &in_flight, &caller, Some(&key), &digest, move |tx| {
        let offer = offers::find(tx, wish.service_id, wish.calendar_id)?;
        let way = policy::booking(&who, offer.calendar.office_id, offer.service.anonymous_allowed)?;
        let booked = changes::book(tx, &offer, &order(&who, way, &new, wish, lang.0), &who.tenant.holidays())?;
        let location = format!("/{}/v1/appointments/{}", who.tenant.slug, booked.appointment.id);
        let reader = Reader { caller: &who, lang: lang.0, holds_token: booked.manage_token.is_some() };
        let etag = views::etag(&booked.appointment, lang.0);
        // Who books for somebody is shown what they have just said.
        let mut view = reader.view(tx, booked.appointment)?.answer;
        view.manage_token = booked.manage_token;
        Ok(Reply::created(view).at(location).etag(etag))
    })
    .await;
    offers::with_alternatives(outcome, &db, &caller, wish).await
}

/// Who books what, from what the caller is and what they wrote.
fn order(caller: &Caller, way: policy::Booking, new: &NewAppointment, wish: Wish, lang: Lang) -> Order {
    let mut applicant = applicant(caller, new);
    let channel = match way {
        policy::Booking::Anonymous => Channel::Anonymous,
        policy::Booking::Own => Channel::Citizen,
        policy::Booking::OnBehalf => Channel::Counter,
        policy::Booking::Integration => Channel::Integration,
    };
    // On behalf of somebody, the language is that of whoever is at the keyboard.
    applicant.language = (!channel.is_on_behalf()).then(|| lang.into());
    let person = changes::person_of(caller, channel, &applicant);
    // What an office books for a person whose tax code it has seen is that person's own.
    let owner = if channel.is_on_behalf() { person.actor() } else { caller.actor().clone() };
    Order {
        wish,
        hold_id: new.hold_id,
        applicant,
        channel,
        owner: owner.as_str().to_owned(),
        person_key: person.as_str().to_owned(),
        terms: Terms::of(caller),
    }
}

/// Who comes. A citizen who books for themselves need not repeat their tax code.
fn applicant(caller: &Caller, new: &NewAppointment) -> Applicant {
    let trimmed = |text: &String| text.trim().to_owned();
    let NewApplicant { given_name, family_name, tax_code, email, phone } = &new.applicant;
    let own = match &caller.kind {
        CallerKind::Citizen(citizen) if citizen.is_called(given_name, family_name) => Some(citizen.tax_code.clone()),
        _ => None,
    };
    Applicant {
        given_name: trimmed(given_name),
        family_name: trimmed(family_name),
        tax_code: tax_code.clone().or(own),
        email: email.clone(),
        phone: phone.as_ref().map(trimmed),
        notes: new.notes.as_ref().map(trimmed),
        cancellation_reason: None,
        language: None,
    }
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
    access_log::read(&db, &caller, move |tx| {
        let appointment = find_for(tx, &who, id.0, policy::Wish::Read, None)?;
        Reader { caller: &who, lang: lang.0, holds_token: false }.reply(tx, appointment)
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
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in"),
        ("If-Match" = Option<String>, Header, max_length = 100, description = "The `ETag` of the version to change; required of staff and other systems")), responses(
    (status = 200, description = "Moved. `ETag` is set.", body = AppointmentView),
    (status = 403, description = "`code-token-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`slot-taken` (with `alternatives`), `invalid-transition`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `outside-opening-hours`, `lead-time`, `beyond-horizon`, `duration-not-allowed`, `local-time-does-not-exist`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/appointments/{appointment_id}/rescheduling")]
async fn reschedule_appointment(change: Changing, body: Body<Rescheduling>) -> Answer {
    let (wanted, digest) = body.into_parts();
    let to = offers::moment(&wanted.starts_at)?;
    let wish = Arc::new(OnceLock::new());
    let (told, token) = (Arc::clone(&wish), wanted.manage_token);
    let holds_token = token.is_some();
    let outcome = change
        .make(policy::Wish::Change, token, &digest, move |tx, caller, appointment| {
            let (service_id, persons) = (appointment.service_id, appointment.persons);
            let calendar_id = wanted.calendar_id.unwrap_or(appointment.calendar_id);
            let offer = offers::find(tx, service_id, calendar_id)?;
            if !holds_token {
                policy::rebooking(caller, offer.calendar.office_id)?;
            }
            told.get_or_init(|| Wish { service_id, calendar_id, starts_at: to, persons });
            changes::reschedule(tx, appointment, &offer, to, Party { caller, holds_token })
        })
        .await;
    match wish.get() {
        Some(wish) => offers::with_alternatives(outcome, &change.db, &change.caller, *wish).await,
        None => outcome,
    }
}

/// Call an appointment off
///
/// Frees its time at once. Calling it off again changes nothing.
#[utoipa::path(tag = "appointments", request_body = Cancellation, security((), ("bearer" = [])),
    params(("appointment_id" = AppointmentId, Path, description = "The appointment"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in"),
        ("If-Match" = Option<String>, Header, max_length = 100, description = "The `ETag` of the version to change; required of staff and other systems")), responses(
    (status = 200, description = "Called off. `ETag` is set.", body = AppointmentView),
    (status = 403, description = "`code-token-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/appointments/{appointment_id}/cancellation")]
async fn cancel_appointment(change: Changing, body: Body<Cancellation>) -> Answer {
    let (Cancellation { reason, manage_token }, digest) = body.into_parts();
    let holds_token = manage_token.is_some();
    change
        .make(policy::Wish::Change, manage_token, &digest, move |tx, caller, appointment| {
            changes::cancel(tx, appointment, reason.as_deref(), Party { caller, holds_token })
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
        let appointment = find_by_code(tx, &lookup)?;
        Ok(Reader { caller: &who, lang: lang.0, holds_token: true }.reply(tx, appointment)?.answer)
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
    page.after.map(|(at, _)| sane_date("after", civil::date_of(at))).transpose()?;
    let who = caller.clone();
    let page = db
        .read(&caller, move |tx| {
            let rows = store::owned_by(tx, owner.as_str(), &page)?;
            let page = Page::cut(rows, &page, |row| (row.starts_at, row.id));
            let items = Reader { caller: &who, lang: lang.0, holds_token: false }.summaries(tx, page.items)?;
            Ok(Page { items, next: page.next })
        })
        .await?;
    Reply::page(page)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create_appointment)
        .service(show_appointment)
        .service(reschedule_appointment)
        .service(cancel_appointment)
        .service(look_up_appointment)
        .service(list_my_appointments);
    super::amending::routes::routes(cfg);
    super::search::routes::routes(cfg);
    super::attendance::routes(cfg);
    super::history::routes::routes(cfg);
    super::notes::routes::routes(cfg);
}
