//! What people owe the Comune, and how it is paid: debt positions (posizioni debitorie) over pagoPA.
//!
//! * [`debts`]: who owes what until when, and how far it is; [`refunds`]: what was given back
//! * [`numbers`]: IUV and notice number; [`connection`]: the Comune as a creditor
//! * [`ports`]: what a provider of payments can do; [`settling`]: asking it, outside of transactions
//! * [`notifications`]: what a provider tells by itself; [`simulated`]: a provider that takes no money, for demos
//! * [`privacy`]: what is held about the people who pay
//!
//! Only the provider's answer to our own question makes a debt paid. A notification is a reason to ask, and so is
//! coming back from the pay page; neither proves anything.

pub mod connection;
pub mod debts;
pub mod events;
pub mod notifications;
pub mod numbers;
pub mod ports;
pub mod privacy;
pub mod problems;
pub mod refunds;
pub mod schema;
pub mod settling;
pub mod simulated;

use utoipa_actix_web::service_config::ServiceConfig;

pub use debts::changes::{NewDebt, Requested, cancel, release, request};

/// Registers what this crate serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    debts::routes::routes(cfg);
    debts::paying::routes(cfg);
    refunds::routes::routes(cfg);
    connection::routes::routes(cfg);
    notifications::routes::routes(cfg);
    simulated::routes::routes(cfg);
}
