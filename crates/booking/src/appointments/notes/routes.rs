//! `/appointments/{appointment_id}/notes`: for the office's eyes only.

use actix_web::{get, post, web::Data};
use kernel::Page;
use platform::{
    access::{Caller, policy},
    audit::{self, Change},
    directory::routes::PageQuery,
    http::{Answer, Body, IdPair, IdPath, MaybeIdempotencyKey, Params, ProblemBody, Reply, not_found, paging},
    idempotency::{self, InFlight},
    outbox::{self, Event},
    privacy::access_log::{self, Shown},
};
use serde_json::json;
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    super::{
        find::find_for,
        history::store as history,
        looks,
        model::{Appointment, AppointmentId},
    },
    model::{NewNote, Note, NoteId, NoteView},
    store,
};

/// Notes of the office
///
/// What staff wrote about an appointment for each other, in the order it was written. Not shown to citizens,
/// devices or other systems here; what a person asks to have of their data holds them.
#[utoipa::path(tag = "appointments",
    params(("appointment_id" = AppointmentId, Path, description = "The appointment"), PageQuery), responses(
    (status = 200, description = "A page of notes", body = Page<NoteView>),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: notes are for staff", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/appointments/{appointment_id}/notes")]
async fn list_appointment_notes(
    caller: Caller,
    id: IdPath<Appointment>,
    query: Params<PageQuery>,
    db: Data<Db>,
) -> Answer {
    let page = paging::<NoteId>(query.limit, query.after.as_deref())?;
    let who = caller.clone();
    let page = access_log::read(&db, &caller, move |tx| {
        let appointment = find_for(tx, &who, id.0, policy::Wish::Annotate, None)?;
        let page = Page::cut(store::list(tx, id.0, &page)?, &page, |note| note.id);
        let names = history::names_for(tx, &who, page.items.iter().map(|note| note.author.as_str()))?;
        Ok(Shown { answer: page.map(|note| note.view(id.0, &names)), looks: looks::at(tx, &who, &appointment)? })
    })
    .await?;
    Reply::page(page)
}

/// One note of the office
///
/// What a member of staff wrote about an appointment.
#[utoipa::path(tag = "appointments",
    params(("appointment_id" = AppointmentId, Path, description = "The appointment"),
        ("note_id" = NoteId, Path, description = "The note")), responses(
    (status = 200, description = "The note", body = NoteView),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: notes are for staff", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/appointments/{appointment_id}/notes/{note_id}")]
async fn show_appointment_note(caller: Caller, ids: IdPair<Appointment, Note>, db: Data<Db>) -> Answer {
    let IdPair(appointment, note) = ids;
    let who = caller.clone();
    let note = access_log::read(&db, &caller, move |tx| {
        let about = find_for(tx, &who, appointment, policy::Wish::Annotate, None)?;
        let note = store::find(tx, appointment, note)?.ok_or_else(not_found)?;
        let names = history::names_for(tx, &who, std::iter::once(note.author.as_str()))?;
        Ok(Shown { answer: note.view(appointment, &names), looks: looks::at(tx, &who, &about)? })
    })
    .await?;
    Reply::ok(note)
}

/// Write a note of the office
///
/// Notes are added, never changed or deleted; the appointment itself stays as it is.
#[utoipa::path(tag = "appointments", request_body = NewNote,
    params(("appointment_id" = AppointmentId, Path, description = "The appointment"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in")), responses(
    (status = 201, description = "Written. `Location` is set.", body = NoteView),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: notes are for staff", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/appointments/{appointment_id}/notes")]
async fn create_appointment_note(
    caller: Caller,
    id: IdPath<Appointment>,
    key: MaybeIdempotencyKey,
    body: Body<NewNote>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    let (new, digest) = body.into_parts();
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let appointment = find_for(tx, &who, id.0, policy::Wish::Annotate, None)?;
        let author = tx.actor().as_str().to_owned();
        let note = Note { id: tx.new_id(), author, body: new.body.trim().to_owned(), created_at: tx.now() };
        store::insert(tx, appointment.id, &note)?;
        let names = history::names_for(tx, &who, std::iter::once(note.author.as_str()))?;
        // What it says is the office's alone: neither who listens nor the audit gets to read it.
        let payload = json!({ "id": note.id, "appointment_id": appointment.id, "office_id": appointment.office_id });
        let kind = "appointment_note.created";
        let event = Event { kind, subject_kind: "appointment_note", subject: note.id, version: 1, payload };
        outbox::emit(tx, event)?;
        let after = json!({ "appointment_id": appointment.id, "body": note.body });
        let (subject, after) = (note.id, Some(&after));
        audit::record(tx, Change { action: kind, subject_kind: "appointment_note", subject, before: None, after })?;
        let location = format!("/{}/v1/appointments/{}/notes/{}", who.tenant.slug, appointment.id, note.id);
        Ok(Reply::created(note.view(appointment.id, &names)).at(location))
    })
    .await
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_appointment_notes).service(create_appointment_note).service(show_appointment_note);
}
