//! Queries over appointments and the people they are for.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::{PageRequest, TaxCode};
use platform::messages::MessageLanguage;
use storage::{
    MultiBackend, Tx, fixed,
    types::{At, Key, Uid},
};

use super::{
    model::{Applicant, Appointment, AppointmentId, AppointmentState},
    search::words::Keys,
};
use crate::{
    schema::{appointment_applicants, appointment_services, appointments},
    services::AppointmentServiceId,
};

/// Adds an appointment and the person it is for.
///
/// # Errors
/// When the code is taken (a unique violation over `code`) or the database fails.
pub fn insert(tx: &mut Tx<'_>, appointment: &Appointment, applicant: &Applicant) -> storage::Result<()> {
    use appointments as a;
    diesel::insert_into(a::table)
        .values((
            a::tenant_id.eq(Key(tx.tenant())),
            a::id.eq(Key(appointment.id)),
            a::code.eq(&appointment.code),
            a::service_id.eq(Key(appointment.service_id)),
            a::calendar_id.eq(Key(appointment.calendar_id)),
            a::office_id.eq(Key(appointment.office_id)),
            a::starts_at.eq(At(appointment.starts_at)),
            a::ends_at.eq(At(appointment.ends_at)),
            a::persons.eq(appointment.persons),
            a::state.eq(appointment.state),
            a::channel.eq(appointment.channel),
            a::person_key.eq(&appointment.person_key),
            a::owner.eq(&appointment.owner),
            a::manage_token_hash.eq(&appointment.manage_token_hash),
            a::version.eq(appointment.version),
            a::created_at.eq(At(appointment.created_at)),
            a::updated_at.eq(At(appointment.updated_at)),
        ))
        .execute(tx.conn())?;
    use appointment_applicants as p;
    let keys = Keys::of(&applicant.given_name, &applicant.family_name, &applicant.email);
    diesel::insert_into(p::table)
        .values((
            p::tenant_id.eq(Key(tx.tenant())),
            p::appointment_id.eq(Key(appointment.id)),
            p::given_name.eq(&applicant.given_name),
            p::family_name.eq(&applicant.family_name),
            p::tax_code.eq(applicant.tax_code.as_ref().map(|code| code.as_str().to_owned())),
            p::email.eq(&applicant.email),
            p::phone.eq(&applicant.phone),
            p::notes.eq(&applicant.notes),
            p::family_key.eq(keys.family),
            p::given_key.eq(keys.given),
            p::email_key.eq(keys.email),
            p::language.eq(applicant.language),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// One appointment.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut Tx<'_>, id: AppointmentId) -> storage::Result<Option<Appointment>> {
    let mine = appointments::table.filter(appointments::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.filter(appointments::id.eq(Key(id))).select(Appointment::as_select()).first(tx.conn()).optional()?)
}

/// Those of these appointments whose services tell of special categories of data.
///
/// # Errors
/// When the database fails.
pub fn special(tx: &mut Tx<'_>, ids: &[AppointmentId]) -> storage::Result<Vec<Appointment>> {
    use appointment_services as s;
    use appointments as a;
    Ok(a::table
        .inner_join(s::table.on(s::tenant_id.eq(a::tenant_id).and(s::id.eq(a::service_id))))
        .filter(a::tenant_id.eq(Key(tx.tenant())))
        .filter(a::id.eq_any(ids.iter().copied().map(Key)))
        .filter(s::special_category.eq(true))
        .select(Appointment::as_select())
        .load(tx.conn())?)
}

/// Makes those who change an appointment wait for one another, until the end of the transaction. Taken
/// before the appointment is read and before any day is locked: who comes second then decides about what
/// the first has left, instead of finding out at the end that it is no longer so.
///
/// # Errors
/// When the database fails.
pub fn lock(tx: &mut Tx<'_>, id: AppointmentId) -> storage::Result<()> {
    use appointments as a;
    let mine = a::table.filter(a::tenant_id.eq(Key(tx.tenant()))).filter(a::id.eq(Key(id)));
    diesel::update(mine).set(a::version.eq(a::version)).execute(tx.conn())?;
    Ok(())
}

/// The appointment of a code, without its hyphen.
///
/// # Errors
/// When the database fails.
pub fn by_code(tx: &mut Tx<'_>, code: &str) -> storage::Result<Option<Appointment>> {
    let mine = appointments::table.filter(appointments::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.filter(appointments::code.eq(code)).select(Appointment::as_select()).first(tx.conn()).optional()?)
}

/// The person an appointment is for.
///
/// # Errors
/// When the database fails.
pub fn applicant(tx: &mut Tx<'_>, id: AppointmentId) -> storage::Result<Option<Applicant>> {
    use appointment_applicants as p;
    type Row = (
        String,
        String,
        Option<String>,
        String,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<MessageLanguage>,
    );
    let row: Option<Row> = p::table
        .filter(p::tenant_id.eq(Key(tx.tenant())))
        .filter(p::appointment_id.eq(Key(id)))
        .select((
            p::given_name,
            p::family_name,
            p::tax_code,
            p::email,
            p::phone,
            p::notes,
            p::cancellation_reason,
            p::language,
        ))
        .first(tx.conn())
        .optional()?;
    Ok(row.map(|(given_name, family_name, tax_code, email, phone, notes, cancellation_reason, language)| Applicant {
        given_name,
        family_name,
        tax_code: tax_code.and_then(|code| TaxCode::parse(&code).ok()),
        email,
        phone,
        notes,
        cancellation_reason,
        language,
    }))
}

/// Keeps why an appointment was called off.
///
/// # Errors
/// When the database fails.
pub fn save_cancellation_reason(tx: &mut Tx<'_>, id: AppointmentId, reason: &str) -> storage::Result<()> {
    use appointment_applicants as p;
    let row = p::table.filter(p::tenant_id.eq(Key(tx.tenant()))).filter(p::appointment_id.eq(Key(id)));
    diesel::update(row).set(p::cancellation_reason.eq(Some(reason))).execute(tx.conn())?;
    Ok(())
}

/// Saves who an appointment is for, with what they are found by.
///
/// # Errors
/// When the database fails.
pub fn save_applicant(tx: &mut Tx<'_>, id: AppointmentId, applicant: &Applicant) -> storage::Result<()> {
    use appointment_applicants as p;
    let keys = Keys::of(&applicant.given_name, &applicant.family_name, &applicant.email);
    let row = p::table.filter(p::tenant_id.eq(Key(tx.tenant()))).filter(p::appointment_id.eq(Key(id)));
    diesel::update(row)
        .set((
            p::given_name.eq(&applicant.given_name),
            p::family_name.eq(&applicant.family_name),
            p::tax_code.eq(applicant.tax_code.as_ref().map(|code| code.as_str().to_owned())),
            p::email.eq(&applicant.email),
            p::phone.eq(&applicant.phone),
            p::notes.eq(&applicant.notes),
            p::family_key.eq(keys.family),
            p::given_key.eq(keys.given),
            p::email_key.eq(keys.email),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Saves what a change may change: time, place, how many come, whose it is, state, version.
/// `false` when the version is no longer the one before.
///
/// # Errors
/// When the database fails.
pub fn save(tx: &mut Tx<'_>, appointment: &Appointment) -> storage::Result<bool> {
    use appointments as a;
    let before = appointment.version.saturating_sub(1);
    let changed = diesel::update(
        a::table
            .filter(a::tenant_id.eq(Key(tx.tenant())))
            .filter(a::id.eq(Key(appointment.id)))
            .filter(a::version.eq(before)),
    )
    .set((
        a::calendar_id.eq(Key(appointment.calendar_id)),
        a::office_id.eq(Key(appointment.office_id)),
        a::starts_at.eq(At(appointment.starts_at)),
        a::ends_at.eq(At(appointment.ends_at)),
        a::persons.eq(appointment.persons),
        a::person_key.eq(&appointment.person_key),
        a::owner.eq(&appointment.owner),
        a::manage_token_hash.eq(&appointment.manage_token_hash),
        a::state.eq(appointment.state),
        a::cancelled_by.eq(&appointment.cancelled_by),
        a::version.eq(appointment.version),
        a::updated_at.eq(At(appointment.updated_at)),
    ))
    .execute(tx.conn())?;
    Ok(changed == 1)
}

/// A page of somebody's own appointments, the latest first.
///
/// # Errors
/// When the database fails.
pub fn owned_by(
    tx: &mut Tx<'_>,
    owner: &str,
    page: &PageRequest<(Timestamp, AppointmentId)>,
) -> storage::Result<Vec<Appointment>> {
    use appointments as a;
    let mut query =
        a::table.filter(a::tenant_id.eq(Key(tx.tenant()))).filter(a::owner.eq(owner)).into_boxed::<MultiBackend>();
    if let Some((starts_at, id)) = page.after {
        let (at, key) = (At(starts_at), Key(id));
        query = query.filter(a::starts_at.lt(at).or(a::starts_at.eq(at).and(a::id.lt(key))));
    }
    Ok(query.order((a::starts_at.desc(), a::id.desc())).limit(page.fetch()).load(tx.conn())?)
}

/// Makes those who count what this person has open wait for one another, until the end of the transaction.
/// Taken after the days are locked, by everybody.
///
/// # Errors
/// When the database fails.
pub fn lock_person(tx: &mut Tx<'_>, person_key: &str) -> storage::Result<()> {
    let tenant = tx.tenant();
    fixed(
        "INSERT INTO person_locks (tenant_id, bucket, version) VALUES (?, ?, 1) \
         ON CONFLICT (tenant_id, bucket) DO UPDATE SET version = person_locks.version + 1",
    )
    .bind::<Uid, _>(Key(tenant))
    .bind::<diesel::sql_types::BigInt, _>(bucket(person_key))
    .execute(tx.conn())?;
    Ok(())
}

/// One of 4,096 rows that a pseudonym, which is hexadecimal, falls on.
fn bucket(person_key: &str) -> i64 {
    person_key.get(..3).and_then(|head| i64::from_str_radix(head, 16).ok()).unwrap_or(0)
}

/// How many appointments for this service a person still has before them.
///
/// # Errors
/// When the database fails.
pub fn count_open(tx: &mut Tx<'_>, service: AppointmentServiceId, person_key: &str) -> storage::Result<i64> {
    use appointments as a;
    let now = At(tx.now());
    Ok(a::table
        .filter(a::tenant_id.eq(Key(tx.tenant())))
        .filter(a::service_id.eq(Key(service)))
        .filter(a::person_key.eq(person_key))
        .filter(a::state.eq_any(AppointmentState::OPEN))
        .filter(a::ends_at.gt(now))
        .count()
        .get_result(tx.conn())?)
}
