//! `/calendars`: when counters are open, and what of it is free.

use std::ops::RangeInclusive;

use actix_web::{get, web::Data};
use jiff::{SignedDuration, civil::Date};
use kernel::{Id, Lang, Page, civil};
use platform::{
    access::Caller,
    directory::OfficeId,
    http::{Answer, IdPath, Language, Params, ProblemBody, Reply, bad_query, not_found, paging, sane_date},
};
use serde::{Deserialize, Serialize};
use storage::{Db, Tx};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    claim,
    model::{Calendar, CalendarId, ExceptionKind, OpeningException, OpeningRule},
    occupancy::Slot,
    store,
};
use crate::{
    offers::{Offer, Terms},
    services::{AppointmentService, AppointmentServiceId, store as services},
};

/// A calendar of a counter.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Calendar, example = json!({
    "id": "01980000-0000-7000-8000-000000000003", "office_id": "01980000-0000-7000-8000-000000000002",
    "name": "Sportello 1 e 2", "slot_minutes": 20, "capacity": 2, "closed_on_holidays": true,
    "lead_minutes": 60, "horizon_days": 60, "timezone": "Europe/Rome"
}))]
pub struct CalendarView {
    /// Identifier.
    pub id: CalendarId,
    /// The office whose counters these are.
    pub office_id: OfficeId,
    /// Its name, in the language asked for.
    #[schema(max_length = 200)]
    pub name: String,
    /// Distance between the starts offered, in minutes.
    #[schema(minimum = 5, maximum = 1440)]
    pub slot_minutes: i64,
    /// Counters that work in parallel, where an opening rule does not say otherwise.
    #[schema(minimum = 0, maximum = 1000)]
    pub capacity: i64,
    /// Whether the weekly hours are void on holidays.
    pub closed_on_holidays: bool,
    /// Notice needed, in minutes.
    #[schema(minimum = 0, maximum = 525600)]
    pub lead_minutes: i64,
    /// How far ahead one may book, in days.
    #[schema(minimum = 0, maximum = 3650)]
    pub horizon_days: i64,
    /// The clock its hours are read on (IANA).
    #[schema(max_length = 50)]
    pub timezone: &'static str,
}

fn view(calendar: &Calendar, lang: Lang) -> CalendarView {
    CalendarView {
        id: calendar.id,
        office_id: calendar.office_id,
        name: calendar.name.text(lang).to_owned(),
        slot_minutes: calendar.slot_minutes,
        capacity: calendar.capacity,
        closed_on_holidays: calendar.closed_on_holidays,
        lead_minutes: calendar.lead_minutes,
        horizon_days: calendar.horizon_days,
        timezone: "Europe/Rome",
    }
}

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
    Reply::page(Page::cut(rows, &page, |calendar| calendar.id).map(|calendar| view(&calendar, lang.0)))
}

/// One calendar
///
/// Slot length, parallel counters, notice and horizon.
#[utoipa::path(tag = "calendars", security(()),
    params(("calendar_id" = CalendarId, Path, description = "The calendar")), responses(
    (status = 200, description = "The calendar", body = CalendarView),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/calendars/{calendar_id}")]
async fn show_calendar(caller: Caller, lang: Language, id: IdPath<Calendar>, db: Data<Db>) -> Answer {
    let calendar = db.read(&caller, move |tx| find(tx, id.0)).await?;
    Reply::ok(view(&calendar, lang.0))
}

/// Weekly hours.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpeningRule, example = json!({
    "id": "01980000-0000-7000-8000-000000000004", "weekday": 1, "starts_at": "09:00:00", "ends_at": "12:30:00",
    "valid_from": "2026-01-01", "valid_until": null, "every_n_weeks": 1, "capacity": 2
}))]
pub struct OpeningRuleView {
    /// Identifier.
    pub id: RuleId,
    /// Day of the week, ISO 8601: 1 is Monday, 7 is Sunday.
    #[schema(minimum = 1, maximum = 7)]
    pub weekday: i64,
    /// Opens, on the clocks of Europe/Rome.
    #[schema(value_type = String, max_length = 8, pattern = "^\\d{2}:\\d{2}:\\d{2}$")]
    pub starts_at: jiff::civil::Time,
    /// Closes, on the clocks of Europe/Rome.
    #[schema(value_type = String, max_length = 8, pattern = "^\\d{2}:\\d{2}:\\d{2}$")]
    pub ends_at: jiff::civil::Time,
    /// The first date on which the rule holds.
    pub valid_from: Date,
    /// The last date on which it holds; without one it holds until it is changed.
    pub valid_until: Option<Date>,
    /// 1 is every week, 2 every other week, counted in ISO weeks from the one of `valid_from`.
    #[schema(minimum = 1, maximum = 52)]
    pub every_n_weeks: i64,
    /// Counters in parallel; rules that overlap add theirs.
    #[schema(minimum = 0, maximum = 1000)]
    pub capacity: i64,
}

type RuleId = Id<OpeningRule>;
type ExceptionId = Id<OpeningException>;

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
    let view = |rule: OpeningRule| OpeningRuleView {
        id: rule.id,
        weekday: rule.weekday,
        starts_at: rule.starts_at,
        ends_at: rule.ends_at,
        valid_from: rule.valid_from,
        valid_until: rule.valid_until,
        every_n_weeks: rule.every_n_weeks,
        capacity: rule.capacity,
    };
    Reply::page(Page::whole(rules.into_iter().map(view).collect()))
}

/// A date, or some of its hours, that differ from the weekly hours.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpeningException, example = json!({
    "id": "01980000-0000-7000-8000-000000000005", "date": "2026-12-24", "kind": "closed",
    "starts_at": null, "ends_at": null, "capacity": null, "reason": "Chiusura prefestiva"
}))]
pub struct OpeningExceptionView {
    /// Identifier.
    pub id: ExceptionId,
    /// The date that differs.
    pub date: Date,
    /// In which way.
    pub kind: ExceptionKind,
    /// From this time of Europe/Rome; without one, from the beginning of the day.
    #[schema(value_type = Option<String>, max_length = 8, pattern = "^\\d{2}:\\d{2}:\\d{2}$")]
    pub starts_at: Option<jiff::civil::Time>,
    /// To this time of Europe/Rome; without one, to the end of the day.
    #[schema(value_type = Option<String>, max_length = 8, pattern = "^\\d{2}:\\d{2}:\\d{2}$")]
    pub ends_at: Option<jiff::civil::Time>,
    /// Counters in parallel, for `open` and `capacity`; without one, the calendar's own.
    #[schema(minimum = 0, maximum = 1000)]
    pub capacity: Option<i64>,
    /// What people are told, in the language asked for.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
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
    let view = |exception: OpeningException| OpeningExceptionView {
        id: exception.id,
        date: exception.date,
        kind: exception.kind,
        starts_at: exception.starts_at,
        ends_at: exception.ends_at,
        capacity: exception.capacity,
        reason: exception.reason.map(|text| text.text(lang.0).to_owned()),
    };
    Reply::page(Page::whole(exceptions.into_iter().map(view).collect()))
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
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), AvailabilityQuery), responses(
    (status = 200, description = "One entry per date, in order", body = Page<Availability>),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`, `duration-not-allowed`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/calendars/{calendar_id}/availabilities")]
async fn list_availabilities(
    caller: Caller,
    id: IdPath<Calendar>,
    query: Params<AvailabilityQuery>,
    db: Data<Db>,
) -> Answer {
    let (from, to) = range(&db, query.from, query.to, 62)?;
    let to = if query.to.is_none() { to.min(from.saturating_add(SignedDuration::from_hours(31 * 24))) } else { to };
    let days = free_slots(&db, &caller, id.0, query.service_id, query.persons, from..=to).await?;
    let items = days
        .into_iter()
        .map(|(date, slots)| Availability {
            date,
            free: i64::try_from(slots.iter().filter(|slot| slot.free > 0).count()).unwrap_or(i64::MAX),
        })
        .collect();
    Reply::page(Page::whole(items))
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

/// A time at which a visit can start.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Slot, example = json!({
    "starts_at": "2026-12-02T09:00:00+01:00", "ends_at": "2026-12-02T09:20:00+01:00", "free": 2
}))]
pub struct SlotView {
    /// When the visit would start.
    #[serde(with = "civil::rfc3339")]
    pub starts_at: jiff::Timestamp,
    /// When it would end.
    #[serde(with = "civil::rfc3339")]
    pub ends_at: jiff::Timestamp,
    /// How many more such visits could start then; 0: taken.
    #[schema(minimum = 0, maximum = 1000)]
    pub free: i64,
}

impl From<Slot> for SlotView {
    fn from(slot: Slot) -> Self {
        Self { starts_at: slot.starts_at, ends_at: slot.ends_at, free: slot.free }
    }
}

/// Times of a date
///
/// Every time at which a visit for this service could start on that date, taken ones included
/// (`free` is 0). Notice and horizon are taken into account.
#[utoipa::path(tag = "calendars", security(()),
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), SlotQuery), responses(
    (status = 200, description = "The times, in order", body = Page<SlotView>),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`, `duration-not-allowed`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/calendars/{calendar_id}/slots")]
async fn list_slots(caller: Caller, id: IdPath<Calendar>, query: Params<SlotQuery>, db: Data<Db>) -> Answer {
    let (date, service) = (sane_date("date", query.date)?, query.service_id);
    let days = free_slots(&db, &caller, id.0, service, query.persons, date..=date).await?;
    Reply::page(Page::whole(days.into_iter().flat_map(|(_, slots)| slots).map(SlotView::from).collect()))
}

async fn free_slots(
    db: &Db,
    caller: &Caller,
    calendar: CalendarId,
    service: AppointmentServiceId,
    persons: Option<i64>,
    dates: RangeInclusive<Date>,
) -> Result<Vec<(Date, Vec<Slot>)>, kernel::Problem> {
    let persons = persons.unwrap_or(1);
    if !(1..=100).contains(&persons) {
        return Err(bad_query("persons", "out-of-range", "a number from 1 to 100"));
    }
    let (holidays, who) = (caller.tenant.holidays(), caller.clone());
    db.read(caller, move |tx| {
        let calendar = find(tx, calendar)?;
        let terms = Terms::at(&who, calendar.office_id);
        let service = given(tx, service, calendar.id)?
            .ok_or_else(|| bad_query("service_id", "not-given", "not a service of this calendar"))?;
        claim::slots_for(tx, &Offer { calendar, service }, &holidays, persons, dates.clone(), terms)
    })
    .await
    .map_err(of_query)
}

/// Names the members of a body that a refusal is about as the parameters that they are here.
fn of_query(mut problem: kernel::Problem) -> kernel::Problem {
    for error in &mut problem.errors {
        if let Some(name) = error.pointer.strip_prefix('/') {
            error.pointer = format!("?{name}");
        }
    }
    problem
}

/// The calendar, or the refusal of a path that names none.
fn find(tx: &mut Tx<'_>, id: CalendarId) -> storage::Result<Calendar> {
    Ok(store::calendar(tx, id)?.ok_or_else(not_found)?)
}

/// The service, when this calendar gives it.
fn given(
    tx: &mut Tx<'_>,
    service: AppointmentServiceId,
    calendar: CalendarId,
) -> storage::Result<Option<AppointmentService>> {
    if services::is_given(tx, service, calendar)? { services::service(tx, service) } else { Ok(None) }
}

/// Reads a range of dates, at most `days` long.
fn range(db: &Db, from: Option<Date>, to: Option<Date>, days: i64) -> Result<(Date, Date), kernel::Problem> {
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
}
