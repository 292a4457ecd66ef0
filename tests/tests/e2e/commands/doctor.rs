//! `doctor`: broken set-ups are told, each by what is wrong with it and how to mend it.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt};

use serde_json::Value;
use tests::{Backend, Server, both_databases};

use super::Ran;
use crate::world::World;

both_databases!(empty => a_sound_installation_is_told_so);

fn empty(backend: Backend) -> Server {
    Server::start(backend, |setup| {
        setup.set("server.workers", 1);
    })
}

/// What was found of one thing.
#[track_caller]
fn finding<'f>(told: &'f Value, check: &str) -> &'f Value {
    let all = told["findings"].as_array().unwrap();
    all.iter().find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("nothing about {check}: {told}"))
}

#[track_caller]
fn level(told: &Value, check: &str) -> String {
    let found = finding(told, check);
    assert_eq!(found["level"] == "ok", found.get("mend").is_none(), "{found}");
    found["level"].as_str().unwrap().to_owned()
}

fn examined(ran: &Ran) -> Value {
    let told: Value = serde_json::from_str(&ran.said).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    assert_eq!(told["ok"] == true, ran.code == 0, "{ran:?}");
    told
}

async fn a_sound_installation_is_told_so(server: Server) {
    let secret = server.folder().join("secret.key");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let ran: Ran = server.cli(&["doctor", "--json"]).into();
    let told = examined(&ran);
    assert_eq!(ran.code, 0, "{ran:?}");
    for check in ["configuration", "secret", "clock", "schema", "listen"] {
        assert_eq!(level(&told, check), "ok", "{check}: {told}");
    }
    // It may have little room on the machine that tests run on.
    assert_ne!(level(&told, "spool"), "problem", "{told}");
    // What is missing for work is said, though nothing is broken.
    assert_eq!((level(&told, "comuni"), level(&told, "identity")), ("warning".to_owned(), "warning".to_owned()));
    if server.backend() == Backend::Sqlite {
        for check in ["journal", "integrity", "folder", "documents"] {
            assert_eq!(level(&told, check), "ok", "{check}: {told}");
        }
    } else {
        for check in ["database", "role", "walls", "messages"] {
            assert_eq!(level(&told, check), "ok", "{check}: {told}");
        }
        assert_eq!(level(&told, "documents"), "warning", "gateways that share a database share no folder: {told}");
    }
    World::another(&server, "bugliano").await;
    let told = examined(&server.cli(&["doctor", "--json"]).into());
    assert!(finding(&told, "comuni")["found"].as_str().unwrap().contains("bugliano"), "{told}");
    let user = ["--tenant", "bugliano", "--provider", "p", "--subject", "s", "--name", "N", "--role", "admin"];
    Ran::from(server.cli(&[&["user", "add"], &user[..]].concat())).well();
    assert_eq!(level(&examined(&server.cli(&["doctor", "--json"]).into()), "comuni"), "ok");

    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let ran: Ran = server.cli(&["doctor"]).into();
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.said.contains("problem  secret") && ran.said.contains("chmod 600"), "{ran:?}");
}

#[test]
fn what_is_broken_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let url = |name: &str| format!("sqlite:{}", path(name));
    let doctor = |flags: &[&str]| Ran::of(&["doctor", "--json"], flags, &[]);

    // Settings.
    fs::write(path("bad.toml"), "[database]\nurll = 'x'").unwrap();
    let ran = doctor(&["--config", &path("bad.toml")]);
    assert!(finding(&examined(&ran), "configuration")["found"].as_str().unwrap().contains("urll"), "{ran:?}");
    assert_eq!(ran.code, 1);
    assert_eq!(level(&examined(&doctor(&[])), "database"), "problem");

    // A file that is not there: it is not made, and neither is a secret.
    let told = examined(&doctor(&["--database", &url("none.sqlite")]));
    assert_eq!((level(&told, "database"), level(&told, "secret")), ("problem".to_owned(), "warning".to_owned()));
    assert!(!folder.path().join("none.sqlite").exists() && !folder.path().join("none.secret").exists());

    // A schema that was never made, a damaged file, a port that is taken, keys that are none.
    Ran::of(&["migrate"], &["--database", &url("whole.sqlite")], &[]).well();
    drop(diesel_file(&path("bare.sqlite")));
    let told = examined(&doctor(&["--database", &url("bare.sqlite")]));
    assert_eq!(level(&told, "schema"), "warning");
    let mut bytes = fs::read(path("whole.sqlite")).unwrap();
    let length = bytes.len();
    bytes[4096..length - 4096].fill(0x5a);
    fs::write(path("damaged.sqlite"), bytes).unwrap();
    let ran = doctor(&["--database", &url("damaged.sqlite")]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    fs::write(path("keys.json"), "{}").unwrap();
    fs::write(path("short.key"), "short").unwrap();
    let settings = format!(
        "[server]\nlisten = '{}'\nsecret_file = '{}'\n[[identity.providers]]\nname = 'x'\nkind = 'staff'\nissuer = 'i'\n\
         audience = 'a'\njwks_file = '{}'\n[documents]\nfolder = '/proc/documents'\n\
         spool_folder = '/proc/spool'\nscanner = 'tcp:127.0.0.1:1'",
        taken.local_addr().unwrap(),
        path("short.key"),
        path("keys.json"),
    );
    fs::write(path("set.toml"), settings).unwrap();
    let told = examined(&doctor(&["--config", &path("set.toml"), "--database", &url("whole.sqlite")]));
    assert_eq!(level(&told, "listen"), "warning");
    assert_eq!(level(&told, "secret"), "problem");
    assert_eq!(level(&told, "identity"), "problem");
    assert_eq!(level(&told, "schema"), "ok");
    assert_eq!(level(&told, "documents"), "problem");
    assert_eq!(level(&told, "spool"), "problem");
    assert_eq!(level(&told, "scanner"), "problem");

    // A folder in folders that are all still to be made, with room above them.
    let deep = format!("[documents]\nfolder = '{}'", path("a/b/c"));
    fs::write(path("deep.toml"), deep).unwrap();
    let told = examined(&doctor(&["--config", &path("deep.toml"), "--database", &url("whole.sqlite")]));
    assert_eq!(level(&told, "documents"), "ok", "{told}");
    assert!(!folder.path().join("a").exists(), "nothing is made");

    // A server that does not answer, and a password that is not printed.
    let far = "postgres://sportello:hunter2@127.0.0.1:1/x";
    let ran = doctor(&["--database", far]);
    assert_eq!(level(&examined(&ran), "database"), "problem");
    assert!(!ran.said.contains("hunter2") && !ran.complained.contains("hunter2"), "{ran:?}");
}

/// A SQLite file that is nobody's of ours.
fn diesel_file(path: &str) -> diesel::SqliteConnection {
    use diesel::{Connection, RunQueryDsl};
    let mut connection = diesel::SqliteConnection::establish(path).unwrap();
    diesel::sql_query("CREATE TABLE others (n INTEGER)").execute(&mut connection).unwrap();
    connection
}
