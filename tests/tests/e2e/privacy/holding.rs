//! All there is about a person, and nothing about anybody else.

use std::{
    io::{Cursor, Read},
    path::Path,
};

use serde_json::{Value, json};
use tests::{Server, both_databases};

use super::{Cast, NAMESAKE, ZENOBIA, about, all, order, section};
use crate::mint;

both_databases!(
    an_export_is_of_one_person,
    a_person_has_their_own,
    an_archive_has_the_files_too,
    who_booked_without_a_tax_code_is_known_by_code_and_mailbox,
    who_looked_is_written_down,
);

async fn an_export_is_of_one_person(server: Server) {
    let cast = Cast::of(&server).await;
    let admin = server.client("admin");
    let export = admin.post("/personal-data-exports", about(ZENOBIA)).await.expect(200);
    let entries = section(&export.body, "appointments", "appointments");
    let ids: Vec<_> = entries.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(ids, cast.ids(), "{export}");
    let first = &entries[0];
    assert_eq!(first["applicant"]["tax_code"], ZENOBIA);
    assert_eq!(first["applicant"]["email"], "zq@posta.example");
    assert_eq!(first["applicant"]["notes"], "porta il barboncino");
    assert_eq!(first["office"], json!(cast.desks[0].office.name.0.text(kernel::Lang::It)));
    assert_eq!(first["office_notes"][0]["body"], "Le serve la rampa, porta il barboncino");
    // Colleagues are roles.
    assert_eq!(first["office_notes"][0]["by"], "staff");
    assert_eq!(
        (&first["history"][0]["action"], &first["history"][0]["by"]),
        (&json!("appointment.confirmed"), &json!("staff"))
    );
    assert_eq!(entries[2]["applicant"]["cancellation_reason"], "il barboncino sta male");
    assert_eq!(entries[2]["history"].as_array().unwrap().len(), 2);
    for strange in ["omonima", NAMESAKE, "1112223", cast.other.text_at("/id"), cast.other.text_at("/code")] {
        assert!(!export.text.contains(strange), "tells of {strange}: {export}");
    }
    let staff = all(&admin, "/staff-members").await;
    for name in staff.iter().map(|member| member["display_name"].as_str().unwrap()) {
        assert!(!export.text.contains(name), "names {name}: {export}");
    }
    // Her namesake has what is hers, and nobody has nothing.
    let other = admin.post("/personal-data-exports", about(NAMESAKE)).await.expect(200);
    let entries = section(&other.body, "appointments", "appointments");
    assert_eq!(entries.len(), 1);
    assert!(!other.text.contains("zq@posta") && !other.text.contains(ZENOBIA), "{other}");
    let nobody = admin.post("/personal-data-exports", about("QNTZNB82A41Z998X")).await.expect(200);
    assert!(section(&nobody.body, "appointments", "appointments").is_empty());

    for role in ["citizen_a", "operator", "manager", "urp_operator", "kiosk", "integration", "platform"] {
        server.client(role).post("/personal-data-exports", about(ZENOBIA)).await.problem(403, "forbidden");
    }
    server.anonymous().post("/personal-data-exports", about(ZENOBIA)).await.problem(401, "unauthenticated");
    for person in
        [json!({}), json!({ "tax_code": ZENOBIA, "email": "zq@posta.example" }), json!({ "code": "K7M2-PQ4X" })]
    {
        let body = json!({ "person": person, "request_reference": "x" });
        admin.post("/personal-data-exports", body).await.problem(422, "invalid-body").field("/person");
    }
    let unsaid = json!({ "person": { "tax_code": ZENOBIA } });
    admin.post("/personal-data-exports", unsaid).await.problem(422, "invalid-body").field("/request_reference");
}

async fn a_person_has_their_own(server: Server) {
    let cast = Cast::of(&server).await;
    let slug = &server.credentials().tenant;
    let zenobia = server.anonymous().with_token(mint::citizen(&server, slug, ZENOBIA));
    // She books for her son, who has a codice fiscale of his own.
    let son = order(&cast.desks[1], 15, NAMESAKE, "zq@posta.example", "+39 050 7654321");
    let booked = zenobia.post("/appointments", son).fresh_key().await.expect(201);
    let mine = zenobia.get("/me/personal-data").await.expect(200);
    let ids: Vec<_> = section(&mine.body, "appointments", "appointments").iter().map(|entry| &entry["id"]).collect();
    assert_eq!(ids, cast.ids());
    let for_others = section(&mine.body, "appointments", "booked_for_others");
    assert_eq!(for_others[0]["id"], booked.text_at("/id"));
    assert!(for_others[0].get("applicant").is_none() && !mine.text.contains(NAMESAKE), "{mine}");
    let actions: Vec<_> = section(&mine.body, "platform", "actions").iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["appointment.confirmed"]);
    // What she booked for him is hers to see; asked for him, the office has it, without how to reach her.
    let son = server.anonymous().with_token(mint::citizen(&server, slug, NAMESAKE));
    let his = son.get("/me/personal-data").await.expect(200);
    assert_eq!(section(&his.body, "appointments", "appointments").len(), 1, "{his}");
    assert!(!his.text.contains(booked.text_at("/code")), "{his}");
    let his = server.client("admin").post("/personal-data-exports", about(NAMESAKE)).await.expect(200);
    assert_eq!(section(&his.body, "appointments", "appointments").len(), 2, "{his}");
    assert!(!his.text.contains("zq@posta") && !his.text.contains("7654321"), "{his}");
    server.anonymous().get("/me/personal-data").await.problem(401, "unauthenticated");
    for role in ["admin", "integration"] {
        server.client(role).get("/me/personal-data").await.problem(403, "forbidden");
        server.client(role).get("/me/personal-data-archive").await.problem(403, "forbidden");
    }
}

/// The names of what is in an archive, and the document.
pub(crate) fn opened(bytes: &[u8]) -> (Vec<String>, Value) {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("an archive");
    let names = archive.file_names().map(|name| name.expect("a name").into_owned()).collect();
    let mut text = String::new();
    archive.by_name("personal-data.json").expect("the document").read_to_string(&mut text).unwrap();
    (names, serde_json::from_str(&text).unwrap())
}

async fn an_archive_has_the_files_too(server: Server) {
    let cast = Cast::of(&server).await;
    let admin = server.client("admin");
    let (status, headers, bytes) = admin.post("/personal-data-archives", about(ZENOBIA)).bytes().await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "application/zip"));
    let named = headers["content-disposition"].to_str().unwrap();
    assert!(named.starts_with("attachment; filename=\"dati-personali-") && !named.contains("QNTZNB"), "{named}");
    let (names, document) = opened(&bytes);
    let told = document["holdings"][0]["files"].as_array().unwrap();
    assert_eq!(told.len(), 3);
    for (booked, file) in cast.hers.iter().zip(told) {
        let name = format!("appointments/{}.ics", booked.text_at("/code"));
        assert_eq!(file["name"], name.as_str());
        assert!(names.contains(&name) && Path::new(&name).is_relative(), "{names:?}");
    }
    assert_eq!(names.len(), 4, "{names:?}");
    let zenobia = mint::citizen(&server, &server.credentials().tenant, ZENOBIA);
    let (status, _, bytes) = server.anonymous().with_token(zenobia).get("/me/personal-data-archive").bytes().await;
    assert_eq!(status, 200);
    let mut own = opened(&bytes).1;
    assert_eq!(own["holdings"][0], document["holdings"][0]);
    assert!(own["holdings"].take().is_array());
}

async fn who_booked_without_a_tax_code_is_known_by_code_and_mailbox(server: Server) {
    let cast = Cast::of(&server).await;
    let (admin, visitor) = (server.client("admin"), server.anonymous());
    let book = async |hour, given_name: &str| {
        let mut order = cast.desks[0].order(cast.desks[0].at(4, hour, 0));
        order["applicant"] =
            json!({ "given_name": given_name, "family_name": "D'Àlò", "email": "famiglia@posta.example" });
        visitor.post("/appointments", order).fresh_key().await.expect(201)
    };
    let (first, second, brother) = (book(9, "Ugo").await, book(10, "ugo").await, book(11, "Elio").await);
    let by = |code: &str, email: &str| {
        let body = json!({ "person": { "code": code, "email": email }, "request_reference": "Prot. 1/2026" });
        admin.post("/personal-data-exports", body)
    };
    let export = by(first.text_at("/code"), "Famiglia@posta.example").await.expect(200);
    let ids: Vec<_> = section(&export.body, "appointments", "appointments").iter().map(|entry| &entry["id"]).collect();
    // The same mailbox and the same name, however it is written; the brother has his own.
    assert_eq!(ids, [first.text_at("/id"), second.text_at("/id")]);
    assert!(!export.text.contains(brother.text_at("/code")), "{export}");
    by(first.text_at("/code"), "zq@posta.example").await.problem(422, "invalid-body").field("/person/code");
    by("K7M2-PQ4X", "famiglia@posta.example").await.problem(422, "invalid-body").field("/person/code");
    // Of whoever has a codice fiscale everything is found by one appointment.
    let whole = by(cast.hers[0].text_at("/code"), "zq@posta.example").await.expect(200);
    assert_eq!(section(&whole.body, "appointments", "appointments").len(), 3);
}

async fn who_looked_is_written_down(server: Server) {
    Cast::of(&server).await;
    let admin = server.client("admin");
    let export = admin.post("/personal-data-exports", about(ZENOBIA)).await.expect(200);
    admin.post("/personal-data-archives", about(ZENOBIA)).bytes().await;
    admin.post("/personal-data-exports", about(NAMESAKE)).await.expect(200);
    let key = export.text_at("/person_key");
    let entries = admin.get("/data-access-entries").query("person_key", key).await.expect(200);
    let told: Vec<_> = entries.items().iter().map(|entry| (&entry["action"], &entry["reference"])).collect();
    assert_eq!(told, vec![(&json!("personal-data.exported"), &json!("Prot. 1234/2026")); 2]);
    assert!(entries.items()[0]["actor"].as_str().unwrap().starts_with("staff:"), "{entries}");
    assert!(!entries.text.contains("Zenobia") && !entries.text.contains("QNTZNB"), "{entries}");
    // She is told that it was looked at, by whom as a role.
    let zenobia = mint::citizen(&server, &server.credentials().tenant, ZENOBIA);
    let own = server.anonymous().with_token(zenobia).get("/me/personal-data").await.expect(200);
    let accesses = section(&own.body, "platform", "accesses");
    assert_eq!(accesses.iter().map(|entry| &entry["by"]).collect::<Vec<_>>(), ["staff", "staff"]);
    for role in ["citizen_a", "operator", "manager", "integration"] {
        server.client(role).get("/data-access-entries").await.problem(403, "forbidden");
    }
    for query in ["person_key=%20", "actor=", "from=2026-02-02&to=2026-02-01", "action=looked"] {
        admin.get(&format!("/data-access-entries?{query}")).await.problem(422, "invalid-query");
    }
    // Looking for somebody and taking people away is written down too, without the words.
    let searched = json!({ "name": "quintavalle", "limit": 1 });
    let first = admin.post("/appointment-searches", searched.clone()).await.expect(200);
    let mut more = searched;
    more["after"] = first.at("/next").clone();
    admin.post("/appointment-searches", more).await.expect(200);
    server.client("operator").post("/appointment-searches", json!({ "tax_code": ZENOBIA })).await.expect(200);
    admin.get("/exports/appointments.csv?include=applicant").bytes().await;
    admin.get("/exports/appointments.csv").bytes().await;
    let entries = admin.get("/data-access-entries").query("limit", 100).await.expect(200);
    let of = |action: &str| entries.items().iter().filter(|entry| entry["action"] == action).collect::<Vec<_>>();
    let keys: Vec<_> = of("people.searched").iter().map(|entry| &entry["person_key"]).collect();
    assert_eq!(keys, [&Value::Null, &json!(key)], "{entries}");
    assert_eq!(of("people.taken").len(), 1, "{entries}");
    assert!(!entries.text.contains("quintavalle"), "{entries}");
    // None can be taken back.
    admin.delete("/data-access-entries").await.problem(405, "method-not-allowed");
}
