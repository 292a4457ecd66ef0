//! What enrolling and changing staff consist of, for the API and the command line alike.

use kernel::Problem;
use serde_json::{Value, json};
use storage::{DbError, Tx};

use super::{
    model::{NewStaffMember, StaffEntry, StaffId, StaffPatch},
    rules, store,
};
use crate::{
    audit::{self, Change},
    directory::OfficeId,
    http::not_found,
    problems::{ALREADY_ENROLLED, INVALID_BODY},
};

/// Enrols somebody.
///
/// # Errors
/// `invalid-body` for offices that there are not, `already-enrolled`, or when the database fails.
pub fn enrol(tx: &mut Tx<'_>, new: &NewStaffMember) -> storage::Result<StaffEntry> {
    let mut offices = new.office_ids.clone();
    offices.sort_unstable();
    offices.dedup();
    check_offices(tx, &offices)?;
    let made = tx.savepoint(|tx| store::insert(tx, &new.provider, &new.subject, &new.display_name, new.role, &offices));
    let id = match made {
        Err(failure) if failure.is_unique("staff_members", &["tenant_id", "provider", "subject"]) => {
            return Err(Problem::new(&ALREADY_ENROLLED).into());
        }
        outcome => outcome?,
    };
    let entry = store::get(tx, id)?.ok_or_else(lost)?;
    record(tx, "staff-member.enrolled", id, None, &entry)?;
    Ok(entry)
}

/// Changes an entry. `check` is asked about its version first; `by` is who changes it, if somebody of the staff.
///
/// # Errors
/// `not-found`, what `check` and [`rules::changed`] refuse, `invalid-body` for offices that there are not, or when
/// the database fails.
pub fn change(
    tx: &mut Tx<'_>,
    id: StaffId,
    patch: &StaffPatch,
    by: Option<StaffId>,
    check: impl Fn(i64) -> Result<(), Problem>,
) -> storage::Result<StaffEntry> {
    if store::get(tx, id)?.is_none() {
        return Err(not_found().into());
    }
    // Waits for others who change admins, so what is read after it is what holds.
    let admins = store::count_admins(tx)?;
    let before = store::get(tx, id)?.ok_or_else(not_found)?;
    check(before.version)?;
    check_offices(tx, patch.office_ids.as_deref().unwrap_or_default())?;
    let after = rules::changed(&before, patch.clone(), by, admins, tx.now())?;
    store::update(tx, &after)?;
    record(tx, "staff-member.changed", id, Some(&before), &after)?;
    Ok(after)
}

fn check_offices(tx: &mut Tx<'_>, wanted: &[OfficeId]) -> storage::Result<()> {
    let known = store::known_offices(tx, wanted)?;
    match wanted.iter().position(|office| !known.contains(office)) {
        None => Ok(()),
        Some(at) => Err(Problem::new(&INVALID_BODY)
            .field(format!("/office_ids/{at}"), "unknown-reference", "no such office")
            .into()),
    }
}

fn record(
    tx: &mut Tx<'_>,
    action: &str,
    subject: StaffId,
    before: Option<&StaffEntry>,
    after: &StaffEntry,
) -> storage::Result<()> {
    let (before, after) = (before.map(state), state(after));
    let (before, after) = (before.as_ref(), Some(&after));
    audit::record(tx, Change { action, subject_kind: "staff-member", subject, before, after })
}

fn state(entry: &StaffEntry) -> Value {
    json!({
        "provider": entry.provider, "subject": entry.subject, "display_name": entry.display_name, "role": entry.role,
        "office_ids": entry.office_ids, "disabled_at": entry.disabled_at, "version": entry.version,
    })
}

fn lost() -> DbError {
    DbError::Other("an entry was lost on its way".to_owned())
}
