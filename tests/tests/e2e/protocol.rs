//! The protocol register: numbers without a gap, kept for good, and handed on once.

mod chain;
mod days;
mod handing;
mod numbers;
mod outages;
mod receipts;
mod stub;

use std::time::Duration;

use kernel::ProblemKind;
use platform::{access::DeploymentSecret, directory::OfficeId, privacy::Place, tenants::Tenant};
use protocol::{
    Registration, Requested,
    entries::{Direction, DocumentRef, EntryChannel, Party, PartyKind, PartyRole},
    problems::EMERGENCY_REGISTER_CLOSED,
};
use serde_json::{Value, json};
use storage::Tx;
use tests::{Backend, Server, both_databases};

use crate::{
    mint,
    refusals::NOBODY,
    world::{Desk, Plan, World},
};

pub(crate) static KINDS: &[&ProblemKind] = &[&EMERGENCY_REGISTER_CLOSED];

both_databases!(
    a_document_is_registered_read_and_annulled,
    what_is_not_as_the_law_wants_it_is_refused,
    people_are_told_what_names_them
);

/// How long a busy machine may take for what is done in a moment.
const PATIENCE: Duration = Duration::from_secs(90);

/// Asks again until the answer is the one that is waited for.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The demo, where entries are handed on at once and tried again after a second.
fn eager(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| {
        setup.set("protocol.poll_seconds", 1).set("protocol.timeout_seconds", 2);
        setup.set("protocol.waits_seconds", vec![1, 1, 1]);
    })
}

/// A document that comes in at an office, from nobody there is.
pub(crate) fn paper(office_id: OfficeId, subject: &str) -> Registration {
    let sender = Party {
        role: PartyRole::Sender,
        kind: PartyKind::Person,
        given_name: Some("Anna".to_owned()),
        family_name: Some("Prova".to_owned()),
        denomination: None,
        tax_code: None,
        vat_number: None,
        ipa_code: None,
        email: None,
    };
    let document = DocumentRef {
        file_name: "istanza.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
        sha256: "ab".repeat(32),
        size_bytes: 1000,
        document_id: None,
    };
    Registration {
        direction: Direction::Inbound,
        subject: subject.to_owned(),
        classification: None,
        office_id,
        channel: EntryChannel::Online,
        sender_reference: None,
        received_on: None,
        confidential: false,
        parties: vec![sender],
        attach: Vec::new(),
        documents: vec![document],
        source_key: None,
        answering: None,
    }
}

/// Registers something as a domain does.
pub(crate) fn register(tx: &mut Tx<'_>, tenant: &Tenant, new: Registration) -> storage::Result<Requested> {
    let secret = DeploymentSecret::new(b"no pseudonym is made of it here").expect("long enough");
    protocol::request(tx, Place { tenant, secret: &secret }, new)
}

/// The body that registers a document at an office.
fn body(desk: &Desk, subject: &str) -> Value {
    json!({
        "direction": "inbound", "subject": subject, "office_id": desk.office.id, "channel": "counter",
        "parties": [{ "role": "sender", "kind": "person", "given_name": "Anna", "family_name": "Prova",
            "tax_code": mint::TAX_CODE_A, "email": "anna.prova@example.org" }],
        "documents": [
            { "file_name": "istanza.pdf", "media_type": "application/pdf", "sha256": "ab".repeat(32), "size_bytes": 9 },
            { "file_name": "planimetria.png", "media_type": "image/png", "sha256": "cd".repeat(32), "size_bytes": 7 }
        ]
    })
}

async fn desk_of(server: &Server) -> (World, Desk) {
    let world = World::of(server).await;
    let desk = world.desk(Plan::default()).await;
    (world, desk)
}

async fn a_document_is_registered_read_and_annulled(server: Server) {
    let (_, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    let made = admin.post("/protocol-entries", body(&desk, "Attività edilizia: l'opera")).key("una-volta-sola").await;
    let made = made.expect(201);
    let year = tests::today().year();
    assert_eq!(made.at("/number"), &json!(1));
    assert_eq!(made.text_at("/display"), format!("0000001/{year}"));
    let date = tests::today().strftime("%d/%m/%Y");
    assert_eq!(made.text_at("/mark"), format!("bugliano - SPORTELLO - RACC - 0000001 - {date}"));
    assert_eq!((made.at("/registration_state"), made.at("/segnatura_signed")), (&json!("registered"), &json!(false)));
    // The same request is the same entry.
    let again = admin.post("/protocol-entries", body(&desk, "Attività edilizia: l'opera")).key("una-volta-sola").await;
    assert_eq!(again.expect(201).at("/id"), made.at("/id"));
    let second = admin.post("/protocol-entries", body(&desk, "Altro")).fresh_key().await.expect(201);
    assert_eq!((second.at("/number"), second.at("/previous_hash")), (&json!(2), made.at("/hash")));

    let path = format!("/protocol-entries/{}", made.text_at("/id"));
    assert_eq!(admin.get(&path).await.expect(200).body, made.body);
    let found = async |name: &str, value: &str| {
        let list = admin.get("/protocol-entries").query(name, value).await.expect(200);
        list.items().iter().map(|item| item["number"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(found("words", "ATTIVITA edilizia").await, [1]);
    assert_eq!(found("words", "edilizia altro").await, Vec::<i64>::new());
    assert_eq!(found("number", "2").await, [2]);
    assert_eq!(found("year", &year.to_string()).await, [2, 1]);
    assert_eq!(found("direction", "outbound").await, Vec::<i64>::new());
    assert_eq!(found("from", &tests::today().to_string()).await, [2, 1]);
    assert_eq!(found("to", "2026-01-01").await, Vec::<i64>::new());
    let list = admin.get("/protocol-entries").await.expect(200);
    assert!(!list.text.contains("Prova"), "{list}");

    let why = json!({ "reason": "Registrato due volte", "act": "Determinazione n. 12" });
    admin.post(&format!("{path}/annulment"), why.clone()).fresh_key().await.problem(428, "precondition-required");
    let annulled =
        admin.post(&format!("{path}/annulment"), why.clone()).fresh_key().if_match("\"1\"").await.expect(200);
    assert_eq!((annulled.text_at("/annulment/act"), annulled.at("/version")), ("Determinazione n. 12", &json!(2)));
    let twice = admin.post(&format!("{path}/annulment"), why).fresh_key().if_match("\"2\"").await;
    assert_eq!(twice.problem(409, "invalid-transition").at("/current_state"), &json!("annulled"));
    // The number is not given again.
    let third = admin.post("/protocol-entries", body(&desk, "Terzo")).fresh_key().await.expect(201);
    assert_eq!(third.at("/number"), &json!(3));
    let verified = admin.get("/protocol-verification").await.expect(200);
    assert_eq!((verified.at("/sound"), verified.at("/registers/0/entries")), (&json!(true), &json!(3)));
    let log = server.log();
    assert!(!log.contains(mint::TAX_CODE_A) && !log.contains("edilizia"), "the log tells of people");
}

async fn what_is_not_as_the_law_wants_it_is_refused(server: Server) {
    let (_, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    let with = |name: &str, value: Value| {
        let mut body = body(&desk, "Prova");
        body[name] = value;
        body
    };
    for (wrong, pointer) in [
        (with("parties", json!([])), "/parties"),
        (
            with("parties", json!([{ "role": "recipient", "kind": "person", "given_name": "A", "family_name": "B" }])),
            "/parties",
        ),
        (
            with("parties", json!([{ "role": "sender", "kind": "organisation", "given_name": "A" }])),
            "/parties/0/given_name",
        ),
        (with("documents", json!([])), "/documents"),
        (
            with(
                "documents",
                json!([{ "file_name": "../a", "media_type": "a/b", "sha256": "ab".repeat(32), "size_bytes": 1 }]),
            ),
            "/documents/0/file_name",
        ),
        (with("subject", json!("due\nrighe")), "/subject"),
        (with("received_on", json!("2199-01-01")), "/received_on"),
        (with("office_id", json!(NOBODY)), "/office_id"),
        (with("emergency_register_id", json!(NOBODY)), "/emergency_register_id"),
        (with("number", json!(7)), "/number"),
    ] {
        admin.post("/protocol-entries", wrong).fresh_key().await.problem(422, "invalid-body").field(pointer);
    }
    admin.post("/protocol-entries", body(&desk, "Prova")).await.problem(400, "idempotency-key-required");
    for (name, value) in
        [("words", "!!"), ("number", "0"), ("year", "1800"), ("register_code", "a b"), ("to", "1800-01-01")]
    {
        admin
            .get("/protocol-entries")
            .query(name, value)
            .await
            .problem(422, "invalid-query")
            .field(&format!("?{name}"));
    }
    // What was refused has taken no number.
    let made = admin.post("/protocol-entries", body(&desk, "Prova")).fresh_key().await.expect(201);
    assert_eq!(made.at("/number"), &json!(1));
    // A confidential subject is in no list.
    let secret = admin.post("/protocol-entries", with("confidential", json!(true))).fresh_key().await.expect(201);
    assert_eq!(secret.text_at("/subject"), "Prova");
    let list = admin.get("/protocol-entries").query("number", 2).await.expect(200);
    assert_eq!(list.at("/items/0/subject"), &Value::Null);
}

async fn people_are_told_what_names_them(server: Server) {
    let (_, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    let mut named = body(&desk, "Richiesta");
    let other = json!({ "role": "recipient", "kind": "person", "given_name": "Ugo", "family_name": "Segreto" });
    named["parties"].as_array_mut().unwrap().push(other);
    admin.post("/protocol-entries", named).fresh_key().await.expect(201);
    let asked = json!({ "person": { "tax_code": mint::TAX_CODE_A }, "request_reference": "Prot. 1/2026" });
    let export = admin.post("/personal-data-exports", asked).await.expect(200);
    let holdings = export.at("/holdings").as_array().unwrap();
    let own = holdings.iter().find(|holding| holding.to_string().contains("protocol_entries")).unwrap().to_string();
    assert!(own.contains("0000001/") && own.contains("Prova") && !own.contains("Segreto"), "{own}");
}
