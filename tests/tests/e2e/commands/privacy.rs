//! `privacy`: what is held about people, from the command line.

use std::fs;

use tests::{Server, both_databases};

use super::Ran;
use crate::privacy::{Cast, NAMESAKE, ZENOBIA, command, holding::opened, path};

both_databases!(an_archive_is_written_and_a_name_put_right, the_rules_are_run);

fn run(server: &Server, arguments: &[&str]) -> Ran {
    command(server, &[&["privacy"], arguments].concat()).into()
}

async fn an_archive_is_written_and_a_name_put_right(server: Server) {
    let cast = Cast::of(&server).await;
    let slug = server.credentials().tenant.clone();
    let out = server.folder().join("zenobia.zip").display().to_string();
    let whom = ["--tenant", &slug, "--tax-code", ZENOBIA, "--reference", "Prot. 9/2026"];
    let said = run(&server, &[&["export"], &whom[..], &["--out", &out]].concat()).well();
    assert!(said.contains("3 files") && !said.contains(ZENOBIA), "{said}");
    let bytes = fs::read(&out).unwrap();
    let (names, document) = opened(&bytes);
    assert_eq!(names.len(), 4);
    assert!(!document.to_string().contains("omonima"), "{document}");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&out).unwrap().permissions()) & 0o777, 0o600);
    // What is there is not written over.
    run(&server, &[&["export"], &whom[..], &["--out", &out]].concat()).refused(&["exists"]);
    assert_eq!(fs::read(&out).unwrap(), bytes);

    let right = ["--family-name", "Quintavalli"];
    assert!(run(&server, &[&["rectify"], &whom[..], &right].concat()).well().contains("appointments\t3"));
    let admin = server.client("admin");
    let now = admin.get(&path(&cast.hers[0], "")).await.expect(200);
    assert_eq!(now.at("/applicant/family_name"), "Quintavalli");
    let entries = admin.get("/data-access-entries").query("actor", "system").await.expect(200);
    assert_eq!(entries.items().len(), 2, "{entries}");
    assert_eq!(entries.items()[0]["reference"], "Prot. 9/2026");

    run(&server, &[&["rectify"], &whom[..]].concat()).refused(&["--family-name"]);
    run(&server, &[&["rectify"], &whom[..], &["--to-email", "nobody"]].concat()).refused(&["email"]);
    let elsewhere = server.folder().join("x.zip").display().to_string();
    let export = |whom: &[&str]| run(&server, &[&["export", "--out", &elsewhere], whom].concat());
    export(&["--tenant", "nowhere", "--tax-code", ZENOBIA, "--reference", "x"]).refused(&["nowhere"]);
    let told =
        export(&["--tenant", &slug, "--tax-code", "QNTZNB80A41Z998X", "--reference", "x"]).refused(&["--tax-code"]);
    assert!(!told.contains("QNTZNB"), "{told}");
    export(&["--tenant", &slug, "--code", "K7M2-PQ4X", "--email", "a@posta.example", "--reference", "x"])
        .refused(&["invalid-body"]);
    export(&["--tenant", &slug, "--reference", "x"]).misused(&["--tax-code"]);
    export(&["--tenant", &slug, "--tax-code", ZENOBIA]).misused(&["--reference"]);
    export(&["--tenant", &slug, "--tax-code", NAMESAKE, "--code", "K7M2-PQ4X", "--reference", "x"])
        .misused(&["--code"]);
    assert!(!fs::exists(&elsewhere).unwrap(), "a file without anything in it");
}

async fn the_rules_are_run(server: Server) {
    let cast = Cast::of(&server).await;
    let slug = server.credentials().tenant.clone();
    cast.age(800).await;
    let said = run(&server, &["retain", "--dry-run", "--tenant", &slug]).well();
    assert_eq!(said, format!("{slug}\tappointment\tanonymise\t4 due\t4 would be disposed of\t0 held\n"));
    let said = run(&server, &["retain", "--tenant", &slug]).well();
    assert_eq!(said, format!("{slug}\tappointment\tanonymise\t4 due\t4 disposed of\t0 held\n"));
    let said = run(&server, &["retain"]).well();
    assert_eq!(said, format!("{slug}\tnothing is due\n"));
    run(&server, &["retain", "--tenant", "nowhere"]).refused(&["nowhere"]);
}
