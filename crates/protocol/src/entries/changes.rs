//! The one path by which something is registered, and how it is annulled: each within a transaction.

use kernel::Problem;
use platform::{
    access::Pseudonym,
    changes::{Done, tell},
    directory::store as directory,
    http::not_found,
    privacy::Place,
    problems::{INVALID_BODY, INVALID_TRANSITION},
};
use serde_json::{Value, json};
use storage::{Json, Tx};

use super::{
    chain,
    model::{Entry, EntryId, Registration, Whole},
    rules,
    store::{self, Register},
};
use crate::{
    connections::{self, Identity},
    emergencies::{self, EmergencyRegisterId},
    registrations::{self, store::Row},
};

/// What became of a request to register something.
#[derive(Debug, Clone)]
pub struct Requested {
    /// The entry, with its number.
    pub whole: Whole,
    /// How it is handed on; absent in an emergency register.
    pub registration: Option<Row>,
    /// Whether there was one already.
    pub repeated: bool,
}

/// Registers something: the entry has its number at once, and where the Comune has a protocol system of its own, it
/// waits to be handed on to it. Call it late in a transaction: from here on whoever else registers waits. What has a
/// `source_key` is registered once.
///
/// # Errors
/// `invalid-body` where the law asks for more, or when the database fails.
pub fn request(tx: &mut Tx<'_>, place: Place<'_>, new: Registration) -> storage::Result<Requested> {
    rules::check(&new)?;
    let connection = connections::store::identity(tx, &place.tenant.slug)?;
    let register = connection.register();
    if new.source_key.is_some() {
        // Of two that come at once, the second looks when the first has ended.
        store::hold(tx, &register)?;
    }
    if let Some(found) = again(tx, &new)? {
        return Ok(found);
    }
    let whole = enter(tx, place, &connection, &register, new, None)?;
    let registration = registrations::changes::begin(tx, &whole.entry, connection.connector)?;
    Ok(Requested { whole, registration: Some(registration), repeated: false })
}

/// Registers something in an emergency register, which numbers by itself (DPR 445/2000, articolo 63).
///
/// # Errors
/// `invalid-body` where there is no such register, `emergency-register-closed`, or when the database fails.
pub fn request_in_emergency(
    tx: &mut Tx<'_>,
    place: Place<'_>,
    emergency: EmergencyRegisterId,
    new: Registration,
) -> storage::Result<Requested> {
    rules::check(&new)?;
    let emergency = emergencies::changes::held_open(tx, emergency)?;
    let connection = connections::store::identity(tx, &place.tenant.slug)?;
    let register = Register { aoo_code: emergency.aoo_code, register_code: emergency.register_code };
    let whole = enter(tx, place, &connection, &register, new, None)?;
    Ok(Requested { whole, registration: None, repeated: false })
}

/// Gives an entry of an emergency register its number in the ordinary one: both are kept.
///
/// # Errors
/// When the database fails.
pub(crate) fn recover(tx: &mut Tx<'_>, place: Place<'_>, recovered: &Whole) -> storage::Result<()> {
    let connection = connections::store::identity(tx, &place.tenant.slug)?;
    let register = connection.register();
    let Whole { entry, parties } = recovered.clone();
    let new = Registration {
        direction: entry.direction,
        subject: entry.subject,
        classification: entry.classification,
        office_id: entry.office_id,
        channel: entry.channel,
        sender_reference: entry.sender_reference,
        received_on: entry.received_on,
        confidential: entry.confidential,
        parties,
        documents: entry.documents.0,
        source_key: None,
    };
    let whole = enter(tx, place, &connection, &register, new, Some(entry.id))?;
    registrations::changes::begin(tx, &whole.entry, connection.connector)?;
    Ok(())
}

fn again(tx: &mut Tx<'_>, new: &Registration) -> storage::Result<Option<Requested>> {
    let Some(source_key) = &new.source_key else { return Ok(None) };
    let Some(entry) = store::of_source(tx, source_key)? else { return Ok(None) };
    let registration = registrations::store::of_entry(tx, entry.id)?;
    let whole = store::whole(tx, vec![entry])?.pop();
    Ok(whole.map(|whole| Requested { whole, registration, repeated: true }))
}

fn enter(
    tx: &mut Tx<'_>,
    place: Place<'_>,
    identity: &Identity,
    register: &Register,
    new: Registration,
    recovers_id: Option<EntryId>,
) -> storage::Result<Whole> {
    if directory::office(tx, new.office_id)?.is_none() {
        return Err(Problem::new(&INVALID_BODY).field("/office_id", "unknown-reference", "no such office").into());
    }
    let person_key = |code| Pseudonym::of_tax_code(place.secret, place.tenant.tenant_id, code).as_str().to_owned();
    let person_keys: Vec<_> = new.parties.iter().map(|party| party.tax_code.as_ref().map(person_key)).collect();
    let head = store::take(tx, register)?;
    let numbered = rules::next(&head, tx.now());
    let entry = Entry {
        id: tx.new_id(),
        ipa_code: identity.ipa_code.clone(),
        aoo_code: register.aoo_code.clone(),
        register_code: register.register_code.clone(),
        year: numbered.year,
        number: numbered.number,
        seq: head.seq,
        registered_at: numbered.registered_at,
        registered_by: tx.actor().as_str().to_owned(),
        direction: new.direction,
        subject: new.subject,
        classification: new.classification,
        office_id: new.office_id,
        channel: new.channel,
        sender_reference: new.sender_reference,
        received_on: new.received_on,
        confidential: new.confidential,
        documents: Json(new.documents),
        source_key: new.source_key,
        recovers_id,
        previous_hash: head.last_hash,
        hash: String::new(),
        annulled_at: None,
        annulled_by: None,
        annulment_reason: None,
        annulment_act: None,
    };
    let mut whole = Whole { entry, parties: new.parties };
    whole.entry.hash = chain::hash(&whole);
    store::insert(tx, &whole, &person_keys)?;
    store::advance(tx, register, numbered, &whole.entry.hash)?;
    told(tx, "protocol_entry.created", None, &whole.entry)?;
    Ok(whole)
}

/// Annuls an entry: it stays where it is, marked, with why and by which act (DPR 445/2000, articolo 54). `check` is
/// asked about its version.
///
/// # Errors
/// `not-found`, what `check` refuses, `invalid-transition` for one that was annulled, or when the database fails.
pub fn annul(
    tx: &mut Tx<'_>,
    id: EntryId,
    (reason, act): (&str, &str),
    check: impl Fn(&Entry) -> Result<(), Problem>,
) -> storage::Result<Entry> {
    let before = store::get(tx, id)?.ok_or_else(not_found)?;
    check(&before)?;
    if before.annulled_at.is_some() || !store::annul(tx, id, reason, act)? {
        return Err(Problem::new(&INVALID_TRANSITION)
            .with("current_state", "annulled")
            .with("allowed", json!([]))
            .into());
    }
    let after = store::get(tx, id)?.ok_or_else(not_found)?;
    told(tx, "protocol_entry.annulled", Some(&before), &after)?;
    Ok(after)
}

fn told(tx: &mut Tx<'_>, action: &str, before: Option<&Entry>, after: &Entry) -> storage::Result<()> {
    let (subject, version) = (after.id, after.version());
    let (before, after) = (before.map(state), Some(state(after)));
    tell(tx, Done { action, kind: "protocol_entry", subject, version, before, after })
}

/// Neither subject nor parties: they may name people.
fn state(entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "office_id": entry.office_id,
        "aoo_code": entry.aoo_code,
        "register_code": entry.register_code,
        "year": entry.year,
        "number": entry.number,
        "direction": entry.direction,
        "hash": entry.hash,
        "recovers_entry_id": entry.recovers_id,
        "annulled": entry.annulled_at.is_some(),
    })
}
