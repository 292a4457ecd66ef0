//! Posting to webhooks.
//!
//! # Where to
//! The address was checked by its text before; what its name resolves to is checked here, each time it is
//! resolved, and what was checked is what is connected to: a name that is resolved twice could answer twice. No proxy
//! is used, since it would resolve the name by itself; redirects are not followed, since nobody has checked where they
//! lead.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
};

use futures_util::future::BoxFuture;
use platform::{
    ports::{WebhookAnswer, WebhookFailure, WebhookMessage, WebhookSender},
    webhooks::addresses,
};
use reqwest::{
    Client, ClientBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
};

use crate::outgoing::{self, TimeOuts, chain};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Posts over https, or over http to hosts that a Comune names as its own.
#[derive(Debug)]
pub struct HttpWebhookSender {
    /// To the internet alone.
    public: Client,
    /// To a private network too.
    own: Client,
}

impl HttpWebhookSender {
    /// A sender that waits so long for an answer, connecting included. Installs the process's cryptography if that was
    /// not done yet.
    ///
    /// # Errors
    ///
    /// The HTTP client could not be set up, as without any root certificates.
    pub fn new(time_out: Duration) -> Result<Self, reqwest::Error> {
        crate::install_crypto_provider();
        let make = |own| guarded(time_out, own).build();
        Ok(Self { public: make(false)?, own: make(true)? })
    }

    async fn send(&self, message: &WebhookMessage) -> Result<WebhookAnswer, WebhookFailure> {
        let client = if message.own { &self.own } else { &self.public };
        let request = client
            .post(&message.url)
            .header("content-type", "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", message.timestamp)
            .header("webhook-signature", &message.signature)
            .body(message.body.clone());
        // What the receiver says beyond the status is nothing to us: it is not read.
        let answer = request.send().await.map_err(failure)?;
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
        Ok(WebhookAnswer { status: answer.status().as_u16(), retry_after: retry_after.map(str::to_owned) })
    }
}

impl WebhookSender for HttpWebhookSender {
    fn post<'a>(&'a self, message: &'a WebhookMessage) -> BoxFuture<'a, Result<WebhookAnswer, WebhookFailure>> {
        Box::pin(self.send(message))
    }
}

/// A client that connects to no address that may not be sent to; `own` lets it into private networks.
pub(crate) fn guarded(time_out: Duration, own: bool) -> ClientBuilder {
    outgoing::client(TimeOuts { connect: CONNECT.min(time_out), total: time_out })
        .dns_resolver(Guarded { own })
        .no_proxy()
        .pool_max_idle_per_host(1)
        .pool_idle_timeout(Duration::from_secs(30))
}

/// Resolves names to addresses that may be connected to.
#[derive(Debug, Clone, Copy)]
struct Guarded {
    own: bool,
}

/// A name that leads where nothing may be sent to.
#[derive(Debug, thiserror::Error)]
#[error("the name leads where nothing may be sent to")]
struct Forbidden;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let own = self.own;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = tokio::task::spawn_blocking(move || (host.as_str(), 0).to_socket_addrs()).await;
            let found: Vec<SocketAddr> = found.map_err(io::Error::other)??.collect();
            // One forbidden address among others is enough: honest names have none.
            if found.iter().any(|address| !addresses::may_connect(address.ip(), own)) {
                return Err(Forbidden.into());
            }
            let addrs: Addrs = Box::new(found.into_iter());
            Ok(addrs)
        })
    }
}

/// Whether a request failed because its name leads where nothing may be sent to.
pub(crate) fn is_forbidden(error: &reqwest::Error) -> bool {
    let whole: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(whole), |error| error.source()).any(<dyn std::error::Error>::is::<Forbidden>)
}

fn failure(error: reqwest::Error) -> WebhookFailure {
    if error.is_timeout() {
        return WebhookFailure::TimedOut;
    }
    if is_forbidden(&error) {
        return WebhookFailure::ForbiddenAddress;
    }
    // The address may hold a token of the receiver's.
    WebhookFailure::Unreachable(chain(&error.without_url()))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::net::TcpListener;

    use super::*;
    use crate::outgoing::answering::Server;

    /// A server on this machine, and how many connections it had.
    async fn server(answer: &str) -> (String, Arc<AtomicUsize>) {
        let Server { address, connections } = Server::answering(answer.into()).await;
        (format!("http://localhost:{}/hook?token=hidden", address.port()), connections)
    }

    fn message(url: &str, own: bool) -> WebhookMessage {
        let (id, signature) = ("id".to_owned(), "v1,x".to_owned());
        WebhookMessage { url: url.to_owned(), own, id, timestamp: 1, signature, body: b"{}".to_vec() }
    }

    async fn post(url: &str, own: bool) -> Result<WebhookAnswer, WebhookFailure> {
        HttpWebhookSender::new(Duration::from_millis(700)).unwrap().post(&message(url, own)).await
    }

    #[tokio::test]
    async fn a_status_and_the_wish_for_patience_are_read() {
        let (url, _) = server("HTTP/1.1 503 X\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n").await;
        let answer = post(&url, true).await.unwrap();
        assert_eq!(answer, WebhookAnswer { status: 503, retry_after: Some("7".to_owned()) });
    }

    #[tokio::test]
    async fn a_name_that_leads_into_a_private_network_is_not_connected_to() {
        let (url, connections) = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(post(&url, false).await, Err(WebhookFailure::ForbiddenAddress));
        assert_eq!(connections.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn redirects_are_answers() {
        let (target, connections) = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        let redirect = format!("HTTP/1.1 307 X\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n");
        let (url, _) = server(&redirect).await;
        assert_eq!(post(&url, true).await.unwrap().status, 307);
        assert_eq!(connections.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn silence_ends_and_nothing_of_the_address_is_told() {
        let (silent, _) = server("").await;
        assert_eq!(post(&silent, true).await, Err(WebhookFailure::TimedOut));
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let Err(WebhookFailure::Unreachable(text)) = post(&format!("http://{closed}/?token=hidden"), true).await else {
            panic!("nobody listens there");
        };
        assert!(!text.contains("hidden"), "{text}");
    }
}
