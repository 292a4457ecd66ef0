//! `/appointment-services`: what one can come for, and where.

use actix_web::{get, web::Data};
use kernel::Page;
use platform::{
    access::Caller,
    http::{Answer, IdPath, Language, Params, ProblemBody, Reply, not_found, paging},
};
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    admin,
    model::{AppointmentService, AppointmentServiceId, AppointmentServiceView, ServiceOffice},
    search::{self, ServiceQuery},
    store,
};

/// What one can come for
///
/// The services given at counters, with durations and what to bring. With `q`, those that the words may mean,
/// the best first, each with its offices and the next free time: all on one page, at most 20.
#[utoipa::path(tag = "booking", params(ServiceQuery), security(()), responses(
    (status = 200, description = "A page of services", body = Page<AppointmentServiceView>),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/appointment-services")]
async fn list_appointment_services(
    caller: Caller,
    lang: Language,
    query: Params<ServiceQuery>,
    db: Data<Db>,
) -> Answer {
    if let Some(words) = &query.q {
        return search::answer(&db, &caller, lang.0, words, &query).await;
    }
    let page = paging::<AppointmentServiceId>(query.limit, query.after.as_deref())?;
    let rows = db.read(&caller, move |tx| store::services(tx, &page)).await?;
    Reply::page(Page::cut(rows, &page, |service| service.id).map(|service| service.view(lang.0)))
}

/// One service
///
/// Duration, documents to bring, and whether it can be booked without signing in.
#[utoipa::path(tag = "booking", security(()),
    params(("service_id" = AppointmentServiceId, Path, description = "The service")), responses(
    (status = 200, description = "The service. `ETag` is set.", body = AppointmentServiceView),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/appointment-services/{service_id}")]
async fn show_appointment_service(
    caller: Caller,
    lang: Language,
    id: IdPath<AppointmentService>,
    db: Data<Db>,
) -> Answer {
    let (found, keywords) = db
        .read(&caller, move |tx| {
            let found = store::service(tx, id.0)?.ok_or_else(not_found)?;
            Ok((found, search::keywords(tx, id.0)?))
        })
        .await?;
    admin::reply(found, keywords, lang.0)
}

/// Offices that give a service
///
/// Each office with its address, the calendars to book there and when each is free next: the way from a need
/// to a place and a time.
#[utoipa::path(tag = "booking", security(()),
    params(("service_id" = AppointmentServiceId, Path, description = "The service")), responses(
    (status = 200, description = "The offices, all on one page", body = Page<ServiceOffice>),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/appointment-services/{service_id}/offices")]
async fn list_service_offices(caller: Caller, lang: Language, id: IdPath<AppointmentService>, db: Data<Db>) -> Answer {
    let holidays = caller.tenant.holidays();
    let offices = db
        .read(&caller, move |tx| {
            let service = store::service(tx, id.0)?.ok_or_else(not_found)?;
            search::Guide::new(lang.0, &holidays).offices(tx, &service)
        })
        .await?;
    Reply::page(Page::whole(offices))
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_appointment_services).service(show_appointment_service).service(list_service_offices);
    admin::routes(cfg);
}
