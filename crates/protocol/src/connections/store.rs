//! Queries over the connection.

use diesel::{prelude::*, sql_query};
use jiff::Timestamp;
use kernel::Problem;
use platform::problems::VERSION_MISMATCH;
use storage::{
    Tx,
    types::{At, Key, Uid},
};

use super::{model::ConnectorKind, rules};
use crate::{
    entries::store::Register,
    schema::protocol_connections::{self, self as c},
};

/// A connection, as it is stored.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = protocol_connections)]
pub struct Connection {
    /// What documents are registered with.
    pub connector: ConnectorKind,
    /// The Comune in the index of public administrations.
    pub ipa_code: String,
    /// Its organisational area.
    pub aoo_code: String,
    /// The register here.
    pub register_code: String,
    /// Where receipts are verified.
    pub receipt_page: Option<String>,
    /// Where the protocol system is.
    pub base_url: Option<String>,
    /// The user there.
    pub username: Option<String>,
    /// The code of the Comune there.
    pub entity_code: Option<String>,
    /// Password or token, concealed.
    pub concealed: Option<String>,
    /// Counts changes.
    pub version: i64,
    /// When it was changed.
    pub updated_at: Timestamp,
}

kernel::redacted_debug!(Connection);

/// What registers are called, and what they are connected with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What documents are registered with.
    pub connector: ConnectorKind,
    /// The Comune in the index of public administrations.
    pub ipa_code: String,
    /// Its organisational area.
    pub aoo_code: String,
    /// The register here.
    pub register_code: String,
    /// Where receipts are verified.
    pub receipt_page: Option<String>,
}

impl Identity {
    /// The ordinary register.
    pub fn register(&self) -> Register {
        Register { aoo_code: self.aoo_code.clone(), register_code: self.register_code.clone() }
    }
}

/// The connection, where something was set.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>) -> storage::Result<Option<Connection>> {
    let mine = c::table.filter(c::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.select(Connection::as_select()).first(tx.conn()).optional()?)
}

/// Keeps the connection as it is until the end of the transaction: whoever takes something to be handed on knows where
/// it goes, and whoever connects the Comune anew knows of all that was taken before.
///
/// # Errors
/// When the database fails.
pub fn share(tx: &mut Tx<'_>) -> storage::Result<()> {
    if tx.writes_beside_others() {
        let tenant = Key(tx.tenant());
        let locked = sql_query("SELECT version FROM protocol_connections WHERE tenant_id = $1 FOR SHARE");
        locked.bind::<Uid, _>(tenant).execute(tx.conn())?;
    }
    Ok(())
}

/// What registers are called, also where nothing was set.
///
/// # Errors
/// When the database fails.
pub fn identity(tx: &mut Tx<'_>, slug: &str) -> storage::Result<Identity> {
    Ok(get(tx)?.map_or_else(
        || Identity {
            connector: ConnectorKind::Internal,
            ipa_code: rules::default_ipa_code(slug),
            aoo_code: rules::DEFAULT_AOO.to_owned(),
            register_code: rules::DEFAULT_REGISTER.to_owned(),
            receipt_page: None,
        },
        |it| Identity {
            connector: it.connector,
            ipa_code: it.ipa_code,
            aoo_code: it.aoo_code,
            register_code: it.register_code,
            receipt_page: it.receipt_page,
        },
    ))
}

/// Writes the connection that follows this version; 0 where there is none.
///
/// # Errors
/// `version-mismatch` when somebody was faster, or when the database fails.
pub(super) fn put(tx: &mut Tx<'_>, new: &Connection, from: i64) -> storage::Result<()> {
    let tenant = Key(tx.tenant());
    let set = (
        c::connector.eq(new.connector),
        c::ipa_code.eq(&new.ipa_code),
        c::aoo_code.eq(&new.aoo_code),
        c::register_code.eq(&new.register_code),
        c::receipt_page.eq(&new.receipt_page),
        c::base_url.eq(&new.base_url),
        c::username.eq(&new.username),
        c::entity_code.eq(&new.entity_code),
        c::concealed.eq(&new.concealed),
        c::version.eq(new.version),
        c::updated_at.eq(At(new.updated_at)),
    );
    if from == 0 {
        diesel::insert_into(c::table).values((c::tenant_id.eq(tenant), set)).execute(tx.conn())?;
        return Ok(());
    }
    let row = c::table.filter(c::tenant_id.eq(tenant)).filter(c::version.eq(from));
    if diesel::update(row).set(set).execute(tx.conn())? == 0 {
        return Err(Problem::new(&VERSION_MISMATCH).into());
    }
    Ok(())
}

/// Forgets the connection.
///
/// # Errors
/// When the database fails.
pub(super) fn delete(tx: &mut Tx<'_>) -> storage::Result<()> {
    diesel::delete(c::table.filter(c::tenant_id.eq(Key(tx.tenant())))).execute(tx.conn())?;
    Ok(())
}
