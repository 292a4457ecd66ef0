//! Walking along every register.

use storage::Tx;

use super::model::{FaultView, Verification, VerifiedRegister};
use crate::entries::{
    chain::{Fault, Walk},
    store::{self, Standing},
};

/// How many entries are read together.
const AT_ONCE: i64 = 500;

/// Looks through the registers of a Comune, in one consistent view of them.
///
/// # Errors
/// When the database fails.
pub fn verify(tx: &mut Tx<'_>) -> storage::Result<Verification> {
    let mut registers = Vec::new();
    for Standing { register, head, .. } in store::standings(tx)? {
        let (mut walk, mut last) = (Walk::default(), 0);
        loop {
            let some = store::along(tx, &register, last, AT_ONCE)?;
            let Some(end) = some.last() else { break };
            last = end.entry.seq;
            some.iter().for_each(|whole| walk.see(whole));
        }
        walk.end(&head);
        let fault = |fault: Fault| FaultView { sequence: fault.seq, code: fault.code };
        registers.push(VerifiedRegister {
            aoo_code: register.aoo_code,
            register_code: register.register_code,
            entries: walk.count,
            year: head.year,
            last_number: head.last_number,
            last_hash: head.last_hash,
            sound: walk.faults.is_empty(),
            faults: walk.faults.into_iter().map(fault).collect(),
        });
    }
    let sound = registers.iter().all(|register| register.sound);
    Ok(Verification { verified_at: tx.now(), sound, registers })
}
