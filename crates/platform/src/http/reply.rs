//! Answers: status, validators and body in one place, so that a stored answer can be served again.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use kernel::{Page, Problem};
use serde::Serialize;
use storage::problems::INTERNAL_ERROR;

use super::Refused;

/// The cursor of the page that follows, for the `Link` header: the middleware that writes it knows the
/// query that has to be repeated.
#[derive(Debug, Clone)]
pub struct NextPage(pub String);

/// What a handler returns.
pub type Answer = Result<HttpResponse, Refused>;

/// An answer before it is written.
#[derive(Debug)]
pub struct Reply<T> {
    status: StatusCode,
    location: Option<String>,
    etag: Option<String>,
    body: T,
}

impl<T: Serialize> Reply<T> {
    /// 200 with a body.
    ///
    /// # Errors
    /// `internal-error` when the body cannot be written.
    pub fn ok(body: T) -> Answer {
        Self::with(StatusCode::OK, body).answer()
    }

    /// A reply with this status.
    pub const fn with(status: StatusCode, body: T) -> Self {
        Self { status, location: None, etag: None, body }
    }

    /// 201: something was made.
    pub const fn created(body: T) -> Self {
        Self::with(StatusCode::CREATED, body)
    }

    /// Where the thing made is, relative to the request's own address.
    #[must_use]
    pub fn at(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// The strong validator (RFC 9110 §8.8.3), without its quotes.
    #[must_use]
    pub fn etag(mut self, etag: impl Into<String>) -> Self {
        self.etag = Some(etag.into());
        self
    }

    /// Writes the body out, keeping what must be kept to answer the same again.
    ///
    /// # Errors
    /// `internal-error` when the body cannot be written.
    pub fn written(&self) -> Result<Written, Problem> {
        let body = serde_json::to_string(&self.body).map_err(|error| {
            tracing::error!(%error, "a body could not be written");
            Problem::new(&INTERNAL_ERROR)
        })?;
        Ok(Written { status: self.status.as_u16(), location: self.location.clone(), etag: self.etag.clone(), body })
    }

    /// The HTTP answer.
    ///
    /// # Errors
    /// `internal-error` when the body cannot be written.
    pub fn answer(&self) -> Answer {
        Ok(self.written()?.response())
    }
}

impl<T: Serialize> Reply<Page<T>> {
    /// 200 with a page of a list.
    ///
    /// # Errors
    /// `internal-error` when the body cannot be written.
    pub fn page(page: Page<T>) -> Answer {
        let next = page.next.clone();
        let mut response = Self::ok(page)?;
        if let Some(cursor) = next {
            response.extensions_mut().insert(NextPage(cursor));
        }
        Ok(response)
    }
}

/// An answer written out.
#[derive(Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Written {
    /// HTTP status.
    pub status: u16,
    /// `Location`.
    pub location: Option<String>,
    /// `ETag`, without quotes.
    pub etag: Option<String>,
    /// The JSON body.
    pub body: String,
}

kernel::redacted_debug!(Written);

impl Written {
    /// The HTTP answer.
    pub fn response(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = HttpResponse::build(status);
        response.content_type("application/json").insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(location) = self.location {
            response.insert_header((header::LOCATION, location));
        }
        if let Some(etag) = self.etag {
            response.insert_header((header::ETAG, format!("\"{etag}\"")));
        }
        response.body(self.body)
    }
}
