//! The public keys of one provider: what they fit, and how long a fetched set is believed.
//!
//! A fetched set is fresh for 15 minutes. Whatever the reason for another fetch (an old set, a `kid` that is not in
//! it), there is at most one attempt a minute, so tokens with invented key ids cannot be used to make us hammer the
//! provider; while nothing has been fetched at all the pause is 5 seconds. One fetch at a time, and it is finished
//! even if the caller that asked for it hangs up. If it fails, the old set serves on, for a day at most: a withdrawn
//! key must not live as long as somebody can keep us from the provider.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use kernel::Clock;
use serde::Deserialize;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{KeyLocation, Provider, TokenRefusal};
use crate::ports::{KeySource, KeySourceError};

pub(in crate::access) const FRESH_FOR: SignedDuration = SignedDuration::from_mins(15);
pub(in crate::access) const USABLE_FOR: SignedDuration = SignedDuration::from_hours(24);
pub(in crate::access) const PAUSE: SignedDuration = SignedDuration::from_secs(60);
pub(in crate::access) const PAUSE_WITHOUT_KEYS: SignedDuration = SignedDuration::from_secs(5);

/// Whether that was less than so long ago. What is in the future (the clock was set back) was long ago.
pub(in crate::access) fn is_within(since: Timestamp, span: SignedDuration, now: Timestamp) -> bool {
    (SignedDuration::ZERO..span).contains(&now.duration_since(since))
}

/// Why the text of a key set is unusable.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// Not JSON with an array `keys`.
    #[error("the key set is not a JWK Set (RFC 7517): {0}")]
    Malformed(#[from] serde_json::Error),
    /// A set in which no key can verify a signature.
    #[error("the key set holds no key that can verify a signature")]
    Empty,
}

/// Whether the algorithm signs with a secret that both sides know.
pub(super) fn is_shared_secret(algorithm: Algorithm) -> bool {
    matches!(algorithm.family(), AlgorithmFamily::Hmac)
}

/// The keys of one provider.
#[derive(Debug)]
pub(super) enum ProviderKeys {
    Fixed(KeySet),
    Fetched(Arc<FetchedKeys>),
}

impl ProviderKeys {
    pub(super) fn new(
        provider: &Provider,
        source: &Arc<dyn KeySource>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, KeySetError> {
        match &provider.keys {
            KeyLocation::Inline(text) => {
                let keys = KeySet::parse(text)?;
                if keys.0.is_empty() { Err(KeySetError::Empty) } else { Ok(Self::Fixed(keys)) }
            }
            KeyLocation::Url(url) => Ok(Self::Fetched(Arc::new(FetchedKeys {
                provider: provider.name.clone(),
                url: url.clone(),
                source: Arc::clone(source),
                clock: Arc::clone(clock),
                held: RwLock::new(None),
                last_attempt: Arc::new(Mutex::new(None)),
            }))),
        }
    }

    /// The one key that a token with this `kid` and algorithm must be signed with.
    pub(super) async fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, TokenRefusal> {
        match self {
            Self::Fixed(keys) => keys.find(kid, algorithm),
            Self::Fetched(keys) => keys.find(kid, algorithm).await,
        }
    }
}

/// Public keys that can verify signatures; all others of a document are left out.
#[derive(Debug)]
pub(in crate::access) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The only algorithm it may be used with, if the document says so.
    declared: Option<KeyAlgorithm>,
    kind: KeyKind,
    key: DecodingKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    P256,
    P384,
    Ed25519,
    Rsa,
}

impl KeySet {
    pub(in crate::access) fn parse(text: &[u8]) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<serde_json::Value>,
        }

        let document: Document = serde_json::from_slice(text)?;
        // RFC 7517 §5: a key that is not understood is ignored, not a reason to refuse the others.
        let keys = document.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self(keys.filter_map(|jwk: Jwk| Key::new(&jwk)).collect()))
    }

    /// The one key that something with this `kid` and algorithm must be signed with.
    pub(in crate::access) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, TokenRefusal> {
        let named = self.0.iter().filter(|key| kid.is_none() || key.id.as_deref() == kid);
        let mut fitting = named.clone().filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key.key.clone()),
            (Some(_), Some(_)) => Err(TokenRefusal::AmbiguousKey),
            (None, _) if kid.is_some() && named.count() > 0 => Err(TokenRefusal::KeyMismatch),
            (None, _) => Err(TokenRefusal::UnknownKey),
        }
    }
}

impl Key {
    fn new(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        if !for_signatures {
            return None;
        }
        let kind = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => KeyKind::P256,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => KeyKind::P384,
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => KeyKind::Ed25519,
            AlgorithmParameters::RSA(_) => KeyKind::Rsa,
            // Shared secrets among them: a document that hands them out has lost them.
            _ => return None,
        };
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self { id: common.key_id.clone(), declared: common.key_algorithm, kind, key })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match algorithm {
            Algorithm::ES256 => KeyKind::P256,
            Algorithm::ES384 => KeyKind::P384,
            Algorithm::EdDSA => KeyKind::Ed25519,
            _ if matches!(algorithm.family(), AlgorithmFamily::Rsa) => KeyKind::Rsa,
            _ => return false,
        };
        self.kind == kind && self.declared.is_none_or(|declared| declared == KeyAlgorithm::from(algorithm))
    }
}

/// A key set kept at an address, and our copy of it.
#[derive(Debug)]
pub(super) struct FetchedKeys {
    provider: String,
    url: String,
    source: Arc<dyn KeySource>,
    clock: Arc<dyn Clock>,
    held: RwLock<Option<Held>>,
    /// The end of the last attempt, successful or not. Held locked while one is under way.
    last_attempt: Arc<Mutex<Option<Timestamp>>>,
}

#[derive(Debug, Clone)]
struct Held {
    keys: Arc<KeySet>,
    fetched_at: Timestamp,
}

impl FetchedKeys {
    async fn find(self: &Arc<Self>, kid: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, TokenRefusal> {
        let now = self.clock.now();
        let found = self.find_held(kid, algorithm, now);
        let is_fresh = self.held().is_some_and(|held| is_within(held.fetched_at, FRESH_FOR, now));
        let attempt = match found {
            Err(TokenRefusal::UnknownKey | TokenRefusal::KeysUnavailable) => {
                Some(Arc::clone(&self.last_attempt).lock_owned().await)
            }
            // Old but usable: one caller sees to a new copy, the others do not queue behind a slow provider.
            _ if !is_fresh => Arc::clone(&self.last_attempt).try_lock_owned().ok(),
            _ => None,
        };
        let Some(last_attempt) = attempt else { return found };
        self.fetch_if_due(last_attempt).await;
        self.find_held(kid, algorithm, self.clock.now())
    }

    fn find_held(&self, kid: Option<&str>, algorithm: Algorithm, now: Timestamp) -> Result<DecodingKey, TokenRefusal> {
        match self.held() {
            Some(held) if is_within(held.fetched_at, USABLE_FOR, now) => held.keys.find(kid, algorithm),
            _ => Err(TokenRefusal::KeysUnavailable),
        }
    }

    fn held(&self) -> Option<Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those who waited for somebody else's attempt find that it was just made, and make none.
    async fn fetch_if_due(self: &Arc<Self>, mut last_attempt: OwnedMutexGuard<Option<Timestamp>>) {
        let now = self.clock.now();
        let pause = if self.held().is_some() { PAUSE } else { PAUSE_WITHOUT_KEYS };
        if last_attempt.is_some_and(|last| is_within(last, pause, now)) {
            return;
        }
        // A task of its own: a caller that hangs up must neither waste the attempt nor make it uncounted.
        let this = Arc::clone(self);
        let attempt = tokio::spawn(async move {
            let outcome = this.fetch(now).await;
            *last_attempt = Some(this.clock.now());
            if let Err(error) = outcome {
                tracing::warn!(
                    provider = this.provider,
                    error = %error,
                    have_older = this.held().is_some(),
                    "the identity provider's keys could not be fetched"
                );
            }
        });
        if let Err(error) = attempt.await {
            tracing::error!(provider = self.provider, error = %error, "fetching keys broke off");
        }
    }

    async fn fetch(&self, now: Timestamp) -> Result<(), FetchError> {
        let keys = KeySet::parse(&self.source.fetch(&self.url).await?)?;
        // An empty set is an answer: the provider has withdrawn its keys.
        tracing::info!(provider = self.provider, keys = keys.0.len(), "identity provider's keys fetched");
        let held = Held { keys: Arc::new(keys), fetched_at: now };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Source(#[from] KeySourceError),
    #[error(transparent)]
    Document(#[from] KeySetError),
}
