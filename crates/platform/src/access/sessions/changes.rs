//! What opening, refreshing and ending a session consist of, and setting passwords and one-time codes.

use kernel::Id;
use storage::Tx;

use super::{
    PROVIDER,
    attempts::{Attempt, Outcome, Second},
    model::{PasswordChanged, PasswordEnrolment, RecoveryCodes, SessionView, TotpEnrolment},
    rules,
    secrets::{self, Seed, Tokens},
    store::{self, Account, SessionId, StoredSession},
};
use crate::{
    access::{
        DeploymentSecret,
        staff::{
            self, StaffMember,
            model::{StaffEntry, StaffState},
        },
    },
    audit::{self, Change},
    http::not_found,
    problems::{NOT_BY_PASSWORD, TOTP_ENROLMENT_REQUIRED, UNAUTHENTICATED},
};

fn about_staff(tx: &mut Tx<'_>, action: &str, subject: Id<StaffMember>) -> storage::Result<()> {
    audit::record(tx, Change { action, subject_kind: "staff-member", subject, before: None, after: None })
}

fn about_session(tx: &mut Tx<'_>, action: &str, subject: SessionId) -> storage::Result<()> {
    audit::record(tx, Change { action, subject_kind: "session", subject, before: None, after: None })
}

/// Opens a session for somebody whose password is right.
pub(super) fn sign_in(
    tx: &mut Tx<'_>,
    secret: &DeploymentSecret,
    attempt: &Attempt,
    second: &Second,
    wants_totp: impl Fn(&StaffEntry, &Account) -> bool,
) -> storage::Result<Outcome<SessionView>> {
    let account = match attempt.prove(tx, secret, second)? {
        Outcome::Done(account) => account,
        Outcome::Refused(kind) => return Ok(Outcome::Refused(kind)),
    };
    if wants_totp(&attempt.entry, &account) {
        about_staff(tx, "sign-in.failed", account.staff_id)?;
        return Ok(Outcome::Refused(&TOTP_ENROLMENT_REQUIRED));
    }
    let (now, tokens) = (tx.now(), Tokens::new(None));
    let ends_at = now.saturating_add(rules::SESSION_LIFE).unwrap_or(now);
    let session = StoredSession {
        id: tx.new_id(),
        staff_id: account.staff_id,
        handle: tokens.handle.clone(),
        access_digest: tokens.access_digest.clone(),
        access_expires_at: rules::access_until(now, ends_at),
        refresh_digest: tokens.refresh_digest.clone(),
        refresh_expires_at: rules::refresh_until(now, ends_at),
        ends_at,
        ended_at: None,
    };
    store::insert_session(tx, &session)?;
    about_session(tx, "session.opened", session.id)?;
    Ok(Outcome::Done(view(&session, tokens, now)))
}

fn view(session: &StoredSession, tokens: Tokens, now: jiff::Timestamp) -> SessionView {
    SessionView::new(tokens.access, tokens.refresh, (session.access_expires_at, session.refresh_expires_at), now)
}

/// Spends a refresh token for the next two tokens. One that was spent before ends the session: two have it now, and
/// nobody knows which of them it was meant for (RFC 9700 §4.14.2).
pub(super) fn refresh(tx: &mut Tx<'_>, handle: &str, digest: &str) -> storage::Result<Outcome<SessionView>> {
    const REFUSED: Outcome<SessionView> = Outcome::Refused(&UNAUTHENTICATED);
    let now = tx.now();
    let Some(mut session) = store::lock_session(tx, handle)? else { return Ok(REFUSED) };
    if !store::same(&session.refresh_digest, digest) {
        if session.ended_at.is_none() && store::was_spent(tx, session.id, digest)? {
            store::end(tx, session.id)?;
            about_session(tx, "session.token-reused", session.id)?;
        }
        return Ok(REFUSED);
    }
    let works_here = staff::store::get(tx, session.staff_id)?.is_some_and(|entry| entry.state() == StaffState::Active);
    if session.ended_at.is_some() || now >= session.refresh_expires_at || !works_here {
        return Ok(REFUSED);
    }
    let tokens = Tokens::new(Some(session.handle.clone()));
    session.access_digest.clone_from(&tokens.access_digest);
    session.access_expires_at = rules::access_until(now, session.ends_at);
    session.refresh_digest.clone_from(&tokens.refresh_digest);
    session.refresh_expires_at = rules::refresh_until(now, session.ends_at);
    store::rotate(tx, &session, digest)?;
    about_session(tx, "session.refreshed", session.id)?;
    Ok(Outcome::Done(view(&session, tokens, now)))
}

/// Ends the session of a refresh token. Saying it twice, or of a token that is none, changes nothing (RFC 7009 §2.2).
pub(super) fn end(tx: &mut Tx<'_>, handle: &str, digest: &str) -> storage::Result<()> {
    let Some(session) = store::lock_session(tx, handle)? else { return Ok(()) };
    let own = store::same(&session.refresh_digest, digest) || store::was_spent(tx, session.id, digest)?;
    if own && session.ended_at.is_none() {
        store::end(tx, session.id)?;
        about_session(tx, "session.ended", session.id)?;
    }
    Ok(())
}

/// A code with which somebody of the staff sets a password. One that was made before answers no more.
///
/// # Errors
/// `not-found`, `not-by-password` for those who sign in otherwise, or when the database fails.
pub fn enrolment(tx: &mut Tx<'_>, id: Id<StaffMember>) -> storage::Result<PasswordEnrolment> {
    let entry = staff::store::get(tx, id)?.ok_or_else(not_found)?;
    if entry.provider != PROVIDER {
        return Err(kernel::Problem::new(&NOT_BY_PASSWORD).into());
    }
    store::ensure(tx, id)?;
    let mut account = store::lock(tx, id)?.ok_or_else(not_found)?;
    let (code, digest) = secrets::new_enrolment();
    let expires_at = tx.now().saturating_add(rules::ENROLMENT_LIFE).unwrap_or(tx.now());
    account.enrolment_digest = Some(digest);
    account.enrolment_expires_at = Some(expires_at);
    store::save(tx, &account)?;
    about_staff(tx, "password.enrolment-made", id)?;
    Ok(PasswordEnrolment { username: entry.subject, enrolment_code: code, expires_at })
}

/// Sets a password by a code to enrol with. What proved before who it is proves nothing any more: whoever needs a new
/// code may have lost the old password to somebody.
pub(super) fn enrol(
    tx: &mut Tx<'_>,
    username: &str,
    code: &str,
    hash: String,
) -> storage::Result<Outcome<PasswordChanged>> {
    let (now, digest) = (tx.now(), secrets::enrolment_digest(code));
    let entry = staff::store::entry_of(tx, PROVIDER, username)?.filter(|entry| entry.state() == StaffState::Active);
    let account = match &entry {
        Some(entry) => store::lock(tx, entry.id)?.filter(|account| account.enrols_by(&digest, now)),
        None => None,
    };
    let Some(mut account) = account else { return Ok(Outcome::Refused(&UNAUTHENTICATED)) };
    (account.totp_seed, account.totp_pending) = (None, None);
    store::put_recovery_codes(tx, account.staff_id, &[])?;
    set_password(tx, username, account, hash).map(Outcome::Done)
}

/// Sets a password, and ends every session there is.
pub(super) fn set_password(
    tx: &mut Tx<'_>,
    username: &str,
    mut account: Account,
    hash: String,
) -> storage::Result<PasswordChanged> {
    account.password_hash = Some(hash);
    account.enrolment_digest = None;
    account.enrolment_expires_at = None;
    account.set_lockout(rules::Lockout::default());
    store::save(tx, &account)?;
    store::password_changed(tx, account.staff_id)?;
    store::end_all(tx, account.staff_id)?;
    about_staff(tx, "password.changed", account.staff_id)?;
    Ok(PasswordChanged { username: username.to_owned(), changed_at: tx.now() })
}

/// Begins to enrol an authenticator. The codes of the one before are asked for until the new one is confirmed.
pub(super) fn enrol_totp(
    tx: &mut Tx<'_>,
    secret: &DeploymentSecret,
    attempt: &Attempt,
    second: &Second,
    comune: &str,
) -> storage::Result<Outcome<TotpEnrolment>> {
    let mut account = match attempt.prove(tx, secret, second)? {
        Outcome::Done(account) => account,
        Outcome::Refused(kind) => return Ok(Outcome::Refused(kind)),
    };
    let (seed, username) = (Seed::new(), attempt.entry.subject.clone());
    account.totp_pending = Some(seed.concealed(secret)?);
    store::save(tx, &account)?;
    about_staff(tx, "totp.enrolment-begun", account.staff_id)?;
    let uri = seed.uri(comune, &username)?;
    Ok(Outcome::Done(TotpEnrolment { username, seed: seed.text(), uri }))
}

/// From now on its codes are asked for; whoever loses it has the codes that are answered.
pub(super) fn confirm_totp(
    tx: &mut Tx<'_>,
    secret: &DeploymentSecret,
    attempt: &Attempt,
    code: String,
) -> storage::Result<Outcome<RecoveryCodes>> {
    let mut account = match attempt.prove(tx, secret, &Second::Pending(code))? {
        Outcome::Done(account) => account,
        Outcome::Refused(kind) => return Ok(Outcome::Refused(kind)),
    };
    account.totp_seed = account.totp_pending.take();
    store::save(tx, &account)?;
    let (tenant, recovery_codes) = (tx.tenant(), secrets::new_recovery_codes());
    let digests: Vec<_> = recovery_codes.iter().map(|code| secrets::recovery_digest(secret, tenant, code)).collect();
    store::put_recovery_codes(tx, account.staff_id, &digests)?;
    about_staff(tx, "totp.confirmed", account.staff_id)?;
    Ok(Outcome::Done(RecoveryCodes { recovery_codes }))
}

/// Deletes sessions that are over. Tidying only: no token of theirs is accepted either way.
///
/// # Errors
/// When the database fails.
pub fn sweep(tx: &mut Tx<'_>) -> storage::Result<usize> {
    store::delete_ended(tx)
}
