//! What the platform asks of the outside, as traits: `connectors` implements them over the network,
//! tests implement them in memory.

mod messages;

use std::{fmt, fs::File};

use futures_util::future::BoxFuture;

pub use messages::{Attachment, Email, IoDenied, IoMessage, IoMessages, IoProfile, MailDenied, Mailer};

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
    /// The token that whoever has the keys asks for cannot be read. The text is for the log.
    #[error("the token to ask for keys with cannot be read: {0}")]
    Token(String),
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

/// Where the content of files lies that are held about people, for the archives that are made of it.
pub trait KeptFiles: fmt::Debug + Send + Sync {
    /// The whole content of a file, of this length; none where it is lost.
    ///
    /// # Errors
    /// [`FilesUnavailable`] when it cannot be had now.
    fn read<'a>(&'a self, key: &'a str, length: u64) -> BoxFuture<'a, Result<Option<Vec<u8>>, FilesUnavailable>>;

    /// An empty file under no name, to put an archive together in.
    ///
    /// # Errors
    /// [`FilesUnavailable`] when the disk will not give one.
    fn scratch(&self) -> Result<File, FilesUnavailable>;
}

/// The content of a file cannot be had. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a file that is held cannot be had: {0}")]
pub struct FilesUnavailable(pub String);

/// Who posts events to webhooks.
pub trait WebhookSender: fmt::Debug + Send + Sync {
    /// Posts a message, once, and reads the status that is answered.
    ///
    /// The implementation bounds size and time, follows no redirect, and connects to no address that
    /// [`may_connect`](crate::webhooks::addresses::may_connect) does not allow.
    ///
    /// # Errors
    ///
    /// [`WebhookFailure`] says why there is no answer.
    fn post<'a>(&'a self, message: &'a WebhookMessage) -> BoxFuture<'a, Result<WebhookAnswer, WebhookFailure>>;
}

/// A signed message.
pub struct WebhookMessage {
    /// Where to.
    pub url: String,
    /// Whether its host is one that the Comune names as its own: it may be in a private network.
    pub own: bool,
    /// `webhook-id`: the same whenever it is tried again.
    pub id: String,
    /// `webhook-timestamp`: of this attempt, in seconds since 1970.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: String,
    /// JSON.
    pub body: Vec<u8>,
}

impl fmt::Debug for WebhookMessage {
    /// The address may hold a token of the receiver's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookMessage").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, as it was sent.
    pub retry_after: Option<String>,
}

/// Why a receiver did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookFailure {
    /// The address leads where nothing may be sent to.
    #[error("the address leads where nothing may be sent to")]
    ForbiddenAddress,
    /// No connection, no TLS, or a connection that broke. The text is for the log.
    #[error("the receiver could not be reached: {0}")]
    Unreachable(String),
    /// No answer within the time allowed.
    #[error("the receiver did not answer in time")]
    TimedOut,
}
