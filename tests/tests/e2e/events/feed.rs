//! `/events`: everything, once, in order.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use kernel::ProblemKind;
use platform::problems::EVENTS_EXPIRED;
use serde_json::{Value, json};
use tests::{Server, both_databases};

use super::{book, eventually, read_on, subject};
use crate::{
    refusals::Refusals,
    world::{Plan, World},
};

pub(crate) static KINDS: &[&ProblemKind] = &[&EVENTS_EXPIRED];

both_databases!(
    who_reads_on_misses_nothing_and_reads_nothing_twice,
    an_objects_events_come_by_version,
    staff_read_what_is_about_their_offices,
    what_happens_is_as_its_type_says,
    what_is_too_old_is_said_to_be_gone
);

async fn who_reads_on_misses_nothing_and_reads_nothing_twice(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan { capacity: 40, ..Plan::default() }).await;
    let reader = server.client("integration");
    let (_, start) = read_on(&reader, None, "*").await;
    let anybody = server.anonymous();
    // What the demo was made with may still be on its way.
    let ours = |event: &Value| event["data"]["calendar_id"] == json!(desk.calendar.id);
    // Somebody reads while forty people book.
    let reading = async {
        let (mut seen, mut at) = (Vec::new(), start.clone());
        eventually("forty events", async || {
            let (events, cursor) = read_on(&reader, Some(&at), "appointment.*").await;
            seen.extend(events.into_iter().filter(ours));
            at = cursor;
            (seen.len() >= 40).then_some(())
        })
        .await;
        (seen, at)
    };
    let booking = join_all((0..40).map(|_| book(&anybody, &desk, desk.at(2, 10, 0))));
    let ((seen, at), ids) = tokio::join!(reading, booking);
    let mut subjects: Vec<&str> = seen.iter().map(|event| event["subject"].as_str().unwrap()).collect();
    subjects.sort_unstable();
    let mut expected: Vec<String> = ids.iter().map(|id| subject(id)).collect();
    expected.sort_unstable();
    assert_eq!(subjects, expected);
    let places: Vec<&str> = seen.iter().map(|event| event["sequence"].as_str().unwrap()).collect();
    assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
    // A second reader, later, reads the same.
    let (mut again, _) = read_on(&reader, Some(&start), "appointment.*").await;
    again.retain(ours);
    assert_eq!(again, seen);
    let (none, still) = read_on(&reader, Some(&at), "appointment.*").await;
    assert!(none.is_empty());
    assert!(!still.is_empty());
}

async fn an_objects_events_come_by_version(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan { capacity: 5, ..Plan::default() }).await;
    let (admin, anybody) = (server.client("admin"), server.anonymous());
    let ids = join_all((0..5).map(|_| book(&anybody, &desk, desk.at(2, 10, 0)))).await;
    // Each is moved three times, all at the same time.
    join_all(ids.iter().map(async |id| {
        for hour in 11..14 {
            let to = json!({ "starts_at": kernel::civil::format_rfc3339(desk.at(2, hour, 0)), "calendar_id": desk.calendar.id });
            let path = format!("/appointments/{id}/rescheduling");
            admin.post(&path, to).if_match("*").fresh_key().await.expect(200);
        }
    }))
    .await;
    let events = eventually("twenty events", async || {
        let (events, _) = read_on(&admin, None, "appointment.confirmed,appointment.rescheduled").await;
        let ours: Vec<Value> =
            events.into_iter().filter(|e| ids.iter().any(|id| e["subject"] == subject(id))).collect();
        (ours.len() == 20).then_some(ours)
    })
    .await;
    let mut versions: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for event in &events {
        versions.entry(event["subject"].as_str().unwrap()).or_default().push(event["subjectversion"].as_i64().unwrap());
    }
    for (subject, versions) in versions {
        assert_eq!(versions, [1, 2, 3, 4], "{subject}");
    }
    let one = format!("/events/{}", events[0]["id"].as_str().unwrap());
    assert_eq!(admin.get(&one).await.expect(200).body, events[0]);
    let id = &ids[0];
    let about = admin.get("/events").query("subject_id", id).await.expect(200);
    assert_eq!(about.at("/items").as_array().unwrap().len(), 4);
}

async fn staff_read_what_is_about_their_offices(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let id = book(&server.anonymous(), &desk, desk.at(2, 10, 0)).await;
    let admin = server.client("admin");
    let event = eventually("the event", async || {
        let (events, _) = read_on(&admin, None, "appointment.confirmed").await;
        events.into_iter().find(|event| event["subject"] == subject(&id))
    })
    .await;
    // The demo's operator works elsewhere: not in the list, and as unknown as if it were not there.
    let operator = server.client("operator");
    let (theirs, _) = read_on(&operator, None, "appointment.confirmed").await;
    assert!(theirs.iter().all(|event| event["subject"] != subject(&id)));
    let path = format!("/events/{}", event["id"].as_str().unwrap());
    operator.get(&path).await.problem(404, "not-found");
    let of_office = admin.get("/events").query("office_id", desk.office.id).await.expect(200);
    assert!(of_office.at("/items").as_array().unwrap().contains(&event));
    let nothing = operator.get("/events").query("office_id", desk.office.id).await.expect(200);
    assert_eq!(nothing.at("/items"), &json!([]));
    server.client("citizen_a").get("/events").await.problem(403, "forbidden");
    server.anonymous().get("/events").await.problem(401, "unauthenticated");
    operator.get("/events").query("types", "appointmnt.*").await.problem(422, "invalid-query").field("?types");
    operator.get("/events").query("after", "nonsense").await.problem(422, "invalid-query").field("?after");
}

async fn what_happens_is_as_its_type_says(server: Server) {
    let (admin, anybody) = (server.client("admin"), server.anonymous());
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let id = book(&anybody, &desk, desk.at(2, 10, 0)).await;
    let office = json!({ "email": "prova@example.org" });
    admin.patch(&format!("/offices/{}", desk.office.id), office).if_match("*").await.expect(200);
    let closed = json!({ "date": desk.day(90).to_string(), "reason": { "it": "Prova" } });
    admin.post("/closures", closed).fresh_key().await.expect(201);
    admin.post(&format!("/appointments/{id}/cancellation"), json!({})).if_match("*").fresh_key().await.expect(200);
    let events = eventually("the cancellation", async || {
        let (events, _) = read_on(&admin, None, "*").await;
        let last = format!("appointment/{id}");
        events.iter().any(|e| e["subject"] == last && e["type"] == "appointment.cancelled").then_some(events)
    })
    .await;
    let types = anybody.get("/event-types").await.expect(200);
    let mut seen = 0;
    for event in &events {
        let kind = event["type"].as_str().unwrap();
        let all = types.at("/items").as_array().unwrap();
        let described = all.iter().find(|known| known["type"] == kind).unwrap_or_else(|| panic!("{kind} is no type"));
        let schema = &described["data_schema"];
        let faults: Vec<String> =
            jsonschema::validator_for(schema).unwrap().iter_errors(&event["data"]).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{kind}: {faults:?}: {event}");
        assert_eq!(event["specversion"], "1.0");
        assert!(event["source"].as_str().unwrap().ends_with("/v1"));
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}

async fn what_is_too_old_is_said_to_be_gone(server: Server) {
    let (world, admin) = (World::of(&server).await, server.client("admin"));
    let desk = world.desk(Plan::default()).await;
    book(&server.anonymous(), &desk, desk.at(2, 10, 0)).await;
    let events = eventually("an event", async || {
        let (events, _) = read_on(&admin, None, "*").await;
        (events.len() > 1).then_some(events)
    })
    .await;
    let first = admin.get("/events").query("limit", 1).await.expect(200);
    let cursor = first.text_at("/cursor").to_owned();
    let swept = world.write(|tx| {
        let tomorrow = tx.now().saturating_add(jiff::SignedDuration::from_hours(24)).unwrap();
        platform::outbox::store::sweep(tx, tomorrow, 10_000)
    });
    assert!(swept.await >= events.len());
    let mut refused = Refusals::of(&world);
    let gone = refused.told(&EVENTS_EXPIRED, admin.get("/events").query("after", &cursor)).await;
    let latest = gone.text_at("/latest").to_owned();
    assert_eq!(admin.get("/events").query("after", &latest).await.expect(200).at("/items"), &json!([]));
    refused.told(&EVENTS_EXPIRED, admin.get("/event-stream").header("Last-Event-ID", "1")).await;
    refused.were(KINDS);
}
