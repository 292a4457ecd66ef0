//! What is attached is read by whoever may read what it is attached to, and that is written down.

use serde_json::{Value, json};
use tests::{Server, both_databases};

use super::{PDF, path, send, sent};
use crate::world::{Plan, World};

both_databases!(who_reads_what_another_sent_in_is_written_down, a_citizen_goes_on_reading_what_is_theirs);

/// The entries of the access log about documents, the first one first.
async fn looks(server: &Server) -> Vec<Value> {
    let log = server.client("admin").get("/data-access-entries").query("action", "document.read").await.expect(200);
    log.items().to_vec()
}

async fn who_reads_what_another_sent_in_is_written_down(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (sender, reader) = (server.client("urp_operator"), server.client("admin"));
    let made = send(&sender, "application/pdf", "Mario Rossi.pdf", PDF).await.expect(201);
    let id = made.text_at("/id");
    // As long as it is attached to nothing it is its sender's alone, who leaves no trace.
    sender.get(&path(&made, "")).await.expect(200);
    reader.get(&path(&made, "")).await.problem(404, "not-found");
    assert_eq!(looks(&server).await, Vec::<Value>::new());

    let order = json!({
        "direction": "inbound", "subject": "Con allegato", "office_id": desk.office.id, "channel": "counter",
        "parties": [{ "role": "sender", "kind": "person", "given_name": "Anna", "family_name": "Prova" }],
        "document_ids": [id], "documents": []
    });
    let entry = sender.post("/protocol-entries", order).fresh_key().await.expect(201);
    let entry = entry.text_at("/id");
    // Now it is the entry's: also for who sent it in.
    reader.get(&path(&made, "")).await.expect(200);
    reader.get(&path(&made, "/content")).await.expect(200);
    sender.get(&path(&made, "/content")).await.expect(200);
    server.client("citizen_a").get(&path(&made, "")).await.problem(404, "not-found");
    let told = looks(&server).await;
    assert_eq!(told.len(), 3, "{told:?}");
    let which = format!("document {id}, attached to protocol_entry {entry}");
    for look in &told {
        assert_eq!((&look["reference"], &look["person_key"]), (&json!(which), &Value::Null), "{look}");
        assert!(look["actor"].as_str().unwrap().starts_with("staff:") && !look.to_string().contains("Rossi"), "{look}");
    }
    assert_eq!(told[0]["actor"], told[1]["actor"]);
    assert_ne!(told[1]["actor"], told[2]["actor"]);
    // Each is proved by the audit.
    let proofs = reader.get("/audit-entries?action=document.read").await.expect(200);
    assert_eq!(proofs.items().len(), 3, "{proofs}");
}

async fn a_citizen_goes_on_reading_what_is_theirs(server: Server) {
    let world = World::of(&server).await;
    let anna = server.client("citizen_a");
    let made = sent(&anna, PDF).await;
    super::refused::attached(&world, &made).await;
    anna.get(&path(&made, "")).await.expect(200);
    anna.get(&path(&made, "/content")).await.expect(200);
    assert_eq!(looks(&server).await, Vec::<Value>::new());
    // What nobody says who may read it is read by nobody else of the staff, and not by who of them sent it in.
    let operator = server.client("operator");
    let his = sent(&operator, PDF).await;
    super::refused::attached(&world, &his).await;
    operator.get(&path(&his, "")).await.problem(404, "not-found");
    operator.get(&path(&his, "/content")).await.problem(404, "not-found");
}
