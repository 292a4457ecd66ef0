//! `/appointment-services`: what one can come for, and where.

use actix_web::{get, web::Data};
use kernel::Page;
use platform::{
    access::Caller,
    directory::{routes::PageQuery, store as directory},
    http::{Answer, IdPath, Language, Params, ProblemBody, Reply, not_found, paging},
};
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    admin,
    model::{AppointmentService, AppointmentServiceId, AppointmentServiceView, CalendarReference, ServiceOffice},
    store,
};

/// What one can come for
///
/// The services given at counters, with durations and what to bring.
#[utoipa::path(tag = "booking", params(PageQuery), security(()), responses(
    (status = 200, description = "A page of services", body = Page<AppointmentServiceView>),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/appointment-services")]
async fn list_appointment_services(caller: Caller, lang: Language, query: Params<PageQuery>, db: Data<Db>) -> Answer {
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
    let found = db.read(&caller, move |tx| store::service(tx, id.0)).await?.ok_or_else(not_found)?;
    admin::reply(found, lang.0)
}

/// Offices that give a service
///
/// Each office with its address and the calendars to book there: the way from a need to a counter.
#[utoipa::path(tag = "booking", security(()),
    params(("service_id" = AppointmentServiceId, Path, description = "The service")), responses(
    (status = 200, description = "The offices, all on one page", body = Page<ServiceOffice>),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/appointment-services/{service_id}/offices")]
async fn list_service_offices(caller: Caller, lang: Language, id: IdPath<AppointmentService>, db: Data<Db>) -> Answer {
    let offices = db
        .read(&caller, move |tx| {
            store::service(tx, id.0)?.ok_or_else(not_found)?;
            let calendars = store::calendars_of(tx, id.0)?;
            let ids: Vec<_> = calendars.iter().map(|(_, office, _)| *office).collect();
            let offices = directory::offices_with_places(tx, &ids)?;
            Ok((offices, calendars))
        })
        .await
        .map(|(offices, calendars)| {
            let view = |(office, place): (platform::directory::Office, platform::directory::Place)| ServiceOffice {
                office_id: office.id,
                name: office.name.0.text(lang.0).to_owned(),
                place_id: place.id,
                address: place.address,
                locality: place.locality,
                calendars: calendars
                    .iter()
                    .filter(|(_, at, _)| *at == office.id)
                    .map(|(id, _, name)| CalendarReference { id: *id, name: name.0.text(lang.0).to_owned() })
                    .collect(),
            };
            offices.into_iter().map(view).collect()
        })?;
    Reply::page(Page::whole(offices))
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_appointment_services).service(show_appointment_service).service(list_service_offices);
    admin::routes(cfg);
}
