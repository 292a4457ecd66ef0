//! Queries over services and where they are given.

use diesel::prelude::*;
use kernel::{Localized, PageRequest};
use platform::directory::OfficeId;
use storage::{Json, MultiBackend, Tx, types::Key};

use super::model::{AppointmentService, AppointmentServiceId};
use crate::{
    calendars::CalendarId,
    schema::{appointment_services, calendars, service_calendars},
};

type Row = (
    AppointmentServiceId,
    String,
    Json<Localized>,
    Option<Json<Localized>>,
    Json<Vec<Localized>>,
    (i64, i64, i64, i64, i64),
    Option<i64>,
    bool,
    i64,
);

macro_rules! columns {
    () => {{
        use appointment_services as s;
        (
            s::id,
            s::slug,
            s::name,
            s::description,
            s::required_documents,
            (
                s::duration_minutes,
                s::extra_person_minutes,
                s::max_persons,
                s::buffer_before_minutes,
                s::buffer_after_minutes,
            ),
            s::max_per_person,
            s::anonymous_allowed,
            s::version,
        )
    }};
}

fn service_of(row: Row) -> AppointmentService {
    let (id, slug, name, description, documents, times, max_per_person, anonymous_allowed, version) = row;
    let (duration_minutes, extra_person_minutes, max_persons, buffer_before_minutes, buffer_after_minutes) = times;
    AppointmentService {
        id,
        slug,
        name: name.0,
        description: description.map(|json| json.0),
        required_documents: documents.0,
        duration_minutes,
        extra_person_minutes,
        max_persons,
        buffer_before_minutes,
        buffer_after_minutes,
        max_per_person,
        anonymous_allowed,
        version,
    }
}

/// Adds a service.
///
/// # Errors
/// When the slug is taken or the database fails.
pub fn insert(tx: &mut Tx<'_>, service: &AppointmentService) -> storage::Result<()> {
    use appointment_services as s;
    diesel::insert_into(s::table)
        .values((
            s::tenant_id.eq(Key(tx.tenant())),
            s::id.eq(Key(service.id)),
            s::slug.eq(&service.slug),
            s::name.eq(Json(service.name.clone())),
            s::description.eq(service.description.clone().map(Json)),
            s::required_documents.eq(Json(service.required_documents.clone())),
            s::duration_minutes.eq(service.duration_minutes),
            s::extra_person_minutes.eq(service.extra_person_minutes),
            s::max_persons.eq(service.max_persons),
            s::buffer_before_minutes.eq(service.buffer_before_minutes),
            s::buffer_after_minutes.eq(service.buffer_after_minutes),
            s::max_per_person.eq(service.max_per_person),
            s::anonymous_allowed.eq(service.anonymous_allowed),
            s::version.eq(service.version),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Says that a calendar gives a service.
///
/// # Errors
/// When either is unknown, the link is there already, or the database fails.
pub fn link(tx: &mut Tx<'_>, service: AppointmentServiceId, calendar: CalendarId) -> storage::Result<()> {
    use service_calendars as l;
    diesel::insert_into(l::table)
        .values((l::tenant_id.eq(Key(tx.tenant())), l::service_id.eq(Key(service)), l::calendar_id.eq(Key(calendar))))
        .execute(tx.conn())?;
    Ok(())
}

/// One service.
///
/// # Errors
/// When the database fails.
pub fn service(tx: &mut Tx<'_>, id: AppointmentServiceId) -> storage::Result<Option<AppointmentService>> {
    let row: Option<Row> = appointment_services::table
        .filter(appointment_services::tenant_id.eq(Key(tx.tenant())))
        .filter(appointment_services::id.eq(Key(id)))
        .select(columns!())
        .first(tx.conn())
        .optional()?;
    Ok(row.map(service_of))
}

/// Several services.
///
/// # Errors
/// When the database fails.
pub fn by_ids(tx: &mut Tx<'_>, ids: &[AppointmentServiceId]) -> storage::Result<Vec<AppointmentService>> {
    let keys: Vec<_> = ids.iter().copied().map(Key).collect();
    let rows: Vec<Row> = appointment_services::table
        .filter(appointment_services::tenant_id.eq(Key(tx.tenant())))
        .filter(appointment_services::id.eq_any(keys))
        .select(columns!())
        .load(tx.conn())?;
    Ok(rows.into_iter().map(service_of).collect())
}

/// A page of the services, by id.
///
/// # Errors
/// When the database fails.
pub fn services(tx: &mut Tx<'_>, page: &PageRequest<AppointmentServiceId>) -> storage::Result<Vec<AppointmentService>> {
    let mut query = appointment_services::table
        .filter(appointment_services::tenant_id.eq(Key(tx.tenant())))
        .select(columns!())
        .into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(appointment_services::id.gt(Key(after)));
    }
    let rows: Vec<Row> = query.order(appointment_services::id).limit(page.fetch()).load(tx.conn())?;
    Ok(rows.into_iter().map(service_of).collect())
}

/// Whether a calendar gives a service.
///
/// # Errors
/// When the database fails.
pub fn is_given(tx: &mut Tx<'_>, service: AppointmentServiceId, calendar: CalendarId) -> storage::Result<bool> {
    use service_calendars as l;
    let found: Option<AppointmentServiceId> = l::table
        .filter(l::tenant_id.eq(Key(tx.tenant())))
        .filter(l::service_id.eq(Key(service)))
        .filter(l::calendar_id.eq(Key(calendar)))
        .select(l::service_id)
        .first(tx.conn())
        .optional()?;
    Ok(found.is_some())
}

/// The calendars that give a service, with their offices.
///
/// # Errors
/// When the database fails.
pub fn calendars_of(
    tx: &mut Tx<'_>,
    service: AppointmentServiceId,
) -> storage::Result<Vec<(CalendarId, OfficeId, Json<Localized>)>> {
    use service_calendars as l;
    Ok(l::table
        .inner_join(calendars::table.on(calendars::tenant_id.eq(l::tenant_id).and(calendars::id.eq(l::calendar_id))))
        .filter(l::tenant_id.eq(Key(tx.tenant())))
        .filter(l::service_id.eq(Key(service)))
        .order(calendars::id)
        .select((calendars::id, calendars::office_id, calendars::name))
        .load(tx.conn())?)
}
