//! Keys of programs: kiosks, other systems, whoever runs the deployment.
//!
//! A key reads `spk_<handle>_<secret>`. The handle finds the row; of the secret only a digest is
//! stored. The secret has 256 random bits, so a fast digest is as good as a slow one.

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use kernel::{Id, PublicCode};
use serde_json::{Value, json};
use storage::{
    Json, TenantId, Tx,
    types::{At, Key},
};

use crate::{
    audit::{self, Change},
    directory::Office,
    schema::api_keys,
};

/// What every key starts with, so that a leaked one can be found by scanners.
pub const PREFIX: &str = "spk_";

storage::text_enum! {
    /// What a key is for.
    pub enum KeyKind {
        /// A device of one office.
        Device = "device",
        /// Another system, within its scopes.
        Integration = "integration",
        /// Whoever runs the deployment.
        Platform = "platform",
    }
}

storage::text_enum! {
    /// What an integration's key opens.
    pub enum KeyScope {
        /// Read appointments.
        AppointmentsRead = "appointments:read",
        /// Make, move and cancel appointments.
        AppointmentsWrite = "appointments:write",
        /// Administer offices, places, services, calendars, their hours and closures.
        DirectoryWrite = "directory:write",
        /// Read events.
        EventsRead = "events:read",
        /// Say where events are sent to.
        WebhooksWrite = "webhooks:write",
        /// Read the protocol register.
        ProtocolRead = "protocol:read",
        /// Register documents, annul entries.
        ProtocolWrite = "protocol:write",
        /// Read payments.
        PaymentsRead = "payments:read",
        /// Ask for payments, call them off, record refunds.
        PaymentsWrite = "payments:write",
    }
}

/// A stored key.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = api_keys)]
pub struct ApiKey {
    /// The Comune, or the deployment.
    pub tenant_id: TenantId,
    /// Identifier.
    pub id: Id<ApiKey>,
    /// The public half.
    pub handle: String,
    secret_hash: String,
    previous_hash: Option<String>,
    previous_expires_at: Option<Timestamp>,
    /// What it is for.
    pub kind: KeyKind,
    /// What people call it.
    pub label: String,
    /// The office of a device.
    pub office_id: Option<Id<Office>>,
    /// What an integration may do.
    pub scopes: Json<Vec<KeyScope>>,
    /// Past this instant it does not answer.
    pub expires_at: Option<Timestamp>,
    /// Since this instant it does not answer.
    pub revoked_at: Option<Timestamp>,
    /// When it was issued.
    pub created_at: Timestamp,
}

kernel::redacted_debug!(ApiKey);

/// What a key to be issued is for.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Kind.
    pub kind: KeyKind,
    /// What people call it.
    pub label: String,
    /// The office, of a device and only of one.
    pub office_id: Option<Id<Office>>,
    /// Scopes, of an integration.
    pub scopes: Vec<KeyScope>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether this secret opens the key at `now`.
    pub fn answers_to(&self, secret: &str, now: Timestamp) -> bool {
        let alive = self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end);
        let given = hash(secret);
        let is = |stored: &str| verify_slices_are_equal(stored.as_bytes(), given.as_bytes()).is_ok();
        let previous = self.previous_expires_at.is_some_and(|end| now < end);
        alive && (is(&self.secret_hash) || (previous && self.previous_hash.as_deref().is_some_and(is)))
    }
}

/// Reads a credential into handle and secret.
pub fn split(credential: &str) -> Option<(&str, &str)> {
    credential.strip_prefix(PREFIX)?.split_once('_').filter(|(handle, secret)| !handle.is_empty() && !secret.is_empty())
}

/// The key of a handle.
///
/// # Errors
/// When the database fails.
pub fn by_handle(tx: &mut Tx<'_>, handle: &str) -> storage::Result<Option<ApiKey>> {
    let mine = api_keys::table.filter(api_keys::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.filter(api_keys::handle.eq(handle)).select(ApiKey::as_select()).first(tx.conn()).optional()?)
}

/// Every key of the tenant, oldest first.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut Tx<'_>) -> storage::Result<Vec<ApiKey>> {
    Ok(api_keys::table
        .filter(api_keys::tenant_id.eq(Key(tx.tenant())))
        .order(api_keys::id)
        .select(ApiKey::as_select())
        .load(tx.conn())?)
}

/// Issues a key and returns it in full: the only time its secret is seen.
///
/// # Errors
/// When the office is unknown or the database fails.
pub fn issue(tx: &mut Tx<'_>, new: &NewKey) -> storage::Result<String> {
    use api_keys as k;
    let handle = new_handle();
    let secret = new_secret();
    let id = tx.new_id::<ApiKey>();
    diesel::insert_into(k::table)
        .values((
            k::tenant_id.eq(Key(tx.tenant())),
            k::id.eq(Key(id)),
            k::handle.eq(&handle),
            k::secret_hash.eq(hash(&secret)),
            k::kind.eq(new.kind),
            k::label.eq(&new.label),
            k::office_id.eq(new.office_id.map(Key)),
            k::scopes.eq(Json(new.scopes.clone())),
            k::expires_at.eq(new.expires_at.map(At)),
            k::created_at.eq(At(tx.now())),
        ))
        .execute(tx.conn())?;
    let after = json!({
        "kind": new.kind, "label": new.label, "office_id": new.office_id, "scopes": new.scopes,
        "expires_at": new.expires_at,
    });
    record(tx, "key.issued", id, Some(&after))?;
    Ok(format!("{PREFIX}{handle}_{secret}"))
}

/// Gives a key a new secret and returns it in full; the old one answers for `grace` more.
/// `None` when there is no such key, or it was revoked.
///
/// # Errors
/// When the database fails.
pub fn rotate(tx: &mut Tx<'_>, handle: &str, grace: SignedDuration) -> storage::Result<Option<String>> {
    use api_keys as k;
    let Some(key) = by_handle(tx, handle)?.filter(|key| key.revoked_at.is_none()) else { return Ok(None) };
    let secret = new_secret();
    let until = tx.now().saturating_add(grace).unwrap_or(tx.now());
    diesel::update(k::table.filter(k::tenant_id.eq(Key(tx.tenant()))).filter(k::id.eq(Key(key.id))))
        .set((
            k::secret_hash.eq(hash(&secret)),
            k::previous_hash.eq(Some(key.secret_hash)),
            k::previous_expires_at.eq(Some(At(until))),
        ))
        .execute(tx.conn())?;
    record(tx, "key.rotated", key.id, None)?;
    Ok(Some(format!("{PREFIX}{handle}_{secret}")))
}

/// Ends a key at once. `false` when there is no such key.
///
/// # Errors
/// When the database fails.
pub fn revoke(tx: &mut Tx<'_>, handle: &str) -> storage::Result<bool> {
    use api_keys as k;
    let Some(key) = by_handle(tx, handle)? else { return Ok(false) };
    diesel::update(k::table.filter(k::tenant_id.eq(Key(tx.tenant()))).filter(k::id.eq(Key(key.id))))
        .set(k::revoked_at.eq(Some(At(tx.now()))))
        .execute(tx.conn())?;
    record(tx, "key.revoked", key.id, None)?;
    Ok(true)
}

/// Of a key's state its secret is no part, not even as a digest.
fn record(tx: &mut Tx<'_>, action: &str, subject: Id<ApiKey>, after: Option<&Value>) -> storage::Result<()> {
    audit::record(tx, Change { action, subject_kind: "key", subject, before: None, after })
}

pub(super) fn hash(secret: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, secret.as_bytes()))
}

pub(super) fn new_handle() -> String {
    let random = |part: [u8; 16]| PublicCode::from_random(part).as_str().to_owned();
    let mut handle = random(rand::random());
    handle.extend(random(rand::random()).chars().take(4));
    handle
}

pub(super) fn new_secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> ApiKey {
        ApiKey {
            tenant_id: storage::scope::PLATFORM,
            id: Id::from_uuid(uuid::Uuid::nil()),
            handle: "ABC".into(),
            secret_hash: hash(secret),
            previous_hash: Some(hash("old")),
            previous_expires_at: Some(Timestamp::from_second(100).unwrap()),
            kind: KeyKind::Device,
            label: String::new(),
            office_id: None,
            scopes: Json(vec![]),
            expires_at: Some(Timestamp::from_second(200).unwrap()),
            revoked_at: None,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_key_answers_to_its_secret_until_it_ends() {
        let at = |s| Timestamp::from_second(s).unwrap();
        let key = key("new");
        assert!(key.answers_to("new", at(50)));
        assert!(key.answers_to("old", at(99)));
        assert!(!key.answers_to("old", at(100)));
        assert!(!key.answers_to("new", at(200)));
        assert!(!key.answers_to("other", at(50)));
        let revoked = ApiKey { revoked_at: Some(at(1)), ..key };
        assert!(!revoked.answers_to("new", at(50)));
    }

    #[test]
    fn a_credential_has_two_halves() {
        assert_eq!(split("spk_ABC_x_y"), Some(("ABC", "x_y")));
        assert_eq!(split("spk_ABC"), None);
        assert_eq!(split("ABC_x"), None);
        let secret = new_secret();
        assert_eq!(secret.len(), 43);
        assert_eq!(new_handle().len(), 12);
    }
}
