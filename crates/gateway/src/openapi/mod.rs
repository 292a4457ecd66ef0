//! The contract, put together from what the crates say of their own routes.

mod answers;
pub mod demands;
pub mod deprecations;
mod downgrade;
mod finish;
mod nullable;
mod schemas;

use actix_web::App;
use platform::events::EventTypes;
use serde_json::Value;
use utoipa_actix_web::{AppExt, service_config::ServiceConfig};

pub use downgrade::{Untranslatable, to_3_0};
pub use finish::{at, finish};

/// Everything served under `/{comune}/v1`: the one list of what this product answers to.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    crate::status::routes(cfg);
    platform::routes(cfg);
    documents::routes(cfg);
    protocol::routes(cfg);
    payments::routes(cfg);
    booking::routes(cfg);
}

/// The OpenAPI 3.1 document.
pub fn document() -> Value {
    let (_, mut document) = App::new().into_utoipa_app().configure(routes).split_for_parts();
    // Left alone, it would be the version of the library that collects the routes.
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    finish(serde_json::to_value(document).unwrap_or_default())
}

/// The documents of each part by itself, for the test that no two of them give one name to two things.
pub fn parts() -> Vec<(&'static str, Value)> {
    let part = |routes: fn(&mut ServiceConfig<'_>)| {
        let (_, document) = App::new().into_utoipa_app().configure(routes).split_for_parts();
        serde_json::to_value(document).unwrap_or_default()
    };
    vec![
        ("gateway", part(crate::status::routes)),
        ("platform", part(platform::routes)),
        ("documents", part(documents::routes)),
        ("protocol", part(protocol::routes)),
        ("payments", part(payments::routes)),
        ("booking", part(booking::routes)),
    ]
}

/// Every kind of event there is.
pub fn event_types() -> EventTypes {
    let of = [
        platform::events::types::PLATFORM,
        documents::events::TYPES,
        protocol::events::TYPES,
        payments::events::TYPES,
        booking::events::TYPES,
    ];
    EventTypes(of.into_iter().flatten().copied().collect())
}

/// The refusals of every crate.
pub fn problems() -> Vec<&'static kernel::ProblemKind> {
    let tables = [
        storage::problems::ALL,
        platform::problems::ALL,
        documents::problems::ALL,
        protocol::problems::ALL,
        payments::problems::ALL,
        booking::problems::ALL,
    ];
    tables.into_iter().flatten().copied().collect()
}
