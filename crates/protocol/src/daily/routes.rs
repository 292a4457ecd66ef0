//! `/daily-registers`: what was registered on each day, as files with their digests.

use actix_web::{
    HttpResponse, get,
    http::{StatusCode, header},
    web::Data,
};
use jiff::civil::Date;
use kernel::Page;
use platform::{
    access::{
        Caller,
        policy::{self, ProtocolWish},
    },
    http::{Answer, IdPath, Params, ProblemBody, Reply, not_found, paging, sane_date},
};
use serde::Deserialize;
use storage::Db;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{DailyFile, DailyFormat, DailyRegister, DailyRegisterId, DailyView},
    store,
};
use crate::entries::views::XmlFile;

/// Which daily registers.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DailyQuery {
    /// How many items at most; 20 when absent.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 500)]
    pub after: Option<String>,
}

/// Daily registers
///
/// The newest day first. One is made of each register after midnight in Italy, for the day before, also where nothing
/// was registered. For admins, managers of the central office, and systems with the scope `protocol:read`.
#[utoipa::path(tag = "protocol", params(DailyQuery), responses(
    (status = 200, description = "A page of daily registers", body = Page<DailyView>),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/daily-registers")]
async fn list_daily_registers(caller: Caller, query: Params<DailyQuery>, db: Data<Db>) -> Answer {
    policy::protocol(&caller, ProtocolWish::ReadAll)?;
    let page = paging::<(Date, DailyRegisterId)>(query.limit, query.after.as_deref())?;
    page.after.map(|(day, _)| sane_date("after", day)).transpose()?;
    let found = db.read(&caller, move |tx| store::list(tx, &page)).await?;
    Reply::page(Page::cut(found, &page, |it| (it.day, it.id)).map(DailyView::from))
}

/// A daily register
///
/// How much was registered, and the digests of its files.
#[utoipa::path(tag = "protocol", params(("daily_register_id" = DailyRegisterId, Path, description = "Which one")), responses(
    (status = 200, description = "The daily register", body = DailyView),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/daily-registers/{daily_register_id}")]
async fn show_daily_register(caller: Caller, id: IdPath<DailyRegister>, db: Data<Db>) -> Answer {
    policy::protocol(&caller, ProtocolWish::ReadAll)?;
    let found = db.read(&caller, move |tx| store::get(tx, id.0)).await?.ok_or_else(not_found)?;
    Reply::with(StatusCode::OK, DailyView::from(found)).answer()
}

/// A daily register as XML
///
/// For preservation: byte for byte as it was made, its digest is in the daily register. With the names of who sent
/// what, so it is not for everybody.
#[utoipa::path(tag = "protocol", params(("daily_register_id" = DailyRegisterId, Path, description = "Which one")), responses(
    (status = 200, description = "The file", body = XmlFile, content_type = "application/xml"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/daily-registers/{daily_register_id}/register.xml")]
async fn show_daily_register_xml(caller: Caller, id: IdPath<DailyRegister>, db: Data<Db>) -> Answer {
    file(&caller, id.0, DailyFormat::Xml, &db).await
}

/// A daily register as CSV
///
/// For spreadsheets: what could start a formula has an apostrophe before it.
#[utoipa::path(tag = "protocol", params(("daily_register_id" = DailyRegisterId, Path, description = "Which one")), responses(
    (status = 200, description = "The file", body = DailyFile, content_type = "text/csv"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/daily-registers/{daily_register_id}/register.csv")]
async fn show_daily_register_csv(caller: Caller, id: IdPath<DailyRegister>, db: Data<Db>) -> Answer {
    file(&caller, id.0, DailyFormat::Csv, &db).await
}

async fn file(caller: &Caller, id: DailyRegisterId, format: DailyFormat, db: &Data<Db>) -> Answer {
    policy::protocol(caller, ProtocolWish::ReadAll)?;
    let (found, text) = db
        .read(caller, move |tx| {
            let found = store::get(tx, id)?.ok_or_else(not_found)?;
            let text = store::content(tx, id, format)?.ok_or_else(not_found)?;
            Ok((found, text))
        })
        .await?;
    let (media_type, ending) = match format {
        DailyFormat::Csv => ("text/csv; charset=utf-8", "csv"),
        DailyFormat::Xml => ("application/xml", "xml"),
    };
    let name = format!("registro-{}-{}.{ending}", found.register_code, found.day);
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(text))
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_daily_registers)
        .service(show_daily_register)
        .service(show_daily_register_xml)
        .service(show_daily_register_csv);
}
