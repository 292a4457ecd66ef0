//! `If-None-Match`: a client says which answer it holds already.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header};

use kernel::Problem;

use super::Refused;
use crate::problems::INVALID_HEADER;

/// The longest header that is read, in characters: some dozen of our tags.
const LONGEST: usize = 500;

/// The tags of the answers that a client holds. What cannot be read names none of ours: it only costs the whole
/// answer. What is longer than the contract allows is refused.
#[derive(Debug, Clone)]
pub struct IfNoneMatch(Option<String>);

impl IfNoneMatch {
    /// Whether one of them is this tag, which stands in quotes.
    pub fn names(&self, etag: &str) -> bool {
        self.0.as_deref().is_some_and(|held| names_tag(held, etag))
    }
}

/// Whether an `If-None-Match` names this tag, which stands in quotes. Compared weakly (RFC 9110 §13.1.2): a proxy
/// that compresses the answer weakens its tag.
pub fn names_tag(held: &str, etag: &str) -> bool {
    let tag = |tag: &str| tag.trim().strip_prefix("W/").unwrap_or(tag.trim()) == etag;
    held.trim() == "*" || held.split(',').any(tag)
}

impl FromRequest for IfNoneMatch {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let header = req.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        if header.is_some_and(|text| text.len() > LONGEST) {
            let detail = format!("If-None-Match is longer than {LONGEST} characters");
            return ready(Err(Problem::new(&INVALID_HEADER).detail(detail).into()));
        }
        ready(Ok(Self(header.map(str::to_owned))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let names = |held: &str| IfNoneMatch(Some(held.to_owned())).names("\"abc\"");
        for held in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert!(names(held), "{held}");
        }
        for held in ["\"abcd\"", "abc", "", "\"x\""] {
            assert!(!names(held), "{held}");
        }
        assert!(!IfNoneMatch(None).names("\"abc\""));
    }
}
