//! JSON bodies: read with a limit, parsed strictly, validated, and refused by naming the field.

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web::Data};
use futures_util::{StreamExt, future::LocalBoxFuture};
use kernel::{FieldError, Problem, ProblemKind};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

use super::Refused;
use crate::problems::{INVALID_BODY, MALFORMED_BODY, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE};

/// The largest body the server reads, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct MaxBody(pub usize);

/// A JSON body that is what it should be, and the digest of the bytes it came as.
#[derive(Debug)]
pub struct Body<T> {
    value: T,
    digest: String,
}

impl<T> Body<T> {
    /// The value and the SHA-256 of the bytes, hexadecimal.
    pub fn into_parts(self) -> (T, String) {
        (self.value, self.digest)
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T: DeserializeOwned + Validate + 'static> FromRequest for Body<T> {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = read(req, payload, "application/json");
        Box::pin(async move {
            let bytes = bytes.await?;
            let value = parse::<T>(&bytes)?;
            value.validate().map_err(|errors| validation_problem(&errors))?;
            let digest = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes));
            Ok(Self { value, digest })
        })
    }
}

/// The bytes of a JSON body as they came, for whoever checks a signature over them before reading them.
#[derive(Debug)]
pub struct RawBody(Vec<u8>);

impl RawBody {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What they say.
    ///
    /// # Errors
    /// `malformed-body` or `invalid-body`.
    pub fn parse<T: DeserializeOwned + Validate>(&self) -> Result<T, Problem> {
        let value = parse::<T>(&self.0)?;
        value.validate().map_err(|errors| validation_problem(&errors))?;
        Ok(value)
    }
}

impl FromRequest for RawBody {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = read(req, payload, "application/json");
        Box::pin(async move { Ok(Self(bytes.await?)) })
    }
}

/// Reads a body of this media type, up to the limit.
pub(super) fn read(
    req: &HttpRequest,
    payload: &mut Payload,
    media_type: &'static str,
) -> impl Future<Output = Result<Vec<u8>, Problem>> + use<> {
    let is_of_type = is_of_type(req, media_type);
    let bytes = whole(req, payload);
    async move {
        if !is_of_type {
            return Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE).detail(format!("the body must be {media_type}")));
        }
        bytes.await
    }
}

/// Reads a body, whatever it is, up to the limit.
pub(crate) fn whole(
    req: &HttpRequest,
    payload: &mut Payload,
) -> impl Future<Output = Result<Vec<u8>, Problem>> + use<> {
    let limit = req.app_data::<Data<MaxBody>>().map_or(1_048_576, |max| max.0);
    let mut payload = payload.take();
    async move {
        let mut bytes = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_broken_off| Problem::new(&MALFORMED_BODY).detail("the body broke off"))?;
            if bytes.len().saturating_add(chunk.len()) > limit {
                return Err(Problem::new(&PAYLOAD_TOO_LARGE).detail(format!("at most {limit} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

fn is_of_type(req: &HttpRequest, media_type: &str) -> bool {
    let Some(value) = req.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == media_type
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let malformed = |error: &serde_json::Error| {
        Problem::new(&MALFORMED_BODY).detail(format!("line {}, column {}", error.line(), error.column()))
    };
    // serde would read an array as the members in the order of their declaration.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map_err(|error| malformed(&error))?;
        return Err(Problem::new(&INVALID_BODY).field("", "invalid", "expected an object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let inner = error.inner();
        if matches!(inner.classify(), Category::Syntax | Category::Eof | Category::Io) {
            return malformed(inner);
        }
        let parent = pointer(error.path());
        field_problem(&INVALID_BODY, &inner.to_string(), &parent, |name| format!("/{name}"))
    })?;
    json.end().map_err(|_trailing| Problem::new(&MALFORMED_BODY).detail("something follows the JSON value"))?;
    Ok(value)
}

/// RFC 6901.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } | Segment::Enum { variant: key } => format!("/{}", escape(key)),
            Segment::Unknown => String::new(),
        })
        .collect()
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// serde tells a missing or an unknown field by its name in the text of the error, and anything
/// else by the path to it.
pub(super) fn field_problem(
    kind: &'static ProblemKind,
    message: &str,
    parent: &str,
    name_it: impl Fn(&str) -> String,
) -> Problem {
    // " at line 1 column 9" is of no use to whoever reads a pointer.
    let message = message.split(" at line ").next().unwrap_or(message);
    let quoted = message.split('`').nth(1).unwrap_or_default();
    if message.starts_with("missing field") {
        Problem::new(kind).field(format!("{parent}{}", name_it(quoted)), "required", "missing")
    } else if message.starts_with("unknown field") {
        // The path already ends with the unknown key.
        let own = name_it(quoted);
        let base = parent.strip_suffix(&own).unwrap_or(parent);
        let base = if base.trim_start_matches('?') == quoted { "" } else { base };
        Problem::new(kind).field(format!("{base}{own}"), "unknown", "no such field")
    } else if message.starts_with("duplicate field") {
        Problem::new(kind).field(format!("{parent}{}", name_it(quoted)), "duplicate", "given twice")
    } else {
        let pointer = if parent.is_empty() || parent.starts_with('/') { parent.to_owned() } else { name_it(parent) };
        Problem::new(kind).field(pointer, "invalid", without_values(message))
    }
}

/// serde quotes the offending value (`invalid value: string "Mario", expected …`): what was expected
/// is enough, and what was sent may be personal.
fn without_values(message: &str) -> String {
    message.rsplit_once("expected ").map_or_else(
        || if message.contains('"') { "not as described".to_owned() } else { message.to_owned() },
        |(_, expected)| format!("expected {expected}"),
    )
}

pub(super) fn validation_problem(errors: &ValidationErrors) -> Problem {
    let mut problem = Problem::new(&INVALID_BODY);
    collect(errors, "", &mut problem);
    problem.errors.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    problem
}

fn collect(errors: &ValidationErrors, parent: &str, problem: &mut Problem) {
    for (field, kind) in errors.errors() {
        let here = format!("{parent}/{}", escape(field));
        match kind {
            ValidationErrorsKind::Struct(inner) => collect(inner, &here, problem),
            ValidationErrorsKind::List(items) => {
                for (index, inner) in items {
                    collect(inner, &format!("{here}/{index}"), problem);
                }
            }
            ValidationErrorsKind::Field(found) => {
                for error in found {
                    let (code, words) = in_words(error);
                    problem.errors.push(FieldError { pointer: here.clone(), code: code.into(), detail: words });
                }
            }
        }
    }
}

fn in_words(error: &validator::ValidationError) -> (String, String) {
    let limit = |name: &str| error.params.get(name).map(ToString::to_string);
    let words = match (&error.message, error.code.as_ref()) {
        (Some(message), _) => message.to_string(),
        (None, "length" | "range") => match (limit("min"), limit("max")) {
            (Some(min), Some(max)) => format!("from {min} to {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => "out of bounds".to_owned(),
        },
        (None, "email") => "not an e-mail address".to_owned(),
        (None, _) => "not as described".to_owned(),
    };
    (error.code.replace('_', "-"), words)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[validate(nested)]
        person: Person,
        #[validate(length(max = 3))]
        note: Option<String>,
    }

    #[derive(Debug, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    struct Person {
        #[validate(length(min = 1, max = 5))]
        name: String,
        #[validate(email)]
        email: String,
    }

    fn check(json: &str, slug: &str, expected: &[(&str, &str)]) {
        let problem = match parse::<Outer>(json.as_bytes()) {
            Err(problem) => problem,
            Ok(value) => validation_problem(&value.validate().unwrap_err()),
        };
        assert_eq!(problem.kind.slug, slug, "{json}");
        let found: Vec<_> = problem.errors.iter().map(|e| (e.pointer.as_str(), e.code.as_ref())).collect();
        assert_eq!(found, expected, "{json}: {:?}", problem.errors);
    }

    #[test]
    fn each_fault_is_named_by_its_pointer() {
        check("{", "malformed-body", &[]);
        check(r#"{"person":{"name":"A","email":"a@b.it"}} x"#, "malformed-body", &[]);
        check("[]", "invalid-body", &[("", "invalid")]);
        check(r#"[{"name":"A","email":"a@b.it"},null]"#, "invalid-body", &[("", "invalid")]);
        check("[[", "malformed-body", &[]);
        check("{}", "invalid-body", &[("/person", "required")]);
        check(r#"{"person":{"name":"A"}}"#, "invalid-body", &[("/person/email", "required")]);
        check(r#"{"person":{"name":"A","email":"a@b.it","age":3}}"#, "invalid-body", &[("/person/age", "unknown")]);
        check(r#"{"person":{"name":7,"email":"a@b.it"}}"#, "invalid-body", &[("/person/name", "invalid")]);
        check(
            r#"{"person":{"name":"","email":"nobody"},"note":"long"}"#,
            "invalid-body",
            &[("/note", "length"), ("/person/email", "email"), ("/person/name", "length")],
        );
    }

    #[test]
    fn what_was_sent_is_not_sent_back() {
        let problem = parse::<Outer>(br#"{"person":"RSSMRA80A01H501U"}"#).unwrap_err();
        assert!(!problem.body(kernel::Lang::It, None).to_string().contains("RSSMRA"));
    }
}
