//! What is kept whatever the rules of retention say: for a lawsuit, an inspection, a request that is not answered yet
//! (GDPR, articles 17(3) and 18).

pub mod changes;
pub mod model;
pub mod routes;
pub mod store;
