//! What begins, ends and mends a registration: each within a transaction.

use kernel::{Id, Problem};
use platform::{
    audit::{self, Change},
    changes::{Done, tell},
    http::not_found,
};
use serde_json::{Value, json};
use storage::Tx;

use super::{
    model::{RegistrationId, RegistrationState},
    rules::{self, Settled},
    store::{self, Row},
};
use crate::{
    connections::ConnectorKind,
    entries::{Entry, store as entries},
    ports::Receipt,
};

/// Begins to hand an entry on. Where the Comune has no protocol system of its own, that is all.
pub(crate) fn begin(tx: &mut Tx<'_>, entry: &Entry, connector: ConnectorKind) -> storage::Result<Row> {
    let internal = connector == ConnectorKind::Internal;
    let now = tx.now();
    let row = Row {
        id: tx.new_id(),
        entry_id: entry.id,
        office_id: entry.office_id,
        connector,
        state: if internal { RegistrationState::Registered } else { RegistrationState::Pending },
        in_doubt: false,
        attempts: 0,
        next_attempt_at: now,
        leased_until: None,
        problem: None,
        external_register: None,
        external_number: None,
        external_year: None,
        external_registered_at: None,
        external_reference: None,
        version: 1,
        created_at: now,
        settled_at: internal.then_some(now),
    };
    store::insert(tx, &row)?;
    if internal {
        told(tx, "protocol.registered", &row, entry)?;
    }
    Ok(row)
}

/// Notes what came of an attempt, and tells it where it is the last.
///
/// # Errors
/// When the database fails.
pub fn settle(tx: &mut Tx<'_>, id: RegistrationId, by: Id<()>, settled: &Settled) -> storage::Result<()> {
    if !store::settle(tx, id, by, settled)? {
        // Somebody else has taken it over, and asks the system before anything is sent.
        return Ok(());
    }
    let kind = match settled.state {
        RegistrationState::Pending => return Ok(()),
        RegistrationState::Registered => "protocol.registered",
        RegistrationState::NeedsReview | RegistrationState::Failed => "protocol.failed",
    };
    let row = store::get(tx, id)?.ok_or_else(not_found)?;
    let entry = entries::get(tx, row.entry_id)?.ok_or_else(not_found)?;
    told(tx, kind, &row, &entry)
}

/// Has a registration tried once more. `check` is asked about its version.
///
/// # Errors
/// `not-found`, what `check` refuses, what [`rules::may_retry`] refuses, or when the database fails.
pub fn retry(
    tx: &mut Tx<'_>,
    id: RegistrationId,
    not_found_there: bool,
    connector: ConnectorKind,
    check: impl Fn(&Row) -> Result<(), Problem>,
) -> storage::Result<Row> {
    let row = store::get(tx, id)?.ok_or_else(not_found)?;
    check(&row)?;
    let annulled = entries::get(tx, row.entry_id)?.is_some_and(|entry| entry.annulled_at.is_some());
    rules::may_retry(row.state, row.in_doubt, not_found_there, annulled)?;
    store::retry(tx, &row, connector)?;
    recorded(tx, "protocol.retried", &row)?;
    tx.announce();
    Ok(store::get(tx, id)?.ok_or_else(not_found)?)
}

/// Writes down the number that somebody has found in the protocol system. `check` is asked about its version.
///
/// # Errors
/// `not-found`, what `check` refuses, `invalid-transition`, or when the database fails.
pub fn found(
    tx: &mut Tx<'_>,
    id: RegistrationId,
    receipt: &Receipt,
    check: impl Fn(&Row) -> Result<(), Problem>,
) -> storage::Result<Row> {
    let row = store::get(tx, id)?.ok_or_else(not_found)?;
    check(&row)?;
    rules::may_write_down(row.state)?;
    store::found(tx, &row, receipt)?;
    let after = store::get(tx, id)?.ok_or_else(not_found)?;
    let entry = entries::get(tx, row.entry_id)?.ok_or_else(not_found)?;
    told(tx, "protocol.registered", &after, &entry)?;
    Ok(after)
}

/// Ends the waiting of an entry that was annulled. One that is under way, or may have come to something, is left to
/// whoever hands it on: he looks before he sends.
///
/// # Errors
/// When the database fails.
pub(crate) fn annulled(tx: &mut Tx<'_>, entry: &Entry) -> storage::Result<()> {
    let waits = |row: &Row| row.state == RegistrationState::Pending && !row.in_doubt;
    let Some(row) = store::of_entry(tx, entry.id)?.filter(waits) else { return Ok(()) };
    given_up(tx, &row, entry, (RegistrationState::Failed, rules::ANNULLED))
}

/// Leaves to somebody to look what is in doubt: the system that may have it is not the one that is asked from now on.
///
/// # Errors
/// When the database fails.
pub(crate) fn moved(tx: &mut Tx<'_>) -> storage::Result<()> {
    for row in store::in_doubt(tx)? {
        let Some(entry) = entries::get(tx, row.entry_id)? else { continue };
        given_up(tx, &row, &entry, (RegistrationState::NeedsReview, rules::OUTCOME_UNKNOWN))?;
    }
    Ok(())
}

fn given_up(
    tx: &mut Tx<'_>,
    row: &Row,
    entry: &Entry,
    (state, problem): (RegistrationState, &str),
) -> storage::Result<()> {
    if !store::give_up(tx, row, state, problem)? {
        // Whoever changed it meanwhile has settled it, or has it.
        return Ok(());
    }
    let after = store::get(tx, row.id)?.ok_or_else(not_found)?;
    told(tx, "protocol.failed", &after, entry)
}

fn recorded(tx: &mut Tx<'_>, action: &str, row: &Row) -> storage::Result<()> {
    let before = json!({ "state": row.state, "version": row.version, "outcome_unknown": row.in_doubt });
    let (subject_kind, subject) = ("protocol_registration", row.id);
    audit::record(tx, Change { action, subject_kind, subject, before: Some(&before), after: None })
}

fn told(tx: &mut Tx<'_>, action: &str, row: &Row, entry: &Entry) -> storage::Result<()> {
    let (subject, version, after) = (row.id, row.version, Some(state(row, entry)));
    tell(tx, Done { action, kind: "protocol_registration", subject, version, before: None, after })
}

/// Numbers alone: nobody is named.
fn state(row: &Row, entry: &Entry) -> Value {
    json!({
        "id": row.id,
        "entry_id": row.entry_id,
        "office_id": row.office_id,
        "connector": row.connector,
        "state": row.state,
        "problem": row.problem,
        "register_code": entry.register_code,
        "number": entry.number,
        "year": entry.year,
        "external_number": row.external_number,
        "external_year": row.external_year,
    })
}
