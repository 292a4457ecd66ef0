//! What a request says outside its body: path, query, headers.

use std::{
    future::{Ready, ready},
    ops::Deref,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header};
use jiff::{Timestamp, civil::Date};
use kernel::{Cursor, Id, Lang, PageRequest, Problem, civil, page};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::{Refused, body::field_problem, not_found};
use crate::problems::{
    IDEMPOTENCY_KEY_REQUIRED, INVALID_HEADER, INVALID_QUERY, PRECONDITION_REQUIRED, VERSION_MISMATCH,
};

/// The last id of the path. A text that is no id cannot name anything: 404.
#[derive(Debug, Clone, Copy)]
pub struct IdPath<T>(pub Id<T>);

impl<T: 'static> FromRequest for IdPath<T> {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let last = req.match_info().iter().last().and_then(|(_, value)| value.parse().ok());
        ready(last.map(IdPath).ok_or_else(|| not_found().into()))
    }
}

/// The last two ids of the path, the outer one first.
#[derive(Debug, Clone, Copy)]
pub struct IdPair<A, B>(pub Id<A>, pub Id<B>);

impl<A: 'static, B: 'static> FromRequest for IdPair<A, B> {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let ids: Vec<&str> = req.match_info().iter().map(|(_, value)| value).collect();
        let pair = match ids.as_slice() {
            [.., outer, inner] => outer.parse().ok().zip(inner.parse().ok()),
            _ => None,
        };
        ready(pair.map(|(outer, inner)| Self(outer, inner)).ok_or_else(|| not_found().into()))
    }
}

/// How the contract describes an `Idempotency-Key` that may be left out.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyKeyHeader {
    /// A random key, the same on every retry; at least 16 characters from callers who have not signed in.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    pub idempotency_key: Option<String>,
}

/// How the contract describes an `If-Match` that everybody must send.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatchHeader {
    /// The `ETag` of the version to change.
    #[param(rename = "If-Match", max_length = 100)]
    pub if_match: String,
}

/// A query string, read whole: an unknown parameter is refused, like an unknown field.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T> Deref for Params<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Params<T> {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(req.query_string().as_bytes()));
        ready(serde_path_to_error::deserialize(pairs).map(Params).map_err(|error| {
            let path = error.path().to_string();
            let parent = if path == "." { String::new() } else { path };
            field_problem(&INVALID_QUERY, &error.inner().to_string(), &parent, |name| format!("?{name}")).into()
        }))
    }
}

/// A refusal of one query parameter.
pub fn bad_query(name: &str, code: &'static str, detail: &str) -> Problem {
    Problem::new(&INVALID_QUERY).field(format!("?{name}"), code, detail)
}

/// Refuses a date before 1900 or after 2200: nobody means it, and the databases differ in how far they reach.
///
/// # Errors
/// `invalid-query`, naming the parameter.
pub fn sane_date(name: &str, date: Date) -> Result<Date, Problem> {
    if !(1900..=2200).contains(&date.year()) {
        return Err(bad_query(name, "out-of-range", "a date from 1900 to 2200"));
    }
    Ok(date)
}

/// The first and the last day that something is asked for, as the instants when they begin and end in Italy.
///
/// # Errors
/// `invalid-query`, naming `from` or `to`: out of reach, or the last day is before the first.
pub fn days(from: Option<Date>, to: Option<Date>) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
    let day = |name, date: Option<Date>| date.map(|date| sane_date(name, date)).transpose();
    let (from, to) = (day("from", from)?, day("to", to)?);
    if from.zip(to).is_some_and(|(from, to)| to < from) {
        return Err(bad_query("to", "before-from", "the last day is before the first"));
    }
    Ok((from.map(|date| civil::day_bounds(date).0), to.map(|date| civil::day_bounds(date).1)))
}

/// A word to look for: 1 to so many of these characters.
///
/// # Errors
/// `invalid-query`, naming the parameter.
pub fn word(name: &str, text: Option<&str>, longest: usize, fits: fn(char) -> bool) -> Result<Option<String>, Problem> {
    match text {
        Some(text) if !(1..=longest).contains(&text.len()) || !text.chars().all(fits) => {
            Err(bad_query(name, "malformed", "not as described"))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

/// The longest cursor that is read, in characters; those that are written are far shorter.
const LONGEST_CURSOR: usize = 500;

/// Reads `limit` and `after`.
///
/// # Errors
/// `invalid-query` when the limit is out of range or the cursor is not one of this list's.
pub fn paging<K: DeserializeOwned>(limit: Option<i64>, after: Option<&str>) -> Result<PageRequest<K>, Problem> {
    let limit = limit.unwrap_or(page::DEFAULT_LIMIT);
    if !(1..=page::MAX_LIMIT).contains(&limit) {
        return Err(bad_query("limit", "out-of-range", "a number from 1 to 100"));
    }
    let after = match after {
        None => None,
        Some(text) => {
            let key = if text.len() <= LONGEST_CURSOR { Cursor::decode(text) } else { None };
            Some(key.ok_or_else(|| bad_query("after", "unknown-cursor", "not a `next` of this list"))?)
        }
    };
    Ok(PageRequest { limit, after })
}

/// The reader's language, from `Accept-Language`.
#[derive(Debug, Clone, Copy)]
pub struct Language(pub Lang);

impl FromRequest for Language {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let header = req.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        ready(Ok(Self(header.map(Lang::negotiate).unwrap_or_default())))
    }
}

/// A required `Idempotency-Key`, with what it is the key of.
#[derive(Clone)]
pub struct IdempotencyKey {
    pub(crate) key: String,
    pub(crate) method: String,
    pub(crate) path: String,
}

// It opens a kept answer.
kernel::redacted_debug!(IdempotencyKey);

impl IdempotencyKey {
    fn of(req: &HttpRequest) -> Result<Option<Self>, Refused> {
        let Some(value) = req.headers().get("idempotency-key") else { return Ok(None) };
        let bytes = value.as_bytes();
        let sound = (1..=255).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        match value.to_str() {
            Ok(key) if sound => {
                Ok(Some(Self { key: key.to_owned(), method: req.method().to_string(), path: req.path().to_owned() }))
            }
            _ => Err(Problem::new(&INVALID_HEADER)
                .field("Idempotency-Key", "malformed", "1 to 255 visible ASCII characters")
                .into()),
        }
    }
}

impl FromRequest for IdempotencyKey {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let required = || Problem::new(&IDEMPOTENCY_KEY_REQUIRED).into();
        ready(Self::of(req).and_then(|key| key.ok_or_else(required)))
    }
}

/// An `Idempotency-Key` for calls that are safe to repeat anyway.
#[derive(Debug, Clone)]
pub struct MaybeIdempotencyKey(pub Option<IdempotencyKey>);

impl FromRequest for MaybeIdempotencyKey {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(IdempotencyKey::of(req).map(Self))
    }
}

/// `If-Match`, as the version it names.
#[derive(Debug, Clone)]
pub struct IfMatch(Condition);

#[derive(Debug, Clone)]
enum Condition {
    Absent,
    Any,
    /// The versions named; none when no tag was one of ours.
    Versions(Vec<i64>),
}

impl IfMatch {
    /// Checks the version; `required` refuses a request that did not name one.
    ///
    /// # Errors
    /// `precondition-required` or `version-mismatch`.
    pub fn check(&self, current: i64, required: bool) -> Result<(), Problem> {
        match &self.0 {
            Condition::Absent if required => Err(Problem::new(&PRECONDITION_REQUIRED)),
            Condition::Absent | Condition::Any => Ok(()),
            Condition::Versions(versions) if versions.contains(&current) => Ok(()),
            // What is not there yet has no version.
            Condition::Versions(_) if current == 0 => Err(Problem::new(&VERSION_MISMATCH)),
            Condition::Versions(_) => Err(Problem::new(&VERSION_MISMATCH).with("current_version", current)),
        }
    }
}

/// The longest `If-Match` that is read, in characters: some dozen of our tags.
const LONGEST_IF_MATCH: usize = 100;

impl FromRequest for IfMatch {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(value) = req.headers().get(header::IF_MATCH) else { return ready(Ok(Self(Condition::Absent))) };
        // An ETag of ours is `"<version>.<language>"`: the language tells representations apart, the
        // version is what is matched.
        let version = |tag: &str| tag.trim().strip_prefix('"')?.strip_suffix('"')?.split('.').next()?.parse().ok();
        let Some(text) = value.to_str().ok().map(str::trim).filter(|text| text.len() <= LONGEST_IF_MATCH) else {
            let detail = format!("at most {LONGEST_IF_MATCH} characters");
            return ready(Err(Problem::new(&INVALID_HEADER).field("If-Match", "malformed", detail).into()));
        };
        let condition = if text == "*" {
            Condition::Any
        } else {
            Condition::Versions(text.split(',').filter_map(version).collect())
        };
        ready(Ok(Self(condition)))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use serde::Deserialize;

    use super::*;

    fn if_match(value: Option<&str>) -> IfMatch {
        let request = TestRequest::default();
        let request = match value {
            Some(value) => request.insert_header((header::IF_MATCH, value)),
            None => request,
        };
        IfMatch::from_request(&request.to_http_request(), &mut Payload::None).into_inner().unwrap()
    }

    #[test]
    fn if_match_compares_the_version_and_ignores_the_language() {
        assert!(if_match(Some("\"3.it\"")).check(3, true).is_ok());
        assert!(if_match(Some("\"3.en\"")).check(3, true).is_ok());
        assert!(if_match(Some("\"1.it\", \"3.it\"")).check(3, true).is_ok());
        assert!(if_match(Some("\"1.it\", \"5.it\"")).check(3, true).is_err());
        assert!(if_match(Some("*")).check(3, true).is_ok());
        assert_eq!(if_match(Some("\"2.it\"")).check(3, true).unwrap_err().kind.slug, "version-mismatch");
        assert_eq!(if_match(Some("W/\"3.it\"")).check(3, false).unwrap_err().kind.slug, "version-mismatch");
        assert_eq!(if_match(None).check(3, true).unwrap_err().kind.slug, "precondition-required");
        assert!(if_match(None).check(3, false).is_ok());
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only read to be refused")]
        year: i16,
    }

    fn query(text: &str) -> Problem {
        let request = TestRequest::with_uri(&format!("/x?{text}")).to_http_request();
        Params::<Sample>::from_request(&request, &mut Payload::None).into_inner().unwrap_err().0
    }

    #[test]
    fn a_bad_query_names_its_parameter() {
        for (text, pointer, code) in
            [("year=abc", "?year", "invalid"), ("", "?year", "required"), ("year=1&colour=red", "?colour", "unknown")]
        {
            let problem = query(text);
            let error = problem.errors.first().unwrap();
            assert_eq!((error.pointer.as_str(), error.code.as_ref()), (pointer, code), "{text}: {error:?}");
        }
    }
}
