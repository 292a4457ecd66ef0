//! `user`: who works for a Comune.

use tests::{Backend, Server, both_databases};

use super::Ran;
use crate::world::{Plan, World};

both_databases!(empty => people_are_enrolled_changed_and_disabled);

fn empty(backend: Backend) -> Server {
    Server::start(backend, |_| ())
}

fn run(server: &Server, command: &[&str], rest: &[&str]) -> Ran {
    server.cli(&[&["user"], command, &["--tenant", "bugliano"], rest].concat()).into()
}

async fn people_are_enrolled_changed_and_disabled(server: Server) {
    let world = World::another(&server, "bugliano").await;
    let (one, two) = (world.desk(Plan::default()).await, world.desk(Plan::default()).await);
    let (one, two) = (one.office.slug, two.office.slug);
    let ada = ["--provider", "staff", "--subject", "ada"];
    let add = [&ada[..], &["--name", "Ada Prova", "--role", "admin", "--office", &one]].concat();
    assert_eq!(run(&server, &["add"], &add).well(), "enrolled\n");
    run(&server, &["add"], &add).refused(&["already-enrolled"]);
    let bruno = ["--provider", "staff", "--subject", "bruno"];
    let unknown = [&bruno[..], &["--name", "Bruno", "--role", "operator", "--office", "nowhere"]].concat();
    run(&server, &["add"], &unknown).refused(&["nowhere"]);
    run(&server, &["add"], &[&bruno[..], &["--name", "Bruno", "--role", "boss"]].concat()).misused(&["boss"]);
    run(&server, &["add"], &[&bruno[..], &["--name", " ", "--role", "operator"]].concat()).refused(&["display_name"]);
    let plain = [&bruno[..], &["--name", "Bruno", "--role", "operator", "--office", &one]].concat();
    run(&server, &["add"], &plain).well();
    let listed = run(&server, &["list"], &[]).well();
    assert_eq!(
        listed,
        format!("staff\tada\tadmin\tactive\tAda Prova\t{one}\nstaff\tbruno\toperator\tactive\tBruno\t{one}\n")
    );

    run(&server, &["disable"], &ada).refused(&["last-admin"]);
    run(&server, &["set"], &[&ada[..], &["--role", "manager"]].concat()).refused(&["last-admin"]);
    let promoted = [&bruno[..], &["--role", "admin", "--office", &one, "--office", &two]].concat();
    assert_eq!(run(&server, &["set"], &promoted).well(), "changed\n");
    assert_eq!(run(&server, &["disable"], &ada).well(), "disabled\n");
    let listed = run(&server, &["list"], &[]).well();
    assert!(listed.contains("staff\tada\tadmin\tdisabled"), "{listed}");
    assert!(listed.contains("staff\tbruno\tadmin\tactive"), "{listed}");
    assert!(listed.contains(&one) && listed.contains(&two), "{listed}");
    assert_eq!(run(&server, &["enable"], &ada).well(), "enabled\n");
    run(&server, &["set"], &[&bruno[..], &["--no-office"]].concat()).well();
    let stranger = ["--provider", "staff", "--subject", "nobody"];
    run(&server, &["disable"], &stranger).refused(&["no such person"]);
    let platform: Ran = server.cli(&["user", "list", "--tenant", "platform"]).into();
    platform.refused(&["work for a Comune"]);
    let verified: Ran = server.cli(&["audit", "verify", "--tenant", "bugliano"]).into();
    assert!(verified.well().contains("6 entries, 0 faults"));
}
