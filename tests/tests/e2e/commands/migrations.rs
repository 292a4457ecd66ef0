//! `migrate`, and starting on a schema that is behind or ahead.

use std::{convert::identity, fs, process::Stdio};

use diesel::{Connection, PgConnection, RunQueryDsl, SqliteConnection, sql_query};
use tempfile::TempDir;
use tests::{Backend, both_databases, postgres, server::sportello};

use super::Ran;

both_databases!(identity => the_schema_is_brought_up_to_date, many_at_once_take_turns, a_newer_schema_is_left_alone);

const BY_HAND: &[(&str, &str)] = &[("SPORTELLO_DATABASE__MIGRATE_ON_START", "false")];

/// An empty database of one's own; the folder is where a SQLite file would lie.
fn empty(backend: Backend, folder: &TempDir) -> String {
    match backend {
        Backend::Sqlite => format!("sqlite:{}", folder.path().join("fresh.sqlite").display()),
        Backend::Postgres => postgres::fresh_database(),
    }
}

async fn the_schema_is_brought_up_to_date(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let database = empty(backend, &folder);
    let run = |command: &[&str]| Ran::of(command, &["--database", &database], BY_HAND);
    if backend == Backend::Sqlite {
        // To look is not to make.
        for command in [&["migrate", "--check"][..], &["serve"], &["tenant", "list"]] {
            run(command).refused(&["does not exist", "sportello migrate"]);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::File::create(folder.path().join("fresh.sqlite")).unwrap();
    }
    for _ in 0..2 {
        let checked = run(&["migrate", "--check"]);
        assert_eq!(checked.code, 1, "{checked:?}");
        let missing: Vec<_> = checked.said.lines().collect();
        assert!(missing.len() >= 2 && missing.iter().all(|line| line.starts_with("missing: ")), "{checked:?}");
    }
    let steps: Vec<String> = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // Who may not bring it up to date does not start on it.
    for command in [&["serve"][..], &["tenant", "list"], &["key", "list", "--tenant", "platform"]] {
        let complained = run(command).refused(&["sportello migrate", "migrate_on_start"]);
        assert!(steps.iter().all(|step| complained.contains(step)), "{complained}");
    }
    let migrated = run(&["migrate"]).well();
    for step in &steps {
        assert!(migrated.contains(&format!("applied: {step}\n")), "{step}: {migrated}");
    }
    assert!(migrated.ends_with("up to date\n"), "{migrated}");
    assert_eq!(run(&["migrate"]).well(), "up to date\n");
    assert_eq!(run(&["migrate", "--check"]).well(), "up to date\n");
    assert_eq!(run(&["tenant", "list"]).well(), "");
}

async fn many_at_once_take_turns(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let database = empty(backend, &folder);
    let start = |_| {
        let mut command = sportello(&["migrate", "--database", &database]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary")
    };
    let running: Vec<_> = (0..4).map(start).collect();
    let mut applied = 0;
    for process in running {
        let ran = Ran::from(process.wait_with_output().unwrap()).well();
        applied += ran.matches("applied: ").count();
    }
    let steps = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations")).unwrap().count();
    assert_eq!(applied, steps, "each step is one process's");
    assert_eq!(Ran::of(&["migrate", "--check"], &["--database", &database], &[]).well(), "up to date\n");
}

async fn a_newer_schema_is_left_alone(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let database = empty(backend, &folder);
    Ran::of(&["migrate"], &["--database", &database], &[]).well();
    let newer = "INSERT INTO schema_migrations (name, applied_at) VALUES ('2999-01-01_future', 'then')";
    match backend {
        Backend::Sqlite => {
            let path = database.strip_prefix("sqlite:").unwrap();
            sql_query(newer).execute(&mut SqliteConnection::establish(path).unwrap()).unwrap();
        }
        Backend::Postgres => {
            sql_query(newer).execute(&mut PgConnection::establish(&database).unwrap()).unwrap();
        }
    }
    for environment in [&[][..], BY_HAND] {
        for command in [&["migrate"][..], &["migrate", "--check"], &["serve"], &["tenant", "list"]] {
            let ran = Ran::of(command, &["--database", &database], environment);
            ran.refused(&["2999-01-01_future", "newer"]);
        }
    }
}
