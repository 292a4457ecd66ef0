//! Emergency registers (registro di emergenza, DPR 445/2000, articolo 63): numbers of their own while the ordinary
//! protocol is interrupted; each entry gets an ordinary number later, and both are kept.

pub mod changes;
pub mod model;
pub mod routes;
pub mod store;

pub use model::{EmergencyRegister, EmergencyRegisterId};
