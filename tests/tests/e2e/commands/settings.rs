//! Settings that are not settings, databases that must not be used, and the contract in print.

use std::fs;

use serde_json::Value;

use super::Ran;

const COMMANDS: &[&[&str]] = &[&["serve"], &["migrate"], &["migrate", "--check"], &["tenant", "list"]];

#[test]
fn an_unknown_setting_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let database = format!("sqlite:{}", path("never.sqlite"));
    let file = path("sportello.toml");
    for (text, words) in [
        ("[database]\nurll = 'sqlite:x'", &["urll"][..]),
        ("[databse]\nurl = 'sqlite:x'", &["databse"]),
        ("databaseurl = 'sqlite:x'", &["databaseurl"]),
        ("[server]\nlisten = 'everywhere'", &["listen"]),
        ("[server]\nworkers = -1", &["workers"]),
        ("[database]\nread_connections = 'many'", &["read_connections"]),
        ("[log]\nformat = 'xml'", &["format"]),
        ("[booking]\nhold_minutes = 1.5", &["hold_minutes"]),
        ("[limits]\ncitizen_burst = 0", &["citizen_burst"]),
        ("[limits]\ncitizens_burst = 5", &["citizens_burst"]),
        ("[server]\ntrusted_proxies = ['10.0.0.0/99']", &["10.0.0.0/99"]),
        ("[server]\nforwarded_header = 'x-real-ip'", &["x-real-ip"]),
        ("[metrics]\nallowed_addresses = ['everybody']", &["everybody"]),
        ("[telemetry]\nsample_ratio = 1.5", &["telemetry.sample_ratio"]),
        ("[[identity.providers]]\nname = 'a'", &["identity", "kind"]),
        (
            "[[identity.providers]]\nname = 'a'\nkind = 'staff'\nissuer = 'x'\naudience = 'y'\njwks = 'z'",
            &["identity", "jwks"],
        ),
        ("not toml", &["sportello.toml"]),
    ] {
        fs::write(&file, text).unwrap();
        for command in COMMANDS {
            Ran::of(command, &["--database", &database, "--config", &file], &[]).refused(words);
        }
    }
    for (name, value, words) in [
        ("SPORTELLO_DATABASE__URLL", "sqlite:x", "urll"),
        ("SPORTELLO_DATABSE__URL", "sqlite:x", "databse"),
        ("SPORTELLO_SERVER__LISTEN", "everywhere", "SERVER.LISTEN"),
        ("SPORTELLO_DATABASE__ALLOW_CLEARTEXT", "perhaps", "DATABASE.ALLOW_CLEARTEXT"),
        // One underscore too few.
        ("SPORTELLO_DATABASE_URL", "sqlite:x", "SPORTELLO_DATABASE_URL"),
    ] {
        for command in COMMANDS {
            Ran::of(command, &["--database", &database], &[(name, value)]).refused(&[words]);
        }
    }
    // The demo is no exception.
    let data = path("demo");
    Ran::of(&["demo"], &["--data", &data], &[("SPORTELLO_LOG__LEVELL", "info")]).refused(&["levell"]);
    let missing = path("missing.toml");
    for command in COMMANDS {
        Ran::of(command, &["--config", &missing], &[]).refused(&["missing.toml", "does not exist"]);
        Ran::of(command, &[], &[]).refused(&["database.url is not set"]);
    }
    Ran::of(&["serve"], &["--database", &database, "--listen", "everywhere"], &[]).misused(&["--listen"]);
    Ran::of(&["sirve"], &[], &[]).misused(&["sirve"]);
    assert!(!folder.path().join("never.sqlite").exists(), "a command that was refused has made a database");
}

#[test]
fn what_is_said_last_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (file, made) = (path("sportello.toml"), |name: &str| folder.path().join(name).exists());
    fs::write(&file, format!("[database]\nurl = 'sqlite:{}'", path("by-file.sqlite"))).unwrap();
    let by_environment = format!("sqlite:{}", path("by-environment.sqlite"));
    let environment = [("SPORTELLO_DATABASE__URL", by_environment.as_str())];
    let by_flag = format!("sqlite:{}", path("by-flag.sqlite"));
    Ran::of(&["migrate"], &["--config", &file, "--database", &by_flag], &environment).well();
    assert!(made("by-flag.sqlite") && !made("by-environment.sqlite") && !made("by-file.sqlite"));
    Ran::of(&["migrate"], &["--config", &file], &environment).well();
    assert!(made("by-environment.sqlite") && !made("by-file.sqlite"));
    Ran::of(&["migrate"], &["--config", &file], &[]).well();
    assert!(made("by-file.sqlite"));
}

#[test]
fn a_database_that_must_not_be_used_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.sqlite").display().to_string();
    for command in [&["serve"][..], &["migrate", "--check"], &["tenant", "list"], &["key", "list", "--tenant", "x"]] {
        let database = format!("sqlite:{missing}");
        Ran::of(command, &["--database", &database], &[]).refused(&["missing.sqlite", "does not exist"]);
    }
    for command in COMMANDS {
        // A bare path might be a spelling mistake of anything.
        for url in [missing.as_str(), "mysql://localhost/x", "", "sqlite", "postgres"] {
            Ran::of(command, &["--database", url], &[]).refused(&["sqlite:", "postgres://"]);
        }
        // A password and personal data in clear text stay on the machine.
        for (url, host) in [
            ("postgres://sportello:hunter2@db.example.invalid/x", "db.example.invalid"),
            ("postgresql://sportello:hunter2@198.51.100.7:5432/x", "198.51.100.7"),
            ("postgres://sportello:hunter2@localhost,db.example.invalid/x", "db.example.invalid"),
            ("postgres:///x?user=sportello&password=hunter2&host=db.example.invalid", "db.example.invalid"),
            ("postgres://sportello:hunter2@localhost/x?hostaddr=198.51.100.7", "198.51.100.7"),
        ] {
            let ran = Ran::of(command, &["--database", url], &[]);
            let complained = ran.refused(&[host, "TLS", "database.allow_cleartext"]);
            assert!(!complained.contains("hunter2"), "{complained}");
        }
    }
    // Nor is it left to the environment where they go.
    for variable in ["PGHOST", "PGHOSTADDR", "PGSERVICE"] {
        for url in ["postgres:///x", "postgres://localhost/x?service=there", "postgres:///x?%68ost=198.51.100.7"] {
            let ran = Ran::of(&["migrate"], &["--database", url], &[(variable, "198.51.100.7")]);
            ran.refused(&["must name its host"]);
        }
    }
    let elsewhere = [("PGHOST", "db.example.invalid"), ("PGHOSTADDR", "198.51.100.7")];
    let complained =
        Ran::of(&["migrate"], &["--database", "postgres://127.0.0.1:1/x"], &elsewhere).refused(&["127.0.0.1"]);
    assert!(!complained.contains("198.51.100.7"), "{complained}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a database was made");
    // A server that cannot be reached is no occasion to print the password either.
    let ran = Ran::of(&["migrate"], &["--database", "postgres://sportello:hunter2@127.0.0.1:1/x"], &[]);
    let complained = ran.refused(&["cannot open the database"]);
    assert!(!complained.contains("hunter2"), "{complained}");
}

#[test]
fn the_contract_in_print_is_the_committed_one() {
    for (arguments, version, file) in
        [(&["openapi"][..], "3.1.", "openapi.json"), (&["openapi", "--v3.0"], "3.0.", "openapi-3.0.json")]
    {
        let printed: Value = serde_json::from_str(&Ran::of(arguments, &[], &[]).well()).expect("JSON");
        assert!(printed["openapi"].as_str().is_some_and(|v| v.starts_with(version)), "{}", printed["openapi"]);
        let committed = format!("{}/../openapi/{file}", env!("CARGO_MANIFEST_DIR"));
        let committed: Value = serde_json::from_str(&fs::read_to_string(committed).unwrap()).expect("JSON");
        assert!(printed == committed, "{file} differs: BLESS=1 cargo test -p tests --test openapi");
    }
}
