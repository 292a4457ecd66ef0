//! Queries over services and where they are given.

use diesel::prelude::*;
use kernel::{Localized, PageRequest};
use platform::{changes::in_use, directory::OfficeId};
use storage::{
    DbError, Json, MultiBackend, Tx,
    types::{At, Key},
};

use super::model::{AppointmentService, AppointmentServiceId};
use crate::{
    appointments::AppointmentState,
    calendars::CalendarId,
    schema::{appointment_services, appointments, calendars, holds, service_calendars},
};

type Row = (
    AppointmentServiceId,
    String,
    Json<Localized>,
    Option<Json<Localized>>,
    Json<Vec<Localized>>,
    (i64, i64, i64, i64, i64),
    Option<i64>,
    (bool, bool),
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
            (s::anonymous_allowed, s::special_category),
            s::version,
        )
    }};
}

fn service_of(row: Row) -> AppointmentService {
    let (id, slug, name, description, documents, times, max_per_person, marks, version) = row;
    let (anonymous_allowed, special_category) = marks;
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
        special_category,
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
            s::special_category.eq(service.special_category),
            s::version.eq(service.version),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Says that a calendar gives a service.
///
/// # Errors
/// When either is unknown, the link is there already (see [`give_again`]), or the database fails.
pub fn link(tx: &mut Tx<'_>, service: AppointmentServiceId, calendar: CalendarId) -> storage::Result<()> {
    use service_calendars as l;
    diesel::insert_into(l::table)
        .values((
            l::tenant_id.eq(Key(tx.tenant())),
            l::service_id.eq(Key(service)),
            l::calendar_id.eq(Key(calendar)),
            l::given.eq(true),
        ))
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
        .filter(l::given.eq(true))
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
        .filter(l::given.eq(true))
        .order(calendars::id)
        .select((calendars::id, calendars::office_id, calendars::name))
        .load(tx.conn())?)
}

/// Whether a change hit the version it was made from; if it did not, somebody was faster: it is decided again.
fn hit(rows: usize) -> storage::Result<()> {
    if rows == 1 { Ok(()) } else { Err(DbError::Retry("it changed meanwhile".to_owned()).into()) }
}

/// Saves a service as the version after the one it was read as.
///
/// # Errors
/// When the slug is taken, somebody was faster or the database fails.
pub fn save(tx: &mut Tx<'_>, service: &AppointmentService) -> storage::Result<()> {
    use appointment_services as s;
    let mine = s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::id.eq(Key(service.id)));
    let changed = diesel::update(mine.filter(s::version.eq(service.version.saturating_sub(1))))
        .set((
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
            s::special_category.eq(service.special_category),
            s::version.eq(service.version),
        ))
        .execute(tx.conn())?;
    hit(changed)
}

/// Deletes a service in this version, and that calendars give it.
///
/// # Errors
/// `in-use` when it is held or was ever booked; when somebody was faster or the database fails.
pub fn delete(tx: &mut Tx<'_>, id: AppointmentServiceId, version: i64) -> storage::Result<()> {
    use appointment_services as s;
    let (tenant, key) = (Key(tx.tenant()), Key(id));
    let (expired, links) = (holds::table.filter(holds::tenant_id.eq(tenant)), service_calendars::table);
    let now = At(tx.now());
    diesel::delete(expired.filter(holds::service_id.eq(key)).filter(holds::expires_at.le(now))).execute(tx.conn())?;
    let links = links.filter(service_calendars::tenant_id.eq(tenant)).filter(service_calendars::service_id.eq(key));
    diesel::delete(links).execute(tx.conn()).map_err(|error| in_use(error.into()))?;
    let mine = s::table.filter(s::tenant_id.eq(tenant)).filter(s::id.eq(key));
    let deleted = diesel::delete(mine.filter(s::version.eq(version))).execute(tx.conn());
    hit(deleted.map_err(|error| in_use(error.into()))?)
}

/// Says that a calendar gives a service that it has given before. `false` when it never has.
///
/// # Errors
/// When the database fails.
pub fn give_again(tx: &mut Tx<'_>, service: AppointmentServiceId, calendar: CalendarId) -> storage::Result<bool> {
    set_given(tx, service, calendar, true)
}

/// Says that a calendar no longer gives a service. What was booked there stays.
///
/// # Errors
/// When the database fails.
pub fn stop_giving(tx: &mut Tx<'_>, service: AppointmentServiceId, calendar: CalendarId) -> storage::Result<bool> {
    set_given(tx, service, calendar, false)
}

fn set_given(
    tx: &mut Tx<'_>,
    service: AppointmentServiceId,
    calendar: CalendarId,
    given: bool,
) -> storage::Result<bool> {
    use service_calendars as l;
    let mine = l::table.filter(l::tenant_id.eq(Key(tx.tenant()))).filter(l::service_id.eq(Key(service)));
    let changed = diesel::update(mine.filter(l::calendar_id.eq(Key(calendar)))).set(l::given.eq(given));
    Ok(changed.execute(tx.conn())? == 1)
}

/// Whether people still have an appointment for a service at a calendar, or hold a time there.
///
/// # Errors
/// When the database fails.
pub fn is_awaited(tx: &mut Tx<'_>, service: AppointmentServiceId, calendar: CalendarId) -> storage::Result<bool> {
    use appointments as a;
    let (tenant, now) = (Key(tx.tenant()), At(tx.now()));
    let booked: i64 = a::table
        .filter(a::tenant_id.eq(tenant))
        .filter(a::calendar_id.eq(Key(calendar)))
        .filter(a::service_id.eq(Key(service)))
        .filter(a::ends_at.gt(now))
        .filter(a::state.eq_any(AppointmentState::OPEN))
        .count()
        .get_result(tx.conn())?;
    let held: i64 = holds::table
        .filter(holds::tenant_id.eq(tenant))
        .filter(holds::calendar_id.eq(Key(calendar)))
        .filter(holds::service_id.eq(Key(service)))
        .filter(holds::expires_at.gt(now))
        .count()
        .get_result(tx.conn())?;
    Ok(booked > 0 || held > 0)
}
