//! `/statistics/appointments`.

use actix_web::{get, web::Data};
use jiff::{Span, civil::Date};
use kernel::{Lang, Problem, civil};
use platform::{
    access::{Caller, policy},
    directory::store as directory,
    http::{Answer, Language, Params, ProblemBody, Reply, bad_query, sane_date},
};
use storage::{Db, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{AppointmentStatistics, FirstFree, GroupBy, StatisticsGroup, StatisticsQuery},
    rules::Tally,
    store::{self, Filter},
};
use crate::{
    calendars::store as calendars,
    offers::Offer,
    services::{search::Guide, store as services},
};

/// The longest period, in days.
const LONGEST: i32 = 366;
/// How many groups are told.
const GROUPS: usize = 1000;

/// Appointments in figures
///
/// Booked, kept, not kept, called off and by whom, and how long people waited; of the visits of a period, in all
/// and by office, service or day; and when there is room again. For managers (of their offices), the URP, admins, and
/// systems with `appointments:read`. Nobody can be recognised in it but by a figure of 1.
#[utoipa::path(tag = "appointments", params(StatisticsQuery), responses(
    (status = 200, description = "The figures", body = AppointmentStatistics),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/statistics/appointments")]
async fn show_appointment_statistics(
    caller: Caller,
    lang: Language,
    query: Params<StatisticsQuery>,
    db: Data<Db>,
) -> Answer {
    let rows = policy::statistics(&caller)?;
    let (from, to) = period(query.from, query.to, civil::date_of(db.clock().now()))?;
    let filter = Filter { rows, from, to, office: query.office_id, service: query.service_id };
    let (group_by, counted) = (query.group_by, filter.clone());
    let (total, groups) = db.read(&caller, move |tx| count(tx, &counted, group_by, lang.0)).await?;
    let holidays = caller.tenant.holidays();
    let first_free = db
        .read(&caller, move |tx| {
            let mut guide = Guide::new(lang.0, &holidays);
            let mut told = Vec::new();
            for (service_id, calendar_id, office_id) in store::given(tx, &filter)? {
                let (calendar, service) = (calendars::calendar(tx, calendar_id)?, services::service(tx, service_id)?);
                let (Some(calendar), Some(service)) = (calendar, service) else { continue };
                let next_free = guide.next_free(tx, &Offer { calendar, service })?;
                told.push(FirstFree { office_id, service_id, calendar_id, next_free });
            }
            Ok(told)
        })
        .await?;
    Reply::ok(AppointmentStatistics { from, to, total: total.figures(), groups, first_free })
}

fn count(
    tx: &mut Tx<'_>,
    filter: &Filter,
    group_by: Option<GroupBy>,
    lang: Lang,
) -> storage::Result<(Tally, Vec<StatisticsGroup>)> {
    let group = |tally: &Tally| StatisticsGroup {
        office_id: None,
        service_id: None,
        date: None,
        name: None,
        figures: tally.figures(),
    };
    let mut total = Tally::default();
    let mut groups = Vec::new();
    match group_by {
        None | Some(GroupBy::Office) => {
            let tallies = store::by_office(tx, filter)?;
            let ids: Vec<_> = tallies.keys().copied().collect();
            let offices = if group_by.is_some() { directory::offices_with_places(tx, &ids)? } else { Vec::new() };
            for (id, tally) in &tallies {
                total.join(tally);
                let name = offices.iter().find(|(office, _)| office.id == *id);
                let name = name.map(|(office, _)| office.name.0.text(lang).to_owned());
                groups.push(StatisticsGroup { office_id: Some(*id), name, ..group(tally) });
            }
        }
        Some(GroupBy::Service) => {
            let tallies = store::by_service(tx, filter)?;
            let ids: Vec<_> = tallies.keys().copied().collect();
            let named = services::by_ids(tx, &ids)?;
            for (id, tally) in &tallies {
                total.join(tally);
                let name = named.iter().find(|service| service.id == *id);
                let name = name.map(|service| service.name.text(lang).to_owned());
                groups.push(StatisticsGroup { service_id: Some(*id), name, ..group(tally) });
            }
        }
        Some(GroupBy::Day) => {
            for (date, tally) in &store::by_day(tx, filter)? {
                total.join(tally);
                groups.push(StatisticsGroup { date: Some(*date), ..group(tally) });
            }
        }
    }
    if group_by.is_none() {
        groups.clear();
    }
    groups.truncate(GROUPS);
    Ok((total, groups))
}

fn period(from: Option<Date>, to: Option<Date>, today: Date) -> Result<(Date, Date), Problem> {
    let from = from.map(|date| sane_date("from", date)).transpose()?;
    let to = to.map(|date| sane_date("to", date)).transpose()?;
    let to = to.unwrap_or_else(|| from.map_or(today, |from| from.saturating_add(Span::new().days(30))));
    let from = from.unwrap_or_else(|| to.saturating_sub(Span::new().days(30)));
    if to < from {
        return Err(bad_query("to", "before-from", "not before `from`"));
    }
    if to >= from.saturating_add(Span::new().days(LONGEST)) {
        return Err(bad_query("to", "too-far", "at most 366 days in all"));
    }
    Ok((from, to))
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show_appointment_statistics);
}
