//! What a request must not be, whoever sends it.

use kernel::ProblemKind;
use platform::problems::{
    IDEMPOTENCY_KEY_REQUIRED, INVALID_BODY, INVALID_HEADER, INVALID_QUERY, MALFORMED_BODY, METHOD_NOT_ALLOWED,
    NOT_FOUND, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE,
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, Server, both_databases};

use super::{NOBODY, Refusals};
use crate::world::{Desk, Plan, World};

pub(super) static KINDS: &[&ProblemKind] = &[
    &NOT_FOUND,
    &METHOD_NOT_ALLOWED,
    &PAYLOAD_TOO_LARGE,
    &UNSUPPORTED_MEDIA_TYPE,
    &MALFORMED_BODY,
    &INVALID_BODY,
    &INVALID_QUERY,
    &INVALID_HEADER,
    &IDEMPOTENCY_KEY_REQUIRED,
];

both_databases!(what_a_request_must_not_be);

async fn what_a_request_must_not_be(server: Server) {
    let world = World::of(&server).await;
    let (desk, other) = (world.desk(Plan::default()).await, world.desk(Plan::default()).await);
    let mut refused = Refusals::of(&world);
    addresses(&server, &desk, &mut refused).await;
    bodies(&server, &desk, &mut refused).await;
    fields_of_an_order(&server, &desk, &other, &mut refused).await;
    fields_of_a_change(&server, &desk, &mut refused).await;
    queries(&server, &desk, &other, &mut refused).await;
    headers(&server, &desk, &mut refused).await;
    refused.were(KINDS);
}

async fn addresses(server: &Server, desk: &Desk, refused: &mut Refusals) {
    let citizen = server.client("citizen_a");
    for path in [
        "/",
        "/nothing",
        "/offices/",
        "/offices/not-an-id",
        &format!("/offices/{NOBODY}"),
        &format!("/places/{NOBODY}"),
        &format!("/calendars/{NOBODY}"),
        &format!("/calendars/{NOBODY}/opening-rules"),
        &format!("/calendars/{NOBODY}/opening-exceptions"),
        &format!("/calendars/{NOBODY}/availabilities?service_id={NOBODY}"),
        &format!("/calendars/{NOBODY}/slots?service_id={NOBODY}&date=2027-01-11"),
        &format!("/appointment-services/{NOBODY}"),
        &format!("/appointment-services/{NOBODY}/offices"),
        &format!("/holds/{NOBODY}"),
        &format!("/appointments/{NOBODY}"),
        &format!("/appointments/{NOBODY}/nothing"),
    ] {
        refused.told(&NOT_FOUND, citizen.get(path)).await;
    }
    refused.told(&NOT_FOUND, citizen.delete(&format!("/holds/{NOBODY}"))).await;
    let to = json!({ "starts_at": desk.order(desk.at(3, 9, 0))["starts_at"] });
    refused.told(&NOT_FOUND, citizen.post(&format!("/appointments/{NOBODY}/rescheduling"), to)).await;
    refused.told(&NOT_FOUND, citizen.post(&format!("/appointments/{NOBODY}/cancellation"), json!({}))).await;
    for path in ["/", "/nothing", "/problems/nothing", "/health", "//v1/offices"] {
        refused.told(&NOT_FOUND, server.root().get(path)).await;
    }
    // A Comune that is not there, also under names that no database can hold.
    for slug in ["no-such-comune", "platform", "Bugliano", "%00", "a%00b", "%F0%9F%8F%9B", "'%20OR%201=1%20--"] {
        refused.told(&NOT_FOUND, server.tenant(slug).get("/offices")).await;
        let order = desk.order(desk.at(3, 9, 0));
        refused.told(&NOT_FOUND, server.tenant(slug).post("/appointments", order).fresh_key()).await;
    }

    let id = NOBODY;
    for (method, path, allow) in [
        (Method::DELETE, "/status".to_owned(), "GET"),
        (Method::PUT, "/offices".to_owned(), "GET, POST"),
        (Method::PATCH, "/holds".to_owned(), "POST"),
        (Method::PUT, format!("/holds/{id}"), "DELETE, GET"),
        (Method::GET, "/appointment-lookups".to_owned(), "POST"),
        (Method::DELETE, format!("/appointments/{id}"), "GET, PATCH"),
        (Method::GET, format!("/appointments/{id}/cancellation"), "POST"),
        (Method::OPTIONS, "/appointment-lookups".to_owned(), "POST"),
    ] {
        let answer = refused.told(&METHOD_NOT_ALLOWED, citizen.call(method, &path)).await;
        let mut told: Vec<_> = answer.header("allow").unwrap_or_default().split(", ").collect();
        told.sort_unstable();
        // GET brings HEAD with it.
        told.retain(|method| *method != "HEAD");
        assert_eq!(told.join(", "), allow, "{answer}");
    }
    refused.told(&METHOD_NOT_ALLOWED, server.root().post("/health/live", json!({}))).await;
}

async fn bodies(server: &Server, desk: &Desk, refused: &mut Refusals) {
    let visitor = server.anonymous();
    let mut order = desk.order(desk.at(3, 9, 0));
    let raw = |media_type: &str, body: &str| {
        let call = visitor.call(Method::POST, "/appointments").fresh_key();
        if media_type.is_empty() { call.body(body) } else { call.header("Content-Type", media_type).body(body) }
    };
    for media_type in
        ["", "text/plain", "text/json", "application/x-www-form-urlencoded", "application/xml", "nonsense"]
    {
        refused.told(&UNSUPPORTED_MEDIA_TYPE, raw(media_type, &order.to_string())).await;
    }
    let deep = "[".repeat(500);
    let two = format!("{order} {{}}");
    for body in ["", "{", "nonsense", "{\"service_id\": }", "{\"notes\": \"\u{1}\"}", &two, &deep] {
        refused.told(&MALFORMED_BODY, raw("application/json", body)).await;
    }
    order["notes"] = "x".repeat(1_048_576).into();
    refused.told(&PAYLOAD_TOO_LARGE, visitor.post("/appointments", order).fresh_key()).await;
}

/// Refuses `order` with one member changed, for each of these, naming it and repeating nothing of it.
async fn one_by_one(caller: &Client, path: &str, whole: &Value, faults: &[(&str, Value)], refused: &mut Refusals) {
    for (pointer, value) in faults {
        let mut body = whole.clone();
        let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
        body.pointer_mut(parent)
            .expect("the parent")
            .as_object_mut()
            .expect("an object")
            .insert(member.to_owned(), value.clone());
        let answer = refused.told(&INVALID_BODY, caller.post(path, body).fresh_key()).await.field(pointer);
        // What was sent may be personal.
        if let Some(text) = value.as_str().filter(|text| text.len() > 3) {
            assert!(!answer.text.contains(text), "the answer repeats {text:.40}: {answer}");
        }
    }
}

async fn fields_of_an_order(server: &Server, desk: &Desk, other: &Desk, refused: &mut Refusals) {
    let visitor = server.anonymous();
    let order = desk.order(desk.at(3, 9, 0));
    let long = |length: usize| Value::from("x".repeat(length));
    let faults = [
        ("/service_id", json!("not an id")),
        ("/service_id", json!(NOBODY)),
        ("/service_id", json!(null)),
        ("/calendar_id", json!(7)),
        ("/calendar_id", json!(NOBODY)),
        // It is there, but does not give this service.
        ("/calendar_id", json!(other.calendar.id)),
        ("/starts_at", json!("tomorrow")),
        ("/starts_at", json!("2027-01-11T09:00:00")),
        ("/starts_at", json!("2027-02-30T09:00:00+01:00")),
        ("/starts_at", json!(1_800_000_000)),
        ("/persons", json!(0)),
        ("/persons", json!(-1)),
        ("/persons", json!(101)),
        ("/persons", json!(1.5)),
        ("/persons", json!(1e30)),
        ("/persons", json!("two")),
        ("/nickname", json!("unknown members are refused")),
    ];
    one_by_one(&visitor, "/holds", &desk.wish(desk.at(3, 9, 0)), &faults, refused).await;
    one_by_one(&visitor, "/appointments", &order, &faults, refused).await;
    let faults = [
        ("/hold_id", json!("not an id")),
        ("/notes", long(1001)),
        ("/notes", json!("a\u{0}b and more")),
        ("/applicant", json!(null)),
        ("/applicant", json!("Anna Prova")),
        ("/applicant/nickname", json!("Annina")),
        ("/applicant/given_name", json!("")),
        ("/applicant/given_name", json!("    ")),
        ("/applicant/given_name", json!("Anna\nMaria")),
        ("/applicant/given_name", json!("Anna\u{0}")),
        ("/applicant/given_name", long(101)),
        ("/applicant/family_name", json!(" ")),
        ("/applicant/family_name", json!(["Prova"])),
        // The last letter does not follow from the others.
        ("/applicant/tax_code", json!("PRVNNA80A41Z998A")),
        ("/applicant/tax_code", json!("PRVNNA80A41")),
        ("/applicant/email", json!("anna")),
        ("/applicant/email", json!("anna@")),
        ("/applicant/email", json!("anna\u{0}@example.org")),
        ("/applicant/email", json!(format!("{}@example.org", "a".repeat(250)))),
        ("/applicant/phone", json!("12")),
        ("/applicant/phone", json!("chiamare ore pasti")),
        ("/applicant/phone", json!("1".repeat(31))),
        ("/applicant/phone", json!("050\u{0}1234")),
    ];
    one_by_one(&visitor, "/appointments", &order, &faults, refused).await;

    for pointer in ["/service_id", "/calendar_id", "/starts_at", "/applicant", "/applicant/email"] {
        let mut body = order.clone();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(member).unwrap();
        let answer = refused.told(&INVALID_BODY, visitor.post("/appointments", body).fresh_key()).await;
        answer.field(pointer);
    }
    // All that can be found at once is told at once.
    let mut body = order.clone();
    body["persons"] = json!(0);
    body["notes"] = long(1001);
    body["applicant"]["email"] = json!("anna");
    let answer = refused.told(&INVALID_BODY, visitor.post("/appointments", body).fresh_key()).await;
    answer.field("/persons").field("/notes").field("/applicant/email");
    // A list is not the members in their order.
    let listed =
        json!([order["service_id"], order["calendar_id"], order["starts_at"], 1, null, order["applicant"], null]);
    for body in [listed, json!([]), json!("text"), json!(null), json!(7)] {
        refused.told(&INVALID_BODY, visitor.post("/appointments", body).fresh_key()).await.field("");
    }
}

async fn fields_of_a_change(server: &Server, desk: &Desk, refused: &mut Refusals) {
    let citizen = server.client("citizen_a");
    let booked = citizen.post("/appointments", desk.order(desk.at(4, 9, 0))).fresh_key().await.expect(201);
    let path = |change: &str| format!("/appointments/{}/{change}", booked.text_at("/id"));
    let to = json!({ "starts_at": desk.order(desk.at(4, 10, 0))["starts_at"] });
    let faults = [
        ("/starts_at", json!("tomorrow")),
        ("/starts_at", json!(null)),
        ("/calendar_id", json!("not an id")),
        ("/calendar_id", json!(NOBODY)),
        ("/manage_token", json!("x".repeat(101))),
        ("/persons", json!(2)),
    ];
    one_by_one(&citizen, &path("rescheduling"), &to, &faults, refused).await;
    let faults = [
        ("/reason", json!("x".repeat(501))),
        ("/reason", json!("a\u{0}b and more")),
        ("/manage_token", json!(7)),
        ("/state", json!("cancelled")),
    ];
    one_by_one(&citizen, &path("cancellation"), &json!({}), &faults, refused).await;
    let faults = [
        ("/code", json!("")),
        ("/code", json!("x".repeat(41))),
        ("/manage_token", json!("")),
        ("/manage_token", json!("x".repeat(101))),
        ("/email", json!("anna@example.org")),
    ];
    let lookup = json!({ "code": "K7M2-PQ4X", "manage_token": "pQ4xK7M2pQ4xK7M2pQ4xKw" });
    one_by_one(&citizen, "/appointment-lookups", &lookup, &faults, refused).await;
}

async fn queries(server: &Server, desk: &Desk, other: &Desk, refused: &mut Refusals) {
    let citizen = server.client("citizen_a");
    let (calendar, service, foreign) = (desk.calendar.id, desk.services[0].id, other.services[0].id);
    let slots = format!("/calendars/{calendar}/slots");
    let free = format!("/calendars/{calendar}/availabilities");
    let exceptions = format!("/calendars/{calendar}/opening-exceptions");
    for (path, name) in [
        ("/holidays?year=soon".to_owned(), "year"),
        ("/holidays?year=1899".to_owned(), "year"),
        ("/holidays?year=2201".to_owned(), "year"),
        ("/holidays?year=99999".to_owned(), "year"),
        ("/offices?limit=0".to_owned(), "limit"),
        ("/offices?limit=101".to_owned(), "limit"),
        ("/offices?limit=99999999999999999999".to_owned(), "limit"),
        ("/offices?limit=1&limit=2".to_owned(), "limit"),
        ("/offices?after=nonsense".to_owned(), "after"),
        ("/offices?page=2".to_owned(), "page"),
        ("/places?after=".to_owned(), "after"),
        ("/me/appointments?after=nonsense".to_owned(), "after"),
        // The cursor of another list.
        (format!("/me/appointments?after={}", cursor_of_offices(&citizen).await), "after"),
        ("/calendars?office_id=7".to_owned(), "office_id"),
        (format!("{slots}?service_id={service}"), "date"),
        (format!("{slots}?date=2027-01-11"), "service_id"),
        (format!("{slots}?date=2027-02-30&service_id={service}"), "date"),
        (format!("{slots}?date=-009999-01-01&service_id={service}"), "date"),
        (format!("{slots}?date=2027-01-11&service_id=7"), "service_id"),
        (format!("{slots}?date=2027-01-11&service_id={NOBODY}"), "service_id"),
        (format!("{slots}?date=2027-01-11&service_id={foreign}"), "service_id"),
        (format!("{slots}?date=2027-01-11&service_id={service}&persons=0"), "persons"),
        (format!("{slots}?date=2027-01-11&service_id={service}&persons=two"), "persons"),
        (format!("{slots}?date=2027-01-11&service_id={service}&colour=red"), "colour"),
        (format!("{free}?service_id={service}&from=then"), "from"),
        (format!("{free}?service_id={service}&from=-009999-01-01&to=-009999-01-02"), "from"),
        (format!("{free}?service_id={service}&from=2027-01-11&to=2027-01-10"), "to"),
        (format!("{free}?service_id={service}&from=2027-01-11&to=2027-03-15"), "to"),
        (format!("{free}?from=2027-01-11"), "service_id"),
        (format!("{exceptions}?from=2027-01-11&to=2028-01-13"), "to"),
        (format!("{exceptions}?from=-009999-01-01"), "from"),
    ] {
        refused.told(&INVALID_QUERY, citizen.get(&path)).await.field(&format!("?{name}"));
    }
}

async fn cursor_of_offices(caller: &Client) -> String {
    caller.get("/offices?limit=1").await.expect(200).text_at("/next").to_owned()
}

async fn headers(server: &Server, desk: &Desk, refused: &mut Refusals) {
    let visitor = server.anonymous();
    let (order, wish) = (desk.order(desk.at(3, 9, 0)), desk.wish(desk.at(3, 9, 0)));
    for (path, body) in [("/appointments", &order), ("/holds", &wish)] {
        // Of who has not signed in there are many, who must not hit upon each other's: at least 16 characters.
        for key in ["", "two words, or more", &"x".repeat(15), &"x".repeat(256)] {
            let answer = refused.told(&INVALID_HEADER, visitor.post(path, body.clone()).key(key)).await;
            answer.field("Idempotency-Key");
        }
        refused.told(&IDEMPOTENCY_KEY_REQUIRED, visitor.post(path, body.clone())).await;
    }
    visitor.post("/holds", wish).key("x".repeat(255)).await.expect(201);
    visitor.post("/holds", desk.wish(desk.at(3, 10, 0))).key("x".repeat(16)).await.expect(201);
    server.client("citizen_a").post("/holds", desk.wish(desk.at(3, 11, 0))).key("x").await.expect(201);
}
