//! Systems that speak the JSON contract of this platform (docs/integrators/protocol-http.md).

use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use kernel::civil;
use protocol::ports::{Capability, ProtocolConnector, ProtocolError, Receipt, Submission, Target};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Clients, body, failure, line};

/// Speaks JSON.
#[derive(Debug)]
pub struct HttpJson(Clients);

/// What the system answers; members that are not named here are nothing to us.
#[derive(Deserialize)]
struct Registered {
    number: String,
    year: i64,
    registered_at: Option<String>,
    register: Option<String>,
    reference: Option<String>,
}

impl HttpJson {
    /// A connector that waits so long for an answer, connecting included.
    ///
    /// # Errors
    ///
    /// The HTTP client could not be set up.
    pub fn new(time_out: Duration) -> Result<Self, reqwest::Error> {
        Clients::new(time_out).map(Self)
    }

    fn request(&self, method: Method, target: &Target, segments: &[&str]) -> Result<RequestBuilder, ProtocolError> {
        let address = |()| ProtocolError::Permanent("address");
        let mut url = Url::parse(&target.base_url).map_err(|_malformed| address(()))?;
        url.path_segments_mut().map_err(address)?.pop_if_empty().extend(segments);
        let credential = target.credential.as_deref().unwrap_or_default();
        let mut bearer = header::HeaderValue::from_str(&format!("Bearer {credential}"))
            .map_err(|_not_a_header| ProtocolError::Permanent("credential"))?;
        bearer.set_sensitive(true);
        let request = self.0.of(target).request(method, url);
        Ok(request.header(header::AUTHORIZATION, bearer).header(header::ACCEPT, "application/json"))
    }

    async fn post(&self, target: &Target, what: &Submission) -> Result<Receipt, ProtocolError> {
        let request = self.request(Method::POST, target, &["registrations"])?;
        let request = request.header("Idempotency-Key", &what.key).json(&written(what));
        let mut answer = request.send().await.map_err(|error| failure(&error))?;
        match answer.status() {
            StatusCode::OK | StatusCode::CREATED => receipt(&mut answer).await,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ProtocolError::Retryable("not-let-in")),
            StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Err(ProtocolError::Retryable("busy"))
            }
            StatusCode::REQUEST_TIMEOUT => Err(ProtocolError::UnknownOutcome("timed-out")),
            status if status.is_client_error() || status.is_redirection() => Err(ProtocolError::Permanent("refused")),
            _ => Err(ProtocolError::UnknownOutcome("server-error")),
        }
    }

    async fn look_up(&self, target: &Target, key: &str) -> Result<Option<Receipt>, ProtocolError> {
        let request = self.request(Method::GET, target, &["registrations", key])?;
        let mut answer = request.send().await.map_err(|error| failure(&error))?;
        match answer.status() {
            StatusCode::OK => receipt(&mut answer).await.map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(ProtocolError::Retryable("no-look-up")),
        }
    }
}

impl ProtocolConnector for HttpJson {
    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Register, Capability::Lookup, Capability::Idempotency]
    }

    fn register<'a>(
        &'a self,
        target: &'a Target,
        what: &'a Submission,
    ) -> BoxFuture<'a, Result<Receipt, ProtocolError>> {
        Box::pin(self.post(target, what))
    }

    fn find_by_key<'a>(
        &'a self,
        target: &'a Target,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Receipt>, ProtocolError>> {
        Box::pin(self.look_up(target, key))
    }
}

/// What is sent.
fn written(what: &Submission) -> Value {
    let entry = &what.whole.entry;
    json!({
        "key": what.key,
        "ipa_code": entry.ipa_code,
        "aoo_code": entry.aoo_code,
        "direction": entry.direction,
        "subject": entry.subject,
        "classification": entry.classification,
        "channel": entry.channel,
        "confidential": entry.confidential,
        "sender_reference": entry.sender_reference,
        "received_on": entry.received_on,
        "office": { "id": entry.office_id, "denomination": what.office },
        "local_registration": {
            "register_code": entry.register_code,
            "number": entry.number,
            "year": entry.year,
            "registered_at": civil::format_rfc3339(entry.registered_at),
        },
        "parties": what.whole.parties,
        "documents": entry.documents.0,
    })
}

async fn receipt(answer: &mut Response) -> Result<Receipt, ProtocolError> {
    let unreadable = ProtocolError::UnknownOutcome("unreadable");
    let bytes = body(answer).await?;
    let Ok(told) = serde_json::from_slice::<Registered>(&bytes) else { return Err(unreadable) };
    let number = line(&told.number, 50);
    let Some(number) = number.filter(|_| (1900..=2200).contains(&told.year)) else { return Err(unreadable) };
    Ok(Receipt {
        register: told.register.as_deref().and_then(|text| line(text, 50)),
        number,
        year: told.year,
        registered_at: told.registered_at.and_then(|text| text.parse::<Timestamp>().ok()),
        reference: told.reference.as_deref().and_then(|text| line(text, 200)),
    })
}
