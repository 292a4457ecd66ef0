//! All there is about one person: told to them, and put right.

pub mod archive;
pub mod changes;
pub mod model;
pub mod routes;
pub mod rules;
