//! Queries over the appointments of a person, and over those whose time is over.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::PageRequest;
use platform::privacy::{Due, RecordId, retention::model::Services, store::unlink_events};
use storage::{
    MultiBackend, Tx,
    types::{At, Key},
};

use crate::{
    appointments::{
        Appointment, AppointmentId,
        history::{model::Entry, store as history_store},
        notes::{model::Note, store as notes_store},
    },
    schema::{appointment_applicants, appointment_history, appointment_notes, appointments},
};

/// Those for a person and those they booked, in the order of booking.
pub(super) fn with_tax_code(tx: &mut Tx<'_>, key: &str, actor: &str) -> storage::Result<Vec<Appointment>> {
    use appointments as a;
    let mut found = with_key(tx, key)?;
    let owned = a::table.filter(a::tenant_id.eq(Key(tx.tenant()))).filter(a::owner.eq(actor));
    let owned: Vec<Appointment> =
        owned.filter(a::person_key.ne(key)).select(Appointment::as_select()).load(tx.conn())?;
    found.extend(owned);
    found.sort_by_key(|appointment| appointment.id);
    Ok(found)
}

/// Those for whoever has this pseudonym, in the order of booking.
pub(super) fn with_key(tx: &mut Tx<'_>, key: &str) -> storage::Result<Vec<Appointment>> {
    use appointments as a;
    let theirs = a::table.filter(a::tenant_id.eq(Key(tx.tenant()))).filter(a::person_key.eq(key));
    Ok(theirs.order(a::id).select(Appointment::as_select()).load(tx.conn())?)
}

/// How much of one appointment's past and of its notes is told: more than any has.
const WHOLE: i64 = 10_000;

/// What happened to an appointment.
pub(super) fn history(tx: &mut Tx<'_>, id: AppointmentId) -> storage::Result<Vec<Entry>> {
    history_store::list(tx, id, &PageRequest { limit: WHOLE, after: None })
}

/// What the office noted about an appointment.
pub(super) fn notes(tx: &mut Tx<'_>, id: AppointmentId) -> storage::Result<Vec<Note>> {
    notes_store::list(tx, id, &PageRequest { limit: WHOLE, after: None })
}

/// The next appointments from before an instant that still say who they were for, by start and id.
pub(super) fn overdue(
    tx: &mut Tx<'_>,
    due: &Due,
    after: Option<(Timestamp, RecordId)>,
    limit: i64,
) -> storage::Result<Vec<(AppointmentId, Timestamp, String)>> {
    use appointment_applicants as p;
    use appointments as a;
    let mut query = a::table
        .inner_join(p::table.on(p::tenant_id.eq(a::tenant_id).and(p::appointment_id.eq(a::id))))
        .filter(a::tenant_id.eq(Key(tx.tenant())))
        .filter(a::starts_at.lt(At(due.before)))
        .select((a::id, a::starts_at, a::person_key))
        .into_boxed::<MultiBackend>();
    query = match &due.services {
        Services::One(service) => query.filter(a::service_id.eq(Key(*service))),
        Services::AllBut(others) => query.filter(a::service_id.ne_all(others.iter().copied().map(Key))),
    };
    if let Some((at, id)) = after {
        query = query.filter(a::starts_at.ge(At(at))).filter(a::starts_at.gt(At(at)).or(a::id.gt(Key(id))));
    }
    Ok(query.order((a::starts_at, a::id)).limit(limit).load(tx.conn())?)
}

/// Takes out who an appointment is for, by what they are found, and what was noted about them. `false` when nobody was
/// left.
pub(super) fn take_out(tx: &mut Tx<'_>, id: AppointmentId) -> storage::Result<bool> {
    use appointment_applicants as p;
    use appointment_notes as n;
    let (tenant, key) = (Key(tx.tenant()), Key(id));
    let person = p::table.filter(p::tenant_id.eq(tenant)).filter(p::appointment_id.eq(key));
    if diesel::delete(person).execute(tx.conn())? == 0 {
        return Ok(false);
    }
    let notes = n::table.filter(n::tenant_id.eq(tenant)).filter(n::appointment_id.eq(key));
    diesel::delete(notes).execute(tx.conn())?;
    Ok(true)
}

/// Puts a pseudonym that is nobody's in the place of citizens in what happened to an appointment.
pub(super) fn unlink(tx: &mut Tx<'_>, id: AppointmentId, nobody: &str) -> storage::Result<()> {
    use appointment_history as h;
    let mine = h::table.filter(h::tenant_id.eq(Key(tx.tenant()))).filter(h::appointment_id.eq(Key(id)));
    diesel::update(mine.filter(h::actor.like("citizen:%")))
        .set(h::actor.eq(format!("citizen:{nobody}")))
        .execute(tx.conn())?;
    unlink_events(tx, id, nobody)
}
