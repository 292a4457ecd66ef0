//! What becomes of the staff.

use jiff::Timestamp;
use kernel::Problem;

use super::model::{StaffEntry, StaffId, StaffPatch, StaffRole, StaffState};
use crate::problems::{FORBIDDEN, LAST_ADMIN};

/// The entry that a change makes of this one. `by` is who changes it, when it is somebody of the staff; `admins` is
/// how many admins can sign in before the change.
///
/// # Errors
/// `forbidden` when somebody would shut themselves out; `last-admin` when nobody would be left to administer.
pub fn changed(
    entry: &StaffEntry,
    patch: StaffPatch,
    by: Option<StaffId>,
    admins: i64,
    now: Timestamp,
) -> Result<StaffEntry, Problem> {
    let mut after = entry.clone();
    if let Some(name) = patch.display_name {
        after.display_name = name;
    }
    if let Some(role) = patch.role {
        after.role = role;
    }
    if let Some(mut offices) = patch.office_ids {
        offices.sort_unstable();
        offices.dedup();
        after.office_ids = offices;
    }
    match (patch.state, after.state()) {
        (Some(StaffState::Disabled), StaffState::Active) => after.disabled_at = Some(now),
        (Some(StaffState::Active), StaffState::Disabled) => after.disabled_at = None,
        _ => {}
    }
    if by == Some(entry.id) && after.state() == StaffState::Disabled {
        return Err(Problem::new(&FORBIDDEN).detail("nobody disables themselves: another admin does"));
    }
    if is_admin(entry) && !is_admin(&after) && admins <= 1 {
        return Err(Problem::new(&LAST_ADMIN));
    }
    after.version = entry.version.saturating_add(1);
    Ok(after)
}

fn is_admin(entry: &StaffEntry) -> bool {
    entry.role == StaffRole::Admin && entry.state() == StaffState::Active
}

#[cfg(test)]
mod tests {
    use kernel::Id;
    use uuid::Uuid;

    use super::*;

    fn entry(role: StaffRole) -> StaffEntry {
        StaffEntry {
            id: Id::from_uuid(Uuid::from_u128(1)),
            provider: "staff".to_owned(),
            subject: "x".to_owned(),
            display_name: "X".to_owned(),
            role,
            office_ids: Vec::new(),
            disabled_at: None,
            created_at: Timestamp::UNIX_EPOCH,
            version: 3,
        }
    }

    fn refusal(role: StaffRole, patch: StaffPatch, by: Option<u128>, admins: i64) -> Option<&'static str> {
        let by = by.map(|n| Id::from_uuid(Uuid::from_u128(n)));
        changed(&entry(role), patch, by, admins, Timestamp::UNIX_EPOCH).err().map(|problem| problem.kind.slug)
    }

    #[test]
    fn somebody_is_left_to_administer() {
        let demoted = || StaffPatch { role: Some(StaffRole::Manager), ..StaffPatch::default() };
        let disabled = || StaffPatch { state: Some(StaffState::Disabled), ..StaffPatch::default() };
        assert_eq!(refusal(StaffRole::Admin, demoted(), Some(2), 1), Some("last-admin"));
        assert_eq!(refusal(StaffRole::Admin, disabled(), None, 1), Some("last-admin"));
        assert_eq!(refusal(StaffRole::Admin, demoted(), Some(1), 2), None);
        assert_eq!(refusal(StaffRole::Admin, disabled(), Some(1), 2), Some("forbidden"));
        assert_eq!(refusal(StaffRole::Operator, disabled(), Some(2), 1), None);
        let renamed = StaffPatch { display_name: Some("Y".to_owned()), ..StaffPatch::default() };
        assert_eq!(refusal(StaffRole::Admin, renamed, Some(1), 1), None);
    }

    #[test]
    fn a_change_counts_and_offices_stand_once() {
        let office = |n| Id::from_uuid(Uuid::from_u128(n));
        let patch = StaffPatch { office_ids: Some(vec![office(2), office(1), office(2)]), ..StaffPatch::default() };
        let after = changed(&entry(StaffRole::Operator), patch, None, 1, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((after.version, after.office_ids), (4, vec![office(1), office(2)]));
    }
}
