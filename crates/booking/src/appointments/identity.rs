//! What putting right and taking out who an appointment is for consist of.

use platform::privacy::Place;
use storage::Tx;

use super::{
    amending::rules::Amended,
    changes,
    model::{Applicant, Appointment},
    rules, store,
};

/// Puts right who an appointment is for, whatever its state. `false` when it was right already.
///
/// # Errors
/// When the database fails.
pub(crate) fn rectify(
    tx: &mut Tx<'_>,
    place: Place<'_>,
    appointment: &Appointment,
    (before, applicant): (&Applicant, Applicant),
) -> storage::Result<bool> {
    let wanted = Amended { persons: appointment.persons, applicant };
    let differences = wanted.differences(appointment, before);
    if differences.is_empty() {
        return Ok(false);
    }
    let mut rectified = appointment.clone();
    // Whoever is known by their e-mail address alone is known by the right one from now on.
    if wanted.applicant.email != before.email {
        let person = changes::person_at(place, appointment.channel, &wanted.applicant);
        person.as_str().clone_into(&mut rectified.person_key);
        if appointment.channel.is_on_behalf() {
            person.actor().as_str().clone_into(&mut rectified.owner);
        }
    }
    store::save_applicant(tx, appointment.id, &wanted.applicant)?;
    let people = (rectified, &wanted.applicant);
    changes::save_amended(tx, changes::RECTIFIED, (appointment, before), people, &differences)?;
    Ok(true)
}

/// Takes out who an appointment was for. What is counted of it stays: where, when, what for, how it ended, and which
/// kind of caller called it off.
///
/// # Errors
/// When the database fails.
pub(crate) fn anonymise(tx: &mut Tx<'_>, appointment: &Appointment) -> storage::Result<()> {
    // Drawn, so that it is nobody's, and another one for each.
    let nobody = hex::encode(rand::random::<[u8; 20]>());
    let cancelled_by = appointment.cancelled_by.as_deref().map(|by| rules::without_person(by, &nobody));
    let anonymous = Appointment {
        owner: rules::without_person(&appointment.owner, &nobody),
        person_key: nobody,
        manage_token_hash: None,
        cancelled_by,
        ..appointment.clone()
    };
    changes::save(tx, appointment, anonymous, "appointment.anonymised").map(drop)
}
