//! Which number comes next, and what may be registered.

use std::borrow::Cow;

use jiff::{Timestamp, civil::Date};
use kernel::{Problem, civil};
use platform::{problems::INVALID_BODY, settings::rules::one_line};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use validator::ValidationError;

use super::model::{Direction, Entry, Party, PartyKind, PartyRole, Registration};
use crate::receipts;

/// Where a register stands; the sequence is that of the entry which is about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The year of the last number.
    pub year: i64,
    /// The last number.
    pub last_number: i64,
    /// The place in the chain of the entry to come.
    pub seq: i64,
    /// The hash of the last entry; empty where there is none.
    pub last_hash: String,
    /// Nothing is registered before this instant.
    pub last_registered_at: Timestamp,
}

/// The place of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// The year, in Italy.
    pub year: i64,
    /// The number.
    pub number: i64,
    /// When.
    pub registered_at: Timestamp,
}

/// The place of the next entry. Numbers go up by one and begin anew with each year of Italy (DPR 445/2000,
/// articolo 57); the time never goes back, whatever clocks and waiting transactions do.
pub fn next(head: &Head, now: Timestamp) -> Numbered {
    let registered_at = now.max(head.last_registered_at);
    let year = i64::from(civil::date_of(registered_at).year());
    let number = if year == head.year { head.last_number.saturating_add(1) } else { 1 };
    Numbered { year, number, registered_at }
}

/// Number and year as people write them: at least seven digits.
pub fn display(number: i64, year: i64) -> String {
    format!("{number:07}/{year}")
}

/// The line that marks a registered document (DPR 445/2000, articolo 55): administration, area, register, number and
/// date.
pub fn mark(entry: &Entry) -> String {
    let Entry { ipa_code, aoo_code, register_code, number, registered_at, .. } = entry;
    let date = civil::date_of(*registered_at).strftime("%d/%m/%Y");
    format!("{ipa_code} - {aoo_code} - {register_code} - {number:07} - {date}")
}

/// A subject as it is searched: lower case, without accents, words apart by one space.
pub fn folded(text: &str) -> String {
    let plain: String = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The most files of an entry.
const MOST_FILES: usize = 50;

/// Whether something can be registered: whoever sent what came in is named, and whom what goes out is for (DPR
/// 445/2000, articolo 53, comma 1), nothing came in tomorrow, and no answer was due yesterday.
///
/// # Errors
/// `invalid-body`, naming the field.
pub fn check(new: &Registration, today: Date) -> Result<(), Problem> {
    let has = |role| new.parties.iter().any(|party| party.role == role);
    let needed = match new.direction {
        Direction::Inbound if !has(PartyRole::Sender) => Some("who sent it"),
        Direction::Outbound if !has(PartyRole::Recipient) => Some("whom it is for"),
        Direction::Inbound | Direction::Outbound | Direction::Internal => None,
    };
    if let Some(who) = needed {
        return Err(Problem::new(&INVALID_BODY).field("/parties", "incomplete", who));
    }
    match new.attach.len().saturating_add(new.documents.len()) {
        0 => return Err(Problem::new(&INVALID_BODY).field("/documents", "incomplete", "at least one file")),
        1..=MOST_FILES => {}
        _ => return Err(Problem::new(&INVALID_BODY).field("/documents", "too-many", "50 files at most")),
    }
    if let Some(answering) = &new.answering {
        receipts::rules::check(answering, new.direction, today)?;
    }
    if new.received_on.is_some_and(|day| day > today) {
        return Err(Problem::new(&INVALID_BODY).field("/received_on", "in-the-future", "no later than today"));
    }
    for (at, party) in new.parties.iter().enumerate() {
        check_party(party).map_err(|(name, words)| {
            Problem::new(&INVALID_BODY).field(format!("/parties/{at}/{name}"), "not-for-this-kind", words)
        })?;
    }
    Ok(())
}

fn check_party(party: &Party) -> Result<(), (&'static str, &'static str)> {
    let missing = "needed for this kind of party";
    let stray = "not for this kind of party";
    let is_person = party.kind == PartyKind::Person;
    for (name, there, wanted) in [
        ("given_name", party.given_name.is_some(), is_person),
        ("family_name", party.family_name.is_some(), is_person),
        ("denomination", party.denomination.is_some(), !is_person),
    ] {
        if there != wanted {
            return Err((name, if wanted { missing } else { stray }));
        }
    }
    if party.kind == PartyKind::Administration && party.ipa_code.is_none() {
        return Err(("ipa_code", missing));
    }
    for (name, there, allowed) in [
        ("tax_code", party.tax_code.is_some(), is_person),
        ("vat_number", party.vat_number.is_some(), !is_person),
        ("ipa_code", party.ipa_code.is_some(), party.kind == PartyKind::Administration),
    ] {
        if there && !allowed {
            return Err((name, stray));
        }
    }
    Ok(())
}

/// What a party is called.
pub fn called(party: &Party) -> Cow<'_, str> {
    match (&party.denomination, &party.family_name, &party.given_name) {
        (Some(denomination), ..) => denomination.into(),
        (None, Some(family), Some(given)) => format!("{family} {given}").into(),
        (None, family, given) => family.as_deref().or(given.as_deref()).unwrap_or_default().into(),
    }
}

fn refused(code: &'static str, words: &'static str) -> ValidationError {
    ValidationError::new(code).with_message(words.into())
}

/// Eleven digits.
///
/// # Errors
/// For anything else.
pub fn vat_number(text: &str) -> Result<(), ValidationError> {
    let fits = text.len() == 11 && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then_some(()).ok_or_else(|| refused("digits", "eleven digits"))
}

/// A code as AgID's schema has those of areas and registers: 1 to 16 letters, digits, `_`, `.` and `-`.
///
/// # Errors
/// For anything else.
pub fn code(text: &str) -> Result<(), ValidationError> {
    let fits = (1..=16).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    fits.then_some(()).ok_or_else(|| refused("code", "1 to 16 letters, digits, _, . and -"))
}

/// The name of a file, and no path.
///
/// # Errors
/// For anything else.
pub fn file_name(text: &str) -> Result<(), ValidationError> {
    one_line(text)?;
    let path = text.contains(['/', '\\']);
    (!path).then_some(()).ok_or_else(|| refused("file-name", "a name without a path"))
}

/// A media type without parameters, in lower case.
///
/// # Errors
/// For anything else.
pub fn media_type(text: &str) -> Result<(), ValidationError> {
    let token = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        part.bytes().next().is_some_and(plain)
            && part.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'+' | b'-'))
    };
    let fits = text.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
    fits.then_some(()).ok_or_else(|| refused("media-type", "a media type such as application/pdf"))
}

/// SHA-256 in lower-case hexadecimal.
///
/// # Errors
/// For anything else.
pub fn sha256(text: &str) -> Result<(), ValidationError> {
    let fits = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    fits.then_some(()).ok_or_else(|| refused("sha256", "64 hexadecimal digits in lower case"))
}

/// A day from 1900 to 2200.
///
/// # Errors
/// For any other.
pub fn sane(date: &Date) -> Result<(), ValidationError> {
    (1900..=2200).contains(&date.year()).then_some(()).ok_or_else(|| refused("range", "a date from 1900 to 2200"))
}

#[cfg(test)]
mod tests {
    use kernel::Id;
    use uuid::Uuid;

    use super::*;
    use crate::entries::EntryChannel;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn head(year: i64, last_number: i64, last: &str) -> Head {
        Head { year, last_number, seq: 9, last_hash: String::new(), last_registered_at: at(last) }
    }

    #[test]
    fn numbers_go_up_and_begin_anew_with_the_year_of_italy() {
        for (head, now, year, number, when) in [
            (head(0, 0, "2026-11-23T09:00:00Z"), "2026-11-23T09:00:00Z", 2026, 1, "2026-11-23T09:00:00Z"),
            (head(2026, 41, "2026-11-23T09:00:00Z"), "2026-11-23T09:00:01Z", 2026, 42, "2026-11-23T09:00:01Z"),
            // A clock that went back, or a transaction that waited.
            (head(2026, 41, "2026-11-23T09:00:00Z"), "2026-11-23T08:00:00Z", 2026, 42, "2026-11-23T09:00:00Z"),
            // An hour before the year ends in UTC it has begun in Italy.
            (head(2026, 41, "2026-12-31T22:00:00Z"), "2026-12-31T23:00:00Z", 2027, 1, "2026-12-31T23:00:00Z"),
            (head(2026, 41, "2026-12-31T22:00:00Z"), "2026-12-31T22:59:59Z", 2026, 42, "2026-12-31T22:59:59Z"),
            // Late for the old year, whose last day is closed.
            (head(2026, 41, "2026-12-31T23:00:00Z"), "2026-12-31T22:59:59Z", 2027, 1, "2026-12-31T23:00:00Z"),
            (
                head(2026, 9_999_999, "2026-11-23T09:00:00Z"),
                "2026-11-23T09:00:00Z",
                2026,
                10_000_000,
                "2026-11-23T09:00:00Z",
            ),
        ] {
            assert_eq!(next(&head, at(now)), Numbered { year, number, registered_at: at(when) }, "{head:?} {now}");
        }
    }

    #[test]
    fn numbers_have_seven_digits_and_grow() {
        assert_eq!(display(42, 2026), "0000042/2026");
        assert_eq!(display(12_345_678, 2026), "12345678/2026");
    }

    #[test]
    fn subjects_are_found_without_accents_and_signs() {
        assert_eq!(folded("Attività  edilizia: l'Opera"), "attivita edilizia l opera");
    }

    fn party(role: PartyRole, kind: PartyKind) -> Party {
        let is_person = kind == PartyKind::Person;
        Party {
            role,
            kind,
            given_name: is_person.then(|| "Anna".to_owned()),
            family_name: is_person.then(|| "Prova".to_owned()),
            denomination: (!is_person).then(|| "Prova srl".to_owned()),
            tax_code: None,
            vat_number: None,
            ipa_code: (kind == PartyKind::Administration).then(|| "c_x000".to_owned()),
            email: None,
        }
    }

    fn new(direction: Direction, parties: Vec<Party>) -> Registration {
        Registration {
            direction,
            subject: "Prova".to_owned(),
            classification: None,
            office_id: Id::from_uuid(Uuid::nil()),
            channel: EntryChannel::Online,
            sender_reference: None,
            received_on: None,
            confidential: false,
            parties,
            attach: vec![Id::from_uuid(Uuid::nil())],
            documents: Vec::new(),
            source_key: None,
            answering: None,
        }
    }

    const TODAY: Date = jiff::civil::date(2026, 11, 29);

    fn wanted(direction: Direction, parties: Vec<Party>) -> Result<(), Option<String>> {
        refused_at(&new(direction, parties))
    }

    fn refused_at(new: &Registration) -> Result<(), Option<String>> {
        check(new, TODAY).map_err(|problem| problem.errors.first().map(|error| error.pointer.clone()))
    }

    #[test]
    fn who_sent_it_and_whom_it_is_for_is_named() {
        let (sender, recipient) = (PartyRole::Sender, PartyRole::Recipient);
        let missing = Err(Some("/parties".to_owned()));
        assert_eq!(wanted(Direction::Inbound, vec![]), missing);
        assert_eq!(wanted(Direction::Inbound, vec![party(recipient, PartyKind::Person)]), missing);
        assert_eq!(wanted(Direction::Outbound, vec![party(sender, PartyKind::Person)]), missing);
        assert_eq!(wanted(Direction::Internal, vec![]), Ok(()));
        for kind in [PartyKind::Person, PartyKind::Organisation, PartyKind::Administration] {
            assert_eq!(wanted(Direction::Inbound, vec![party(sender, kind)]), Ok(()));
            let stranger = Party { ipa_code: None, denomination: None, ..party(sender, kind) };
            assert_eq!(wanted(Direction::Inbound, vec![stranger]).is_ok(), kind == PartyKind::Person);
        }
        let coded = Party { vat_number: Some("01234567890".to_owned()), ..party(sender, PartyKind::Person) };
        assert_eq!(wanted(Direction::Inbound, vec![coded]), Err(Some("/parties/0/vat_number".to_owned())));
    }

    #[test]
    fn nothing_arrives_tomorrow() {
        let arrived = |day| {
            let sender = party(PartyRole::Sender, PartyKind::Person);
            refused_at(&Registration { received_on: Some(day), ..new(Direction::Inbound, vec![sender]) })
        };
        assert_eq!(arrived(TODAY), Ok(()));
        assert_eq!(arrived(TODAY.tomorrow().unwrap()), Err(Some("/received_on".to_owned())));
    }

    #[test]
    fn words_have_their_form() {
        for (good, bad) in
            [("application/pdf", "Application/PDF"), ("image/svg+xml", "pdf"), ("a/b", "a/"), ("a/b", "a/b/c")]
        {
            assert!(media_type(good).is_ok() && media_type(bad).is_err(), "{good} {bad}");
        }
        assert!(code("A1B2C3D").is_ok() && code("").is_err() && code("a b").is_err() && code(&"a".repeat(17)).is_err());
        assert!(file_name("a.pdf").is_ok() && file_name("../a.pdf").is_err() && file_name(" a").is_err());
        assert!(sha256(&"0f".repeat(32)).is_ok() && sha256(&"0F".repeat(32)).is_err());
    }
}
