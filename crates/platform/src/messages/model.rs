//! Messages, as planned, stored and served.

use diesel::{Queryable, Selectable};
use jiff::Timestamp;
use kernel::{Id, Lang, civil};
use serde::{Deserialize, Serialize};
use storage::TenantId;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{http::Link, outbox::EventTag, schema::messages};

/// The identifier of a message.
pub type MessageId = Id<Message>;

/// The identifier of what a message is about, of whatever kind.
pub type SubjectId = Id<Uuid>;

storage::text_enum! {
    /// Where a message is in its life.
    pub enum MessageState {
        /// It waits for its time, or to be tried again.
        Planned = "planned",
        /// A gateway is sending it.
        Sending = "sending",
        /// It was handed over.
        Sent = "sent",
        /// It is no longer wanted, and was not sent.
        Withdrawn = "withdrawn",
        /// It cannot be sent: there is no way to the person, or their mail server refuses it for good.
        Failed = "failed",
        /// It was tried as often as makes sense, and waits for somebody to look after it.
        Parked = "parked",
    }
}

storage::text_enum! {
    /// By which way a message goes.
    pub enum MessageChannel {
        /// E-mail.
        Email = "email",
        /// App IO (articolo 64-bis CAD).
        AppIo = "app_io",
    }
}

storage::text_enum! {
    /// A language in which people are written to.
    pub enum MessageLanguage {
        /// Italian.
        It = "it",
        /// English.
        En = "en",
        /// German.
        De = "de",
    }
}

impl MessageLanguage {
    /// The language of the product's texts.
    pub const fn lang(self) -> Lang {
        match self {
            Self::It => Lang::It,
            Self::En => Lang::En,
            Self::De => Lang::De,
        }
    }
}

impl From<Lang> for MessageLanguage {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::It => Self::It,
            Lang::En => Self::En,
            Lang::De => Self::De,
        }
    }
}

/// A message to be sent. What it says is asked of its domain when it is sent.
#[derive(Debug, Clone)]
pub struct NewMessage<'a> {
    /// One of the kinds that its domain's [`Composer`](super::Composer) has.
    pub kind: &'a str,
    /// What it is about.
    pub subject_kind: &'a str,
    /// Which one.
    pub subject: SubjectId,
    /// Pseudonym of the person it goes to.
    pub person: &'a str,
    /// The event that it tells of: asking again for the same event plans nothing.
    pub event: Id<EventTag>,
    /// When it is sent.
    pub send_at: Timestamp,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = messages)]
pub struct Message {
    /// The Comune.
    pub tenant_id: TenantId,
    /// Identifier.
    pub id: MessageId,
    /// What it tells: `appointment.reminder`.
    pub kind: String,
    /// What it is about.
    pub subject_kind: String,
    /// Which one.
    pub subject_id: SubjectId,
    /// Pseudonym of the person it goes to.
    pub person: String,
    /// The event that it tells of.
    pub event_id: Id<EventTag>,
    /// When it is to be sent.
    pub send_at: Timestamp,
    /// Where it is in its life.
    pub state: MessageState,
    /// How often sending began.
    pub attempts: i64,
    /// When it is tried; while it is being sent, when whoever sends it has lost it.
    pub next_attempt_at: Timestamp,
    /// The gateway that is sending it.
    pub leased_by: Option<String>,
    /// By which way it went.
    pub channel: Option<MessageChannel>,
    /// Why it is in its state.
    pub outcome: Option<String>,
    /// In which language it was written.
    pub language: Option<MessageLanguage>,
    /// When it was handed over.
    pub sent_at: Option<Timestamp>,
    /// Counts changes.
    pub version: i64,
    /// When it was planned.
    pub created_at: Timestamp,
}

/// What was written to a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// The e-mail address, or the codice fiscale for App IO.
    pub recipient: String,
    /// One line.
    pub subject: String,
    /// What it said.
    pub body: String,
}

// What was written to whom is personal.
kernel::redacted_debug!(Content, ContentView, MessageView);

/// What became of an attempt to send a message.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was handed over.
    Sent {
        /// By which way.
        channel: MessageChannel,
        /// In which language.
        language: MessageLanguage,
        /// To whom, by their pseudonym.
        person: String,
        /// What it said.
        content: Content,
        /// What happened before, as a word: why another way was taken.
        note: Option<String>,
    },
    /// Nobody wants it any more.
    Withdrawn(String),
    /// It is tried again then.
    Again {
        /// When.
        at: Timestamp,
        /// What was in the way.
        reason: String,
    },
    /// It will not be tried again by itself.
    Parked(String),
    /// It cannot be sent.
    Failed(String),
}

/// A message to a person
#[derive(Serialize, ToSchema)]
#[schema(as = Message, example = json!({
    "id": "01980000-0000-7000-8000-000000000050", "kind": "appointment.confirmation", "state": "sent",
    "subject_kind": "appointment", "subject_id": "01980000-0000-7000-8000-000000000030",
    "send_at": "2026-11-24T10:00:00+01:00", "attempts": 1, "next_attempt_at": null, "channel": "email", "outcome": null,
    "language": "it", "sent_at": "2026-11-24T10:00:02+01:00", "version": 3, "created_at": "2026-11-24T10:00:00+01:00",
    "content": {
        "recipient": "anna.prova@example.org", "subject": "Appuntamento confermato: 2 dicembre 2026",
        "body": "Buongiorno Anna,\n\nil suo appuntamento è confermato."
    }, "links": []
}))]
pub struct MessageView {
    /// Identifier.
    pub id: MessageId,
    /// What it tells.
    #[schema(max_length = 60)]
    pub kind: String,
    /// Where it is in its life.
    pub state: MessageState,
    /// What it is about: `appointment`.
    #[schema(max_length = 40)]
    pub subject_kind: String,
    /// Which one.
    pub subject_id: SubjectId,
    /// When it is to be sent.
    #[serde(with = "civil::rfc3339")]
    pub send_at: Timestamp,
    /// How often sending began.
    #[schema(minimum = 0, maximum = 1000000)]
    pub attempts: i64,
    /// When it is tried next; null once it is not tried any more.
    #[serde(with = "civil::rfc3339::option")]
    pub next_attempt_at: Option<Timestamp>,
    /// By which way it went; null while it has not.
    pub channel: Option<MessageChannel>,
    /// Why it is in its state, as a word: `smtp-550`, `app-io-not-allowed`, `no-address`, `called-off` …
    #[schema(max_length = 60)]
    pub outcome: Option<String>,
    /// In which language it was written.
    pub language: Option<MessageLanguage>,
    /// When it was handed over to the mail server or to App IO.
    #[serde(with = "civil::rfc3339::option")]
    pub sent_at: Option<Timestamp>,
    /// Counts changes.
    #[schema(minimum = 1, maximum = 1000000)]
    pub version: i64,
    /// When it was planned.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
    /// What was written; null while nothing was, and left out of the lists of the Comune and of the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentView>,
    /// What the caller may do with it now.
    #[schema(max_items = 5)]
    pub links: Vec<Link>,
}

/// What was written to a person
#[derive(Serialize, ToSchema)]
#[schema(as = MessageContent, example = json!({
    "recipient": "anna.prova@example.org", "subject": "Appuntamento confermato: 2 dicembre 2026",
    "body": "Buongiorno Anna,\n\nil suo appuntamento è confermato."
}))]
pub struct ContentView {
    /// The e-mail address, or the codice fiscale for App IO.
    #[schema(max_length = 254)]
    pub recipient: String,
    /// One line.
    #[schema(max_length = 500)]
    pub subject: String,
    /// The text, without its HTML form.
    #[schema(max_length = 20000)]
    pub body: String,
}

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MessageQuery {
    /// In which state.
    pub state: Option<MessageState>,
    /// At most so many.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 500)]
    pub after: Option<String>,
}

impl Message {
    /// The message as it is served, with what was written where the reader may know.
    pub fn view(self, content: Option<Content>) -> MessageView {
        let waits = matches!(self.state, MessageState::Planned | MessageState::Sending);
        MessageView {
            id: self.id,
            kind: self.kind,
            state: self.state,
            subject_kind: self.subject_kind,
            subject_id: self.subject_id,
            send_at: self.send_at,
            attempts: self.attempts,
            next_attempt_at: waits.then_some(self.next_attempt_at),
            channel: self.channel,
            outcome: self.outcome,
            language: self.language,
            sent_at: self.sent_at,
            version: self.version,
            created_at: self.created_at,
            content: content.map(|Content { recipient, subject, body }| ContentView { recipient, subject, body }),
            links: Vec::new(),
        }
    }
}
