//! What is recorded, and who may read it.

use serde_json::{Value, json};
use tests::{Answer, Client, Server, both_databases};

use crate::{
    mint,
    world::{Plan, World},
};

both_databases!(every_change_leaves_an_entry, admins_look_for_entries);

async fn entries(admin: &Client) -> Vec<Value> {
    let mut found = Vec::new();
    let mut after = None::<String>;
    loop {
        let mut call = admin.get("/audit-entries").query("limit", 100);
        if let Some(after) = &after {
            call = call.query("after", after);
        }
        let page = call.await.expect(200);
        found.extend_from_slice(page.items());
        match page.at("/next").as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => return found,
        }
    }
}

/// The one entry that a change has left, which names who made it and to what.
async fn left(admin: &Client, seen: &mut usize, action: &str, actor: &str, subject: &str) {
    let all = entries(admin).await;
    let new = &all[*seen..];
    assert_eq!(new.len(), 1, "{action}: {new:?}");
    assert_eq!(new[0]["action"], action, "{new:?}");
    assert!(new[0]["actor"].as_str().unwrap().starts_with(actor), "{action}: {new:?}");
    assert!(subject.is_empty() || new[0]["subject_id"] == subject, "{action} {subject}: {new:?}");
    *seen = all.len();
}

fn id(answer: &Answer) -> String {
    answer.text_at("/id").to_owned()
}

async fn every_change_leaves_an_entry(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (admin, citizen) = (server.client("admin"), server.client("citizen_a"));
    let mut seen = entries(&admin).await.len();

    let held = citizen.post("/holds", desk.wish(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    left(&admin, &mut seen, "hold.created", "citizen:", &id(&held)).await;
    citizen.delete(&format!("/holds/{}", id(&held))).await.expect(204);
    left(&admin, &mut seen, "hold.released", "citizen:", &id(&held)).await;
    let booked = citizen.post("/appointments", desk.order(desk.at(3, 10, 0))).key("one-of-this-test").await.expect(201);
    let booked = id(&booked);
    left(&admin, &mut seen, "appointment.confirmed", "citizen:", &booked).await;
    // A repetition changes nothing, and neither does what is refused.
    citizen.post("/appointments", desk.order(desk.at(3, 10, 0))).key("one-of-this-test").await;
    citizen.post("/appointments", json!({})).fresh_key().await.problem(422, "invalid-body");
    assert_eq!(entries(&admin).await.len(), seen);
    let to = json!({ "starts_at": kernel::civil::format_rfc3339(desk.at(3, 11, 0)) });
    citizen.post(&format!("/appointments/{booked}/rescheduling"), to).await.expect(200);
    left(&admin, &mut seen, "appointment.rescheduled", "citizen:", &booked).await;
    citizen.post(&format!("/appointments/{booked}/cancellation"), json!({})).await.expect(200);
    left(&admin, &mut seen, "appointment.cancelled", "citizen:", &booked).await;

    admin.patch("/settings", json!({ "phone": "12345" })).if_match("*").await.expect(200);
    left(&admin, &mut seen, "settings.changed", "staff:", &world.tenant.tenant_id.to_string()).await;
    let order =
        json!({ "provider": mint::STAFF_PROVIDER, "subject": "nuova", "display_name": "Nuova", "role": "operator" });
    let member = id(&admin.post("/staff-members", order).fresh_key().await.expect(201));
    left(&admin, &mut seen, "staff-member.enrolled", "staff:", &member).await;
    admin.patch(&format!("/staff-members/{member}"), json!({ "role": "admin" })).if_match("*").await.expect(200);
    left(&admin, &mut seen, "staff-member.changed", "staff:", &member).await;
    crate::rows::key(&world, platform::access::keys::KeyKind::Integration, None, &[]).await;
    left(&admin, &mut seen, "key.issued", "system", "").await;

    // Nobody is named in it.
    let all = admin.get("/audit-entries").query("limit", 100).await.expect(200).text;
    for secret in [mint::TAX_CODE_A, "Nuova", "Anna", "@"] {
        assert!(!all.contains(secret), "{secret} is in the record");
    }
}

async fn admins_look_for_entries(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let other = World::another(&server, "altrove").await;
    let theirs = other.desk(Plan::default()).await;
    let elsewhere =
        server.tenant("altrove").post("/holds", theirs.wish(theirs.at(3, 9, 0))).fresh_key().await.expect(201);
    let (admin, citizen) = (server.client("admin"), server.client("citizen_a"));
    let booked = id(&citizen.post("/appointments", desk.order(desk.at(3, 10, 0))).fresh_key().await.expect(201));
    citizen.post(&format!("/appointments/{booked}/cancellation"), json!({})).await.expect(200);

    let actions = |answer: &Answer| -> Vec<String> {
        answer.items().iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
    };
    let of_one = admin.get("/audit-entries").query("subject_id", &booked).await.expect(200);
    assert_eq!(actions(&of_one), ["appointment.confirmed", "appointment.cancelled"]);
    let actor = citizen.get("/me").await.expect(200).text_at("/id").to_owned();
    let by_one = admin.get("/audit-entries").query("actor", &actor).query("action", "appointment.ca").await.expect(200);
    assert_eq!(actions(&by_one), ["appointment.cancelled"]);
    let today = tests::today();
    let tomorrow = today.tomorrow().unwrap();
    let yesterday = today.yesterday().unwrap();
    let ask = |from, to| admin.get("/audit-entries").query("subject_id", &booked).query("from", from).query("to", to);
    assert_eq!(ask(yesterday, tomorrow).await.expect(200).items().len(), 2);
    assert_eq!(
        ask(today.checked_sub(jiff::Span::new().days(9)).unwrap(), yesterday).await.expect(200).items().len(),
        0
    );
    ask(tomorrow, today).await.problem(422, "invalid-query").field("?to");
    admin.get("/audit-entries").query("action", "%").await.problem(422, "invalid-query").field("?action");
    for role in ["citizen_a", "operator", "urp_operator", "manager", "kiosk", "integration", "platform"] {
        server.client(role).get("/audit-entries").await.problem(403, "forbidden");
    }
    let all = entries(&admin).await;
    assert!(all.iter().all(|entry| entry["subject_id"] != elsewhere.body["id"]), "another Comune's entry");
}
