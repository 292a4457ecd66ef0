//! The habits of our HTTP: how requests are read, how answers and refusals are written.

mod body;
mod if_none_match;
mod link;
mod params;
mod patch;
mod refusal;
mod reply;
pub mod typed_patch;

pub(crate) use body::whole;
pub use body::{Body, MaxBody, RawBody};
pub use if_none_match::{IfNoneMatch, names_tag};
pub use link::Link;
pub use params::{
    IdPair, IdPath, IdempotencyKey, IdempotencyKeyHeader, IfMatch, IfMatchHeader, Language, MaybeIdempotencyKey,
    Params, bad_query, days, paging, sane_date, word,
};
pub use patch::MergePatch;
pub use refusal::{ProblemBody, Refused, not_found, problem_response};
pub use reply::{Answer, NextPage, Reply, Written};
pub use typed_patch::TypedPatch;
