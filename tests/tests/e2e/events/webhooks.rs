//! Webhooks, with the reference library of Standard Webhooks at the other end.

use futures_util::future::join_all;
use kernel::ProblemKind;
use platform::problems::TOO_MANY_WEBHOOKS;
use serde_json::{Value, json};
use tests::{Answer, Client, Server, both_databases};

use super::{
    book, eager, eventually, nothing,
    receiver::{Receiver, allow_this_machine, hook},
    subject,
};
use crate::{
    refusals::Refusals,
    world::{Plan, World},
};

pub(crate) static KINDS: &[&ProblemKind] = &[&TOO_MANY_WEBHOOKS];

both_databases!(eager =>
    events_arrive_signed_and_in_order,
    a_key_is_rotated_with_two_signatures,
    what_fails_is_tried_again_parked_and_replayed,
    a_receiver_that_is_gone_is_left_alone,
    nothing_is_sent_where_nothing_may_be_sent,
    a_test_goes_to_one_webhook_alone,
    a_webhook_is_made_changed_and_ended
);

/// The deliveries of a webhook, newest first.
async fn deliveries(client: &Client, at: &str, state: &str) -> Vec<Value> {
    let page = client.get(&format!("{at}/deliveries")).query("state", state).query("limit", 100).await.expect(200);
    page.at("/items").as_array().unwrap().clone()
}

async fn tries(client: &Client, at: &str, delivery: &Value) -> Answer {
    client.get(&format!("{at}/deliveries/{}", delivery["id"].as_str().unwrap())).await.expect(200)
}

async fn events_arrive_signed_and_in_order(server: Server) {
    let Some(receiver) = Receiver::start() else { return };
    allow_this_machine(&server).await;
    let (at, _key) = hook(&server, &receiver, "all", &["appointment.*"]).await;
    let desk = World::of(&server).await.desk(Plan { capacity: 10, ..Plan::default() }).await;
    let (admin, anybody) = (server.client("admin"), server.anonymous());
    // The first delivery fails: what follows about the same object waits for it, what is about others does not.
    receiver.answer("all", json!([{ "status": 500 }])).await;
    let ids = join_all((0..10).map(|_| book(&anybody, &desk, desk.at(2, 10, 0)))).await;
    join_all(ids.iter().map(async |id| {
        let path = format!("/appointments/{id}/cancellation");
        admin.post(&path, nothing()).if_match("*").fresh_key().await.expect(200);
    }))
    .await;
    let seen = eventually("twenty events and one again", async || {
        let seen = receiver.seen("all").await;
        let ours = seen.iter().filter(|seen| ids.iter().any(|id| seen.event()["subject"] == subject(id)));
        (ours.count() == 21).then_some(seen)
    })
    .await;
    for id in &ids {
        let of: Vec<_> = seen.iter().filter(|seen| seen.event()["subject"] == subject(id)).collect();
        let good: Vec<&str> =
            of.iter().filter(|s| s.answered() == 204).map(|s| s.event()["type"].as_str().unwrap()).collect();
        assert_eq!(good, ["appointment.confirmed", "appointment.cancelled"], "{of:?}");
        assert!(of.iter().all(|seen| seen.good() == [true] && seen.signatures() == 1), "{of:?}");
        assert!(of.iter().all(|seen| seen.id() == seen.event()["id"]), "{of:?}");
    }
    // What was sent is what is read.
    let event = seen[0].event();
    let read = admin.get(&format!("/events/{}", event["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(&read.body, event);
    eventually("all noted", async || (deliveries(&admin, &at, "delivered").await.len() == 20).then_some(())).await;
    let text = format!("{seen:?}");
    assert!(!text.contains("Persona") && !text.contains("@example.org"), "somebody is named in an event");
}

async fn a_key_is_rotated_with_two_signatures(server: Server) {
    let Some(receiver) = Receiver::start() else { return };
    allow_this_machine(&server).await;
    let admin = server.client("admin");
    let (at, old) = hook(&server, &receiver, "keys", &["closure.deleted"]).await;
    let rotation = format!("{at}/signing-key-rotations");
    admin.post(&rotation, nothing()).fresh_key().await.problem(428, "precondition-required");
    let rotated = admin.post(&rotation, nothing()).if_match("*").fresh_key().await.expect(201);
    let new = rotated.text_at("/signing_key").to_owned();
    assert_ne!(new, old);
    receiver.check("keys", &[&new, &old]).await;
    admin.post(&format!("{at}/test-events"), nothing()).await.expect(202);
    let seen = eventually("a test", async || receiver.seen("keys").await.pop()).await;
    assert_eq!((seen.good(), seen.signatures()), (vec![true, true], 2));
    // Without an overlap the old key is worth nothing at once.
    let last = admin.post(&rotation, json!({ "overlap_hours": 0 })).if_match("*").fresh_key().await.expect(201);
    receiver.check("keys", &[last.text_at("/signing_key"), &new]).await;
    admin.post(&format!("{at}/test-events"), nothing()).await.expect(202);
    let seen = eventually("another test", async || receiver.seen("keys").await.get(1).cloned()).await;
    assert_eq!((seen.good(), seen.signatures()), (vec![true, false], 1));
    let shown = admin.get(&at).await.expect(200);
    assert!(!shown.text.contains("whsec_"), "a key is shown again");
}

async fn what_fails_is_tried_again_parked_and_replayed(server: Server) {
    let Some(receiver) = Receiver::start() else { return };
    allow_this_machine(&server).await;
    let admin = server.client("admin");
    let (at, _key) = hook(&server, &receiver, "trouble", &["closure.deleted"]).await;
    // Twice an answer that is no 2xx, once none within two seconds.
    let bad = json!([{ "status": 503, "retry_after": "1" }, { "status": 302 }, { "status": 204, "delay": 4 }]);
    receiver.answer("trouble", bad).await;
    let sent = admin.post(&format!("{at}/test-events"), nothing()).await.expect(202);
    let parked = eventually("a parked delivery", async || deliveries(&admin, &at, "parked").await.pop()).await;
    assert_eq!(parked["id"], sent.at("/delivery_id").clone());
    let log = tries(&admin, &at, &parked).await;
    let outcomes: Vec<&str> =
        log.at("/tries").as_array().unwrap().iter().map(|t| t["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["refused", "refused", "timed_out"]);
    assert_eq!(log.at("/tries/0/status"), 503);
    assert_eq!(log.at("/attempts"), 3);
    let replays = format!("{at}/deliveries/{}/replays", parked["id"].as_str().unwrap());
    admin.post(&replays, nothing()).await.expect(202);
    eventually("the replay", async || deliveries(&admin, &at, "delivered").await.pop()).await;
    let ids: Vec<String> = receiver.seen("trouble").await.iter().map(|seen| seen.id().to_owned()).collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.iter().all(|id| *id == ids[0]), "a receiver knows it by its id");
    // Everything that is parked, in one go.
    receiver.answer("trouble", json!(vec![json!({ "status": 500 }); 6])).await;
    for _ in 0..2 {
        admin.post(&format!("{at}/test-events"), nothing()).await.expect(202);
    }
    eventually("two parked", async || (deliveries(&admin, &at, "parked").await.len() == 2).then_some(())).await;
    let again = admin.post(&format!("{at}/replays"), json!({})).await.expect(202);
    assert_eq!(again.at("/replayed"), 2);
    eventually("both", async || (deliveries(&admin, &at, "delivered").await.len() == 3).then_some(())).await;
}

async fn a_receiver_that_is_gone_is_left_alone(server: Server) {
    let Some(receiver) = Receiver::start() else { return };
    allow_this_machine(&server).await;
    let admin = server.client("admin");
    let (at, _key) = hook(&server, &receiver, "gone", &["closure.deleted"]).await;
    receiver.answer("gone", json!([{ "status": 410 }])).await;
    admin.post(&format!("{at}/test-events"), nothing()).await.expect(202);
    let disabled = eventually("the end", async || {
        let shown = admin.get(&at).await.expect(200);
        (shown.at("/state") == "disabled").then_some(shown)
    })
    .await;
    assert_eq!(disabled.at("/disabled_because"), "gone");
    admin.post(&format!("{at}/test-events"), nothing()).await.problem(409, "invalid-transition");
    assert_eq!(receiver.seen("gone").await.len(), 1);
    let enabled = json!({ "state": "enabled" });
    let enabled = admin.patch(&at, enabled).if_match(disabled.header("etag").unwrap()).await.expect(200);
    assert_eq!(enabled.at("/disabled_because"), &Value::Null);
    admin.post(&format!("{at}/test-events"), nothing()).await.expect(202);
    eventually("a test", async || (receiver.seen("gone").await.len() == 2).then_some(())).await;
}

async fn nothing_is_sent_where_nothing_may_be_sent(server: Server) {
    let Some(receiver) = Receiver::start() else { return };
    let admin = server.client("admin");
    for (url, code) in [
        ("https://127.0.0.1/x", "private-address"),
        ("https://10.1.2.3/x", "private-address"),
        ("https://[::1]/x", "private-address"),
        ("https://[::ffff:192.168.0.1]/x", "private-address"),
        ("https://2130706433/x", "private-address"),
        ("https://169.254.169.254/latest/meta-data", "forbidden-address"),
        ("http://protocollo.example/x", "cleartext"),
    ] {
        let new = json!({ "url": url, "kinds": ["*"] });
        let refused = admin.post("/webhooks", new).fresh_key().await.problem(422, "invalid-body");
        assert_eq!(refused.at("/errors/0/code"), code, "{url}");
        refused.field("/url");
    }
    let user = json!({ "url": "https://u:p@protocollo.example/x", "kinds": ["*"] });
    admin.post("/webhooks", user).fresh_key().await.problem(422, "invalid-body").field("/url");
    // Never, whoever names it.
    let clouds = json!({ "private_hosts": ["169.254.169.254", "127.0.0.1", "localhost"] });
    admin.patch("/settings", clouds).if_match("*").await.expect(200);
    let new = json!({ "url": "http://169.254.169.254/latest", "kinds": ["*"] });
    admin.post("/webhooks", new).fresh_key().await.problem(422, "invalid-body").field("/url");
    // What was allowed and is no longer is not sent to either, nor is a name that leads there.
    let (at, _key) = hook(&server, &receiver, "own", &["closure.deleted"]).await;
    let named =
        json!({ "url": receiver.hook("named").replace("127.0.0.1", "localhost"), "kinds": ["closure.deleted"] });
    let named = admin.post("/webhooks", named).fresh_key().await.expect(201);
    let named = format!("/webhooks/{}", named.text_at("/id"));
    admin.patch("/settings", json!({ "private_hosts": [] })).if_match("*").await.expect(200);
    for at in [at, named] {
        admin.post(&format!("{at}/test-events"), nothing()).await.expect(202);
        let parked = eventually("a parked delivery", async || deliveries(&admin, &at, "parked").await.pop()).await;
        assert_eq!(tries(&admin, &at, &parked).await.at("/tries/0/outcome"), "forbidden_address");
    }
    assert!(receiver.seen("own").await.is_empty() && receiver.seen("named").await.is_empty());
    for hosts in [json!(["Protocollo.LAN"]), json!(["a/b"]), json!(["x:80"]), json!([""])] {
        let patch = json!({ "private_hosts": hosts });
        admin.patch("/settings", patch).if_match("*").await.problem(422, "invalid-body").field("/private_hosts");
    }
}

async fn a_test_goes_to_one_webhook_alone(server: Server) {
    let Some(receiver) = Receiver::start() else { return };
    allow_this_machine(&server).await;
    let admin = server.client("admin");
    let (at, _key) = hook(&server, &receiver, "tested", &["office.created"]).await;
    let (_other, _key) = hook(&server, &receiver, "other", &["*"]).await;
    let sent = admin.post(&format!("{at}/test-events"), nothing()).await.expect(202);
    let seen = eventually("a test", async || receiver.seen("tested").await.pop()).await;
    assert_eq!(seen.event()["type"], "webhook.tested");
    assert_eq!(seen.event()["id"], sent.at("/event_id").clone());
    // The other one has been told that the first was made, at most, and nothing of the test.
    assert!(receiver.seen("other").await.iter().all(|seen| seen.event()["type"] != "webhook.tested"));
}

async fn a_webhook_is_made_changed_and_ended(server: Server) {
    let admin = server.client("admin");
    let new =
        json!({ "url": "https://protocollo.example/x?token=geheim", "description": "Prova", "kinds": ["office.*"] });
    let made = admin.post("/webhooks", new.clone()).key("a-webhook-and-its-key").await.expect(201);
    assert!(made.text_at("/signing_key").starts_with("whsec_"));
    let again = admin.post("/webhooks", new).key("a-webhook-and-its-key").await.expect(201);
    assert_eq!(again.body, made.body);
    let at = format!("/webhooks/{}", made.text_at("/id"));
    let etag = made.header("etag").unwrap().to_owned();
    for (patch, field) in [
        (json!({ "kinds": [] }), "/kinds"),
        (json!({ "kinds": ["ofice.*"] }), "/kinds/0"),
        (json!({ "kinds": ["office"] }), "/kinds"),
        (json!({ "url": "ftp://protocollo.example/" }), "/url"),
        (json!({ "url": null }), "/url"),
        (json!({ "state": "asleep" }), "/state"),
        (json!({ "signing_key": "whsec_x" }), "/signing_key"),
    ] {
        admin.patch(&at, patch).if_match(&etag).await.problem(422, "invalid-body").field(field);
    }
    let patch = json!({ "state": "disabled", "description": null });
    let changed = admin.patch(&at, patch.clone()).if_match(&etag).await.expect(200);
    assert_eq!((changed.at("/state"), changed.at("/disabled_because")), (&json!("disabled"), &json!("by_hand")));
    admin.patch(&at, patch).if_match(&etag).await.problem(412, "version-mismatch");
    server.client("manager").get(&at).await.problem(403, "forbidden");
    server.client("platform").get(&at).await.problem(403, "forbidden");
    admin.delete(&at).if_match(changed.header("etag").unwrap()).await.expect(204);
    admin.get(&at).await.problem(404, "not-found");
    // An address may hold a token of the receiver's: it is in no event.
    let told = admin.get("/events").query("types", "webhook.*").query("limit", 100).await.expect(200);
    assert!(!told.text.contains("geheim"), "{}", told.text);
    assert!(!server.log().contains("geheim"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comune_has_so_many_and_no_more() {
    let server = Server::demo_with(tests::Backend::Sqlite, |setup| {
        setup.set("events.max_webhooks", 2);
    });
    let admin = server.client("admin");
    let new = json!({ "url": "https://protocollo.example/x", "kinds": ["office.*"] });
    for _ in 0..2 {
        admin.post("/webhooks", new.clone()).fresh_key().await.expect(201);
    }
    let mut refused = Refusals::of(&World::of(&server).await);
    refused.told(&TOO_MANY_WEBHOOKS, admin.post("/webhooks", new).fresh_key()).await;
    refused.were(KINDS);
}
