//! What the platform asks of those who carry messages to people: a mail server, and App IO.

use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use kernel::{Lang, TaxCode};

/// A file that goes along with an e-mail.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What it is called.
    pub name: String,
    /// Its media type, with parameters.
    pub media_type: String,
    /// What is in it.
    pub body: String,
}

/// An e-mail to one person.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    /// The name before the deployment's address.
    pub sender_name: String,
    /// Where an answer goes; absent: to the sender's address.
    pub reply_to: Option<String>,
    /// The person's name.
    pub to_name: String,
    /// The person's address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The text for programs that show no HTML.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// The language of all three.
    pub lang: Lang,
    /// Files that go along.
    pub attachments: Vec<Attachment>,
    /// What names it on the way, the same whenever it is sent again; without the host.
    pub id: String,
}

// Whom it goes to and what it says is personal.
kernel::redacted_debug!(Attachment, Email, IoMessage);

/// Sends e-mail.
pub trait Mailer: fmt::Debug + Send + Sync {
    /// Hands an e-mail over to a server that takes it on.
    ///
    /// The implementation bounds size and time; the caller decides how often to try.
    ///
    /// # Errors
    ///
    /// [`MailDenied`] says whether trying again makes sense.
    fn send<'a>(&'a self, email: &'a Email) -> BoxFuture<'a, Result<(), MailDenied>>;
}

/// Why an e-mail was not taken. The texts hold no address: they are for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailDenied {
    /// Not now: no connection, a full queue, greylisting, credentials that are not accepted.
    #[error("not now: {0}")]
    Temporary(String),
    /// Never: the server knows no such recipient, or takes no such e-mail.
    #[error("never: {0}")]
    Permanent(String),
}

/// What App IO says of somebody who uses it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IoProfile {
    /// Whether this sender may write to them.
    pub sender_allowed: bool,
    /// The languages they prefer, the best first, as far as they are ours.
    pub languages: Vec<Lang>,
}

/// A message of App IO.
#[derive(Clone, PartialEq, Eq)]
pub struct IoMessage {
    /// To whom.
    pub tax_code: TaxCode,
    /// 10 to 120 characters.
    pub subject: String,
    /// 80 to 10,000 characters.
    pub markdown: String,
    /// When what it is about takes place.
    pub due_at: Option<Timestamp>,
}

/// Sends messages of App IO. `key` is the subscription key of the Comune's service.
pub trait IoMessages: fmt::Debug + Send + Sync {
    /// What is known of somebody; nothing when they do not use App IO.
    ///
    /// # Errors
    ///
    /// [`IoDenied`] says whether trying again makes sense.
    fn profile<'a>(&'a self, key: &'a str, tax_code: &'a TaxCode)
    -> BoxFuture<'a, Result<Option<IoProfile>, IoDenied>>;

    /// Sends a message: its id there.
    ///
    /// # Errors
    ///
    /// [`IoDenied`] says whether trying again makes sense.
    fn send<'a>(&'a self, key: &'a str, message: &'a IoMessage) -> BoxFuture<'a, Result<String, IoDenied>>;
}

/// Why App IO did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IoDenied {
    /// Not now; after so long, where it said so.
    #[error("not now: {reason}")]
    Temporary {
        /// For the log.
        reason: String,
        /// How long to wait, where that was said.
        retry_after: Option<Duration>,
    },
    /// The key is not accepted, or not for this.
    #[error("the key is not accepted (status {0})")]
    Key(u16),
    /// It takes no such message.
    #[error("the message is not accepted (status {0})")]
    Refused(u16),
}
