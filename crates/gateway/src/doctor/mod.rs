//! `sportello doctor`: looks at an installation and says of each thing whether it is well, and how to mend it.
//!
//! What is looked at is gathered here; what it means is said by the functions of [`checks`]. Nothing is changed:
//! no database is made or migrated, and no secret.

pub(crate) mod checks;

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use connectors::HttpKeySource;
use jiff::Timestamp;
use kernel::{Clock, SystemClock};
use platform::{
    access::{staff, tokens::KeyLocation},
    ports::KeySource,
    tenants,
};
use storage::{Db, Scope, Seal, Target, health, migrate};

use crate::{
    config::{Config, Flags},
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
