//! What is over, or seems to be, and what pagoPA knows of it: nothing is asked without end, nothing stays payable that was
//! called off, and money that came all the same is found.

use std::time::{Duration, Instant};

use ::payments::{
    privacy::Payments,
    schema::{payment_lines as l, payment_refunds as r, payment_tasks as t},
};
use diesel::prelude::*;
use jiff::SignedDuration;
use platform::{
    access::keys::{KeyKind, KeyScope},
    privacy::{Disposal, PersonalData, RecordKind},
};
use serde_json::{Value, json};
use storage::types::{At, Key};
use tests::{Answer, both_databases};

use super::{
    Counter, Till, back,
    notified::{notification, tell},
    text, till,
};
use crate::rows;

both_databases!(till =>
    a_wrong_amount_past_the_date_is_not_asked_about_without_end,
    what_was_withdrawn_before_it_was_known_is_called_off,
    what_is_to_be_withdrawn_is_withdrawn_whoever_tells_something,
    what_was_made_unknown_and_called_off_is_withdrawn,
    what_pagopa_adds_for_telling_people_is_not_owed,
    a_page_that_is_refused_is_a_reason_to_look,
    what_waits_for_a_key_is_done_once_there_is_another,
    a_system_decides_about_what_it_may_not_list,
    who_paid_is_taken_out_of_all_of_it,
);

/// Waits until something is so.
async fn until(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How often pagoPA is asked in three seconds.
async fn asked_meanwhile(till: &Till) -> usize {
    let before = till.pagopa.calls("status") + till.pagopa.calls("create");
    tokio::time::sleep(Duration::from_secs(3)).await;
    till.pagopa.calls("status") + till.pagopa.calls("create") - before
}

fn is_withdrawn(till: &Till, of: &Answer) -> bool {
    till.pagopa.position(of.text_at("/notice_number")).is_some_and(|position| position["status"] == "INVALID")
}

async fn cancel(counter: &Counter, of: &Answer) {
    let path = format!("/payments/{}/cancellation", of.text_at("/id"));
    counter.admin.post(&path, Value::Null).if_match("*").await.expect(200);
}

async fn a_wrong_amount_past_the_date_is_not_asked_about_without_end(till: Till) {
    let counter = Counter::of(&till.server).await;
    let asked = counter.payable().await;
    till.pagopa.pay(asked.text_at("/notice_number"), 100, &text(rows::now()));
    counter.hurry(&asked).await;
    counter.wait(&asked, |payment| payment["amount_mismatch"] == true).await;
    counter.pass(&asked).await;
    let over = counter.wait(&asked, |payment| payment["state"] == "expired").await;
    assert_eq!(over.at("/paid/amount_cents"), &json!(100));
    let times = asked_meanwhile(&till).await;
    assert!(times <= 1, "asked {times} times");
    let events = ["payment.created", "payment.published", "payment.amount_mismatch", "payment.expired"];
    assert_eq!(counter.events(&asked).await, events);
}

async fn what_was_withdrawn_before_it_was_known_is_called_off(till: Till) {
    let counter = Counter::of(&till.server).await;
    // It was made, the answer got lost, and somebody withdraws it in pagoPA's back office.
    till.pagopa.answer(&[(500, true)]);
    let asked = counter.ask().await;
    until("it was not made", || till.pagopa.count() == 1).await;
    till.pagopa.stand(asked.text_at("/notice_number"), "INVALID");
    counter.wait(&asked, |payment| payment["state"] == "cancelled").await;
    let times = asked_meanwhile(&till).await;
    assert!(times <= 1, "asked {times} times");
}

async fn what_is_to_be_withdrawn_is_withdrawn_whoever_tells_something(till: Till) {
    let counter = Counter::of(&till.server).await;
    let asked = counter.payable().await;
    till.pagopa.fail("invalidate", &[503]);
    cancel(&counter, &asked).await;
    tell(&till, "msg_1", &notification(&asked, 3821)).await.expect(202);
    until("it is still open", || is_withdrawn(&till, &asked)).await;

    // Somebody has it paid again in the back office: it is found open the next time, and withdrawn again.
    till.pagopa.stand(asked.text_at("/notice_number"), "VALID");
    tell(&till, "msg_2", &notification(&asked, 3821)).await.expect(202);
    until("it is open again", || is_withdrawn(&till, &asked)).await;
    till.pagopa.was_respected();
}

async fn what_was_made_unknown_and_called_off_is_withdrawn(till: Till) {
    let counter = Counter::of(&till.server).await;
    till.pagopa.answer(&[(500, true)]);
    let asked = counter.ask().await;
    until("it was not made", || till.pagopa.count() == 1).await;
    cancel(&counter, &asked).await;
    until("it is still open", || is_withdrawn(&till, &asked)).await;
    // Money that was on its way is found, though pagoPA never said that it had the position.
    till.pagopa.pay(asked.text_at("/notice_number"), 3821, &text(rows::now()));
    tell(&till, "msg_1", &notification(&asked, 3821)).await.expect(202);
    let paid = counter.wait(&asked, |payment| payment["state"] == "paid").await;
    assert_eq!(paid.at("/paid_late"), &json!(true));
}

async fn what_pagopa_adds_for_telling_people_is_not_owed(till: Till) {
    let counter = Counter::of(&till.server).await;
    let asked = counter.payable().await;
    let notice = asked.text_at("/notice_number");
    till.pagopa.notify(notice, 850);
    till.pagopa.pay(notice, 3821 + 850, &text(rows::now()));
    counter.hurry(&asked).await;
    let paid = counter.wait(&asked, |payment| payment["state"] == "paid").await;
    assert_eq!((paid.at("/paid/amount_cents"), paid.at("/amount_mismatch")), (&json!(3821), &json!(false)));
}

async fn a_page_that_is_refused_is_a_reason_to_look(till: Till) {
    let counter = Counter::of(&till.server).await;
    let asked = counter.payable().await;
    let path = format!("/payments/{}", asked.text_at("/id"));
    let open = || counter.admin.post(&format!("{path}/checkout"), json!({ "return_urls": back() }));
    till.pagopa.fail("cart", &[503]);
    open().await.problem(503, "payment-provider-unavailable");
    // It was paid elsewhere, which nobody has told.
    till.pagopa.pay(asked.text_at("/notice_number"), 3821, &text(rows::now()));
    till.pagopa.fail("cart", &[422]);
    let over = open().await.problem(409, "invalid-transition");
    assert_eq!(over.text_at("/current_state"), "paid");
    assert_eq!(counter.admin.get(&path).await.expect(200).text_at("/state"), "paid");
}

async fn what_waits_for_a_key_is_done_once_there_is_another(till: Till) {
    let counter = Counter::of(&till.server).await;
    till.pagopa.fail("create", &[401]);
    let asked = counter.ask().await;
    let id: kernel::Id<()> = asked.text_at("/id").parse().unwrap();
    // It has failed so often that it is tried again in an hour only.
    let put_off = move |tx: &mut storage::Tx<'_>| {
        let later = At(tx.now().saturating_add(SignedDuration::from_hours(1)).unwrap());
        let task = t::table.filter(t::tenant_id.eq(Key(tx.tenant()))).filter(t::debt_id.eq(Key(id)));
        Ok(diesel::update(task.filter(t::outcome.eq(Some("key-401")))).set(t::due_at.eq(later)).execute(tx.conn())?)
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while counter.world.write(put_off).await == 0 {
        assert!(Instant::now() < deadline, "no key was refused");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let path = "/connections/payments";
    let before = counter.admin.get(path).await.expect(200);
    let new = json!({
        "organisation_tax_code": "01199250158", "segregation_code": "02", "iban": "IT60X0542811101000000123456",
        "company_name": "Comune di prova", "return_origins": [], "enabled": true, "subscription_key": super::double::KEY,
    });
    counter.admin.put(path, new).if_match(before.etag()).await.expect(200);
    counter.wait(&asked, |payment| payment["state"] == "payable").await;
}

async fn a_system_decides_about_what_it_may_not_list(till: Till) {
    let counter = Counter::of(&till.server).await;
    let key = rows::key(&counter.world, KeyKind::Integration, None, &[KeyScope::PaymentsWrite]).await;
    let system = till.server.anonymous().with_token(&key);
    let asked = system.post("/payments", counter.order()).fresh_key().await.expect(201);
    let path = format!("/payments/{}", asked.text_at("/id"));
    system.get("/payments").await.problem(403, "forbidden");
    system.post(&format!("{path}/cancellation"), Value::Null).if_match("*").await.expect(200);
}

async fn who_paid_is_taken_out_of_all_of_it(till: Till) {
    let counter = Counter::of(&till.server).await;
    let asked = counter.payable().await;
    let id: kernel::Id<()> = asked.text_at("/id").parse().unwrap();
    till.pagopa.pay(asked.text_at("/notice_number"), 3821, &text(rows::now()));
    counter.hurry(&asked).await;
    counter.wait(&asked, |payment| payment["state"] == "paid").await;
    let path = format!("/payments/{}", asked.text_at("/id"));
    let refund = json!({
        "amount": { "amount_cents": 1, "currency": "EUR" }, "reason": "Anna Prova", "reference": "Istanza di Anna Prova"
    });
    counter.admin.post(&format!("{path}/refunds"), refund).fresh_key().await.expect(201);
    counter.world.write(move |tx| Payments.dispose(tx, RecordKind::Payment, Disposal::Anonymise, &[id.cast()])).await;
    let held = counter
        .world
        .read(move |tx| {
            let tenant = Key(tx.tenant());
            let lines = l::table.filter(l::tenant_id.eq(tenant)).filter(l::debt_id.eq(Key(id)));
            let lines: Vec<(String, Option<String>, Option<String>)> =
                lines.order(l::place).select((l::description, l::document_digest, l::province)).load(tx.conn())?;
            let refunds = r::table.filter(r::tenant_id.eq(tenant)).filter(r::debt_id.eq(Key(id)));
            let refunds: Vec<(String, String)> = refunds.select((r::reason, r::reference)).load(tx.conn())?;
            Ok((lines, refunds))
        })
        .await;
    let nothing = || Some(String::new());
    let lines = vec![(String::new(), None, None), (String::new(), nothing(), nothing())];
    assert_eq!(held, (lines, vec![(String::new(), String::new())]));
    let shown = counter.admin.get(&path).await.expect(200);
    assert_eq!((shown.text_at("/state"), shown.text_at("/description")), ("paid", ""));
    assert!(shown.body.get("payer").is_none() && shown.body.get("lines").is_none(), "{shown}");
}
