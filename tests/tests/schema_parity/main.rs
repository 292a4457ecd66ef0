//! Both databases have the same schema, and it is the one that the code believes in.
//!
//! Without PostgreSQL's server binaries the run says so and looks at SQLite alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a surprise here should stop the test, with its place"
)]

mod catalog;
mod columns;
mod older;
mod tables;

use std::{fs, path::Path};

use catalog::Database;
use jiff::Timestamp;
use storage::{Target, migrate};
use tempfile::TempDir;
use tests::Backend;

/// A fresh, migrated database.
struct Fresh {
    backend: Backend,
    target: Target,
    /// Of SQLite's file, which goes with it.
    _folder: TempDir,
}

fn empty(backend: Backend) -> Fresh {
    let folder = tempfile::Builder::new().prefix("parity-").tempdir_in(tests::reaper::folder()).unwrap();
    let url = match backend {
        Backend::Sqlite => format!("sqlite:{}", folder.path().join("fresh.sqlite").display()),
        Backend::Postgres => tests::postgres::fresh_database(),
    };
    Fresh { backend, target: Target::parse(&url).unwrap(), _folder: folder }
}

fn migrated(backend: Backend) -> Fresh {
    let fresh = empty(backend);
    migrate::run(&fresh.target, Timestamp::UNIX_EPOCH).unwrap_or_else(|e| panic!("{backend:?}: {e}"));
    fresh
}

/// The databases that there are here.
fn backends() -> impl Iterator<Item = Backend> {
    [Backend::Sqlite, Backend::Postgres].into_iter().filter(|backend| backend.available())
}

/// Fails with every finding at once.
#[track_caller]
fn none(findings: &[String], advice: &str) {
    assert!(findings.is_empty(), "\n\n  {}\n\n{advice}\n", findings.join("\n  "));
}

#[test]
fn the_schemas_are_one() {
    if !Backend::Postgres.available() {
        return;
    }
    let (sqlite, postgres) = (migrated(Backend::Sqlite), migrated(Backend::Postgres));
    let sqlite = Database::open(&sqlite.target).tables();
    let postgres = Database::open(&postgres.target).tables();
    assert!(sqlite.len() > 15, "only {} tables", sqlite.len());
    assert_eq!(sqlite.keys().collect::<Vec<_>>(), postgres.keys().collect::<Vec<_>>());
    let mut findings = Vec::new();
    for (name, on_sqlite) in &sqlite {
        findings.extend(on_sqlite.differences(&postgres[name]).into_iter().map(|what| format!("{name}: {what}")));
    }
    none(&findings, "A migration is one text for both databases, with tokens for the types that are native on each.");
}

#[test]
fn sqlite_is_strict_about_types() {
    let fresh = migrated(Backend::Sqlite);
    let mut database = Database::open(&fresh.target);
    let loose = database.list(
        "SELECT name AS value FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
         AND name NOT LIKE 'sqlite%' AND name <> 'schema_migrations' AND NOT (strict AND wr)",
    );
    none(&loose, "A table ends with `{KEYED}`: STRICT, and kept in the order of its primary key.");
}

#[test]
fn the_steps_are_the_folders() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders: Vec<String> = fs::read_dir(root.join("migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // Steps of one day are in the order in which one needs the other; the list in the code says it.
    folders.sort_unstable_by_key(|name| {
        let place = migrate::MIGRATIONS.iter().position(|step| step.name == name);
        (name.split('_').next().map(str::to_owned), place)
    });
    let listed: Vec<&str> = migrate::MIGRATIONS.iter().map(|step| step.name).collect();
    assert_eq!(folders, listed, "migrations/ and the list in crates/storage/src/migrate.rs");
    for step in migrate::MIGRATIONS {
        let text = fs::read_to_string(root.join("migrations").join(step.name).join("up.sql")).unwrap();
        assert_eq!(text, step.sql, "{}: rebuild: the text in the binary is not the one in the folder", step.name);
        for backend in [Backend::Sqlite, Backend::Postgres] {
            let url = if backend == Backend::Sqlite { "sqlite:x" } else { "postgres:///x" };
            let rendered = migrate::render(step.sql, &Target::parse(url).unwrap());
            let code: String = rendered.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
            assert!(!code.contains(['{', '}']), "{}: a token that {backend:?} does not know", step.name);
        }
    }
}

#[test]
fn migrating_again_does_nothing() {
    for backend in backends() {
        let fresh = empty(backend);
        let all: Vec<&str> = migrate::MIGRATIONS.iter().map(|step| step.name).collect();
        assert_eq!(migrate::pending(&fresh.target).unwrap(), all, "{backend:?}");
        assert_eq!(migrate::run(&fresh.target, Timestamp::UNIX_EPOCH).unwrap(), all, "{backend:?}");
        let before = Database::open(&fresh.target).tables();
        assert_eq!(migrate::pending(&fresh.target).unwrap(), Vec::<&str>::new(), "{backend:?}");
        assert_eq!(migrate::run(&fresh.target, Timestamp::UNIX_EPOCH).unwrap(), Vec::<&str>::new(), "{backend:?}");
        assert_eq!(before, Database::open(&fresh.target).tables(), "{backend:?}");
    }
}

#[test]
fn several_that_migrate_at_once_take_turns() {
    for backend in backends() {
        let fresh = empty(backend);
        let applied: Vec<&str> = std::thread::scope(|scope| {
            let gateways: Vec<_> =
                (0..4).map(|_| scope.spawn(|| migrate::run(&fresh.target, Timestamp::UNIX_EPOCH))).collect();
            gateways.into_iter().flat_map(|gateway| gateway.join().unwrap().unwrap()).collect()
        });
        let all: Vec<&str> = migrate::MIGRATIONS.iter().map(|step| step.name).collect();
        assert_eq!(applied.len(), all.len(), "{:?}: {applied:?}", fresh.backend);
        assert!(all.iter().all(|step| applied.contains(step)), "{:?}: {applied:?}", fresh.backend);
    }
}

#[test]
fn an_older_program_leaves_a_newer_database_alone() {
    for backend in backends() {
        let fresh = migrated(backend);
        let newer = "INSERT INTO schema_migrations (name, applied_at) VALUES ('2999-01-01_platform_future', 'x')";
        Database::open(&fresh.target).execute(newer);
        for outcome in [migrate::run(&fresh.target, Timestamp::UNIX_EPOCH), migrate::pending(&fresh.target)] {
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains("2999-01-01_platform_future"), "{backend:?}: {error}");
        }
    }
}

#[test]
fn postgres_shows_a_comune_its_own_rows_only() {
    if !Backend::Postgres.available() {
        return;
    }
    let fresh = migrated(Backend::Postgres);
    let mut database = Database::open(&fresh.target);
    let with_tenant = database.list(
        "SELECT c.table_name::text AS value FROM information_schema.columns c \
         WHERE c.table_schema = 'public' AND c.column_name = 'tenant_id' ORDER BY 1",
    );
    let walled = database.list(
        "SELECT k.relname::text AS value FROM pg_class k JOIN pg_policy p ON p.polrelid = k.oid \
         WHERE k.relnamespace = 'public'::regnamespace AND k.relrowsecurity AND k.relforcerowsecurity \
         AND p.polname = 'own_tenant' AND p.polcmd = '*' AND p.polpermissive AND p.polroles = '{0}' \
         AND p.polwithcheck IS NULL \
         AND pg_get_expr(p.polqual, p.polrelid) LIKE '(tenant_id = (NULLIF(current_setting(''sportello.tenant''%' ORDER BY 1",
    );
    let policies = database.list("SELECT count(*)::text AS value FROM pg_policy");
    assert_eq!(policies, [walled.len().to_string()], "a second policy widens the first");
    let open: Vec<String> = with_tenant.into_iter().filter(|table| !walled.contains(table)).collect();
    // Where a slug becomes a tenant, before there is one.
    assert_eq!(open, ["tenants"]);
    assert!(walled.len() > 15, "{walled:?}");
}
