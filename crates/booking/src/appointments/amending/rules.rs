//! What an amendment makes of an appointment, and at whose hand.

use kernel::Problem;
use platform::problems::FORBIDDEN;

use super::{
    super::model::{Applicant, Appointment},
    model::{ApplicantPatch, AppointmentPatch},
};

/// An appointment and who it is for, as they are to be.
#[derive(Clone, PartialEq, Eq)]
pub struct Amended {
    /// How many come.
    pub persons: i64,
    /// Who comes, and what the office should know.
    pub applicant: Applicant,
}

kernel::redacted_debug!(Amended);

impl Amended {
    /// What a patch makes of them.
    pub fn by(patch: &AppointmentPatch, appointment: &Appointment, applicant: &Applicant) -> Self {
        let trimmed = |text: &String| text.trim().to_owned();
        let ApplicantPatch { given_name, family_name, tax_code, email, phone } =
            patch.applicant.clone().unwrap_or_default();
        let kept = applicant.clone();
        Self {
            persons: patch.persons.unwrap_or(appointment.persons),
            applicant: Applicant {
                given_name: given_name.as_ref().map_or(kept.given_name, trimmed),
                family_name: family_name.as_ref().map_or(kept.family_name, trimmed),
                tax_code: tax_code.unwrap_or(kept.tax_code),
                email: email.unwrap_or(kept.email),
                phone: phone.map_or(kept.phone, |phone| phone.as_ref().map(trimmed)),
                notes: patch.notes.as_ref().map_or(kept.notes, |notes| notes.as_ref().map(trimmed)),
                cancellation_reason: kept.cancellation_reason,
                language: kept.language,
            },
        }
    }

    /// What is different, as pointers into the patch, in the order of the contract.
    pub fn differences(&self, appointment: &Appointment, applicant: &Applicant) -> Vec<&'static str> {
        let (new, old) = (&self.applicant, applicant);
        [
            ("/persons", self.persons != appointment.persons),
            ("/applicant/given_name", new.given_name != old.given_name),
            ("/applicant/family_name", new.family_name != old.family_name),
            ("/applicant/tax_code", new.tax_code != old.tax_code),
            ("/applicant/email", new.email != old.email),
            ("/applicant/phone", new.phone != old.phone),
            ("/notes", new.notes != old.notes),
        ]
        .into_iter()
        .filter_map(|(pointer, differs)| differs.then_some(pointer))
        .collect()
    }
}

/// What the person of an appointment may amend themselves: how they are reached, and what the office should know.
/// Who comes is what was booked; another person books for themselves.
const THEIRS: [&str; 3] = ["/applicant/email", "/applicant/phone", "/notes"];

/// Checks that nothing but what is the person's own to amend is different.
///
/// # Errors
/// `forbidden`, naming each member that is the office's to amend.
pub fn check_theirs(differences: &[&'static str]) -> Result<(), Problem> {
    let others = differences.iter().filter(|pointer| !THEIRS.contains(pointer));
    let problem = others.fold(Problem::new(&FORBIDDEN), |problem, pointer| {
        problem.field(*pointer, "office-only", "only the office amends this")
    });
    if problem.errors.is_empty() { Ok(()) } else { Err(problem.detail("not all of this is for this caller to amend")) }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use kernel::Id;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::{
        super::super::model::{AppointmentState, Channel},
        *,
    };

    fn appointment() -> Appointment {
        Appointment {
            tenant_id: Id::from_uuid(Uuid::nil()),
            id: Id::from_uuid(Uuid::nil()),
            code: "K7M2PQ4X".into(),
            service_id: Id::from_uuid(Uuid::nil()),
            calendar_id: Id::from_uuid(Uuid::nil()),
            office_id: Id::from_uuid(Uuid::nil()),
            starts_at: Timestamp::UNIX_EPOCH,
            ends_at: Timestamp::UNIX_EPOCH,
            persons: 1,
            state: AppointmentState::Confirmed,
            channel: Channel::Citizen,
            person_key: String::new(),
            owner: String::new(),
            manage_token_hash: None,
            cancelled_by: None,
            version: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn applicant() -> Applicant {
        Applicant {
            given_name: "Anna".into(),
            family_name: "Prova".into(),
            tax_code: None,
            email: "anna.prova@example.org".into(),
            phone: Some("+39 050 0000001".into()),
            notes: Some("Prima volta".into()),
            cancellation_reason: None,
            language: None,
        }
    }

    fn differences(patch: Value) -> Vec<&'static str> {
        let patch: AppointmentPatch = serde_json::from_value(patch).unwrap();
        Amended::by(&patch, &appointment(), &applicant()).differences(&appointment(), &applicant())
    }

    #[test]
    fn what_is_not_mentioned_stays_and_what_is_the_same_is_no_difference() {
        let nothing: [&str; 0] = [];
        assert_eq!(differences(json!({})), nothing);
        assert_eq!(differences(json!({ "persons": 1, "applicant": { "given_name": " Anna " } })), nothing);
        assert_eq!(differences(json!({ "applicant": { "tax_code": null } })), nothing);
        assert_eq!(differences(json!({ "applicant": { "phone": null } })), ["/applicant/phone"]);
        assert_eq!(differences(json!({ "notes": null, "persons": 2 })), ["/persons", "/notes"]);
    }

    #[test]
    fn a_person_amends_how_they_are_reached_and_not_who_they_are() {
        let told = |patch: Value| {
            let refused = check_theirs(&differences(patch)).err();
            refused.map(|problem| problem.errors.into_iter().map(|error| error.pointer).collect::<Vec<_>>())
        };
        assert_eq!(told(json!({ "applicant": { "email": "a@example.org", "phone": null }, "notes": "x" })), None);
        let other = json!({ "persons": 2, "applicant": { "family_name": "Altra", "email": "a@example.org" } });
        assert_eq!(told(other), Some(vec!["/persons".to_owned(), "/applicant/family_name".to_owned()]));
    }
}
