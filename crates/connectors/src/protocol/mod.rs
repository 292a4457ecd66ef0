//! Handing documents on to the Comune's own protocol system.
//!
//! What an answer, or the lack of one, means for the register is the heart of it: what was certainly not registered may
//! be tried again, and what may have been is asked about first. So every failure after the request has left is an
//! unknown outcome, unless the system itself says that nothing was done.

mod docarea;
mod http_json;
mod soap;

use std::time::Duration;

use protocol::ports::{ProtocolError, Target};
use reqwest::{Client, Response};

pub use docarea::DocareaSoap;
pub use http_json::HttpJson;

use crate::{
    outgoing::{self, Unread},
    webhooks::{self, is_forbidden},
};

/// Why nothing has left: no connection was made.
const UNREACHABLE: &str = "unreachable";

/// The largest answer read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// To the internet, and to hosts that a Comune names as its own.
#[derive(Debug)]
struct Clients {
    public: Client,
    own: Client,
}

impl Clients {
    fn new(time_out: Duration) -> Result<Self, reqwest::Error> {
        crate::install_crypto_provider();
        Ok(Self {
            public: webhooks::guarded(time_out, false).build()?,
            own: webhooks::guarded(time_out, true).build()?,
        })
    }

    const fn of(&self, target: &Target) -> &Client {
        if target.own { &self.own } else { &self.public }
    }
}

/// What a request that got no answer means. Of the error itself nothing is told further: it may hold the address.
fn failure(error: &reqwest::Error) -> ProtocolError {
    if is_forbidden(error) {
        return ProtocolError::Permanent("forbidden-address");
    }
    if error.is_builder() {
        return ProtocolError::Permanent("address");
    }
    if error.is_connect() {
        return ProtocolError::Retryable(UNREACHABLE);
    }
    ProtocolError::UnknownOutcome(if error.is_timeout() { "timed-out" } else { "broken-off" })
}

async fn body(answer: &mut Response) -> Result<Vec<u8>, ProtocolError> {
    outgoing::read(answer, MAX_BYTES).await.map_err(|unread| match unread {
        Unread::Broken(error) => failure(&error),
        Unread::TooLong => ProtocolError::UnknownOutcome("too-long"),
    })
}

/// A text of another system, as far as it is one line of so many characters.
fn line(text: &str, most: usize) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}
