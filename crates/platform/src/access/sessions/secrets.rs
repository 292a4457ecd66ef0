//! What is drawn at random and given out once: tokens of sessions, codes to enrol with and to recover with, seeds of
//! one-time codes.

use jiff::Timestamp;
use kernel::{Problem, PublicCode};
use storage::{TenantId, problems::INTERNAL_ERROR};
use totp_rs::{Builder, Totp};

use super::rules::RECOVERY_CODES;
use crate::access::{
    DeploymentSecret,
    keys::{hash, new_handle, new_secret},
};

/// What every access token starts with.
pub const ACCESS_PREFIX: &str = "sps_";
/// What every refresh token starts with.
const REFRESH_PREFIX: &str = "spr_";

/// What a seed is concealed for.
const SEED: &str = "totp seed";
/// Bytes of a seed (RFC 4226 §4 recommends 160 bits).
const SEED_BYTES: usize = 20;

/// The two tokens of a session, and what is kept of them.
pub(super) struct Tokens {
    pub(super) handle: String,
    pub(super) access: String,
    pub(super) access_digest: String,
    pub(super) refresh: String,
    pub(super) refresh_digest: String,
}

impl Tokens {
    /// New ones for a session of this handle; a new session when there is none.
    pub(super) fn new(handle: Option<String>) -> Self {
        let handle = handle.unwrap_or_else(new_handle);
        let (access, refresh) = (new_secret(), new_secret());
        Self {
            access_digest: hash(&access),
            refresh_digest: hash(&refresh),
            access: format!("{ACCESS_PREFIX}{handle}_{access}"),
            refresh: format!("{REFRESH_PREFIX}{handle}_{refresh}"),
            handle,
        }
    }
}

/// Reads an access token into handle and digest.
pub fn split(token: &str) -> Option<(String, String)> {
    halves(token, ACCESS_PREFIX)
}

/// Reads a refresh token into handle and digest.
pub(super) fn split_refresh(token: &str) -> Option<(String, String)> {
    halves(token, REFRESH_PREFIX)
}

fn halves(token: &str, prefix: &str) -> Option<(String, String)> {
    let (handle, secret) = token.strip_prefix(prefix)?.split_once('_')?;
    (!handle.is_empty() && !secret.is_empty()).then(|| (handle.to_owned(), hash(secret)))
}

/// A code to enrol with, and what is kept of it.
pub(super) fn new_enrolment() -> (String, String) {
    let code = new_secret();
    let digest = hash(&code);
    (code, digest)
}

/// What is kept of a code to enrol with. It has 256 random bits, like a token.
pub(super) fn enrolment_digest(code: &str) -> String {
    hash(code)
}

/// Codes to recover with, as people are shown them.
pub(super) fn new_recovery_codes() -> Vec<String> {
    let part = || PublicCode::from_random(rand::random()).to_string();
    (0..RECOVERY_CODES).map(|_| format!("{}-{}", part(), part())).collect()
}

/// What is kept of a code to recover with: people may write it in either case and without the hyphens.
pub(super) fn recovery_digest(secret: &DeploymentSecret, tenant: TenantId, code: &str) -> String {
    let read = |part: Option<&str>| part.and_then(|part| PublicCode::parse(part).ok());
    let plain: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let (first, second) = (read(plain.get(..8)), read(plain.get(8..)));
    let canonical = first.zip(second).map_or_else(String::new, |(a, b)| format!("{}{}", a.as_str(), b.as_str()));
    hex::encode(secret.digest("recovery code", &format!("{tenant}\n{canonical}")))
}

/// The seed of somebody's one-time codes.
pub(super) struct Seed(Vec<u8>);

impl Seed {
    pub(super) fn new() -> Self {
        Self(rand::random::<[u8; SEED_BYTES]>().to_vec())
    }

    /// As it is stored.
    pub(super) fn concealed(&self, secret: &DeploymentSecret) -> Result<String, Problem> {
        secret.conceal(SEED, &self.0)
    }

    /// Of what is stored.
    pub(super) fn revealed(secret: &DeploymentSecret, stored: &str) -> Option<Self> {
        secret.reveal(SEED, stored).map(Self)
    }

    /// In letters, for whoever types it.
    pub(super) fn text(&self) -> String {
        self.totp().secret().to_base32()
    }

    /// What an authenticator reads (`otpauth://totp/…`).
    pub(super) fn uri(&self, comune: &str, username: &str) -> Result<String, Problem> {
        // A colon parts the two in the label.
        let plain = |text: &str| text.replace(':', " ");
        let builder = Builder::new().with_secret(self.0.clone()).with_account_name(plain(username));
        let made = builder.with_issuer(Some(plain(comune))).build().and_then(|totp| totp.to_url());
        made.map_err(|error| {
            tracing::error!(%error, "one-time codes cannot be enrolled");
            Problem::new(&INTERNAL_ERROR)
        })
    }

    /// The step whose code this is, one before and one after the present one included.
    pub(super) fn step_of(&self, code: &str, now: Timestamp) -> Option<i64> {
        let seconds = u64::try_from(now.as_second()).ok()?;
        self.totp().check(code, seconds).and_then(|step| i64::try_from(step).ok())
    }

    /// Six digits, 30 seconds, SHA-1: what every authenticator knows.
    fn totp(&self) -> Totp {
        Builder::new().with_secret(self.0.clone()).build_noncompliant()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> DeploymentSecret {
        DeploymentSecret::new(b"a secret of this test").unwrap()
    }

    #[test]
    fn tokens_are_read_back_and_told_apart() {
        let tokens = Tokens::new(None);
        assert_eq!(split(&tokens.access), Some((tokens.handle.clone(), tokens.access_digest.clone())));
        assert_eq!(split_refresh(&tokens.refresh), Some((tokens.handle.clone(), tokens.refresh_digest.clone())));
        assert_eq!(split(&tokens.refresh), None);
        assert_eq!(split_refresh(&tokens.access), None);
        for bad in ["", "sps_", "sps_ABC", "sps__x", "sps_ABC_", "spk_ABC_x"] {
            assert_eq!(split(bad), None, "{bad}");
        }
        let next = Tokens::new(Some(tokens.handle.clone()));
        assert_eq!(next.handle, tokens.handle);
        assert_ne!(next.refresh_digest, tokens.refresh_digest);
    }

    #[test]
    fn a_recovery_code_is_read_as_people_write_it() {
        let (secret, tenant) = (secret(), storage::scope::PLATFORM);
        let codes = new_recovery_codes();
        assert_eq!(codes.len(), RECOVERY_CODES);
        let code = &codes[0];
        let digest = recovery_digest(&secret, tenant, code);
        assert_eq!(recovery_digest(&secret, tenant, &code.to_lowercase().replace('-', " ")), digest);
        assert_ne!(recovery_digest(&secret, tenant, &codes[1]), digest);
        assert_ne!(recovery_digest(&secret, tenant, "nonsense"), digest);
        assert_ne!(recovery_digest(&secret, tenant, "èèèèèèèèèèèèèèèè"), digest);
    }

    #[test]
    fn a_code_is_of_its_step() {
        let seed = Seed(b"12345678901234567890".to_vec());
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        // RFC 6238, appendix B, its last six digits.
        assert_eq!(seed.step_of("287082", at(59)), Some(1));
        assert_eq!(seed.step_of("081804", at(1_111_111_109)), Some(37_037_036));
        assert_eq!(seed.step_of("081804", at(1_111_111_109 + 30)), Some(37_037_036), "one step late");
        assert_eq!(seed.step_of("081804", at(1_111_111_109 + 90)), None);
        assert_eq!(seed.step_of("081805", at(1_111_111_109)), None);
        let again = Seed::revealed(&secret(), &seed.concealed(&secret()).unwrap()).unwrap();
        assert_eq!(again.text(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let uri = seed.uri("Comune di Bugliano: prova", "o.sportello").unwrap();
        assert!(uri.starts_with("otpauth://totp/") && uri.contains("secret=GEZDGNBV"), "{uri}");
    }
}
