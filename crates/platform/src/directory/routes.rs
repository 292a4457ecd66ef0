//! `/offices`, `/places` and `/holidays`: what everybody may read.

use actix_web::{get, web::Data};
use kernel::{Page, civil};
use serde::{Deserialize, Serialize};
use storage::Db;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    admin,
    model::{Office, OfficeId, OfficeView, Place, PlaceId, PlaceView},
    store,
};
use crate::{
    access::Caller,
    http::{Answer, IdPath, Language, Params, ProblemBody, Reply, not_found, paging},
};

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items at most; 20 when absent.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 500)]
    pub after: Option<String>,
}

/// Offices of the Comune
///
/// Every office, in a stable order, with the place it is at.
#[utoipa::path(tag = "directory", params(PageQuery), security(()), responses(
    (status = 200, description = "A page of offices", body = Page<OfficeView>),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/offices")]
async fn list_offices(caller: Caller, lang: Language, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    let page = paging::<OfficeId>(query.limit, query.after.as_deref())?;
    let rows = db.read(&caller, move |tx| store::offices(tx, &page)).await?;
    Reply::page(Page::cut(rows, &page, |office| office.id).map(|office| office.view(lang.0)))
}

/// One office
///
/// Name, contacts and place of an office.
#[utoipa::path(tag = "directory", security(()),
    params(("office_id" = OfficeId, Path, description = "The office")), responses(
    (status = 200, description = "The office. `ETag` is set.", body = OfficeView),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/offices/{office_id}")]
async fn show_office(caller: Caller, lang: Language, id: IdPath<Office>, db: Data<Db>) -> Answer {
    let office = db.read(&caller, move |tx| store::office(tx, id.0)).await?.ok_or_else(not_found)?;
    admin::office_reply(office, lang)
}

/// Places of the Comune
///
/// Buildings and other places the public can go to, with address and position.
#[utoipa::path(tag = "directory", params(PageQuery), security(()), responses(
    (status = 200, description = "A page of places", body = Page<PlaceView>),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/places")]
async fn list_places(caller: Caller, lang: Language, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    let page = paging::<PlaceId>(query.limit, query.after.as_deref())?;
    let rows = db.read(&caller, move |tx| store::places(tx, &page)).await?;
    Reply::page(Page::cut(rows, &page, |place| place.id).map(|place| place.view(lang.0)))
}

/// One place
///
/// Address, position and accessibility of a place.
#[utoipa::path(tag = "directory", security(()),
    params(("place_id" = PlaceId, Path, description = "The place")), responses(
    (status = 200, description = "The place. `ETag` is set.", body = PlaceView),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/places/{place_id}")]
async fn show_place(caller: Caller, lang: Language, id: IdPath<Place>, db: Data<Db>) -> Answer {
    let place = db.read(&caller, move |tx| store::place(tx, id.0)).await?.ok_or_else(not_found)?;
    admin::place_reply(place, lang)
}

/// Which year's holidays.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HolidayQuery {
    /// The year; the current one when absent.
    #[param(minimum = 1900, maximum = 2200)]
    pub year: Option<i16>,
}

/// A day on which offices are closed, by law or because the Comune has decided so.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Holiday, example = json!({ "date": "2027-06-02", "name": "Festa della Repubblica" }))]
pub struct HolidayView {
    /// The day.
    pub date: jiff::civil::Date,
    /// Its name, in the language asked for.
    #[schema(max_length = 200)]
    pub name: String,
}

/// Holidays of the Comune
///
/// National holidays (law 260/1949 and later, with 4 October from 2026), the patron saint's day, and the days
/// on which the Comune has decided to be closed.
#[utoipa::path(tag = "directory", params(HolidayQuery), security(()), responses(
    (status = 200, description = "The year's holidays, in order", body = Page<HolidayView>),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/holidays")]
async fn list_holidays(caller: Caller, lang: Language, query: Params<HolidayQuery>, db: Data<Db>) -> Answer {
    let year = query.year.unwrap_or_else(|| civil::date_of(db.clock().now()).year());
    if !(1900..=2200).contains(&year) {
        return Err(crate::http::bad_query("year", "out-of-range", "a year from 1900 to 2200").into());
    }
    let holidays = caller.tenant.holidays();
    let whole_year = (jiff::civil::date(year, 1, 1), jiff::civil::date(year, 12, 31));
    let days = db
        .read(&caller, move |tx| store::with_closures(tx, &holidays, whole_year.0, whole_year.1))
        .await?
        .of_year(year);
    let view = |day: kernel::holidays::Holiday| HolidayView { date: day.date, name: day.name.text(lang.0).to_owned() };
    Reply::page(Page::whole(days.into_iter().map(view).collect()))
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_offices).service(show_office).service(list_places).service(show_place).service(list_holidays);
    admin::routes(cfg);
}
