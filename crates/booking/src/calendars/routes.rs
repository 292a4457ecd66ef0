//! `/calendars`: when counters are open, and what of it is free.

use std::ops::RangeInclusive;

use actix_web::{get, http::StatusCode, web::Data};
use jiff::{SignedDuration, civil::Date};
use kernel::{Page, Problem, civil};
use platform::{
    access::{Caller, policy},
    directory::OfficeId,
    http::{
        Answer, IdPath, IfNoneMatch, Language, Params, ProblemBody, Reply, bad_query, not_found, paging, sane_date,
    },
};
use serde::{Deserialize, Serialize};
use storage::{Db, Tx};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    admin,
    availability::{Availabilities, Days, Of, Question},
    closures,
    model::{Calendar, CalendarId},
    occupancy::Slot,
    store,
    views::{self, CalendarView, OpeningExceptionView, OpeningRuleView, SlotView},
};
use crate::services::AppointmentServiceId;

/// Which calendars.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CalendarQuery {
    /// Those of one office only.
    pub office_id: Option<OfficeId>,
    /// How many items at most; 20 when absent.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 500)]
    pub after: Option<String>,
}

/// Calendars
///
/// The calendars of the Comune's counters, or of one office.
#[utoipa::path(tag = "calendars", params(CalendarQuery), security(()), responses(
    (status = 200, description = "A page of calendars", body = Page<CalendarView>),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/calendars")]
async fn list_calendars(caller: Caller, lang: Language, query: Params<CalendarQuery>, db: Data<Db>) -> Answer {
    let page = paging::<CalendarId>(query.limit, query.after.as_deref())?;
    let office = query.office_id;
    let rows = db.read(&caller, move |tx| store::calendars(tx, office, &page)).await?;
    Reply::page(Page::cut(rows, &page, |calendar| calendar.id).map(|calendar| views::calendar(&calendar, lang.0)))
}

/// One calendar
///
/// Slot length, parallel counters, notice and horizon.
#[utoipa::path(tag = "calendars", security(()),
    params(("calendar_id" = CalendarId, Path, description = "The calendar")), responses(
    (status = 200, description = "The calendar. `ETag` is set.", body = CalendarView),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/calendars/{calendar_id}")]
async fn show_calendar(caller: Caller, lang: Language, id: IdPath<Calendar>, db: Data<Db>) -> Answer {
    let calendar = db.read(&caller, move |tx| find(tx, id.0)).await?;
    views::calendar_reply(&calendar, lang.0)
}

/// Weekly hours of a calendar
///
/// Every rule, past and future ones too; exceptions and holidays come on top.
#[utoipa::path(tag = "calendars", security(()),
    params(("calendar_id" = CalendarId, Path, description = "The calendar")), responses(
    (status = 200, description = "The rules, all on one page", body = Page<OpeningRuleView>),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/calendars/{calendar_id}/opening-rules")]
async fn list_opening_rules(caller: Caller, id: IdPath<Calendar>, db: Data<Db>) -> Answer {
    let rules = db
        .read(&caller, move |tx| {
            find(tx, id.0)?;
            store::rules(tx, id.0)
        })
        .await?;
    Reply::page(Page::whole(rules.into_iter().map(OpeningRuleView::from).collect()))
}

/// Which dates.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RangeQuery {
    /// The first date; today when absent.
    pub from: Option<Date>,
    /// The last date, included; 366 days after `from` when absent, and at most.
    pub to: Option<Date>,
}

/// Exceptions of a calendar
///
/// The dates that differ from the weekly hours: closures, extra hours, other numbers of counters.
#[utoipa::path(tag = "calendars", security(()),
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), RangeQuery), responses(
    (status = 200, description = "The exceptions, all on one page", body = Page<OpeningExceptionView>),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/calendars/{calendar_id}/opening-exceptions")]
async fn list_opening_exceptions(
    caller: Caller,
    lang: Language,
    id: IdPath<Calendar>,
    query: Params<RangeQuery>,
    db: Data<Db>,
) -> Answer {
    let (from, to) = range(&db, query.from, query.to, 366)?;
    let exceptions = db
        .read(&caller, move |tx| {
            find(tx, id.0)?;
            store::exceptions(tx, id.0, from, to)
        })
        .await?;
    Reply::page(Page::whole(exceptions.into_iter().map(|exception| views::exception(exception, lang.0)).collect()))
}

/// For what, for how many, and on which dates.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AvailabilityQuery {
    /// What one would come for.
    pub service_id: AppointmentServiceId,
    /// How many would come; 1 when absent.
    #[param(minimum = 1, maximum = 100, default = 1)]
    pub persons: Option<i64>,
    /// The first date; today when absent.
    pub from: Option<Date>,
    /// The last date, included; 31 days after `from` when absent, 62 at most.
    pub to: Option<Date>,
}

/// What is free on a date.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "date": "2026-12-02", "free": 14 }))]
pub struct Availability {
    /// The date.
    pub date: Date,
    /// At how many times of that date a visit could start.
    #[schema(minimum = 0, maximum = 1440)]
    pub free: i64,
}

/// Free days
///
/// For each date, at how many times a visit for this service could still start. Dates past the
/// calendar's horizon are left out.
#[utoipa::path(tag = "calendars", security(()),
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), AvailabilityQuery,
        ("If-None-Match" = Option<String>, Header, max_length = 500, description = "The `ETag` of the answer that the client holds")), responses(
    (status = 200, description = "One entry per date, in order. `ETag` is set.", body = Page<Availability>),
    (status = 304, description = "The client holds this answer already. `ETag` is set."),
    (status = 400, description = "`invalid-header`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`, `duration-not-allowed`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/calendars/{calendar_id}/availabilities")]
async fn list_availabilities(
    caller: Caller,
    id: IdPath<Calendar>,
    query: Params<AvailabilityQuery>,
    held: IfNoneMatch,
    db: Data<Db>,
    known: Data<Availabilities>,
) -> Answer {
    let (from, to) = range(&db, query.from, query.to, 62)?;
    let to = if query.to.is_none() { to.min(from.saturating_add(SignedDuration::from_hours(31 * 24))) } else { to };
    let question = question(Of::Days, &caller, id.0, query.service_id, query.persons, from..=to)?;
    Ok(known.answer(&db, &caller, &held, question, write_days).await?)
}

fn write_days(days: Days) -> Result<String, Problem> {
    let free = |slots: Vec<Slot>| i64::try_from(slots.iter().filter(|slot| slot.free > 0).count()).unwrap_or(i64::MAX);
    let items = days.into_iter().map(|(date, slots)| Availability { date, free: free(slots) }).collect();
    Ok(Reply::with(StatusCode::OK, Page::whole(items)).written()?.body)
}

/// For what, for how many, and on which date.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SlotQuery {
    /// What one would come for.
    pub service_id: AppointmentServiceId,
    /// The date.
    pub date: Date,
    /// How many would come; 1 when absent.
    #[param(minimum = 1, maximum = 100, default = 1)]
    pub persons: Option<i64>,
}

/// Times of a date
///
/// Every time at which a visit for this service could start on that date, taken ones included
/// (`free` is 0). Notice and horizon are taken into account.
#[utoipa::path(tag = "calendars", security(()),
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), SlotQuery,
        ("If-None-Match" = Option<String>, Header, max_length = 500, description = "The `ETag` of the answer that the client holds")), responses(
    (status = 200, description = "The times, in order. `ETag` is set.", body = Page<SlotView>),
    (status = 304, description = "The client holds this answer already. `ETag` is set."),
    (status = 400, description = "`invalid-header`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`, `duration-not-allowed`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/calendars/{calendar_id}/slots")]
async fn list_slots(
    caller: Caller,
    id: IdPath<Calendar>,
    query: Params<SlotQuery>,
    held: IfNoneMatch,
    db: Data<Db>,
    known: Data<Availabilities>,
) -> Answer {
    let date = sane_date("date", query.date)?;
    let question = question(Of::Times, &caller, id.0, query.service_id, query.persons, date..=date)?;
    Ok(known.answer(&db, &caller, &held, question, write_times).await?)
}

fn write_times(days: Days) -> Result<String, Problem> {
    let times: Vec<SlotView> = days.into_iter().flat_map(|(_, slots)| slots).map(SlotView::from).collect();
    Ok(Reply::with(StatusCode::OK, Page::whole(times)).written()?.body)
}

fn question(
    of: Of,
    caller: &Caller,
    calendar: CalendarId,
    service: AppointmentServiceId,
    persons: Option<i64>,
    dates: RangeInclusive<Date>,
) -> Result<Question, Problem> {
    let persons = persons.unwrap_or(1);
    if !(1..=100).contains(&persons) {
        return Err(bad_query("persons", "out-of-range", "a number from 1 to 100"));
    }
    let (from, to) = dates.into_inner();
    Ok(Question { of, tenant: caller.tenant.tenant_id, calendar, service, persons, from, to })
}

/// The calendar, or the refusal of a path that names none.
///
/// # Errors
/// `not-found`, or when the database fails.
pub(super) fn find(tx: &mut Tx<'_>, id: CalendarId) -> storage::Result<Calendar> {
    Ok(store::calendar(tx, id)?.ok_or_else(not_found)?)
}

/// The calendar, when this caller decides for its office.
///
/// # Errors
/// `not-found`, the refusals of [`policy::management`], or when the database fails.
pub(crate) fn managed(tx: &mut Tx<'_>, caller: &Caller, id: CalendarId) -> storage::Result<Calendar> {
    let calendar = find(tx, id)?;
    policy::management(caller, calendar.office_id)?;
    Ok(calendar)
}

/// Reads a range of dates, at most `days` long.
fn range(db: &Db, from: Option<Date>, to: Option<Date>, days: i64) -> Result<(Date, Date), Problem> {
    let from = sane_date("from", from.unwrap_or_else(|| civil::date_of(db.clock().now())))?;
    let latest = from.saturating_add(SignedDuration::from_hours(days.saturating_mul(24)));
    let to = to.unwrap_or(latest);
    if to < from {
        return Err(bad_query("to", "before-from", "not before `from`"));
    }
    if to > latest {
        return Err(bad_query("to", "too-far", &format!("at most {days} days after `from`")));
    }
    Ok((from, to))
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_calendars)
        .service(show_calendar)
        .service(list_opening_rules)
        .service(list_opening_exceptions)
        .service(list_availabilities)
        .service(list_slots);
    admin::routes(cfg);
    closures::routes(cfg);
}
