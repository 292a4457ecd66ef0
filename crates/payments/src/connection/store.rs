//! Queries over the connection and the keys of notifications.

use diesel::prelude::*;
use kernel::Problem;
use platform::problems::VERSION_MISMATCH;
use storage::{
    Json, Tx,
    types::{At, Key},
};

use super::model::{Connection, NotificationKey, NotificationKeyId};
use crate::{
    problems::TOO_MANY_NOTIFICATION_KEYS,
    schema::{payment_connections as c, payment_notification_keys as k},
};

/// How many keys there are at most.
const MOST_KEYS: i64 = 100;

/// How the Comune is paid.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>) -> storage::Result<Option<Connection>> {
    let mine = c::table.filter(c::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.select(Connection::as_select()).first(tx.conn()).optional()?)
}

/// Writes what follows the version before it; 1 where there is none.
///
/// # Errors
/// `version-mismatch` when somebody was faster, or when the database fails.
pub fn put(tx: &mut Tx<'_>, connection: &Connection) -> storage::Result<()> {
    let tenant = Key(tx.tenant());
    let set = (
        c::organisation_tax_code.eq(&connection.organisation_tax_code),
        c::segregation_code.eq(&connection.segregation_code),
        c::iban.eq(&connection.iban),
        c::company_name.eq(&connection.company_name),
        c::concealed_key.eq(&connection.concealed_key),
        c::return_origins.eq(Json(connection.return_origins.0.clone())),
        c::enabled.eq(connection.enabled),
        c::version.eq(connection.version),
        c::updated_at.eq(At(connection.updated_at)),
    );
    if connection.version == 1 {
        let first = diesel::insert_into(c::table).values((c::tenant_id.eq(tenant), set));
        return match tx.savepoint(|tx| Ok(first.execute(tx.conn())?)) {
            Err(failure) if failure.is_unique("payment_connections", &["tenant_id"]) => {
                Err(Problem::new(&VERSION_MISMATCH).into())
            }
            outcome => outcome.map(drop),
        };
    }
    let before = connection.version.saturating_sub(1);
    let row = c::table.filter(c::tenant_id.eq(tenant)).filter(c::version.eq(before));
    if diesel::update(row).set(set).execute(tx.conn())? == 0 {
        return Err(Problem::new(&VERSION_MISMATCH).into());
    }
    Ok(())
}

/// The keys of notifications, the newest first.
///
/// # Errors
/// When the database fails.
pub fn keys(tx: &mut Tx<'_>) -> storage::Result<Vec<NotificationKey>> {
    let mine = k::table.filter(k::tenant_id.eq(Key(tx.tenant()))).order(k::id.desc()).limit(MOST_KEYS);
    Ok(mine.select(NotificationKey::as_select()).load(tx.conn())?)
}

/// Adds a key.
///
/// # Errors
/// `too-many-notification-keys`, or when the database fails.
pub fn add_key(tx: &mut Tx<'_>, key: &NotificationKey) -> storage::Result<()> {
    let mine = k::table.filter(k::tenant_id.eq(Key(tx.tenant())));
    if mine.count().get_result::<i64>(tx.conn())? >= MOST_KEYS {
        return Err(Problem::new(&TOO_MANY_NOTIFICATION_KEYS).into());
    }
    diesel::insert_into(k::table)
        .values((
            k::tenant_id.eq(Key(tx.tenant())),
            k::id.eq(Key(key.id)),
            k::concealed.eq(&key.concealed),
            k::created_at.eq(At(key.created_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Takes a key away. `false` where there is none.
///
/// # Errors
/// When the database fails.
pub fn remove_key(tx: &mut Tx<'_>, id: NotificationKeyId) -> storage::Result<bool> {
    let row = k::table.filter(k::tenant_id.eq(Key(tx.tenant()))).filter(k::id.eq(Key(id)));
    Ok(diesel::delete(row).execute(tx.conn())? > 0)
}
