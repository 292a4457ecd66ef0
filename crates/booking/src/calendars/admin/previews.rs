//! What is booked outside the hours, and what a change of them would leave there.

use std::collections::HashMap;

use actix_web::{get, post, web::Data};
use jiff::{SignedDuration, Span, Timestamp, civil::Date};
use kernel::{Id, Lang, Page, PageRequest, Problem, PublicCode, civil, page};
use platform::{
    access::Caller,
    directory::{Closure, ClosureId, bodies::sane_day, routes::PageQuery},
    http::{Answer, Body, IdPath, Language, Params, ProblemBody, Reply, paging, sane_date},
    problems::INVALID_BODY,
};
use serde::{Deserialize, Serialize};
use storage::{Db, DbError, Json, Tx};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::{
    bodies::{NewOpeningException, NewOpeningRule},
    rules,
};
use crate::{
    appointments::{Appointment, AppointmentId, AppointmentState, model::ServiceReference},
    calendars::{
        conflicts::{self, ConflictReason, Hours, Judge, Place},
        model::{Calendar, CalendarId, ExceptionId, RuleId},
        routes::managed,
    },
    services::{AppointmentServiceId, store as services},
};

/// A booked visit that does not fit the hours. Who comes is not told here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Conflict, example = json!({
    "appointment_id": "01980000-0000-7000-8000-000000000030", "code": "K7M2-PQ4X", "state": "confirmed",
    "service": { "id": "01980000-0000-7000-8000-000000000010", "name": "Carta d'identità elettronica" },
    "starts_at": "2026-12-24T12:00:00+01:00", "ends_at": "2026-12-24T12:20:00+01:00", "reason": "outside_hours"
}))]
pub struct ConflictView {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The code people read aloud.
    pub code: PublicCode,
    /// Where it is in its life.
    pub state: AppointmentState,
    /// What it is for.
    pub service: ServiceReference,
    /// When it starts.
    #[serde(with = "civil::rfc3339")]
    pub starts_at: Timestamp,
    /// When it ends.
    #[serde(with = "civil::rfc3339")]
    pub ends_at: Timestamp,
    /// Why it does not fit.
    pub reason: ConflictReason,
}

/// Booked visits outside the hours
///
/// Appointments that have not begun and do not fit the hours as they are now: the calendar is closed then, or
/// more is booked than there are counters. For the managers of the office and for admins, and for systems with
/// the scope `directory:write`.
#[utoipa::path(tag = "calendars", params(("calendar_id" = CalendarId, Path, description = "The calendar"), PageQuery), responses(
    (status = 200, description = "A page of conflicts, by time", body = Page<ConflictView>),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/calendars/{calendar_id}/conflicts")]
async fn list_conflicts(
    caller: Caller,
    lang: Language,
    id: IdPath<Calendar>,
    query: Params<PageQuery>,
    db: Data<Db>,
) -> Answer {
    let page = paging::<Place>(query.limit, query.after.as_deref())?;
    page.after.map(|(at, _)| sane_date("after", civil::date_of(at))).transpose()?;
    let who = caller.clone();
    let page = db
        .read(&caller, move |tx| {
            let calendar = managed(tx, &who, id.0)?;
            let hours = Hours::of(tx, calendar, who.tenant.holidays())?;
            let mut judge = Judge::by(&hours);
            let found = conflicts::search(tx, &hours.calendar, &page, |_, visit, seats| judge.conflict(visit, seats))?;
            let page = Page::cut(found, &page, |(appointment, _)| (appointment.starts_at, appointment.id));
            let mut named = Names::of(tx, page.items.iter().map(|(appointment, _)| appointment), lang.0)?;
            let items = page.items.into_iter().map(|(appointment, reason)| named.view(&appointment, reason));
            Ok(Page { items: items.collect::<storage::Result<_>>()?, next: page.next })
        })
        .await?;
    Reply::page(page)
}

/// The names of services.
struct Names(HashMap<AppointmentServiceId, String>);

impl Names {
    fn of<'a>(
        tx: &mut Tx<'_>,
        appointments: impl Iterator<Item = &'a Appointment>,
        lang: Lang,
    ) -> storage::Result<Self> {
        let mut ids: Vec<AppointmentServiceId> = appointments.map(|appointment| appointment.service_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let found = services::by_ids(tx, &ids)?;
        Ok(Self(found.into_iter().map(|service| (service.id, service.name.text(lang).to_owned())).collect()))
    }

    fn view(&mut self, appointment: &Appointment, reason: ConflictReason) -> storage::Result<ConflictView> {
        let id = appointment.service_id;
        let code = PublicCode::parse(&appointment.code)
            .map_err(|_unreadable| DbError::Other("a stored code cannot be read".to_owned()))?;
        Ok(ConflictView {
            appointment_id: appointment.id,
            code,
            state: appointment.state,
            service: ServiceReference { id, name: self.0.get(&id).cloned().unwrap_or_default() },
            starts_at: appointment.starts_at,
            ends_at: appointment.ends_at,
            reason,
        })
    }
}

/// A change of hours that somebody thinks of.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "removed_rule_ids": ["01980000-0000-7000-8000-000000000004"],
    "added_rules": [{ "weekday": 1, "starts_at": "09:00", "ends_at": "11:00", "valid_from": "2027-01-01", "capacity": 1 }],
    "added_exceptions": [{ "date": "2026-12-24", "kind": "closed" }], "added_closures": ["2027-08-13"], "capacity": 1
}))]
pub struct HoursChange {
    /// Rules to be added.
    #[validate(nested, length(max = 50))]
    #[schema(max_items = 50)]
    pub added_rules: Option<Vec<NewOpeningRule>>,
    /// Rules to be replaced.
    #[validate(nested, length(max = 50))]
    #[schema(max_items = 50)]
    pub replaced_rules: Option<Vec<RuleReplacement>>,
    /// Rules to be deleted.
    #[validate(length(max = 50))]
    #[schema(max_items = 50)]
    pub removed_rule_ids: Option<Vec<RuleId>>,
    /// Exceptions to be added.
    #[validate(nested, length(max = 50))]
    #[schema(max_items = 50)]
    pub added_exceptions: Option<Vec<NewOpeningException>>,
    /// Exceptions to be deleted.
    #[validate(length(max = 50))]
    #[schema(max_items = 50)]
    pub removed_exception_ids: Option<Vec<ExceptionId>>,
    /// Days on which the whole Comune is to be closed.
    #[validate(length(max = 50))]
    #[schema(max_items = 50)]
    pub added_closures: Option<Vec<Date>>,
    /// Closures to be deleted.
    #[validate(length(max = 50))]
    #[schema(max_items = 50)]
    pub removed_closure_ids: Option<Vec<ClosureId>>,
    /// The calendar's own number of counters.
    #[validate(range(min = 0, max = 1000))]
    #[schema(minimum = 0, maximum = 1000)]
    pub capacity: Option<i64>,
}

/// A rule that is to be another one.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "rule_id": "01980000-0000-7000-8000-000000000004",
    "rule": { "weekday": 1, "starts_at": "09:00", "ends_at": "11:00", "valid_from": "2027-01-01", "capacity": 1 }
}))]
pub struct RuleReplacement {
    /// The rule there is.
    pub rule_id: RuleId,
    /// What it is to be.
    #[validate(nested)]
    pub rule: NewOpeningRule,
}

/// What a change of hours would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "conflicts": [{
        "appointment": {
            "appointment_id": "01980000-0000-7000-8000-000000000030", "code": "K7M2-PQ4X", "state": "confirmed",
            "service": { "id": "01980000-0000-7000-8000-000000000010", "name": "Carta d'identità elettronica" },
            "starts_at": "2026-12-24T12:00:00+01:00", "ends_at": "2026-12-24T12:20:00+01:00", "reason": "closed"
        },
        "already": false
    }],
    "more": false, "weeks": [{ "from": "2026-12-21", "places_now": 48, "places_then": 36 }]
}))]
pub struct ConflictPreview {
    /// What would be booked outside the hours, by time; the first hundred.
    #[schema(max_items = 100)]
    pub conflicts: Vec<PreviewedConflict>,
    /// Whether there would be more.
    pub more: bool,
    /// How many visits of one slot could start in each week if nothing were booked: as far as one may book, 26
    /// weeks at most.
    #[schema(max_items = 27)]
    pub weeks: Vec<PreviewedWeek>,
}

/// A booked visit that would not fit.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewedConflict {
    /// The appointment, and why it would not fit.
    pub appointment: ConflictView,
    /// Whether it does not fit the hours as they are now either.
    pub already: bool,
}

/// A week before and after.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewedWeek {
    /// Its Monday.
    pub from: Date,
    /// Places as the hours are now.
    #[schema(minimum = 0, maximum = 10000000)]
    pub places_now: i64,
    /// Places as the hours would be.
    #[schema(minimum = 0, maximum = 10000000)]
    pub places_then: i64,
}

/// How far ahead places are counted.
const WEEKS: i64 = 26;

/// Try a change of hours
///
/// Tells which booked visits a change of hours would leave outside them, and how many places each week would
/// gain or lose. Nothing is written. For the managers of the office and for admins, and for systems with the
/// scope `directory:write`.
#[utoipa::path(tag = "calendars", request_body = HoursChange,
    params(("calendar_id" = CalendarId, Path, description = "The calendar")), responses(
    (status = 200, description = "What it would do", body = ConflictPreview),
))]
#[post("/calendars/{calendar_id}/conflict-previews")]
async fn preview_conflicts(
    caller: Caller,
    lang: Language,
    id: IdPath<Calendar>,
    body: Body<HoursChange>,
    db: Data<Db>,
) -> Answer {
    let change = body.into_inner();
    let who = caller.clone();
    let preview = db
        .read(&caller, move |tx| {
            let calendar = managed(tx, &who, id.0)?;
            let now = Hours::of(tx, calendar, who.tenant.holidays())?;
            let then = apply(&change, &now)?;
            preview(tx, &now, &then, lang.0)
        })
        .await?;
    Reply::ok(preview)
}

fn preview(tx: &mut Tx<'_>, now: &Hours, then: &Hours, lang: Lang) -> storage::Result<ConflictPreview> {
    let (mut by_now, mut by_then) = (Judge::by(now), Judge::by(then));
    let page = PageRequest { limit: page::MAX_LIMIT, after: None };
    let found = conflicts::search(tx, &now.calendar, &page, |_, visit, seats| {
        let reason = by_then.conflict(visit.clone(), seats)?;
        Some((reason, by_now.conflict(visit, seats).is_some()))
    })?;
    let page = Page::cut(found, &page, |(appointment, _)| (appointment.starts_at, appointment.id));
    let mut named = Names::of(tx, page.items.iter().map(|(appointment, _)| appointment), lang)?;
    let mut conflicts = Vec::new();
    for (appointment, (reason, already)) in &page.items {
        conflicts.push(PreviewedConflict { appointment: named.view(appointment, *reason)?, already: *already });
    }
    Ok(ConflictPreview { conflicts, more: page.next.is_some(), weeks: weeks(now, then, civil::date_of(tx.now())) })
}

fn weeks(now: &Hours, then: &Hours, today: Date) -> Vec<PreviewedWeek> {
    let days = now.calendar.horizon_days.min(WEEKS.saturating_mul(7));
    let last = today.saturating_add(SignedDuration::from_hours(days.saturating_mul(24)));
    let into_the_week = i64::from(today.weekday().to_monday_zero_offset());
    let first_monday = today.saturating_sub(SignedDuration::from_hours(into_the_week.saturating_mul(24)));
    let mondays = first_monday.series(Span::new().days(7)).take_while(|monday| *monday <= last);
    mondays
        .map(|monday| {
            let dates = || monday.series(Span::new().days(1)).take(7).filter(|date| (today..=last).contains(date));
            PreviewedWeek { from: monday, places_now: now.places(dates()), places_then: then.places(dates()) }
        })
        .collect()
}

/// The hours as they would be.
fn apply(change: &HoursChange, now: &Hours) -> Result<Hours, Problem> {
    let mut then = now.clone();
    let unknown =
        |pointer: String| Problem::new(&INVALID_BODY).field(pointer, "unknown-reference", "no such thing here");
    then.calendar.capacity = change.capacity.unwrap_or(then.calendar.capacity);
    for (at, id) in change.removed_rule_ids.iter().flatten().enumerate() {
        let place = then.rules.iter().position(|rule| rule.id == *id);
        then.rules.remove(place.ok_or_else(|| unknown(format!("/removed_rule_ids/{at}")))?);
    }
    for (at, id) in change.removed_exception_ids.iter().flatten().enumerate() {
        let place = then.exceptions.iter().position(|exception| exception.id == *id);
        then.exceptions.remove(place.ok_or_else(|| unknown(format!("/removed_exception_ids/{at}")))?);
    }
    for (at, id) in change.removed_closure_ids.iter().flatten().enumerate() {
        let place = then.closures.iter().position(|closure| closure.id == *id);
        then.closures.remove(place.ok_or_else(|| unknown(format!("/removed_closure_ids/{at}")))?);
    }
    let calendar = &then.calendar;
    for (at, replacement) in change.replaced_rules.iter().flatten().enumerate() {
        let rule = replacement.rule.clone().rule(replacement.rule_id, calendar.id, 1);
        let found = then.rules.iter_mut().find(|rule| rule.id == replacement.rule_id);
        *found.ok_or_else(|| unknown(format!("/replaced_rules/{at}/rule_id")))? = rule.clone();
        rules::check_rule(calendar, &rule, &then.rules).map_err(under(format!("/replaced_rules/{at}/rule")))?;
    }
    for (at, new) in change.added_rules.iter().flatten().enumerate() {
        let rule = new.clone().rule(imagined(at), calendar.id, 1);
        rules::check_rule(calendar, &rule, &then.rules).map_err(under(format!("/added_rules/{at}")))?;
        then.rules.push(rule);
    }
    for (at, new) in change.added_exceptions.iter().flatten().enumerate() {
        let exception = new.clone().exception(imagined(at), calendar.id, 1);
        rules::check_exception(calendar, &exception).map_err(under(format!("/added_exceptions/{at}")))?;
        then.exceptions.push(exception);
    }
    for (at, date) in change.added_closures.iter().flatten().enumerate() {
        let date = sane_day(&format!("/added_closures/{at}"), *date)?;
        let reason = Json(kernel::Localized::italian(String::new()));
        then.closures.push(Closure {
            tenant_id: Id::from_uuid(uuid::Uuid::nil()),
            id: imagined(at),
            date,
            reason,
            version: 1,
        });
    }
    Ok(then)
}

/// The id of something that is not there: no stored one has it, and each has its own.
fn imagined<T>(at: usize) -> Id<T> {
    Id::from_uuid(uuid::Uuid::from_u128(u128::try_from(at).unwrap_or(0).saturating_add(1)))
}

/// Names the members of a part of a body as members of the whole.
fn under(pointer: String) -> impl Fn(Problem) -> Problem {
    move |mut problem| {
        for error in &mut problem.errors {
            error.pointer = format!("{pointer}{}", error.pointer);
        }
        problem
    }
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_conflicts).service(preview_conflicts);
}
