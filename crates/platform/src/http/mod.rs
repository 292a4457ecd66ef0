//! The habits of our HTTP: how requests are read, how answers and refusals are written.

mod body;
mod params;
mod refusal;
mod reply;

pub use body::{Body, MaxBody};
pub use params::{
    IdPair, IdPath, IdempotencyKey, IfMatch, Language, MaybeIdempotencyKey, Params, bad_query, paging, sane_date,
};
pub use refusal::{ProblemBody, Refused, not_found, problem_response};
pub use reply::{Answer, NextPage, Reply, Written};
