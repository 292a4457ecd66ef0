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

use utoipa_actix_web::service_config::ServiceConfig;

pub use composing::{Composed, Composer, Composers, Draft, Kind, Letter, Recipient, Variable, Wording};
pub use model::{
    Content, Message, MessageChannel, MessageId, MessageLanguage, MessageState, NewMessage, Outcome, SubjectId,
};
pub use store::{insert as plan, withdraw};

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    routes::routes(cfg);
    preferences::routes::routes(cfg);
    app_io::routes::routes(cfg);
    templates::routes::routes(cfg);
}
