//! What every domain needs and owns tables for, and the habits of its HTTP.
//!
//! * [`tenants`]: the Comuni; [`directory`]: their offices and places
//! * [`access`]: who is calling (tokens, keys, staff) and what they may do (one [`access::policy`])
//! * [`settings`]: what a Comune sets for itself; [`audit`]: who changed what
//! * [`idempotency`]: one effect per `Idempotency-Key`; [`outbox`]: events in the transaction that causes them
//! * [`events`]: how integrators read them; [`webhooks`]: how they are sent them
//! * [`audit`]: who changed what, chained; [`changes`]: what a change of something administered leaves behind
//! * [`privacy`]: what people may ask of whoever holds data about them, and how long it is held
//! * [`messages`]: what people are told, by e-mail and over App IO
//! * [`backoff`]: how long to wait before something that failed is tried again
//! * [`http`]: bodies, queries, problems, replies; [`ports`]: the traits behind which the outside is

pub mod access;
pub mod audit;
pub mod backoff;
pub mod changes;
pub mod directory;
pub mod events;
pub mod http;
pub mod idempotency;
pub mod messages;
pub mod outbox;
pub mod ports;
pub mod privacy;
pub mod problems;
pub mod schema;
pub mod settings;
pub mod tenants;
pub mod webhooks;

use utoipa_actix_web::service_config::ServiceConfig;

/// Registers what this crate serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    directory::routes::routes(cfg);
    access::me::routes(cfg);
    access::pdnd::routes::routes(cfg);
    access::sessions::routes::routes(cfg);
    access::staff::routes::routes(cfg);
    audit::routes::routes(cfg);
    settings::routes::routes(cfg);
    events::routes::routes(cfg);
    webhooks::routes::routes(cfg);
    privacy::routes(cfg);
    messages::routes(cfg);
}
