//! Refusals, told as RFC 9457 "problem details".

use std::{borrow::Cow, fmt};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::Lang;

/// One entry of a crate's table of refusals: a stable slug with its status and texts.
#[derive(Debug, PartialEq, Eq)]
pub struct ProblemKind {
    /// Stable, kebab-case; the problem's `type` is `/problems/<slug>`.
    pub slug: &'static str,
    /// HTTP status code.
    pub status: u16,
    /// What a person reads, in Italian.
    pub it: &'static str,
    /// What a person reads, in English.
    pub en: &'static str,
    /// What a person reads, in German (South Tyrol).
    pub de: &'static str,
    /// For the documentation page: when it happens and what the caller can do.
    pub about: &'static str,
}

impl ProblemKind {
    /// The title in the reader's language.
    pub const fn title(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::It => self.it,
            Lang::En => self.en,
            Lang::De => self.de,
        }
    }
}

/// Declares a crate's table of refusals: one `static` per line, and `ALL` with every one of them.
#[macro_export]
macro_rules! problems {
    ($( $(#[$doc:meta])* $name:ident = $status:literal $slug:literal {
        it: $it:literal, en: $en:literal, de: $de:literal, about: $about:literal $(,)?
    } )*) => {
        $( $(#[$doc])* #[doc = $about] pub static $name: $crate::ProblemKind = $crate::ProblemKind {
            slug: $slug, status: $status, it: $it, en: $en, de: $de, about: $about,
        }; )*
        /// Every refusal of this table, for the documentation pages.
        pub static ALL: &[&$crate::ProblemKind] = &[ $( &$name ),* ];
    };
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body, or `?name` for a query parameter.
    pub pointer: String,
    /// Stable, machine-readable reason, such as `required` or `too-long`.
    pub code: Cow<'static, str>,
    /// The reason in words, for a developer.
    pub detail: String,
}

/// A refusal: which kind, and what is particular to this occurrence.
///
/// The `title` is for people and follows `Accept-Language`; the `detail` is for whoever writes
/// the client and is English. Neither may carry personal data.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Which refusal.
    pub kind: &'static ProblemKind,
    /// This occurrence in words.
    pub detail: Option<String>,
    /// The fields at fault.
    pub errors: Vec<FieldError>,
    /// Members of this kind of problem, such as `alternatives`.
    pub extensions: Map<String, Value>,
    /// Seconds after which a retry makes sense; becomes `Retry-After`.
    pub retry_after: Option<u32>,
    /// Methods the resource does answer; becomes `Allow`.
    pub allow: Option<String>,
}

impl Problem {
    /// A refusal of this kind, with nothing more to say.
    pub fn new(kind: &'static ProblemKind) -> Self {
        Self { kind, detail: None, errors: Vec::new(), extensions: Map::new(), retry_after: None, allow: None }
    }

    /// Says what happened this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Names a field at fault.
    #[must_use]
    pub fn field(
        mut self,
        pointer: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        self.errors.push(FieldError { pointer: pointer.into(), code: code.into(), detail: detail.into() });
        self
    }

    /// Adds a member of this kind of problem.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extensions.insert(name.to_owned(), value.into());
        self
    }

    /// Tells the caller when to try again.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The body of the answer (`application/problem+json`).
    pub fn body(&self, lang: Lang, request_id: Option<&str>) -> Value {
        let mut body = Map::new();
        body.insert("type".into(), format!("/problems/{}", self.kind.slug).into());
        body.insert("title".into(), self.kind.title(lang).into());
        body.insert("status".into(), self.kind.status.into());
        if let Some(detail) = &self.detail {
            body.insert("detail".into(), detail.as_str().into());
        }
        if let Some(id) = request_id {
            body.insert("instance".into(), format!("urn:uuid:{id}").into());
        }
        if !self.errors.is_empty() {
            let errors = self
                .errors
                .iter()
                .map(|e| serde_json::json!({ "pointer": e.pointer, "code": e.code, "detail": e.detail }));
            body.insert("errors".into(), errors.collect());
        }
        body.extend(self.extensions.clone());
        Value::Object(body)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.status, self.kind.slug)?;
        self.detail.as_ref().map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

impl std::error::Error for Problem {}
