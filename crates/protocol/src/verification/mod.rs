//! Whether the registers are whole: no number missing, nothing changed, nothing put in.

pub mod model;
pub mod routes;
pub mod run;

pub use run::verify;
