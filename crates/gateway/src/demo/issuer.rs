//! The demo's stand-in for the Comune's identity gateway: one key pair, and tokens for invented people.
//!
//! Nothing else mints tokens. A real deployment trusts the issuers in its settings, and this one only in a demo.

use std::{
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};
use serde_json::{Map, Value};

/// The file in the demo's data folder that holds the private key.
const KEY_FILE: &str = "issuer-key.pem";

/// Signs the demo's tokens with ES256.
pub struct DemoIssuer {
    key: EncodingKey,
    kid: String,
    jwks: String,
}

impl fmt::Debug for DemoIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoIssuer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Why the demo has no issuer, or a token was not minted.
#[derive(Debug, thiserror::Error)]
pub enum DemoIssuerError {
    /// The key file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The key file holds no P-256 private key.
    #[error("{path} holds no P-256 key in PKCS#8; delete it to have a new one made: {source}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: jsonwebtoken::errors::Error,
    },
    /// No key could be generated.
    #[error("no key could be generated: {0}")]
    Generate(#[from] aws_lc_rs::error::Unspecified),
    /// The public key could not be written as JSON.
    #[error("the public key could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The token could not be signed.
    #[error("the token could not be signed: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

impl DemoIssuer {
    /// The issuer whose key is in `dir`. Without a key there, one is made (PKCS#8, in PEM) and kept in a file that only
    /// its owner may read; the tokens of earlier runs stay valid for as long as that file is there.
    ///
    /// # Errors
    ///
    /// [`DemoIssuerError`] if the file cannot be read or written, or holds something else.
    pub fn load_or_create(dir: &Path) -> Result<Self, DemoIssuerError> {
        let path = dir.join(KEY_FILE);
        let file = |source| DemoIssuerError::File { path: path.clone(), source };
        let pem = match fs::read(&path) {
            Ok(pem) => pem,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let pem = generate()?;
                write_private(&path, &pem).map_err(file)?;
                pem
            }
            Err(error) => return Err(file(error)),
        };
        Self::from_pem(&pem, &path)
    }

    fn from_pem(pem: &[u8], path: &Path) -> Result<Self, DemoIssuerError> {
        let unusable = |source| DemoIssuerError::Key { path: path.to_owned(), source };
        let key = EncodingKey::from_ec_pem(pem).map_err(unusable)?;
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).map_err(unusable)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(unusable)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let jwks = serde_json::to_string(&JwkSet { keys: vec![jwk] })?;
        Ok(Self { key, kid, jwks })
    }

    /// The public key as a JWK Set (RFC 7517); its `kid` is the key's thumbprint (RFC 7638).
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// A token from `issuer` for `subject`, good for `audience` from `now` on and for `ttl`, in whole seconds.
    /// `claims` are added; where they repeat one of these, they are overruled.
    ///
    /// # Errors
    ///
    /// [`DemoIssuerError::Sign`] if signing fails.
    pub fn mint(
        &self,
        issuer: &str,
        audience: &str,
        subject: &str,
        mut claims: Map<String, Value>,
        now: Timestamp,
        ttl: SignedDuration,
    ) -> Result<String, DemoIssuerError> {
        let issued = now.as_second();
        for (name, value) in [
            ("iss", issuer.into()),
            ("aud", audience.into()),
            ("sub", subject.into()),
            ("iat", issued.into()),
            ("nbf", issued.into()),
            ("exp", issued.saturating_add(ttl.as_secs()).into()),
        ] {
            claims.insert(name.to_owned(), value);
        }
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::ES256) };
        Ok(jsonwebtoken::encode(&header, &claims, &self.key)?)
    }
}

fn generate() -> Result<Vec<u8>, DemoIssuerError> {
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?;
    let mut pem = b"-----BEGIN PRIVATE KEY-----\n".to_vec();
    for line in STANDARD.encode(der.as_ref()).as_bytes().chunks(64) {
        pem.extend_from_slice(line);
        pem.push(b'\n');
    }
    pem.extend_from_slice(b"-----END PRIVATE KEY-----\n");
    Ok(pem)
}

/// Writes a file that did not exist, readable by its owner alone from the first moment.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content).and_then(|()| file.sync_all()).inspect_err(|_| {
        // Half a key would be in the way of the next start.
        let _ = fs::remove_file(path);
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::future::BoxFuture;
    use kernel::{TaxCode, TestClock};
    use platform::{
        access::{
            assurance::AssuranceClaim,
            tokens::{ClaimNames, Identity, KeyLocation, Provider, ProviderKind, TokenRefusal, TokenVerifier},
        },
        ports::{KeySource, KeySourceError},
    };
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "http://127.0.0.1:8080/demo";

    #[derive(Debug)]
    struct NoNetwork;

    impl KeySource for NoNetwork {
        fn fetch<'a>(&'a self, _url: &'a str) -> BoxFuture<'a, Result<Vec<u8>, KeySourceError>> {
            Box::pin(async { panic!("the demo's keys are inline") })
        }
    }

    fn now() -> Timestamp {
        "2026-03-02T09:00:00.25Z".parse().unwrap()
    }

    async fn verify(jwks: &str, token: &str, after: SignedDuration) -> Result<Identity, TokenRefusal> {
        let provider = Provider {
            name: "demo".to_owned(),
            kind: ProviderKind::Citizens,
            issuer: ISSUER.to_owned(),
            audience: "sportello:{tenant}".to_owned(),
            algorithms: vec![Algorithm::ES256],
            keys: KeyLocation::Inline(jwks.as_bytes().to_vec()),
            assurance: AssuranceClaim::default(),
            claims: ClaimNames { tax_code: "tax_code".to_owned(), ..ClaimNames::default() },
        };
        let clock = Arc::new(TestClock::at(now() + after));
        TokenVerifier::new(vec![provider], Arc::new(NoNetwork), clock).unwrap().verify(token, "bugliano").await
    }

    fn mint(issuer: &DemoIssuer) -> String {
        let Value::Object(claims) = json!({ "tax_code": "RSSMRA85T10A562S", "given_name": "Mario", "exp": 1 }) else {
            unreachable!()
        };
        issuer.mint(ISSUER, "sportello:bugliano", "citizen-a", claims, now(), SignedDuration::from_hours(1)).unwrap()
    }

    #[tokio::test]
    async fn a_minted_token_is_accepted_for_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let issuer = DemoIssuer::load_or_create(dir.path()).unwrap();
        let token = mint(&issuer);
        let identity = verify(issuer.jwks(), &token, SignedDuration::ZERO).await.unwrap();
        assert_eq!((identity.subject.as_str(), identity.given_name.as_deref()), ("citizen-a", Some("Mario")));
        assert_eq!(identity.tax_code, TaxCode::parse("RSSMRA85T10A562S").ok());
        let later = verify(issuer.jwks(), &token, SignedDuration::from_mins(61)).await;
        assert_eq!(later, Err(TokenRefusal::Expired));
    }

    #[tokio::test]
    async fn the_key_outlives_the_process_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = DemoIssuer::load_or_create(dir.path()).unwrap();
        let second = DemoIssuer::load_or_create(dir.path()).unwrap();
        assert_eq!(first.jwks(), second.jwks());
        assert!(verify(second.jwks(), &mint(&first), SignedDuration::ZERO).await.is_ok());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }

        let elsewhere = tempfile::tempdir().unwrap();
        let other = DemoIssuer::load_or_create(elsewhere.path()).unwrap();
        assert_eq!(verify(other.jwks(), &mint(&first), SignedDuration::ZERO).await, Err(TokenRefusal::UnknownKey));
    }

    #[test]
    fn the_published_key_is_public_and_named_by_its_thumbprint() {
        let dir = tempfile::tempdir().unwrap();
        let issuer = DemoIssuer::load_or_create(dir.path()).unwrap();
        let set: Value = serde_json::from_str(issuer.jwks()).unwrap();
        let key = set["keys"][0].as_object().unwrap();
        let names: Vec<_> = key.keys().map(String::as_str).collect();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"], "and no d");
        // RFC 7638 §3: the required members, in order, without spaces.
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, key["x"], key["y"]);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, members.as_bytes());
        let thumbprint = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest.as_ref());
        assert_eq!(key["kid"], thumbprint);
        assert_eq!(format!("{issuer:?}"), format!("DemoIssuer {{ kid: {thumbprint:?}, .. }}"));
    }

    #[test]
    fn a_file_that_is_no_key_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(KEY_FILE);
        for content in ["", "text", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            fs::write(&path, content).unwrap();
            let error = DemoIssuer::load_or_create(dir.path()).unwrap_err();
            assert!(error.to_string().contains("delete it"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        let missing = DemoIssuer::load_or_create(&dir.path().join("missing")).unwrap_err();
        assert!(matches!(missing, DemoIssuerError::File { .. }));
    }
}
