//! Which commands want the deployment's secret.

use std::{convert::identity, fs};

use tests::{Backend, both_databases, postgres};

use super::Ran;

both_databases!(identity => who_only_reads_needs_no_secret);

async fn who_only_reads_needs_no_secret(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let database = match backend {
        Backend::Sqlite => format!("sqlite:{}", folder.path().join("fresh.sqlite").display()),
        Backend::Postgres => postgres::fresh_database(),
    };
    let secret = folder.path().join("fresh.secret");
    let key = folder.path().join("of-postgres.key");
    fs::write(&key, "a secret of this test, long enough").unwrap();
    let named = [("SPORTELLO_SERVER__SECRET_FILE", key.to_str().unwrap())];
    let unnamed = |command: &[&str]| Ran::of(command, &["--database", &database], &[]);
    let run = |command: &[&str]| match backend {
        Backend::Sqlite => unnamed(command),
        Backend::Postgres => Ran::of(command, &["--database", &database], &named),
    };
    unnamed(&["migrate"]).well();

    assert_eq!(unnamed(&["tenant", "list"]).well(), "");
    assert_eq!(unnamed(&["key", "list", "--tenant", "platform"]).well(), "");
    assert_eq!(unnamed(&["audit", "anchor"]).well(), "");
    assert!(!secret.exists(), "who only reads made a secret");

    let add = ["tenant", "add", "bugliano", "Comune di Bugliano"];
    let writes: &[&[&str]] = &[
        &add,
        &["key", "issue", "--tenant", "platform", "--kind", "platform", "--label", "Di prova"],
        &["user", "disable", "--tenant", "bugliano", "--provider", "staff", "--subject", "ada"],
        &["audit", "verify"],
    ];
    if backend == Backend::Postgres {
        // Several gateways share it, so it has to be named: what would be sealed with another could never be checked.
        for command in writes {
            unnamed(command).refused(&["server.secret_file"]);
        }
        assert_eq!(unnamed(&["tenant", "list"]).well(), "", "the refused command wrote");
    }
    run(&add).well();
    assert_eq!(unnamed(&["user", "list", "--tenant", "bugliano"]).well(), "");
    assert_eq!(unnamed(&["tenant", "list"]).well(), "bugliano\tactive\tComune di Bugliano\n");
    // The entry that the command left is sealed with the deployment's secret.
    assert!(run(&["audit", "verify"]).well().contains("platform: 1 entries, 0 faults"));
    assert_eq!(secret.exists(), backend == Backend::Sqlite);
}
