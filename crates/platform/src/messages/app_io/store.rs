//! Queries over the Comune's key for App IO.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::Problem;
use storage::{
    Tx,
    types::{At, Key},
};

use crate::{problems::VERSION_MISMATCH, schema::app_io_connections as c};

/// The key, concealed; its version; when it was set.
pub(super) type Row = (String, i64, Timestamp);

/// The key and what is known of it.
///
/// # Errors
/// When the database fails.
pub(super) fn get(tx: &mut Tx<'_>) -> storage::Result<Option<Row>> {
    let mine = c::table.filter(c::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.select((c::concealed, c::version, c::updated_at)).first(tx.conn()).optional()?)
}

/// The Comune's key, concealed.
///
/// # Errors
/// When the database fails.
pub fn concealed_key(tx: &mut Tx<'_>) -> storage::Result<Option<String>> {
    Ok(get(tx)?.map(|(concealed, ..)| concealed))
}

/// Writes the key that follows this version; 0 where there is none.
///
/// # Errors
/// `version-mismatch` when somebody was faster, or when the database fails.
pub(super) fn put(tx: &mut Tx<'_>, concealed: &str, from: i64) -> storage::Result<()> {
    let (tenant, now, version) = (Key(tx.tenant()), At(tx.now()), from.saturating_add(1));
    if from == 0 {
        let row = (c::tenant_id.eq(tenant), c::concealed.eq(concealed), c::version.eq(version), c::updated_at.eq(now));
        diesel::insert_into(c::table).values(row).execute(tx.conn())?;
        return Ok(());
    }
    let row = c::table.filter(c::tenant_id.eq(tenant)).filter(c::version.eq(from));
    let set = (c::concealed.eq(concealed), c::version.eq(version), c::updated_at.eq(now));
    if diesel::update(row).set(set).execute(tx.conn())? == 0 {
        return Err(Problem::new(&VERSION_MISMATCH).into());
    }
    Ok(())
}

/// Forgets the key.
///
/// # Errors
/// When the database fails.
pub(super) fn delete(tx: &mut Tx<'_>) -> storage::Result<()> {
    diesel::delete(c::table.filter(c::tenant_id.eq(Key(tx.tenant())))).execute(tx.conn())?;
    Ok(())
}
