//! Appointments as calendar programs read them (RFC 5545).

use serde_json::json;
use tests::{Answer, Server, both_databases};

use crate::world::{Plan, World};

both_databases!(an_appointment_for_ones_calendar, a_feed_is_read_until_it_is_ended, feeds_are_for_who_manages);

/// The lines of a calendar, unfolded; how they are folded is looked at on the way.
#[track_caller]
fn lines(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.header("content-type"), Some("text/calendar; charset=utf-8"), "{answer}");
    let text = &answer.text;
    assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"), "{text}");
    assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains(['\r', '\n'])), "{text}");
    text.replace("\r\n ", "").split("\r\n").map(str::to_owned).collect()
}

#[track_caller]
fn value<'a>(lines: &'a [String], name: &str) -> &'a str {
    let found = lines.iter().skip_while(|line| *line != "BEGIN:VEVENT").find_map(|line| line.strip_prefix(name));
    found.unwrap_or_else(|| panic!("no {name} in {lines:?}"))
}

async fn an_appointment_for_ones_calendar(server: Server) {
    let desk = World::of(&server).await.desk(Plan::default()).await;
    let (anna, other, visitor) = (server.client("citizen_a"), server.client("citizen_b"), server.anonymous());
    let booked = anna.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    let path = format!("/appointments/{}", booked.text_at("/id"));
    let file = format!("{path}/calendar-file");

    let first = lines(&anna.get(&file).await.expect(200));
    let local = desk.day(3).strftime("%Y%m%d");
    assert_eq!(value(&first, "DTSTART;TZID=Europe/Rome:"), format!("{local}T090000"));
    assert_eq!(value(&first, "DTEND;TZID=Europe/Rome:"), format!("{local}T091500"));
    assert_eq!(value(&first, "SEQUENCE:"), "0");
    assert_eq!(value(&first, "STATUS:"), "CONFIRMED");
    assert!(value(&first, "LOCATION:").contains("Via delle Prove"));
    assert!(value(&first, "DESCRIPTION:").contains(booked.text_at("/code")));
    assert_eq!(first.iter().filter(|line| *line == "BEGIN:VEVENT").count(), 1);
    assert!(first.contains(&"TZID:Europe/Rome".to_owned()));

    // Moved and called off it is the same entry, later.
    let to = json!({ "starts_at": desk.order(desk.at(3, 10, 0))["starts_at"] });
    anna.post(&format!("{path}/rescheduling"), to).await.expect(200);
    let moved = lines(&anna.get(&file).await.expect(200));
    assert_eq!(value(&moved, "UID:"), value(&first, "UID:"));
    assert_eq!(value(&moved, "SEQUENCE:"), "1");
    assert_eq!(value(&moved, "DTSTART;TZID=Europe/Rome:"), format!("{local}T100000"));
    anna.post(&format!("{path}/cancellation"), json!({})).await.expect(200);
    let gone = lines(&anna.get(&file).await.expect(200));
    assert_eq!((value(&gone, "SEQUENCE:"), value(&gone, "STATUS:")), ("2", "CANCELLED"));

    // Nobody else's.
    other.get(&file).await.problem(404, "not-found");
    visitor.get(&file).await.problem(401, "unauthenticated");
    server.client("admin").get(&file).await.expect(200);

    // Who did not sign in has code and token.
    let booked = visitor.post("/appointments", desk.order(desk.at(3, 11, 0))).fresh_key().await.expect(201);
    let lookup = json!({ "code": booked.at("/code"), "manage_token": booked.at("/manage_token") });
    let theirs = lines(&visitor.post("/appointment-calendar-files", lookup).await.expect(200));
    assert_eq!(value(&theirs, "DTSTART;TZID=Europe/Rome:"), format!("{local}T110000"));
    let wrong = json!({ "code": booked.at("/code"), "manage_token": "not-the-token-of-this-one" });
    visitor.post("/appointment-calendar-files", wrong).await.problem(403, "code-token-mismatch");
}

async fn a_feed_is_read_until_it_is_ended(server: Server) {
    let desk = World::of(&server).await.desk(Plan::default()).await;
    let (admin, visitor) = (server.client("admin"), server.anonymous());
    let booked = visitor.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    let feeds = format!("/calendars/{}/feeds", desk.calendar.id);
    let made = admin.post(&feeds, json!({ "label": "Agenda" })).fresh_key().await.expect(201);
    let prefix = format!("/{}/v1", server.credentials().tenant);
    let href = made.text_at("/href").strip_prefix(&prefix).expect("an address of this Comune").to_owned();

    let first = visitor.get(&href).await.expect(200);
    let read = lines(&first);
    assert!(value(&read, "DESCRIPTION:").contains(booked.text_at("/code")));
    // Never who.
    assert!(!first.text.contains("Persona") && !first.text.contains("example.org"), "{first}");
    visitor.get(&href).header("If-None-Match", first.etag()).await.expect(304);
    let another = visitor.post("/appointments", desk.order(desk.at(4, 9, 0))).fresh_key().await.expect(201);
    let second = visitor.get(&href).header("If-None-Match", first.etag()).await.expect(200);
    assert!(second.text.replace("\r\n ", "").contains(another.text_at("/code")));
    // What was called off is free, and shown no more.
    let path = format!("/appointments/{}/cancellation", another.text_at("/id"));
    visitor.post(&path, json!({ "manage_token": another.at("/manage_token") })).await.expect(200);
    assert!(!visitor.get(&href).await.expect(200).text.replace("\r\n ", "").contains(another.text_at("/code")));

    // The address is told once.
    let known = admin.get(&feeds).await.expect(200);
    assert_eq!(known.items().len(), 1);
    assert!(known.items()[0].get("href").is_none() && !known.text.contains("calendar-feeds/"), "{known}");
    admin.delete(&format!("{feeds}/{}", made.text_at("/id"))).await.expect(204);
    let ended = visitor.get(&href).await.problem(404, "not-found");
    let never = visitor.get(&format!("/calendar-feeds/{}", "A".repeat(43))).await.problem(404, "not-found");
    let without_instance = |answer: &Answer| {
        let mut body = answer.body.clone();
        body.as_object_mut().unwrap().remove("instance");
        body
    };
    assert_eq!(without_instance(&ended), without_instance(&never));
    admin.delete(&format!("{feeds}/{}", made.text_at("/id"))).await.problem(404, "not-found");
    // Another Comune does not know the code either.
    World::another(&server, "vicino").await;
    server.tenant("vicino").get(&href).await.problem(404, "not-found");
}

async fn feeds_are_for_who_manages(server: Server) {
    let desk = World::of(&server).await.desk(Plan::default()).await;
    let feeds = format!("/calendars/{}/feeds", desk.calendar.id);
    let new = || json!({ "label": "Agenda" });
    for (role, status, slug) in [
        ("citizen_a", 403, "forbidden"),
        ("operator", 403, "forbidden"),
        ("urp_operator", 403, "forbidden"),
        ("kiosk", 403, "forbidden"),
        ("platform", 403, "forbidden"),
        // They manage another office.
        ("manager", 403, "forbidden"),
    ] {
        server.client(role).post(&feeds, new()).fresh_key().await.problem(status, slug);
        server.client(role).get(&feeds).await.problem(status, slug);
    }
    server.anonymous().post(&feeds, new()).key("a-key-long-enough-for-anybody").await.problem(401, "unauthenticated");
    let admin = server.client("admin");
    admin.post(&feeds, json!({ "label": "" })).fresh_key().await.problem(422, "invalid-body").field("/label");
    let nowhere = format!("/calendars/{}/feeds", desk.office.id);
    admin.post(&nowhere, new()).fresh_key().await.problem(404, "not-found");
    admin.delete(&format!("{feeds}/{}", desk.office.id)).await.problem(404, "not-found");
}
