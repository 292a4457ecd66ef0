//! The provider that takes no money: as the demo has it.

use serde_json::{Value, json};
use tests::{Server, both_databases};

use super::Counter;
use crate::mint;

both_databases!(
    it_behaves_like_the_real_one,
    what_is_asked_for_after_approval_waits,
    who_pays_is_told_what_is_held_and_has_it_put_right,
);

async fn it_behaves_like_the_real_one(server: Server) {
    let counter = Counter::of(&server).await;
    let anna = server.client("citizen_a");
    let play = |id: &str, what: Value| anna.post(&format!("/payments/{id}/simulations"), what);

    // It fails, and can be paid all the same.
    let asked = counter.ask().await;
    let id = asked.text_at("/id").to_owned();
    let checkout = json!({ "return_urls": super::back() });
    let opened = anna.post(&format!("/payments/{id}/checkout"), checkout).await.expect(200);
    assert!(opened.text_at("/redirect_url").starts_with("https://checkout.invalid/"), "{opened}");
    assert_eq!(play(&id, json!({ "outcome": "failed" })).await.expect(200).text_at("/state"), "started");
    let paid = play(&id, json!({ "outcome": "paid" })).await.expect(200);
    assert_eq!((paid.text_at("/state"), paid.at("/paid_late")), ("paid", &json!(false)));
    play(&id, json!({ "outcome": "paid" })).await.problem(409, "invalid-transition");
    let (status, _, receipt) = anna.get(&format!("/payments/{id}/receipt")).bytes().await;
    assert!(status == 200 && String::from_utf8(receipt).unwrap().contains(asked.text_at("/notice_number")));

    // Too little is paid.
    let asked = counter.ask().await;
    let (status, _, notice) = anna.get(&format!("/payments/{}/notice", asked.text_at("/id"))).bytes().await;
    assert!(status == 200 && notice.starts_with(b"%PDF-"));
    let little =
        play(asked.text_at("/id"), json!({ "outcome": "paid", "amount": { "amount_cents": 100, "currency": "EUR" } }))
            .await
            .expect(200);
    assert_eq!((little.text_at("/state"), little.at("/amount_mismatch")), ("payable", &json!(true)));

    // It is paid late.
    let asked = counter.payable().await;
    counter.pass(&asked).await;
    counter.wait(&asked, |payment| payment["state"] == "expired").await;
    let late = play(asked.text_at("/id"), json!({ "outcome": "paid" })).await.expect(200);
    assert_eq!((late.text_at("/state"), late.at("/paid_late")), ("paid", &json!(true)));

    // Nobody tells, and it is found out.
    let asked = counter.payable().await;
    play(asked.text_at("/id"), json!({ "outcome": "paid", "notified": false })).await.expect(200);
    counter.hurry(&asked).await;
    counter.wait(&asked, |payment| payment["state"] == "paid").await;
}

async fn what_is_asked_for_after_approval_waits(server: Server) {
    let counter = Counter::of(&server).await;
    let mut order = counter.order();
    order["when"] = json!("after_approval");
    let asked = counter.admin.post("/payments", order).fresh_key().await.expect(201);
    assert_eq!(asked.text_at("/state"), "draft");
    let path = format!("/payments/{}", asked.text_at("/id"));
    let checkout = json!({ "return_urls": super::back() });
    let early = counter.admin.post(&format!("{path}/checkout"), checkout).await.problem(409, "invalid-transition");
    assert_eq!(early.at("/allowed"), &json!(["publication", "cancellation"]));
    let publication = |due_on: Option<String>| {
        let call = counter.admin.post(&format!("{path}/publication"), Value::Null).if_match(asked.etag());
        due_on.into_iter().fold(call, |call, day| call.query("due_on", day))
    };
    // Its date passes before anybody approves: it is due another day then.
    counter.pass(&asked).await;
    publication(None).await.problem(422, "invalid-query").field("?due_on");
    publication(Some("2020-01-01".to_owned())).await.problem(422, "invalid-query").field("?due_on");
    let day = counter.desk.day(20).to_string();
    assert_eq!(publication(Some(day.clone())).await.expect(200).text_at("/due_on"), day);
    counter.wait(&asked, |payment| payment["state"] == "payable").await;

    // The same request is one payment, and what cannot be meant is refused.
    let key = "one-payment-and-no-more";
    let first = counter.admin.post("/payments", counter.order()).key(key).await.expect(201);
    assert_eq!(counter.admin.post("/payments", counter.order()).key(key).await.expect(201).body, first.body);
    for (pointer, value, field) in [
        ("/due_on", json!("2020-01-01"), "/due_on"),
        ("/payer/family_name", Value::Null, "/payer/family_name"),
        ("/payer/legal_name", json!("Ditta"), "/payer/legal_name"),
        ("/lines/0/taxonomy_code", json!("0101108TS"), "/lines/0/taxonomy_code"),
        ("/lines/0/amount/amount_cents", json!(0), "/lines/0/amount/amount_cents"),
        ("/lines/1/amount/amount_cents", json!(1500), "/lines/1/amount/amount_cents"),
        ("/payer/given_name", json!("A".repeat(65)), "/payer/given_name"),
        ("/payer/address/postal_code", json!("5604"), "/payer/address/postal_code"),
        ("/subject", json!({ "kind": "appointment", "id": "01980000-0000-7000-8000-0000000000a0" }), "/subject/kind"),
    ] {
        let mut order = counter.order();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = if parent.is_empty() { &mut order } else { order.pointer_mut(parent).unwrap() };
        parent.as_object_mut().unwrap().insert(name.to_owned(), value);
        counter.admin.post("/payments", order).fresh_key().await.problem(422, "invalid-body").field(field);
    }
}

async fn who_pays_is_told_what_is_held_and_has_it_put_right(server: Server) {
    let counter = Counter::of(&server).await;
    let asked = counter.payable().await;
    let person = json!({ "tax_code": mint::TAX_CODE_A });
    let export = json!({ "person": person.clone(), "request_reference": "Prot. 1/2026" });
    let told = counter.admin.post("/personal-data-exports", export).await;
    assert!(told.status < 300, "{told}");
    assert!(told.text.contains(asked.text_at("/notice_number")) && told.text.contains("anna@example.org"), "{told}");
    let correction = json!({
        "person": person, "family_name": "Giusta", "request_reference": "Prot. 2/2026"
    });
    let path = format!("/payments/{}", asked.text_at("/id"));
    let mended = counter.admin.post("/personal-data-rectifications", correction).await;
    assert!(mended.status < 300, "{mended}");
    assert_eq!(counter.admin.get(&path).await.expect(200).at("/payer/family_name"), &json!("Giusta"));
    assert!(counter.events(&asked).await.contains(&"payment.rectified".to_owned()));
}
