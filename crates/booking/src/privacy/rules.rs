//! What of an appointment is about whom.

use kernel::civil;
use platform::{
    access::integration::kind_of,
    privacy::{Person, Rectification, people::model::KnownBy},
};
use serde_json::{Map, Value, json};

use crate::appointments::{Appointment, history::model::Entry, model::Applicant, notes::model::Note};

/// How an appointment is somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bond {
    /// It is for them, and they or the office booked it.
    Own,
    /// It is for them, and somebody else who had signed in booked it: how to reach them is that one's.
    BookedByAnother,
    /// They booked it for somebody else, whose name is not theirs to have.
    BookedForAnother,
}

/// How an appointment is the person's with this pseudonym, who is this actor.
pub fn bond(appointment: &Appointment, key: &str, actor: &str) -> Bond {
    if appointment.person_key != key {
        return Bond::BookedForAnother;
    }
    let by_another = appointment.owner.starts_with("citizen:") && appointment.owner != actor;
    if by_another && !appointment.channel.is_on_behalf() { Bond::BookedByAnother } else { Bond::Own }
}

/// Members of an exported person that are of whoever booked.
const OF_WHO_BOOKED: [&str; 4] = ["email", "phone", "notes", "cancellation_reason"];

/// An appointment as it is told to whom it is about. `row` is its line of an export.
pub fn entry(row: Value, bond: Bond, history: &[Entry], notes: &[Note]) -> Map<String, Value> {
    let Value::Object(mut entry) = row else { return Map::new() };
    match bond {
        Bond::Own => {}
        Bond::BookedByAnother => {
            if let Some(Value::Object(applicant)) = entry.get_mut("applicant") {
                applicant.retain(|member, _| !OF_WHO_BOOKED.contains(&member.as_str()));
            }
        }
        Bond::BookedForAnother => drop(entry.remove("applicant")),
    }
    let happened = |entry: &Entry| {
        json!({
            "action": entry.action, "state_before": entry.state_before, "state_after": entry.state_after,
            "starts_at": civil::format_rfc3339(entry.starts_at), "by": kind_of(&entry.actor),
            "occurred_at": civil::format_rfc3339(entry.occurred_at),
        })
    };
    entry.insert("history".to_owned(), history.iter().map(happened).collect());
    if bond != Bond::BookedForAnother {
        let note = |note: &Note| {
            let (by, created_at) = (kind_of(&note.author), civil::format_rfc3339(note.created_at));
            json!({ "body": note.body, "by": by, "created_at": created_at })
        };
        entry.insert("office_notes".to_owned(), notes.iter().map(note).collect());
    }
    entry
}

/// Whether a person is told of a message that went to their pseudonym, by how what it is about is theirs now; nothing
/// where it is another's by now.
pub fn is_told(person: &Person, bond: Option<Bond>) -> bool {
    match bond {
        // Who booked for them is the one to see it, until the office knows that it is really them.
        Some(Bond::BookedByAnother) => !person.asks_themselves,
        Some(Bond::Own | Bond::BookedForAnother) => true,
        // Several people may share a mailbox: what is about an appointment of another name was not written to them.
        None => matches!(person.known_by, KnownBy::TaxCode(_)) && !person.asks_themselves,
    }
}

/// A message as it is told to whom it was written. An e-mail about what another booked went to that one's mailbox.
pub fn message(mut entry: Map<String, Value>, bond: Option<Bond>) -> Map<String, Value> {
    let by_mail = entry.get("channel").is_some_and(|channel| channel == "email");
    if bond == Some(Bond::BookedByAnother)
        && by_mail
        && let Some(Value::Object(content)) = entry.get_mut("content")
    {
        content.remove("recipient");
    }
    entry
}

/// Who comes, put right.
pub fn rectified(before: &Applicant, correct: &Rectification, bond: Bond) -> Applicant {
    let mut after = before.clone();
    let Rectification { given_name, family_name, email, phone } = correct.clone();
    if let Some(name) = given_name {
        after.given_name = name;
    }
    if let Some(name) = family_name {
        after.family_name = name;
    }
    if bond == Bond::BookedByAnother {
        return after;
    }
    if let Some(email) = email {
        after.email = email;
    }
    if phone.is_some() {
        after.phone = phone;
    }
    after
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use kernel::Id;
    use uuid::Uuid;

    use super::*;
    use crate::appointments::{AppointmentState, Channel};

    fn appointment(channel: Channel, person_key: &str, owner: &str) -> Appointment {
        Appointment {
            tenant_id: Id::from_uuid(Uuid::nil()),
            id: Id::from_uuid(Uuid::nil()),
            code: String::new(),
            service_id: Id::from_uuid(Uuid::nil()),
            calendar_id: Id::from_uuid(Uuid::nil()),
            office_id: Id::from_uuid(Uuid::nil()),
            starts_at: Timestamp::UNIX_EPOCH,
            ends_at: Timestamp::UNIX_EPOCH,
            persons: 1,
            state: AppointmentState::Confirmed,
            channel,
            person_key: person_key.to_owned(),
            owner: owner.to_owned(),
            manage_token_hash: None,
            cancelled_by: None,
            version: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn an_appointment_is_whose_it_is_for() {
        for (channel, key, owner, expected) in [
            (Channel::Citizen, "a", "citizen:a", Bond::Own),
            (Channel::Counter, "a", "citizen:a", Bond::Own),
            (Channel::Anonymous, "a", "anonymous", Bond::Own),
            (Channel::Citizen, "a", "citizen:b", Bond::BookedByAnother),
            (Channel::Citizen, "b", "citizen:a", Bond::BookedForAnother),
        ] {
            assert_eq!(
                bond(&appointment(channel, key, owner), "a", "citizen:a"),
                expected,
                "{channel:?} {key} {owner}"
            );
        }
    }

    #[test]
    fn a_message_is_told_to_whom_it_was_written() {
        let tax_code = kernel::TaxCode::parse("RSSMRA85T10A562S").unwrap();
        let named = KnownBy::Contact { given_name: "Ugo".to_owned(), family_name: "Prova".to_owned() };
        let person = |known_by: KnownBy, asks_themselves| Person { key: "a".to_owned(), known_by, asks_themselves };
        for (known_by, asks_themselves, bond, told) in [
            (KnownBy::TaxCode(tax_code.clone()), true, Some(Bond::Own), true),
            (KnownBy::TaxCode(tax_code.clone()), true, Some(Bond::BookedByAnother), false),
            (KnownBy::TaxCode(tax_code.clone()), false, Some(Bond::BookedByAnother), true),
            (KnownBy::TaxCode(tax_code.clone()), false, None, true),
            (KnownBy::TaxCode(tax_code), true, None, false),
            (named.clone(), false, Some(Bond::Own), true),
            (named, false, None, false),
        ] {
            assert_eq!(is_told(&person(known_by, asks_themselves), bond), told, "{asks_themselves} {bond:?}");
        }
        let sent = |channel: &str| {
            let message = json!({ "channel": channel, "content": { "recipient": "r", "subject": "s", "body": "b" } });
            let Value::Object(message) = message else { unreachable!() };
            message
        };
        let recipient = |channel, bond| message(sent(channel), Some(bond))["content"].get("recipient").cloned();
        assert_eq!(recipient("email", Bond::Own), Some(json!("r")));
        assert_eq!(recipient("email", Bond::BookedByAnother), None);
        assert_eq!(recipient("app_io", Bond::BookedByAnother), Some(json!("r")));
    }

    #[test]
    fn nobody_is_told_of_another() {
        let row = || json!({ "code": "K7M2-PQ4X", "applicant": { "given_name": "Anna", "email": "a@example.org", "notes": "x" } });
        let told = |bond| entry(row(), bond, &[], &[]);
        assert_eq!(told(Bond::Own)["applicant"]["email"], "a@example.org");
        assert_eq!(told(Bond::BookedByAnother)["applicant"], json!({ "given_name": "Anna" }));
        assert!(!told(Bond::BookedForAnother).contains_key("applicant"));
        assert!(!told(Bond::BookedForAnother).contains_key("office_notes"));
    }
}
