//! `tenant` and `key`, while a server runs.

use serde_json::json;
use tests::{Backend, Client, Server, both_databases};

use super::Ran;
use crate::{
    rows,
    world::{Desk, Offer, Plan, World},
};

both_databases!(empty => comuni_come_and_are_served, keys_are_issued_rotated_and_revoked);

fn empty(backend: Backend) -> Server {
    Server::start(backend, |_| ())
}

fn run(server: &Server, arguments: &[&str]) -> Ran {
    server.cli(arguments).into()
}

async fn comuni_come_and_are_served(server: Server) {
    let visitor = server.tenant("bugliano");
    visitor.get("/status").await.problem(404, "not-found");
    assert_eq!(run(&server, &["tenant", "list"]).well(), "");
    let patron = ["--patron-day", "06-24", "--patron-name", "San Giovanni Battista"];
    let add = [&["tenant", "add", "bugliano", "Comune di Bugliano"][..], &patron].concat();
    assert_eq!(run(&server, &add).well(), "added bugliano\n");
    assert_eq!(run(&server, &["tenant", "add", "c_h501", "Roma, per prova"]).well(), "added c_h501\n");
    let listed = run(&server, &["tenant", "list"]).well();
    assert_eq!(listed, "bugliano\tactive\tComune di Bugliano\nc_h501\tactive\tRoma, per prova\n");
    // The server that was running all the time serves them, each with its own holidays.
    assert_eq!(visitor.get("/status").await.expect(200).at("/comune"), "Comune di Bugliano");
    let holiday = json!({ "date": "2027-06-24", "name": "San Giovanni Battista" });
    assert!(visitor.get("/holidays?year=2027").await.expect(200).items().contains(&holiday));
    let other = server.tenant("c_h501");
    assert!(!other.get("/holidays?year=2027").await.expect(200).items().contains(&holiday));
    assert_eq!(other.get("/offices").await.expect(200).body, json!({ "items": [], "next": null }));

    run(&server, &add).refused(&["taken"]);
    for slug in ["platform", "docs", "health", "Bugliano", "b", "1comune", "a/b", "città", ""] {
        run(&server, &["tenant", "add", slug, "x"]).refused(&["slug"]);
    }
    for day in ["13-01", "02-30", "24/06", "6-24", "2027-06-24", ""] {
        run(&server, &["tenant", "add", "nuovo", "x", "--patron-day", day]).refused(&["--patron-day"]);
    }
    run(&server, &["tenant", "add", "nuovo", "x", "--patron-name", "San Rocco"]).misused(&["--patron-day"]);
    run(&server, &["tenant", "add", "nuovo"]).misused(&["NAME"]);
    assert_eq!(run(&server, &["tenant", "list"]).well(), listed);
}

/// A key as it is printed, once.
fn issued(ran: Ran) -> (String, String) {
    let said = ran.well();
    let key = said.strip_suffix('\n').expect("one line").to_owned();
    let (handle, secret) = key.strip_prefix("spk_").expect("the prefix").split_once('_').expect("two halves");
    assert!(handle.len() == 12 && handle.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{key}");
    assert!(secret.len() == 43 && !secret.contains(char::is_whitespace), "{key}");
    let handle = handle.to_owned();
    (key, handle)
}

async fn keys_are_issued_rotated_and_revoked(mut server: Server) {
    let world = World::another(&server, "bugliano").await;
    World::another(&server, "altrove").await;
    let known_only = Offer { anonymous_allowed: false, ..Offer::default() };
    let desk = world.desk(Plan { capacity: 20, services: vec![known_only], ..Plan::default() }).await;
    let office = desk.office.slug.clone();
    let issue = |arguments: &[&str]| {
        let common = ["key", "issue", "--tenant", "bugliano", "--label", "Di prova"];
        run(&server, &[&common[..], arguments].concat())
    };
    let scopes = ["--scope", "appointments:read", "--scope", "appointments:write"];
    let integration = ["--kind", "integration"];
    let (kiosk, kiosk_handle) = issued(issue(&["--kind", "device", "--office", &office]));
    let (full, full_handle) = issued(issue(&[&integration[..], &scopes].concat()));
    let (reader, reader_handle) =
        issued(issue(&[&integration[..], &scopes[..2], &["--expires-in-days", "1"]].concat()));
    let platform = ["key", "issue", "--tenant", "platform", "--kind", "platform", "--label", "Di chi gestisce"];
    let (platform, platform_handle) = issued(run(&server, &platform));

    // Each opens what it is for, at once.
    let caller = |key: &str| server.tenant("bugliano").with_token(key);
    for key in [&kiosk, &full, &reader, &platform] {
        caller(key).get("/offices").await.expect(200);
    }
    assert_eq!(books(&caller(&full), &desk).await, 201);
    for key in [&kiosk, &reader, &platform] {
        assert_eq!(books(&caller(key), &desk).await, 403);
    }
    server.tenant("altrove").with_token(&full).get("/offices").await.problem(401, "unauthenticated");
    server.tenant("altrove").with_token(&platform).get("/offices").await.expect(200);

    // What is no key to be issued.
    issue(&["--kind", "device"]).misused(&["--office"]);
    issue(&["--kind", "device", "--office", "nowhere"]).refused(&["office"]);
    issue(&["--kind", "integration", "--office", &office]).refused(&["office"]);
    issue(&["--kind", "device", "--office", &office, "--scope", "appointments:read"]).refused(&["scope"]);
    issue(&["--kind", "integration", "--scope", "appointments:destroy"]).misused(&["appointments:destroy"]);
    issue(&["--kind", "robot"]).misused(&["robot"]);
    issue(&["--kind", "platform"]).refused(&["platform"]);
    let wrong = ["key", "issue", "--tenant", "platform", "--kind", "integration", "--label", "x"];
    run(&server, &wrong).refused(&["platform"]);
    let nowhere = ["key", "issue", "--tenant", "nowhere", "--kind", "integration", "--label", "x"];
    run(&server, &nowhere).refused(&["nowhere"]);

    // A new secret: with grace the old one answers for a while, without it not at all.
    let rotate = |handle: &str, more: &[&str]| {
        run(&server, &[&["key", "rotate", "--tenant", "bugliano", handle][..], more].concat())
    };
    let (second, same) = issued(rotate(&full_handle, &[]));
    assert_eq!(same, full_handle);
    assert_ne!(second, full);
    assert_eq!(books(&caller(&full), &desk).await, 201);
    assert_eq!(books(&caller(&second), &desk).await, 201);
    let (third, _) = issued(rotate(&full_handle, &["--grace-hours", "0"]));
    for (key, status) in [(&full, 401), (&second, 401), (&third, 201)] {
        assert_eq!(books(&caller(key), &desk).await, status);
    }
    rotate("000000000000", &[]).refused(&["no such key"]);
    run(&server, &["key", "rotate", "--tenant", "altrove", &full_handle]).refused(&["no such key"]);

    // The end of a key is the end at once, and for good.
    let revoke = |handle: &str| run(&server, &["key", "revoke", "--tenant", "bugliano", handle]);
    assert_eq!(revoke(&kiosk_handle).well(), "revoked\n");
    caller(&kiosk).get("/offices").await.problem(401, "unauthenticated");
    revoke("000000000000").refused(&["no such key"]);
    rotate(&kiosk_handle, &[]).refused(&["no such key"]);
    let end = ["key", "revoke", "--tenant", "platform", &platform_handle];
    assert_eq!(run(&server, &end).well(), "revoked\n");
    caller(&platform).get("/offices").await.problem(401, "unauthenticated");

    let listed = run(&server, &["key", "list", "--tenant", "bugliano"]).well();
    let wanted = [
        format!("{kiosk_handle}\tdevice\tended\tDi prova"),
        format!("{full_handle}\tintegration\tactive\tDi prova"),
        format!("{reader_handle}\tintegration\tactive\tDi prova"),
    ];
    assert_eq!(listed.lines().collect::<Vec<_>>(), wanted);
    let platform_listed = run(&server, &["key", "list", "--tenant", "platform"]).well();
    assert_eq!(platform_listed, format!("{platform_handle}\tplatform\tended\tDi chi gestisce\n"));
    run(&server, &["key", "list", "--tenant", "nowhere"]).refused(&["nowhere"]);

    // A secret is shown once, and kept nowhere.
    server.sigterm();
    let stored = rows::keys_as_stored(&world).await;
    let (said, log) = (format!("{listed}{platform_listed}"), server.log());
    for key in [&kiosk, &full, &second, &third, &reader, &platform] {
        let secret = key.splitn(3, '_').nth(2).unwrap();
        assert!(!said.contains(secret) && !log.contains(secret) && !stored.contains(secret), "{secret} is told");
    }
    assert!(stored.contains(&full_handle), "{stored}");
}

/// How it is answered when it books.
async fn books(caller: &Client, desk: &Desk) -> u16 {
    caller.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.status
}
