//! Walking along every register.

use std::collections::BTreeMap;

use storage::Tx;

use super::model::{FaultView, Verification, VerifiedRegister};
use crate::entries::{
    chain::{Fault, Walk},
    rules::Head,
    store::{self, Register, Standing},
};

/// How many entries are read together.
const AT_ONCE: i64 = 500;

/// Looks through the registers of a Comune, in one consistent view of them.
///
/// # Errors
/// When the database fails.
pub fn verify(tx: &mut Tx<'_>) -> storage::Result<Verification> {
    let mut registers = Vec::new();
    for (register, head) in known(tx)? {
        let (mut walk, mut last) = (Walk::default(), 0);
        loop {
            let some = store::along(tx, &register, last, AT_ONCE)?;
            let Some(end) = some.last() else { break };
            last = end.entry.seq;
            some.iter().for_each(|whole| walk.see(whole));
        }
        walk.end(head.as_ref());
        let fault = |fault: Fault| FaultView { sequence: fault.seq, code: fault.code };
        registers.push(VerifiedRegister {
            aoo_code: register.aoo_code,
            register_code: register.register_code,
            entries: walk.count,
            year: head.as_ref().map_or(0, |head| head.year),
            last_number: head.as_ref().map_or(0, |head| head.last_number),
            last_hash: head.map(|head| head.last_hash).unwrap_or_default(),
            sound: walk.faults.is_empty(),
            faults: walk.faults.into_iter().map(fault).collect(),
        });
    }
    let sound = registers.iter().all(|register| register.sound);
    Ok(Verification { verified_at: tx.now(), sound, registers })
}

/// Every register with where it says it stands; also one that has entries and says nothing any more.
fn known(tx: &mut Tx<'_>) -> storage::Result<BTreeMap<Register, Option<Head>>> {
    let written_to = store::written_to(tx)?.into_iter().map(|register| (register, None));
    let standing = store::standings(tx)?.into_iter().map(|Standing { register, head, .. }| (register, Some(head)));
    Ok(written_to.chain(standing).collect())
}
