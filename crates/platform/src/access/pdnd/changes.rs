//! What registering, changing and striking off clients consist of: each one transaction.

use kernel::Problem;
use serde_json::{Value, json};
use storage::{Json, Tx};

use super::{
    model::{NewPdndClient, PdndClient, PdndClientId, PdndClientPatch},
    rules, store,
};
use crate::{
    audit::{self, Change},
    http::not_found,
    problems::{ALREADY_REGISTERED, VERSION_MISMATCH},
};

/// Registers a client.
///
/// # Errors
/// `already-registered`, or when the database fails.
pub fn register(tx: &mut Tx<'_>, new: &NewPdndClient) -> storage::Result<PdndClient> {
    let client = PdndClient {
        id: tx.new_id(),
        client_id: new.client_id.to_ascii_lowercase(),
        label: new.label.clone(),
        scopes: Json(rules::each_once(&new.scopes)),
        enabled: true,
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    match tx.savepoint(|tx| store::insert(tx, &client)) {
        Err(failure) if failure.is_unique("pdnd_clients", &["tenant_id", "client_id"]) => {
            return Err(Problem::new(&ALREADY_REGISTERED).into());
        }
        outcome => outcome?,
    }
    record(tx, "pdnd-client.registered", None, Some(&client))?;
    Ok(client)
}

/// Changes one. `check` is asked about its version.
///
/// # Errors
/// `not-found`, what `check` refuses, or when the database fails.
pub fn change(
    tx: &mut Tx<'_>,
    id: PdndClientId,
    patch: &PdndClientPatch,
    check: impl Fn(i64) -> Result<(), Problem>,
) -> storage::Result<PdndClient> {
    let before = store::get(tx, id)?.ok_or_else(not_found)?;
    check(before.version)?;
    let after = PdndClient { updated_at: tx.now(), ..rules::changed(&before, patch) };
    if !store::update(tx, &after)? {
        return Err(Problem::new(&VERSION_MISMATCH).into());
    }
    record(tx, "pdnd-client.changed", Some(&before), Some(&after))?;
    Ok(after)
}

/// Strikes one off.
///
/// # Errors
/// `not-found`, what `check` refuses, or when the database fails.
pub fn remove(tx: &mut Tx<'_>, id: PdndClientId, check: impl Fn(i64) -> Result<(), Problem>) -> storage::Result<()> {
    let before = store::get(tx, id)?.ok_or_else(not_found)?;
    check(before.version)?;
    store::delete(tx, id)?;
    record(tx, "pdnd-client.removed", Some(&before), None)
}

fn record(
    tx: &mut Tx<'_>,
    action: &str,
    before: Option<&PdndClient>,
    after: Option<&PdndClient>,
) -> storage::Result<()> {
    let Some(subject) = after.or(before).map(|client| client.id) else { return Ok(()) };
    let (before, after) = (before.map(state), after.map(state));
    let (before, after) = (before.as_ref(), after.as_ref());
    audit::record(tx, Change { action, subject_kind: "pdnd-client", subject, before, after })
}

fn state(client: &PdndClient) -> Value {
    json!({
        "client_id": client.client_id, "label": client.label, "scopes": client.scopes.0, "enabled": client.enabled,
        "version": client.version,
    })
}
