//! From words to services, places and times.

use tests::{Server, both_databases};

both_databases!(words_lead_to_a_place_and_a_time, what_cannot_be_searched_for);

async fn words_lead_to_a_place_and_a_time(server: Server) {
    let visitor = server.anonymous();
    for (asked, language, meant) in [
        ("carta d'identità", "it", "carta-identita"),
        ("carta didentita", "it", "carta-identita"),
        ("CIE", "it", "carta-identita"),
        ("identity cards", "en", "carta-identita"),
        ("resideza", "it", "cambio-residenza"),
        ("trasloco", "de", "cambio-residenza"),
        ("certificatto nascita", "it", "certificati"),
        ("denuncia nascita", "it", "dichiarazione-nascita"),
        ("spazatura", "it", "tari"),
        ("Müllgebühr", "de", "tari"),
    ] {
        let found = visitor.get("/appointment-services").query("q", asked).header("Accept-Language", language).await;
        let found = found.expect(200);
        assert!(!found.items().is_empty(), "{asked}: {found}");
        assert_eq!(found.text_at("/items/0/slug"), meant, "{asked}: {found}");
        for (position, item) in (1..).zip(found.items()) {
            assert_eq!(item["position"], position, "{found}");
            assert!(item["offices"].as_array().is_some_and(|offices| !offices.is_empty()), "{found}");
        }
        assert!(found.at("/next").is_null());
    }

    // What is found can be booked: the next free time is the first that the calendar offers.
    let found = visitor.get("/appointment-services").query("q", "certificati").query("limit", 1).await.expect(200);
    assert_eq!(found.items().len(), 1);
    let service = found.text_at("/items/0/id");
    let offices = visitor.get(&format!("/appointment-services/{service}/offices")).await.expect(200);
    assert!(offices.items().len() > 1, "{offices}");
    for office in offices.items() {
        let calendar = &office["calendars"][0];
        let next = calendar["next_free"].as_str().expect("a free time");
        let slots = format!("/calendars/{}/slots", calendar["id"].as_str().unwrap());
        let call = visitor.get(&slots).query("service_id", service).query("date", next.split('T').next().unwrap());
        let slots = call.await.expect(200);
        let first = slots.items().iter().find(|slot| slot["free"].as_i64() > Some(0)).expect("a free slot");
        assert!(first["starts_at"].as_str() >= Some(next), "{slots}");
        assert!(slots.items().iter().any(|slot| slot["starts_at"] == next), "{slots}");
    }
    let all = visitor.get("/appointment-services").await.expect(200);
    assert!(all.items().iter().all(|service| service.get("position").is_none() && service.get("offices").is_none()));
}

async fn what_cannot_be_searched_for(server: Server) {
    let visitor = server.anonymous();
    let ask = |asked: &str| visitor.get("/appointment-services").query("q", asked);
    for asked in ["", " , ", "di la", &"x".repeat(101)] {
        ask(asked).await.problem(422, "invalid-query").field("?q");
    }
    ask("tari").query("after", "anything").await.problem(422, "invalid-query").field("?after");
    ask("tari").query("limit", 0).await.problem(422, "invalid-query").field("?limit");
    let none = ask("passaporto diplomatico").await.expect(200);
    assert!(none.items().is_empty(), "{none}");
    // Signs that mean something to a database mean nothing here.
    ask("%' OR 1=1 --").await.expect(200);
}
