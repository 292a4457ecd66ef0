//! Queries of exports.

use std::collections::HashMap;

use diesel::prelude::*;
use kernel::{Lang, Localized, PublicCode};
use platform::{
    access::{integration::kind_of, policy::Rows},
    directory::store as directory,
};
use storage::{
    DbError, Json, MultiBackend, Tx,
    types::{At, Key},
};

use super::model::{ExportedApplicant, ExportedAppointment, Filter};
use crate::{
    appointments::{Appointment, AppointmentId},
    calendars::CalendarId,
    schema::{appointment_applicants, appointments, calendars},
    services::store as services,
};

/// The next appointments after `after`, by id: an appointment that is moved meanwhile keeps its place.
pub(super) fn after(
    tx: &mut Tx<'_>,
    rows: &Rows,
    filter: &Filter,
    after: Option<AppointmentId>,
    limit: i64,
) -> storage::Result<Vec<Appointment>> {
    use appointments as a;
    let mut query = a::table
        .filter(a::tenant_id.eq(Key(tx.tenant())))
        .select(Appointment::as_select())
        .into_boxed::<MultiBackend>();
    match rows {
        Rows::All => {}
        Rows::OfOffices(offices) => query = query.filter(a::office_id.eq_any(offices.iter().copied().map(Key))),
        Rows::OwnedBy(owner) => query = query.filter(a::owner.eq(owner.clone())),
        Rows::None => return Ok(Vec::new()),
    }
    if let Some(from) = filter.from {
        query = query.filter(a::starts_at.ge(At(from)));
    }
    if let Some(before) = filter.before {
        query = query.filter(a::starts_at.lt(At(before)));
    }
    if let Some(office) = filter.office_id {
        query = query.filter(a::office_id.eq(Key(office)));
    }
    if let Some(calendar) = filter.calendar_id {
        query = query.filter(a::calendar_id.eq(Key(calendar)));
    }
    if let Some(service) = filter.service_id {
        query = query.filter(a::service_id.eq(Key(service)));
    }
    if let Some(state) = filter.state {
        query = query.filter(a::state.eq(state));
    }
    if let Some(after) = after {
        query = query.filter(a::id.gt(Key(after)));
    }
    Ok(query.order(a::id).limit(limit).load(tx.conn())?)
}

/// Appointments as an export tells them.
pub(crate) fn told(
    tx: &mut Tx<'_>,
    appointments: Vec<Appointment>,
    lang: Lang,
    personal: bool,
) -> storage::Result<Vec<ExportedAppointment>> {
    let named: Vec<_> = appointments.iter().map(|a| a.id).collect();
    let mut people = if personal { people(tx, &named)? } else { HashMap::new() };
    let named: Vec<_> = appointments.iter().map(|a| a.service_id).collect();
    let service: HashMap<_, _> = services::by_ids(tx, &named)?.into_iter().map(|s| (s.id, s.name)).collect();
    let named: Vec<_> = appointments.iter().map(|a| a.office_id).collect();
    let office: HashMap<_, _> =
        directory::offices_with_places(tx, &named)?.into_iter().map(|(o, _)| (o.id, o.name.0)).collect();
    let named: Vec<_> = appointments.iter().map(|a| a.calendar_id).collect();
    let calendar = calendar_names(tx, &named)?;
    let text = |name: Option<&Localized>| name.map_or_else(String::new, |name| name.text(lang).to_owned());
    let row = |a: Appointment| {
        Ok(ExportedAppointment {
            id: a.id,
            code: PublicCode::parse(&a.code).map_err(|error| DbError::Other(error.to_string()))?,
            state: a.state,
            service_id: a.service_id,
            service: text(service.get(&a.service_id)),
            office_id: a.office_id,
            office: text(office.get(&a.office_id)),
            calendar_id: a.calendar_id,
            calendar: text(calendar.get(&a.calendar_id)),
            starts_at: a.starts_at,
            ends_at: a.ends_at,
            persons: a.persons,
            channel: a.channel,
            // The kind of caller alone: what comes after it says who.
            cancelled_by: a.cancelled_by.map(|by| kind_of(&by).to_owned()),
            created_at: a.created_at,
            updated_at: a.updated_at,
            applicant: people.remove(&a.id),
        })
    };
    appointments.into_iter().map(row).collect()
}

fn calendar_names(tx: &mut Tx<'_>, ids: &[CalendarId]) -> storage::Result<HashMap<CalendarId, Localized>> {
    let rows: Vec<(CalendarId, Json<Localized>)> = calendars::table
        .filter(calendars::tenant_id.eq(Key(tx.tenant())))
        .filter(calendars::id.eq_any(ids.iter().copied().map(Key)))
        .select((calendars::id, calendars::name))
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|(id, name)| (id, name.0)).collect())
}

fn people(tx: &mut Tx<'_>, ids: &[AppointmentId]) -> storage::Result<HashMap<AppointmentId, ExportedApplicant>> {
    use appointment_applicants as p;
    type Row = (AppointmentId, String, String, Option<String>, String, Option<String>, Option<String>, Option<String>);
    let rows: Vec<Row> = p::table
        .filter(p::tenant_id.eq(Key(tx.tenant())))
        .filter(p::appointment_id.eq_any(ids.iter().copied().map(Key)))
        .select((
            p::appointment_id,
            p::given_name,
            p::family_name,
            p::tax_code,
            p::email,
            p::phone,
            p::notes,
            p::cancellation_reason,
        ))
        .load(tx.conn())?;
    let person = |(id, given_name, family_name, tax_code, email, phone, notes, cancellation_reason)| {
        (id, ExportedApplicant { given_name, family_name, tax_code, email, phone, notes, cancellation_reason })
    };
    Ok(rows.into_iter().map(person).collect())
}
