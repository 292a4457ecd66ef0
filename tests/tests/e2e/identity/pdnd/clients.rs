//! Who is let in through PDND: registered, changed and struck off by admins.

use platform::problems::ALREADY_REGISTERED;
use serde_json::{Value, json};
use tests::{Server, both_databases};

use super::{CLIENT, STRANGER};
use crate::{refusals::Refusals, world::World};

both_databases!(admins_say_who_is_let_in, nothing_is_accepted_unless_there_is_an_audience);

async fn admins_say_who_is_let_in(server: Server) {
    let admin = server.client("admin");
    let new = json!({ "client_id": CLIENT.to_uppercase(), "label": "Altrove", "scopes": ["events:read", "appointments:read", "events:read"] });
    let made = admin.post("/pdnd-clients", new.clone()).key("registering-altrove").await.expect(201);
    assert_eq!((made.text_at("/client_id"), made.at("/enabled")), (CLIENT, &json!(true)));
    assert_eq!(made.at("/scopes"), &json!(["appointments:read", "events:read"]), "each once");
    let path = format!("/pdnd-clients/{}", made.text_at("/id"));
    assert!(made.header("location").unwrap().ends_with(&path), "{made}");
    let again = admin.post("/pdnd-clients", new.clone()).key("registering-altrove").await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), &again.body), (Some("true"), &made.body));
    let mut refused = Refusals::of(&World::of(&server).await);
    refused.told(&ALREADY_REGISTERED, admin.post("/pdnd-clients", new).fresh_key()).await;
    refused.were(&[&ALREADY_REGISTERED]);

    admin.patch(&path, json!({ "enabled": false })).await.problem(428, "precondition-required");
    let changed = admin.patch(&path, json!({ "enabled": false, "scopes": [] })).if_match(made.etag()).await.expect(200);
    assert_eq!(
        (changed.at("/enabled"), changed.at("/scopes"), changed.at("/version")),
        (&json!(false), &json!([]), &json!(2))
    );
    assert_eq!(changed.text_at("/label"), "Altrove");
    admin.patch(&path, json!({ "enabled": true })).if_match(made.etag()).await.problem(412, "version-mismatch");
    for (change, field) in [
        (json!({ "client_id": STRANGER }), "/client_id"),
        (json!({ "label": null }), "/label"),
        (json!({ "scopes": ["everything"] }), "/scopes/0"),
    ] {
        admin.patch(&path, change).if_match("*").await.problem(422, "invalid-body").field(field);
    }
    let other = json!({ "client_id": STRANGER, "label": "Un altro", "scopes": [] });
    let other = admin.post("/pdnd-clients", other).await.expect(201);
    let first = admin.get("/pdnd-clients").query("limit", 1).await.expect(200);
    assert_eq!(first.items(), [admin.get(&path).await.expect(200).body]);
    let next = admin.get("/pdnd-clients").query("after", first.text_at("/next")).await.expect(200);
    assert_eq!((next.items(), next.body.get("next").unwrap_or(&Value::Null)), ([other.body].as_slice(), &Value::Null));

    admin.delete(&path).if_match(made.etag()).await.problem(412, "version-mismatch");
    admin.delete(&path).if_match(changed.etag()).await.expect(204);
    admin.get(&path).await.problem(404, "not-found");
    let entries = admin.get("/audit-entries").query("action", "pdnd-client.").await.expect(200);
    let actions: Vec<_> = entries.items().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    for action in ["pdnd-client.registered", "pdnd-client.changed", "pdnd-client.removed"] {
        assert!(actions.contains(&action), "{action}: {actions:?}");
    }
}

async fn nothing_is_accepted_unless_there_is_an_audience(server: Server) {
    let admin = server.client("admin");
    let set = async |pdnd: Value| admin.patch("/settings", json!({ "pdnd": pdnd })).if_match("*").await;
    let off = json!({ "enabled": false, "audience": null, "signature_required": false });
    assert_eq!(admin.get("/settings").await.expect(200).at("/pdnd"), &off);
    assert!(server.anonymous().get("/settings").await.expect(200).body.get("pdnd").is_none());
    set(json!({ "enabled": true })).await.problem(422, "invalid-body").field("/pdnd/audience");
    set(json!({ "audience": "with blanks" })).await.problem(422, "invalid-body").field("/pdnd/audience");
    set(json!({ "colour": "red" })).await.problem(422, "invalid-body").field("/pdnd/colour");
    // Nobody here could check them.
    set(json!({ "signature_required": true })).await.problem(422, "invalid-body").field("/pdnd/signature_required");
    let on = json!({ "enabled": true, "audience": "a", "signature_required": false });
    assert_eq!(set(on.clone()).await.expect(200).at("/pdnd"), &on);
    set(json!({ "audience": null })).await.problem(422, "invalid-body").field("/pdnd/audience");
    let back = json!({ "enabled": null, "audience": null, "signature_required": null });
    assert_eq!(set(back).await.expect(200).at("/pdnd"), &off);
}
