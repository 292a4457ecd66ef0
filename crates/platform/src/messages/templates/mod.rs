//! The words of messages: the product's own, and those that a Comune uses instead.

pub mod markup;
pub mod model;
pub mod routes;
pub mod rules;
pub mod store;
