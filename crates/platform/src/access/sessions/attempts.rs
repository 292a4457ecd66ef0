//! Looking at what somebody proves themselves with: the password outside of any transaction, since it takes its time,
//! the rest in the transaction that depends on it.

use kernel::{Id, Problem, ProblemKind};
use serde_json::json;
use storage::{Actor, Scope, Tx};

use super::{
    PROVIDER, Passwords,
    rules::Lockout,
    secrets::{Seed, recovery_digest},
    store::{self, Account},
};
use crate::{
    access::{
        Access, Caller, DeploymentSecret,
        staff::{
            self, StaffMember,
            model::{StaffEntry, StaffState},
        },
    },
    audit::{self, Change},
    problems::{TOTP_REQUIRED, UNAUTHENTICATED},
};

/// Somebody whose password is right. More may be asked of them.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) entry: StaffEntry,
    hash: Option<String>,
    before: Lockout,
    after: Lockout,
    open: bool,
}

kernel::redacted_debug!(Attempt);

/// What is proved with beside the password.
#[derive(Clone)]
pub(super) enum Second {
    /// What whoever has one-time codes must bring, and others need not.
    IfEnrolled { totp: Option<String>, recovery: Option<String> },
    /// The code of an authenticator that is being enrolled.
    Pending(String),
}

/// How a transaction ended that is kept also when it refuses: what was counted stays counted.
#[derive(Debug)]
pub(super) enum Outcome<T> {
    Done(T),
    Refused(&'static ProblemKind),
}

impl<T> Outcome<T> {
    /// What the caller is told.
    pub(super) fn told(self) -> Result<T, Problem> {
        match self {
            Self::Done(value) => Ok(value),
            Self::Refused(kind) => Err(Problem::new(kind)),
        }
    }
}

/// Counts the attempt before it is looked at. `None`: no such user.
fn begin(tx: &mut Tx<'_>, username: &str) -> storage::Result<Option<Attempt>> {
    let Some(entry) = staff::store::entry_of(tx, PROVIDER, username)? else { return Ok(None) };
    let Some(mut account) = store::lock(tx, entry.id)? else { return Ok(None) };
    let (now, before) = (tx.now(), account.lockout());
    let open = !before.is_locked(now) && entry.state() == StaffState::Active;
    let after = if open { before.with_attempt(now) } else { before };
    account.set_lockout(after);
    store::save(tx, &account)?;
    Ok(Some(Attempt { entry, hash: account.password_hash, before, after, open }))
}

/// Who this is, if user name and password are right.
///
/// # Errors
/// `unauthenticated` when they are not, or the account is locked; which of it is told to nobody.
pub(super) async fn checked(
    access: &Access,
    caller: &Caller,
    username: &str,
    password: &str,
) -> Result<Attempt, Problem> {
    let turn = access.passwords.hasher.turn().await?;
    let name = username.to_owned();
    let attempt = access.db.write(caller, move |tx| begin(tx, &name)).await?;
    let hash = attempt.as_ref().filter(|attempt| attempt.open).and_then(|attempt| attempt.hash.clone());
    let is_right = turn.verify(password.to_owned(), hash).await?;
    match attempt {
        Some(attempt) if is_right => Ok(attempt),
        attempt => Err(refused(access, caller, attempt.map(|attempt| attempt.entry.id), username).await?),
    }
}

/// Notes that somebody was not let in (Garante, 27 November 2008), and what they are told.
pub(super) async fn refused(
    access: &Access,
    caller: &Caller,
    id: Option<Id<StaffMember>>,
    username: &str,
) -> Result<Problem, Problem> {
    // The name may be a password in the wrong field: only a keyed digest of it is kept.
    let tried = json!({ "username": username });
    access
        .db
        .write(caller, move |tx| {
            let tenant = tx.tenant();
            let change = |subject, kind| Change {
                action: "sign-in.failed",
                subject_kind: kind,
                subject,
                before: None,
                after: Some(&tried),
            };
            match id {
                Some(id) => audit::record(tx, change(id.cast::<()>(), "staff-member")),
                None => audit::record(tx, change(tenant.cast::<()>(), "tenant")),
            }
        })
        .await?;
    Ok(Problem::new(&UNAUTHENTICATED))
}

impl Attempt {
    /// What this person does is done in their name.
    pub(super) fn scope(&self, caller: &Caller) -> Scope {
        Scope { tenant: caller.tenant.tenant_id, actor: Actor::new("staff", self.entry.id) }
    }

    /// Asks for what is needed beside the password. The account is the caller's to change and to save.
    pub(super) fn prove(
        &self,
        tx: &mut Tx<'_>,
        secret: &DeploymentSecret,
        second: &Second,
    ) -> storage::Result<Outcome<Account>> {
        let found = store::lock(tx, self.entry.id)?;
        // Another password was set while this one was being checked.
        let found = found.filter(|account| account.password_hash == self.hash);
        let Some(mut account) = found else { return self.fail(tx) };
        match second {
            Second::Pending(code) => {
                let seed = account.totp_pending.as_deref().and_then(|stored| Seed::revealed(secret, stored));
                let Some(step) = seed.and_then(|seed| seed.step_of(code, tx.now())) else { return self.fail(tx) };
                account.totp_step = step;
            }
            Second::IfEnrolled { totp, recovery } => {
                if let Some(stored) = &account.totp_seed {
                    match (totp, recovery) {
                        (Some(code), _) => {
                            let step = Seed::revealed(secret, stored).and_then(|seed| seed.step_of(code, tx.now()));
                            // RFC 6238 §5.2: a code is accepted once.
                            let Some(step) = step.filter(|step| *step > account.totp_step) else {
                                return self.fail(tx);
                            };
                            account.totp_step = step;
                        }
                        (None, Some(code)) => {
                            let digest = recovery_digest(secret, tx.tenant(), code);
                            if !store::use_recovery_code(tx, account.staff_id, &digest)? {
                                return self.fail(tx);
                            }
                        }
                        (None, None) => {
                            let lockout = account.lockout().without_attempt(self.before, self.after);
                            account.set_lockout(lockout);
                            store::save(tx, &account)?;
                            return Ok(Outcome::Refused(&TOTP_REQUIRED));
                        }
                    }
                }
            }
        }
        account.set_lockout(Lockout::default());
        store::save(tx, &account)?;
        Ok(Outcome::Done(account))
    }

    /// The attempt was counted when it began.
    fn fail<T>(&self, tx: &mut Tx<'_>) -> storage::Result<Outcome<T>> {
        let subject = self.entry.id;
        audit::record(
            tx,
            Change { action: "sign-in.failed", subject_kind: "staff-member", subject, before: None, after: None },
        )?;
        Ok(Outcome::Refused(&UNAUTHENTICATED))
    }
}

impl Passwords {
    /// Whether somebody of this entry gets no session before they have one-time codes.
    pub(super) fn wants_totp(&self, entry: &StaffEntry, account: &Account) -> bool {
        let required = self.settings.totp_required_for_admins;
        super::rules::must_enrol_totp(entry.role, account.totp_seed.is_some(), required)
    }
}
