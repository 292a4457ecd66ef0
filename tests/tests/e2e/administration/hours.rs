//! Weekly hours and exceptions, and what they leave outside.

use jiff::ToSpan;
use kernel::civil;
use serde_json::json;
use tests::{Server, both_databases};

use super::{book, calendar, closed_on, conflicts, patched, rule_of};
use crate::world::{Plan, World};

both_databases!(
    hours_are_changed_one_by_one_and_move_nobody,
    impossible_hours_are_refused_by_name,
    a_preview_tells_what_a_change_then_does,
    those_who_are_too_many_are_the_last_to_book,
    conflicts_come_in_pages,
);

async fn hours_are_changed_one_by_one_and_move_nobody(server: Server) {
    let (admin, visitor) = (server.client("admin"), server.anonymous());
    let desk = World::of(&server).await.desk(Plan::default()).await;
    let date = desk.day(3);
    let booked = book(&visitor, &desk, desk.at(3, 16, 0)).await.expect(201);
    let (path, rule) = rule_of(&visitor, &desk, date).await;
    let read = visitor.get(&path).await.expect(200);
    assert_eq!(read.body, rule);
    admin.patch(&path, json!({ "ends_at": "12:00" })).await.problem(428, "precondition-required");
    let changed = admin.patch(&path, json!({ "ends_at": "12:00" })).if_match(read.etag()).await.expect(200);
    assert_eq!((changed.at("/ends_at"), changed.at("/starts_at")), (&json!("12:00:00"), &rule["starts_at"]));
    admin.patch(&path, json!({})).if_match(read.etag()).await.problem(412, "version-mismatch");
    // Who is booked is booked, and is told of; others are not booked any more.
    let own = server.tenant(&server.credentials().tenant);
    let still = json!({ "code": booked.at("/code"), "manage_token": booked.at("/manage_token") });
    assert_eq!(own.post("/appointment-lookups", still).await.expect(200).at("/starts_at"), booked.at("/starts_at"));
    assert_eq!(conflicts(&admin, &desk).await, [(booked.at("/id").clone(), json!("outside_hours"))]);
    book(&visitor, &desk, desk.at(3, 16, 15)).await.problem(422, "outside-opening-hours");
    book(&visitor, &desk, desk.at(3, 9, 0)).await.expect(201);

    let exceptions = format!("{}/opening-exceptions", calendar(&desk));
    let closed = admin.post(&exceptions, closed_on(date)).key("close-that-day").await.expect(201);
    let again = admin.post(&exceptions, closed_on(date)).key("close-that-day").await.expect(201);
    assert_eq!(again.body, closed.body);
    let path = format!("{exceptions}/{}", closed.text_at("/id"));
    assert_eq!(visitor.get(&path).await.expect(200).body, closed.body);
    assert_eq!(closed.at("/translations/reason"), &json!({ "it": "Assemblea", "en": "Assembly", "de": null }));
    let reasons: Vec<_> = conflicts(&admin, &desk).await.into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons, [json!("closed"), json!("closed")]);
    let evening = json!({ "kind": "open", "starts_at": "15:00", "ends_at": "17:00" });
    let opened = admin.patch(&path, evening).if_match(closed.etag()).await.expect(200);
    assert_eq!((opened.at("/kind"), opened.at("/reason")), (&json!("open"), &json!("Assemblea")));
    assert_eq!(conflicts(&admin, &desk).await, []);
    book(&visitor, &desk, desk.at(3, 16, 15)).await.expect(201);
    admin.delete(&path).if_match(closed.etag()).await.problem(412, "version-mismatch");
    admin.delete(&path).if_match(opened.etag()).await.expect(204);
    visitor.get(&path).await.problem(404, "not-found");
    assert_eq!(conflicts(&admin, &desk).await.len(), 2);
}

async fn impossible_hours_are_refused_by_name(server: Server) {
    let admin = server.client("admin");
    let desk = World::of(&server).await.desk(Plan { capacity: 600, ..Plan::default() }).await;
    let rules = format!("{}/opening-rules", calendar(&desk));
    let good =
        json!({ "weekday": 1, "starts_at": "08:00", "ends_at": "09:00", "valid_from": "2027-01-01", "capacity": 1 });
    for (member, value, pointer) in [
        ("ends_at", json!("08:00"), "/ends_at"),
        ("ends_at", json!("07:00"), "/ends_at"),
        ("ends_at", json!("08:50"), "/ends_at"),
        ("starts_at", json!("07:55"), "/starts_at"),
        ("starts_at", json!("8:00"), "/starts_at"),
        ("starts_at", json!("08:00:15"), "/starts_at"),
        ("weekday", json!(8), "/weekday"),
        ("valid_until", json!("2026-12-31"), "/valid_until"),
        ("valid_until", json!("2027-01-03"), "/valid_until"),
        ("valid_from", json!("0999-01-01"), "/valid_from"),
        ("every_n_weeks", json!(53), "/every_n_weeks"),
        ("capacity", json!(401), "/capacity"),
        ("internal_capacity", json!(400), "/capacity"),
    ] {
        let mut rule = good.clone();
        rule[member] = value;
        admin.post(&rules, rule).await.problem(422, "invalid-body").field(pointer);
    }
    admin.post(&rules, good).await.expect(201);
    let exceptions = format!("{}/opening-exceptions", calendar(&desk));
    for (body, pointer) in [
        (json!({ "date": "2027-01-11", "kind": "open" }), "/starts_at"),
        (json!({ "date": "2027-01-11", "kind": "closed", "starts_at": "09:00" }), "/ends_at"),
        (json!({ "date": "2027-01-11", "kind": "closed", "capacity": 1 }), "/capacity"),
        (json!({ "date": "2027-01-11", "kind": "shut" }), "/kind"),
        (json!({ "date": "2300-01-11", "kind": "closed" }), "/date"),
    ] {
        admin.post(&exceptions, body).await.problem(422, "invalid-body").field(pointer);
    }
}

async fn a_preview_tells_what_a_change_then_does(server: Server) {
    let (admin, visitor) = (server.client("admin"), server.anonymous());
    let world = World::of(&server).await;
    let desk = world.desk(Plan { closed_on_holidays: true, horizon_days: 20, ..Plan::default() }).await;
    let holidays = world.tenant.holidays();
    let day = (8..15).find(|days| !holidays.is_holiday(desk.day(*days))).expect("a working day in a week");
    let morning = book(&visitor, &desk, desk.at(day, 9, 0)).await.expect(201);
    let evening = book(&visitor, &desk, desk.at(day, 17, 0)).await.expect(201);
    let (path, rule) = rule_of(&visitor, &desk, desk.day(day)).await;
    let preview = format!("{}/conflict-previews", calendar(&desk));
    let before = crate::rows::written(&world).await;
    let ask = async |change: serde_json::Value| admin.post(&preview, change).await.expect(200);
    let outside = |answer: &tests::Answer| -> Vec<serde_json::Value> {
        let all = answer.at("/conflicts").as_array().unwrap();
        all.iter().map(|conflict| conflict["appointment"]["appointment_id"].clone()).collect()
    };

    let nothing = ask(json!({})).await;
    assert!(outside(&nothing).is_empty(), "{nothing}");
    for week in nothing.at("/weeks").as_array().unwrap() {
        assert_eq!(week["places_now"], week["places_then"]);
    }
    let shorter = json!({ "weekday": rule["weekday"], "starts_at": "08:00", "ends_at": "12:00", "valid_from": rule["valid_from"], "capacity": 1 });
    let replaced = ask(json!({ "replaced_rules": [{ "rule_id": rule["id"], "rule": shorter }] })).await;
    assert_eq!(outside(&replaced), [evening.at("/id").clone()]);
    let changed: Vec<i64> = replaced
        .at("/weeks")
        .as_array()
        .unwrap()
        .iter()
        .map(|week| week["places_then"].as_i64().unwrap() - week["places_now"].as_i64().unwrap())
        .collect();
    // Forty slots of a quarter of an hour become sixteen, on each such day.
    assert!(changed.iter().all(|change| [0, -24].contains(change)) && changed.contains(&-24), "{changed:?}");
    let removed = ask(json!({ "removed_rule_ids": [rule["id"]] })).await;
    assert_eq!(outside(&removed), [morning.at("/id").clone(), evening.at("/id").clone()]);
    assert_eq!(removed.at("/conflicts/0/appointment/reason"), "closed");
    assert_eq!(removed.at("/conflicts/0/already"), false);
    for change in [
        json!({ "added_exceptions": [closed_on(desk.day(day))] }),
        json!({ "added_closures": [desk.day(day)] }),
        json!({ "added_exceptions": [{ "date": desk.day(day), "kind": "capacity", "capacity": 0 }] }),
    ] {
        assert_eq!(outside(&ask(change).await).len(), 2);
    }
    for (change, pointer) in [
        (json!({ "removed_rule_ids": [crate::refusals::NOBODY] }), "/removed_rule_ids/0"),
        (json!({ "removed_exception_ids": [crate::refusals::NOBODY] }), "/removed_exception_ids/0"),
        (json!({ "removed_closure_ids": [crate::refusals::NOBODY] }), "/removed_closure_ids/0"),
        (
            json!({ "added_exceptions": [closed_on(desk.day(1)), { "date": desk.day(1), "kind": "open" }] }),
            "/added_exceptions/1/starts_at",
        ),
    ] {
        admin.post(&preview, change).await.problem(422, "invalid-body").field(pointer);
    }
    // Nothing of it was done.
    assert_eq!(crate::rows::written(&world).await, before);
    assert_eq!(conflicts(&admin, &desk).await, []);

    // Then it is done, and is as it was told.
    patched(&admin, &path, json!({ "ends_at": "12:00" })).await.expect(200);
    assert_eq!(conflicts(&admin, &desk).await, [(evening.at("/id").clone(), json!("outside_hours"))]);
    let after = ask(json!({})).await;
    assert_eq!(after.at("/conflicts/0/already"), true);
    assert_eq!(
        after.at("/weeks").as_array().unwrap().iter().map(|week| &week["places_now"]).collect::<Vec<_>>(),
        replaced.at("/weeks").as_array().unwrap().iter().map(|week| &week["places_then"]).collect::<Vec<_>>(),
    );
}

async fn those_who_are_too_many_are_the_last_to_book(server: Server) {
    let (admin, visitor) = (server.client("admin"), server.anonymous());
    let desk = World::of(&server).await.desk(Plan { capacity: 3, ..Plan::default() }).await;
    let nine = desk.at(3, 9, 0);
    let first = book(&visitor, &desk, nine).await.expect(201);
    let second = book(&visitor, &desk, nine).await.expect(201);
    let third = book(&visitor, &desk, nine).await.expect(201);
    let alone = book(&visitor, &desk, desk.at(3, 10, 0)).await.expect(201);
    let (path, _) = rule_of(&visitor, &desk, desk.day(3)).await;
    patched(&admin, &path, json!({ "capacity": 1 })).await.expect(200);
    let too_many = json!("over_capacity");
    // Ids are in the order of booking, to the millisecond.
    let mut late = [second.at("/id").clone(), third.at("/id").clone()].map(|id| (id, too_many.clone()));
    late.sort_by_key(|(id, _)| id.to_string());
    assert_eq!(conflicts(&admin, &desk).await, late);
    patched(&admin, &path, json!({ "internal_capacity": 1 })).await.expect(200);
    assert_eq!(conflicts(&admin, &desk).await, [(third.at("/id").clone(), too_many)]);
    book(&visitor, &desk, nine).await.problem(409, "slot-taken");
    let off = json!({ "manage_token": first.at("/manage_token") });
    visitor.post(&format!("/appointments/{}/cancellation", first.text_at("/id")), off).await.expect(200);
    assert_eq!(conflicts(&admin, &desk).await, []);
    drop(alone);
}

async fn conflicts_come_in_pages(server: Server) {
    let (admin, visitor) = (server.client("admin"), server.anonymous());
    let desk = World::of(&server).await.desk(Plan::default()).await;
    for day in 3..6 {
        for hour in [9, 10] {
            book(&visitor, &desk, desk.at(day, hour, 0)).await.expect(201);
        }
        let exceptions = format!("{}/opening-exceptions", calendar(&desk));
        admin.post(&exceptions, closed_on(desk.day(day))).fresh_key().await.expect(201);
    }
    let whole = admin.get(&format!("{}/conflicts", calendar(&desk))).await.expect(200);
    assert_eq!(whole.items().len(), 6);
    let starts: Vec<_> = whole.items().iter().map(|item| item["starts_at"].as_str().unwrap().to_owned()).collect();
    assert_eq!(starts[0], civil::format_rfc3339(desk.at(3, 9, 0)));
    assert!(starts.is_sorted());
    let text = whole.text.to_lowercase();
    assert!(!text.contains("prova") && !text.contains("example.org"), "who comes is told: {whole}");
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = admin.get(&format!("{}/conflicts?limit=4{after}", calendar(&desk))).await.expect(200);
        seen.extend_from_slice(page.items());
        let Some(next) = page.at("/next").as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, whole.items());
    let far = kernel::Cursor::encode(&(desk.at(1, 9, 0) - 1_000_000.hours(), crate::refusals::NOBODY));
    admin.get(&format!("{}/conflicts?after={far}", calendar(&desk))).await.expect(200);
}
