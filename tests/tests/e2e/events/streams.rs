//! `/event-stream`: what happens, while it happens, and from where one was.

use std::time::Duration;

use kernel::ProblemKind;
use platform::{
    access::keys::{KeyKind, KeyScope},
    problems::TOO_MANY_STREAMS,
};
use serde_json::Value;
use tests::{Backend, Client, Server, both_databases};
use tokio::time::{Instant, timeout};

use super::{PATIENCE, book, subject};
use crate::{
    refusals::Refusals,
    rows,
    world::{Desk, Plan, World},
};

pub(crate) static KINDS: &[&ProblemKind] = &[&TOO_MANY_STREAMS];

both_databases!(patient =>
    what_happens_is_told_at_once_and_resumed_where_one_was,
    a_board_is_told_of_its_office_alone,
    a_stream_ends_when_it_is_told_to
);

/// The demo, with streams that last.
fn patient(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| {
        setup.set("events.stream_seconds", 900);
    })
}

/// A stream being read.
struct Reading {
    response: reqwest::Response,
    text: String,
}

#[derive(Debug, Clone)]
struct Told {
    id: String,
    event: Value,
}

impl Reading {
    async fn of(client: &Client, query: &str, last: Option<&str>) -> Self {
        let mut call = client.get(&format!("/event-stream{query}"));
        if let Some(last) = last {
            call = call.header("Last-Event-ID", last);
        }
        let response = call.stream().await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next event; none when the stream ends.
    async fn next(&mut self) -> Option<Told> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                if let (Some(id), Some(data)) = (line("id: "), line("data: ")) {
                    let event: Value = serde_json::from_str(&data).unwrap();
                    assert_eq!(line("event: ").as_deref(), event["type"].as_str());
                    return Some(Told { id, event });
                }
            }
            let more =
                timeout(PATIENCE, self.response.chunk()).await.expect("something, be it that one is still there");
            self.text.push_str(std::str::from_utf8(&more.ok()??).unwrap());
        }
    }

    /// The next event about an appointment.
    async fn about(&mut self, id: &str) -> Told {
        loop {
            let told = self.next().await.expect("the stream goes on");
            if told.event["subject"] == subject(id) {
                return told;
            }
        }
    }
}

async fn desk(server: &Server) -> Desk {
    World::of(server).await.desk(Plan { capacity: 20, ..Plan::default() }).await
}

async fn what_happens_is_told_at_once_and_resumed_where_one_was(server: Server) {
    let (desk, admin, anybody) = (desk(&server).await, server.client("admin"), server.anonymous());
    let mut reading = Reading::of(&admin, "?types=appointment.*", None).await;
    let first = book(&anybody, &desk, desk.at(2, 10, 0)).await;
    let told = reading.about(&first).await;
    drop(reading);
    // While nobody listens, two more.
    let missed = [book(&anybody, &desk, desk.at(2, 10, 0)).await, book(&anybody, &desk, desk.at(2, 10, 0)).await];
    let mut resumed = Reading::of(&admin, "?types=appointment.*", Some(&told.id)).await;
    for id in &missed {
        assert_eq!(resumed.next().await.unwrap().event["subject"], subject(id));
    }
    let last = book(&anybody, &desk, desk.at(2, 11, 0)).await;
    assert_eq!(resumed.next().await.unwrap().event["subject"], subject(&last), "nothing comes twice");
    admin.get("/event-stream").header("Last-Event-ID", "x").await.problem(400, "invalid-header");
    admin.get("/event-stream?types=nonsense").await.problem(422, "invalid-query").field("?types");
    admin.get("/event-stream?max_seconds=4000").await.problem(422, "invalid-query").field("?max_seconds");
}

async fn a_board_is_told_of_its_office_alone(server: Server) {
    let (elsewhere, kiosk, admin) = (desk(&server).await, server.client("kiosk"), server.client("admin"));
    let mut all = Reading::of(&admin, "", None).await;
    let mut board = Reading::of(&kiosk, "?types=appointment.*&max_seconds=5", None).await;
    let id = book(&server.anonymous(), &elsewhere, elsewhere.at(2, 10, 0)).await;
    all.about(&id).await;
    while let Some(told) = board.next().await {
        assert_ne!(told.event["subject"], subject(&id));
    }
    server.client("citizen_a").get("/event-stream").await.problem(403, "forbidden");
    server.anonymous().get("/event-stream").await.problem(401, "unauthenticated");
}

async fn a_stream_ends_when_it_is_told_to(mut server: Server) {
    let admin = server.client("admin");
    let started = Instant::now();
    assert!(Reading::of(&admin, "?max_seconds=0", None).await.next().await.is_none());
    // HEAD is answered, and does not wait for an end that does not come.
    let head = admin.call(reqwest::Method::HEAD, "/event-stream");
    head.await.expect(200);
    assert!(started.elapsed() < Duration::from_secs(20));
    // A server that is told to stop does not wait for those who read along.
    let mut reading = Reading::of(&admin, "", None).await;
    let stopping = Instant::now();
    server.send_sigterm();
    assert!(reading.next().await.is_none());
    assert!(server.wait().success());
    assert!(stopping.elapsed() < Duration::from_secs(20), "{:?}", stopping.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_says_so_and_so_many_may_listen() {
    let server = Server::demo_with(Backend::Sqlite, |setup| {
        setup.set("events.stream_seconds", 900).set("events.stream_heartbeat_seconds", 1).set("events.max_streams", 2);
    });
    let admin = server.client("admin");
    let mut first = Reading::of(&admin, "", None).await;
    let _second = Reading::of(&admin, "", None).await;
    let mut refused = Refusals::of(&World::of(&server).await);
    let told = refused.told(&TOO_MANY_STREAMS, admin.get("/event-stream")).await;
    assert!(told.header("retry-after").is_some());
    refused.were(KINDS);
    let mut text = String::new();
    while !text.contains(": still here\n\n") {
        let chunk = timeout(PATIENCE, first.response.chunk()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(text.starts_with("retry: 2000\n\n"), "{text}");
}

/// Two gateways: what happens at one is told at the other.
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_at_one_gateway_is_told_at_the_other() {
    if !Backend::Postgres.available() {
        return;
    }
    let first = Server::start(Backend::Postgres, |setup| {
        setup.set("events.stream_seconds", 900);
    });
    let second = first.beside();
    let world = World::another(&first, "gemello").await;
    let key = rows::key(&world, KeyKind::Integration, None, &[KeyScope::EventsRead]).await;
    let desk = world.desk(Plan { capacity: 20, ..Plan::default() }).await;
    let mut reading = Reading::of(&second.tenant("gemello").with_token(key), "", None).await;
    for _ in 0..3 {
        let id = book(&first.tenant("gemello"), &desk, desk.at(2, 10, 0)).await;
        reading.about(&id).await;
    }
}
