//! Two gateways, and many at once: each debt has its own number, and is one position.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use platform::access::keys::{KeyKind, KeyScope};
use serde_json::json;
use tests::{Backend, Server, both_databases};

use super::{PagoPa, Till, connect, till};
use crate::{
    mint, rows,
    world::{Plan, World},
};

const COMUNE: &str = "cassa";
const DEBTS: usize = 60;

both_databases!(till => numbers_are_nobody_elses);

async fn numbers_are_nobody_elses(till: Till) {
    let counter = super::Counter::of(&till.server).await;
    let asked = join_all((0..DEBTS).map(|_| counter.ask())).await;
    let numbers: BTreeSet<&str> = asked.iter().map(|asked| asked.text_at("/notice_number")).collect();
    assert_eq!(numbers.len(), DEBTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_make_each_position_once() {
    if !Backend::Postgres.available() {
        return;
    }
    let pagopa = PagoPa::open();
    let first = Server::start(Backend::Postgres, |setup| pagopa.settings(setup));
    let second = first.beside();
    let world = World::another(&first, COMUNE).await;
    connect(&world).await;
    let desk = world.desk(Plan::default()).await;
    let key = rows::key(&world, KeyKind::Integration, None, KeyScope::ALL).await;
    let gateways = [&first, &second].map(|server| server.tenant(COMUNE).with_token(&key));
    let order = json!({
        "office_id": desk.office.id, "description": "Canone", "when": "before", "due_on": desk.day(10),
        "payer": { "given_name": "Anna", "family_name": "Prova", "tax_code": mint::TAX_CODE_A },
        "lines": [{ "description": "Canone", "taxonomy_code": "9/0101108TS/", "amount": { "amount_cents": 100, "currency": "EUR" } }],
    });
    let asked = join_all((0..DEBTS).map(|n| {
        let call = gateways[n % 2].post("/payments", order.clone()).fresh_key();
        async { call.await.expect(201) }
    }))
    .await;
    let numbers: BTreeSet<&str> = asked.iter().map(|asked| asked.text_at("/notice_number")).collect();
    assert_eq!(numbers.len(), DEBTS);
    for asked in &asked {
        super::told(&world, asked.text_at("/id")).await;
    }
    assert_eq!((pagopa.count(), pagopa.calls("create")), (DEBTS, DEBTS), "made once each");
    pagopa.was_respected();
}
