//! Systems that speak the JSON contract of this platform (docs/integrators/protocol-http.md).

use std::time::Duration;

use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::{Timestamp, civil::Date};
use kernel::civil;
use platform::directory::OfficeId;
use protocol::{
    entries::{Direction, DocumentRef, EntryChannel, Party},
    ports::{Capability, ProtocolConnector, ProtocolError, Receipt, Submission, Target},
};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header};
use serde::{Deserialize, Serialize, Serializer};

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

    async fn post(&self, target: &Target, what: Submission) -> Result<Receipt, ProtocolError> {
        let request = self.request(Method::POST, target, &["registrations"])?;
        let request = request.header("Idempotency-Key", &what.key).header(header::CONTENT_TYPE, "application/json");
        let body = written(&what)?;
        drop(what);
        let request = request.body(body);
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
        &[Capability::Register, Capability::Lookup, Capability::Idempotency, Capability::Contents]
    }

    fn register<'a>(&'a self, target: &'a Target, what: Submission) -> BoxFuture<'a, Result<Receipt, ProtocolError>> {
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
#[derive(Serialize)]
struct Written<'a> {
    key: &'a str,
    ipa_code: &'a str,
    aoo_code: &'a str,
    direction: Direction,
    subject: &'a str,
    classification: Option<&'a str>,
    channel: EntryChannel,
    confidential: bool,
    sender_reference: Option<&'a str>,
    received_on: Option<Date>,
    office: Office<'a>,
    local_registration: Local<'a>,
    recovers: Option<Local<'a>>,
    parties: &'a [Party],
    documents: Vec<File<'a>>,
}

#[derive(Serialize)]
struct Office<'a> {
    id: OfficeId,
    denomination: &'a str,
}

#[derive(Serialize)]
struct Local<'a> {
    register_code: &'a str,
    number: i64,
    year: i64,
    registered_at: String,
}

#[derive(Serialize)]
struct File<'a> {
    file_name: &'a str,
    media_type: &'a str,
    sha256: &'a str,
    size_bytes: i64,
    content: Option<Encoded<'a>>,
}

/// What is in a file, in base64: written straight into what is sent, for files are long.
struct Encoded<'a>(&'a Bytes);

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

/// How long what is sent may be beside the files in it.
const BESIDE: usize = 64 * 1024;

/// What is sent, as JSON.
fn written(what: &Submission) -> Result<Vec<u8>, ProtocolError> {
    let entry = &what.whole.entry;
    let written = Written {
        key: &what.key,
        ipa_code: &entry.ipa_code,
        aoo_code: &entry.aoo_code,
        direction: entry.direction,
        subject: &entry.subject,
        classification: entry.classification.as_deref(),
        channel: entry.channel,
        confidential: entry.confidential,
        sender_reference: entry.sender_reference.as_deref(),
        received_on: entry.received_on,
        office: Office { id: entry.office_id, denomination: &what.office },
        local_registration: Local {
            register_code: &entry.register_code,
            number: entry.number,
            year: entry.year,
            registered_at: civil::format_rfc3339(entry.registered_at),
        },
        recovers: what.first.as_ref().map(|first| Local {
            register_code: &first.register_code,
            number: first.number,
            year: first.year,
            registered_at: civil::format_rfc3339(first.registered_at),
        }),
        parties: &what.whole.parties,
        documents: entry.documents.0.iter().map(|file| document(what, file)).collect(),
    };
    let files: usize = what.contents.values().map(Bytes::len).sum();
    let mut body = Vec::with_capacity(files.div_ceil(3).saturating_mul(4).saturating_add(BESIDE));
    serde_json::to_writer(&mut body, &written).map_err(|_unwritable| ProtocolError::Permanent("unwritable"))?;
    Ok(body)
}

fn document<'a>(what: &'a Submission, file: &'a DocumentRef) -> File<'a> {
    let DocumentRef { file_name, media_type, sha256, size_bytes, document_id: _ } = file;
    File { file_name, media_type, sha256, size_bytes: *size_bytes, content: what.content(file).map(Encoded) }
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
