//! Public keys of identity providers, over HTTP.
//!
//! # Trust
//! TLS is rustls with AWS-LC; certificates are checked by rustls-platform-verifier. On Linux it means rustls' own path
//! building over the system's root certificates, which are read as files when the connector is made: the usual places
//! (`/etc/ssl/certs`, `/etc/pki/tls` …), or `SSL_CERT_FILE` and `SSL_CERT_DIR` if they are set, which is also the way to
//! trust the private authority of a public body. No OpenSSL library or command is needed. On macOS and Windows the
//! operating system decides. A system without any root certificate (a container built from nothing) can still be
//! served from, but every https fetch fails and says why.
//!
//! `HTTPS_PROXY` and `NO_PROXY` are honoured for https; connections to the own machine never use a proxy.

use std::{
    fs,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use futures_util::future::BoxFuture;
use platform::ports::{KeySource, KeySourceError};
use reqwest::{Client, ClientBuilder, StatusCode, Url};

use crate::outgoing::{self, TimeOuts, Unread, chain, is_this_machine};

/// The largest document read, in bytes: some sixty RSA keys with their certificates.
const MAX_BYTES: usize = 256 * 1024;

const TIME_OUTS: TimeOuts = TimeOuts { connect: Duration::from_secs(3), total: Duration::from_secs(5) };

/// Fetches key documents over https, or over http from this machine alone: whoever can change them on the way can sign
/// anybody in.
///
/// Redirects are not followed (they would lead to an address that nobody configured), only status 200 is an answer,
/// and a document ends at 256 KiB. Connecting may take 3 seconds, the whole exchange 5.
#[derive(Debug)]
pub struct HttpKeySource {
    /// The text says why there is no client.
    https: Result<Client, String>,
    loopback: Client,
    token_file: Option<PathBuf>,
}

impl HttpKeySource {
    /// A connector with the root certificates that the system has now. Installs the process's cryptography if
    /// [`install_crypto_provider`](crate::install_crypto_provider) was not called yet.
    ///
    /// # Errors
    ///
    /// The HTTP client could not be set up. Missing root certificates are not an error here but one of every https
    /// fetch, so that a deployment that needs none works without them.
    pub fn new() -> Result<Self, reqwest::Error> {
        Self::with_time_outs(TIME_OUTS)
    }

    fn with_time_outs(time_outs: TimeOuts) -> Result<Self, reqwest::Error> {
        crate::install_crypto_provider();
        let https = client(time_outs).https_only(true).build().map_err(|error| {
            let text = chain(&error);
            tracing::warn!(error = text, "no https connections to identity providers can be made");
            text
        });
        // Whatever the resolver says, this name is this machine (RFC 6761 §6.3); port 0 stands for the URL's.
        let this_machine = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
        let loopback =
            client(time_outs).no_proxy().tls_certs_only([]).resolve_to_addrs("localhost", &this_machine).build()?;
        Ok(Self { https, loopback, token_file: None })
    }

    /// The same, with a bearer token from this file. It is read anew with every call: such tokens are renewed by others.
    #[must_use]
    pub fn with_token_file(self, token_file: Option<PathBuf>) -> Self {
        Self { token_file, ..self }
    }

    /// Whether keys may come from this address, for settings to be refused before the first token arrives.
    ///
    /// # Errors
    ///
    /// [`KeySourceError::Address`] if it is no URL, or neither https nor http to a loopback host.
    pub fn check_address(url: &str) -> Result<(), KeySourceError> {
        Route::of(url).map(|_| ())
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, KeySourceError> {
        let (client, url) = match Route::of(url)? {
            Route::Https(url) => match &self.https {
                Ok(client) => (client, url),
                Err(reason) => return Err(KeySourceError::Unreachable(reason.clone())),
            },
            Route::Loopback(url) => (&self.loopback, url),
        };
        let mut request = client.get(url).header("accept", "application/jwk-set+json, application/json");
        if let Some(path) = &self.token_file {
            let token = fs::read_to_string(path).map_err(|error| KeySourceError::Token(error.to_string()))?;
            request = request.bearer_auth(token.trim());
        }
        let mut answer = request.send().await.map_err(failure)?;
        if answer.status() != StatusCode::OK {
            return Err(KeySourceError::Status(answer.status().as_u16()));
        }
        outgoing::read(&mut answer, MAX_BYTES).await.map_err(|unread| match unread {
            Unread::Broken(error) => failure(error),
            Unread::TooLong => KeySourceError::TooLarge { limit: MAX_BYTES },
        })
    }
}

impl KeySource for HttpKeySource {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Vec<u8>, KeySourceError>> {
        Box::pin(self.get(url))
    }
}

enum Route {
    Https(Url),
    Loopback(Url),
}

impl Route {
    fn of(url: &str) -> Result<Self, KeySourceError> {
        let url = Url::parse(url).ok().ok_or(KeySourceError::Address("it is not a URL"))?;
        match url.scheme() {
            "https" => Ok(Self::Https(url)),
            "http" if is_loopback(&url) => Ok(Self::Loopback(url)),
            "http" => Err(KeySourceError::Address("without TLS only this machine may be asked")),
            _ => Err(KeySourceError::Address("it is neither https nor http")),
        }
    }
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    // Url has put every spelling of an IPv4 address into the usual one and names into lower case.
    let host = url.host_str().unwrap_or_default();
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    is_this_machine(literal)
}

fn client(time_outs: TimeOuts) -> ClientBuilder {
    // Calls are minutes apart and come from several runtimes: no connection is worth keeping.
    outgoing::client(time_outs).pool_max_idle_per_host(0)
}

fn failure(error: reqwest::Error) -> KeySourceError {
    if error.is_timeout() {
        return KeySourceError::TimedOut;
    }
    // The URL is a setting and may carry a password.
    KeySourceError::Unreachable(chain(&error.without_url()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::outgoing::answering::Server;

    const DOCUMENT: &str = r#"{"keys":[]}"#;

    fn url_of(server: &Server) -> String {
        format!("http://{}/jwks", server.address)
    }

    fn ok(body: &str) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    async fn fetch(url: &str) -> Result<String, KeySourceError> {
        let time_outs = TimeOuts { total: Duration::from_secs(2), ..TIME_OUTS };
        let source = HttpKeySource::with_time_outs(time_outs).unwrap();
        source.fetch(url).await.map(|document| String::from_utf8(document).unwrap())
    }

    #[tokio::test]
    async fn a_document_arrives_as_it_was_sent() {
        let server = Server::answering(ok(DOCUMENT)).await;
        assert_eq!(fetch(&url_of(&server)).await.as_deref(), Ok(DOCUMENT));
        let by_name = format!("http://localhost:{}/jwks", server.address.port());
        assert_eq!(fetch(&by_name).await.as_deref(), Ok(DOCUMENT));
    }

    #[tokio::test]
    async fn a_token_is_read_anew_with_every_call() {
        let file = std::env::temp_dir().join(format!("sportello-token-{}", std::process::id()));
        let source = HttpKeySource::new().unwrap().with_token_file(Some(file.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys/k", listener.local_addr().unwrap());
        assert!(matches!(source.fetch(&url).await, Err(KeySourceError::Token(_))), "not there yet");
        for token in ["first", "second"] {
            fs::write(&file, format!("{token}\n")).unwrap();
            let asked = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap();
                stream.write_all(&ok(DOCUMENT)).await.unwrap();
                String::from_utf8_lossy(&request[..read]).to_lowercase()
            };
            let (document, request) = tokio::join!(source.fetch(&url), asked);
            assert_eq!(document.as_deref(), Ok(DOCUMENT.as_bytes()));
            assert!(request.contains(&format!("authorization: bearer {token}\r\n")), "{request}");
        }
        fs::remove_file(&file).unwrap();
    }

    #[tokio::test]
    async fn only_200_is_an_answer() {
        for status in [201, 204, 304, 404, 500, 503] {
            let server = Server::answering(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").into()).await;
            assert_eq!(fetch(&url_of(&server)).await, Err(KeySourceError::Status(status)));
        }
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let target = Server::answering(ok(DOCUMENT)).await;
        for status in [301, 302, 307, 308] {
            let answer = format!("HTTP/1.1 {status} X\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", url_of(&target));
            let server = Server::answering(answer.into()).await;
            assert_eq!(fetch(&url_of(&server)).await, Err(KeySourceError::Status(status)));
        }
        assert_eq!(target.connections.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn size_is_limited_announced_or_not() {
        let largest = " ".repeat(MAX_BYTES);
        let server = Server::answering(ok(&largest)).await;
        assert_eq!(fetch(&url_of(&server)).await.map(|document| document.len()), Ok(MAX_BYTES));

        let too_large = Err(KeySourceError::TooLarge { limit: MAX_BYTES });
        let server = Server::answering(ok(&" ".repeat(MAX_BYTES + 1))).await;
        assert_eq!(fetch(&url_of(&server)).await, too_large);
        let server = Server::answering(format!("HTTP/1.1 200 OK\r\n\r\n {largest}").into()).await;
        assert_eq!(fetch(&url_of(&server)).await, too_large, "a body that ends with the connection");
        let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40001\r\n {largest}\r\n0\r\n\r\n");
        let server = Server::answering(chunked.into()).await;
        assert_eq!(fetch(&url_of(&server)).await, too_large);
    }

    #[tokio::test]
    async fn time_is_limited() {
        let silent = Server::answering(Vec::new()).await;
        assert_eq!(fetch(&url_of(&silent)).await, Err(KeySourceError::TimedOut));
    }

    #[tokio::test]
    async fn broken_connections_say_what_is_wrong_but_not_where() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let Err(KeySourceError::Unreachable(text)) = fetch(&format!("http://user:secret@{closed}/")).await else {
            panic!("nobody listens there");
        };
        assert!(text.to_lowercase().contains("refused") && !text.contains("secret"), "{text}");

        let server = Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec()).await;
        assert!(matches!(fetch(&url_of(&server)).await, Err(KeySourceError::Unreachable(_))), "cut off");

        let no_tls = Server::answering(ok(DOCUMENT)).await;
        let https = format!("https://{}/jwks", no_tls.address);
        assert!(matches!(fetch(&https).await, Err(KeySourceError::Unreachable(_))), "not downgraded");
    }

    #[test]
    fn without_tls_only_this_machine() {
        for url in [
            "https://identity.example/jwks",
            "http://localhost:3000/jwks",
            "http://LOCALHOST/",
            "http://127.0.0.1:3000/",
            "http://127.1/",
            "http://[::1]:3000/",
        ] {
            assert_eq!(HttpKeySource::check_address(url), Ok(()), "{url}");
        }
        for url in [
            "http://identity.example/jwks",
            "http://localhost.identity.example/",
            "http://127.0.0.1.identity.example/",
            "http://localhost@identity.example/",
            "http://0.0.0.0/",
            "http://10.0.0.1/",
            "ftp://localhost/",
            "file:///etc/jwks.json",
            "data:application/json,{}",
            "identity.example/jwks",
            "",
        ] {
            assert!(matches!(HttpKeySource::check_address(url), Err(KeySourceError::Address(_))), "{url}");
        }
    }

    #[tokio::test]
    async fn an_address_that_is_not_allowed_is_not_called() {
        assert!(matches!(fetch("http://192.0.2.1/").await, Err(KeySourceError::Address(_))));
    }
}
