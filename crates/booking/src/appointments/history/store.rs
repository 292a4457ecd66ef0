//! Queries over the history of appointments. Entries are added and read, never changed.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::PageRequest;
use platform::access::{Caller, CallerKind, staff};
use storage::{
    MultiBackend, Tx,
    types::{At, Key},
};

use super::{
    super::model::{Appointment, AppointmentId, AppointmentState},
    model::{Entry, StaffNames, staff_of},
};
use crate::{calendars::CalendarId, schema::appointment_history};

/// Adds what has just happened to an appointment.
///
/// # Errors
/// When the database fails.
pub fn record(tx: &mut Tx<'_>, action: &str, before: Option<&Appointment>, after: &Appointment) -> storage::Result<()> {
    use appointment_history as h;
    diesel::insert_into(h::table)
        .values((
            h::tenant_id.eq(Key(tx.tenant())),
            h::appointment_id.eq(Key(after.id)),
            h::version.eq(after.version),
            h::action.eq(action),
            h::state_before.eq(before.map(|before| before.state)),
            h::state_after.eq(after.state),
            h::starts_at.eq(At(after.starts_at)),
            h::calendar_id.eq(Key(after.calendar_id)),
            h::actor.eq(tx.actor().as_str().to_owned()),
            h::occurred_at.eq(At(tx.now())),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// A page of what happened to an appointment, the first thing first; its key is the version.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut Tx<'_>, id: AppointmentId, page: &PageRequest<i64>) -> storage::Result<Vec<Entry>> {
    use appointment_history as h;
    type Row = (i64, String, Option<AppointmentState>, AppointmentState, Timestamp, CalendarId, String, Timestamp);
    let mut query = h::table
        .filter(h::tenant_id.eq(Key(tx.tenant())))
        .filter(h::appointment_id.eq(Key(id)))
        .select((
            h::version,
            h::action,
            h::state_before,
            h::state_after,
            h::starts_at,
            h::calendar_id,
            h::actor,
            h::occurred_at,
        ))
        .into_boxed::<MultiBackend>();
    if let Some(version) = page.after {
        query = query.filter(h::version.gt(version));
    }
    let rows: Vec<Row> = query.order(h::version).limit(page.fetch()).load(tx.conn())?;
    let entry = |(version, action, state_before, state_after, starts_at, calendar_id, actor, occurred_at)| Entry {
        version,
        action,
        state_before,
        state_after,
        starts_at,
        calendar_id,
        actor,
        occurred_at,
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// The names of those of these actors who work for the Comune, for a reader who does too; for others none.
///
/// # Errors
/// When the database fails.
pub fn names_for<'a>(
    tx: &mut Tx<'_>,
    reader: &Caller,
    actors: impl Iterator<Item = &'a str>,
) -> storage::Result<StaffNames> {
    let mut ids: Vec<_> = actors.filter_map(staff_of).collect();
    if ids.is_empty() || !matches!(reader.kind, CallerKind::Staff(_)) {
        return Ok(StaffNames::new());
    }
    ids.sort_unstable();
    ids.dedup();
    staff::names(tx, &ids)
}
