//! Tokens of an identity provider that is not ours, and tokens that only look like them.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tests::{Backend, Client, Counterpart, Server};

use crate::{
    mint, rows,
    world::{Plan, World},
};

const TENANT: &str = "bugliano";
const L2: &str = "https://www.spid.gov.it/SpidL2";

/// The provider, and a caller of it.
struct Provider {
    process: Counterpart,
    http: Client,
}

/// What the token of a person who signs in at level 2 differs by.
#[derive(Clone, Default)]
struct Wish {
    person: Option<&'static str>,
    audience: Option<&'static str>,
    acr: Option<&'static str>,
    claims: Value,
    header: Value,
}

impl Provider {
    fn start() -> Option<Self> {
        let process = Counterpart::start("oidc-provider.mjs", &[])?;
        let http = Client::new(process.url());
        Some(Self { process, http })
    }

    async fn token(&self, wish: Wish) -> String {
        let or_empty = |value: Value| if value.is_null() { "{}".to_owned() } else { value.to_string() };
        let form = [
            ("grant_type", "urn:sportello:grant-type:person".to_owned()),
            ("client_id", "page".to_owned()),
            ("person", wish.person.unwrap_or(mint::TAX_CODE_A).to_owned()),
            ("audience", wish.audience.unwrap_or(TENANT).to_owned()),
            ("acr_values", wish.acr.unwrap_or(L2).to_owned()),
            ("claims", or_empty(wish.claims)),
            ("header", or_empty(wish.header)),
        ];
        let form = reqwest::Url::parse_with_params("form:x", form).unwrap();
        let asked = self.http.call(reqwest::Method::POST, "/token");
        let asked = asked.header("content-type", "application/x-www-form-urlencoded").body(form.query().unwrap());
        asked.await.expect(200).text_at("/access_token").to_owned()
    }

    async fn fetches(&self) -> i64 {
        self.http.get("/test/fetches").await.expect(200).at("/fetches").as_i64().unwrap()
    }

    async fn rotate(&self) {
        self.http.get("/test/rotation").await.expect(200);
    }

    /// A server that trusts it.
    fn server(&self, backend: Backend) -> Server {
        let url = self.process.url();
        Server::start(backend, |setup| {
            let mut provider = toml::Table::new();
            for (name, value) in [
                ("name", "gateway"),
                ("kind", "citizens"),
                ("issuer", &url),
                ("audience", "{tenant}"),
                ("jwks_url", &format!("{url}/jwks")),
            ] {
                provider.insert(name.to_owned(), value.into());
            }
            provider.insert("algorithms".to_owned(), vec!["RS256", "ES256"].into());
            setup.push("identity.providers", provider);
        })
    }
}

/// Runs a test against the provider on each database; nothing where the provider is not installed.
macro_rules! with_a_provider {
    ($($body:ident),+ $(,)?) => {
        $(
            mod $body {
                use super::*;

                #[tokio::test(flavor = "multi_thread")]
                async fn sqlite() {
                    if let Some(provider) = Provider::start() {
                        let server = provider.server(Backend::Sqlite);
                        super::$body(provider, server).await;
                    }
                }

                #[tokio::test(flavor = "multi_thread")]
                async fn postgres() {
                    if Backend::Postgres.available() && let Some(provider) = Provider::start() {
                        let server = provider.server(Backend::Postgres);
                        super::$body(provider, server).await;
                    }
                }
            }
        )+
    };
}

with_a_provider!(
    a_citizen_signs_in_and_sees_what_is_theirs,
    keys_that_rotate_are_learnt_and_forgotten,
    what_only_looks_like_a_token_is_refused,
    invented_key_ids_do_not_make_us_hammer_the_provider,
);

async fn a_citizen_signs_in_and_sees_what_is_theirs(provider: Provider, server: Server) {
    let desk = World::another(&server, TENANT).await.desk(Plan { capacity: 9, ..Plan::default() }).await;
    let visitor = server.tenant(TENANT);
    let caller = async |wish| visitor.with_token(provider.token(wish).await);
    let anna = caller(Wish::default()).await;
    let luca = caller(Wish { person: Some(mint::TAX_CODE_B), ..Wish::default() }).await;
    let me = anna.get("/me").await.expect(200);
    assert_eq!((me.text_at("/kind"), me.text_at("/citizen/tax_code")), ("citizen", mint::TAX_CODE_A));
    assert_eq!((me.text_at("/citizen/given_name"), me.text_at("/citizen/assurance")), ("Anna", "l2"));

    let booked = anna.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    let path = format!("/appointments/{}", booked.text_at("/id"));
    // The same person, by another token.
    let again = caller(Wish::default()).await;
    assert_eq!(again.get("/me/appointments").await.expect(200).items().len(), 1);
    assert_eq!(luca.get("/me/appointments").await.expect(200).items().len(), 0);
    luca.get(&path).await.problem(404, "not-found");

    // Level 1 is not enough, and the challenge says what is.
    let low = caller(Wish { acr: Some("https://www.spid.gov.it/SpidL1"), ..Wish::default() }).await;
    let told = low.get(&path).await.problem(403, "assurance-too-low");
    let challenge = told.header("www-authenticate").unwrap();
    assert!(challenge.contains("insufficient_user_authentication") && challenge.contains(L2), "{challenge}");
    again.get(&path).await.expect(200);
    let high = caller(Wish { acr: Some("https://www.spid.gov.it/SpidL3"), ..Wish::default() }).await;
    high.get(&path).await.expect(200);
}

async fn keys_that_rotate_are_learnt_and_forgotten(provider: Provider, server: Server) {
    World::another(&server, TENANT).await;
    let visitor = server.tenant(TENANT);
    let old = visitor.with_token(provider.token(Wish::default()).await);
    old.get("/me").await.expect(200);
    provider.rotate().await;
    let new = visitor.with_token(provider.token(Wish::default()).await);
    // At most one fetch a minute: until the next one the new key is not known, and the old one is.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(100);
    loop {
        let told = new.get("/me").await;
        if told.status == 200 {
            break;
        }
        told.problem(401, "unauthenticated");
        old.get("/me").await.expect(200);
        assert!(std::time::Instant::now() < deadline, "the new key is not learnt");
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
    // The old token has not run out; its key is gone.
    old.get("/me").await.problem(401, "unauthenticated");
}

/// A JWT taken apart.
fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    });
    (parts.next().unwrap(), parts.next().unwrap())
}

fn encoded(part: &Value) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(part.to_string())
}

/// Signed with a shared secret, under the id of the provider's key.
fn hmac(kid: &str, payload: &Value, secret: &[u8]) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, payload, &EncodingKey::from_secret(secret)).unwrap()
}

async fn what_only_looks_like_a_token_is_refused(provider: Provider, server: Server) {
    let world = World::another(&server, TENANT).await;
    World::another(&server, "altrove").await;
    let visitor = server.tenant(TENANT);
    let good = provider.token(Wish::default()).await;
    visitor.with_token(&good).get("/me").await.expect(200);
    let (header, payload) = parts(&good);
    let kid = header["kid"].as_str().unwrap();

    let forger = Provider::start().expect("the first one was there");
    let issuer = provider.process.url();
    let (keys, forged_keys) = (format!("{issuer}/jwks"), format!("{}/jwks", forger.process.url()));
    let (forged_header, _) = parts(&forger.token(Wish::default()).await);
    let pem = provider.http.get("/test/public-key").await.expect(200).text_at("/pem").to_owned();
    let jwks = provider.http.get("/jwks").await.expect(200);
    let with_claims = async |claims| provider.token(Wish { claims, ..Wish::default() }).await;
    let with_header = async |header| provider.token(Wish { header, ..Wish::default() }).await;
    let forged = async |header| {
        let claims = json!({ "iss": issuer });
        forger.token(Wish { claims, header, ..Wish::default() }).await
    };
    let now = rows::now().as_second();
    let [signed_header, signed_payload, signature] =
        good.split('.').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
    let other = provider.token(Wish { person: Some(mint::TAX_CODE_B), ..Wish::default() }).await;
    let other_payload = other.split('.').nth(1).unwrap();

    let tokens = [
        ("no algorithm", format!("{}.{signed_payload}.", encoded(&json!({ "alg": "none", "kid": kid })))),
        (
            "no algorithm, signature kept",
            format!("{}.{signed_payload}.{signature}", encoded(&json!({ "alg": "NONE" }))),
        ),
        ("signature stripped", format!("{signed_header}.{signed_payload}.")),
        ("two parts", format!("{signed_header}.{signed_payload}")),
        ("another's claims under the signature", format!("{signed_header}.{other_payload}.{signature}")),
        ("public key as a secret", hmac(kid, &payload, pem.as_bytes())),
        ("public key as a secret, trimmed", hmac(kid, &payload, pem.trim().as_bytes())),
        ("key set as a secret", hmac(kid, &payload, jwks.text.as_bytes())),
        ("key's modulus as a secret", hmac(kid, &payload, jwks.text_at("/keys/0/n").as_bytes())),
        ("another's key under the right name", forged(json!({ "kid": kid })).await),
        ("another's key under its own name", forged(json!({})).await),
        ("another's key, jku to it", forged(json!({ "jku": forged_keys })).await),
        ("another's key, jku to the provider", forged(json!({ "kid": kid, "jku": keys })).await),
        ("another's key, carried along", forged(json!({ "jwk": { "kid": forged_header["kid"] } })).await),
        ("another issuer", forger.token(Wish::default()).await),
        ("issuer nearly", with_claims(json!({ "iss": format!("{issuer}/") })).await),
        ("no issuer", with_claims(json!({ "iss": null })).await),
        ("expired", with_claims(json!({ "exp": now - 31 })).await),
        ("no expiry", with_claims(json!({ "exp": null })).await),
        ("expiry as text", with_claims(json!({ "exp": "never" })).await),
        ("not valid yet", with_claims(json!({ "nbf": now + 300 })).await),
        ("another audience", with_claims(json!({ "aud": "somebody-else" })).await),
        ("another Comune's audience", with_claims(json!({ "aud": "altrove" })).await),
        ("no subject", with_claims(json!({ "sub": null })).await),
        ("no tax code", with_claims(json!({ "https://attributes.eid.gov.it/fiscal_number": null })).await),
        (
            "tax code of another form",
            with_claims(json!({ "https://attributes.eid.gov.it/fiscal_number": "TINIT-X" })).await,
        ),
        ("critical extension", with_header(json!({ "crit": ["b64"], "b64": true })).await),
        ("key that is unknown", with_header(json!({ "kid": "unknown" })).await),
        ("token of another type", with_header(json!({ "typ": "logout+jwt" })).await),
        ("garbage", "a.b.c".to_owned()),
        ("too long", format!("{good}{}", "A".repeat(8 * 1024))),
    ];
    let before = rows::written(&world).await;
    for (name, token) in tokens {
        for path in ["/me", "/offices", "/me/appointments"] {
            let told = visitor.with_token(&token).get(path).await;
            assert_eq!(told.status, 401, "{name}: {told}");
            let told = told.problem(401, "unauthenticated");
            // Why is nobody's business.
            assert!(told.body.get("detail").is_none(), "{name}: {told}");
        }
    }
    assert_eq!(rows::written(&world).await, before);
    // The good one is good here and nowhere else.
    visitor.with_token(&good).get("/me").await.expect(200);
    server.tenant("altrove").with_token(&good).get("/me").await.problem(401, "unauthenticated");
    assert!(!server.log().contains(mint::TAX_CODE_A) && !server.log().contains(&signature), "the log tells too much");
}

async fn invented_key_ids_do_not_make_us_hammer_the_provider(provider: Provider, server: Server) {
    World::another(&server, TENANT).await;
    let visitor = server.tenant(TENANT);
    let good = visitor.with_token(provider.token(Wish::default()).await);
    good.get("/me").await.expect(200);
    let before = provider.fetches().await;
    for n in 0..20 {
        let header = json!({ "kid": format!("invented-{n}") });
        let token = provider.token(Wish { header, ..Wish::default() }).await;
        visitor.with_token(token).get("/me").await.problem(401, "unauthenticated");
    }
    let fetches = provider.fetches().await - before;
    assert!(fetches <= 1, "{fetches} fetches for twenty invented keys");
    good.get("/me").await.expect(200);
}
