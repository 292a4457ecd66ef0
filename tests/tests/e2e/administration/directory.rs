//! Places, offices, services and calendars.

use diesel::prelude::*;
use platform::{
    access::{
        keys::{KeyKind, KeyScope},
        staff::{self, StaffRole},
    },
    schema::{audit_entries, outbox_events},
};
use serde_json::{Value, json};
use storage::types::Key;
use tests::{Answer, Client, Server, both_databases};

use super::{patched, slug};
use crate::{
    mint, rows,
    world::{Plan, World},
};

both_databases!(
    a_script_sets_a_counter_up_and_people_book_there,
    a_change_names_its_version_and_changes_only_what_it_says,
    what_does_not_fit_is_refused_by_name,
    what_is_in_use_stays,
    only_those_who_administer_do,
);

async fn made(caller: &Client, path: &str, body: Value) -> Answer {
    let answer = caller.post(path, body).fresh_key().await.expect(201);
    assert_eq!(answer.etag().split('.').next(), Some("\"1"), "{answer}");
    answer
}

async fn a_script_sets_a_counter_up_and_people_book_there(server: Server) {
    let world = World::of(&server).await;
    let key = rows::key(&world, KeyKind::Integration, None, &[KeyScope::DirectoryWrite]).await;
    let script = server.anonymous().with_token(key);
    let place = json!({
        "name": { "it": "Centro civico", "en": "Civic centre" }, "address": "Via Nuova 3", "postal_code": "56043",
        "locality": "Bugliano", "latitude": 43.512_345, "longitude": -0.000_001,
    });
    let place = made(&script, "/places", place).await;
    assert_eq!((place.at("/latitude"), place.at("/longitude")), (&json!(43.512_345), &json!(-0.000_001)));
    let name = json!({ "it": "Ufficio nuovo", "en": "New office", "de": null });
    let office =
        made(&script, "/offices", json!({ "slug": slug("nuovo"), "name": name, "place_id": place.at("/id") })).await;
    assert_eq!(office.at("/translations/name"), &name);
    let calendar = made(
        &script,
        "/calendars",
        json!({
            "office_id": office.at("/id"), "name": { "it": "Sportello nuovo" }, "tick_minutes": 5, "slot_minutes": 20,
            "capacity": 1, "closed_on_holidays": false,
        }),
    )
    .await;
    let path = format!("/calendars/{}", calendar.text_at("/id"));
    let tomorrow = tests::today().tomorrow().unwrap();
    for weekday in 1..=7 {
        let hours = json!({ "weekday": weekday, "starts_at": "09:00", "ends_at": "10:00", "valid_from": tests::today(), "capacity": 1 });
        let rule = made(&script, &format!("{path}/opening-rules"), hours).await;
        assert_eq!((rule.at("/every_n_weeks"), rule.at("/internal_capacity")), (&json!(1), &json!(0)));
    }
    let service = json!({
        "slug": slug("pratica"), "name": { "it": "Pratica nuova", "en": "New matter" }, "duration_minutes": 20,
        "required_documents": [{ "it": "Un documento", "en": "A document" }],
    });
    let service = made(&script, "/appointment-services", service).await;
    let given = format!("/appointment-services/{}/calendars/{}", service.text_at("/id"), calendar.text_at("/id"));
    let visitor = server.anonymous();
    let slots = format!("{path}/slots?service_id={}&date={tomorrow}", service.text_at("/id"));
    visitor.get(&slots).await.problem(422, "invalid-query");
    for _ in 0..2 {
        script.call(reqwest::Method::PUT, &given).await.expect(204);
    }
    let free = visitor.get(&slots).await.expect(200);
    assert_eq!(free.items().len(), 3, "{free}");
    let order = json!({
        "service_id": service.at("/id"), "calendar_id": calendar.at("/id"), "starts_at": free.items()[1]["starts_at"],
        "applicant": crate::world::somebody(),
    });
    let booked = visitor.post("/appointments", order).fresh_key().await.expect(201);
    assert_eq!(booked.at("/office/id"), office.at("/id"));

    // Each change left its event and its entry, and no two of one object the same version.
    let told = world
        .read(|tx| {
            let events = outbox_events::table.filter(outbox_events::tenant_id.eq(Key(tx.tenant())));
            let kinds: Vec<String> = events.select(outbox_events::kind).load(tx.conn())?;
            let entries = audit_entries::table.filter(audit_entries::tenant_id.eq(Key(tx.tenant())));
            let actions: Vec<String> = entries.select(audit_entries::action).load(tx.conn())?;
            Ok((kinds, actions))
        })
        .await;
    for list in [&told.0, &told.1] {
        let count = |kind: &str| list.iter().filter(|other| *other == kind).count();
        for (kind, expected) in [
            ("place.created", 1),
            ("office.created", 1),
            ("calendar.created", 1),
            ("calendar.hours_changed", 7),
            ("appointment_service.created", 1),
            ("calendar.service_given", 1),
        ] {
            assert_eq!(count(kind), expected, "{kind} in {list:?}");
        }
    }

    // What somebody still waits for is not taken away; what nobody does is, and can be given again.
    script.delete(&given).await.problem(409, "in-use");
    let cancellation = format!("/appointments/{}/cancellation", booked.text_at("/id"));
    visitor.post(&cancellation, json!({ "manage_token": booked.at("/manage_token") })).await.expect(200);
    for _ in 0..2 {
        script.delete(&given).await.expect(204);
    }
    visitor.get(&slots).await.problem(422, "invalid-query");
    let offices = visitor.get(&format!("/appointment-services/{}/offices", service.text_at("/id"))).await.expect(200);
    assert!(offices.items().is_empty(), "{offices}");
    script.call(reqwest::Method::PUT, &given).await.expect(204);
    assert_eq!(visitor.get(&slots).await.expect(200).items().len(), 3);
}

async fn a_change_names_its_version_and_changes_only_what_it_says(server: Server) {
    let admin = server.client("admin");
    let desk = World::of(&server).await.desk(Plan::default()).await;
    let service = &desk.services[0];
    for (path, patch) in [
        (format!("/places/{}", desk.office.place_id), json!({ "address": "Via Cambiata 1" })),
        (format!("/offices/{}", desk.office.id), json!({ "phone": "+39 050 1" })),
        (format!("/calendars/{}", desk.calendar.id), json!({ "lead_minutes": 30 })),
        (format!("/appointment-services/{}", service.id), json!({ "buffer_after_minutes": 5 })),
    ] {
        let read = admin.get(&path).await.expect(200);
        admin.patch(&path, patch.clone()).await.problem(428, "precondition-required");
        let stale = admin.patch(&path, patch.clone()).if_match("\"7.it\"").await.problem(412, "version-mismatch");
        assert_eq!(stale.at("/current_version"), read.at("/version"));
        admin.delete(&path).await.problem(428, "precondition-required");
        admin.delete(&path).if_match("\"7.it\"").await.problem(412, "version-mismatch");
        let changed = admin.patch(&path, patch.clone()).if_match(read.etag()).await.expect(200);
        let mut expected = read.body.clone();
        expected["version"] = json!(read.at("/version").as_i64().unwrap() + 1);
        for (name, value) in patch.as_object().unwrap() {
            expected[name] = value.clone();
        }
        assert_eq!(changed.body, expected);
        let again = admin.get(&path).await.expect(200);
        assert_eq!((again.body.clone(), again.etag()), (changed.body.clone(), changed.etag()));
        // Texts: a language is added, another stays, one is taken away.
        let english = json!({ "name": { "it": "Nome", "en": "Name" } });
        let named = admin.patch(&path, english).if_match(changed.etag()).await.expect(200);
        assert_eq!(named.at("/name"), "Nome");
        let german = json!({ "name": { "it": "Nome", "de": "Bezeichnung" } });
        let named = patched(&admin, &path, german).await.expect(200);
        assert_eq!(named.at("/translations/name"), &json!({ "it": "Nome", "en": "Name", "de": "Bezeichnung" }));
        let named = patched(&admin, &path, json!({ "name": { "it": "Nome", "en": null } })).await.expect(200);
        assert_eq!(named.at("/translations/name"), &json!({ "it": "Nome", "en": null, "de": "Bezeichnung" }));
        assert_eq!(admin.get(&path).header("Accept-Language", "de").await.expect(200).at("/name"), "Bezeichnung");
        patched(&admin, &path, json!({ "name": null })).await.problem(422, "invalid-body").field("/name");
        patched(&admin, &path, json!({ "name": { "en": "x" } })).await.problem(422, "invalid-body").field("/name/it");
        patched(&admin, &path, json!({ "colour": "red" })).await.problem(422, "invalid-body").field("/colour");
        let plain = admin.call(reqwest::Method::PATCH, &path).json(&json!({})).if_match("*").await;
        plain.problem(415, "unsupported-media-type");
    }
    let office = format!("/offices/{}", desk.office.id);
    let bare = patched(&admin, &office, json!({ "phone": null })).await.expect(200);
    assert_eq!(bare.at("/phone"), &Value::Null);
}

async fn what_does_not_fit_is_refused_by_name(server: Server) {
    let admin = server.client("admin");
    let world = World::of(&server).await;
    let (one, other) = (world.desk(Plan::default()).await, world.desk(Plan::default()).await);
    let nobody = crate::refusals::NOBODY;
    let office = |desk: &crate::world::Desk| format!("/offices/{}", desk.office.id);
    let calendar = format!("/calendars/{}", one.calendar.id);
    let service = format!("/appointment-services/{}", one.services[0].id);
    for (path, patch, pointer) in [
        (office(&one), json!({ "slug": other.office.slug }), "/slug"),
        (office(&one), json!({ "slug": "Anagrafe" }), "/slug"),
        (office(&one), json!({ "place_id": nobody }), "/place_id"),
        (service.clone(), json!({ "slug": other.services[0].slug }), "/slug"),
        (service, json!({ "max_persons": 100, "extra_person_minutes": 60 }), "/max_persons"),
        (calendar.clone(), json!({ "office_id": nobody }), "/office_id"),
        (calendar.clone(), json!({ "tick_minutes": 20 }), "/tick_minutes"),
        (calendar.clone(), json!({ "slot_minutes": 20 }), "/slot_minutes"),
        (calendar.clone(), json!({ "capacity": -1 }), "/capacity"),
        (format!("/places/{}", one.office.place_id), json!({ "latitude": 43.0 }), "/longitude"),
    ] {
        patched(&admin, &path, patch).await.problem(422, "invalid-body").field(pointer);
    }
    let twice = json!({ "slug": one.office.slug, "name": { "it": "x" }, "place_id": one.office.place_id });
    admin.post("/offices", twice).await.problem(422, "invalid-body").field("/slug");
    // Nobody has taken time there yet: another grain is possible, as far as the hours allow.
    patched(&admin, &calendar, json!({ "tick_minutes": 5 })).await.expect(200);
    let booked = super::book(&server.anonymous(), &one, one.at(3, 9, 0)).await.expect(201);
    patched(&admin, &calendar, json!({ "tick_minutes": 15 })).await.problem(409, "in-use").field("/tick_minutes");
    patched(&admin, &calendar, json!({ "slot_minutes": 30, "tick_minutes": 5 })).await.expect(200);
    let token = json!({ "manage_token": booked.at("/manage_token") });
    server.anonymous().post(&format!("/appointments/{}/cancellation", booked.text_at("/id")), token).await.expect(200);
    patched(&admin, &calendar, json!({ "tick_minutes": 15 })).await.expect(200);
}

async fn what_is_in_use_stays(server: Server) {
    let admin = server.client("admin");
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let place = format!("/places/{}", desk.office.place_id);
    let office = format!("/offices/{}", desk.office.id);
    let calendar = format!("/calendars/{}", desk.calendar.id);
    let service = format!("/appointment-services/{}", desk.services[0].id);
    let hold = server.client("citizen_a").post("/holds", desk.wish(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    let before = rows::written(&world).await;
    for path in [&place, &office, &calendar, &service] {
        admin.delete(path).if_match("*").await.problem(409, "in-use");
    }
    assert_eq!(rows::written(&world).await, before);
    for path in [&place, &office, &calendar, &service] {
        admin.get(path).await.expect(200);
    }
    // A hold that has run out is nothing.
    rows::expire_hold(&world, hold.text_at("/id")).await;
    for path in [&service, &calendar, &office, &place] {
        admin.delete(path).if_match("*").await.expect(204);
        admin.get(path).await.problem(404, "not-found");
    }
    // What was ever booked keeps its calendar, its service, its office and its place.
    let desk = world.desk(Plan::default()).await;
    let booked = super::book(&server.anonymous(), &desk, desk.at(3, 9, 0)).await.expect(201);
    let token = json!({ "manage_token": booked.at("/manage_token") });
    server.anonymous().post(&format!("/appointments/{}/cancellation", booked.text_at("/id")), token).await.expect(200);
    for path in [
        format!("/appointment-services/{}", desk.services[0].id),
        format!("/calendars/{}", desk.calendar.id),
        format!("/offices/{}", desk.office.id),
    ] {
        admin.delete(&path).if_match("*").await.problem(409, "in-use");
    }
    assert_eq!(rows::count(&world, "appointments").await, before["appointments"] + 1);
}

async fn only_those_who_administer_do(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let office = format!("/offices/{}", desk.office.id);
    let before = rows::written(&world).await;
    server.anonymous().patch(&office, json!({})).if_match("*").await.problem(401, "unauthenticated");
    let reading = rows::key(&world, KeyKind::Integration, None, &[KeyScope::AppointmentsWrite]).await;
    let mut callers = vec![server.anonymous().with_token(reading)];
    let roles = ["citizen_a", "operator", "urp_operator", "manager", "kiosk", "platform"];
    callers.extend(roles.map(|role| server.client(role)));
    for caller in callers {
        caller.patch(&office, json!({})).if_match("*").await.problem(403, "forbidden");
        caller.delete(&office).if_match("*").await.problem(403, "forbidden");
        caller.get(&format!("{}/conflicts", super::calendar(&desk))).await.problem(403, "forbidden");
        let preview = format!("{}/conflict-previews", super::calendar(&desk));
        caller.post(&preview, json!({})).await.problem(403, "forbidden");
        let rules = format!("{}/opening-rules", super::calendar(&desk));
        let rule = json!({ "weekday": 1, "starts_at": "09:00", "ends_at": "10:00", "valid_from": "2027-01-01", "capacity": 1 });
        caller.post(&rules, rule).await.problem(403, "forbidden");
    }
    assert_eq!(rows::written(&world).await, before);
    // Who manages the office decides when its counters are open, and about nothing else.
    let office_id = desk.office.id;
    world
        .write(move |tx| {
            staff::insert(tx, mint::STAFF_PROVIDER, "boss-of-hours", "Responsabile", StaffRole::Manager, &[office_id])
                .map(drop)
        })
        .await;
    let boss = server.anonymous().with_token(mint::staff(&server, &server.credentials().tenant, "boss-of-hours"));
    let closed = super::closed_on(desk.day(3));
    boss.post(&format!("{}/opening-exceptions", super::calendar(&desk)), closed).await.expect(201);
    assert_eq!(super::conflicts(&boss, &desk).await, []);
    patched(&boss, &super::calendar(&desk), json!({ "capacity": 2 })).await.problem(403, "forbidden");
    patched(&boss, &office, json!({})).await.problem(403, "forbidden");
    boss.post("/closures", json!({ "date": "2040-01-02", "reason": { "it": "x" } })).await.problem(403, "forbidden");

    // Another Comune's things are not there.
    let elsewhere = World::another(&server, "altrove").await.desk(Plan::default()).await;
    let admin = server.client("admin");
    for path in [format!("/offices/{}", elsewhere.office.id), format!("/calendars/{}", elsewhere.calendar.id)] {
        patched(&admin, &path, json!({})).await.problem(404, "not-found");
        admin.delete(&path).if_match("*").await.problem(404, "not-found");
    }
    let mine = super::calendar(&desk);
    let (foreign, _) = super::rule_of(&server.tenant("altrove"), &elsewhere, elsewhere.day(3)).await;
    let rule = foreign.rsplit('/').next().unwrap();
    admin.get(&format!("{mine}/opening-rules/{rule}")).await.problem(404, "not-found");
    patched(&admin, &format!("{mine}/opening-rules/{rule}"), json!({})).await.problem(404, "not-found");
    let unknown = json!({ "office_id": elsewhere.office.id });
    patched(&admin, &mine, unknown).await.problem(422, "invalid-body").field("/office_id");
}
