//! Every operation that changes something leaves an entry in the audit, and the record is whole afterwards.

use diesel::{prelude::*, sql_query};
use platform::{outbox::StoredEvent, schema::outbox_events};
use reqwest::Method;
use storage::types::{Key, Uid};
use tests::{Server, both_databases, server::sportello};

use super::{
    document::Contract,
    samples::Samples,
    stage::{FEW, Stage},
};
use crate::world::World;

both_databases!(every_operation_that_changes_something_leaves_an_entry);

/// Operations that write nothing though their method could, and why they have that method.
const READERS: &[(&str, &str)] = &[
    ("look_up_appointment", "code and manage token travel in the body"),
    ("look_up_appointment_calendar_file", "code and manage token travel in the body"),
    ("look_up_payment", "the payment's token travels in the body"),
    ("preview_conflicts", "asks about hours that nobody has set yet"),
    ("preview_retention", "counts what is due, which in the sample is nothing"),
    ("preview_message", "asks what words that nobody has set yet look like"),
];

async fn every_operation_that_changes_something_leaves_an_entry(server: Server) {
    let (contract, samples) = (Contract::committed(), Samples::read());
    samples.cover(&contract);
    let [stage, ..] = Box::pin(Stage::set(&server, "altrove", FEW)).await;
    let mut wrong = Vec::new();
    let mut changes = 0;
    for operation in samples.operations() {
        if contract.operation(operation).method == Method::GET {
            continue;
        }
        // What it is about is made, and recorded, before it is counted.
        let request = stage.prepare(&samples, &contract, operation, &samples.request(operation)).await;
        let before = entries(&stage.desk.world).await;
        let answer = request.send(&contract, &request.caller).await;
        let after = entries(&stage.desk.world).await;
        let reads = READERS.iter().any(|(reader, _why)| *reader == operation);
        changes += usize::from(!reads);
        match (reads, after - before) {
            _ if !(200..300).contains(&answer.status) => wrong.push(format!("{operation} failed: {answer}")),
            (false, 1..) | (true, 0) => {}
            (false, n) => wrong.push(format!("{operation} left {n} entries")),
            (true, n) => wrong.push(format!("{operation} writes nothing, and left {n} entries")),
        }
    }
    wrong.extend(undescribed(&stage.desk.world).await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(changes > 25, "{changes} changes: are the samples all there?");
    for (reader, _why) in READERS {
        assert!(samples.operations().any(|operation| operation == *reader), "{reader} is no operation");
    }
    let secret = server.folder().join("secret.key");
    let mut verify = sportello(&["audit", "verify", "--database", server.database()]);
    let verified = verify.env("SPORTELLO_SERVER__SECRET_FILE", secret).output().expect("the binary");
    let said = String::from_utf8(verified.stdout.clone()).unwrap();
    assert!(verified.status.success(), "{verified:?}");
    let comune = format!("{}: ", server.credentials().tenant);
    assert!(said.lines().any(|line| line.starts_with(&comune) && line.ends_with("entries, 0 faults")), "{said}");
}

/// What was told that is not as its type says.
async fn undescribed(world: &World) -> Vec<String> {
    let types = gateway::openapi::event_types();
    let told: Vec<StoredEvent> = world
        .read(|tx| {
            let ours = outbox_events::table.filter(outbox_events::tenant_id.eq(Key(tx.tenant())));
            Ok(ours.select(StoredEvent::as_select()).load(tx.conn())?)
        })
        .await;
    let mut wrong = Vec::new();
    for StoredEvent { kind, subject_kind, payload, .. } in told {
        let Some(of) = types.0.iter().find(|of| of.kind == kind && of.subject == subject_kind) else {
            wrong.push(format!("{kind} of {subject_kind} is no type of event"));
            continue;
        };
        let schema = jsonschema::validator_for(&(of.data)()).unwrap();
        wrong.extend(schema.iter_errors(&payload.0).map(|error| format!("{kind}: {error}: {}", payload.0)));
    }
    wrong
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

/// How many entries the Comune has.
async fn entries(world: &World) -> i64 {
    let count = world.read(|tx| {
        let count = sql_query("SELECT count(*) AS n FROM audit_entries WHERE tenant_id = $1");
        let counted: Counted = count.bind::<Uid, _>(Key(tx.tenant())).get_result(tx.conn())?;
        Ok(counted.n)
    });
    count.await
}
