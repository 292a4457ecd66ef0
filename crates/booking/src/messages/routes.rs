//! `/appointments/{appointment_id}/messages`: what was told about an appointment, for those who work at its office.

use std::collections::BTreeSet;

use actix_web::{get, web::Data};
use kernel::Page;
use platform::{
    access::{Caller, policy},
    directory::routes::PageQuery,
    http::{Answer, IdPath, Params, ProblemBody, Reply, paging},
    messages::{
        MessageId,
        model::MessageView,
        routes::with_contents,
        store::{self, Listed},
    },
    privacy::access_log::{self, Shown},
};
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::appointments::{Appointment, AppointmentId, find::find_for, looks};

/// Messages about an appointment
///
/// What was written to its person, and what is going to be, the latest first. For the staff of its office.
#[utoipa::path(tag = "appointments",
    params(("appointment_id" = AppointmentId, Path, description = "The appointment"), PageQuery), responses(
    (status = 200, description = "A page of messages, with what was written", body = Page<MessageView>),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: these are for staff", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/appointments/{appointment_id}/messages")]
async fn list_appointment_messages(
    caller: Caller,
    id: IdPath<Appointment>,
    query: Params<PageQuery>,
    db: Data<Db>,
) -> Answer {
    let page = paging::<MessageId>(query.limit, query.after.as_deref())?;
    let who = caller.clone();
    let page = access_log::read(&db, &caller, move |tx| {
        let appointment = find_for(tx, &who, id.0, policy::Wish::Annotate, None)?;
        let page = Page::cut(store::list(tx, &Listed::About(id.0.cast()), &page)?, &page, |message| message.id);
        // Written down for each they were written to: it may have been another's once.
        let people: BTreeSet<_> =
            page.items.iter().map(|message| message.person.clone()).chain([appointment.person_key.clone()]).collect();
        let look = looks::at(tx, &who, &appointment)?.pop();
        let looks = look.iter().flat_map(|look| people.iter().map(|person| look.of(person))).collect();
        let answer = Page { items: with_contents(tx, page.items)?, next: page.next };
        Ok(Shown { answer, looks })
    })
    .await?;
    Reply::page(page)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_appointment_messages);
}
