//! How long what is known of people is kept (GDPR, article 5(1)(e)).
//!
//! A Comune's rules say what becomes of each kind of record, and when; without a rule there is a default. `hold`
//! always wins: what is an official document is not taken away without archival disposal (D.Lgs. 42/2004, article 21).
//! The rules run once a day and from the command line, in batches that are a transaction each: a run that is broken off
//! is gone on with by the next, and a second run finds nothing left to do.

pub mod changes;
pub mod model;
pub mod routes;
pub mod rules;
pub mod run;
pub mod store;
