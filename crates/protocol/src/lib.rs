//! The protocol register: what comes in and goes out has its number, without a gap and for good.
//!
//! * [`entries`]: the register itself, with its numbers, chain, annulments and segnatura
//! * [`registrations`]: handing entries on to the Comune's own protocol system, through [`ports`]
//! * [`receipts`]: what whoever filed something is given, and how it is verified
//! * [`daily`]: what was registered on a day, for preservation; [`emergencies`]: registers for interruptions
//! * [`verification`]: whether the registers are whole; [`connections`]: what they are called and connected with
//! * [`privacy`]: what is held about the people who are named
//!
//! A domain registers with [`request`], in the transaction of what it files. By itself the register is a repertorio; the
//! general protocol of a Comune is its own protocol system, where one is connected (docs/integrators/protocol.md).

pub mod connections;
pub mod daily;
pub mod emergencies;
pub mod entries;
pub mod events;
pub mod ports;
pub mod privacy;
pub mod problems;
pub mod receipts;
pub mod registrations;
pub mod schema;
pub mod verification;
mod xml;

use utoipa_actix_web::service_config::ServiceConfig;

pub use entries::{
    Registration,
    changes::{Requested, request},
};
pub use xml::Xml;

/// Registers what this crate serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    entries::routes::routes(cfg);
    receipts::routes::routes(cfg);
    registrations::routes::routes(cfg);
    daily::routes::routes(cfg);
    emergencies::routes::routes(cfg);
    verification::routes::routes(cfg);
    connections::routes::routes(cfg);
}
