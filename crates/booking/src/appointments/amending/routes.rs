//! `PATCH /appointments/{appointment_id}`.

use std::sync::{Arc, OnceLock};

use actix_web::{patch, web::Data};
use platform::{
    access::{Caller, policy},
    http::{Answer, IdPath, IfMatch, Language, ProblemBody, TypedPatch},
};
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    super::{
        changes,
        find::{Party, find_for},
        model::{Appointment, AppointmentId, AppointmentView},
        views::Reader,
    },
    model::AppointmentPatch,
};
use crate::offers::{self, Wish};

/// Amend an appointment
///
/// Staff and other systems amend who comes, also afterwards, and how many until it begins or the people have checked
/// in: with the number the time it takes changes, and is taken anew from the same start. Whose it is, or who holds its
/// manage token, amends e-mail address, telephone and notes as long. To move it, use
/// `/appointments/{appointment_id}/rescheduling`.
#[utoipa::path(tag = "appointments", security((), ("bearer" = [])),
    request_body(content = AppointmentPatch, content_type = "application/merge-patch+json"),
    params(("appointment_id" = AppointmentId, Path, description = "The appointment"),
        ("If-Match" = Option<String>, Header, max_length = 100, description = "The `ETag` of the version to change; required of staff and other systems")), responses(
    (status = 200, description = "As it is now. `ETag` is set.", body = AppointmentView),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden` (`errors` names what only the office amends), `code-token-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`slot-taken` (with `alternatives`), `person-limit-reached`, `invalid-transition`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `outside-opening-hours`, `lead-time`, `beyond-horizon`, `duration-not-allowed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[patch("/appointments/{appointment_id}")]
async fn update_appointment(
    caller: Caller,
    lang: Language,
    id: IdPath<Appointment>,
    if_match: IfMatch,
    patch: TypedPatch<AppointmentPatch>,
    db: Data<Db>,
) -> Answer {
    let wish = Arc::new(OnceLock::new());
    let (who, told, patch) = (caller.clone(), Arc::clone(&wish), patch.0);
    let outcome = db
        .write(&caller, move |tx| {
            let token = patch.manage_token.as_deref();
            let appointment = find_for(tx, &who, id.0, policy::Wish::Change, token)?;
            if_match.check(appointment.version, policy::must_match_version(&who))?;
            if let Some(persons) = patch.persons {
                let Appointment { service_id, calendar_id, starts_at, .. } = appointment;
                told.get_or_init(|| Wish { service_id, calendar_id, starts_at, persons });
            }
            let holds_token = token.is_some();
            let amended = changes::amend(tx, appointment, &patch, Party { caller: &who, holds_token })?;
            Reader { caller: &who, lang: lang.0, holds_token }.reply(tx, amended)?.written_down(tx)
        })
        .await;
    let outcome = match outcome {
        Ok(reply) => reply.answer(),
        Err(refused) => Err(refused.into()),
    };
    match wish.get() {
        Some(wish) => offers::with_alternatives(outcome, &db, &caller, *wish).await,
        None => outcome,
    }
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(update_appointment);
}
