mod fetching;

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use futures_util::future::{BoxFuture, join_all};
use jsonwebtoken::{EncodingKey, Header as JwtHeader, jwk::Jwk};
use kernel::TestClock;
use serde_json::json;
use tokio::sync::Semaphore;

use super::*;
use crate::ports::KeySourceError;

const ISSUER: &str = "https://identity.example";
const KEYS_URL: &str = "https://identity.example/jwks";
/// Formally valid, of nobody.
const TAX_CODE: &str = "RSSMRA85T10A562S";

fn now() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

// -- Signing ---------------------------------------------------------------------------------------------------------

struct Signer {
    kid: Option<&'static str>,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    fn es256(kid: &'static str) -> Self {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self { kid: Some(kid), algorithm: Algorithm::ES256, key: EncodingKey::from_ec_der(der.as_ref()) }
    }

    fn eddsa(kid: &'static str) -> Self {
        let der = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
        Self { kid: Some(kid), algorithm: Algorithm::EdDSA, key: EncodingKey::from_ed_der(der.as_ref()) }
    }

    fn rsa(kid: &'static str, algorithm: Algorithm) -> Self {
        let pkcs8 = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
        // from_rsa_der wants PKCS#1; PEM tells the two apart.
        let text = base64::engine::general_purpose::STANDARD.encode(pkcs8.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        Self { kid: Some(kid), algorithm, key: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap() }
    }

    fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id = self.kid.map(str::to_owned);
        serde_json::to_value(jwk).unwrap()
    }

    fn header(&self) -> JwtHeader {
        JwtHeader { kid: self.kid.map(str::to_owned), ..JwtHeader::new(self.algorithm) }
    }

    fn sign(&self, claims: &Value) -> String {
        jsonwebtoken::encode(&self.header(), claims, &self.key).unwrap()
    }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": "sportello:bugliano",
        "sub": "7c1f",
        "exp": now().as_second() + 600,
        "https://attributes.eid.gov.it/fiscal_number": format!("TINIT-{TAX_CODE}"),
        "given_name": "Mario",
        "family_name": " Rossi ",
        "email": "",
    })
}

fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

fn raw(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

fn jwks(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

// -- Fakes -----------------------------------------------------------------------------------------------------------

#[derive(Debug)]
struct FakeSource {
    answer: Mutex<Result<Vec<u8>, KeySourceError>>,
    calls: AtomicUsize,
    /// A fetch takes one permit and ends when it has it.
    gate: Semaphore,
}

impl FakeSource {
    fn answering(keys: &[Value]) -> Arc<Self> {
        Arc::new(Self { answer: Mutex::new(Ok(jwks(keys))), calls: AtomicUsize::new(0), gate: Semaphore::new(1000) })
    }

    fn set(&self, answer: Result<Vec<u8>, KeySourceError>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl KeySource for FakeSource {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Vec<u8>, KeySourceError>> {
        Box::pin(async move {
            assert_eq!(url, KEYS_URL);
            self.calls.fetch_add(1, Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            self.answer.lock().unwrap().clone()
        })
    }
}

fn provider(keys: KeyLocation) -> Provider {
    Provider {
        name: "gateway".to_owned(),
        kind: ProviderKind::Citizens,
        issuer: ISSUER.to_owned(),
        audience: "sportello:{tenant}".to_owned(),
        algorithms: vec![Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256],
        keys,
        assurance: AssuranceClaim::default(),
        claims: ClaimNames::default(),
    }
}

fn verifier(provider: Provider) -> TokenVerifier {
    TokenVerifier::new(vec![provider], FakeSource::answering(&[]), Arc::new(TestClock::at(now()))).unwrap()
}

fn inline(keys: &[Value]) -> TokenVerifier {
    verifier(provider(KeyLocation::Inline(jwks(keys))))
}

async fn refusal(verifier: &TokenVerifier, token: &str) -> TokenRefusal {
    verifier.verify(token, "bugliano").await.unwrap_err()
}

// -- Tokens ----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn good_tokens_of_every_algorithm() {
    for signer in [Signer::es256("k"), Signer::eddsa("k"), Signer::rsa("k", Algorithm::RS256)] {
        let identity = inline(&[signer.jwk()]).verify(&signer.sign(&claims()), "bugliano").await.unwrap();
        assert_eq!(
            identity,
            Identity {
                provider: "gateway".to_owned(),
                kind: ProviderKind::Citizens,
                subject: "7c1f".to_owned(),
                tax_code: Some(TaxCode::parse(TAX_CODE).unwrap()),
                given_name: Some("Mario".to_owned()),
                family_name: Some("Rossi".to_owned()),
                email: None,
                assurance: Assurance::L1,
            }
        );
    }
}

#[tokio::test]
async fn an_identity_in_the_log_is_nobody() {
    let signer = Signer::es256("k");
    let identity = inline(&[signer.jwk()]).verify(&signer.sign(&claims()), "bugliano").await.unwrap();
    assert_eq!(format!("{identity:?}"), r#"Identity { provider: "gateway", kind: Citizens, .. }"#);
}

#[tokio::test]
async fn claims_decide() {
    let signer = Signer::es256("k");
    let verifier = inline(&[signer.jwk()]);
    let at = |seconds: i64| json!(now().as_second() + seconds);
    let tax_code = "https://attributes.eid.gov.it/fiscal_number";
    for (name, value, expected) in [
        ("iss", json!("https://elsewhere.example"), Err(TokenRefusal::UnknownIssuer)),
        ("iss", Value::Null, Err(TokenRefusal::UnknownIssuer)),
        ("iss", json!([ISSUER]), Err(TokenRefusal::Malformed)),
        ("aud", json!("sportello:altrove"), Err(TokenRefusal::Audience)),
        ("aud", json!("sportello:{tenant}"), Err(TokenRefusal::Audience)),
        ("aud", json!([]), Err(TokenRefusal::Audience)),
        ("aud", Value::Null, Err(TokenRefusal::Audience)),
        ("aud", json!(["other", "sportello:bugliano"]), Ok(())),
        ("exp", Value::Null, Err(TokenRefusal::NoExpiry)),
        ("exp", json!("tomorrow"), Err(TokenRefusal::Malformed)),
        ("exp", json!(1e300), Err(TokenRefusal::Malformed)),
        ("exp", at(-29), Ok(())),
        ("exp", json!(now().as_duration().as_secs_f64() - 29.5), Ok(())),
        ("exp", at(-30), Err(TokenRefusal::Expired)),
        ("nbf", at(30), Ok(())),
        ("nbf", at(31), Err(TokenRefusal::NotYetValid)),
        ("nbf", json!("now"), Err(TokenRefusal::Malformed)),
        ("sub", Value::Null, Err(TokenRefusal::NoSubject)),
        ("sub", json!(" "), Err(TokenRefusal::NoSubject)),
        ("sub", json!(7), Err(TokenRefusal::NoSubject)),
        ("sub", json!("s".repeat(256)), Err(TokenRefusal::NoSubject)),
        (tax_code, Value::Null, Ok(())),
        (tax_code, json!("TINIT-RSSMRA85T10A562A"), Err(TokenRefusal::TaxCode)),
        (tax_code, json!(["TINIT-RSSMRA85T10A562S"]), Err(TokenRefusal::TaxCode)),
    ] {
        let outcome = verifier.verify(&signer.sign(&claims_with(name, value.clone())), "bugliano").await.map(|_| ());
        assert_eq!(outcome, expected, "{name} = {value}");
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_tenant_alone() {
    let signer = Signer::es256("k");
    let mut provider = provider(KeyLocation::Inline(jwks(&[signer.jwk()])));
    let token = signer.sign(&claims());
    assert_eq!(verifier(provider.clone()).verify(&token, "altrove").await, Err(TokenRefusal::Audience));

    provider.audience = "sportello:bugliano".to_owned();
    assert!(verifier(provider).verify(&token, "altrove").await.is_ok(), "without placeholder: every tenant");
}

#[tokio::test]
async fn staff_and_other_claim_names() {
    let signer = Signer::es256("k");
    let mut provider = provider(KeyLocation::Inline(jwks(&[signer.jwk()])));
    provider.kind = ProviderKind::Staff;
    provider.claims =
        ClaimNames { tax_code: "fiscalNumber".to_owned(), email: "upn".to_owned(), ..ClaimNames::default() };
    let mut claims = claims_with("fiscalNumber", json!("unknown"));
    claims["upn"] = json!("m.rossi@comune.bugliano.example");
    let identity = verifier(provider).verify(&signer.sign(&claims), "bugliano").await.unwrap();
    assert_eq!((identity.kind, identity.tax_code), (ProviderKind::Staff, None));
    assert_eq!(identity.email.as_deref(), Some("m.rossi@comune.bugliano.example"));
}

#[tokio::test]
async fn malformed_tokens() {
    let signer = Signer::es256("k");
    let (verifier, good) = (inline(&[signer.jwk()]), signer.sign(&claims()));
    let header = json!({ "alg": "ES256", "kid": "k" });
    for token in [
        String::new(),
        "..".to_owned(),
        "a.b".to_owned(),
        format!("{good}.x"),
        format!("{good}="),
        format!(".{good}"),
        good.replace('.', " . "),
        raw(&json!([]), &claims(), b""),
        raw(&json!({}), &claims(), b""),
        raw(&header, &json!("text"), b""),
        format!("{}.%.", good.split_once('.').unwrap().0),
    ] {
        assert_eq!(refusal(&verifier, &token).await, TokenRefusal::Malformed, "{token}");
    }
    let twice = format!(r#"{{"iss":"{ISSUER}","iss":"{ISSUER}"}}"#);
    let twice = format!("{}.{}.", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(twice));
    assert_eq!(refusal(&verifier, &twice).await, TokenRefusal::Malformed);
    assert_eq!(refusal(&verifier, &"a".repeat(MAX_TOKEN_BYTES + 1)).await, TokenRefusal::TooLong);
    assert_eq!(refusal(&verifier, &"a".repeat(MAX_TOKEN_BYTES)).await, TokenRefusal::Malformed);
}

#[tokio::test]
async fn a_changed_token_is_refused() {
    let signer = Signer::es256("k");
    let verifier = inline(&[signer.jwk()]);
    let token = signer.sign(&claims());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let forged = URL_SAFE_NO_PAD.encode(claims_with("sub", json!("somebody else")).to_string());
    assert_eq!(refusal(&verifier, &format!("{header}.{forged}.{signature}")).await, TokenRefusal::Signature);
    assert_eq!(refusal(&verifier, &format!("{message}.")).await, TokenRefusal::Signature);
    assert_eq!(refusal(&verifier, &Signer::es256("k").sign(&claims())).await, TokenRefusal::Signature);
}

// -- Algorithms (RFC 8725 §2.1, §3.1) --------------------------------------------------------------------------------

#[tokio::test]
async fn no_signature_is_no_algorithm() {
    let verifier = inline(&[Signer::es256("k").jwk()]);
    for alg in ["none", "None", "NONE", "nOnE", "", "ES256K", "HS256"] {
        let token = raw(&json!({ "alg": alg, "kid": "k" }), &claims(), b"");
        assert_eq!(refusal(&verifier, &token).await, TokenRefusal::Algorithm, "{alg}");
    }
}

#[tokio::test]
async fn a_public_key_is_not_a_shared_secret() {
    let signer = Signer::es256("k");
    let verifier = inline(&[signer.jwk()]);
    let jwk: Jwk = serde_json::from_value(signer.jwk()).unwrap();
    let public = DecodingKey::from_jwk(&jwk).unwrap();
    for secret in [public.try_get_as_bytes().unwrap().to_vec(), signer.jwk().to_string().into_bytes()] {
        let header = JwtHeader { kid: Some("k".to_owned()), ..JwtHeader::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(&secret)).unwrap();
        assert_eq!(refusal(&verifier, &token).await, TokenRefusal::Algorithm);
    }

    let mut shared = provider(KeyLocation::Inline(jwks(&[signer.jwk()])));
    shared.algorithms.push(Algorithm::HS256);
    let error = TokenVerifier::new(vec![shared], FakeSource::answering(&[]), Arc::new(TestClock::at(now())));
    assert!(matches!(error, Err(ProviderError::SharedSecret { algorithm: Algorithm::HS256, .. })));
}

#[tokio::test]
async fn the_algorithm_is_one_of_the_provider_and_the_one_of_the_key() {
    let (es, ed, ps) = (Signer::es256("k"), Signer::eddsa("k"), Signer::rsa("k", Algorithm::PS256));
    let mut only_eddsa = provider(KeyLocation::Inline(jwks(&[es.jwk(), ed.jwk()])));
    only_eddsa.algorithms = vec![Algorithm::EdDSA];
    let only_eddsa = verifier(only_eddsa);
    assert_eq!(refusal(&only_eddsa, &es.sign(&claims())).await, TokenRefusal::Algorithm);
    assert!(only_eddsa.verify(&ed.sign(&claims()), "bugliano").await.is_ok(), "same kid, told apart by kind");

    assert_eq!(refusal(&inline(&[ed.jwk()]), &es.sign(&claims())).await, TokenRefusal::KeyMismatch);

    // A key that does not say what it is for is still of one kind.
    let mut jwk = ed.jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    assert!(inline(std::slice::from_ref(&jwk)).verify(&ed.sign(&claims()), "bugliano").await.is_ok());
    assert_eq!(refusal(&inline(&[jwk]), &es.sign(&claims())).await, TokenRefusal::KeyMismatch);

    // The key says PS256: it does not serve for RS256, although both are RSA.
    let rs = Signer { algorithm: Algorithm::RS256, ..ps };
    let mut jwk = rs.jwk();
    jwk["alg"] = json!("PS256");
    assert_eq!(refusal(&inline(&[jwk]), &rs.sign(&claims())).await, TokenRefusal::KeyMismatch);
}

#[tokio::test]
async fn a_voucher_and_a_token_of_a_person_do_not_pass_for_one_another() {
    let signer = Signer::rsa("k", Algorithm::RS256);
    let people = inline(&[signer.jwk()]);
    let keys = KeyLocation::Inline(jwks(&[signer.jwk()]));
    let pdnd = verifier(Provider { kind: ProviderKind::Pdnd, audience: String::new(), ..provider(keys) });
    for (typ, expected) in [
        (Some("at+jwt"), Ok(())),
        (Some("JWT"), Err(TokenRefusal::TokenType)),
        (Some("dpop+jwt"), Err(TokenRefusal::TokenType)),
        (None, Err(TokenRefusal::TokenType)),
    ] {
        let header = JwtHeader { typ: typ.map(str::to_owned), ..signer.header() };
        let token = jsonwebtoken::encode(&header, &claims(), &signer.key).unwrap();
        assert_eq!((pdnd.is_voucher(&token), people.is_voucher(&token)), (true, false));
        assert_eq!(pdnd.voucher(&token).await.map(|_| ()), expected, "{typ:?}");
        assert_eq!(people.voucher(&token).await, Err(TokenRefusal::UnknownIssuer));
        assert_eq!(refusal(&pdnd, &token).await, TokenRefusal::UnknownIssuer);
    }
}

#[tokio::test]
async fn headers_that_ask_for_more() {
    let signer = Signer::es256("k");
    let verifier = inline(&[signer.jwk()]);
    for (typ, expected) in [
        (Some("JWT"), Ok(())),
        (Some("jwt"), Ok(())),
        (Some("at+jwt"), Ok(())),
        (Some("application/at+jwt"), Ok(())),
        (None, Ok(())),
        (Some("logout+jwt"), Err(TokenRefusal::TokenType)),
        (Some("dpop+jwt"), Err(TokenRefusal::TokenType)),
    ] {
        let header = JwtHeader { typ: typ.map(str::to_owned), ..signer.header() };
        let token = jsonwebtoken::encode(&header, &claims(), &signer.key).unwrap();
        assert_eq!(verifier.verify(&token, "bugliano").await.map(|_| ()), expected, "{typ:?}");
    }
    let header = JwtHeader { crit: Some(vec!["b64".to_owned()]), ..signer.header() };
    let token = jsonwebtoken::encode(&header, &claims(), &signer.key).unwrap();
    assert_eq!(refusal(&verifier, &token).await, TokenRefusal::CriticalExtension);

    // A key that the token brings along is not even looked at.
    let other = Signer::es256("k");
    let header = JwtHeader { jwk: serde_json::from_value(other.jwk()).ok(), ..other.header() };
    let token = jsonwebtoken::encode(&header, &claims(), &other.key).unwrap();
    assert_eq!(refusal(&verifier, &token).await, TokenRefusal::Signature);
}

// -- Key sets --------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn without_kid_exactly_one_key_must_fit() {
    let (a, b, ed) = (Signer::es256("a"), Signer::es256("b"), Signer::eddsa("c"));
    let token = jsonwebtoken::encode(&JwtHeader::new(Algorithm::ES256), &claims(), &a.key).unwrap();
    assert!(inline(&[a.jwk(), ed.jwk()]).verify(&token, "bugliano").await.is_ok());
    assert_eq!(refusal(&inline(&[a.jwk(), b.jwk()]), &token).await, TokenRefusal::AmbiguousKey);
    assert_eq!(refusal(&inline(&[ed.jwk()]), &token).await, TokenRefusal::UnknownKey);
}

#[tokio::test]
async fn keys_for_other_uses_are_left_out() {
    let signer = Signer::es256("k");
    let with = |name: &str, value: Value| {
        let mut jwk = signer.jwk();
        jwk[name] = value;
        jwk
    };
    let other = Signer::eddsa("other").jwk();
    for jwk in [
        with("use", json!("enc")),
        with("key_ops", json!(["sign"])),
        with("crv", json!("P-521")),
        with("kty", json!("unheard of")),
        with("x", json!(7)),
        json!({ "kty": "oct", "kid": "k", "k": "c2VjcmV0" }),
    ] {
        let verifier = inline(&[json!(3), jwk.clone(), other.clone()]);
        assert_eq!(refusal(&verifier, &signer.sign(&claims())).await, TokenRefusal::UnknownKey, "{jwk}");
    }
    for jwk in [with("use", json!("sig")), with("key_ops", json!(["verify"])), with("x5c", json!(["AA=="]))] {
        assert!(inline(&[jwk]).verify(&signer.sign(&claims()), "bugliano").await.is_ok());
    }
}

#[test]
fn unusable_lists_of_providers() {
    let key = Signer::es256("k").jwk();
    let good = || provider(KeyLocation::Inline(jwks(std::slice::from_ref(&key))));
    let error = |providers: Vec<Provider>| {
        TokenVerifier::new(providers, FakeSource::answering(&[]), Arc::new(TestClock::at(now())))
            .unwrap_err()
            .to_string()
    };
    for (wrong, expected) in [
        (Provider { issuer: String::new(), ..good() }, "issuer is empty"),
        (Provider { audience: String::new(), ..good() }, "audience is empty"),
        (Provider { algorithms: vec![], ..good() }, "algorithms is empty"),
        (Provider { audience: "sportello:{comune}".to_owned(), ..good() }, "only the placeholder {tenant}"),
        (provider(KeyLocation::Inline(b"<html>".to_vec())), "is not a JWK Set"),
        (provider(KeyLocation::Inline(jwks(&[json!({ "kty": "oct", "k": "AA" })]))), "no key that can verify"),
    ] {
        let text = error(vec![wrong]);
        assert!(text.starts_with(r#"identity provider "gateway": "#) && text.contains(expected), "{text}");
    }
    assert!(error(vec![good(), good()]).ends_with("the same name"));
    assert!(error(vec![good(), Provider { name: "other".to_owned(), ..good() }]).ends_with("the same issuer"));
}
