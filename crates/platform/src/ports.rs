//! What the platform asks of the outside, as traits: `connectors` implements them over the network,
//! tests implement them in memory.

use std::fmt;

use futures_util::future::BoxFuture;

/// Where the public keys (JWK Set, RFC 7517) of an identity provider come from.
pub trait KeySource: fmt::Debug + Send + Sync {
    /// The document at `url`, as it was sent.
    ///
    /// The implementation bounds size and time; the caller decides how often to ask and what to do without an answer.
    ///
    /// # Errors
    ///
    /// [`KeySourceError`] says why there is no document.
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Vec<u8>, KeySourceError>>;
}

/// Why a key document could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySourceError {
    /// The address is not one that keys may come from: a setting to be corrected.
    #[error("keys may not come from this address: {0}")]
    Address(&'static str),
    /// No connection, no TLS, or a connection that broke. The text is for the log.
    #[error("the key document could not be reached: {0}")]
    Unreachable(String),
    /// No complete answer within the time allowed.
    #[error("the key document did not arrive in time")]
    TimedOut,
    /// An answer with a status other than 200.
    #[error("the key document was answered with status {0}")]
    Status(u16),
    /// A document of more bytes than any key set needs.
    #[error("the key document is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}
