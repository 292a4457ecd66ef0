//! Queries over settings.

use diesel::{prelude::*, sql_query};
use kernel::Problem;
use storage::{
    Json, Tx,
    types::{At, Instant, Key, Uid},
};

use super::model::{StoredSettings, TenantSettings};
use crate::{problems::VERSION_MISMATCH, schema::tenant_settings as s};

/// The settings of the tenant; the defaults when it has set nothing.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>) -> storage::Result<StoredSettings> {
    let found: Option<(Json<TenantSettings>, i64)> = s::table
        .filter(s::tenant_id.eq(Key(tx.tenant())))
        .select((s::settings, s::version))
        .first(tx.conn())
        .optional()?;
    Ok(found.map(|(settings, version)| StoredSettings { settings: settings.0, version }).unwrap_or_default())
}

/// Writes the settings that follow version `from`.
///
/// # Errors
/// `version-mismatch` when somebody was faster, or when the database fails.
pub fn put(tx: &mut Tx<'_>, settings: &TenantSettings, from: i64) -> storage::Result<()> {
    let now = tx.now();
    sql_query(
        "INSERT INTO tenant_settings (tenant_id, settings, version, updated_at) VALUES ($1, '{}', 0, $2) \
         ON CONFLICT (tenant_id) DO NOTHING",
    )
    .bind::<Uid, _>(Key(tx.tenant()))
    .bind::<Instant, _>(At(now))
    .execute(tx.conn())?;
    let changed = diesel::update(s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::version.eq(from)))
        .set((s::settings.eq(Json(settings.clone())), s::version.eq(from.saturating_add(1)), s::updated_at.eq(At(now))))
        .execute(tx.conn())?;
    if changed == 0 {
        return Err(Problem::new(&VERSION_MISMATCH).into());
    }
    Ok(())
}
