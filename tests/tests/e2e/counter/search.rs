//! Who finds what.

use serde_json::{Value, json};
use tests::{Answer, Client, Server, both_databases};

use super::{book, ids, order_for, path};
use crate::world::{Plan, World};

both_databases!(the_list_of_a_desk, people_are_found_by_name_code_and_address, each_caller_lists_what_they_may_see);

async fn all_pages(caller: &Client, query: &[(&str, String)], limit: usize) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut call = caller.get("/appointments").query("limit", limit);
        for (name, value) in query {
            call = call.query(name, value);
        }
        if let Some(after) = &after {
            call = call.query("after", after);
        }
        let page = call.await.expect(200);
        assert!(page.items().len() <= limit);
        found.extend(ids(&page));
        match page.at("/next").as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => return found,
        }
    }
}

async fn the_list_of_a_desk(server: Server) {
    let world = World::of(&server).await;
    let (desk, other) = (world.desk(Plan::default()).await, world.desk(Plan::default()).await);
    let (admin, citizen) = (server.client("admin"), server.client("citizen_a"));
    let mut booked = Vec::new();
    for hour in [11, 9, 10] {
        booked.push(book(&citizen, &desk, hour).await);
    }
    let elsewhere = book(&citizen, &other, 9).await;
    let in_order: Vec<Value> = [1, 2, 0].map(|place: usize| booked[place].at("/id").clone()).to_vec();
    let by = |name: &'static str, value: String| vec![(name, value)];
    for query in [
        by("office_id", desk.office.id.to_string()),
        by("calendar_id", desk.calendar.id.to_string()),
        by("service_id", desk.services[0].id.to_string()),
    ] {
        for limit in [1, 2, 100] {
            assert_eq!(all_pages(&admin, &query, limit).await, in_order, "{query:?} by {limit}");
        }
    }
    let office = ("office_id", desk.office.id.to_string());
    let found = async |more: &[(&'static str, String)]| {
        let query: Vec<_> = [office.clone()].into_iter().chain(more.iter().cloned()).collect();
        all_pages(&admin, &query, 20).await
    };
    let day = |days| desk.day(days).to_string();
    assert_eq!(found(&[("from", day(3)), ("to", day(3))]).await, in_order);
    assert!(found(&[("from", day(4))]).await.is_empty());
    assert!(found(&[("to", day(2))]).await.is_empty());
    citizen.post(&path(&booked[0], "/cancellation"), json!({})).await.expect(200);
    assert_eq!(found(&[("state", "cancelled".into())]).await, in_order[2..]);
    assert_eq!(found(&[("state", "confirmed,cancelled".into())]).await, in_order);
    let code = elsewhere.text_at("/code").to_lowercase();
    assert_eq!(all_pages(&admin, &by("code", code.clone()), 20).await, [elsewhere.at("/id").clone()]);
    assert!(found(&[("code", code)]).await.is_empty());

    // What is no code finds nothing; what cannot be one is told so.
    let unread = admin.get("/appointments").query("code", "!!!!-!!!!").await.expect(200);
    assert!(unread.items().is_empty(), "{unread}");
    for code in ["", "K7M2-PQ", &"K".repeat(41)] {
        admin.get("/appointments").query("code", code).await.problem(422, "invalid-query").field("?code");
    }
    for (name, value) in
        [("state", "waiting"), ("to", "1900-01-01"), ("office_id", "here"), ("after", "there"), ("q", "x")]
    {
        let call = admin.get("/appointments").query("from", day(1)).query(name, value);
        call.await.problem(422, "invalid-query").field(&format!("?{name}"));
    }
}

async fn searched(caller: &Client, mut search: Value) -> Vec<Answer> {
    let mut pages = Vec::new();
    loop {
        let page = caller.post("/appointment-searches", search.clone()).await.expect(200);
        let next = page.at("/next").clone();
        pages.push(page);
        if next.is_null() {
            return pages;
        }
        search["after"] = next;
    }
}

async fn people_are_found_by_name_code_and_address(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let admin = server.client("admin");
    let people = [
        ("Anna", "D'Ùzzelo", "anna.uzzelo@example.org"),
        ("Bruno", "Duzzèla", "bruno@example.org"),
        ("Duzzina", "Verdi", "duzzina@example.org"),
        ("Carla", "Zeta", "carla.zeta@example.org"),
    ];
    let mut booked = Vec::new();
    for ((given, family, email), hour) in people.iter().zip(9..) {
        let mut order = order_for(&desk, hour, given, family, email);
        if *given == "Carla" {
            order["applicant"]["tax_code"] = json!("PRVNNA80A41Z998F");
        }
        booked.push(admin.post("/appointments", order).fresh_key().await.expect(201).at("/id").clone());
    }
    let here = desk.office.id;
    let found = async |search: Value| -> Vec<Value> {
        let mut search = search;
        search["office_id"] = json!(here);
        searched(&admin, search).await.iter().flat_map(ids).collect()
    };
    let (anna, bruno, duzzina, carla) = (&booked[0], &booked[1], &booked[2], &booked[3]);
    let in_order = [bruno.clone(), anna.clone(), duzzina.clone()];
    for limit in [1, 2, 3, 100] {
        assert_eq!(found(json!({ "name": "D’ÚZZ", "limit": limit })).await, in_order, "by {limit}");
    }
    assert_eq!(found(json!({ "name": "duzzelo an" })).await.as_slice(), std::slice::from_ref(anna));
    assert_eq!(found(json!({ "name": "anna d'uzzelo" })).await.as_slice(), std::slice::from_ref(anna));
    assert_eq!(found(json!({ "tax_code": "prvnna80a41z998f" })).await.as_slice(), std::slice::from_ref(carla));
    assert_eq!(found(json!({ "email": "CARLA.Zeta@example.org" })).await.as_slice(), std::slice::from_ref(carla));
    assert!(found(json!({ "name": "zeta", "states": ["cancelled"] })).await.is_empty());
    assert!(found(json!({ "name": "zeta", "from": desk.day(4).to_string() })).await.is_empty());
    let named = searched(&admin, json!({ "email": "carla.zeta@example.org" })).await;
    assert_eq!(named[0].items()[0]["applicant_name"], json!({ "given_name": "Carla", "family_name": "Zeta" }));

    for (search, pointer) in [
        (json!({ "name": "'d" }), "/name"),
        (json!({}), ""),
        (json!({ "name": "zeta", "email": "a@example.org" }), ""),
        (json!({ "name": "zeta", "limit": 0 }), "/limit"),
        (json!({ "name": "zeta", "after": "there" }), "/after"),
        (json!({ "tax_code": "PRVNNA80A41Z998A" }), "/tax_code"),
    ] {
        admin.post("/appointment-searches", search).await.problem(422, "invalid-body").field(pointer);
    }
    let search = || json!({ "name": "zeta" });
    server.anonymous().post("/appointment-searches", search()).await.problem(401, "unauthenticated");
    for role in ["citizen_a", "kiosk", "platform"] {
        server.client(role).post("/appointment-searches", search()).await.problem(403, "forbidden");
    }
    // Staff of other offices search, and find nothing of this one.
    assert!(searched(&server.client("operator"), json!({ "name": "duzz" })).await[0].items().is_empty());
}

async fn each_caller_lists_what_they_may_see(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let booked = book(&server.client("citizen_a"), &desk, 9).await;
    let sees = async |role: &str| {
        let list = server.client(role).get("/appointments").query("limit", 100).await.expect(200);
        let owners: Vec<bool> = list.items().iter().map(|item| item["applicant_name"].is_object()).collect();
        (ids(&list).contains(booked.at("/id")), owners.iter().any(|named| *named))
    };
    for (role, here) in [("citizen_a", true), ("citizen_b", false), ("operator", false), ("kiosk", false)] {
        let (found, named) = sees(role).await;
        assert_eq!(found, here, "{role}");
        assert!(role == "operator" || !named, "{role}");
    }
    let call = |role: &str| server.client(role).get("/appointments").query("office_id", desk.office.id);
    for role in ["urp_operator", "admin", "integration"] {
        let list = call(role).await.expect(200);
        assert_eq!(ids(&list), [booked.at("/id").clone()], "{role}");
        assert!(list.items()[0]["applicant_name"].is_object() && list.items()[0]["applicant"].is_null(), "{role}");
    }
    server.anonymous().get("/appointments").await.problem(401, "unauthenticated");
    server.client("platform").get("/appointments").await.problem(403, "forbidden");
}
