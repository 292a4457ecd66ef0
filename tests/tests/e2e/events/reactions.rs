//! What a domain does upon events: once, with the event's place, or kept for somebody to look at.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kernel::Problem;
use platform::{
    outbox::{self, Event, Reaction, StoredEvent},
    problems::NOT_FOUND,
};
use serde_json::json;
use storage::Tx;
use tests::{Server, both_databases};

use crate::world::World;

both_databases!(
    a_reaction_that_fails_is_parked_and_done_later,
    what_goes_well_beside_a_failure_is_done_once,
    a_panic_holds_nobody_up,
);

const KIND: &str = "place.updated";

async fn a_reaction_that_fails_is_parked_and_done_later(server: Server) {
    static SOUND: AtomicBool = AtomicBool::new(false);
    static DONE: AtomicUsize = AtomicUsize::new(0);
    fn run(_tx: &mut Tx<'_>, event: &StoredEvent) -> storage::Result<()> {
        if event.kind != KIND {
            return Ok(());
        }
        if !SOUND.load(Ordering::SeqCst) {
            return Err(Problem::new(&NOT_FOUND).into());
        }
        DONE.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    SOUND.store(false, Ordering::SeqCst);
    DONE.store(0, Ordering::SeqCst);
    let reactions = &[Reaction { name: "tests.sound", run }];
    let world = World::another(&server, "reazione").await;
    // Nothing else publishes in between: it happens in the transaction that emits.
    let published = world
        .write(move |tx| {
            emit(tx)?;
            outbox::publish(tx, reactions)
        })
        .await;
    assert_eq!((published.events, published.parked), (1, 1));
    let page = kernel::PageRequest { limit: 10, after: None };
    let parked = world.read(move |tx| outbox::store::parked(tx, &page)).await.pop().expect("it is parked");
    assert_eq!((parked.reaction.as_str(), parked.error.as_str(), parked.attempts), ("tests.sound", "not-found", 1));
    let again = parked.clone();
    let still = world.write(move |tx| outbox::retry(tx, reactions, again.clone())).await.expect("it fails again");
    assert_eq!(still.attempts, 2);
    SOUND.store(true, Ordering::SeqCst);
    let done = world.write(move |tx| outbox::retry(tx, reactions, still.clone())).await;
    assert_eq!(done, None);
    assert_eq!(DONE.load(Ordering::SeqCst), 1);
    assert!(world.read(move |tx| outbox::store::parked(tx, &page)).await.is_empty());
}

/// Three events, two reactions that leave an event each; one of them fails over the second event, after it has written.
async fn what_goes_well_beside_a_failure_is_done_once(server: Server) {
    const LEFT: &str = "place.created";
    fn leave(tx: &mut Tx<'_>, event: &StoredEvent, version: i64) -> storage::Result<()> {
        let (subject, payload) = (event.subject_id, json!({}));
        outbox::emit(tx, Event { kind: LEFT, subject_kind: "place", subject, version, payload }).map(|_id| ())
    }
    fn good(tx: &mut Tx<'_>, event: &StoredEvent) -> storage::Result<()> {
        leave(tx, event, 100)
    }
    fn fails_over_the_second(tx: &mut Tx<'_>, event: &StoredEvent) -> storage::Result<()> {
        leave(tx, event, 200)?;
        if event.subject_version == 2 { Err(Problem::new(&NOT_FOUND).into()) } else { Ok(()) }
    }
    let reactions =
        &[Reaction { name: "tests.good", run: good }, Reaction { name: "tests.second", run: fails_over_the_second }];
    let world = World::another(&server, "mista").await;
    let (published, left) = world
        .write(move |tx| {
            let subject: kernel::Id<()> = tx.new_id();
            for version in 1..=3 {
                let payload = json!({});
                outbox::emit(tx, Event { kind: KIND, subject_kind: "place", subject, version, payload })?;
            }
            let published = outbox::publish(tx, reactions)?;
            let sought = outbox::store::Sought::default();
            // What was left is published in the next round, to nobody.
            outbox::publish(tx, &[])?;
            let left = outbox::store::after(tx, &sought, published.last, 100)?;
            let mut left: Vec<i64> = left.iter().map(|event| event.subject_version).collect();
            left.sort_unstable();
            Ok((published, left))
        })
        .await;
    assert_eq!((published.events, published.parked), (3, 1));
    assert_eq!(left, [100, 100, 100, 200, 200]);
    let page = kernel::PageRequest { limit: 10, after: None };
    let parked = world.read(move |tx| outbox::store::parked(tx, &page)).await;
    assert_eq!(parked.iter().map(|one| one.reaction.as_str()).collect::<Vec<_>>(), ["tests.second"]);
}

async fn a_panic_holds_nobody_up(server: Server) {
    fn run(tx: &mut Tx<'_>, event: &StoredEvent) -> storage::Result<()> {
        outbox::emit(
            tx,
            Event { kind: KIND, subject_kind: "place", subject: event.subject_id, version: 9, payload: json!({}) },
        )?;
        panic!("in the middle of it");
    }
    let world = World::another(&server, "panico").await;
    let reactions = &[Reaction { name: "tests.panics", run }];
    let published = world
        .write(move |tx| {
            emit(tx)?;
            emit(tx)?;
            outbox::publish(tx, reactions)
        })
        .await;
    // What it had written is undone: there is no third event.
    assert_eq!((published.events, published.parked, published.last), (2, 2, 2));
    assert!(!world.read(outbox::store::is_waiting).await);
}

fn emit(tx: &mut Tx<'_>) -> storage::Result<()> {
    let subject: kernel::Id<()> = tx.new_id();
    outbox::emit(tx, Event { kind: KIND, subject_kind: "place", subject, version: 1, payload: json!({}) }).map(|_id| ())
}
