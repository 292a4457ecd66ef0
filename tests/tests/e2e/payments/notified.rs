//! What the provider tells by itself: twice, late, after expiry, with a wrong amount, and by a stranger.

use serde_json::{Value, json};
use tests::{Answer, both_databases};

use super::{Counter, SIGNING_KEY, Till, signature, signed_as, text, till};
use crate::rows;

both_databases!(till =>
    a_payment_that_is_told_twice_is_paid_once,
    what_a_stranger_tells_is_nothing,
    a_notification_alone_makes_nothing_paid,
    a_wrong_amount_never_pays,
    what_is_paid_after_expiry_is_paid_late,
);

const PATH: &str = "/payment-notifications";

pub(super) fn notification(of: &Answer, cents: i64) -> String {
    let amount = json!({ "amount_cents": cents, "currency": "EUR" });
    json!({ "notice_number": of.text_at("/notice_number"), "amount": amount }).to_string()
}

pub(super) async fn tell(till: &Till, id: &str, body: &str) -> Answer {
    let call = till.server.anonymous().post(PATH, Value::Null).body(body);
    signed_as(call, id, body).await
}

async fn a_payment_that_is_told_twice_is_paid_once(till: Till) {
    let counter = Counter::of(&till.server).await;
    let asked = counter.payable().await;
    till.pagopa.pay(asked.text_at("/notice_number"), 3821, &text(rows::now()));
    let body = notification(&asked, 3821);
    let first = tell(&till, "msg_1", &body).await.expect(202);
    assert_eq!(first.text_at("/outcome"), "noted");
    assert_eq!(tell(&till, "msg_1", &body).await.expect(202).body, first.body);
    counter.wait(&asked, |payment| payment["state"] == "paid").await;
    assert_eq!(tell(&till, "msg_1", &body).await.expect(202).body, first.body);
    tell(&till, "msg_2", &body).await.expect(202);
    tell(&till, "msg_1", &notification(&asked, 1)).await.problem(422, "idempotency-key-reused");
    let events = ["payment.created", "payment.published", "payment.paid"];
    assert_eq!(counter.events(&asked).await, events);
    assert_eq!(rows::count(&counter.world, "payment_notifications").await, 2);
}

async fn what_a_stranger_tells_is_nothing(till: Till) {
    let counter = Counter::of(&till.server).await;
    let asked = counter.payable().await;
    till.pagopa.pay(asked.text_at("/notice_number"), 3821, &text(rows::now()));
    let body = notification(&asked, 3821);
    let now = rows::now().as_second();
    let call = |id: &str, second: i64, signature: String| {
        let call = till.server.anonymous().post(PATH, Value::Null);
        let call = call.body(body.clone()).header("Webhook-Id", id).header("Webhook-Timestamp", second.to_string());
        call.header("Webhook-Signature", signature)
    };
    for (id, second, signature) in [
        ("msg_1", now, signature("msg_1", now, &body, b"some other key, not the provider's")),
        ("msg_1", now, signature("msg_2", now, &body, SIGNING_KEY)),
        ("msg_1", now, signature("msg_1", now, "{}", SIGNING_KEY)),
        ("msg_1", now - 301, signature("msg_1", now - 301, &body, SIGNING_KEY)),
        ("msg_1", now + 330, signature("msg_1", now + 330, &body, SIGNING_KEY)),
        ("msg_1", now, "v1,".to_owned()),
    ] {
        call(id, second, signature).await.problem(401, "notification-not-signed");
    }
    till.server.anonymous().post(PATH, json!({})).await.problem(401, "notification-not-signed");
    // A token of the Comune is no signature.
    counter.admin.post(PATH, json!({})).await.problem(401, "notification-not-signed");
    assert_eq!(rows::count(&counter.world, "payment_notifications").await, 0);

    // Nor is anything read that is longer than any notification, whoever signed it.
    let long = format!("{body}{}", " ".repeat(16 * 1024));
    tell(&till, "msg_long", &long).await.problem(413, "payload-too-large");
    assert_eq!(rows::count(&counter.world, "payment_notifications").await, 0);

    // A key that was made over the API signs, until it is deleted.
    let path = "/connections/payments/notification-keys";
    let made = counter.admin.post(path, Value::Null).fresh_key().await.expect(201);
    let key = made.text_at("/signing_key").strip_prefix("whsec_").unwrap().to_owned();
    let key = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, key).unwrap();
    assert!(!counter.admin.get("/connections/payments").await.text.contains("whsec_"));
    call("msg_3", now, signature("msg_3", now, &body, &key)).await.expect(202);
    counter.admin.delete(&format!("{path}/{}", made.text_at("/id"))).await.expect(204);
    call("msg_4", now, signature("msg_4", now, &body, &key)).await.problem(401, "notification-not-signed");
}

async fn a_notification_alone_makes_nothing_paid(till: Till) {
    let counter = Counter::of(&till.server).await;
    let asked = counter.payable().await;
    let before = till.pagopa.calls("status");
    tell(&till, "msg_1", &notification(&asked, 3821)).await.expect(202);
    while till.pagopa.calls("status") == before {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let still = counter.admin.get(&format!("/payments/{}", asked.text_at("/id"))).await.expect(200);
    assert_eq!((still.text_at("/state"), still.at("/paid")), ("payable", &Value::Null));
    let unknown = json!({ "notice_number": "302999999999999999" }).to_string();
    assert_eq!(tell(&till, "msg_2", &unknown).await.expect(202).text_at("/outcome"), "unknown_notice");
}

async fn a_wrong_amount_never_pays(till: Till) {
    let counter = Counter::of(&till.server).await;
    let asked = counter.payable().await;
    let told = tell(&till, "msg_1", &notification(&asked, 100)).await.expect(202);
    assert_eq!(told.text_at("/outcome"), "amount_mismatch");
    // The provider says the same.
    till.pagopa.pay(asked.text_at("/notice_number"), 100, &text(rows::now()));
    tell(&till, "msg_2", &notification(&asked, 100)).await.expect(202);
    let flagged = counter.wait(&asked, |payment| payment["amount_mismatch"] == true).await;
    assert_eq!((flagged.text_at("/state"), flagged.at("/paid/amount_cents")), ("payable", &json!(100)));
    let listed = counter.admin.get("/payments").query("attention", "amount_mismatch").await.expect(200);
    assert!(listed.items().iter().any(|payment| payment["id"] == asked.body["id"]), "{listed}");
    // It is told once, however often it is seen.
    counter.hurry(&asked).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let events = ["payment.created", "payment.published", "payment.amount_mismatch"];
    assert_eq!(counter.events(&asked).await, events);
}

async fn what_is_paid_after_expiry_is_paid_late(till: Till) {
    let counter = Counter::of(&till.server).await;
    let asked = counter.payable().await;
    let path = format!("/payments/{}", asked.text_at("/id"));
    counter.pass(&asked).await;
    let anna = till.server.client("citizen_a");
    let checkout = json!({ "return_urls": super::back() });
    anna.post(&format!("{path}/checkout"), checkout).await.problem(409, "invalid-transition");
    counter.wait(&asked, |payment| payment["state"] == "expired").await;
    till.pagopa.pay(asked.text_at("/notice_number"), 3821, &text(rows::now()));
    tell(&till, "msg_1", &notification(&asked, 3821)).await.expect(202);
    let paid = counter.wait(&asked, |payment| payment["state"] == "paid").await;
    assert_eq!(paid.at("/paid_late"), &json!(true));
    let events = ["payment.created", "payment.published", "payment.expired", "payment.paid_late"];
    assert_eq!(counter.events(&asked).await, events);
}
