//! Queries over holds.

use diesel::prelude::*;
use storage::{
    Tx,
    types::{At, Key},
};

use super::model::{Hold, HoldId};
use crate::{calendars::store::SWEEP_AFTER, schema::holds};

/// Adds a hold.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut Tx<'_>, hold: &Hold) -> storage::Result<()> {
    use holds as h;
    diesel::insert_into(h::table)
        .values((
            h::tenant_id.eq(Key(tx.tenant())),
            h::id.eq(Key(hold.id)),
            h::service_id.eq(Key(hold.service_id)),
            h::calendar_id.eq(Key(hold.calendar_id)),
            h::starts_at.eq(At(hold.starts_at)),
            h::ends_at.eq(At(hold.ends_at)),
            h::persons.eq(hold.persons),
            h::owner.eq(&hold.owner),
            h::expires_at.eq(At(hold.expires_at)),
            h::created_at.eq(At(hold.created_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// One hold, expired or not.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut Tx<'_>, id: HoldId) -> storage::Result<Option<Hold>> {
    let mine = holds::table.filter(holds::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.filter(holds::id.eq(Key(id))).select(Hold::as_select()).first(tx.conn()).optional()?)
}

/// Deletes a hold; its seats are another matter.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut Tx<'_>, id: HoldId) -> storage::Result<()> {
    let mine = holds::table.filter(holds::tenant_id.eq(Key(tx.tenant())));
    diesel::delete(mine.filter(holds::id.eq(Key(id)))).execute(tx.conn())?;
    Ok(())
}

/// How many open holds somebody has.
///
/// # Errors
/// When the database fails.
pub fn count_open(tx: &mut Tx<'_>, owner: &str) -> storage::Result<i64> {
    use holds as h;
    let now = At(tx.now());
    let theirs = h::table.filter(h::tenant_id.eq(Key(tx.tenant()))).filter(h::owner.eq(owner));
    Ok(theirs.filter(h::expires_at.gt(now)).count().get_result(tx.conn())?)
}

/// Deletes the holds that expired a while ago.
///
/// # Errors
/// When the database fails.
pub fn sweep_expired(tx: &mut Tx<'_>) -> storage::Result<()> {
    let before = At(tx.now().saturating_sub(SWEEP_AFTER).unwrap_or(jiff::Timestamp::MIN));
    let mine = holds::table.filter(holds::tenant_id.eq(Key(tx.tenant())));
    diesel::delete(mine.filter(holds::expires_at.le(before))).execute(tx.conn())?;
    Ok(())
}
