//! The receiver of webhooks that is not ours, as tests speak to it.

use serde_json::{Value, json};
use tests::{Client, Counterpart, Server};

/// A receiver, and a client of the tests that tells it how to behave.
pub(super) struct Receiver {
    counterpart: Counterpart,
    client: Client,
}

/// What came in one delivery.
#[derive(Debug, Clone)]
pub(super) struct Seen(Value);

impl Receiver {
    /// Starts one; none where counterparts are not installed.
    pub(super) fn start() -> Option<Self> {
        let counterpart = Counterpart::start("webhooks.py", &[])?;
        let client = Client::new(counterpart.url());
        Some(Self { counterpart, client })
    }

    /// Where a webhook of this name is.
    pub(super) fn hook(&self, name: &str) -> String {
        format!("{}/hook/{name}", self.counterpart.url())
    }

    /// Which keys the deliveries to a name are checked with.
    pub(super) async fn check(&self, name: &str, keys: &[&str]) {
        self.client.put(&format!("/keys/{name}"), json!({ "keys": keys })).await.expect(204);
    }

    /// What the next deliveries to a name are answered.
    pub(super) async fn answer(&self, name: &str, answers: Value) {
        self.client.put(&format!("/answers/{name}"), json!({ "answers": answers })).await.expect(204);
    }

    /// What has come to a name.
    pub(super) async fn seen(&self, name: &str) -> Vec<Seen> {
        let seen = self.client.get(&format!("/seen/{name}")).await.expect(200);
        seen.at("/deliveries").as_array().unwrap().iter().cloned().map(Seen).collect()
    }
}

impl Seen {
    /// `webhook-id`.
    pub(super) fn id(&self) -> &str {
        self.0["id"].as_str().unwrap()
    }

    /// The event.
    pub(super) fn event(&self) -> &Value {
        &self.0["event"]
    }

    /// Which of the keys the signature fits.
    pub(super) fn good(&self) -> Vec<bool> {
        self.0["good"].as_array().unwrap().iter().map(|good| good.as_bool().unwrap()).collect()
    }

    /// How many signatures it had.
    pub(super) fn signatures(&self) -> u64 {
        self.0["signatures"].as_u64().unwrap()
    }

    /// What it was answered.
    pub(super) fn answered(&self) -> u64 {
        self.0["answered"].as_u64().unwrap()
    }
}

/// Lets the Comune's webhooks lead to this machine.
pub(super) async fn allow_this_machine(server: &Server) {
    let allowed = json!({ "private_hosts": ["127.0.0.1"] });
    server.client("admin").patch("/settings", allowed).if_match("*").await.expect(200);
}

/// A webhook to the receiver; its path and its key.
pub(super) async fn hook(server: &Server, receiver: &Receiver, name: &str, kinds: &[&str]) -> (String, String) {
    let new = json!({ "url": receiver.hook(name), "kinds": kinds });
    let made = server.client("admin").post("/webhooks", new).fresh_key().await.expect(201);
    let key = made.text_at("/signing_key").to_owned();
    receiver.check(name, &[&key]).await;
    (format!("/webhooks/{}", made.text_at("/id")), key)
}
