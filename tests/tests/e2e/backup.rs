//! Copies of the data: made while people book, put back, and served from.

use std::{fs, path::Path, process::Command};

use diesel::{Connection, RunQueryDsl, SqliteConnection, sql_query};
use serde_json::json;
use tests::{Backend, Client, Server};

use crate::world::{Desk, Plan, World};

/// Books on every quarter of an hour of a day, one after the other: the codes and tokens.
async fn book(caller: &Client, desk: &Desk, day: i64) -> Vec<(String, String)> {
    let mut booked = Vec::new();
    for n in 0..40 {
        let at = desk.at(day, i8::try_from(8 + n / 4).unwrap(), i8::try_from(n % 4 * 15).unwrap());
        let answer = caller.post("/appointments", desk.order(at)).fresh_key().await.expect(201);
        booked.push((answer.text_at("/code").to_owned(), answer.text_at("/manage_token").to_owned()));
    }
    booked
}

async fn is_there(caller: &Client, (code, token): &(String, String)) -> bool {
    let answer = caller.post("/appointment-lookups", json!({ "code": code, "manage_token": token })).await;
    assert!([200, 403].contains(&answer.status), "{answer}");
    answer.status == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_made_while_people_book_is_served_from() {
    let server = Server::start(Backend::Sqlite, |_| ());
    let world = World::another(&server, "bugliano").await;
    let desk = world.desk(Plan::default()).await;
    let visitor = server.tenant("bugliano");
    let before = book(&visitor, &desk, 3).await;
    let copy = server.folder().join("copy.sqlite");
    let shown = copy.display().to_string();
    let (during, made) = tokio::join!(book(&visitor, &desk, 4), async {
        tokio::task::block_in_place(|| server.cli(&["backup", "--to", &shown]))
    });
    assert!(made.status.success(), "{made:?}");
    let said = String::from_utf8_lossy(&made.stdout).into_owned();
    // What is not in it is said.
    assert!(said.contains("secret.key") && said.contains("checked"), "{said}");
    assert!(said.contains("people sent in") && said.contains("documents"), "{said}");
    assert_private(&copy);
    let again = server.cli(&["backup", "--to", &shown]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"), "{again:?}");
    assert_eq!(left_beside(server.folder(), "copy.sqlite"), ["copy.sqlite"]);
    // And the service went on.
    assert!(is_there(&visitor, &during[39]).await);

    // Never over what is there.
    let refused = server.cli(&["restore", "--from", &shown]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is there already"), "{refused:?}");

    // Another machine, with the secret put back beside it.
    let mut other = Server::start(Backend::Sqlite, |_| ());
    assert!(other.sigterm().success());
    let database = other.database().strip_prefix("sqlite:").unwrap().to_owned();
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{database}{suffix}"));
    }
    let restored = other.cli(&["restore", "--from", &shown]);
    assert!(restored.status.success(), "{restored:?}");
    assert_private(Path::new(&database));
    other.restart();
    let visitor = other.tenant("bugliano");
    for booking in &before {
        assert!(is_there(&visitor, booking).await, "a booking from before the copy is lost");
    }
    // Of those made meanwhile a first part is there: the copy is the database as it was at one instant.
    let mut there = Vec::new();
    for booking in &during {
        there.push(is_there(&visitor, booking).await);
    }
    assert!(there.windows(2).all(|pair| pair[0] || !pair[1]), "not one instant: {there:?}");
    visitor.post("/appointments", desk.order(desk.at(5, 9, 0))).fresh_key().await.expect(201);
    let verified = other.cli(&["audit", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[track_caller]
fn assert_private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{}: {mode:o}", file.display());
}

fn left_beside(folder: &Path, name: &str) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    files.filter(|file| file.starts_with(name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_whole_copy_is_not_put_back() {
    let mut server = Server::start(Backend::Sqlite, |_| ());
    let folder = server.folder().to_owned();
    let path = |name: &str| folder.join(name).display().to_string();
    let made = server.cli(&["backup", "--to", &path("copy.sqlite")]);
    assert!(made.status.success(), "{made:?}");
    let missing = server.cli(&["backup", "--to", &path("nowhere/copy.sqlite")]);
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
    server.sigterm();
    let database = server.database().strip_prefix("sqlite:").unwrap().to_owned();
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{database}{suffix}"));
    }

    let whole = fs::read(path("copy.sqlite")).unwrap();
    let mut damaged = whole.clone();
    damaged[4096..8192].fill(0x5a);
    fs::write(path("damaged"), damaged).unwrap();
    fs::write(path("short"), &whole[..whole.len() / 2]).unwrap();
    fs::write(path("text"), "no database").unwrap();
    let mut other = SqliteConnection::establish(&path("other")).unwrap();
    sql_query("CREATE TABLE x (n INTEGER)").execute(&mut other).unwrap();
    drop(other);
    fs::write(path("newer"), &whole).unwrap();
    let mut newer = SqliteConnection::establish(&path("newer")).unwrap();
    sql_query("INSERT INTO schema_migrations (name, applied_at) VALUES ('2999-01-01_x_y', 'then')")
        .execute(&mut newer)
        .unwrap();
    drop(newer);
    for (name, words) in [
        ("damaged", ""),
        ("short", ""),
        ("text", "not a database"),
        ("other", "no database of Sportello"),
        ("newer", "2999-01-01_x_y"),
        ("missing", "is not there"),
    ] {
        let refused = server.cli(&["restore", "--from", &path(name)]);
        assert_eq!(refused.status.code(), Some(1), "{name}: {refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(words), "{name}: {refused:?}");
        assert!(left_beside(&folder, "sportello.sqlite").is_empty(), "{name} was put there");
    }
    // A journal that lies there would be played into the copy.
    fs::write(format!("{database}-wal"), "of another one").unwrap();
    let refused = server.cli(&["restore", "--from", &path("copy.sqlite")]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("-wal"), "{refused:?}");
    fs::remove_file(format!("{database}-wal")).unwrap();
    assert!(server.cli(&["restore", "--from", &path("copy.sqlite")]).status.success());
    server.restart();
}

/// With the commands of docs/operations.md.
#[tokio::test(flavor = "multi_thread")]
async fn postgresql_is_dumped_and_restored_with_its_own_tools() {
    if !Backend::Postgres.available() {
        return;
    }
    let server = Server::start(Backend::Postgres, |_| ());
    let world = World::another(&server, "bugliano").await;
    let desk = world.desk(Plan::default()).await;
    let visitor = server.tenant("bugliano");
    let before = book(&visitor, &desk, 3).await;
    let refused = server.cli(&["backup", "--to", "/nowhere"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("pg_dump"), "{refused:?}");

    // The cluster's administrator is its superuser.
    let (name, host) = server.database().strip_prefix("postgres:///").unwrap().split_once("?host=").unwrap();
    let host = host.split('&').next().unwrap();
    let admin = |tool: &str, arguments: &[&str]| {
        let mut command = Command::new(tests::postgres::tool(tool));
        command.args(["--host", host, "--username", tests::postgres::ADMIN]).args(arguments).env_remove("PGDATABASE");
        let output = command.output().expect("PostgreSQL's tools");
        assert!(output.status.success(), "{tool}: {output:?}");
    };
    let dump = server.folder().join("sportello.dump").display().to_string();
    let (during, ()) = tokio::join!(book(&visitor, &desk, 4), async {
        tokio::task::block_in_place(|| admin("pg_dump", &["--format=custom", "--file", &dump, name]));
    });
    assert!(is_there(&visitor, &during[39]).await);
    let copy = format!("{name}_restored");
    admin("createdb", &["--owner", "sportello", "--template", "template0", &copy]);
    admin("pg_restore", &["--exit-on-error", "--dbname", &copy, &dump]);

    let restored = server.database().replacen(name, &copy, 1);
    let other = Server::start_on(Backend::Postgres, &restored);
    let visitor = other.tenant("bugliano");
    for booking in &before {
        assert!(is_there(&visitor, booking).await, "a booking from before the dump is lost");
    }
    visitor.post("/appointments", desk.order(desk.at(5, 9, 0))).fresh_key().await.expect(201);
    let verified = other.cli(&["audit", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
    // The second wall came back with it.
    let doctor = other.cli(&["doctor"]);
    let told = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(told.contains("ok       walls") && told.contains("ok       role"), "{told}");
}
