//! What a domain says of its messages: to whom they go, and what is in them when they are sent.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use kernel::{Lang, TaxCode};
use serde_json::Value;
use storage::Tx;

use super::model::{Message, MessageLanguage};
use crate::ports::Attachment;

/// The words of a message, as templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// One line.
    pub subject: String,
    /// Plain text, which is Markdown too: App IO shows it so.
    pub text: String,
    /// The same as HTML, without what surrounds it.
    pub html: String,
}

/// A variable of a kind's templates.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// What templates call it.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
}

/// A kind of message.
#[derive(Clone, Copy)]
pub struct Kind {
    /// `<subject>.<what>`.
    pub name: &'static str,
    /// When it is sent.
    pub about: &'static str,
    /// Whether people may wish to have none of them.
    pub optional: bool,
    /// What its templates may name.
    pub variables: &'static [Variable],
    /// The product's own words.
    pub wording: fn(Lang) -> Wording,
    /// What the variables could be, to try templates with.
    pub sample: fn(Lang) -> Value,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The person a message goes to.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Given and family name.
    pub name: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Codice fiscale, for App IO.
    pub tax_code: Option<TaxCode>,
    /// The language they used when they asked for what the message is about.
    pub language: Option<MessageLanguage>,
}

/// What is in a message, in one language.
#[derive(Clone, PartialEq)]
pub struct Letter {
    /// The language.
    pub lang: Lang,
    /// The values of the variables.
    pub data: Value,
    /// Files that go along with an e-mail.
    pub attachments: Vec<Attachment>,
}

/// A message before it is known in which language it is sent.
#[derive(Clone, PartialEq)]
pub struct Draft {
    /// Whose it is now, by their pseudonym; it may have been planned for another.
    pub person: String,
    /// To whom.
    pub recipient: Recipient,
    /// In every language; the first stands in for one that is missing.
    pub letters: Vec<Letter>,
    /// When what it is about takes place.
    pub due_at: Option<Timestamp>,
}

kernel::redacted_debug!(Draft, Letter, Recipient);

/// Whether a message is still to be sent.
#[derive(Debug)]
pub enum Composed {
    /// It is.
    Wanted(Box<Draft>),
    /// It is not, and why, as a word.
    NoLongerWanted(&'static str),
}

/// Knows the messages of a domain. What they say is asked when they are sent, so that they tell what is true then and
/// nobody's data wait in a queue.
pub trait Composer: fmt::Debug + Send + Sync {
    /// Its kinds.
    fn kinds(&self) -> &'static [Kind];

    /// What a message says now.
    ///
    /// # Errors
    /// When the database fails.
    fn compose(&self, tx: &mut Tx<'_>, message: &Message) -> storage::Result<Composed>;
}

/// The composers of every domain. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Composers(Arc<[Box<dyn Composer>]>);

impl Composers {
    /// Those of these domains.
    pub fn new(composers: Vec<Box<dyn Composer>>) -> Self {
        Self(composers.into())
    }

    /// Every kind of message there is.
    pub fn kinds(&self) -> impl Iterator<Item = &'static Kind> {
        self.0.iter().flat_map(|composer| composer.kinds())
    }

    /// The kind of this name.
    pub fn kind(&self, name: &str) -> Option<&'static Kind> {
        self.kinds().find(|kind| kind.name == name)
    }

    /// What a message says now. A kind that no domain knows was planned by another version: nobody can write it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn compose(&self, tx: &mut Tx<'_>, message: &Message) -> storage::Result<Composed> {
        let knows = |composer: &&dyn Composer| composer.kinds().iter().any(|kind| kind.name == message.kind);
        match self.0.iter().map(AsRef::as_ref).find(knows) {
            Some(composer) => composer.compose(tx, message),
            None => Ok(Composed::NoLongerWanted("unknown-kind")),
        }
    }
}
