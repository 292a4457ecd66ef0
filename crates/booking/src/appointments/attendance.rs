//! What happens at the counter: came, is served, done, did not come.

use actix_web::post;
use platform::http::{Answer, ProblemBody};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    changes,
    changing::Changing,
    model::{AppointmentId, AppointmentView},
    rules::Transition,
};

/// The request has no body: its path says everything.
async fn note(change: Changing, transition: Transition) -> Answer {
    change.make(transition.wish(), None, "", move |tx, who, it| changes::attend(tx, it, transition, who)).await
}

/// Check a person in
///
/// The person has come. On the day of the appointment, from two hours before it starts; by staff, and by a device
/// of its office. Checking in again changes nothing.
#[utoipa::path(tag = "appointments",
    params(("appointment_id" = AppointmentId, Path, description = "The appointment"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in"),
        ("If-Match" = Option<String>, Header, max_length = 100, description = "The `ETag` of the version to change; required of staff and other systems, not of devices")), responses(
    (status = 200, description = "Checked in. `ETag` is set.", body = AppointmentView),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/appointments/{appointment_id}/check-in")]
async fn check_in_appointment(change: Changing) -> Answer {
    note(change, Transition::CheckIn).await
}

/// Begin to serve a person
///
/// The person is at the counter, after having been checked in. Repeating it changes nothing.
#[utoipa::path(tag = "appointments",
    params(("appointment_id" = AppointmentId, Path, description = "The appointment"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in"),
        ("If-Match" = Option<String>, Header, max_length = 100, description = "The `ETag` of the version to change; required of staff and other systems, not of devices")), responses(
    (status = 200, description = "Being served. `ETag` is set.", body = AppointmentView),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/appointments/{appointment_id}/service-start")]
async fn start_appointment_service(change: Changing) -> Answer {
    note(change, Transition::ServiceStart).await
}

/// Complete an appointment
///
/// It took place. What is left of its time is free again. Repeating it changes nothing.
#[utoipa::path(tag = "appointments",
    params(("appointment_id" = AppointmentId, Path, description = "The appointment"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in"),
        ("If-Match" = Option<String>, Header, max_length = 100, description = "The `ETag` of the version to change; required of staff and other systems, not of devices")), responses(
    (status = 200, description = "Completed. `ETag` is set.", body = AppointmentView),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/appointments/{appointment_id}/completion")]
async fn complete_appointment(change: Changing) -> Answer {
    note(change, Transition::Completion).await
}

/// Note that a person did not come
///
/// Once the appointment has begun. What is left of its time is free again. Repeating it changes nothing.
#[utoipa::path(tag = "appointments",
    params(("appointment_id" = AppointmentId, Path, description = "The appointment"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in"),
        ("If-Match" = Option<String>, Header, max_length = 100, description = "The `ETag` of the version to change; required of staff and other systems, not of devices")), responses(
    (status = 200, description = "Noted. `ETag` is set.", body = AppointmentView),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/appointments/{appointment_id}/no-show")]
async fn note_appointment_no_show(change: Changing) -> Answer {
    note(change, Transition::NoShow).await
}

/// Reinstate an appointment
///
/// Takes back a mistaken check-in, or the no-show of a person who came after all, on the same day: it is confirmed
/// again, and what is left of its time is taken again.
#[utoipa::path(tag = "appointments",
    params(("appointment_id" = AppointmentId, Path, description = "The appointment"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in"),
        ("If-Match" = Option<String>, Header, max_length = 100, description = "The `ETag` of the version to change; required of staff and other systems, not of devices")), responses(
    (status = 200, description = "Confirmed again. `ETag` is set.", body = AppointmentView),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`, `slot-taken` (its time has been given to somebody else), `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/appointments/{appointment_id}/reinstatement")]
async fn reinstate_appointment(change: Changing) -> Answer {
    note(change, Transition::Reinstatement).await
}

/// Registers what this module serves.
pub(super) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(check_in_appointment)
        .service(start_appointment_service)
        .service(complete_appointment)
        .service(note_appointment_no_show)
        .service(reinstate_appointment);
}
