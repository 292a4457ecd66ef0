//! The public keys with which clients of PDND sign, from its interoperability API: one document for each key.
//!
//! A key is fresh for 15 minutes, and serves on for a day while the API cannot be asked; one that there is not is
//! believed missing for a minute. One is asked for at a time, and none for five seconds after a failure, for a minute
//! where there is an older copy. For one client no more than ten keys in a minute are asked for that are not known: key
//! ids that somebody invents cannot make us hammer the API, and cannot keep us from asking anew for what is known,
//! which is how a withdrawn key is found out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey};
use kernel::Clock;
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;

use super::signature::SignatureRefusal;
use crate::{
    access::tokens::{FRESH_FOR, KeySet, PAUSE, PAUSE_WITHOUT_KEYS, USABLE_FOR, is_within},
    ports::{KeySource, KeySourceError},
};

const MISSING_FOR: SignedDuration = SignedDuration::from_secs(60);
const WINDOW: SignedDuration = SignedDuration::from_secs(60);
const MOST_IN_WINDOW: u32 = 10;

/// How many keys are kept at most, and of how many clients it is counted what they made us ask.
const MOST_KEPT: usize = 1000;

/// The keys of clients, and our copies of them.
#[derive(Debug)]
pub struct ClientKeys {
    /// `https://…/keys`, without a slash at its end.
    base: String,
    source: Arc<dyn KeySource>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held by whoever asks.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    kept: HashMap<String, Kept>,
    /// Since when, and how often, a client has made us ask for a key that is not known.
    asked: HashMap<String, (Timestamp, u32)>,
    failed_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
struct Kept {
    /// Absent: there is no such key.
    key: Option<Arc<ClientKey>>,
    fetched_at: Timestamp,
}

/// A key, and whose it is, where the API says it.
#[derive(Debug)]
struct ClientKey {
    set: KeySet,
    owner: Option<String>,
}

/// Whether a refusal is about the key asked for, and not about us or the moment: nobody's key ids keep the API from
/// being asked for others.
const fn says_there_is_none(status: u16) -> bool {
    matches!(status, 400..=499) && !matches!(status, 401 | 403 | 407 | 408 | 429)
}

impl Kept {
    fn is_fresh(&self, now: Timestamp) -> bool {
        is_within(self.fetched_at, if self.key.is_some() { FRESH_FOR } else { MISSING_FOR }, now)
    }

    fn is_usable(&self, now: Timestamp) -> bool {
        self.is_fresh(now) || (self.key.is_some() && is_within(self.fetched_at, USABLE_FOR, now))
    }

    fn find(&self, client_id: &str, kid: &str, algorithm: Algorithm) -> Result<DecodingKey, SignatureRefusal> {
        let key = self.key.as_ref().ok_or(SignatureRefusal::UnknownKey)?;
        if key.owner.as_ref().is_some_and(|owner| !owner.eq_ignore_ascii_case(client_id)) {
            return Err(SignatureRefusal::OtherClientsKey);
        }
        key.set.find(Some(kid), algorithm).ok().ok_or(SignatureRefusal::UnknownKey)
    }
}

impl ClientKey {
    /// The API answers a JWK (its first version), or `{"clientId", "jwk"}` (its second).
    fn parse(document: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(document).ok()?;
        let jwk = document.get("jwk").unwrap_or(&document);
        // A key that cannot be used is an answer; what is no key at all is none.
        jwk.get("kty")?;
        let set = KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).ok()?;
        Some(Self { set, owner: document.get("clientId").and_then(Value::as_str).map(str::to_owned) })
    }
}

impl ClientKeys {
    /// Keys that `source` has at `base`, the address of the API: `/keys/{kid}` is added to it.
    pub fn new(base: &str, source: Arc<dyn KeySource>, clock: Arc<dyn Clock>) -> Self {
        let base = format!("{}/keys", base.trim_end_matches('/'));
        Self { base, source, clock, state: Mutex::default(), turn: Arc::default() }
    }

    /// The key with which this client must have signed. `kid` is known to be safe in an address.
    ///
    /// # Errors
    /// [`SignatureRefusal`] says why there is none.
    pub async fn find(
        self: &Arc<Self>,
        client_id: &str,
        kid: &str,
        algorithm: Algorithm,
    ) -> Result<DecodingKey, SignatureRefusal> {
        let now = self.clock.now();
        let turn = match self.usable(kid, now) {
            Some(kept) if kept.is_fresh(now) => return kept.find(client_id, kid, algorithm),
            // Old but usable: one caller sees to a new copy, the others do not queue behind a slow API.
            Some(kept) => match Arc::clone(&self.turn).try_lock_owned() {
                Ok(turn) => turn,
                Err(_) => return kept.find(client_id, kid, algorithm),
            },
            None => Arc::clone(&self.turn).lock_owned().await,
        };
        self.ask_if_due(client_id, kid, turn).await;
        let kept = self.usable(kid, self.clock.now());
        kept.ok_or(SignatureRefusal::KeysUnavailable)?.find(client_id, kid, algorithm)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usable(&self, kid: &str, now: Timestamp) -> Option<Kept> {
        self.state().kept.get(kid).filter(|kept| kept.is_usable(now)).cloned()
    }

    /// Whoever waited finds what the one before them asked for, and does not ask.
    async fn ask_if_due(self: &Arc<Self>, client_id: &str, kid: &str, turn: OwnedMutexGuard<()>) {
        let now = self.clock.now();
        let known = self.usable(kid, now);
        if known.as_ref().is_some_and(|kept| kept.is_fresh(now)) || !self.may_ask(client_id, known.is_some(), now) {
            return;
        }
        // A task of its own: a caller that hangs up must neither waste the answer nor make a failure uncounted.
        let (this, kid) = (Arc::clone(self), kid.to_owned());
        let asked = tokio::spawn(async move {
            this.ask(&kid, now).await;
            drop(turn);
        });
        if let Err(error) = asked.await {
            tracing::error!(%error, "asking for a key broke off");
        }
    }

    async fn ask(&self, kid: &str, now: Timestamp) {
        match self.source.fetch(&format!("{}/{kid}", self.base)).await {
            Ok(document) => match ClientKey::parse(&document) {
                Some(key) => self.keep(kid, Some(key), now),
                None => self.failed("the answer holds no key"),
            },
            Err(KeySourceError::Status(status)) if says_there_is_none(status) => self.keep(kid, None, now),
            Err(error) => self.failed(&error.to_string()),
        }
    }

    fn may_ask(&self, client_id: &str, is_known: bool, now: Timestamp) -> bool {
        let mut state = self.state();
        let pause = if is_known { PAUSE } else { PAUSE_WITHOUT_KEYS };
        if state.failed_at.is_some_and(|at| is_within(at, pause, now)) {
            return false;
        }
        if is_known {
            return true;
        }
        if state.asked.len() >= MOST_KEPT {
            state.asked.retain(|_, (since, _)| is_within(*since, WINDOW, now));
        }
        let (since, count) = state.asked.entry(client_id.to_owned()).or_insert((now, 0));
        if !is_within(*since, WINDOW, now) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= MOST_IN_WINDOW
    }

    fn keep(&self, kid: &str, key: Option<ClientKey>, now: Timestamp) {
        tracing::info!(kid, is_there = key.is_some(), "a key was asked for at PDND");
        let mut state = self.state();
        if state.kept.len() >= MOST_KEPT {
            state.kept.retain(|_, kept| kept.is_fresh(now));
        }
        if state.kept.len() >= MOST_KEPT {
            state.kept.clear();
        }
        state.kept.insert(kid.to_owned(), Kept { key: key.map(Arc::new), fetched_at: now });
    }

    fn failed(&self, error: &str) {
        tracing::warn!(error, "a key could not be had from PDND");
        self.state().failed_at = Some(self.clock.now());
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
    };
    use futures_util::future::BoxFuture;
    use jsonwebtoken::{EncodingKey, jwk::Jwk};
    use kernel::TestClock;

    use super::*;

    #[derive(Debug, Default)]
    struct Api {
        answer: Mutex<Option<Result<Value, KeySourceError>>>,
        asked: Mutex<Vec<String>>,
    }

    impl KeySource for Api {
        fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Vec<u8>, KeySourceError>> {
            self.asked.lock().unwrap().push(url.to_owned());
            let answer = self.answer.lock().unwrap().clone().unwrap_or(Err(KeySourceError::Status(404)));
            Box::pin(std::future::ready(answer.map(|document| document.to_string().into_bytes())))
        }
    }

    struct Asking {
        api: Arc<Api>,
        clock: Arc<TestClock>,
        keys: Arc<ClientKeys>,
    }

    impl Asking {
        fn new() -> Self {
            let (api, clock) = (Arc::new(Api::default()), Arc::new(TestClock::at(Timestamp::UNIX_EPOCH)));
            let keys = Arc::new(ClientKeys::new("https://api.example/v2/", api.clone(), clock.clone()));
            Self { api, clock, keys }
        }

        fn answering(self, answer: Result<Value, KeySourceError>) -> Self {
            *self.api.answer.lock().unwrap() = Some(answer);
            self
        }

        async fn outcome(&self, client: &str, kid: &str) -> Result<(), SignatureRefusal> {
            self.keys.find(client, kid, Algorithm::ES256).await.map(|_| ())
        }

        fn times(&self) -> usize {
            self.api.asked.lock().unwrap().len()
        }

        fn after(&self, seconds: i64) {
            self.clock.advance(SignedDuration::from_secs(seconds));
        }
    }

    fn jwk(kid: &str) -> Value {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let mut jwk = Jwk::from_encoding_key(&EncodingKey::from_ec_der(der.as_ref()), Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(kid.to_owned());
        serde_json::to_value(jwk).unwrap()
    }

    #[tokio::test]
    async fn a_key_is_asked_for_once_in_a_quarter_of_an_hour() {
        let at = Asking::new().answering(Ok(jwk("k")));
        for _ in 0..3 {
            assert_eq!(at.outcome("c", "k").await, Ok(()));
        }
        assert_eq!(at.api.asked.lock().unwrap().as_slice(), ["https://api.example/v2/keys/k"]);
        at.after(15 * 60);
        assert_eq!(at.outcome("c", "k").await, Ok(()));
        assert_eq!(at.times(), 2);
        // Withdrawn: at once, when it is asked for again.
        at.after(15 * 60);
        let at = at.answering(Err(KeySourceError::Status(404)));
        assert_eq!(at.outcome("c", "k").await, Err(SignatureRefusal::UnknownKey));
    }

    #[tokio::test]
    async fn a_key_is_its_owners_where_the_api_says_whose_it_is() {
        let at = Asking::new().answering(Ok(json!({ "clientId": "C", "jwk": jwk("k") })));
        assert_eq!(at.outcome("c", "k").await, Ok(()));
        assert_eq!(at.outcome("d", "k").await, Err(SignatureRefusal::OtherClientsKey));
        let other = Asking::new().answering(Ok(jwk("other")));
        assert_eq!(other.outcome("c", "k").await, Err(SignatureRefusal::UnknownKey), "another key than was asked for");
        let rsa = at.keys.find("c", "k", Algorithm::RS256).await.map(|_| ());
        assert_eq!(rsa, Err(SignatureRefusal::UnknownKey), "for another algorithm");
    }

    #[tokio::test]
    async fn invented_key_ids_do_not_hammer() {
        let at = Asking::new();
        for n in 0..30 {
            let expected = if n < 10 { SignatureRefusal::UnknownKey } else { SignatureRefusal::KeysUnavailable };
            assert_eq!(at.outcome("c", &format!("k{n}")).await, Err(expected));
            assert_eq!(at.outcome("c", "k0").await, Err(SignatureRefusal::UnknownKey));
        }
        assert_eq!(at.times(), 10);
        assert_eq!(at.outcome("d", "k30").await, Err(SignatureRefusal::UnknownKey), "another client is not concerned");
        at.after(60);
        let at = at.answering(Ok(jwk("k29")));
        assert_eq!(at.outcome("c", "k29").await, Ok(()));
    }

    #[tokio::test]
    async fn invented_key_ids_do_not_keep_a_withdrawn_key_alive() {
        let at = Asking::new().answering(Ok(jwk("k")));
        assert_eq!(at.outcome("c", "k").await, Ok(()));
        at.after(15 * 60);
        let at = at.answering(Err(KeySourceError::Status(404)));
        for n in 0..20 {
            assert!(at.outcome("c", &format!("invented{n}")).await.is_err());
        }
        assert_eq!(at.outcome("c", "k").await, Err(SignatureRefusal::UnknownKey));
    }

    #[tokio::test]
    async fn a_refused_key_id_is_no_failure_of_the_api() {
        for status in [400, 404, 410, 422] {
            let at = Asking::new().answering(Err(KeySourceError::Status(status)));
            assert_eq!(at.outcome("c", "k").await, Err(SignatureRefusal::UnknownKey), "{status}");
            let at = at.answering(Ok(jwk("good")));
            assert_eq!(at.outcome("d", "good").await, Ok(()), "{status}");
        }
        for status in [401, 403, 429, 500, 503] {
            let at = Asking::new().answering(Err(KeySourceError::Status(status)));
            assert_eq!(at.outcome("c", "k").await, Err(SignatureRefusal::KeysUnavailable), "{status}");
        }
    }

    #[tokio::test]
    async fn while_the_api_is_away_a_known_key_serves_on_for_a_day() {
        let away = || Err(KeySourceError::TimedOut);
        let at = Asking::new().answering(away());
        for _ in 0..3 {
            assert_eq!(at.outcome("c", "k").await, Err(SignatureRefusal::KeysUnavailable));
        }
        assert_eq!(at.times(), 1, "not again at once");
        at.after(5);
        let at = at.answering(Ok(jwk("k")));
        assert_eq!(at.outcome("c", "k").await, Ok(()));
        let at = at.answering(away());
        at.after(15 * 60);
        assert_eq!(at.outcome("c", "k").await, Ok(()));
        let asked = at.times();
        assert_eq!(at.outcome("c", "k").await, Ok(()), "and nobody waits for it again at once");
        assert_eq!(at.times(), asked);
        at.after(24 * 3600);
        assert_eq!(at.outcome("c", "k").await, Err(SignatureRefusal::KeysUnavailable));
        let at = at.answering(Ok(json!({ "error": "no key" })));
        at.after(5);
        assert_eq!(at.outcome("c", "k").await, Err(SignatureRefusal::KeysUnavailable));
    }
}
