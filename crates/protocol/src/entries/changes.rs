//! The one path by which something is registered, and how it is annulled: each within a transaction.

use jiff::SignedDuration;
use kernel::{Problem, civil};
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
    attached, chain,
    model::{Direction, Entry, EntryId, Registration, Whole},
    rules::{self, Head},
    store::{self, Register},
};
use crate::{
    connections::{self, Identity},
    emergencies::{self, EmergencyRegisterId},
    receipts::{self, Receipt},
    registrations::{self, store::Row},
};

/// What became of a request to register something.
#[derive(Debug, Clone)]
pub struct Requested {
    /// The entry, with its number.
    pub whole: Whole,
    /// How it is handed on; absent in an emergency register.
    pub registration: Option<Row>,
    /// What whoever filed it is given; absent for what goes out or stays.
    pub receipt: Option<Receipt>,
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
    rules::check(&new, civil::date_of(tx.now()))?;
    let connection = connections::store::identity(tx, &place.tenant.slug)?;
    let register = connection.register();
    if new.source_key.is_some() {
        // Of two that come at once, the second looks when the first has ended.
        store::hold(tx, &register)?;
    }
    if let Some(found) = again(tx, &new)? {
        return Ok(found);
    }
    let (whole, receipt) = enter(tx, place, &connection, &register, new, None)?;
    let registration = registrations::changes::begin(tx, &whole.entry, connection.connector)?;
    Ok(Requested { whole, registration: Some(registration), receipt, repeated: false })
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
    rules::check(&new, civil::date_of(tx.now()))?;
    let emergency = emergencies::changes::held_open(tx, emergency)?;
    let connection = connections::store::identity(tx, &place.tenant.slug)?;
    let register = Register { aoo_code: emergency.aoo_code, register_code: emergency.register_code };
    let (whole, receipt) = enter(tx, place, &connection, &register, new, None)?;
    Ok(Requested { whole, registration: None, receipt, repeated: false })
}

/// Gives an entry of an emergency register its number in the ordinary one: both are kept.
///
/// # Errors
/// When the database fails.
pub(crate) fn recover(tx: &mut Tx<'_>, place: Place<'_>, recovered: &Whole) -> storage::Result<()> {
    let connection = connections::store::identity(tx, &place.tenant.slug)?;
    let register = connection.register();
    let Whole { entry, parties } = recovered.clone();
    let is_inbound = entry.direction == Direction::Inbound;
    let new = Registration {
        direction: entry.direction,
        subject: entry.subject,
        classification: entry.classification,
        office_id: entry.office_id,
        channel: entry.channel,
        sender_reference: entry.sender_reference,
        // The ordinary number is of today; it arrived when it got the first one, if not before.
        received_on: entry.received_on.or_else(|| is_inbound.then(|| civil::date_of(entry.registered_at))),
        confidential: entry.confidential,
        parties,
        attach: Vec::new(),
        documents: entry.documents.0,
        source_key: None,
        answering: None,
    };
    let (whole, _) = enter(tx, place, &connection, &register, new, Some(entry.id))?;
    registrations::changes::begin(tx, &whole.entry, connection.connector)?;
    Ok(())
}

fn again(tx: &mut Tx<'_>, new: &Registration) -> storage::Result<Option<Requested>> {
    let Some(source_key) = &new.source_key else { return Ok(None) };
    let Some(entry) = store::of_source(tx, source_key)? else { return Ok(None) };
    let registration = registrations::store::of_entry(tx, entry.id)?;
    let receipt = receipts::store::of_entry(tx, entry.id)?;
    let whole = store::whole(tx, vec![entry])?.pop();
    Ok(whole.map(|whole| Requested { whole, registration, receipt, repeated: true }))
}

fn enter(
    tx: &mut Tx<'_>,
    place: Place<'_>,
    identity: &Identity,
    register: &Register,
    new: Registration,
    recovers_id: Option<EntryId>,
) -> storage::Result<(Whole, Option<Receipt>)> {
    let no_office = || Problem::new(&INVALID_BODY).field("/office_id", "unknown-reference", "no such office");
    let office = directory::office(tx, new.office_id)?.ok_or_else(no_office)?;
    let answering = new.answering.unwrap_or_default();
    let person_key = |code| Pseudonym::of_tax_code(place.secret, place.tenant.tenant_id, code).as_str().to_owned();
    let person_keys: Vec<_> = new.parties.iter().map(|party| party.tax_code.as_ref().map(person_key)).collect();
    let id = tx.new_id();
    let documents = [attached::take(tx, id, &new.attach)?, new.documents].concat();
    let head = store::take(tx, register)?;
    rushed(tx, register, &head);
    let numbered = rules::next(&head, tx.now());
    let entry = Entry {
        id,
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
        documents: Json(documents),
        source_key: new.source_key,
        recovers_id,
        previous_hash: head.last_hash,
        hash: String::new(),
        annulled_at: None,
        annulled_by: None,
        annulment_reason: None,
        annulment_act: None,
        annulment_hash: None,
    };
    let mut whole = Whole { entry, parties: new.parties };
    whole.entry.hash = chain::hash(&whole);
    store::insert(tx, &whole, &person_keys)?;
    store::advance(tx, register, numbered, &whole.entry.hash)?;
    // What gets a second number has its receipt from the first.
    let is_filed = whole.entry.direction == Direction::Inbound && recovers_id.is_none();
    let page = identity.receipt_page.as_deref();
    let receipt = is_filed.then(|| receipts::changes::issue(tx, place, (&whole.entry, office), answering, page));
    let receipt = receipt.transpose()?;
    told(tx, "protocol_entry.created", None, &whole.entry)?;
    Ok((whole, receipt))
}

/// How far the end of a register may lie ahead without anybody being told: a day that was closed, and clocks that
/// differ.
const AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// Tells the log of a register that waits for a time to come: some clock went wrong, and everything is dated by it.
fn rushed(tx: &Tx<'_>, register: &Register, head: &Head) {
    let (now, last) = (tx.now(), head.last_registered_at);
    if last.duration_since(now) > AHEAD {
        let Register { aoo_code, register_code } = register;
        tracing::warn!(aoo_code, register_code, %now, %last, "a register is ahead of this machine's clock");
    }
}

/// Annuls an entry: it stays where it is, marked, with why and by which act (DPR 445/2000, articolo 54). What waits to
/// be handed on is not. `check` is asked about its version.
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
    // A day of the register that is closed takes no annulment any more either: it would be in no daily register.
    let register = Register { aoo_code: before.aoo_code.clone(), register_code: before.register_code.clone() };
    let closed_until = store::hold(tx, &register)?;
    let mut annulled = Entry {
        annulled_at: Some(tx.now().max(closed_until)),
        annulled_by: Some(tx.actor().as_str().to_owned()),
        annulment_reason: Some(reason.to_owned()),
        annulment_act: Some(act.to_owned()),
        ..before.clone()
    };
    annulled.annulment_hash = chain::annulment_hash(&annulled);
    if before.annulled_at.is_some() || !store::annul(tx, &annulled)? {
        return Err(Problem::new(&INVALID_TRANSITION)
            .with("current_state", "annulled")
            .with("allowed", json!([]))
            .into());
    }
    let after = store::get(tx, id)?.ok_or_else(not_found)?;
    told(tx, "protocol_entry.annulled", Some(&before), &after)?;
    registrations::changes::annulled(tx, &after)?;
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
