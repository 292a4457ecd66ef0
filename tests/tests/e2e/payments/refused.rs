//! The refusals of payments.

use ::payments::problems::{
    NOTIFICATION_NOT_SIGNED, PAYER_ADDRESS_MISSING, PAYMENT_PROVIDER_REFUSED, PAYMENT_PROVIDER_UNAVAILABLE,
    PAYMENTS_NOT_CONNECTED, REFUND_EXCEEDS_PAYMENT, TOO_MANY_NOTIFICATION_KEYS,
};
use kernel::ProblemKind;
use serde_json::{Value, json};
use tests::{Backend, Server, both_databases};

use super::{Counter, Till, back, till};
use crate::refusals::Refusals;

pub(crate) static KINDS: &[&ProblemKind] =
    &[&PAYMENTS_NOT_CONNECTED, &PAYMENT_PROVIDER_UNAVAILABLE, &NOTIFICATION_NOT_SIGNED, &REFUND_EXCEEDS_PAYMENT];
/// What is refused of payments that the provider has, and of its keys.
pub(crate) static PUBLISHED_KINDS: &[&ProblemKind] =
    &[&PAYMENT_PROVIDER_REFUSED, &PAYER_ADDRESS_MISSING, &TOO_MANY_NOTIFICATION_KEYS];

/// pagoPA is not there.
fn nobody_answers(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| {
        setup.set("payments.provider", "pagopa").set("payments.poll_seconds", 3600);
        for setting in ["gpd", "receipts", "checkout", "notices"] {
            setup.set(&format!("payments.{setting}_base_url"), "http://127.0.0.1:9");
        }
    })
}

both_databases!(nobody_answers => every_refusal_of_payments);
both_databases!(till => every_refusal_of_what_the_provider_has);

async fn every_refusal_of_payments(server: Server) {
    let counter = Counter::of(&server).await;
    let mut refused = Refusals::of(&counter.world);
    let asked = counter.ask().await;
    let path = format!("/payments/{}", asked.text_at("/id"));
    let checkout = || counter.admin.post(&format!("{path}/checkout"), json!({ "return_urls": back() }));
    refused.told(&PAYMENT_PROVIDER_UNAVAILABLE, checkout()).await;
    refused.told(&NOTIFICATION_NOT_SIGNED, server.anonymous().post("/payment-notifications", json!({}))).await;
    let refund = json!({ "amount": { "amount_cents": 1, "currency": "EUR" }, "reason": "x", "reference": "y" });
    refused.told(&REFUND_EXCEEDS_PAYMENT, counter.admin.post(&format!("{path}/refunds"), refund).fresh_key()).await;
    // Only where a provider is played can anything be simulated.
    counter.admin.post(&format!("{path}/simulations"), json!({ "outcome": "paid" })).await.problem(404, "not-found");

    let connection = counter.admin.get("/connections/payments").await.expect(200);
    let off = json!({
        "organisation_tax_code": "01199250158", "segregation_code": "02", "iban": "IT60X0542811101000000123456",
        "company_name": "Comune di prova", "return_origins": [], "enabled": false,
    });
    counter.admin.put("/connections/payments", off.clone()).await.problem(428, "precondition-required");
    counter.admin.put("/connections/payments", off).if_match(connection.etag()).await.expect(200);
    refused.told(&PAYMENTS_NOT_CONNECTED, counter.admin.post("/payments", counter.order()).fresh_key()).await;
    refused.were(KINDS);
}

async fn every_refusal_of_what_the_provider_has(till: Till) {
    let counter = Counter::of(&till.server).await;
    let mut refused = Refusals::of(&counter.world);
    let mut order = counter.order();
    order["payer"].as_object_mut().unwrap().remove("address");
    let asked = counter.admin.post("/payments", order).fresh_key().await.expect(201);
    let payable = counter.wait(&asked, |payment| payment["state"] == "payable").await;
    let offered = payable.at("/links").as_array().unwrap().iter().any(|link| link["rel"] == "notice");
    assert!(!offered, "{payable}");
    let path = format!("/payments/{}", asked.text_at("/id"));
    refused.told(&PAYER_ADDRESS_MISSING, counter.admin.get(&format!("{path}/notice"))).await;

    // Somebody is paying it elsewhere.
    till.pagopa.fail("cart", &[422]);
    let checkout = counter.admin.post(&format!("{path}/checkout"), json!({ "return_urls": back() }));
    refused.told(&PAYMENT_PROVIDER_REFUSED, checkout).await;

    let keys = "/connections/payments/notification-keys";
    for _ in 1..100 {
        counter.admin.post(keys, Value::Null).fresh_key().await.expect(201);
    }
    refused.told(&TOO_MANY_NOTIFICATION_KEYS, counter.admin.post(keys, Value::Null).fresh_key()).await;
    refused.were(PUBLISHED_KINDS);
}
