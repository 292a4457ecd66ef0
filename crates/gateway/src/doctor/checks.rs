//! What each thing that was looked at means.

use std::{io, net::SocketAddr, path::Path};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use storage::health::Health;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Well.
    Ok,
    /// It works; somebody should look at it.
    Warning,
    /// It does not work, or not safely.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What.
    pub(crate) check: &'static str,
    /// How it is.
    pub(crate) level: Level,
    /// In words.
    pub(crate) found: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mend: Option<String>,
}

fn ok(check: &'static str, found: impl Into<String>) -> Finding {
    Finding { check, level: Level::Ok, found: found.into(), mend: None }
}
fn warning(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding { check, level: Level::Warning, found: found.into(), mend: Some(mend.into()) }
}
fn problem(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding { check, level: Level::Problem, found: found.into(), mend: Some(mend.into()) }
}

pub(crate) fn configuration(read: Result<(), String>) -> Finding {
    match read {
        Ok(()) => ok("configuration", "every setting is known"),
        Err(error) => problem("configuration", error, "correct the setting that is named (docs/configuration.md)"),
    }
}

pub(crate) fn listening(address: SocketAddr, bound: io::Result<()>) -> Finding {
    match bound {
        Ok(()) => ok("listen", format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => warning(
            "listen",
            format!("{address} is in use"),
            "well if that is this service running; otherwise set server.listen to another address",
        ),
        Err(error) => problem(
            "listen",
            format!("{address}: {error}"),
            "set server.listen to an address of this machine, with a port that this user may open",
        ),
    }
}

pub(crate) fn database_address(error: &str) -> Finding {
    problem("database", error, "set database.url (docs/configuration.md)")
}

pub(crate) fn unreachable(error: &str) -> Finding {
    problem(
        "database",
        error,
        "SQLite: `sportello migrate` makes the file; PostgreSQL: start the server, check role, password and database",
    )
}

/// The file of the secret.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecretFile {
    /// Its permissions.
    pub(crate) mode: u32,
    /// Bytes, without blanks around them.
    pub(crate) length: usize,
}

pub(crate) fn no_secret() -> Finding {
    problem(
        "secret",
        "no secret is named, and over PostgreSQL the gateways must share one",
        "head -c 32 /dev/urandom | base64 > secret.key; chmod 600 secret.key; set server.secret_file",
    )
}

pub(crate) fn secret(path: &Path, named: bool, file: io::Result<SecretFile>) -> Finding {
    let shown = path.display();
    match file {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !named => warning(
            "secret",
            format!("{shown} is not there; it is made at the first start"),
            "if this Comune was served before, put the old secret back: citizens are not recognised with a new one",
        ),
        Err(error) => problem(
            "secret",
            format!("{shown}: {error}"),
            "let the user of the service read it, or put it back from where it is kept",
        ),
        Ok(file) if file.length < 16 => problem(
            "secret",
            format!("{shown} holds {} bytes, and 16 are the least", file.length),
            "put the right one back; for a new installation: head -c 32 /dev/urandom | base64",
        ),
        Ok(file) if file.mode & 0o077 != 0 => {
            problem("secret", format!("{shown} can be read by others ({:o})", file.mode), format!("chmod 600 {shown}"))
        }
        Ok(_) => ok("secret", format!("{shown} is there, and its owner's alone")),
    }
}

pub(crate) fn folder(folder: &Path, writable: bool) -> Finding {
    let shown = folder.display();
    if writable {
        return ok("folder", format!("{shown} can be written to"));
    }
    problem(
        "folder",
        format!("{shown} is not there or cannot be written to, and SQLite keeps its journals there"),
        "make it, and let it belong to the user of the service",
    )
}

pub(crate) fn documents(found: Result<String, String>) -> Finding {
    let mend = "let documents.folder be a folder of the service's user, or documents.s3 a bucket that it may write to";
    found.map_or_else(|error| problem("documents", error, mend), |found| ok("documents", found))
}

/// Where files lie while they are looked at, and archives while they are put together.
pub(crate) fn spool(folder: &Path, writable: bool, free: Option<u64>, needed: u64) -> Finding {
    let shown = folder.display();
    if !writable {
        let mend = "let documents.spool_folder be a folder of the service's user";
        return problem("spool", format!("{shown} is not there or cannot be written to"), mend);
    }
    match free {
        Some(free) if free < needed => warning(
            "spool",
            format!("{shown} has {} MiB free, and what may come in at once is {}", free >> 20, needed >> 20),
            "make room, set documents.spool_folder to a larger disk, or documents.max_uploads lower",
        ),
        _ => ok("spool", format!("{shown} can be written to")),
    }
}

pub(crate) fn no_documents() -> Finding {
    let mend = "set documents.folder, or documents.s3 where there are several gateways";
    warning("documents", "no files are taken: nothing says where they lie", mend)
}

pub(crate) fn scanner(found: Result<(), String>) -> Finding {
    match found {
        Ok(()) => ok("scanner", "the scanner answers"),
        Err(error) => problem("scanner", error, "start ClamAV's daemon, or correct documents.scanner"),
    }
}

/// Less than this is little, in bytes.
const LITTLE_SPACE: u64 = 1 << 30;
/// Less than this is none.
const NO_SPACE: u64 = 64 << 20;

pub(crate) fn disk(free: u64, database: u64) -> Finding {
    let found = format!("{} MiB are free, the database has {} MiB", free >> 20, database >> 20);
    let mend = "make room: SQLite needs it for its journal, and a backup beside it as much as the database has";
    match free {
        free if free < NO_SPACE => problem("disk", found, mend),
        free if free < LITTLE_SPACE || free < database => warning("disk", found, mend),
        _ => ok("disk", found),
    }
}

/// `other` is another clock's time, or, with `past`, an instant that must not lie in the future.
pub(crate) fn clock(now: Timestamp, other: Option<Timestamp>, whose: &str, past: bool) -> Finding {
    let mend = "set the clock, and keep it by NTP (timedatectl set-ntp true)";
    let year = now.to_zoned(jiff::tz::TimeZone::UTC).year();
    if !(2026..2100).contains(&year) {
        return problem("clock", format!("this machine lives in the year {year}"), mend);
    }
    let Some(other) = other else { return ok("clock", "nothing to compare it with") };
    let apart = now.duration_since(other);
    let off = if past { (-apart).max(SignedDuration::ZERO) } else { apart.abs() };
    if off > SignedDuration::from_secs(60) {
        return problem("clock", format!("{whose} {other}, and this machine {now}"), mend);
    }
    if off > SignedDuration::from_secs(5) {
        return warning("clock", format!("{whose} {other}, and this machine {now}"), mend);
    }
    ok("clock", format!("{whose} nothing else than this machine's clock"))
}

pub(crate) fn database(found: &Health) -> Vec<Finding> {
    match found {
        Health::Sqlite { version, journal_mode, quick_check } => {
            let journal = if journal_mode == "wal" {
                ok("journal", "SQLite writes ahead (WAL)")
            } else {
                problem(
                    "journal",
                    format!("SQLite's journal mode is {journal_mode}"),
                    "keep the file on a local disk: WAL does not work on a network's",
                )
            };
            let integrity = if quick_check == "ok" {
                ok("integrity", format!("SQLite {version} finds the file whole"))
            } else {
                problem("integrity", quick_check.as_str(), "stop the service, keep the file, restore the last backup")
            };
            vec![journal, integrity]
        }
        Health::Postgres { version, bypasses, unwalled, lc_messages, .. } => {
            let (major, minor) = (version / 10_000, version % 10_000);
            let server = if *version >= 150_000 {
                ok("database", format!("PostgreSQL {major}.{minor} answers"))
            } else {
                warning("database", format!("PostgreSQL {major}.{minor}; the tests run on 15"), "use 15 or later")
            };
            let role = if *bypasses {
                problem(
                    "role",
                    "the role is a superuser or bypasses row-level security: the second wall between Comuni is off",
                    "ALTER ROLE … NOSUPERUSER NOBYPASSRLS, or use another role (docs/operations.md)",
                )
            } else {
                ok("role", "row-level security binds the role")
            };
            let walls = if unwalled.is_empty() {
                ok("walls", "row-level security is on for every table of a Comune")
            } else {
                problem(
                    "walls",
                    format!("row-level security is off for {}", unwalled.join(", ")),
                    "`sportello migrate` puts it on again",
                )
            };
            let speaks_english = ["C", "POSIX", ""].contains(&lc_messages.as_str())
                || lc_messages.starts_with("en")
                || lc_messages.starts_with("C.");
            let messages = if speaks_english {
                ok("messages", format!("lc_messages is {lc_messages}"))
            } else {
                warning(
                    "messages",
                    format!("lc_messages is {lc_messages}: a lock that was not had in time is not recognised"),
                    "ALTER ROLE sportello SET lc_messages = 'C'",
                )
            };
            vec![server, role, walls, messages]
        }
    }
}

pub(crate) fn schema(pending: Result<Vec<&'static str>, String>, migrates: bool) -> Finding {
    match pending {
        Err(error) => problem("schema", error, "use the version of the program that the database was migrated with"),
        Ok(steps) if steps.is_empty() => ok("schema", "up to date"),
        Ok(steps) if migrates => warning(
            "schema",
            format!("missing: {}", steps.join(", ")),
            "take a backup; `serve` applies them, `sportello migrate` too",
        ),
        Ok(steps) => problem("schema", format!("missing: {}", steps.join(", ")), "sportello migrate"),
    }
}

pub(crate) fn comuni(count: usize, without_admin: &[String]) -> Finding {
    if count == 0 {
        return warning("comuni", "there is none", "sportello tenant add --help");
    }
    if without_admin.is_empty() {
        return ok("comuni", format!("{count}, each with an admin"));
    }
    warning(
        "comuni",
        format!("nobody administers {}", without_admin.join(", ")),
        "sportello user add --role admin --tenant … --provider … --subject … --name …",
    )
}

pub(crate) fn no_providers() -> Finding {
    warning(
        "identity",
        "no identity provider is configured: only anonymous callers and API keys get in",
        "add [[identity.providers]] (docs/configuration.md)",
    )
}

pub(crate) fn provider(name: &str, keys: Result<&[u8], &str>) -> Finding {
    let count = match keys {
        Err(error) => {
            return problem(
                "identity",
                format!("{name}: {error}"),
                "check the address, the way there (HTTPS_PROXY, certificates) and that the provider runs",
            );
        }
        Ok(bytes) => serde_json::from_slice::<Value>(bytes)
            .ok()
            .and_then(|set| set.get("keys").and_then(Value::as_array).map(Vec::len)),
    };
    match count {
        Some(count) if count > 0 => ok("identity", format!("{name}: {count} keys")),
        _ => problem("identity", format!("{name}: its key document holds no keys"), "name the provider's JWK Set"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(finding: &Finding) -> Level {
        assert_eq!(finding.mend.is_none(), finding.level == Level::Ok, "{finding:?}");
        finding.level
    }

    #[test]
    fn a_secret_is_long_and_its_owners_alone() {
        let path = Path::new("/x/secret.key");
        let file = |mode, length| secret(path, true, Ok(SecretFile { mode, length }));
        assert_eq!(level(&file(0o600, 44)), Level::Ok);
        assert_eq!(level(&file(0o400, 16)), Level::Ok);
        assert_eq!(level(&file(0o640, 44)), Level::Problem);
        assert_eq!(level(&file(0o600, 15)), Level::Problem);
        let missing = || Err(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(level(&secret(path, true, missing())), Level::Problem);
        assert_eq!(level(&secret(path, false, missing())), Level::Warning);
        assert_eq!(level(&no_secret()), Level::Problem);
    }

    #[test]
    fn a_clock_is_compared_with_another() {
        let at = |s: i64| Timestamp::from_second(1_795_000_000 + s).unwrap();
        for (other, past, expected) in [
            (0, false, Level::Ok),
            (-30, false, Level::Warning),
            (30, false, Level::Warning),
            (90, false, Level::Problem),
            (-90, true, Level::Ok),
            (90, true, Level::Problem),
        ] {
            assert_eq!(level(&clock(at(0), Some(at(other)), "x", past)), expected, "{other}");
        }
        assert_eq!(level(&clock(Timestamp::UNIX_EPOCH, None, "x", false)), Level::Problem);
        assert_eq!(level(&clock(at(0), None, "x", false)), Level::Ok);
    }

    #[test]
    fn a_disk_has_room_for_a_copy() {
        assert_eq!(level(&disk(10 << 30, 1 << 30)), Level::Ok);
        assert_eq!(level(&disk(10 << 30, 11 << 30)), Level::Warning);
        assert_eq!(level(&disk(200 << 20, 0)), Level::Warning);
        assert_eq!(level(&disk(1 << 20, 0)), Level::Problem);
        let spool = |writable, free| level(&spool(Path::new("/x"), writable, free, 1 << 30));
        assert_eq!(spool(true, Some(1 << 30)), Level::Ok);
        assert_eq!(spool(true, None), Level::Ok);
        assert_eq!(spool(true, Some(1 << 20)), Level::Warning);
        assert_eq!(spool(false, Some(1 << 30)), Level::Problem);
    }

    #[test]
    fn databases_are_as_they_must_be() {
        let levels = |health: &Health| database(health).iter().map(level).collect::<Vec<_>>();
        let sqlite = |mode: &str, check: &str| Health::Sqlite {
            version: "3".to_owned(),
            journal_mode: mode.to_owned(),
            quick_check: check.to_owned(),
        };
        assert_eq!(levels(&sqlite("wal", "ok")), [Level::Ok, Level::Ok]);
        assert_eq!(levels(&sqlite("delete", "page 3 is never used")), [Level::Problem, Level::Problem]);
        let postgres = |version, bypasses, unwalled: &[&str], lc_messages: &str| Health::Postgres {
            version,
            bypasses,
            unwalled: unwalled.iter().map(|table| (*table).to_owned()).collect(),
            lc_messages: lc_messages.to_owned(),
            now: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(levels(&postgres(150_004, false, &[], "C")), [Level::Ok; 4]);
        assert_eq!(
            levels(&postgres(140_001, true, &["holds"], "it_IT.UTF-8")),
            [Level::Warning, Level::Problem, Level::Problem, Level::Warning]
        );
    }

    #[test]
    fn the_rest_is_told_by_what_it_means() {
        assert_eq!(level(&configuration(Err("unknown".to_owned()))), Level::Problem);
        assert_eq!(level(&schema(Ok(vec![]), false)), Level::Ok);
        assert_eq!(level(&schema(Ok(vec!["a"]), true)), Level::Warning);
        assert_eq!(level(&schema(Ok(vec!["a"]), false)), Level::Problem);
        assert_eq!(level(&schema(Err("newer".to_owned()), true)), Level::Problem);
        assert_eq!(level(&comuni(0, &[])), Level::Warning);
        assert_eq!(level(&comuni(1, &["x".to_owned()])), Level::Warning);
        assert_eq!(level(&comuni(1, &[])), Level::Ok);
        assert_eq!(level(&provider("x", Ok(br#"{"keys":[{}]}"#))), Level::Ok);
        assert_eq!(level(&provider("x", Ok(b"<html>"))), Level::Problem);
        assert_eq!(level(&provider("x", Err("down"))), Level::Problem);
        let address = "127.0.0.1:1".parse().unwrap();
        assert_eq!(level(&listening(address, Err(io::ErrorKind::AddrInUse.into()))), Level::Warning);
        assert_eq!(level(&listening(address, Err(io::ErrorKind::PermissionDenied.into()))), Level::Problem);
        assert_eq!(level(&folder(Path::new("/x"), false)), Level::Problem);
    }
}
