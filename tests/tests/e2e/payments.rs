//! What people owe, and how it is paid: over a double of pagoPA on this machine, and over the provider that takes no
//! money.

mod double;
mod notified;
mod over;
mod refused;
mod simulated;
mod together;

use std::time::{Duration, Instant};

use ::payments::{
    connection::{
        self, NOTIFICATION_KEY, SUBSCRIPTION_KEY,
        model::{Connection, NotificationKey},
    },
    schema::{payment_debts as d, payment_tasks as t},
};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use storage::{
    Json,
    types::{At, Key},
};
use tests::{Answer, Backend, Client, Server, both_databases, client::Call, secret};

use self::double::PagoPa;
pub(crate) use self::refused::{KINDS, PUBLISHED_KINDS};
use crate::{
    mint, rows,
    world::{Desk, Plan, World},
};

/// The key that the provider signs with in tests.
const SIGNING_KEY: &[u8] = b"the key of the provider in tests";

/// Has a Comune paid, and lets the tests sign as its provider does.
pub(crate) async fn connect(world: &World) {
    let secret = secret();
    let key = secret.conceal(SUBSCRIPTION_KEY, double::KEY.as_bytes()).unwrap();
    let signing = secret.conceal(NOTIFICATION_KEY, SIGNING_KEY).unwrap();
    world
        .write(move |tx| {
            let before = connection::store::get(tx)?;
            let connection = Connection {
                organisation_tax_code: "01199250158".to_owned(),
                segregation_code: "02".to_owned(),
                iban: "IT60X0542811101000000123456".to_owned(),
                company_name: "Comune di prova".to_owned(),
                concealed_key: key.clone(),
                return_origins: Json(vec!["http://localhost:3000".to_owned()]),
                enabled: true,
                version: before.map_or(1, |before| before.version + 1),
                updated_at: tx.now(),
            };
            connection::store::put(tx, &connection)?;
            let made = NotificationKey { id: tx.new_id(), concealed: signing.clone(), created_at: tx.now() };
            connection::store::add_key(tx, &made)
        })
        .await;
}

/// The headers of a notification that the provider signs now.
fn signature(id: &str, second: i64, body: &str, key: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    format!("v1,{}", STANDARD.encode(hmac::sign(&key, format!("{id}.{second}.{body}").as_bytes())))
}

/// A call with this body, signed as the provider signs, under an id that no other has.
pub(crate) fn signed(call: Call, body: &str) -> Call {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let id = format!("sample-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    signed_as(call, &id, body)
}

fn signed_as(call: Call, id: &str, body: &str) -> Call {
    let second = rows::now().as_second();
    call.header("Webhook-Id", id)
        .header("Webhook-Timestamp", second.to_string())
        .header("Webhook-Signature", signature(id, second, body, SIGNING_KEY))
}

/// Waits until the provider has been told of a payment.
pub(crate) async fn told(world: &World, id: &str) {
    let id: ::payments::debts::PaymentId = id.parse().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let debt = world.read(move |tx| ::payments::debts::store::get(tx, id)).await.expect("a payment");
        if debt.state != ::payments::debts::PaymentState::AwaitingPublication {
            return;
        }
        assert!(Instant::now() < deadline, "{debt:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A server over the double of pagoPA, and an office that asks for payments.
struct Till {
    server: Server,
    pagopa: PagoPa,
}

/// What a payment is asked about with.
struct Counter {
    admin: Client,
    world: World,
    desk: Desk,
}

fn till(backend: Backend) -> Till {
    let pagopa = PagoPa::open();
    let server = Server::demo_with(backend, |setup| pagopa.settings(setup));
    Till { server, pagopa }
}

impl Counter {
    async fn of(server: &Server) -> Self {
        let world = World::of(server).await;
        connect(&world).await;
        let desk = world.desk(Plan::default()).await;
        Self { admin: server.client("admin"), world, desk }
    }

    fn order(&self) -> Value {
        json!({
            "office_id": self.desk.office.id, "description": "Rilascio carta d'identità", "when": "before",
            "due_on": self.desk.day(10),
            "payer": {
                "given_name": "Anna", "family_name": "Prova", "tax_code": mint::TAX_CODE_A, "email": "anna@example.org",
                "address": {
                    "street": "Via Roma", "building_number": "1", "postal_code": "56043", "locality": "Bugliano",
                    "province": "PI",
                },
            },
            "lines": [
                { "description": "Diritti", "taxonomy_code": "9/0101108TS/", "amount": { "amount_cents": 2221, "currency": "EUR" } },
                { "description": "Bollo", "taxonomy_code": "9/0301116TS/", "amount": { "amount_cents": 1600, "currency": "EUR" },
                  "stamp": { "document_digest": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "province": "PI" } },
            ],
        })
    }

    /// Asks for a payment.
    async fn ask(&self) -> Answer {
        self.admin.post("/payments", self.order()).fresh_key().await.expect(201)
    }

    /// Asks for a payment, and waits until it can be paid.
    async fn payable(&self) -> Answer {
        let asked = self.ask().await;
        self.wait(&asked, |payment| payment["state"] == "payable").await;
        asked
    }

    /// Waits until a payment is as it should be.
    async fn wait(&self, of: &Answer, is: impl Fn(&Value) -> bool) -> Answer {
        let path = format!("/payments/{}", of.text_at("/id"));
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let now = self.admin.get(&path).await.expect(200);
            if is(&now.body) {
                return now;
            }
            assert!(Instant::now() < deadline, "{now}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Which events a payment has caused, in order.
    async fn events(&self, of: &Answer) -> Vec<String> {
        use platform::schema::outbox_events as e;
        let id: kernel::Id<()> = of.text_at("/id").parse().unwrap();
        self.world
            .read(move |tx| {
                let mine = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::subject_id.eq(Key(id)));
                Ok(mine.order(e::subject_version).select(e::kind).load(tx.conn())?)
            })
            .await
    }

    /// Lets the date of a payment pass, and has it looked at.
    async fn pass(&self, of: &Answer) {
        let id: kernel::Id<()> = of.text_at("/id").parse().unwrap();
        self.world
            .write(move |tx| {
                let past = At(tx.now().saturating_sub(SignedDuration::from_secs(5)).unwrap());
                let debt = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(id)));
                diesel::update(debt).set(d::due_at.eq(past)).execute(tx.conn())?;
                Ok(())
            })
            .await;
        self.hurry(of).await;
    }

    /// Has what is to be done about a payment be due now.
    async fn hurry(&self, of: &Answer) {
        let id: kernel::Id<()> = of.text_at("/id").parse().unwrap();
        self.world
            .write(move |tx| {
                let now = At(tx.now());
                let task = t::table.filter(t::tenant_id.eq(Key(tx.tenant()))).filter(t::debt_id.eq(Key(id)));
                diesel::update(task).set(t::due_at.eq(now)).execute(tx.conn())?;
                Ok(())
            })
            .await;
    }
}

/// Where a page sends people back to.
fn back() -> Value {
    let to = |page: &str| format!("http://localhost:3000/{page}");
    json!({ "ok": to("fatto"), "cancel": to("annullato"), "error": to("errore") })
}

fn text(at: Timestamp) -> String {
    at.to_string()
}

both_databases!(till =>
    a_debt_is_asked_for_and_paid,
    a_pay_page_proves_nothing,
    a_provider_that_is_down_is_told_later,
    an_answer_that_got_lost_makes_no_second_position,
    what_the_provider_does_not_take_is_told,
    what_is_called_off_is_withdrawn,
);

async fn a_debt_is_asked_for_and_paid(till: Till) {
    let counter = Counter::of(&till.server).await;
    let asked = counter.ask().await;
    assert_eq!(asked.at("/total/amount_cents"), &json!(3821));
    let notice = asked.text_at("/notice_number").to_owned();
    assert!(notice.starts_with("302") && notice.len() == 18, "{asked}");
    let payable = counter.wait(&asked, |payment| payment["state"] == "payable").await;
    let path = format!("/payments/{}", asked.text_at("/id"));

    // The provider was told what its contract wants, and nothing else.
    let position = till.pagopa.position(&notice).expect("a position");
    assert_eq!(position["fiscalCode"], mint::TAX_CODE_A);
    assert_eq!(position["paymentOption"][0]["amount"], 3821);
    assert_eq!(position["paymentOption"][0]["transfer"][1]["stamp"]["provincialResidence"], "PI");

    // Whoever pays sees it, pays it and gets the notice.
    let anna = till.server.client("citizen_a");
    let mine = anna.get("/me/payments").await.expect(200);
    assert_eq!(mine.items()[0]["id"], asked.body["id"]);
    assert!(mine.items()[0].get("payer").is_none(), "{mine}");
    let shown = anna.get(&path).await.expect(200);
    assert_eq!(shown.at("/payer/family_name"), &json!("Prova"));
    till.server.client("citizen_b").get(&path).await.problem(404, "not-found");
    let (status, headers, bytes) = anna.get(&format!("{path}/notice")).bytes().await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "application/pdf"));
    assert!(bytes.starts_with(b"%PDF-"), "{bytes:?}");
    anna.get(&format!("{path}/receipt")).await.problem(409, "invalid-transition");
    let opened = anna.post(&format!("{path}/checkout"), json!({ "return_urls": back() })).await.expect(200);
    assert_eq!(opened.text_at("/redirect_url"), "https://checkout.example/c/0e5c2f0a");
    let started = anna.get(&path).await.expect(200);
    assert_eq!(started.text_at("/state"), "started");
    // Who opens it again changes nothing.
    anna.post(&format!("{path}/checkout"), json!({ "return_urls": back() })).await.expect(200);
    assert_eq!(anna.get(&path).await.expect(200).at("/version"), started.at("/version"));

    // It is paid when the provider says so, without anybody telling.
    till.pagopa.pay(&notice, 3821, "2026-11-29T10:00:00");
    let paid = counter.wait(&asked, |payment| payment["state"] == "paid").await;
    assert_eq!((paid.at("/paid/amount_cents"), paid.at("/paid_late")), (&json!(3821), &json!(false)));
    assert_eq!(paid.text_at("/paid_at"), "2026-11-29T10:00:00+01:00");
    let (status, headers, bytes) = anna.get(&format!("{path}/receipt")).bytes().await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "application/xml"));
    assert_eq!(bytes, b"<receipt/>");
    anna.post(&format!("{path}/checkout"), json!({ "return_urls": back() })).await.problem(409, "invalid-transition");
    let events = ["payment.created", "payment.published", "payment.started", "payment.paid"];
    assert_eq!(counter.events(&asked).await, events);
    assert!(payable.at("/version").as_i64() < paid.at("/version").as_i64());
    till.pagopa.was_respected();
    let log = till.server.log();
    assert!(!log.contains(mint::TAX_CODE_A) && !log.contains(double::KEY) && !log.contains("anna@example.org"));
}

async fn a_pay_page_proves_nothing(till: Till) {
    let counter = Counter::of(&till.server).await;
    let asked = counter.payable().await;
    let visitor = till.server.anonymous();
    let path = format!("/payments/{}/checkout", asked.text_at("/id"));
    let token = asked.text_at("/access_token");
    let body = |token: &str| json!({ "return_urls": back(), "access_token": token });
    visitor.post(&path, body(token)).await.expect(200);
    visitor.post(&path, body("A23456789012345678901234567890")).await.problem(404, "not-found");
    visitor.post(&path, json!({ "return_urls": back() })).await.problem(401, "unauthenticated");
    for (name, url) in
        [("ok", "https://evil.example/"), ("error", "http://localhost:3001/x"), ("cancel", "javascript:alert(1)")]
    {
        let mut elsewhere = body(token);
        elsewhere["return_urls"][name] = json!(url);
        visitor.post(&path, elsewhere).await.problem(422, "invalid-body").field(&format!("/return_urls/{name}"));
    }
    // The provider is asked again and again, and says that nothing was paid.
    let before = till.pagopa.calls("status");
    counter.hurry(&asked).await;
    while till.pagopa.calls("status") == before {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let lookup = json!({ "payment_id": asked.text_at("/id"), "access_token": token });
    let seen = visitor.post("/payment-lookups", lookup).await.expect(200);
    assert_eq!((seen.text_at("/state"), seen.at("/paid")), ("started", &Value::Null));
    till.pagopa.was_respected();
}

async fn a_provider_that_is_down_is_told_later(till: Till) {
    let counter = Counter::of(&till.server).await;
    till.pagopa.answer(&[(503, false), (429, false)]);
    let asked = counter.ask().await;
    let payable = counter.wait(&asked, |payment| payment["state"] == "payable").await;
    assert!(payable.at("/publication_failed") == &json!(false) && till.pagopa.calls("create") >= 3, "{payable}");
    assert_eq!(till.pagopa.count(), 1);
    till.pagopa.was_respected();
}

async fn an_answer_that_got_lost_makes_no_second_position(till: Till) {
    let counter = Counter::of(&till.server).await;
    // It did it, and said that it could not; and once more it says that it has one already.
    till.pagopa.answer(&[(500, true)]);
    let asked = counter.payable().await;
    assert_eq!((till.pagopa.count(), till.pagopa.calls("create")), (1, 1), "it was looked up before");
    assert!(till.pagopa.calls("status") >= 1);
    assert_eq!(counter.events(&asked).await, ["payment.created", "payment.published"]);
    till.pagopa.was_respected();
}

async fn what_the_provider_does_not_take_is_told(till: Till) {
    let counter = Counter::of(&till.server).await;
    till.pagopa.answer(&[(400, false)]);
    let asked = counter.ask().await;
    let failed = counter.wait(&asked, |payment| payment["publication_failed"] == true).await;
    assert_eq!(failed.text_at("/state"), "awaiting_publication");
    let listed = counter.admin.get("/payments").query("attention", "publication_failed").await.expect(200);
    assert!(listed.items().iter().any(|payment| payment["id"] == asked.body["id"]), "{listed}");
    // Somebody has mended what was wrong, and says so.
    let path = format!("/payments/{}/publication", asked.text_at("/id"));
    counter.admin.post(&path, Value::Null).await.problem(428, "precondition-required");
    counter.admin.post(&path, Value::Null).if_match("\"99\"").await.problem(412, "version-mismatch");
    counter.admin.post(&path, Value::Null).if_match(failed.etag()).await.expect(200);
    counter.wait(&asked, |payment| payment["state"] == "payable").await;
    let events = ["payment.created", "payment.publication_failed", "payment.released", "payment.published"];
    assert_eq!(counter.events(&asked).await, events);
}

async fn what_is_called_off_is_withdrawn(till: Till) {
    let counter = Counter::of(&till.server).await;
    let asked = counter.payable().await;
    let path = format!("/payments/{}", asked.text_at("/id"));
    till.server
        .client("citizen_a")
        .post(&format!("{path}/cancellation"), Value::Null)
        .if_match("*")
        .await
        .problem(403, "forbidden");
    let cancelled = counter.admin.post(&format!("{path}/cancellation"), Value::Null).if_match("*").await.expect(200);
    assert_eq!(cancelled.text_at("/state"), "cancelled");
    let notice = asked.text_at("/notice_number");
    let deadline = Instant::now() + Duration::from_secs(60);
    while till.pagopa.position(notice).unwrap()["status"] != "INVALID" {
        assert!(Instant::now() < deadline, "not withdrawn");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    counter
        .admin
        .post(&format!("{path}/cancellation"), Value::Null)
        .if_match("*")
        .await
        .problem(409, "invalid-transition");

    // Money that was on its way all the same is not lost: it is told, and can be given back.
    till.pagopa.pay(notice, 3821, &text(rows::now()));
    counter.hurry(&asked).await;
    let paid = counter.wait(&asked, |payment| payment["state"] == "paid").await;
    assert_eq!(paid.at("/paid_late"), &json!(true));
    let refund = |cents: i64| json!({ "amount": { "amount_cents": cents, "currency": "EUR" }, "reason": "Non dovuto", "reference": "Det. 1/2026" });
    let at = format!("{path}/refunds");
    counter.admin.post(&at, refund(3000)).fresh_key().await.expect(201);
    let more = counter.admin.post(&at, refund(822)).fresh_key().await.problem(409, "refund-exceeds-payment");
    assert_eq!(more.at("/refundable_cents"), &json!(821));
    counter.admin.post(&at, refund(821)).key("the-rest").await.expect(201);
    counter.admin.post(&at, refund(821)).key("the-rest").await.expect(201);
    assert_eq!(counter.admin.get(&at).await.expect(200).items().len(), 2);
    assert_eq!(counter.admin.get(&path).await.expect(200).at("/refunded/amount_cents"), &json!(3821));
    let events: Vec<_> = counter.events(&asked).await.into_iter().skip(2).collect();
    assert_eq!(events, ["payment.cancelled", "payment.paid_late", "payment.refunded", "payment.refunded"]);
}
