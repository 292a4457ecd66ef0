//! What laying and lifting a legal hold consist of.

use kernel::Problem;
use serde_json::json;
use storage::Tx;

use super::{
    model::{LegalHold, LegalHoldId, NewLegalHold},
    store,
};
use crate::{
    changes::{Done, tell},
    http::not_found,
    privacy::{Holdings, Person, Place},
    problems::INVALID_BODY,
};

/// Lays a hold on a person or on a record.
///
/// # Errors
/// `invalid-body` when it names both or neither, or a record that there is not; or when the database fails.
pub fn lay(tx: &mut Tx<'_>, holdings: &Holdings, place: Place<'_>, new: &NewLegalHold) -> storage::Result<LegalHold> {
    let refuse = |pointer: &'static str, code: &'static str, words: &'static str| {
        Problem::new(&INVALID_BODY).field(pointer, code, words)
    };
    let (person_key, record) = match (&new.tax_code, new.record_kind, new.record_id) {
        (Some(tax_code), None, None) => (Some(Person::of_tax_code(place, tax_code).key), None),
        (None, Some(kind), Some(id)) => (None, Some((kind, id))),
        _ => return Err(refuse("", "one-of", "either tax_code, or record_kind and record_id").into()),
    };
    if let Some((kind, id)) = record {
        let known = match holdings.of(kind) {
            Some(holding) => holding.has_record(tx, kind, id)?,
            None => false,
        };
        if !known {
            return Err(refuse("/record_id", "unknown-reference", "no such record").into());
        }
    }
    let hold = LegalHold {
        id: tx.new_id(),
        person_key,
        record_kind: record.map(|(kind, _)| kind),
        record_id: record.map(|(_, id)| id),
        reason: new.reason.clone(),
        created_by: tx.actor().as_str().to_owned(),
        created_at: tx.now(),
    };
    store::insert(tx, &hold)?;
    tell_of(tx, "legal_hold.laid", &hold, true)?;
    Ok(hold)
}

/// Lifts a hold: the rules apply again.
///
/// # Errors
/// `not-found`, or when the database fails.
pub fn lift(tx: &mut Tx<'_>, id: LegalHoldId) -> storage::Result<()> {
    let hold = store::get(tx, id)?.ok_or_else(not_found)?;
    if !store::delete(tx, id)? {
        return Err(not_found().into());
    }
    tell_of(tx, "legal_hold.lifted", &hold, false)
}

/// That something is kept is no secret; about whom, and why, is.
fn tell_of(tx: &mut Tx<'_>, action: &str, hold: &LegalHold, laid: bool) -> storage::Result<()> {
    let state = json!({ "id": hold.id, "record_kind": hold.record_kind, "record_id": hold.record_id });
    let (before, after) = if laid { (None, Some(state)) } else { (Some(state), None) };
    let version = if laid { 1 } else { 2 };
    tell(tx, Done { action, kind: "legal_hold", subject: hold.id, version, before, after })
}
