//! Queries over password accounts and sessions.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::Id;
use storage::{
    Tx, fixed,
    types::{At, Key, Uid},
};

use super::rules::Lockout;
use crate::{
    access::staff::StaffMember,
    schema::{password_accounts, recovery_codes, spent_refreshes, staff_sessions},
};

/// Marks ids of sessions.
pub type SessionId = Id<StoredSession>;

/// What proves that somebody of the staff is who they say.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = password_accounts)]
pub struct Account {
    /// Whose it is.
    pub staff_id: Id<StaffMember>,
    /// Argon2id, as a PHC string.
    pub password_hash: Option<String>,
    /// Digest of the code with which a password is set.
    pub enrolment_digest: Option<String>,
    /// Until when that code answers.
    pub enrolment_expires_at: Option<Timestamp>,
    /// The seed of the one-time codes, concealed.
    pub totp_seed: Option<String>,
    /// One that is not confirmed yet.
    pub totp_pending: Option<String>,
    /// The last step whose code was used.
    pub totp_step: i64,
    failures: i64,
    failing_since: Option<Timestamp>,
    locked_until: Option<Timestamp>,
    locks: i64,
}

/// A session.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = staff_sessions)]
pub struct StoredSession {
    /// Identifier.
    pub id: SessionId,
    /// Whose it is.
    pub staff_id: Id<StaffMember>,
    /// The public half of its tokens.
    pub handle: String,
    /// Digest of the access token.
    pub access_digest: String,
    /// Until when that one answers.
    pub access_expires_at: Timestamp,
    /// Digest of the refresh token.
    pub refresh_digest: String,
    /// Until when that one answers.
    pub refresh_expires_at: Timestamp,
    /// The end of all of them.
    pub ends_at: Timestamp,
    /// Since when it is over.
    pub ended_at: Option<Timestamp>,
}

kernel::redacted_debug!(Account, StoredSession);

impl StoredSession {
    /// Whether an access token of this digest opens it at `now`.
    pub fn answers_to(&self, digest: &str, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.access_expires_at && same(&self.access_digest, digest)
    }
}

impl Account {
    /// Whether a code to enrol with, of this digest, answers at `now`.
    pub fn enrols_by(&self, digest: &str, now: Timestamp) -> bool {
        self.enrolment_expires_at.is_some_and(|until| now < until)
            && self.enrolment_digest.as_deref().is_some_and(|kept| same(kept, digest))
    }

    /// Who tried to get in.
    pub const fn lockout(&self) -> Lockout {
        let Self { failures, failing_since, locked_until, locks, .. } = self;
        Lockout { failures: *failures, failing_since: *failing_since, locked_until: *locked_until, locks: *locks }
    }

    /// Says anew who tried to get in.
    pub const fn set_lockout(&mut self, lockout: Lockout) {
        let Lockout { failures, failing_since, locked_until, locks } = lockout;
        (self.failures, self.failing_since) = (failures, failing_since);
        (self.locked_until, self.locks) = (locked_until, locks);
    }
}

/// Makes an account where there is none.
///
/// # Errors
/// When the database fails.
pub fn ensure(tx: &mut Tx<'_>, staff_id: Id<StaffMember>) -> storage::Result<()> {
    fixed(
        "INSERT INTO password_accounts (tenant_id, staff_id, totp_step, failures, locks, version) \
         VALUES (?, ?, 0, 0, 0, 1) ON CONFLICT (tenant_id, staff_id) DO NOTHING",
    )
    .bind::<Uid, _>(Key(tx.tenant()))
    .bind::<Uid, _>(Key(staff_id))
    .execute(tx.conn())?;
    Ok(())
}

/// The account of somebody, after everybody else who is changing it has finished.
///
/// # Errors
/// When the database fails.
pub fn lock(tx: &mut Tx<'_>, staff_id: Id<StaffMember>) -> storage::Result<Option<Account>> {
    use password_accounts as a;
    let tenant = Key(tx.tenant());
    diesel::update(a::table.filter(a::tenant_id.eq(tenant)).filter(a::staff_id.eq(Key(staff_id))))
        .set(a::version.eq(a::version + 1))
        .execute(tx.conn())?;
    let mine = a::table.filter(a::tenant_id.eq(tenant)).filter(a::staff_id.eq(Key(staff_id)));
    Ok(mine.select(Account::as_select()).first(tx.conn()).optional()?)
}

/// Whether two digests are one, without telling by the time it takes how far they agree.
pub(super) fn same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// Writes an account that was locked.
///
/// # Errors
/// When the database fails.
pub fn save(tx: &mut Tx<'_>, account: &Account) -> storage::Result<()> {
    use password_accounts as a;
    let mine = a::table.filter(a::tenant_id.eq(Key(tx.tenant()))).filter(a::staff_id.eq(Key(account.staff_id)));
    diesel::update(mine)
        .set((
            a::password_hash.eq(&account.password_hash),
            a::enrolment_digest.eq(&account.enrolment_digest),
            a::enrolment_expires_at.eq(account.enrolment_expires_at.map(At)),
            a::totp_seed.eq(&account.totp_seed),
            a::totp_pending.eq(&account.totp_pending),
            a::totp_step.eq(account.totp_step),
            a::failures.eq(account.failures),
            a::failing_since.eq(account.failing_since.map(At)),
            a::locked_until.eq(account.locked_until.map(At)),
            a::locks.eq(account.locks),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Notes that a password was set now.
///
/// # Errors
/// When the database fails.
pub fn password_changed(tx: &mut Tx<'_>, staff_id: Id<StaffMember>) -> storage::Result<()> {
    use password_accounts as a;
    let now = At(tx.now());
    diesel::update(a::table.filter(a::tenant_id.eq(Key(tx.tenant()))).filter(a::staff_id.eq(Key(staff_id))))
        .set(a::password_changed_at.eq(Some(now)))
        .execute(tx.conn())?;
    Ok(())
}

/// Replaces the codes that somebody can recover with.
///
/// # Errors
/// When the database fails.
pub fn put_recovery_codes(tx: &mut Tx<'_>, staff_id: Id<StaffMember>, digests: &[String]) -> storage::Result<()> {
    use recovery_codes as r;
    let tenant = Key(tx.tenant());
    diesel::delete(r::table.filter(r::tenant_id.eq(tenant)).filter(r::staff_id.eq(Key(staff_id))))
        .execute(tx.conn())?;
    for digest in digests {
        diesel::insert_into(r::table)
            .values((r::tenant_id.eq(tenant), r::staff_id.eq(Key(staff_id)), r::digest.eq(digest)))
            .execute(tx.conn())?;
    }
    Ok(())
}

/// Uses a code to recover with; `false` when there is none such.
///
/// # Errors
/// When the database fails.
pub fn use_recovery_code(tx: &mut Tx<'_>, staff_id: Id<StaffMember>, digest: &str) -> storage::Result<bool> {
    use recovery_codes as r;
    let mine = r::table.filter(r::tenant_id.eq(Key(tx.tenant()))).filter(r::staff_id.eq(Key(staff_id)));
    Ok(diesel::delete(mine.filter(r::digest.eq(digest))).execute(tx.conn())? == 1)
}

/// Writes a new session.
///
/// # Errors
/// When the database fails.
pub fn insert_session(tx: &mut Tx<'_>, session: &StoredSession) -> storage::Result<()> {
    use staff_sessions as s;
    diesel::insert_into(s::table)
        .values((
            s::tenant_id.eq(Key(tx.tenant())),
            s::id.eq(Key(session.id)),
            s::staff_id.eq(Key(session.staff_id)),
            s::handle.eq(&session.handle),
            s::access_digest.eq(&session.access_digest),
            s::access_expires_at.eq(At(session.access_expires_at)),
            s::refresh_digest.eq(&session.refresh_digest),
            s::refresh_expires_at.eq(At(session.refresh_expires_at)),
            s::ends_at.eq(At(session.ends_at)),
            s::created_at.eq(At(tx.now())),
            s::version.eq(1),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// The session of a handle.
///
/// # Errors
/// When the database fails.
pub fn by_handle(tx: &mut Tx<'_>, handle: &str) -> storage::Result<Option<StoredSession>> {
    use staff_sessions as s;
    let mine = s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::handle.eq(handle));
    Ok(mine.select(StoredSession::as_select()).first(tx.conn()).optional()?)
}

/// The same, after everybody else who is changing it has finished.
///
/// # Errors
/// When the database fails.
pub fn lock_session(tx: &mut Tx<'_>, handle: &str) -> storage::Result<Option<StoredSession>> {
    use staff_sessions as s;
    diesel::update(s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::handle.eq(handle)))
        .set(s::version.eq(s::version + 1))
        .execute(tx.conn())?;
    by_handle(tx, handle)
}

/// Spends the refresh token of a session, and writes those that follow.
///
/// # Errors
/// When the database fails.
pub fn rotate(tx: &mut Tx<'_>, session: &StoredSession, spent: &str) -> storage::Result<()> {
    use spent_refreshes as p;
    use staff_sessions as s;
    let tenant = Key(tx.tenant());
    diesel::insert_into(p::table)
        .values((p::tenant_id.eq(tenant), p::session_id.eq(Key(session.id)), p::digest.eq(spent)))
        .execute(tx.conn())?;
    diesel::update(s::table.filter(s::tenant_id.eq(tenant)).filter(s::id.eq(Key(session.id))))
        .set((
            s::access_digest.eq(&session.access_digest),
            s::access_expires_at.eq(At(session.access_expires_at)),
            s::refresh_digest.eq(&session.refresh_digest),
            s::refresh_expires_at.eq(At(session.refresh_expires_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Whether a refresh token of this session was used before.
///
/// # Errors
/// When the database fails.
pub fn was_spent(tx: &mut Tx<'_>, session: SessionId, digest: &str) -> storage::Result<bool> {
    use spent_refreshes as p;
    let mine = p::table.filter(p::tenant_id.eq(Key(tx.tenant()))).filter(p::session_id.eq(Key(session)));
    Ok(mine.filter(p::digest.eq(digest)).count().get_result::<i64>(tx.conn())? > 0)
}

/// Ends a session.
///
/// # Errors
/// When the database fails.
pub fn end(tx: &mut Tx<'_>, session: SessionId) -> storage::Result<()> {
    use staff_sessions as s;
    let now = At(tx.now());
    diesel::update(s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::id.eq(Key(session))))
        .set(s::ended_at.eq(Some(now)))
        .execute(tx.conn())?;
    Ok(())
}

/// Ends every session of somebody.
///
/// # Errors
/// When the database fails.
pub fn end_all(tx: &mut Tx<'_>, staff_id: Id<StaffMember>) -> storage::Result<()> {
    use staff_sessions as s;
    let now = At(tx.now());
    let mine = s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::staff_id.eq(Key(staff_id)));
    diesel::update(mine.filter(s::ended_at.is_null())).set(s::ended_at.eq(Some(now))).execute(tx.conn())?;
    Ok(())
}

/// Deletes sessions that no token opens any more. Tidying only.
///
/// # Errors
/// When the database fails.
pub fn delete_ended(tx: &mut Tx<'_>) -> storage::Result<usize> {
    use spent_refreshes as p;
    use staff_sessions as s;
    let (tenant, now) = (Key(tx.tenant()), At(tx.now()));
    // The spent tokens of a session that ended early are kept to its end, so that one that comes again is known.
    let over: Vec<SessionId> = s::table
        .filter(s::tenant_id.eq(tenant))
        .filter(s::ends_at.le(now))
        .select(s::id)
        .limit(1000)
        .load(tx.conn())?;
    let keys: Vec<_> = over.into_iter().map(Key).collect();
    diesel::delete(p::table.filter(p::tenant_id.eq(tenant)).filter(p::session_id.eq_any(&keys))).execute(tx.conn())?;
    Ok(diesel::delete(s::table.filter(s::tenant_id.eq(tenant)).filter(s::id.eq_any(&keys))).execute(tx.conn())?)
}
