//! `sportello backup` and `restore`: a copy of a SQLite database, made while it is in use.

use std::path::Path;

use storage::{Target, backup};

use super::CliError;
use crate::{
    config::{Config, Place},
    service::{self, StartError},
    terminal::say,
};

/// What to do about PostgreSQL, which has tools of its own.
const POSTGRESQL: &str = "this is for SQLite. PostgreSQL has pg_dump and pg_restore: run them as a superuser, since \
                          row-level security hides every row from the owner (docs/operations.md has the commands)";

fn sqlite(config: &Config) -> Result<Target, CliError> {
    match service::target(config)? {
        Target::Postgres(_) => Err(CliError::Refused(POSTGRESQL.to_owned())),
        target @ Target::Sqlite(_) => Ok(target),
    }
}

/// Copies the database to a file that must not be there yet.
pub(super) fn backup(config: &Config, to: &Path) -> Result<(), CliError> {
    let target = sqlite(config)?;
    target.must_exist().map_err(StartError::from)?;
    let bytes = backup::make(&target, to).map_err(refused)?;
    say(&format!("{}: {bytes} bytes, checked", to.display()));
    let secret = config.server.secret_file.clone().or_else(|| match &target {
        Target::Sqlite(path) => Some(path.with_extension("secret")),
        Target::Postgres(_) => None,
    });
    if let Some(secret) = secret {
        say(&format!("not in it: the secret {}", secret.display()));
        say("Keep a copy of that too, in another place: without it nobody can link citizens to their appointments.");
    }
    if let Some(files) = files(config, &target)? {
        say(&format!("not in it: the files that people sent in; they lie in {files}"));
        say("Copy them too, after the database: what is deleted in between is missed by nobody.");
    }
    say("Nor are the configuration and the keys of identity providers in it.");
    Ok(())
}

/// Puts a copy where the database is to be, and nothing is yet.
pub(super) fn restore(config: &Config, from: &Path) -> Result<(), CliError> {
    let target = sqlite(config)?;
    let pending = backup::put_back(&target, from).map_err(refused)?;
    say("restored and checked");
    for step in pending {
        say(&format!("missing: {step} (`serve` and `migrate` apply it)"));
    }
    say("Put the secret back too before you serve.");
    if let Some(files) = files(config, &target)? {
        say(&format!("And the files that people sent in: they belong into {files}"));
    }
    Ok(())
}

/// Where files lie, if any are taken.
fn files(config: &Config, target: &Target) -> Result<Option<String>, CliError> {
    Ok(match config.documents.place(target)? {
        Place::Folder(folder) => Some(format!("the folder {}", folder.display())),
        Place::Bucket(s3) => Some(format!("the bucket {}", s3.bucket)),
        Place::Nowhere => None,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the form map_err wants")]
fn refused(error: backup::BackupError) -> CliError {
    CliError::Refused(error.to_string())
}
