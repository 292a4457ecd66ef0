//! Who a bearer token (JWT) speaks for.
//!
//! Sportello never signs people in: the Comune's identity gateway does, with SPID or CIE behind it (art. 64 of
//! d.lgs. 82/2005, CAD), and issues the tokens that are checked here after RFC 8725. Other systems bring the vouchers of
//! PDND ([`pdnd`](super::pdnd)), whose signature is checked here too. A token is believed only when
//!
//! * its issuer is one that the deployment names, and only that provider's keys are tried, wherever the token says
//!   that its keys are (`jku`, `jwk` and `x5u` are ignored);
//! * its algorithm is in the provider's list *and* is the one the chosen key is made for; shared secrets (HS*) cannot
//!   even be configured, so a public key never serves as one;
//! * it is an access or identity token by its `typ`, and has no extension marked critical;
//! * it is in force by the injected clock, is meant for this tenant, and names somebody.
//!
//! Reasons for a refusal are for the log: a caller learns only that the token was not accepted.

mod keys;
mod refusal;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use kernel::{Clock, TaxCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::keys::ProviderKeys;
pub(super) use self::keys::{FRESH_FOR, KeySet, PAUSE, PAUSE_WITHOUT_KEYS, USABLE_FOR, is_within};
pub use self::{keys::KeySetError, refusal::TokenRefusal};
use super::assurance::{Assurance, AssuranceClaim};
use crate::ports::KeySource;

/// The longest token that is looked at, in bytes: what fits a usual limit for one header line.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// How far the provider's clock may be from ours.
pub(super) const LEEWAY: SignedDuration = SignedDuration::from_secs(30);

/// The longest subject accepted, in bytes (OpenID Connect Core 1.0, §2).
const MAX_SUBJECT_BYTES: usize = 255;

/// Placeholder of the tenant's slug in [`Provider::audience`].
const TENANT: &str = "{tenant}";

/// Whose tokens a provider issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// People who use the services, through SPID, CIE or eIDAS.
    Citizens,
    /// People who work for the Comune.
    Staff,
    /// Other systems: the vouchers of PDND.
    Pdnd,
}

/// Where a provider's public keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyLocation {
    /// A JWK Set served at this address, fetched when needed.
    Url(String),
    /// The text of a JWK Set, fixed for as long as the process lives.
    Inline(Vec<u8>),
}

/// The claims that say who somebody is; gateways name them differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimNames {
    /// The tax code (codice fiscale), with or without `TINIT-`.
    pub tax_code: String,
    /// The given name (nome).
    pub given_name: String,
    /// The family name (cognome).
    pub family_name: String,
    /// The e-mail address.
    pub email: String,
}

impl Default for ClaimNames {
    /// The names of the SPID/CIE OpenID Connect profile.
    fn default() -> Self {
        Self {
            tax_code: "https://attributes.eid.gov.it/fiscal_number".to_owned(),
            given_name: "given_name".to_owned(),
            family_name: "family_name".to_owned(),
            email: "email".to_owned(),
        }
    }
}

/// An identity provider whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// The name it has in the settings and in the log; staff are bound to it together with their subject.
    pub name: String,
    /// Whose tokens it issues.
    pub kind: ProviderKind,
    /// The exact `iss` of its tokens.
    pub issuer: String,
    /// The `aud` that its tokens must contain; `{tenant}` stands for the slug of the tenant being called.
    /// Without it, a token is good for every tenant of the deployment. None of vouchers: each Comune has its own.
    pub audience: String,
    /// The algorithms it signs with.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are.
    pub keys: KeyLocation,
    /// How it names its claims.
    pub claims: ClaimNames,
    /// How it tells how sure it is of a person.
    pub assurance: AssuranceClaim,
}

/// A list of providers that must not be served with.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// A name, issuer or audience is empty.
    #[error("identity provider {name:?}: {setting} is empty")]
    Empty {
        /// The provider's name.
        name: String,
        /// The setting.
        setting: &'static str,
    },
    /// Two providers share a name or an issuer, so that a token would not say which one it is from.
    #[error("identity provider {name:?}: another provider has the same {setting}")]
    Duplicate {
        /// The provider's name.
        name: String,
        /// The setting.
        setting: &'static str,
    },
    /// The audience has a placeholder other than `{tenant}`.
    #[error("identity provider {name:?}: audience may contain only the placeholder {{tenant}}")]
    Placeholder {
        /// The provider's name.
        name: String,
    },
    /// An algorithm with a shared secret: whoever checks such a token could also forge it.
    #[error("identity provider {name:?}: {algorithm:?} works with a shared secret and is not accepted")]
    SharedSecret {
        /// The provider's name.
        name: String,
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// The inline key set is unusable.
    #[error("identity provider {name:?}: {source}")]
    Keys {
        /// The provider's name.
        name: String,
        /// What is wrong with it.
        source: KeySetError,
    },
}

/// Whom a verified token speaks for.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// [`Provider::name`] of the issuer.
    pub provider: String,
    /// Whether this is a citizen or a member of staff.
    pub kind: ProviderKind,
    /// The provider's stable name for the person; unique only together with `provider`.
    pub subject: String,
    /// The tax code (codice fiscale), where the provider sends one: who enters through eIDAS may have none.
    pub tax_code: Option<TaxCode>,
    /// The given name.
    pub given_name: Option<String>,
    /// The family name.
    pub family_name: Option<String>,
    /// The e-mail address, as the provider sent it.
    pub email: Option<String>,
    /// How sure the provider is that it is them.
    pub assurance: Assurance,
}

impl fmt::Debug for Identity {
    /// Leaves out everything that says who the person is, so that an identity may appear in a log line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("provider", &self.provider).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Verifies tokens of the providers it was made with.
#[derive(Debug)]
pub struct TokenVerifier {
    providers: Vec<(Provider, ProviderKeys)>,
    clock: Arc<dyn Clock>,
}

impl TokenVerifier {
    /// A verifier for these providers. Keys at an address are fetched from `source` when the first token asks for
    /// them, so a provider that is down does not keep the process from starting.
    ///
    /// # Errors
    ///
    /// [`ProviderError`] if the list is ambiguous, unsafe, or has unusable keys.
    #[expect(clippy::needless_pass_by_value, reason = "what is kept for the process's life is handed over")]
    pub fn new(
        providers: Vec<Provider>,
        source: Arc<dyn KeySource>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ProviderError> {
        let mut accepted: Vec<(Provider, ProviderKeys)> = Vec::with_capacity(providers.len());
        for provider in providers {
            check(&provider, accepted.iter().map(|(other, _)| other))?;
            let keys = ProviderKeys::new(&provider, &source, &clock)
                .map_err(|source| ProviderError::Keys { name: provider.name.clone(), source })?;
            accepted.push((provider, keys));
        }
        Ok(Self { providers: accepted, clock })
    }

    /// Whom `token` speaks for when it calls the tenant with this slug.
    ///
    /// Must be called within a tokio runtime: keys may have to be fetched.
    ///
    /// # Errors
    ///
    /// [`TokenRefusal`] says why the token is not accepted.
    pub async fn verify(&self, token: &str, tenant_slug: &str) -> Result<Identity, TokenRefusal> {
        let (provider, claims) = self.signed(token, false).await?;
        identity(provider, &claims, tenant_slug, self.clock.now())
    }

    /// The claims of a PDND voucher, of which no more than the signature has been checked.
    ///
    /// # Errors
    ///
    /// [`TokenRefusal`] says why it is not accepted.
    pub async fn voucher(&self, token: &str) -> Result<Map<String, Value>, TokenRefusal> {
        self.signed(token, true).await.map(|(_, claims)| claims)
    }

    /// Whether a token says that it is from an issuer of vouchers.
    pub fn is_voucher(&self, token: &str) -> bool {
        // Most installations know no such issuer: their tokens are taken apart once.
        if !self.providers.iter().any(|(provider, _)| provider.kind == ProviderKind::Pdnd) {
            return false;
        }
        let parts = Some(token).filter(|token| token.len() <= MAX_TOKEN_BYTES).and_then(|token| Parts::of(token).ok());
        parts.and_then(|parts| self.issuer(&parts)).is_some_and(|(provider, _)| provider.kind == ProviderKind::Pdnd)
    }

    fn issuer(&self, parts: &Parts) -> Option<&(Provider, ProviderKeys)> {
        self.providers.iter().find(|(provider, _)| provider.issuer == parts.issuer)
    }

    /// Checks what concerns the token by itself: issuer, algorithm, type, key and signature.
    async fn signed(&self, token: &str, is_voucher: bool) -> Result<(&Provider, Map<String, Value>), TokenRefusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenRefusal::TooLong);
        }
        let parts = Parts::of(token)?;
        let issuer = self.issuer(&parts).filter(|(known, _)| (known.kind == ProviderKind::Pdnd) == is_voucher);
        let (provider, keys) = issuer.ok_or(TokenRefusal::UnknownIssuer)?;
        // "none" is no Algorithm, so it ends here as well.
        let algorithm: Option<Algorithm> = parts.header.alg.parse().ok();
        let algorithm = algorithm.filter(|alg| provider.algorithms.contains(alg)).ok_or(TokenRefusal::Algorithm)?;
        if parts.header.crit.is_some() {
            return Err(TokenRefusal::CriticalExtension);
        }
        let typ = parts.header.typ.as_deref();
        if !if is_voucher { typ.is_some_and(is_access_token) } else { typ.is_none_or(is_accepted_type) } {
            return Err(TokenRefusal::TokenType);
        }
        let key = keys.find(parts.header.kid.as_deref(), algorithm).await?;
        Ok((provider, verified_claims(token, &key, algorithm)?))
    }

    /// What a client may ask a provider for, so that its token attests this level.
    pub fn acr_values(&self, provider: &str, level: Assurance) -> Vec<String> {
        let named = self.providers.iter().find(|(known, _)| known.name == provider);
        named.map(|(provider, _)| provider.assurance.values_for(level)).unwrap_or_default()
    }
}

fn check<'a>(provider: &Provider, mut others: impl Iterator<Item = &'a Provider>) -> Result<(), ProviderError> {
    let name = || provider.name.clone();
    for (setting, is_empty) in [
        ("name", provider.name.is_empty()),
        ("issuer", provider.issuer.is_empty()),
        ("audience", provider.audience.is_empty() && provider.kind != ProviderKind::Pdnd),
        ("algorithms", provider.algorithms.is_empty()),
    ] {
        if is_empty {
            return Err(ProviderError::Empty { name: name(), setting });
        }
    }
    if let Some(other) = others.find(|other| other.name == provider.name || other.issuer == provider.issuer) {
        let setting = if other.name == provider.name { "name" } else { "issuer" };
        return Err(ProviderError::Duplicate { name: name(), setting });
    }
    if provider.audience.replace(TENANT, "").contains(['{', '}']) {
        return Err(ProviderError::Placeholder { name: name() });
    }
    if let Some(algorithm) = provider.algorithms.iter().copied().find(|alg| keys::is_shared_secret(*alg)) {
        return Err(ProviderError::SharedSecret { name: name(), algorithm });
    }
    Ok(())
}

/// What is read of a token before its signature is checked: only enough to find the key.
struct Parts {
    header: Header,
    issuer: String,
}

#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    pub(super) typ: Option<String>,
    pub(super) crit: Option<Value>,
}

impl Parts {
    fn of(token: &str) -> Result<Self, TokenRefusal> {
        #[derive(Deserialize)]
        struct Issuer {
            iss: Option<String>,
        }

        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenRefusal::Malformed);
        };
        // A struct, unlike a map, refuses a name that occurs twice.
        let issuer = json::<Issuer>(payload).and_then(|payload| payload.iss.ok_or(TokenRefusal::UnknownIssuer))?;
        Ok(Self { header: json(header)?, issuer })
    }
}

pub(super) fn json<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, TokenRefusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok().ok_or(TokenRefusal::Malformed)?;
    serde_json::from_slice(&bytes).ok().ok_or(TokenRefusal::Malformed)
}

/// Access tokens (RFC 9068) and plain JWTs. RFC 8725 §3.11: other tokens of the same issuer (logout, security events,
/// proofs of possession) must not pass for one of these.
fn is_accepted_type(typ: &str) -> bool {
    is_access_token(typ) || "JWT".eq_ignore_ascii_case(typ)
}

fn is_access_token(typ: &str) -> bool {
    ["at+jwt", "application/at+jwt"].iter().any(|accepted| accepted.eq_ignore_ascii_case(typ))
}

/// The claims of a token that this key has signed.
pub(super) fn verified_claims(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
) -> Result<Map<String, Value>, TokenRefusal> {
    let mut validation = Validation::new(algorithm);
    // Signature only: the library would read the machine's clock, and lets a token without `aud` pass.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    match jsonwebtoken::decode(token, key, &validation) {
        Ok(token) => Ok(token.claims),
        Err(error) => Err(match error.kind() {
            ErrorKind::Base64(_) | ErrorKind::Json(_) | ErrorKind::Utf8(_) => TokenRefusal::Malformed,
            _ => TokenRefusal::Signature,
        }),
    }
}

fn identity(
    provider: &Provider,
    claims: &Map<String, Value>,
    tenant_slug: &str,
    now: Timestamp,
) -> Result<Identity, TokenRefusal> {
    let claim = |name: &str| claims.get(name).filter(|value| !value.is_null());

    let expiry = numeric_date(claim("exp").ok_or(TokenRefusal::NoExpiry)?)?;
    if now.duration_since(expiry) >= LEEWAY {
        return Err(TokenRefusal::Expired);
    }
    if let Some(start) = claim("nbf").map(numeric_date).transpose()?
        && start.duration_since(now) > LEEWAY
    {
        return Err(TokenRefusal::NotYetValid);
    }

    let audience = provider.audience.replace(TENANT, tenant_slug);
    let is_ours = match claim("aud") {
        Some(Value::String(only)) => *only == audience,
        Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(&audience)),
        _ => false,
    };
    if !is_ours {
        return Err(TokenRefusal::Audience);
    }

    // Compared byte for byte by everyone who keeps it, so it is not tidied up here.
    let subject = claim("sub").and_then(Value::as_str).filter(|sub| !sub.trim().is_empty());
    let subject = subject.filter(|sub| sub.len() <= MAX_SUBJECT_BYTES).ok_or(TokenRefusal::NoSubject)?;
    let tax_code = match claim(&provider.claims.tax_code) {
        Some(value) => match (value.as_str().and_then(|code| TaxCode::parse(code).ok()), provider.kind) {
            // A citizen is who their tax code says; nothing is decided by that of staff.
            (None, ProviderKind::Citizens) => return Err(TokenRefusal::TaxCode),
            (code, _) => code,
        },
        None => None,
    };
    let text = |name: &str| claim(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    Ok(Identity {
        provider: provider.name.clone(),
        kind: provider.kind,
        subject: subject.to_owned(),
        tax_code,
        given_name: text(&provider.claims.given_name).map(str::to_owned),
        family_name: text(&provider.claims.family_name).map(str::to_owned),
        email: text(&provider.claims.email).map(str::to_owned),
        assurance: provider.assurance.level(claims),
    })
}

/// NumericDate of RFC 7519 §2: seconds since the epoch, possibly with a fraction.
pub(super) fn numeric_date(value: &Value) -> Result<Timestamp, TokenRefusal> {
    let whole = value.as_i64().map(SignedDuration::from_secs);
    let since_epoch = whole.or_else(|| SignedDuration::try_from_secs_f64(value.as_f64()?).ok());
    since_epoch.and_then(|since| Timestamp::UNIX_EPOCH.checked_add(since).ok()).ok_or(TokenRefusal::Malformed)
}
