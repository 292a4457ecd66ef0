//! `/appointments/{appointment_id}/history`.

use actix_web::{get, web::Data};
use kernel::Page;
use platform::{
    access::{Caller, policy},
    directory::routes::PageQuery,
    http::{Answer, IdPath, Params, ProblemBody, Reply, paging},
    privacy::access_log::{self, Shown},
};
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    super::{
        find::find_for,
        looks,
        model::{Appointment, AppointmentId},
    },
    model::HistoryEntryView,
    store,
};

/// History of an appointment
///
/// What happened to it and when, the first thing first, for whoever may see the appointment. Citizens, devices
/// and systems learn what kind of caller did it; staff learn also which of their colleagues.
#[utoipa::path(tag = "appointments",
    params(("appointment_id" = AppointmentId, Path, description = "The appointment"), PageQuery), responses(
    (status = 200, description = "A page of entries", body = Page<HistoryEntryView>),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/appointments/{appointment_id}/history")]
async fn list_appointment_history(
    caller: Caller,
    id: IdPath<Appointment>,
    query: Params<PageQuery>,
    db: Data<Db>,
) -> Answer {
    let page = paging::<i64>(query.limit, query.after.as_deref())?;
    let who = caller.clone();
    let page = access_log::read(&db, &caller, move |tx| {
        let appointment = find_for(tx, &who, id.0, policy::Wish::Read, None)?;
        let page = Page::cut(store::list(tx, id.0, &page)?, &page, |entry| entry.version);
        let names = store::names_for(tx, &who, page.items.iter().map(|entry| entry.actor.as_str()))?;
        Ok(Shown { answer: page.map(|entry| entry.view(&names)), looks: looks::at(tx, &who, &appointment)? })
    })
    .await?;
    Reply::page(page)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_appointment_history);
}
