//! `sportello doctor`: looks at an installation and says of each thing whether it is well, and how to mend it.
//!
//! What is looked at is gathered here; what it means is said by the functions of [`checks`]. Nothing is changed:
//! no database is made or migrated, no folder and no secret. A bucket alone has something written to it, read and deleted
//! again, under a name that is always the same: nothing else tells whether it can be.

pub(crate) mod checks;

use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use connectors::HttpKeySource;
use documents::{files::access::Subjects, ports::Depot};
use futures_util::StreamExt;
use jiff::Timestamp;
use kernel::{Clock, SystemClock};
use platform::{
    access::{staff, tokens::KeyLocation},
    ports::KeySource,
    tenants,
};
use storage::{Db, Scope, Seal, Target, health, migrate};

use crate::{
    config::{Config, Flags, Place},
    service,
};
use checks::{Finding, SecretFile};

/// Looks at everything that can be looked at; what depends on something that is not there is left out.
pub(crate) async fn examine(flags: &Flags) -> Vec<Finding> {
    let config = match Config::load(flags) {
        Ok(config) => config,
        Err(error) => return vec![checks::configuration(Err(error.to_string()))],
    };
    let mut findings = vec![checks::configuration(Ok(()))];
    findings.push(checks::listening(config.server.listen, TcpListener::bind(config.server.listen).map(drop)));
    match service::target(&config) {
        Err(error) => findings.push(checks::database_address(&error.to_string())),
        Ok(target) => {
            findings.extend(secret(&config, &target));
            findings.extend(database(&config, &target).await);
            findings.extend(documents(&config, &target).await);
        }
    }
    findings.extend(identity(&config).await);
    findings
}

fn secret(config: &Config, target: &Target) -> Vec<Finding> {
    let named = config.server.secret_file.is_some();
    let path = match (&config.server.secret_file, target) {
        (Some(path), _) => path.clone(),
        (None, Target::Sqlite(database)) => database.with_extension("secret"),
        (None, Target::Postgres(_)) => return vec![checks::no_secret()],
    };
    let file = fs::metadata(&path).and_then(|data| {
        let length = fs::read(&path)?.trim_ascii().len();
        Ok(SecretFile { mode: data.permissions().mode() & 0o777, length })
    });
    vec![checks::secret(&path, named, file)]
}

async fn database(config: &Config, target: &Target) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Target::Sqlite(path) = target {
        let folder = folder_of(path);
        findings.push(checks::folder(&folder, rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK).is_ok()));
        if let Ok(space) = rustix::fs::statvfs(&folder) {
            let size = fs::metadata(path).map_or(0, |data| data.len());
            findings.push(checks::disk(space.f_bavail.saturating_mul(space.f_frsize), size));
        }
        if let Err(error) = target.must_exist() {
            findings.push(checks::unreachable(&error.to_string()));
            return findings;
        }
        let changed = fs::metadata(path).and_then(|data| data.modified());
        let changed = changed.ok().and_then(|at| Timestamp::try_from(at).ok());
        findings.push(checks::clock(SystemClock.now(), changed, "the database file was last written", true));
    }
    match health::examine(target) {
        Err(error) => {
            findings.push(checks::unreachable(&error.to_string()));
            return findings;
        }
        Ok(found) => {
            if let health::Health::Postgres { now, .. } = &found {
                findings.push(checks::clock(SystemClock.now(), Some(*now), "PostgreSQL's clock says", false));
            }
            findings.extend(checks::database(&found));
        }
    }
    match migrate::pending(target) {
        Err(error) => findings.push(checks::schema(Err(error.to_string()), config.database.migrate_on_start)),
        Ok(pending) => {
            let complete = pending.is_empty();
            findings.push(checks::schema(Ok(pending), config.database.migrate_on_start));
            if complete {
                findings.extend(comuni(config, target).await);
            }
        }
    }
    findings
}

/// Where files lie, now and while they are looked at, and what scans them.
async fn documents(config: &Config, target: &Target) -> Vec<Finding> {
    let store = match config.documents.place(target) {
        Err(error) => checks::documents(Err(error.to_string())),
        Ok(Place::Nowhere) => checks::no_documents(),
        Ok(Place::Folder(folder)) => {
            let there = existing(&folder);
            let writable = is_writable(&there);
            let cannot = || format!("{} cannot be written to", there.display());
            checks::documents(if writable { Ok(format!("{} takes files", folder.display())) } else { Err(cannot()) })
        }
        Ok(Place::Bucket(s3)) => {
            let found = probed(config, target).await.map(|()| format!("the bucket {} takes files", s3.bucket));
            checks::documents(found)
        }
    };
    let folder = config.documents.spool();
    let writable = is_writable(&folder);
    let free = rustix::fs::statvfs(&folder).ok().map(|space| space.f_bavail.saturating_mul(space.f_frsize));
    let spool = checks::spool(&folder, writable, free, config.documents.spooled());
    let scanner = match config.documents.scanner() {
        Err(error) => Some(checks::scanner(Err(error.to_string()))),
        Ok(None) => None,
        Ok(Some(scanner)) => {
            let nothing = Box::pin(futures_util::stream::empty());
            Some(checks::scanner(scanner.scan(nothing).await.map(drop).map_err(|error| error.to_string())))
        }
    };
    [Some(store), Some(spool), scanner].into_iter().flatten().collect()
}

/// What is written to a store to see whether it takes it. Where this program dies in between, it lies there once.
const PROBE: (&str, &[u8]) = ("doctor/probe", b"written by sportello doctor; may be deleted\n");

/// Writes something to the store, reads it and deletes it again.
async fn probed(config: &Config, target: &Target) -> Result<(), String> {
    let opened = config.documents.open(target, Subjects::default()).map_err(|error| error.to_string())?;
    let depot = opened.depot().map_err(|problem| problem.to_string())?;
    let (key, words) = PROBE;
    let length = u64::try_from(words.len()).unwrap_or(0);
    let mut file = tempfile::tempfile_in(config.documents.spool()).map_err(|error| format!("the spool: {error}"))?;
    file.write_all(words).map_err(|error| format!("the spool: {error}"))?;
    depot.put(key, Arc::new(file), length).await.map_err(|error| format!("it cannot be written to: {error}"))?;
    let read = read_back(depot.as_ref(), key, length).await;
    depot.delete(key).await.map_err(|error| format!("nothing can be deleted from it: {error}"))?;
    match read {
        Ok(read) if read == words => Ok(()),
        Ok(_) => Err("it gives back something else than was written to it".to_owned()),
        Err(error) => Err(format!("it cannot be read: {error}")),
    }
}

async fn read_back(depot: &dyn Depot, key: &str, length: u64) -> Result<Vec<u8>, String> {
    let mut content = depot.get(key, 0..length).await.map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    while let Some(piece) = content.next().await {
        bytes.extend_from_slice(&piece.map_err(|error| error.to_string())?);
    }
    Ok(bytes)
}

/// Tried with a file under no name, which leaves nothing: what the permissions say is not all there is to it.
fn is_writable(folder: &Path) -> bool {
    tempfile::tempfile_in(folder).is_ok()
}

/// The folder itself, or the nearest one above it that is there: what is missing is made in it.
fn existing(folder: &Path) -> PathBuf {
    let mut there = folder.to_owned();
    while !there.exists() {
        let above = folder_of(&there);
        if above == there {
            break;
        }
        there = above;
    }
    there
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new(".")).to_owned()
}

/// Who is served, and whether somebody administers them.
async fn comuni(config: &Config, target: &Target) -> Vec<Finding> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // Nothing is written, so nothing is sealed.
    let opened = Db::open(target, &config.database.options(Seal::default()), clock);
    let db = match opened {
        Ok(db) => db,
        Err(error) => return vec![checks::unreachable(&error.to_string())],
    };
    let all = match db.read(&Scope::platform(), tenants::list).await {
        Ok(all) => all,
        Err(problem) => return vec![checks::unreachable(&problem.to_string())],
    };
    let mut without = Vec::new();
    for tenant in &all {
        let admins = db.read(&Scope::system(tenant.tenant_id), staff::store::able_admins).await;
        if admins.is_ok_and(|admins| admins == 0) {
            without.push(tenant.slug.clone());
        }
    }
    vec![checks::comuni(all.len(), &without)]
}

async fn identity(config: &Config) -> Vec<Finding> {
    if config.identity.providers.is_empty() {
        return vec![checks::no_providers()];
    }
    let mut findings = Vec::new();
    for provider in &config.identity.providers {
        let keys = match provider.provider() {
            Err(error) => Err(error.to_string()),
            Ok(known) => match known.keys {
                KeyLocation::Inline(bytes) => Ok(bytes),
                KeyLocation::Url(url) => fetched(&url).await,
            },
        };
        findings.push(checks::provider(&provider.name, keys.as_deref().map_err(String::as_str)));
    }
    findings
}

async fn fetched(url: &str) -> Result<Vec<u8>, String> {
    let source = HttpKeySource::new().map_err(|error| error.to_string())?;
    source.fetch(url).await.map_err(|error| error.to_string())
}
