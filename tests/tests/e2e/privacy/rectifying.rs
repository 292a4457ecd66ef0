//! What is wrong about a person is put right wherever it stands.

use serde_json::json;
use tests::{Server, both_databases};

use super::{Cast, NAMESAKE, ZENOBIA, about, age, all, path, section};

both_databases!(a_name_is_put_right_everywhere, who_is_known_by_a_mailbox_is_known_by_the_right_one);

async fn a_name_is_put_right_everywhere(server: Server) {
    let cast = Cast::of(&server).await;
    let admin = server.client("admin");
    // One of hers is past by now.
    age(&cast.world, &cast.hers[1], 40).await;
    let mut body = about(ZENOBIA);
    body["family_name"] = "Quintavalli".into();
    body["email"] = "zenobia@posta.example".into();
    let done = admin.post("/personal-data-rectifications", body.clone()).await.expect(200);
    assert_eq!(done.at("/changed/0"), &json!({ "holding": "appointments", "records": 3 }), "{done}");
    for booked in &cast.hers {
        let now = admin.get(&path(booked, "")).await.expect(200);
        assert_eq!(now.at("/applicant/family_name"), "Quintavalli");
        assert_eq!(now.at("/applicant/email"), "zenobia@posta.example");
        // What was not named stays.
        assert_eq!(now.at("/applicant/given_name"), "Zenobia");
        let history = admin.get(&path(booked, "/history")).await.expect(200);
        assert_eq!(history.items().last().unwrap()["action"], "appointment.rectified", "{history}");
        let entries = admin.get("/audit-entries").query("subject_id", booked.text_at("/id")).await.expect(200);
        assert!(entries.items().iter().any(|entry| entry["action"] == "appointment.rectified"), "{entries}");
    }
    let other = admin.get(&path(&cast.other, "")).await.expect(200);
    assert_eq!((other.at("/applicant/family_name"), other.at("/version")), (&json!("Quintavalle"), &json!(1)));
    // She is found by the right name, and no longer by the wrong one.
    let search = |name: &str| admin.post("/appointment-searches", json!({ "name": name }));
    assert_eq!(search("quintavalli").await.expect(200).items().len(), 3);
    assert_eq!(search("quintavalle").await.expect(200).items().len(), 1);
    let export = admin.post("/personal-data-exports", about(ZENOBIA)).await.expect(200);
    assert_eq!(section(&export.body, "appointments", "appointments").len(), 3);

    // A second time there is nothing left to change, and no version is raised.
    let again = admin.post("/personal-data-rectifications", body).await.expect(200);
    assert_eq!(again.at("/changed/0/records"), 0);
    let versions: Vec<_> = all(&admin, &format!("/appointments?office_id={}", cast.desks[0].office.id)).await;
    assert!(versions.iter().all(|item| item["version"].as_i64().unwrap() <= 3), "{versions:?}");

    admin.post("/personal-data-rectifications", about(NAMESAKE)).await.problem(422, "invalid-body");
    let mut wrong = about(NAMESAKE);
    wrong["email"] = "nobody".into();
    admin.post("/personal-data-rectifications", wrong).await.problem(422, "invalid-body").field("/email");
    for role in ["citizen_a", "operator", "manager", "urp_operator", "integration"] {
        let mut body = about(NAMESAKE);
        body["phone"] = "123".into();
        server.client(role).post("/personal-data-rectifications", body).await.problem(403, "forbidden");
    }
}

async fn who_is_known_by_a_mailbox_is_known_by_the_right_one(server: Server) {
    let cast = Cast::of(&server).await;
    let admin = server.client("admin");
    let mut order = cast.desks[0].order(cast.desks[0].at(4, 9, 0));
    order["applicant"] = json!({ "given_name": "Ugo", "family_name": "Prova", "email": "sbagliata@posta.example" });
    let booked = server.anonymous().post("/appointments", order).fresh_key().await.expect(201);
    let person = |email: &str| json!({ "code": booked.text_at("/code"), "email": email });
    let body = json!({
        "person": person("sbagliata@posta.example"), "request_reference": "Prot. 2/2026", "email": "giusta@posta.example"
    });
    let done = admin.post("/personal-data-rectifications", body.clone()).await.expect(200);
    assert_eq!(done.at("/changed/0/records"), 1);
    admin.post("/personal-data-rectifications", body).await.problem(422, "invalid-body").field("/person/code");
    let body = json!({ "person": person("giusta@posta.example"), "request_reference": "Prot. 3/2026" });
    let export = admin.post("/personal-data-exports", body).await.expect(200);
    assert_ne!(export.at("/person_key"), done.at("/person_key"));
    assert!(!export.text.contains("sbagliata"), "{export}");
    assert_eq!(section(&export.body, "appointments", "appointments").len(), 1);
}
