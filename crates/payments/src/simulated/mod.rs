//! A provider of payments that takes no money, for demos and for trying out: it keeps positions as a real one does,
//! and what people would do on its pay page is said to it by `POST /payments/{payment_id}/simulations`.

mod model;
pub mod provider;
pub mod routes;
mod store;

pub use provider::Simulator;
