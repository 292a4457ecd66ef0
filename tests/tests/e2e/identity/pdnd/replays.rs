//! A signature is good once: here, and on every gateway of the installation.

use std::future::IntoFuture;

use futures_util::future::join_all;
use jiff::SignedDuration;
use platform::access::pdnd::{signature::Once, store};
use serde_json::json;
use tests::Backend;

use super::{CLIENT, Comune, TENANT, in_a_comune, interop::signed};

in_a_comune!(a_signature_is_good_once, signatures_are_forgotten_when_they_have_run_out);

async fn a_signature_is_good_once(comune: Comune) {
    comune.set(json!({ "signature_required": true })).await;
    let (system, party) = (comune.system(), &comune.party);
    let body = comune.desk.order(comune.desk.at(3, 9, 0)).to_string();
    let send = |signature: &str| signed(&system, "/appointments", &body, signature).key("one-and-the-same-booking");
    let first = party.signature(&body, &json!({ "jti": "firma-1" }));
    let booked = send(&first).await.expect(201);
    send(&first).await.problem(401, "signature-invalid");
    // Another signature under the same name is no better, whatever else it says.
    send(&party.signature(&body, &json!({ "jti": "firma-1" }))).await.problem(401, "signature-invalid");
    // Whoever asks again signs again, and is given the first answer.
    let again = send(&party.signature(&body, &json!({ "jti": "firma-2" }))).await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), &again.body), (Some("true"), &booked.body));
    assert_eq!(system.get("/appointments").await.expect(200).items().len(), 1);
    // A new voucher does not make an old signature new.
    let late = comune.with(comune.interop.voucher(&json!({})));
    signed(&late, "/appointments", &body, &first).fresh_key().await.problem(401, "signature-invalid");
    // Nor does being registered anew.
    comune.admin.delete(&comune.registered).if_match("*").await.expect(204);
    let new = json!({ "client_id": CLIENT, "label": "Altrove", "scopes": ["appointments:write"] });
    comune.admin.post("/pdnd-clients", new).await.expect(201);
    signed(&late, "/appointments", &body, &first).fresh_key().await.problem(401, "signature-invalid");
}

async fn signatures_are_forgotten_when_they_have_run_out(comune: Comune) {
    let noted = async |jti: &'static str, seconds: i64| {
        comune
            .world
            .write(move |tx| {
                let until = tx.now() + SignedDuration::from_secs(seconds);
                store::spend(tx, CLIENT, &Once { jti: jti.to_owned(), until })
            })
            .await
    };
    assert!(noted("a", 60).await && noted("b", -1).await);
    assert!(!noted("a", 60).await);
    // One that has run out cannot come again, so its name is free.
    assert!(noted("b", -1).await);
    assert_eq!(comune.world.write(store::sweep).await, 1);
    assert!(!noted("a", 60).await && noted("b", 60).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_accept_a_signature_once() {
    if !Backend::Postgres.available() {
        return;
    }
    let comune = Comune::new(Backend::Postgres).await;
    let second = comune.server.beside();
    let voucher = comune.interop.voucher(&json!({}));
    let gateways = [&comune.server, &second].map(|server| server.tenant(TENANT).with_token(&voucher));
    for round in 0..12 {
        let body = comune.desk.order(comune.desk.at(3 + round, 9, 0)).to_string();
        let signature = comune.party.signature(&body, &json!({}));
        let sent = (0..8).map(|n| {
            let call = signed(&gateways[n % 2], "/appointments", &body, &signature);
            call.key(format!("round-{round}-attempt-{n}")).into_future()
        });
        let answers = join_all(sent).await;
        let accepted = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(accepted, 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
        for answer in answers.into_iter().filter(|answer| answer.status != 201) {
            answer.problem(401, "signature-invalid");
        }
    }
    let booked = comune.system().get("/appointments").query("limit", 100).await.expect(200);
    assert_eq!(booked.items().len(), 12);
}
