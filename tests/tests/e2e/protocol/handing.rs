//! Handing entries on: in the background, once, whatever the other system does.

use std::time::Duration;

use diesel::prelude::*;
use protocol::{connections::ConnectorKind, registrations::RegistrationState, schema::protocol_registrations as g};
use serde_json::{Value, json};
use storage::types::{At, Key};
use tests::{Answer, Client, Server, both_databases};

use super::{
    body, desk_of, eager, eventually,
    stub::{Mode, Stub},
};
use crate::{documents, world::Desk};

both_databases!(eager =>
    files_are_handed_on_themselves,
    an_entry_has_its_number_there_soon,
    who_answers_late_or_hangs_up_is_asked_first,
    what_is_refused_or_put_off_is_seen,
    what_cannot_be_looked_up_is_for_somebody_to_look_at,
    a_crash_between_filing_and_protocol_registers_once,
    what_was_annulled_is_not_handed_on,
    what_was_registered_in_an_emergency_has_both_numbers_there,
    what_is_in_doubt_does_not_move_to_another_system,
    the_connection_is_written_and_not_shown,
);

/// Connects the Comune with a stub.
async fn connect(admin: &Client, stub: &Stub, connector: &str) {
    admin.patch("/settings", json!({ "private_hosts": ["127.0.0.1"] })).if_match("*").await.expect(200);
    let docarea = connector == "docarea_soap";
    let connection = json!({
        "connector": connector, "ipa_code": "c_x000", "aoo_code": "A1B2C3D", "register_code": "RACC",
        "base_url": stub.address, "credential": "chiave",
        "username": docarea.then_some("sportello"), "entity_code": docarea.then_some("ENTE"),
    });
    admin.put("/connections/protocol", connection).if_match("*").await.expect(200);
}

async fn file(admin: &Client, desk: &Desk, subject: &str) -> String {
    let made = admin.post("/protocol-entries", body(desk, subject)).fresh_key().await.expect(201);
    assert_eq!(made.at("/registration_state"), &json!("pending"), "filing waits for nobody: {made}");
    assert!(made.at("/number").as_i64().unwrap() > 0);
    format!("/protocol-registrations/{}", made.text_at("/registration_id"))
}

async fn settled(admin: &Client, path: &str, state: &str) -> Answer {
    eventually(&format!("{path} is {state}"), async || {
        let found = admin.get(path).await.expect(200);
        (found.at("/state") == state).then_some(found)
    })
    .await
}

async fn told(admin: &Client, kind: &str) -> Vec<Value> {
    let page = admin.get("/events").query("limit", 100).query("types", kind).await.expect(200);
    page.at("/items").as_array().unwrap().iter().map(|event| event["data"].clone()).collect()
}

async fn an_entry_has_its_number_there_soon(server: Server) {
    let (_, desk) = desk_of(&server).await;
    let (admin, stub) = (server.client("admin"), Stub::start(Mode::Answer).await);
    connect(&admin, &stub, "http_json").await;
    let path = file(&admin, &desk, "Richiesta").await;
    let registered = settled(&admin, &path, "registered").await;
    assert_eq!(registered.at("/external/number"), &json!("0000001"));
    assert_eq!(registered.at("/external/register"), &json!("PG"));
    assert_eq!((stub.asked(), stub.looked_up(), stub.registered()), (1, 0, 1));
    let sent: Value = serde_json::from_str(&stub.seen()[0]).unwrap();
    assert_eq!(sent["subject"], "Richiesta");
    assert_eq!(
        (&sent["parties"][0]["family_name"], &sent["documents"][1]["file_name"]),
        (&json!("Prova"), &json!("planimetria.png"))
    );
    let events = eventually("it is told", async || {
        let events = told(&admin, "protocol.registered").await;
        (!events.is_empty()).then_some(events)
    })
    .await;
    assert_eq!((events.len(), &events[0]["external_number"]), (1, &json!("0000001")));
    assert!(!events[0].to_string().contains("Prova"));
    assert!(!server.log().contains("chiave"));
}

async fn files_are_handed_on_themselves(server: Server) {
    let (_, desk) = desk_of(&server).await;
    let (admin, anna) = (server.client("admin"), server.client("citizen_a"));
    let stub = Stub::start(Mode::Answer).await;
    let send_in = async |client: &Client, name: &str, text: &str| {
        documents::send(client, "text/plain", name, text.to_owned()).await.expect(201)
    };
    let request = send_in(&admin, "istanza.txt", "Si chiede.").await;
    let plan = send_in(&admin, "pianta.txt", "Pianta.").await;
    let (first, second) = (request.text_at("/id"), plan.text_at("/id"));
    let with = |ids: Value, documents: Value| {
        let mut order = body(&desk, "Con allegati");
        (order["document_ids"], order["documents"]) = (ids, documents);
        order
    };
    let elsewhere = body(&desk, "")["documents"].clone();
    // Nobody registers what another has sent in, and nothing is registered without a file.
    let foreign = send_in(&anna, "altrui.txt", "Di Anna.").await;
    let refused = with(json!([first, foreign.text_at("/id")]), json!([]));
    admin.post("/protocol-entries", refused).fresh_key().await.problem(422, "invalid-body").field("/document_ids/1");
    let nothing = with(json!([]), json!([]));
    admin.post("/protocol-entries", nothing).fresh_key().await.problem(422, "invalid-body").field("/documents");

    for (n, connector) in ["http_json", "docarea_soap"].into_iter().enumerate() {
        connect(&admin, &stub, connector).await;
        let (id, more) = [(first, elsewhere.clone()), (second, json!([]))][n].clone();
        let made = admin.post("/protocol-entries", with(json!([id]), more)).fresh_key().await.expect(201);
        assert_eq!(made.text_at("/documents/0/document_id"), id);
        settled(&admin, &format!("/protocol-registrations/{}", made.text_at("/registration_id")), "registered").await;
        // It is the entry's now: once, and read by whoever may read the entry.
        let again = admin.post("/protocol-entries", with(json!([id]), json!([]))).fresh_key().await;
        again.problem(409, "document-attached");
        let content = format!("/documents/{id}/content");
        server.client("urp_operator").get(&content).await.expect(200);
        anna.get(&content).await.problem(404, "not-found");
    }
    let sent: Value = serde_json::from_str(&stub.seen()[0]).unwrap();
    assert_eq!(
        (&sent["documents"][0]["file_name"], &sent["documents"][0]["content"]),
        (&json!("istanza.txt"), &json!("U2kgY2hpZWRlLg=="))
    );
    assert_eq!(
        (&sent["documents"][1]["file_name"], &sent["documents"][1]["content"]),
        (&json!("istanza.pdf"), &json!(null))
    );
    assert!(stub.inserted()[0].contains("Pianta.") && stub.inserted().len() == 1, "{:?}", stub.inserted());
    assert!(stub.seen()[1].contains("nome=\"pianta.txt\""), "{}", stub.seen()[1]);
}

async fn who_answers_late_or_hangs_up_is_asked_first(server: Server) {
    let (_, desk) = desk_of(&server).await;
    let (admin, stub) = (server.client("admin"), Stub::start(Mode::Drop).await);
    connect(&admin, &stub, "http_json").await;
    for (n, mode) in [Mode::Drop, Mode::Late(Duration::from_secs(4))].into_iter().enumerate() {
        stub.set(mode);
        let path = file(&admin, &desk, "Richiesta").await;
        let registered = settled(&admin, &path, "registered").await;
        assert_eq!(registered.at("/external/number"), &json!(format!("{:07}", n + 1)), "{mode:?}");
        // It was sent once, and then asked about.
        assert_eq!((stub.asked(), stub.looked_up(), stub.registered()), (n + 1, n + 1, n + 1), "{mode:?}");
    }
}

async fn what_is_refused_or_put_off_is_seen(server: Server) {
    let (_, desk) = desk_of(&server).await;
    let (admin, stub) = (server.client("admin"), Stub::start(Mode::Busy).await);
    connect(&admin, &stub, "http_json").await;
    let path = file(&admin, &desk, "Paziente").await;
    eventually("it was tried", async || (stub.asked() > 0).then_some(())).await;
    stub.set(Mode::Answer);
    settled(&admin, &path, "registered").await;

    stub.set(Mode::Refuse);
    let path = file(&admin, &desk, "Rifiutata").await;
    let failed = settled(&admin, &path, "failed").await;
    assert_eq!((failed.at("/problem"), failed.at("/outcome_unknown")), (&json!("refused"), &json!(false)));
    let list = admin.get("/protocol-registrations").query("state", "failed").await.expect(200);
    assert_eq!(list.items().len(), 1, "{list}");
    eventually("it is told", async || (told(&admin, "protocol.failed").await.len() == 1).then_some(())).await;
    // Filing goes on meanwhile, and what failed is tried again by hand.
    stub.set(Mode::Answer);
    let attempts = format!("{path}/attempts");
    admin.post(&attempts, json!({})).fresh_key().await.problem(428, "precondition-required");
    admin.post(&attempts, json!({})).fresh_key().if_match(failed.etag()).await.expect(202);
    let registered = settled(&admin, &path, "registered").await;
    let again = admin.post(&attempts, json!({})).fresh_key().if_match(registered.etag()).await;
    again.problem(409, "invalid-transition");
    assert_eq!(stub.registered(), 2);
    assert_eq!(admin.get("/protocol-verification").await.expect(200).at("/sound"), &json!(true));
}

async fn what_cannot_be_looked_up_is_for_somebody_to_look_at(server: Server) {
    let (_, desk) = desk_of(&server).await;
    let (admin, stub) = (server.client("admin"), Stub::start(Mode::Answer).await);
    connect(&admin, &stub, "docarea_soap").await;
    let connection = admin.get("/connections/protocol").await.expect(200);
    assert_eq!(connection.at("/capabilities"), &json!(["register", "contents"]));
    let path = file(&admin, &desk, "Richiesta <urgente> & altro").await;
    let registered = settled(&admin, &path, "registered").await;
    assert_eq!((registered.at("/external/number"), registered.at("/external/year")), (&json!("1"), &json!(2026)));
    let seen = &stub.seen()[0];
    assert!(seen.contains("<Oggetto>Richiesta &lt;urgente&gt; &amp; altro</Oggetto>"), "{seen}");
    assert!(seen.contains("id=\"77\"") && seen.contains("<strDST>gettone</strDST>"), "{seen}");

    stub.set(Mode::Drop);
    let path = file(&admin, &desk, "In dubbio").await;
    let doubtful = settled(&admin, &path, "needs_review").await;
    assert_eq!((doubtful.at("/outcome_unknown"), doubtful.at("/problem")), (&json!(true), &json!("broken-off")));
    // It is not sent again by itself, nor before somebody has looked.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((stub.asked(), stub.registered()), (2, 2));
    let attempt = admin.post(&format!("{path}/attempts"), json!({})).fresh_key().if_match("*").await;
    attempt.problem(422, "invalid-body").field("/not_found_there");
    let found = json!({ "number": "2", "year": 2026 });
    let written = admin.post(&format!("{path}/external-protocol"), found).fresh_key().if_match("*").await.expect(200);
    assert_eq!((written.at("/state"), written.at("/external/number")), (&json!("registered"), &json!("2")));
    assert_eq!(stub.asked(), 2);

    stub.set(Mode::Refuse);
    let path = file(&admin, &desk, "Rifiutata").await;
    settled(&admin, &path, "failed").await;

    // Who is too busy to answer the last call may have done what it asks.
    stub.set(Mode::Busy);
    let path = file(&admin, &desk, "Chissà").await;
    let doubtful = settled(&admin, &path, "needs_review").await;
    assert_eq!((doubtful.at("/outcome_unknown"), doubtful.at("/problem")), (&json!(true), &json!("busy")));
}

async fn what_was_annulled_is_not_handed_on(server: Server) {
    let (_, desk) = desk_of(&server).await;
    let (admin, stub) = (server.client("admin"), Stub::start(Mode::Busy).await);
    connect(&admin, &stub, "http_json").await;
    let path = file(&admin, &desk, "Per errore").await;
    eventually("it was tried", async || (stub.asked() > 0).then_some(())).await;
    let entry = admin.get(&path).await.expect(200).text_at("/entry_id").to_owned();
    let why = json!({ "reason": "Errore", "act": "Determinazione n. 3" });
    admin.post(&format!("/protocol-entries/{entry}/annulment"), why).fresh_key().if_match("*").await.expect(200);
    let failed = settled(&admin, &path, "failed").await;
    assert_eq!((failed.at("/problem"), failed.at("/outcome_unknown")), (&json!("annulled"), &json!(false)));
    assert_eq!(failed.at("/links/0/rel"), &json!("external-protocol"));
    stub.set(Mode::Answer);
    let again = admin.post(&format!("{path}/attempts"), json!({})).fresh_key().if_match(failed.etag()).await;
    again.problem(409, "invalid-transition");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(stub.registered(), 0);
}

async fn what_was_registered_in_an_emergency_has_both_numbers_there(server: Server) {
    let (_, desk) = desk_of(&server).await;
    let (admin, stub) = (server.client("admin"), Stub::start(Mode::Answer).await);
    connect(&admin, &stub, "http_json").await;
    let reason = json!({ "reason": "Guasto" });
    let emergency = admin.post("/emergency-registers", reason).fresh_key().await.expect(201);
    let mut urgent = body(&desk, "Urgente");
    urgent["emergency_register_id"] = emergency.at("/id").clone();
    let first = admin.post("/protocol-entries", urgent).fresh_key().await.expect(201);
    let closure = format!("/emergency-registers/{}/closure", emergency.text_at("/id"));
    admin.call(reqwest::Method::POST, &closure).fresh_key().if_match("*").await.expect(200);
    let verify = format!("/receipts/{}", first.text_at("/receipt_code"));
    // Its receipt tells the general number, and an annulment, of the ordinary one.
    let told = eventually("the receipt tells the number", async || {
        let told = admin.get(&verify).await.expect(200);
        (!told.at("/general_protocol").is_null()).then_some(told)
    })
    .await;
    assert_eq!((told.at("/general_protocol/number"), told.at("/annulled")), (&json!("0000001"), &json!(false)));
    let sent: Value = serde_json::from_str(&stub.seen()[0]).unwrap();
    assert_eq!(&sent["recovers"]["register_code"], emergency.at("/register_code"), "{sent}");
    assert_eq!((&sent["recovers"]["number"], &sent["local_registration"]["number"]), (&json!(1), &json!(1)));
    assert!(first.text_at("/registered_at").starts_with(sent["received_on"].as_str().unwrap()), "{sent}");
    let old = admin.get(&format!("/protocol-entries/{}", first.text_at("/id"))).await.expect(200);
    let path = format!("/protocol-entries/{}/annulment", old.text_at("/recovered_entry_id"));
    let why = json!({ "reason": "Errore", "act": "Determinazione n. 3" });
    admin.post(&path, why).fresh_key().if_match("*").await.expect(200);
    assert_eq!(admin.get(&verify).await.expect(200).at("/annulled"), &json!(true));
}

async fn what_is_in_doubt_does_not_move_to_another_system(server: Server) {
    let (world, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    let order = body(&desk, "In dubbio");
    let (one, other) = (
        admin.post("/protocol-entries", order.clone()).fresh_key(),
        admin.post("/protocol-entries", order).fresh_key(),
    );
    let made = [one.await.expect(201), other.await.expect(201)];
    let paths = made.map(|made| format!("/protocol-registrations/{}", made.text_at("/registration_id")));
    let connect = async |base_url: &str| {
        let connection = json!({ "connector": "http_json", "ipa_code": "c_x000", "aoo_code": "SPORTELLO",
            "register_code": "RACC", "base_url": base_url, "credential": "chiave" });
        admin.put("/connections/protocol", connection).if_match("*").await.expect(200);
    };
    connect("https://protocollo.example/api").await;
    // Not due for a long time: nobody takes them meanwhile.
    let in_doubt = async |which: bool| {
        world
            .write(move |tx| {
                let mine = g::table.filter(g::tenant_id.eq(Key(tx.tenant())));
                diesel::update(mine)
                    .set((
                        g::connector.eq(ConnectorKind::HttpJson),
                        g::state.eq(RegistrationState::Pending),
                        g::in_doubt.eq(which),
                        g::next_attempt_at.eq(At(tx.now() + jiff::SignedDuration::from_hours(24))),
                    ))
                    .execute(tx.conn())?;
                Ok(())
            })
            .await;
    };
    // The same address with another credential is the same system, and what is certain moves.
    in_doubt(true).await;
    connect("https://protocollo.example/api").await;
    assert_eq!(admin.get(&paths[0]).await.expect(200).at("/state"), &json!("pending"));
    in_doubt(false).await;
    connect("https://altrove.example/api").await;
    assert_eq!(admin.get(&paths[0]).await.expect(200).at("/state"), &json!("pending"));
    in_doubt(true).await;
    connect("https://protocollo.example/api").await;
    for path in &paths {
        let found = admin.get(path).await.expect(200);
        assert_eq!((found.at("/state"), found.at("/problem")), (&json!("needs_review"), &json!("outcome-unknown")));
        assert_eq!(found.at("/outcome_unknown"), &json!(true));
    }
    in_doubt(true).await;
    admin.delete("/connections/protocol").if_match("*").await.expect(204);
    assert_eq!(admin.get(&paths[1]).await.expect(200).at("/state"), &json!("needs_review"));
}

async fn a_crash_between_filing_and_protocol_registers_once(mut server: Server) {
    let (_, desk) = desk_of(&server).await;
    let (admin, stub) = (server.client("admin"), Stub::start(Mode::Late(Duration::from_secs(60))).await);
    connect(&admin, &stub, "http_json").await;
    let path = file(&admin, &desk, "Richiesta").await;
    eventually("it was sent", async || (stub.registered() == 1).then_some(())).await;
    server.kill_9();
    stub.set(Mode::Answer);
    server.restart();
    let admin = server.client("admin");
    // Once the lease of who was killed has run out.
    let registered = settled(&admin, &path, "registered").await;
    assert_eq!(registered.at("/external/number"), &json!("0000001"));
    assert_eq!((stub.asked(), stub.looked_up(), stub.registered()), (1, 1, 1));
}

async fn the_connection_is_written_and_not_shown(server: Server) {
    let admin = server.client("admin");
    let bare = admin.get("/connections/protocol").await.expect(200);
    assert_eq!((bare.at("/connector"), bare.at("/version")), (&json!("internal"), &json!(0)));
    let new = json!({ "connector": "http_json", "ipa_code": "c_x000", "aoo_code": "AOO", "register_code": "RACC",
        "base_url": "https://protocollo.example/api", "credential": "parola-nascosta" });
    let path = "/connections/protocol";
    admin.put(path, new.clone()).await.problem(428, "precondition-required");
    let put = admin.put(path, new.clone()).if_match("\"0\"").await.expect(200);
    assert_eq!(
        (put.at("/credential_set"), put.at("/capabilities")),
        (&json!(true), &json!(["register", "lookup", "idempotency", "contents"]))
    );
    assert!(!put.text.contains("parola-nascosta") && !admin.get(path).await.text.contains("parola-nascosta"));
    let mut moved = new.clone();
    moved["base_url"] = json!("https://altrove.example/api");
    moved.as_object_mut().unwrap().remove("credential");
    // Nobody has the credential sent elsewhere.
    admin.put(path, moved).if_match("\"1\"").await.problem(422, "invalid-body").field("/credential");
    for (name, value) in
        [("base_url", json!("http://10.0.0.1/x")), ("register_code", json!("EM1")), ("aoo_code", json!("a b"))]
    {
        let mut wrong = new.clone();
        wrong[name] = value;
        admin.put(path, wrong).if_match("\"1\"").await.problem(422, "invalid-body").field(&format!("/{name}"));
    }
    admin.delete(path).if_match("\"1\"").await.expect(204);
    admin.delete(path).if_match("*").await.problem(404, "not-found");
}
