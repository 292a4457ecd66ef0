//! Traces, on their way to an OpenTelemetry collector over HTTP.

use std::time::Duration;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::Client;
use tokio::runtime::Handle;

use crate::outgoing::{self, TimeOuts, Unread};

/// From the request to the last byte of the answer.
const TIME_OUT: Duration = Duration::from_secs(10);
/// The largest answer read, in bytes; a collector says hardly more than that it has understood.
const MAX_BYTES: usize = 64 * 1024;

/// Sends what the exporter has gathered. The exporter has a thread of its own, without a runtime: the sending is done on
/// the one that this was made on, which must go on running until the last traces are sent.
#[derive(Debug)]
pub struct TraceSender {
    client: Client,
    runtime: Handle,
}

impl TraceSender {
    /// A sender to this address, http or https. Call it on the runtime that is to send.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up, such as for https on a system without root certificates.
    pub fn new(endpoint: &str) -> Result<Self, reqwest::Error> {
        crate::install_crypto_provider();
        let builder = outgoing::client(TimeOuts { connect: Duration::from_secs(3), total: TIME_OUT });
        // Without TLS no root certificates are needed, and none need be there.
        let builder = if endpoint.starts_with("https:") { builder } else { builder.tls_certs_only([]) };
        Ok(Self { client: builder.build()?, runtime: Handle::current() })
    }
}

#[async_trait::async_trait]
impl HttpClient for TraceSender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, request) = (self.client.clone(), reqwest::Request::try_from(request)?);
        let outcome = self.runtime.spawn(async move { send(&client, request).await }).await?;
        // The exporter keeps its failures to itself.
        match &outcome {
            Ok(answer) if !answer.status().is_success() => {
                tracing::warn!(status = answer.status().as_u16(), "the collector refused traces");
            }
            Err(error) => tracing::warn!(error = %error, "traces could not be sent"),
            Ok(_) => {}
        }
        outcome
    }
}

async fn send(client: &Client, request: reqwest::Request) -> Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request).await?;
    let status = answer.status();
    let body = outgoing::read(&mut answer, MAX_BYTES).await.map_err(|unread| match unread {
        Unread::Broken(error) => HttpError::from(error),
        Unread::TooLong => HttpError::from("the collector's answer is too long"),
    })?;
    Ok(Response::builder().status(status).body(Bytes::from(body))?)
}
