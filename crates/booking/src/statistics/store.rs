//! The counting, which the database does.

use std::collections::BTreeMap;

use diesel::{QueryableByName, prelude::*, sql_query, sql_types::BigInt, sql_types::Text};
use jiff::{Timestamp, civil::Date};
use kernel::{Id, civil};
use platform::{access::policy::Rows, directory::OfficeId};
use storage::{
    Conn, MultiBackend, Tx,
    types::{At, Instant, Key, Uid},
};

use super::rules::{CalledOffBy, Tally};
use crate::{
    appointments::AppointmentState,
    calendars::CalendarId,
    schema::{calendars, service_calendars},
    services::AppointmentServiceId,
};

/// Which appointments are counted.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub(super) rows: Rows,
    pub(super) from: Date,
    pub(super) to: Date,
    pub(super) office: Option<OfficeId>,
    pub(super) service: Option<AppointmentServiceId>,
}

#[derive(QueryableByName)]
struct OfThing {
    #[diesel(sql_type = Uid)]
    part: Id<()>,
    #[diesel(embed)]
    counted: Counted,
}

#[derive(QueryableByName)]
struct OfDay {
    #[diesel(sql_type = BigInt)]
    part: i64,
    #[diesel(embed)]
    counted: Counted,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Text)]
    state: AppointmentState,
    #[diesel(sql_type = Text)]
    called_off_by: String,
    #[diesel(sql_type = BigInt)]
    lead_hours: i64,
    #[diesel(sql_type = BigInt)]
    counted: i64,
}

impl Counted {
    fn add_to(&self, tally: &mut Tally) {
        let by = match self.called_off_by.as_str() {
            "citizens" => CalledOffBy::Citizens,
            "staff" => CalledOffBy::Staff,
            _ => CalledOffBy::Others,
        };
        tally.add(self.state, by, self.lead_hours, self.counted);
    }
}

/// The appointments of each office.
pub(super) fn by_office(tx: &mut Tx<'_>, filter: &Filter) -> storage::Result<BTreeMap<OfficeId, Tally>> {
    by_thing(tx, filter, "office_id", |id| OfficeId::from_uuid(id.uuid()))
}

/// The appointments for each service.
pub(super) fn by_service(tx: &mut Tx<'_>, filter: &Filter) -> storage::Result<BTreeMap<AppointmentServiceId, Tally>> {
    by_thing(tx, filter, "service_id", |id| AppointmentServiceId::from_uuid(id.uuid()))
}

fn by_thing<K: Ord>(
    tx: &mut Tx<'_>,
    filter: &Filter,
    column: &str,
    key: impl Fn(Id<()>) -> K,
) -> storage::Result<BTreeMap<K, Tally>> {
    let (from, until) = (civil::day_bounds(filter.from).0, civil::day_bounds(filter.to).1);
    let mut tallies = BTreeMap::<K, Tally>::new();
    for row in count::<OfThing>(tx, filter, column, from, until)? {
        row.counted.add_to(tallies.entry(key(row.part)).or_default());
    }
    Ok(tallies)
}

/// The appointments of each date of Europe/Rome. A stretch without a change of the clocks is counted at a time, in
/// which a date is so many whole days of seconds: neither database has to know the zone.
pub(super) fn by_day(tx: &mut Tx<'_>, filter: &Filter) -> storage::Result<BTreeMap<Date, Tally>> {
    let (mut from, until) = (civil::day_bounds(filter.from).0, civil::day_bounds(filter.to).1);
    let mut tallies = BTreeMap::<Date, Tally>::new();
    while from < until {
        let change = civil::rome().following(from).next().map_or(until, |next| next.timestamp().min(until));
        let offset = civil::to_rome(from).offset().seconds();
        let seconds = second(tx, "starts_at");
        for row in count::<OfDay>(tx, filter, &format!("({seconds} + {offset}) / 86400"), from, change)? {
            let date =
                Date::constant(1970, 1, 1).saturating_add(jiff::Span::new().try_days(row.part).unwrap_or_default());
            row.counted.add_to(tallies.entry(date).or_default());
        }
        from = change;
    }
    Ok(tallies)
}

/// The Unix time of a column in whole seconds: the one thing that the databases keep, and so say, differently.
fn second(tx: &mut Tx<'_>, column: &str) -> String {
    match tx.conn() {
        Conn::Pg(_) => format!("CAST(FLOOR(EXTRACT(EPOCH FROM {column})) AS BIGINT)"),
        Conn::Sqlite(_) => format!("({column} / 1000000)"),
    }
}

/// Counts by `part`, state, who called off, and lead time: whole hours up to a week, whole days beyond, so that
/// however many appointments there are, there are only so many rows.
fn count<R>(tx: &mut Tx<'_>, filter: &Filter, part: &str, from: Timestamp, until: Timestamp) -> storage::Result<Vec<R>>
where
    R: QueryableByName<MultiBackend> + 'static,
{
    let offices = match &filter.rows {
        Rows::All => None,
        Rows::OfOffices(offices) => Some(offices.clone()),
        Rows::OwnedBy(_) | Rows::None => return Ok(Vec::new()),
    };
    let mut binds: Vec<Key<()>> = Vec::new();
    let mut mark = |id: Id<()>| {
        binds.push(Key(id));
        format!("${}", binds.len() + 3)
    };
    let mut conditions = String::new();
    if let Some(office) = filter.office {
        conditions.push_str(&format!(" AND office_id = {}", mark(Id::from_uuid(office.uuid()))));
    }
    if let Some(service) = filter.service {
        conditions.push_str(&format!(" AND service_id = {}", mark(Id::from_uuid(service.uuid()))));
    }
    if let Some(offices) = offices {
        if offices.is_empty() {
            return Ok(Vec::new());
        }
        let marks: Vec<String> = offices.iter().map(|office| mark(Id::from_uuid(office.uuid()))).collect();
        conditions.push_str(&format!(" AND office_id IN ({})", marks.join(", ")));
    }
    let (start, made) = (second(tx, "starts_at"), second(tx, "created_at"));
    let text = format!(
        "SELECT part, state, called_off_by, CASE WHEN hours < 0 THEN 0 WHEN hours <= 168 THEN hours \
         ELSE hours / 24 * 24 END AS lead_hours, COUNT(*) AS counted FROM (\
         SELECT {part} AS part, state, ({start} - {made}) / 3600 AS hours, \
         CASE WHEN cancelled_by LIKE 'citizen%' OR cancelled_by LIKE 'anonymous%' THEN 'citizens' \
         WHEN cancelled_by LIKE 'staff%' THEN 'staff' ELSE 'others' END AS called_off_by \
         FROM appointments WHERE tenant_id = $1 AND starts_at >= $2 AND starts_at < $3{conditions}\
         ) AS each_one GROUP BY 1, 2, 3, 4"
    );
    let mut query = sql_query(text)
        .into_boxed::<MultiBackend>()
        .bind::<Uid, _>(Key(tx.tenant()))
        .bind::<Instant, _>(At(from))
        .bind::<Instant, _>(At(until));
    for id in binds {
        query = query.bind::<Uid, _>(id);
    }
    Ok(query.load(tx.conn())?)
}

/// Which services are given in which calendars of which offices, the first 100.
pub(super) fn given(
    tx: &mut Tx<'_>,
    filter: &Filter,
) -> storage::Result<Vec<(AppointmentServiceId, CalendarId, OfficeId)>> {
    use service_calendars as l;
    let mut query = l::table
        .inner_join(calendars::table.on(calendars::tenant_id.eq(l::tenant_id).and(calendars::id.eq(l::calendar_id))))
        .filter(l::tenant_id.eq(Key(tx.tenant())))
        .filter(l::given.eq(true))
        .select((l::service_id, l::calendar_id, calendars::office_id))
        .into_boxed::<MultiBackend>();
    if let Rows::OfOffices(offices) = &filter.rows {
        query = query.filter(calendars::office_id.eq_any(offices.iter().copied().map(Key)));
    }
    if let Some(office) = filter.office {
        query = query.filter(calendars::office_id.eq(Key(office)));
    }
    if let Some(service) = filter.service {
        query = query.filter(l::service_id.eq(Key(service)));
    }
    Ok(query.order((l::service_id, l::calendar_id)).limit(100).load(tx.conn())?)
}
