//! Emergency registers: numbers of their own, and ordinary ones later; both are kept.

use serde_json::json;
use tests::{Server, both_databases};

use super::{KINDS, body, desk_of};
use crate::refusals::Refusals;

both_databases!(what_is_registered_in_an_emergency_gets_its_number_later);

async fn what_is_registered_in_an_emergency_gets_its_number_later(server: Server) {
    let (world, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    admin.post("/protocol-entries", body(&desk, "Prima")).fresh_key().await.expect(201);
    let reason = json!({ "reason": "Guasto al protocollo generale" });
    let opened = admin.post("/emergency-registers", reason.clone()).fresh_key().await.expect(201);
    let day = tests::today().strftime("%Y%m%d");
    assert_eq!(opened.text_at("/register_code"), format!("EM{day}.1"));
    let other = admin.post("/emergency-registers", reason).fresh_key().await.expect(201);
    assert_eq!(other.text_at("/register_code"), format!("EM{day}.2"));

    let mut urgent = body(&desk, "Urgente");
    urgent["emergency_register_id"] = opened.at("/id").clone();
    let mut kept = Vec::new();
    for number in 1..=3 {
        let made = admin.post("/protocol-entries", urgent.clone()).fresh_key().await.expect(201);
        assert_eq!((made.at("/number"), made.at("/registration_id")), (&json!(number), &json!(null)));
        assert_eq!(made.at("/register_code"), opened.at("/register_code"));
        kept.push(made.text_at("/id").to_owned());
    }
    let why = json!({ "reason": "Errore", "act": "Determinazione n. 3" });
    admin.post(&format!("/protocol-entries/{}/annulment", kept[1]), why).fresh_key().if_match("*").await.expect(200);
    // The ordinary register goes on by itself meanwhile.
    let made = admin.post("/protocol-entries", body(&desk, "Seconda")).fresh_key().await.expect(201);
    assert_eq!(made.at("/number"), &json!(2));

    let path = format!("/emergency-registers/{}", opened.text_at("/id"));
    let closed = admin.call(reqwest::Method::POST, &format!("{path}/closure")).fresh_key().if_match("\"1\"").await;
    let closed = closed.expect(200);
    assert_eq!((closed.at("/state"), closed.at("/recovered")), (&json!("closed"), &json!(2)));
    for (id, number) in [(&kept[0], 3), (&kept[2], 4)] {
        let old = admin.get(&format!("/protocol-entries/{id}")).await.expect(200);
        let new = admin.get(&format!("/protocol-entries/{}", old.text_at("/recovered_entry_id"))).await.expect(200);
        assert_eq!((new.at("/number"), new.text_at("/register_code")), (&json!(number), "RACC"));
        assert_eq!((new.text_at("/recovers_entry_id"), new.at("/subject")), (id.as_str(), old.at("/subject")));
        assert_eq!(new.at("/registration_state"), &json!("registered"));
    }
    let annulled = admin.get(&format!("/protocol-entries/{}", kept[1])).await.expect(200);
    assert_eq!(annulled.at("/recovered_entry_id"), &json!(null));
    assert_eq!(admin.get("/protocol-verification").await.expect(200).at("/sound"), &json!(true));

    let mut refused = Refusals::of(&world);
    refused.told(KINDS[0], admin.post("/protocol-entries", urgent).fresh_key()).await;
    let again = admin.call(reqwest::Method::POST, &format!("{path}/closure")).fresh_key().if_match("*");
    refused.told(KINDS[0], again).await;
    refused.were(KINDS);
}
