//! What is the same everywhere: versions, languages, pages, and the methods that come with a resource.

use booking::{
    calendars::{ExceptionKind, OpeningException, store as calendars},
    services::{AppointmentService, store as services},
};
use kernel::Localized;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Client, Server, both_databases};

use crate::{
    mint,
    world::{Plan, World},
};

both_databases!(
    staff_change_what_they_have_seen,
    labels_are_in_the_readers_language,
    pages_lead_from_one_to_the_next,
    what_one_person_has_comes_in_pages_too,
    what_can_be_read_can_be_asked_about,
);

async fn staff_change_what_they_have_seen(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (anna, admin) = (server.client("citizen_a"), server.client("admin"));
    let booked = anna.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    let path = format!("/appointments/{}", booked.text_at("/id"));
    assert_eq!(booked.header("location"), Some(format!("/{}/v1{path}", server.credentials().tenant).as_str()));
    let to = |hour| json!({ "starts_at": desk.order(desk.at(3, hour, 0))["starts_at"] });
    let rescheduling = format!("{path}/rescheduling");

    let seen = admin.get(&path).await.expect(200);
    assert_eq!(seen.etag(), booked.etag(), "the same version in the same language");
    let german = admin.get(&path).header("Accept-Language", "de").await.expect(200);
    assert_ne!(seen.etag(), german.etag(), "another language is another representation");
    admin.post(&rescheduling, to(10)).await.problem(428, "precondition-required");
    // The citizen is faster, and needs to name no version.
    let moved = anna.post(&rescheduling, to(11)).await.expect(200);
    assert_eq!((moved.at("/version"), moved.etag() != seen.etag()), (&json!(2), true));
    let late = admin.post(&rescheduling, to(10)).if_match(seen.etag()).await.problem(412, "version-mismatch");
    assert_eq!(late.at("/current_version"), 2);
    let now = admin.get(&path).await.expect(200);
    let moved = admin.post(&rescheduling, to(10)).if_match(now.etag()).await.expect(200);
    // To where it is already: nothing changes, not even the version.
    let same = admin.post(&rescheduling, to(10)).if_match(moved.etag()).await.expect(200);
    assert_eq!((same.etag(), same.text), (moved.etag(), moved.text.clone()));
    let off = admin.post(&format!("{path}/cancellation"), json!({})).if_match("*").await.expect(200);
    assert_eq!((off.at("/state"), off.at("/version")), (&json!("cancelled"), &json!(4)));
    assert_eq!(anna.get(&path).await.expect(200).etag(), off.etag());
}

async fn labels_are_in_the_readers_language(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (calendar, day) = (desk.calendar.id, desk.day(2));
    let service = world
        .write(move |tx| {
            let names = Localized { it: "Prova".into(), en: Some("Trial".into()), de: None };
            let service = AppointmentService {
                id: tx.new_id(),
                slug: "prova".into(),
                name: names.clone(),
                description: Some(names.clone()),
                required_documents: vec![names.clone(), Localized::italian("Documento")],
                duration_minutes: 15,
                extra_person_minutes: 0,
                max_persons: 1,
                buffer_before_minutes: 0,
                buffer_after_minutes: 0,
                max_per_person: None,
                anonymous_allowed: true,
                special_category: false,
                version: 1,
            };
            services::insert(tx, &service)?;
            services::link(tx, service.id, calendar)?;
            let exception = OpeningException {
                id: tx.new_id(),
                calendar_id: calendar,
                date: day,
                kind: ExceptionKind::Closed,
                starts_at: None,
                ends_at: None,
                capacity: None,
                reason: Some(names),
                version: 1,
            };
            calendars::insert_exception(tx, &exception)?;
            Ok(service.id)
        })
        .await;
    let visitor = server.anonymous();
    let path = format!("/appointment-services/{service}");
    for (asked, name) in [
        ("it", "Prova"),
        ("en", "Trial"),
        ("en-GB, en;q=0.9, it;q=0.1", "Trial"),
        ("fr, en;q=0.5, it;q=0.4", "Trial"),
        ("IT-it", "Prova"),
        // Not translated, or not understood: Italian.
        ("de", "Prova"),
        ("fr", "Prova"),
        ("*", "Prova"),
        ("", "Prova"),
        (";;;,q=,en;q=oops", "Prova"),
        ("en;q=0", "Prova"),
    ] {
        let told = visitor.get(&path).header("Accept-Language", asked).await.expect(200);
        assert_eq!(told.at("/name"), name, "{asked}: {told}");
        assert_eq!(told.at("/description"), name, "{asked}: {told}");
        assert_eq!(told.at("/required_documents"), &json!([name, "Documento"]), "{asked}: {told}");
    }
    assert_eq!(visitor.get(&path).await.expect(200).at("/name"), "Prova");
    // Everywhere where there is something to name.
    let mut order = desk.order(desk.at(3, 9, 0));
    order["service_id"] = json!(service);
    let booked = visitor.post("/appointments", order).fresh_key().header("Accept-Language", "en").await.expect(201);
    assert_eq!(booked.at("/service/name"), "Trial");
    let exceptions = format!("/calendars/{calendar}/opening-exceptions?from={day}&to={day}");
    let told = visitor.get(&exceptions).header("Accept-Language", "en").await.expect(200);
    assert_eq!(told.items()[0]["reason"], "Trial", "{told}");
    let names = async |path: &str, language: &str| {
        let told = visitor.get(path).header("Accept-Language", language).await.expect(200);
        told.items().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for path in ["/offices?limit=100", "/places?limit=100", "/calendars?limit=100", "/appointment-services?limit=100"] {
        assert_ne!(names(path, "it").await, names(path, "en").await, "{path}");
        assert_ne!(names(path, "it").await, names(path, "de").await, "{path}");
    }
    for (language, christmas) in [("it", "Natale"), ("en", "Christmas"), ("de", "Weihnacht")] {
        let days = names("/holidays?year=2027", language).await;
        assert!(days.iter().any(|name| name.contains(christmas)), "{language}: {days:?}");
    }
}

/// Where the header `Link` leads from a page; it says the same as `next`.
fn next_of(page: &Answer) -> Option<String> {
    let link = page.header("link");
    assert_eq!(link.is_some(), page.at("/next").is_string(), "{link:?}: {page}");
    let reference = link?.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
    let path = page.line.split_whitespace().nth(1).unwrap().split('?').next().unwrap();
    // Relative to the address it was read at (RFC 3986 §5.2.2).
    Some(if reference.starts_with('?') { format!("{path}{reference}") } else { reference.to_owned() })
}

/// Every item of a list, page by page, following `Link`; at most `limit` a page.
async fn all_of(caller: &Client, path: &str, limit: usize) -> Vec<Value> {
    let mut items: Vec<Value> = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let page = caller.get(&path).await.expect(200);
        let full = page.items().len() == limit;
        assert!(full || page.at("/next").is_null(), "a page that is not full leads on: {page}");
        assert!(page.items().len() <= limit, "{page}");
        items.extend(page.items().iter().cloned());
        next = next_of(&page);
    }
    items
}

async fn pages_lead_from_one_to_the_next(server: Server) {
    let world = World::of(&server).await;
    let mut desks = Vec::new();
    for _ in 0..21 {
        desks.push(world.desk(Plan::default()).await);
    }
    let visitor = server.anonymous();
    for list in ["/offices", "/places", "/calendars", "/appointment-services"] {
        let whole = visitor.get(&format!("{list}?limit=100")).await.expect(200);
        let items = whole.items();
        assert!(items.len() > 21 && whole.at("/next").is_null(), "{whole}");
        assert_eq!(whole.header("link"), None);
        for limit in [1, 7, items.len() - 1, items.len()] {
            assert_eq!(all_of(&visitor, &format!("{list}?limit={limit}"), limit).await, items, "{list} by {limit}");
        }
        // Twenty, when nobody says otherwise.
        assert_eq!(visitor.get(list).await.expect(200).items(), &items[..20]);
        assert_eq!(all_of(&visitor, list, 20).await, items);
        // `next` is `after`.
        let first = visitor.get(&format!("{list}?limit=2")).await.expect(200);
        let rest = visitor.get(&format!("{list}?limit=100&after={}", first.text_at("/next"))).await.expect(200);
        assert_eq!(rest.items(), &items[2..]);
    }
    // A filter holds on every page.
    let office = desks[0].office.id;
    for plan in [Plan::default(), Plan::default()] {
        let other = world.desk(plan).await;
        let (calendar, office) = (other.calendar.id, desks[0].office.clone());
        world
            .write(move |tx| {
                use diesel::prelude::*;
                use storage::types::Key;
                diesel::update(booking::schema::calendars::table)
                    .filter(booking::schema::calendars::tenant_id.eq(Key(tx.tenant())))
                    .filter(booking::schema::calendars::id.eq(Key(calendar)))
                    .set(booking::schema::calendars::office_id.eq(Key(office.id)))
                    .execute(tx.conn())?;
                Ok(())
            })
            .await;
    }
    let filtered = all_of(&visitor, &format!("/calendars?office_id={office}&limit=1"), 1).await;
    assert_eq!(filtered.len(), 3);
    assert!(filtered.iter().all(|calendar| calendar["office_id"] == json!(office)), "{filtered:?}");
}

async fn what_one_person_has_comes_in_pages_too(server: Server) {
    let world = World::another(&server, "altrove").await;
    let desk = world.desk(Plan { capacity: 3, ..Plan::default() }).await;
    let anna = server.tenant("altrove").with_token(mint::citizen(&server, "altrove", mint::TAX_CODE_A));
    let luca = server.tenant("altrove").with_token(mint::citizen(&server, "altrove", mint::TAX_CODE_B));
    let book = async |caller: &Client, hour: i8| {
        let booked = caller.post("/appointments", desk.order(desk.at(3, hour, 0))).fresh_key().await.expect(201);
        (booked.text_at("/starts_at").to_owned(), booked.text_at("/id").to_owned())
    };
    let mut mine = Vec::new();
    // Some at the same time: they must neither be lost nor doubled between two pages.
    for hour in [9, 12, 10, 12, 12, 11, 9] {
        mine.push(book(&anna, hour).await);
        book(&luca, 16).await;
        book(&luca, 17).await;
        let off = luca.get("/me/appointments?limit=100").await.expect(200);
        for item in off.items() {
            let path = format!("/appointments/{}/cancellation", item["id"].as_str().unwrap());
            luca.post(&path, json!({})).await.expect(200);
        }
    }
    // The latest first.
    mine.sort_unstable();
    mine.reverse();
    let key = |item: &Value| (item["starts_at"].as_str().unwrap().to_owned(), item["id"].as_str().unwrap().to_owned());
    for limit in [1, 2, 3, 6, 7, 8] {
        let listed = all_of(&anna, &format!("/me/appointments?limit={limit}"), limit).await;
        assert_eq!(listed.iter().map(key).collect::<Vec<_>>(), mine, "by {limit}");
        // A list does without the person.
        assert!(listed.iter().all(|item| item["applicant"].is_null()), "{listed:?}");
    }
    // What comes meanwhile moves nothing that was still to come.
    let first = anna.get("/me/appointments?limit=3").await.expect(200);
    book(&anna, 15).await;
    let rest = anna.get(&format!("/me/appointments?limit=100&after={}", first.text_at("/next"))).await.expect(200);
    let seen: Vec<_> = first.items().iter().chain(rest.items()).map(key).collect();
    assert_eq!(seen, mine);
}

async fn what_can_be_read_can_be_asked_about(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (visitor, anna) = (server.anonymous(), server.client("citizen_a"));
    let booked = anna.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    // HEAD is GET without the body (RFC 9110 §9.3.2), for refusals too.
    for (caller, path, status) in [
        (&visitor, "/status".to_owned(), 200),
        (&visitor, "/offices?limit=1".to_owned(), 200),
        (&visitor, format!("/calendars/{}", desk.calendar.id), 200),
        (&anna, format!("/appointments/{}", booked.text_at("/id")), 200),
        (&visitor, format!("/appointments/{}", booked.text_at("/id")), 401),
        (&visitor, "/nothing".to_owned(), 404),
        (&visitor, "/offices?limit=0".to_owned(), 422),
    ] {
        let (read, asked) = (caller.get(&path).await, caller.call(Method::HEAD, &path).await);
        assert_eq!((read.status, asked.status), (status, status), "{asked}");
        assert_eq!(asked.text, "", "{asked}");
        for name in ["content-type", "etag", "link", "cache-control", "content-language", "www-authenticate"] {
            assert_eq!(asked.header(name), read.header(name), "{name}: {asked}");
        }
        assert_eq!(asked.header("content-length"), Some(read.text.len().to_string().as_str()), "{asked}");
        assert!(asked.header("request-id").is_some(), "{asked}");
    }
    for path in ["/health/live", "/health/ready", "/openapi.json", "/openapi-3.0.json", "/problems/slot-taken"] {
        let asked = server.root().call(Method::HEAD, path).await.expect(200);
        assert_eq!(asked.text, "", "{asked}");
    }
    // What is only written is not read, in either way.
    let asked = visitor.call(Method::HEAD, "/appointment-lookups").await;
    assert_eq!((asked.status, asked.header("allow")), (405, Some("POST")), "{asked}");
    // A page of a site that the Comune has not named is told which methods there are, and nothing of origins.
    for (path, allow) in [
        ("/offices", "GET, HEAD, POST"),
        ("/appointment-lookups", "POST"),
        (&format!("/holds/{}", desk.calendar.id), "DELETE, GET, HEAD"),
    ] {
        let asked = visitor.call(Method::OPTIONS, path).header("Origin", "https://example.org").await;
        let asked = asked.problem(405, "method-not-allowed");
        let mut told: Vec<_> = asked.header("allow").unwrap().split(", ").collect();
        told.sort_unstable();
        assert_eq!(told.join(", "), allow, "{asked}");
        assert_eq!(asked.header("access-control-allow-origin"), None, "{asked}");
    }
}
