//! Queries over PDND's clients and their signatures.

use diesel::{prelude::*, sql_types::Text};
use kernel::PageRequest;
use storage::{
    MultiBackend, Tx, fixed,
    types::{At, Instant, Key, Uid},
};

use super::{
    model::{PdndClient, PdndClientId},
    schema::{pdnd_clients as c, pdnd_signatures_seen as s},
    signature::Once,
};

/// A page of the Comune's clients, in the order in which they were registered.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut Tx<'_>, page: &PageRequest<PdndClientId>) -> storage::Result<Vec<PdndClient>> {
    let mut query = c::table.filter(c::tenant_id.eq(Key(tx.tenant()))).into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(c::id.gt(Key(after)));
    }
    Ok(query.order(c::id).limit(page.fetch()).select(PdndClient::as_select()).load(tx.conn())?)
}

/// A client.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, id: PdndClientId) -> storage::Result<Option<PdndClient>> {
    let found = c::table.filter(c::tenant_id.eq(Key(tx.tenant()))).filter(c::id.eq(Key(id)));
    Ok(found.select(PdndClient::as_select()).first(tx.conn()).optional()?)
}

/// The client that PDND calls so, in lower case.
///
/// # Errors
/// When the database fails.
pub fn by_client_id(tx: &mut Tx<'_>, client_id: &str) -> storage::Result<Option<PdndClient>> {
    let found = c::table.filter(c::tenant_id.eq(Key(tx.tenant()))).filter(c::client_id.eq(client_id));
    Ok(found.select(PdndClient::as_select()).first(tx.conn()).optional()?)
}

/// Writes a new one.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut Tx<'_>, client: &PdndClient) -> storage::Result<()> {
    let tenant = tx.tenant();
    diesel::insert_into(c::table)
        .values((
            c::tenant_id.eq(Key(tenant)),
            c::id.eq(Key(client.id)),
            c::client_id.eq(&client.client_id),
            c::label.eq(&client.label),
            c::scopes.eq(client.scopes.clone()),
            c::enabled.eq(client.enabled),
            c::version.eq(client.version),
            c::created_at.eq(At(client.created_at)),
            c::updated_at.eq(At(client.updated_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Writes what follows the version before it. `false`: somebody was faster.
///
/// # Errors
/// When the database fails.
pub fn update(tx: &mut Tx<'_>, client: &PdndClient) -> storage::Result<bool> {
    let before = client.version.saturating_sub(1);
    let row = c::table.filter(c::tenant_id.eq(Key(tx.tenant()))).filter(c::id.eq(Key(client.id)));
    let changed = diesel::update(row.filter(c::version.eq(before)))
        .set((
            c::label.eq(&client.label),
            c::scopes.eq(client.scopes.clone()),
            c::enabled.eq(client.enabled),
            c::version.eq(client.version),
            c::updated_at.eq(At(client.updated_at)),
        ))
        .execute(tx.conn())?;
    Ok(changed == 1)
}

/// Takes one away. Its signatures stay until they run out: registered again, it does not use them twice.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut Tx<'_>, id: PdndClientId) -> storage::Result<()> {
    let row = c::table.filter(c::tenant_id.eq(Key(tx.tenant()))).filter(c::id.eq(Key(id)));
    diesel::delete(row).execute(tx.conn())?;
    Ok(())
}

/// Notes that a signature was accepted; `false` when it was before. On PostgreSQL the insert waits for another gateway
/// that is just noting the same one.
///
/// # Errors
/// When the database fails.
pub fn spend(tx: &mut Tx<'_>, client_id: &str, once: &Once) -> storage::Result<bool> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let noted = fixed(
        "INSERT INTO pdnd_signatures_seen (tenant_id, client_id, jti, expires_at) VALUES (?, ?, ?, ?) \
         ON CONFLICT (tenant_id, client_id, jti) DO UPDATE SET expires_at = excluded.expires_at \
         WHERE pdnd_signatures_seen.expires_at <= ?",
    )
    .bind::<Uid, _>(Key(tenant))
    .bind::<Text, _>(client_id.to_owned())
    .bind::<Text, _>(once.jti.clone())
    .bind::<Instant, _>(At(once.until))
    .bind::<Instant, _>(At(now))
    .execute(tx.conn())?;
    Ok(noted == 1)
}

/// Deletes signatures that are refused for their age. Tidying only.
///
/// # Errors
/// When the database fails.
pub fn sweep(tx: &mut Tx<'_>) -> storage::Result<usize> {
    let now = At(tx.now());
    let old = s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::expires_at.le(now));
    Ok(diesel::delete(old).execute(tx.conn())?)
}
