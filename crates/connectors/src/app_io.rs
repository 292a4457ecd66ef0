//! App IO (articolo 64-bis CAD): whether somebody can be written to there, and messages to them.
//!
//! https, or http to this machine for tests. Redirects are not followed, an answer ends at 64 KiB, connecting may take
//! 3 seconds and the whole exchange 10. See [`jwks`](crate::jwks) for whose certificates are trusted.

use std::time::Duration;

use futures_util::future::BoxFuture;
use kernel::{Lang, TaxCode};
use platform::ports::{IoDenied, IoMessage, IoMessages, IoProfile};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, header};
use serde_json::{Map, Value, json};

use crate::outgoing::{self, TimeOuts, Unread};

/// The largest answer read, in bytes.
const MAX_BYTES: usize = 64 * 1024;

const TIME_OUTS: TimeOuts = TimeOuts { connect: Duration::from_secs(3), total: Duration::from_secs(10) };

/// Speaks with App IO.
#[derive(Debug)]
pub struct AppIo {
    client: Client,
    base: Url,
}

/// Why App IO cannot be spoken with.
#[derive(Debug, thiserror::Error)]
pub enum AppIoError {
    /// The address is not one that personal data may go to.
    #[error("the address must be https, or http on this machine")]
    Address,
    /// The client cannot be made.
    #[error("the client cannot be made: {0}")]
    Client(#[from] reqwest::Error),
}

impl AppIo {
    /// A connector to the service at this address, `https://api.io.pagopa.it/api/v1`.
    ///
    /// # Errors
    ///
    /// An address that personal data may not go to, or a client that cannot be made.
    pub fn new(base: &str) -> Result<Self, AppIoError> {
        crate::install_crypto_provider();
        let base = Url::parse(&format!("{}/", base.trim_end_matches('/'))).map_err(|_no_url| AppIoError::Address)?;
        let secure = base.scheme() == "https";
        let on_this_machine = base.scheme() == "http" && crate::jwks::is_loopback(&base);
        if !(secure || on_this_machine) {
            return Err(AppIoError::Address);
        }
        let mut builder = outgoing::client(TIME_OUTS).https_only(secure);
        if !secure {
            builder = builder.no_proxy().tls_certs_only([]);
        }
        Ok(Self { client: builder.build()?, base })
    }

    fn request(&self, method: Method, segments: &[&str], key: &str) -> Result<RequestBuilder, IoDenied> {
        let mut url = self.base.clone();
        let opaque = |()| temporary("app-io-address", None);
        url.path_segments_mut().map_err(opaque)?.pop_if_empty().extend(segments);
        let mut key = header::HeaderValue::from_str(key).map_err(|_not_a_header| IoDenied::Key(0))?;
        key.set_sensitive(true);
        Ok(self.client.request(method, url).header("Ocp-Apim-Subscription-Key", key))
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<(StatusCode, Value), IoDenied> {
        // The address of an answer about a message holds a codice fiscale: no error of the client is told further.
        let failed = |error: reqwest::Error| {
            temporary(if error.is_timeout() { "app-io-timeout" } else { "app-io-unreachable" }, None)
        };
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Err(temporary(&format!("app-io-{}", status.as_u16()), retry_after(&answer)));
        }
        let body = outgoing::read(&mut answer, MAX_BYTES).await.map_err(|unread| match unread {
            Unread::Broken(error) => failed(error),
            Unread::TooLong => temporary("app-io-too-long", None),
        })?;
        match status {
            StatusCode::OK | StatusCode::CREATED => serde_json::from_slice(&body)
                .map(|body| (status, body))
                .map_err(|_no_json| temporary("app-io-answer", None)),
            StatusCode::NOT_FOUND => Ok((status, Value::Null)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(IoDenied::Key(status.as_u16())),
            other => Err(IoDenied::Refused(other.as_u16())),
        }
    }

    async fn ask_profile(&self, key: &str, tax_code: &TaxCode) -> Result<Option<IoProfile>, IoDenied> {
        let request =
            self.request(Method::POST, &["profiles"], key)?.json(&json!({ "fiscal_code": tax_code.as_str() }));
        let (status, body) = self.exchange(request).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let languages = body.get("preferred_languages").and_then(Value::as_array).into_iter().flatten();
        Ok(Some(IoProfile {
            sender_allowed: body.get("sender_allowed").and_then(Value::as_bool).unwrap_or(false),
            languages: languages.filter_map(|tag| tag.as_str().and_then(language)).collect(),
        }))
    }

    async fn send_message(&self, key: &str, message: &IoMessage) -> Result<String, IoDenied> {
        let mut content = Map::from_iter([
            ("subject".to_owned(), message.subject.clone().into()),
            ("markdown".to_owned(), message.markdown.clone().into()),
        ]);
        if let Some(due) = message.due_at {
            content.insert("due_date".to_owned(), due.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string().into());
        }
        let body = json!({ "fiscal_code": message.tax_code.as_str(), "content": content });
        let (status, answer) = self.exchange(self.request(Method::POST, &["messages"], key)?.json(&body)).await?;
        match answer.get("id").and_then(Value::as_str) {
            Some(id) => Ok(id.to_owned()),
            None if status == StatusCode::NOT_FOUND => Err(IoDenied::Refused(404)),
            None => Err(temporary("app-io-answer", None)),
        }
    }
}

impl IoMessages for AppIo {
    fn profile<'a>(
        &'a self,
        key: &'a str,
        tax_code: &'a TaxCode,
    ) -> BoxFuture<'a, Result<Option<IoProfile>, IoDenied>> {
        Box::pin(self.ask_profile(key, tax_code))
    }

    fn send<'a>(&'a self, key: &'a str, message: &'a IoMessage) -> BoxFuture<'a, Result<String, IoDenied>> {
        Box::pin(self.send_message(key, message))
    }
}

fn temporary(reason: &str, retry_after: Option<Duration>) -> IoDenied {
    IoDenied::Temporary { reason: reason.to_owned(), retry_after }
}

/// In seconds; a date is not waited for.
fn retry_after(answer: &Response) -> Option<Duration> {
    let value = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// `it_IT`, `en_GB`, `de_DE`; App IO knows more than we write.
fn language(tag: &str) -> Option<Lang> {
    match tag.split(['_', '-']).next()? {
        "it" => Some(Lang::It),
        "en" => Some(Lang::En),
        "de" => Some(Lang::De),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_go_over_https_or_stay_here() {
        for good in ["https://api.io.pagopa.it/api/v1", "http://127.0.0.1:3000", "http://localhost/api/v1/"] {
            assert!(AppIo::new(good).is_ok(), "{good}");
        }
        for bad in ["http://api.io.pagopa.it/api/v1", "ftp://localhost", "api.io.pagopa.it", ""] {
            assert!(matches!(AppIo::new(bad), Err(AppIoError::Address)), "{bad}");
        }
    }

    #[test]
    fn languages_that_are_ours_are_understood() {
        let told = ["it_IT", "en-GB", "de", "fr_FR", ""].map(language);
        assert_eq!(told, [Some(Lang::It), Some(Lang::En), Some(Lang::De), None, None]);
    }
}
