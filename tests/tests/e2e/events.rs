//! Events leave: read in order, streamed, sent to webhooks; none is lost, whatever dies.

mod crash;
mod feed;
mod gateways;
mod reactions;
mod receiver;
mod streams;
mod webhooks;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tests::{Backend, Client, Server};

pub(crate) use feed::KINDS as FEED_KINDS;
pub(crate) use streams::KINDS as STREAM_KINDS;
pub(crate) use webhooks::KINDS as WEBHOOK_KINDS;

use crate::world::Desk;

/// How long a busy machine may take for what is done in a moment.
const PATIENCE: Duration = Duration::from_secs(45);

/// The demo, with webhooks tried again after a second, twice.
fn eager(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| {
        setup.set("events.webhook_waits_seconds", vec![1, 1]).set("events.webhook_timeout_seconds", 2);
    })
}

/// Asks again until the answer is the one that is waited for.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Everything that can be read after a cursor, and where the reader is then.
async fn read_on(client: &Client, from: Option<&str>, types: &str) -> (Vec<Value>, String) {
    let (mut events, mut at) = (Vec::new(), from.map(str::to_owned));
    loop {
        let mut call = client.get("/events").query("limit", 100).query("types", types);
        if let Some(at) = &at {
            call = call.query("after", at);
        }
        let page = call.await.expect(200);
        events.extend(page.at("/items").as_array().unwrap().iter().cloned());
        let cursor = page.text_at("/cursor").to_owned();
        if page.body.get("next").is_none_or(Value::is_null) {
            return (events, cursor);
        }
        at = Some(cursor);
    }
}

/// Books at a desk, without signing in; the appointment's id.
async fn book(client: &Client, desk: &Desk, at: Timestamp) -> String {
    let booked = client.post("/appointments", desk.order(at)).fresh_key().await.expect(201);
    booked.text_at("/id").to_owned()
}

fn subject(id: &str) -> String {
    format!("appointment/{id}")
}

/// A body that is empty on purpose.
fn nothing() -> Value {
    json!({})
}
