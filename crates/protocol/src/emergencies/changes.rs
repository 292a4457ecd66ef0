//! Opening an emergency register, and closing it: each one transaction.

use kernel::{Problem, civil};
use platform::{
    changes::{Done, tell},
    http::not_found,
    privacy::Place,
    problems::INVALID_BODY,
};
use serde_json::{Value, json};
use storage::Tx;

use super::{
    model::{EmergencyRegister, EmergencyRegisterId, code},
    store,
};
use crate::{
    connections,
    entries::{
        changes::recover,
        store::{self as entries, Register},
    },
    problems::EMERGENCY_REGISTER_CLOSED,
};

/// How many that are opened on one day at the same time are told from one another.
const TRIES: i64 = 50;

/// How many entries are read together.
const AT_ONCE: i64 = 200;

fn closed() -> Problem {
    Problem::new(&EMERGENCY_REGISTER_CLOSED)
}

/// Opens one, with a code of its own.
///
/// # Errors
/// When the database fails.
pub fn open(tx: &mut Tx<'_>, slug: &str, reason: &str) -> storage::Result<EmergencyRegister> {
    let identity = connections::store::identity(tx, slug)?;
    let day = civil::date_of(tx.now());
    let first = store::beginning(tx, &format!("EM{}.", day.strftime("%Y%m%d")))?.saturating_add(1);
    let mut n = first;
    let made = loop {
        let new = EmergencyRegister {
            id: tx.new_id(),
            aoo_code: identity.aoo_code.clone(),
            register_code: code(day, n),
            reason: reason.to_owned(),
            opened_by: tx.actor().as_str().to_owned(),
            opened_at: tx.now(),
            closed_by: None,
            closed_at: None,
            recovered: 0,
            version: 1,
        };
        match tx.savepoint(|tx| store::insert(tx, &new)) {
            Ok(()) => break new,
            // Somebody else opens one at the same time.
            Err(failure)
                if n < first.saturating_add(TRIES)
                    && failure.is_unique("protocol_emergencies", &["tenant_id", "aoo_code", "register_code"]) =>
            {
                n = n.saturating_add(1);
            }
            Err(failure) => return Err(failure),
        }
    };
    told(tx, "emergency_register.opened", None, &made)?;
    Ok(made)
}

/// One that is open, and stays so until the commit.
///
/// # Errors
/// `invalid-body` where there is none, `emergency-register-closed`, or when the database fails.
pub(crate) fn held_open(tx: &mut Tx<'_>, id: EmergencyRegisterId) -> storage::Result<EmergencyRegister> {
    let unknown = || {
        Problem::new(&INVALID_BODY).field("/emergency_register_id", "unknown-reference", "no such emergency register")
    };
    let found = store::get(tx, id)?.ok_or_else(unknown)?;
    if !store::hold_open(tx, id)? {
        return Err(closed().into());
    }
    Ok(found)
}

/// Closes one: each of its entries gets a number in the ordinary register, in their order. `check` is asked about its
/// version.
///
/// # Errors
/// `not-found`, what `check` refuses, `emergency-register-closed`, or when the database fails.
pub fn close(
    tx: &mut Tx<'_>,
    place: Place<'_>,
    id: EmergencyRegisterId,
    check: impl Fn(&EmergencyRegister) -> Result<(), Problem>,
) -> storage::Result<EmergencyRegister> {
    let before = store::get(tx, id)?.ok_or_else(not_found)?;
    check(&before)?;
    if !store::close(tx, id)? {
        return Err(closed().into());
    }
    let register = Register { aoo_code: before.aoo_code.clone(), register_code: before.register_code.clone() };
    // Whoever annuls one of its entries does so before, or finds it recovered.
    entries::hold(tx, &register)?;
    let (mut last, mut recovered) = (0, 0_i64);
    loop {
        let some = entries::along(tx, &register, last, AT_ONCE)?;
        let Some(end) = some.last() else { break };
        last = end.entry.seq;
        // What was annulled there has no number to be given here.
        for whole in some.iter().filter(|whole| whole.entry.annulled_at.is_none()) {
            recover(tx, place, whole)?;
            recovered = recovered.saturating_add(1);
        }
    }
    store::count_recovered(tx, id, recovered)?;
    let after = store::get(tx, id)?.ok_or_else(not_found)?;
    told(tx, "emergency_register.closed", Some(&before), &after)?;
    Ok(after)
}

fn told(
    tx: &mut Tx<'_>,
    action: &str,
    before: Option<&EmergencyRegister>,
    after: &EmergencyRegister,
) -> storage::Result<()> {
    let (subject, version) = (after.id, after.version);
    let (before, after) = (before.map(state), Some(state(after)));
    tell(tx, Done { action, kind: "emergency_register", subject, version, before, after })
}

fn state(register: &EmergencyRegister) -> Value {
    json!({
        "id": register.id,
        "aoo_code": register.aoo_code,
        "register_code": register.register_code,
        "open": register.closed_at.is_none(),
        "recovered": register.recovered,
        "version": register.version,
    })
}
