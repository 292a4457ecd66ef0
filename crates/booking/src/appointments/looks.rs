//! Which appointments tell of special categories of data (GDPR, article 9), so that it is written down who is shown them.
//!
//! Written down is what is read for the Comune: each answer about one such appointment to staff, a system or a device,
//! and each of them in a list that names people. What somebody reads as their own, or by its manage token, is theirs.

use platform::{
    access::{Caller, policy},
    privacy::{RecordKind, access_log::Look},
};
use storage::Tx;

use super::{model::Appointment, store};

impl Appointment {
    /// That somebody is shown it.
    pub(crate) fn look(&self) -> Look {
        Look { kind: RecordKind::Appointment, id: self.id.cast(), person_key: self.person_key.clone() }
    }
}

/// What is to be written down when this caller reads something about one appointment.
///
/// # Errors
/// When the database fails.
pub(crate) fn at(tx: &mut Tx<'_>, caller: &Caller, appointment: &Appointment) -> storage::Result<Vec<Look>> {
    if !policy::reads_for_comune(caller) {
        return Ok(Vec::new());
    }
    let special = store::special(tx, &[appointment.id])?;
    Ok(special.iter().map(Appointment::look).collect())
}
