//! What a test says to the server, and what it demands of the answer.
//!
//! ```ignore
//! let booked = citizen.post("/appointments", json!({…})).fresh_key().await.expect(201);
//! citizen.get("/slots").query("date", "soon").await.problem(422, "invalid-query").field("?date");
//! ```

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::{
        Once,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap},
};
use serde_json::Value;

/// Longer than anything the server may take on a busy machine; a test that waits for it has failed.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Shorter than the server keeps an idle connection, by more than a busy machine is late: otherwise it may
/// close the one on which a request is being sent.
const IDLE: Duration = Duration::from_secs(30);

/// A caller: where it calls, and as whom.
///
/// Belongs to the test (the async runtime) it was made in; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    /// An anonymous caller; paths are appended to `base`.
    pub fn new(base: impl Into<String>) -> Self {
        static TLS: Once = Once::new();
        TLS.call_once(|| {
            // reqwest is built without a choice of its own; somebody else's choice will do as well.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        });
        Self { http: http_client(), base: base.into(), token: None }
    }

    /// The same caller under another base, such as another Comune's.
    #[must_use]
    pub fn at(&self, base: impl Into<String>) -> Self {
        Self { base: base.into(), ..self.clone() }
    }

    /// The same base, called with this bearer token or API key.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// The same base, called by nobody in particular.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// `GET path`.
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// `DELETE path`.
    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// `POST path` with a JSON body.
    pub fn post(&self, path: &str, body: impl Into<Value>) -> Call {
        self.call(Method::POST, path).json(&body.into())
    }

    /// `PUT path` with a JSON body.
    pub fn put(&self, path: &str, body: impl Into<Value>) -> Call {
        self.call(Method::PUT, path).json(&body.into())
    }

    /// `PATCH path` with a merge patch (RFC 7396).
    pub fn patch(&self, path: &str, body: impl Into<Value>) -> Call {
        self.call(Method::PATCH, path).merge_patch(&body.into())
    }

    /// Any other request.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let line = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        Call { request, line }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one client of the harness; it only ever calls the server under test"
)]
fn http_client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        .pool_idle_timeout(IDLE)
        .redirect(reqwest::redirect::Policy::none())
        // It speaks no TLS, and there are hundreds of clients: each would read the machine's certificates.
        .tls_certs_only([])
        .build()
        .expect("an HTTP client")
}

/// A request being put together; `.await` sends it.
#[derive(Debug)]
#[must_use = "a call is made by awaiting it"]
pub struct Call {
    request: reqwest::RequestBuilder,
    line: String,
}

impl Call {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.request = self.request.header(name, value.as_ref());
        self
    }

    /// Adds a query parameter.
    #[expect(clippy::needless_pass_by_value, reason = "what is passed is a word or a number, not worth an ampersand")]
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.request = self.request.query(&[(name, value.to_string())]);
        self
    }

    /// Makes `body` the JSON body.
    pub fn json(mut self, body: &Value) -> Self {
        self.request = self.request.json(body);
        self
    }

    /// Makes `body` the body, as a merge patch (RFC 7396).
    pub fn merge_patch(self, body: &Value) -> Self {
        self.header(CONTENT_TYPE.as_str(), "application/merge-patch+json").body(body.to_string())
    }

    /// Makes `body` the body, whatever it is.
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.request = self.request.body(body.into());
        self
    }

    /// Makes these bytes the body.
    pub fn raw(mut self, body: impl Into<reqwest::Body>) -> Self {
        self.request = self.request.body(body);
        self
    }

    /// Sends this `Idempotency-Key`.
    pub fn key(self, key: impl AsRef<str>) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// Sends an `Idempotency-Key` that no other call of this process has sent.
    pub fn fresh_key(self) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.key(format!("test-request-{}-{number}", std::process::id()))
    }

    /// Sends `If-Match`.
    pub fn if_match(self, etag: impl AsRef<str>) -> Self {
        self.header("If-Match", etag)
    }

    /// Sends it, and leaves the body to be read while it comes.
    ///
    /// # Panics
    /// When no answer came back.
    pub async fn stream(self) -> reqwest::Response {
        self.request.send().await.unwrap_or_else(|e| panic!("{}: no answer: {e:?}", self.line))
    }

    /// Sends it: status, headers, and the body as it came, which need be no text.
    ///
    /// # Panics
    /// When no whole answer came back.
    pub async fn bytes(self) -> (u16, HeaderMap, Vec<u8>) {
        let line = self.line;
        let response = self.request.send().await.unwrap_or_else(|e| panic!("{line}: no answer: {e:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.unwrap_or_else(|e| panic!("{line}: no whole answer: {e:?}"));
        (status, headers, body.to_vec())
    }

    /// Sends it to a server that may be gone or go while answering.
    ///
    /// # Errors
    /// When no whole answer came back.
    pub async fn attempt(self) -> reqwest::Result<Answer> {
        let response = self.request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { line: self.line, status, headers, body, text })
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async {
            let line = self.line.clone();
            self.attempt().await.unwrap_or_else(|e| panic!("{line}: no answer: {e:?}"))
        })
    }
}

/// An answer. The methods that demand something return it, so that demands can be strung together.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Method and path it answers.
    pub line: String,
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, or `null` when it is not JSON.
    pub body: Value,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// Demands this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// Demands this refusal, told as RFC 9457 and the house want it.
    #[track_caller]
    pub fn problem(self, status: u16, slug: &str) -> Self {
        assert_eq!(self.status, status, "{self}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self}");
        assert_eq!(self.body["type"], format!("/problems/{slug}"), "{self}");
        assert_eq!(self.body["status"], status, "{self}");
        assert!(self.body["title"].as_str().is_some_and(|title| !title.is_empty()), "no title: {self}");
        assert!(self.header("request-id").is_some(), "no Request-Id: {self}");
        if let Some(errors) = self.body.get("errors") {
            for error in errors.as_array().unwrap_or_else(|| panic!("errors is no list: {self}")) {
                for member in ["pointer", "code", "detail"] {
                    assert!(error[member].is_string(), "an error without {member}: {self}");
                }
            }
        }
        self
    }

    /// Demands that this refusal names the field at fault: a JSON pointer, or `?name` for a query parameter.
    #[track_caller]
    pub fn field(self, pointer: &str) -> Self {
        let named = self.body["errors"].as_array().is_some_and(|errors| errors.iter().any(|e| e["pointer"] == pointer));
        assert!(named, "no error names {pointer}: {self}");
        self
    }

    /// A header, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The `ETag`.
    #[track_caller]
    pub fn etag(&self) -> String {
        self.header("etag").unwrap_or_else(|| panic!("no ETag: {self}")).to_owned()
    }

    /// What the body holds at a JSON pointer.
    #[track_caller]
    pub fn at(&self, pointer: &str) -> &Value {
        self.body.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}: {self}"))
    }

    /// The text that the body holds at a JSON pointer.
    #[track_caller]
    pub fn text_at(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_else(|| panic!("no text at {pointer}: {self}"))
    }

    /// The `items` of a list.
    #[track_caller]
    pub fn items(&self) -> &[Value] {
        self.at("/items").as_array().unwrap_or_else(|| panic!("items is no list: {self}"))
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown: String = self.text.chars().take(2_000).collect();
        write!(f, "{} answered {} {shown}", self.line, self.status)
    }
}
