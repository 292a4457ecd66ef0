//! PDND as this server meets it: an issuer of vouchers, and the API that has the keys of those who call.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tests::{Backend, Client, Server, client::Call};

use super::{AUDIENCE, CLIENT, PURPOSE};
use crate::rows;

/// The token that the API asks for.
const API_TOKEN: &str = "a voucher without a purpose";

/// Somebody with a key.
#[derive(Clone)]
pub(super) struct Party {
    pub(super) client_id: String,
    pub(super) kid: String,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Party {
    pub(super) fn es256(client_id: &str, kid: &str) -> Self {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self::new(client_id, kid, Algorithm::ES256, EncodingKey::from_ec_der(der.as_ref()))
    }

    pub(super) fn rs256(client_id: &str, kid: &str) -> Self {
        let der = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
        let text = STANDARD.encode(der.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        Self::new(client_id, kid, Algorithm::RS256, EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap())
    }

    fn new(client_id: &str, kid: &str, algorithm: Algorithm, key: EncodingKey) -> Self {
        Self { client_id: client_id.to_owned(), kid: kid.to_owned(), algorithm, key }
    }

    /// The same key under another name, or of somebody else.
    pub(super) fn called(&self, client_id: &str, kid: &str) -> Self {
        Self { client_id: client_id.to_owned(), kid: kid.to_owned(), ..self.clone() }
    }

    pub(super) fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.kid.clone());
        serde_json::to_value(jwk).unwrap()
    }

    /// A JWS of these claims; `header` overrules what stands in its header.
    pub(super) fn jws(&self, typ: &str, header: &Value, claims: &Value) -> String {
        let mut told = Header { typ: Some(typ.to_owned()), kid: Some(self.kid.clone()), ..Header::new(self.algorithm) };
        if let Some(header) = header.as_object().filter(|header| !header.is_empty()) {
            let mut value = serde_json::to_value(&told).unwrap();
            value.as_object_mut().unwrap().extend(header.clone());
            told = serde_json::from_value(value).unwrap();
        }
        jsonwebtoken::encode(&told, claims, &self.key).unwrap()
    }

    /// `Agid-JWT-Signature` of a body; `change` overrules its claims.
    pub(super) fn signature(&self, body: &str, change: &Value) -> String {
        self.jws("JWT", &json!({}), &self.signed_claims(body, change))
    }

    pub(super) fn signed_claims(&self, body: &str, change: &Value) -> Value {
        let now = rows::now().as_second();
        let claims = json!({
            "iss": self.client_id, "sub": self.client_id, "aud": AUDIENCE, "jti": unique(),
            "iat": now, "nbf": now, "exp": now + 60,
            "signed_headers": [{ "digest": digest_of(body) }, { "content-type": "application/json" }],
        });
        overruled(claims, change)
    }
}

/// `Digest` of a body.
pub(super) fn digest_of(body: &str) -> String {
    format!("SHA-256={}", STANDARD.encode(digest(&SHA256, body.as_bytes())))
}

/// A request with this body and this signature.
pub(super) fn signed(client: &Client, path: &str, body: &str, signature: &str) -> Call {
    let call = client.call(Method::POST, path).header("Content-Type", "application/json").body(body);
    call.header("Digest", digest_of(body)).header("Agid-JWT-Signature", signature)
}

/// A name that nothing else has.
pub(super) fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{}-{}", rows::now().as_microsecond(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn overruled(mut claims: Value, change: &Value) -> Value {
    let members = claims.as_object_mut().unwrap();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

#[derive(Default)]
struct State {
    /// What is answered at a path; anything else is 404.
    documents: BTreeMap<String, String>,
    /// The paths below `/keys` that were asked for, in order.
    asked: Vec<String>,
    is_away: bool,
}

/// PDND.
pub(super) struct Interop {
    url: String,
    state: Arc<Mutex<State>>,
    token_file: NamedTempFile,
    /// What vouchers are signed with.
    pub(super) issuer: Party,
}

impl Interop {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Party::rs256("", "interop-1");
        let jwks = json!({ "keys": [issuer.jwk()] }).to_string();
        let documents = [("/.well-known/jwks.json".to_owned(), jwks)].into();
        let state = Arc::new(Mutex::new(State { documents, ..State::default() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&shared);
                thread::spawn(move || answer(&stream.unwrap(), &state));
            }
        });
        let token_file = NamedTempFile::new().unwrap();
        fs::write(token_file.path(), format!("{API_TOKEN}\n")).unwrap();
        Self { url, state, token_file, issuer }
    }

    /// A server that trusts it, and the same issuer for staff.
    pub(super) fn server(&self, backend: Backend) -> Server {
        let url = &self.url;
        Server::start(backend, |setup| {
            for (name, issuer, audience) in
                [("pdnd", url.clone(), None), ("staff", format!("{url}/staff"), Some("{tenant}"))]
            {
                let mut provider = toml::Table::new();
                provider.insert("name".to_owned(), name.into());
                provider.insert("kind".to_owned(), name.into());
                provider.insert("issuer".to_owned(), issuer.into());
                provider.insert("jwks_url".to_owned(), format!("{url}/.well-known/jwks.json").into());
                provider.extend(audience.map(|audience| ("audience".to_owned(), audience.into())));
                setup.push("identity.providers", provider);
            }
            setup.set("identity.pdnd_keys_url", format!("{url}/v2/"));
            setup.set("identity.pdnd_keys_token_file", self.token_file.path().display().to_string());
        })
    }

    /// A token of somebody of the staff.
    pub(super) fn staff(&self, audience: &str, subject: &str) -> String {
        let now = rows::now().as_second();
        let issuer = format!("{}/staff", self.url);
        let claims = json!({ "iss": issuer, "sub": subject, "aud": audience, "iat": now, "exp": now + 3600 });
        self.issuer.jws("at+jwt", &json!({}), &claims)
    }

    /// A voucher of the registered client; `change` overrules its claims.
    pub(super) fn voucher(&self, change: &Value) -> String {
        self.issuer.jws("at+jwt", &json!({}), &self.claims(change))
    }

    pub(super) fn claims(&self, change: &Value) -> Value {
        let now = rows::now().as_second();
        let claims = json!({
            "iss": self.url, "sub": CLIENT, "aud": AUDIENCE, "client_id": CLIENT, "purposeId": PURPOSE,
            "jti": unique(), "iat": now, "nbf": now, "exp": now + 600,
        });
        overruled(claims, change)
    }

    /// Has the key of somebody, as the second version of the API tells it.
    pub(super) fn publish(&self, party: &Party) {
        self.answer(&party.kid, &json!({ "clientId": party.client_id, "jwk": party.jwk() }));
    }

    /// What is answered when this key is asked for.
    pub(super) fn answer(&self, kid: &str, document: &Value) {
        self.state.lock().unwrap().documents.insert(format!("/v2/keys/{kid}"), document.to_string());
    }

    /// Whether it has no keys to give.
    pub(super) fn be_away(&self, is_away: bool) {
        self.state.lock().unwrap().is_away = is_away;
    }

    /// Which keys were asked for.
    pub(super) fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }
}

/// One request, one answer.
fn answer(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    let (mut path, mut token) = (String::new(), None);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.split(' ').next().unwrap_or_default().to_owned();
        } else if line.to_lowercase().starts_with("authorization: bearer ") {
            token = line.get("authorization: bearer ".len()..).map(str::to_owned);
        }
    }
    let mut state = state.lock().unwrap();
    let is_key = path != "/.well-known/jwks.json";
    if is_key {
        state.asked.push(path.clone());
    }
    let (status, body) = match state.documents.get(&path) {
        _ if is_key && state.is_away => (503, String::new()),
        _ if is_key && token.as_deref() != Some(API_TOKEN) => (401, String::new()),
        Some(document) => (200, document.clone()),
        None => (404, String::new()),
    };
    drop(state);
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let mut stream = stream;
    // Whoever asked may have gone.
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())));
}
