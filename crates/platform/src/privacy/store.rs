//! What of a person is left in what the platform keeps of everything.

use diesel::prelude::*;
use kernel::Id;
use storage::{Tx, types::Key};

use crate::schema::outbox_events as e;

/// Puts a pseudonym that is nobody's in the place of citizens in the events about an object. The audit keeps who did
/// what: a chain out of which something can be taken proves nothing.
///
/// # Errors
/// When the database fails.
pub fn unlink_events<S: 'static>(tx: &mut Tx<'_>, subject: Id<S>, nobody: &str) -> storage::Result<()> {
    let mine = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::subject_id.eq(Key(subject)));
    diesel::update(mine.filter(e::actor.like("citizen:%")))
        .set(e::actor.eq(format!("citizen:{nobody}")))
        .execute(tx.conn())?;
    Ok(())
}
