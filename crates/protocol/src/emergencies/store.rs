//! Queries over emergency registers.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::PageRequest;
use storage::{
    MultiBackend, Tx,
    types::{At, Key},
};

use super::model::{EmergencyRegister, EmergencyRegisterId};
use crate::schema::protocol_emergencies as m;

/// Adds one.
///
/// # Errors
/// When its code is taken ([`storage::Failure::is_unique`]) or the database fails.
pub fn insert(tx: &mut Tx<'_>, new: &EmergencyRegister) -> storage::Result<()> {
    let tenant = tx.tenant();
    diesel::insert_into(m::table)
        .values((
            m::tenant_id.eq(Key(tenant)),
            m::id.eq(Key(new.id)),
            m::aoo_code.eq(&new.aoo_code),
            m::register_code.eq(&new.register_code),
            m::reason.eq(&new.reason),
            m::opened_by.eq(&new.opened_by),
            m::opened_at.eq(At(new.opened_at)),
            m::recovered.eq(new.recovered),
            m::version.eq(new.version),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// How many codes begin so.
///
/// # Errors
/// When the database fails.
pub fn beginning(tx: &mut Tx<'_>, start: &str) -> storage::Result<i64> {
    let mine = m::table.filter(m::tenant_id.eq(Key(tx.tenant()))).filter(m::register_code.like(format!("{start}%")));
    Ok(mine.count().get_result(tx.conn())?)
}

/// An emergency register.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, id: EmergencyRegisterId) -> storage::Result<Option<EmergencyRegister>> {
    let found = m::table.filter(m::tenant_id.eq(Key(tx.tenant()))).filter(m::id.eq(Key(id)));
    Ok(found.select(EmergencyRegister::as_select()).first(tx.conn()).optional()?)
}

/// Holds one that is open until the commit, so that nobody closes it meanwhile; `false` for one that is closed.
///
/// # Errors
/// When the database fails.
pub fn hold_open(tx: &mut Tx<'_>, id: EmergencyRegisterId) -> storage::Result<bool> {
    let open =
        m::table.filter(m::tenant_id.eq(Key(tx.tenant()))).filter(m::id.eq(Key(id))).filter(m::closed_at.is_null());
    Ok(diesel::update(open).set(m::recovered.eq(m::recovered)).execute(tx.conn())? == 1)
}

/// Closes one; `false` where it was already.
///
/// # Errors
/// When the database fails.
pub fn close(tx: &mut Tx<'_>, id: EmergencyRegisterId) -> storage::Result<bool> {
    let (now, actor) = (tx.now(), tx.actor().as_str().to_owned());
    let open =
        m::table.filter(m::tenant_id.eq(Key(tx.tenant()))).filter(m::id.eq(Key(id))).filter(m::closed_at.is_null());
    let set = (m::closed_at.eq(Some(At(now))), m::closed_by.eq(Some(actor)), m::version.eq(m::version + 1));
    Ok(diesel::update(open).set(set).execute(tx.conn())? == 1)
}

/// Says how many entries got an ordinary number.
///
/// # Errors
/// When the database fails.
pub fn count_recovered(tx: &mut Tx<'_>, id: EmergencyRegisterId, recovered: i64) -> storage::Result<()> {
    let mine = m::table.filter(m::tenant_id.eq(Key(tx.tenant()))).filter(m::id.eq(Key(id)));
    diesel::update(mine).set(m::recovered.eq(recovered)).execute(tx.conn())?;
    Ok(())
}

/// A page of them, the newest first.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut Tx<'_>, page: &PageRequest<EmergencyRegisterId>) -> storage::Result<Vec<EmergencyRegister>> {
    let mut query = m::table.filter(m::tenant_id.eq(Key(tx.tenant()))).into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(m::id.lt(Key(after)));
    }
    let page = query.order(m::id.desc()).limit(page.fetch());
    Ok(page.select(EmergencyRegister::as_select()).load(tx.conn())?)
}

/// When the emergency register of this code was closed, where it is one and was.
///
/// # Errors
/// When the database fails.
pub fn closed_at(tx: &mut Tx<'_>, register_code: &str) -> storage::Result<Option<Option<Timestamp>>> {
    let mine = m::table.filter(m::tenant_id.eq(Key(tx.tenant()))).filter(m::register_code.eq(register_code));
    Ok(mine.select(m::closed_at).first(tx.conn()).optional()?)
}
