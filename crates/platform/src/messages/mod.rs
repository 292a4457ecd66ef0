//! Messages to people: planned by domains, written when they are sent, over App IO or by e-mail, and kept on record.
//!
//! A domain plans ([`plan`]) and says through its [`Composer`] what a message holds; the gateway's worker sends. A row
//! waits without anything personal in it: whom it goes to and what it says is asked when its time has come, so a
//! reminder tells the time that is true then.

pub mod app_io;
pub mod composing;
pub mod model;
pub mod preferences;
pub mod routes;
pub mod rules;
pub mod store;
pub mod templates;

use kernel::Id;
use storage::Tx;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::outbox::EventTag;

pub use composing::{Composed, Composer, Composers, Draft, Kind, Letter, Recipient, Variable, Wording};
pub use model::{
    Content, Message, MessageChannel, MessageId, MessageLanguage, MessageState, NewMessage, Outcome, SubjectId,
};

/// Plans a message. One that its event has asked for already is not planned again: nothing then.
///
/// # Errors
/// When the database fails.
pub fn plan(tx: &mut Tx<'_>, new: &NewMessage<'_>) -> storage::Result<Option<MessageId>> {
    store::insert(tx, new)
}

/// Withdraws what still waits of these kinds about a subject, except what this event itself has asked for, so that a
/// reaction may run twice: how many that were.
///
/// # Errors
/// When the database fails.
pub fn withdraw(
    tx: &mut Tx<'_>,
    subject: SubjectId,
    kinds: &[&str],
    event: Id<EventTag>,
    why: &str,
) -> storage::Result<usize> {
    store::withdraw(tx, subject, kinds, event, why)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    routes::routes(cfg);
    preferences::routes::routes(cfg);
    app_io::routes::routes(cfg);
    templates::routes::routes(cfg);
}
