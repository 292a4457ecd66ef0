//! Callers who ask too often.

use kernel::ProblemKind;
use platform::problems::RATE_LIMITED;
use serde_json::json;
use tests::{Backend, Server, both_databases};

use super::Refusals;
use crate::world::{Plan, World};

pub(super) static KINDS: &[&ProblemKind] = &[&RATE_LIMITED];

both_databases!(with_two_writes => whoever_asks_too_often_is_told_to_wait);

fn with_two_writes(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| {
        setup.set("limits.anonymous_write_per_minute", 1).set("limits.anonymous_write_burst", 2);
    })
}

async fn whoever_asks_too_often_is_told_to_wait(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let visitor = server.anonymous();
    visitor.post("/holds", desk.wish(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    visitor.post("/appointments", desk.order(desk.at(3, 10, 0))).fresh_key().await.expect(201);
    let mut refused = Refusals::of(&world);
    for call in [
        visitor.post("/holds", desk.wish(desk.at(3, 11, 0))).fresh_key(),
        visitor.post("/appointments", desk.order(desk.at(3, 11, 0))).fresh_key(),
        visitor.post("/appointment-lookups", json!({ "code": "K7M2-PQ4X", "manage_token": "guessed" })),
        // Refused before it is read.
        visitor.post("/appointments", json!({ "nonsense": true })),
    ] {
        let answer = refused.told(&RATE_LIMITED, call).await;
        assert_eq!(answer.text_at("/detail"), "the limit `anonymous_write`", "{answer}");
        let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{answer}");
        assert_eq!(answer.header("ratelimit-reset"), answer.header("retry-after"), "{answer}");
        assert_eq!((answer.header("ratelimit-limit"), answer.header("ratelimit-remaining")), (Some("2"), Some("0")));
    }
    // Reading goes on, and so does whoever says who they are.
    visitor.get("/offices").await.expect(200);
    let anna = server.client("citizen_a");
    anna.post("/appointments", desk.order(desk.at(3, 11, 0))).fresh_key().await.expect(201);
    refused.were(KINDS);
}
