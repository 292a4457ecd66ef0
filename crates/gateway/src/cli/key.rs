//! `sportello key`: keys of devices, of other systems and of the deployment.

use clap::{Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use kernel::{Clock, SystemClock};
use platform::{
    access::keys::{self, KeyKind, KeyScope, NewKey},
    directory::store as directory,
};
use storage::Db;

use super::{CliError, Needs, Of, scope_of};
use crate::terminal::say;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    Device,
    Integration,
    Platform,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Issue a key and print it, once.
    Issue {
        #[command(flatten)]
        of: Of,
        /// What it is for.
        #[arg(long, value_enum)]
        kind: Kind,
        /// What people will call it.
        #[arg(long)]
        label: String,
        /// The office of a device, by slug.
        #[arg(long, value_name = "SLUG", required_if_eq("kind", "device"))]
        office: Option<String>,
        /// What an integration may do: appointments:read, appointments:write, directory:write. Repeatable.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<KeyScope>,
        /// After so many days it does not answer any more.
        #[arg(long, value_name = "DAYS")]
        expires_in_days: Option<u32>,
    },
    /// Give a key a new secret and print it, once; the old one answers for a while.
    Rotate {
        #[command(flatten)]
        of: Of,
        /// The part between the two underscores.
        handle: String,
        /// How long the old secret still answers.
        #[arg(long, default_value_t = 24)]
        grace_hours: u32,
    },
    /// End a key at once.
    Revoke {
        #[command(flatten)]
        of: Of,
        /// The part between the two underscores.
        handle: String,
    },
    /// List keys, without their secrets.
    List {
        #[command(flatten)]
        of: Of,
    },
}

impl KeyCommand {
    /// Listing changes nothing.
    pub(super) const fn needs(&self) -> Needs {
        if matches!(self, Self::List { .. }) { Needs::Reading } else { Needs::Secret }
    }
}

pub(super) async fn run(db: &Db, command: KeyCommand) -> Result<(), CliError> {
    match command {
        KeyCommand::Issue { of, kind, label, office, scopes, expires_in_days } => {
            let kind = match kind {
                Kind::Device => KeyKind::Device,
                Kind::Integration => KeyKind::Integration,
                Kind::Platform => KeyKind::Platform,
            };
            if kind != KeyKind::Device && office.is_some() {
                return Err(CliError::Refused("--office is for devices".to_owned()));
            }
            if kind != KeyKind::Integration && !scopes.is_empty() {
                return Err(CliError::Refused("--scope is for integrations".to_owned()));
            }
            if (kind == KeyKind::Platform) != (of.tenant == "platform") {
                return Err(CliError::Refused("a platform key belongs to --tenant platform, and only that".to_owned()));
            }
            let scope = scope_of(db, &of.tenant).await?;
            let key = db
                .write(&scope, move |tx| {
                    let office_id = match office.as_deref() {
                        None => None,
                        Some(slug) => match directory::office_by_slug(tx, slug)? {
                            Some(office) => Some(office.id),
                            None => return Ok(None),
                        },
                    };
                    let expires_at = expires_in_days.map(|days| in_days(tx.now(), days));
                    let new = NewKey { kind, label: label.clone(), office_id, scopes: scopes.clone(), expires_at };
                    keys::issue(tx, &new).map(Some)
                })
                .await?
                .ok_or_else(|| CliError::Refused("no such office".to_owned()))?;
            say(&key);
        }
        KeyCommand::Rotate { of, handle, grace_hours } => {
            let scope = scope_of(db, &of.tenant).await?;
            let grace = SignedDuration::from_hours(i64::from(grace_hours));
            let key = db.write(&scope, move |tx| keys::rotate(tx, &handle, grace)).await?;
            say(&key.ok_or_else(|| CliError::Refused("no such key, or it was revoked".to_owned()))?);
        }
        KeyCommand::Revoke { of, handle } => {
            let scope = scope_of(db, &of.tenant).await?;
            let revoked = db.write(&scope, move |tx| keys::revoke(tx, &handle)).await?;
            revoked.then(|| say("revoked")).ok_or_else(|| CliError::Refused("no such key".to_owned()))?;
        }
        KeyCommand::List { of } => {
            let scope = scope_of(db, &of.tenant).await?;
            let now = SystemClock.now();
            for key in db.read(&scope, keys::list).await? {
                let ended = key.revoked_at.is_some() || key.expires_at.is_some_and(|end| end <= now);
                let state = if ended { "ended" } else { "active" };
                say(&format!("{}\t{}\t{state}\t{}", key.handle, key.kind.as_str(), key.label));
            }
        }
    }
    Ok(())
}

fn in_days(now: Timestamp, days: u32) -> Timestamp {
    now.saturating_add(SignedDuration::from_hours(i64::from(days) * 24)).unwrap_or(Timestamp::MAX)
}
