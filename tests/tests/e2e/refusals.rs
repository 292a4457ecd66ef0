//! Every refusal of the crates' tables, provoked: told as it is documented, and nothing written.

mod administration;
mod callers;
mod changes;
mod limits;
mod people;
mod places;
mod requests;
mod times;

use std::collections::BTreeSet;

use kernel::ProblemKind;
use serde_json::Value;
use tests::{Answer, client::Call};

use crate::{rows::written, world::World};

/// Refusals that no request provokes, and where they are tested instead.
const ELSEWHERE: &[(&str, &str)] =
    &[("internal-error", "a fault of the server; the gateway's middleware is tested with a handler that panics")];

/// An id that nothing has.
pub(crate) const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// Provokes refusals, and keeps a list of them.
pub(crate) struct Refusals {
    world: World,
    provoked: BTreeSet<&'static str>,
}

impl Refusals {
    pub(crate) fn of(world: &World) -> Self {
        Self { world: world.clone(), provoked: BTreeSet::new() }
    }

    /// Demands that a call is refused in this way, in full, and leaves no trace.
    pub(crate) async fn told(&mut self, kind: &'static ProblemKind, call: Call) -> Answer {
        let before = written(&self.world).await;
        let answer = call.header("Accept-Language", "en").await.problem(kind.status, kind.slug);
        assert_eq!(written(&self.world).await, before, "something was written: {answer}");
        assert_eq!(answer.text_at("/title"), kind.en, "{answer}");
        assert_eq!(answer.header("content-language"), Some("en"), "{answer}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer}");
        let request = answer.header("request-id").unwrap_or_default();
        assert_eq!(answer.text_at("/instance"), format!("urn:uuid:{request}"), "{answer}");
        self.provoked.insert(kind.slug);
        answer
    }

    /// Demands that each of these was provoked.
    pub(crate) fn were(self, kinds: &[&'static ProblemKind]) {
        let left: Vec<_> = kinds.iter().map(|kind| kind.slug).filter(|slug| !self.provoked.contains(slug)).collect();
        assert!(left.is_empty(), "listed at the head of the file, and not provoked: {left:?}");
    }
}

/// Each list is checked against what its tests have provoked; together they are the crates' tables.
#[test]
fn every_refusal_of_the_tables_is_provoked() {
    let lists = [
        administration::KINDS,
        requests::KINDS,
        callers::KINDS,
        callers::UNKNOWABLE,
        changes::KINDS,
        people::KINDS,
        times::KINDS,
        places::KINDS,
        places::BUSY,
        limits::KINDS,
        crate::documents::KINDS,
        crate::documents::UNAVAILABLE,
        crate::events::FEED_KINDS,
        crate::events::STREAM_KINDS,
        crate::events::WEBHOOK_KINDS,
        crate::payments::KINDS,
        crate::payments::PUBLISHED_KINDS,
        crate::identity::ASSURANCE_KINDS,
        crate::identity::PASSWORD_KINDS,
        crate::identity::PDND_KINDS,
        crate::protocol::KINDS,
    ];
    let provoked: BTreeSet<_> = lists.concat().into_iter().map(|kind| kind.slug).collect();
    let excused: BTreeSet<_> = ELSEWHERE.iter().map(|(slug, _)| *slug).collect();
    let known: BTreeSet<_> = gateway::openapi::problems().into_iter().map(|kind| kind.slug).collect();
    let untested: Vec<_> = known.iter().filter(|slug| !provoked.contains(*slug) && !excused.contains(*slug)).collect();
    assert!(untested.is_empty(), "write a test in tests/tests/e2e/refusals/ that provokes {untested:?}");
    let stale: Vec<_> = excused.iter().filter(|slug| !known.contains(*slug) || provoked.contains(*slug)).collect();
    assert!(stale.is_empty(), "strike {stale:?} off ELSEWHERE");
}

/// The body of a refusal without what differs from one request to the next.
pub(crate) fn without_instance(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    body.as_object_mut().expect("a problem").remove("instance").expect("an instance");
    body
}
