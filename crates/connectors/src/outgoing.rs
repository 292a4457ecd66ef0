//! What calls to the outside have in common: limits of time and size, no redirects, errors that say what went wrong.

use std::{error::Error, net::IpAddr, time::Duration};

use reqwest::{Client, ClientBuilder, Response, redirect};

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeOuts {
    pub(crate) connect: Duration,
    /// From the request to the last byte of the answer, connecting included.
    pub(crate) total: Duration,
}

/// An HTTP client with these limits. Redirects are answers: nobody has checked where they lead.
#[expect(clippy::disallowed_methods, reason = "this is where outgoing calls get their limits")]
pub(crate) fn client(time_outs: TimeOuts) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("sportello/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(time_outs.connect)
        .timeout(time_outs.total)
        .redirect(redirect::Policy::none())
        .referer(false)
}

/// Why the body of an answer was not read to its end.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The connection broke, or took too long.
    Broken(reqwest::Error),
    /// It is longer than it may be.
    TooLong,
}

/// The body of an answer, up to so many bytes.
pub(crate) async fn read(answer: &mut Response, most: usize) -> Result<Vec<u8>, Unread> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(Unread::Broken)? {
        if chunk.len() > most.saturating_sub(body.len()) {
            return Err(Unread::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Whether a host, by name or address, is this machine.
pub(crate) fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// An error with its causes: a library's own text leaves out what went wrong.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A server on this machine, for tests: it gives every connection the same bytes, and counts them.
#[cfg(test)]
pub(crate) mod answering {
    use std::{
        net::SocketAddr,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    pub(crate) struct Server {
        pub(crate) address: SocketAddr,
        pub(crate) connections: Arc<AtomicUsize>,
    }

    impl Server {
        /// One that gives no bytes is silent.
        pub(crate) async fn answering(answer: Vec<u8>) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let connections = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&connections);
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    count.fetch_add(1, Ordering::SeqCst);
                    let answer = answer.clone();
                    tokio::spawn(async move {
                        let mut request = [0; 4096];
                        let _ = stream.read(&mut request).await;
                        let _ = stream.write_all(&answer).await;
                        if answer.is_empty() {
                            tokio::time::sleep(Duration::from_secs(60)).await;
                        }
                    });
                }
            });
            Self { address, connections }
        }
    }
}
