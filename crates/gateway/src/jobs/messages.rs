//! Sends the messages that are due: leased in one transaction, sent outside of any, settled in another. Several
//! gateways share the work; what one of them loses, another takes over once its lease has run out. So a message may go
//! out twice, and never not at all.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kernel::{Lang, Problem, TaxCode};
use platform::{
    access::DeploymentSecret,
    messages::{
        Composed, Composers, Content, Draft, Message, MessageChannel, MessageLanguage, MessageState, Outcome, Wording,
        app_io, preferences,
        rules::{self, Ways},
        store,
        templates::{rules as templates, rules::Rendered, store as own_words},
    },
    ports::{Email, IoDenied, IoMessage, IoMessages, MailDenied, Mailer},
    settings::{TenantSettings, store as settings},
    tenants::{Tenant, TenantState},
};
use storage::{Db, Scope};
use tokio::sync::watch;
use uuid::Uuid;

use super::everyone;

/// How many messages are leased together.
const BATCH: i64 = 20;
/// Why a message failed that had no way to anybody.
const NO_MAIL_SERVER: &str = "no-mail-server";
/// Why a message is parked that no template makes anything of.
const NO_WORDS: &str = "no-words";
/// How many are sent at once.
const TOGETHER: usize = 4;

/// What it takes to send messages.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) db: Db,
    pub(crate) composers: Composers,
    pub(crate) secret: Arc<DeploymentSecret>,
    /// Absent: no e-mail is sent.
    pub(crate) mailer: Option<Arc<dyn Mailer>>,
    pub(crate) app_io: Arc<dyn IoMessages>,
    pub(crate) every: Duration,
    pub(crate) lease: SignedDuration,
}

/// All that is known of a message when it is written.
struct Letter {
    draft: Draft,
    wish: preferences::PreferencesView,
    words: Vec<(MessageLanguage, Wording)>,
    settings: TenantSettings,
    io_key: Option<String>,
}

/// Either a message to be written, or what has become of it already.
enum Prepared {
    Letter(Box<Letter>),
    Settled(Outcome),
}

/// Sends what is due until the server stops: what is under way is finished then, and nothing new begun.
pub(crate) async fn send(sender: Sender, mut stopping: watch::Receiver<bool>) {
    let gateway = Uuid::from_bytes(rand::random()).simple().to_string();
    let mut ticks = tokio::time::interval(sender.every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopping.changed() => return,
        }
        let active = everyone(&sender.db).await.into_iter().filter(|tenant| tenant.state == TenantState::Active);
        for tenant in active {
            // The log has the particulars; the next round tries again.
            if let Err(problem) = sender.serve(&gateway, &tenant, &stopping).await {
                tracing::warn!(slug = problem.kind.slug, "sending messages failed");
            }
        }
    }
}

impl Sender {
    /// Sends all that is due in one Comune.
    async fn serve(&self, gateway: &str, tenant: &Tenant, stopping: &watch::Receiver<bool>) -> Result<(), Problem> {
        let scope = Scope::system(tenant.tenant_id);
        while !*stopping.borrow() && self.db.glance(&scope, store::is_any_due).await? {
            if self.mailer.is_none() && !self.db.read(&scope, settings::get).await?.settings.messages.app_io_enabled {
                self.db.write(&scope, |tx| store::fail_due(tx, NO_MAIL_SERVER)).await?;
                return Ok(());
            }
            let (name, lease) = (gateway.to_owned(), self.lease);
            let leased = self.db.write(&scope, move |tx| {
                let until = tx.now().saturating_add(lease).unwrap_or(Timestamp::MAX);
                store::lease(tx, &name, until, BATCH)
            });
            let leased = leased.await?;
            if leased.is_empty() {
                return Ok(());
            }
            let sending = leased.into_iter().map(|message| self.handle(tenant, message));
            let mut outcomes = stream::iter(sending).buffer_unordered(TOGETHER);
            while let Some(outcome) = outcomes.next().await {
                outcome?;
            }
        }
        Ok(())
    }

    /// Sends one message and writes down what became of it.
    async fn handle(&self, tenant: &Tenant, message: Message) -> Result<(), Problem> {
        let scope = Scope::system(tenant.tenant_id);
        let outcome = self.attempt(tenant, &message).await?;
        tracing::info!(message = %message.id, kind = message.kind, attempt = message.attempts, outcome = word(&outcome), "message");
        let settled = self.db.write(&scope, move |tx| store::settle(tx, &message, &outcome)).await?;
        if !settled {
            tracing::warn!("a message was taken over by another gateway, or withdrawn, while it was being sent");
        }
        Ok(())
    }

    async fn attempt(&self, tenant: &Tenant, message: &Message) -> Result<Outcome, Problem> {
        // Whoever sends it has gone down every time: it is not tried for ever.
        if message.attempts > rules::MOST_ATTEMPTS {
            return Ok(Outcome::Parked("lost".to_owned()));
        }
        let letter = match self.prepare(tenant, message).await? {
            Prepared::Letter(letter) => letter,
            Prepared::Settled(outcome) => return Ok(outcome),
        };
        let recipient = &letter.draft.recipient;
        let optional = self.composers.kind(&message.kind).is_some_and(|kind| kind.optional);
        let ways = Ways {
            wish: optional.then_some(letter.wish.reminders),
            io_enabled: letter.settings.messages.app_io_enabled,
            io_key: letter.io_key.is_some(),
            tax_code: recipient.tax_code.is_some(),
            email: recipient.email.is_some(),
        };
        match rules::first_way(ways) {
            Err((MessageState::Withdrawn, why)) => Ok(Outcome::Withdrawn(why.to_owned())),
            Err((_, why)) => Ok(Outcome::Failed(why.to_owned())),
            Ok(MessageChannel::Email) => Ok(self.by_email(tenant, message, &letter, None).await),
            Ok(MessageChannel::AppIo) => {
                let (Some(tax_code), Some(key)) = (&recipient.tax_code, &letter.io_key) else {
                    return Ok(Outcome::Failed("no-address".to_owned()));
                };
                Ok(match self.over_app_io(tenant, message, &letter, tax_code, key).await {
                    Ok(outcome) => outcome,
                    Err(why) => self.by_email(tenant, message, &letter, Some(why)).await,
                })
            }
        }
    }

    /// Asks all that is needed, in one transaction.
    async fn prepare(&self, tenant: &Tenant, message: &Message) -> Result<Prepared, Problem> {
        let (composers, secret, message) = (self.composers.clone(), Arc::clone(&self.secret), message.clone());
        let scope = Scope::system(tenant.tenant_id);
        let asked = self.db.read(&scope, move |tx| {
            let draft = match composers.compose(tx, &message)? {
                Composed::Wanted(draft) => *draft,
                Composed::NoLongerWanted(why) => return Ok(Prepared::Settled(Outcome::Withdrawn(why.to_owned()))),
            };
            let concealed = app_io::concealed_key(tx)?;
            Ok(Prepared::Letter(Box::new(Letter {
                wish: preferences::of(tx, &draft.person)?,
                draft,
                words: own_words::of_kind(tx, &message.kind)?,
                settings: settings::get(tx)?.settings,
                io_key: concealed.and_then(|concealed| app_io::reveal(&secret, &concealed)),
            })))
        });
        asked.await
    }

    /// Over App IO; the error says why it goes by e-mail instead.
    async fn over_app_io(
        &self,
        tenant: &Tenant,
        message: &Message,
        letter: &Letter,
        tax_code: &TaxCode,
        key: &str,
    ) -> Result<Outcome, String> {
        let profile = match self.app_io.profile(key, tax_code).await {
            Ok(Some(profile)) if profile.sender_allowed => profile,
            Ok(Some(_)) => return Err("app-io-not-allowed".to_owned()),
            Ok(None) => return Err("app-io-not-there".to_owned()),
            Err(denied) => return self.denied(message, denied),
        };
        let lang = letter.language(&profile.languages);
        let Some(rendered) = self.render(message, letter, lang) else {
            return Ok(Outcome::Parked(NO_WORDS.to_owned()));
        };
        let sender = letter.sender(tenant);
        let io = IoMessage {
            tax_code: tax_code.clone(),
            subject: rules::io_subject(&rendered.subject, sender),
            markdown: rules::io_markdown(&rendered.markdown, sender, lang),
            due_at: letter.draft.due_at,
        };
        match self.app_io.send(key, &io).await {
            Ok(_id) => Ok(Outcome::Sent {
                channel: MessageChannel::AppIo,
                language: lang.into(),
                person: letter.draft.person.clone(),
                content: Content { recipient: tax_code.as_str().to_owned(), subject: io.subject, body: io.markdown },
                note: None,
            }),
            Err(denied) => self.denied(message, denied),
        }
    }

    /// What App IO will do later is waited for, a few times; what it will not do goes by e-mail.
    fn denied(&self, message: &Message, denied: IoDenied) -> Result<Outcome, String> {
        match denied {
            IoDenied::Temporary { reason, retry_after } if message.attempts < rules::MOST_IO_ATTEMPTS => {
                Ok(self.again(message, reason, retry_after))
            }
            IoDenied::Temporary { reason, .. } => Err(reason),
            IoDenied::Key(status) => {
                tracing::warn!(status, "App IO does not accept the key of a Comune");
                Err("app-io-key".to_owned())
            }
            IoDenied::Refused(status) => Err(format!("app-io-{status}")),
        }
    }

    async fn by_email(&self, tenant: &Tenant, message: &Message, letter: &Letter, note: Option<String>) -> Outcome {
        let recipient = &letter.draft.recipient;
        let Some(to) = &recipient.email else {
            return Outcome::Failed(note.unwrap_or_else(|| "no-address".to_owned()));
        };
        let Some(mailer) = &self.mailer else { return Outcome::Failed(NO_MAIL_SERVER.to_owned()) };
        let lang = letter.language(&[]);
        let Some(Rendered { subject, text, html, .. }) = self.render(message, letter, lang) else {
            return Outcome::Parked(NO_WORDS.to_owned());
        };
        let settings = &letter.settings;
        let email = Email {
            sender_name: letter.sender(tenant).to_owned(),
            reply_to: settings.messages.reply_to.clone().or_else(|| settings.email.clone()),
            to_name: recipient.name.clone(),
            to: to.clone(),
            subject,
            text,
            html,
            lang,
            attachments: letter.written_in(lang).map(|written| written.attachments.clone()).unwrap_or_default(),
            id: message.id.to_string(),
        };
        match mailer.send(&email).await {
            Ok(()) => Outcome::Sent {
                channel: MessageChannel::Email,
                language: lang.into(),
                person: letter.draft.person.clone(),
                content: Content { recipient: email.to, subject: email.subject, body: email.text },
                note,
            },
            Err(MailDenied::Permanent(why)) => Outcome::Failed(why),
            Err(MailDenied::Temporary(why)) => self.again(message, why, None),
        }
    }

    fn again(&self, message: &Message, reason: String, asked: Option<Duration>) -> Outcome {
        let now = self.db.clock().now();
        match rules::next_attempt(now, message.attempts, rand::random(), asked) {
            Some(at) => Outcome::Again { at, reason },
            None => Outcome::Parked(reason),
        }
    }

    /// The message in a language: in the Comune's words, else in the product's. Words that were good when they were
    /// written and are no more must not keep a message back; `None`: there are none that can be sent.
    fn render(&self, message: &Message, letter: &Letter, lang: Lang) -> Option<Rendered> {
        let written = letter.written_in(lang)?;
        let kind = self.composers.kind(&message.kind)?;
        let own = letter.words.iter().find(|(language, _)| language.lang() == lang).map(|(_, words)| words);
        if let Some(words) = own {
            match templates::render(words, lang, &written.data) {
                Ok(rendered) => return Some(rendered),
                Err(fault) => tracing::warn!(kind = kind.name, part = fault.part, "a Comune's template fails"),
            }
        }
        match templates::render(&(kind.wording)(lang), lang, &written.data) {
            Ok(rendered) => Some(rendered),
            Err(fault) => {
                tracing::error!(kind = kind.name, part = fault.part, "a template of the product fails");
                None
            }
        }
    }
}

impl Letter {
    fn language(&self, profile: &[Lang]) -> Lang {
        let spoken = |language: Option<MessageLanguage>| language.map(MessageLanguage::lang);
        rules::language(profile, spoken(self.wish.language), spoken(self.draft.recipient.language))
    }

    fn written_in(&self, lang: Lang) -> Option<&platform::messages::Letter> {
        let letters = &self.draft.letters;
        letters.iter().find(|letter| letter.lang == lang).or_else(|| letters.first())
    }

    fn sender<'a>(&'a self, tenant: &'a Tenant) -> &'a str {
        self.settings.messages.sender_name.as_deref().unwrap_or(&tenant.name)
    }
}

fn word(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Sent { channel, .. } => channel.as_str(),
        Outcome::Again { reason, .. } => reason,
        Outcome::Withdrawn(why) | Outcome::Parked(why) | Outcome::Failed(why) => why,
    }
}
