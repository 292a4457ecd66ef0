//! Which pages may call from a browser (CORS, the Fetch standard §3.2): those of the sites that the Comune called
//! has named in its settings.
//!
//! A middleware of our own, because actix-cors has one list of origins for an application, and here each Comune has
//! its own in the database. Credentials are never allowed: tokens travel in a header that the page sets itself.
//!
//! It lies around everything but the log, so that a preflight, which carries no token, is answered before anybody
//! asks for one, and so that a page can read refusals too.

use actix_web::{
    Error, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use platform::access::Access;

use super::limits::count_once;

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const READING: &str = "GET, HEAD";
/// What a page may send.
const ALLOWED: &str = "Authorization, Content-Type, Content-Disposition, Idempotency-Key, If-Match, If-None-Match, Range, \
                       If-Range, Accept-Language";
/// What a page may read, beside what every page may.
const EXPOSED: &str = "ETag, Location, Link, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, \
                       Request-Id, Idempotency-Replayed, Content-Disposition, Content-Range, Deprecation, Sunset";
/// For how long a browser need not ask again, in seconds: as long as it may take a change of the settings to be
/// noticed by everybody.
const MAX_AGE: &str = "600";

/// Answers preflights, and tells the browser which pages may read the answer.
pub(crate) async fn cors(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let open = is_open(req.path());
    let slug = comune_of(req.path()).map(str::to_owned);
    let origin = req.headers().get(header::ORIGIN).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut granted = HeaderMap::new();
    if open && origin.is_some() {
        granted.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else if let (Some(slug), Some(origin)) = (&slug, &origin)
        && is_allowed(&req, slug, origin, count_once(&req).is_ok()).await
        && let Ok(value) = HeaderValue::from_str(origin)
    {
        granted.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
    }
    let is_preflight =
        req.method() == Method::OPTIONS && req.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !granted.is_empty() && is_preflight {
        let mut response = HttpResponse::NoContent();
        response
            .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, if open { READING } else { METHODS }))
            .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, MAX_AGE));
        let mut response = response.finish();
        add(response.headers_mut(), granted, slug.is_some());
        return Ok(req.into_response(response));
    }
    if !granted.is_empty() {
        granted.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
    match next.call(req).await {
        Ok(response) => {
            let mut response = response.map_into_boxed_body();
            add(response.headers_mut(), granted, slug.is_some());
            Ok(response)
        }
        Err(error) => Err(Readable { error, granted, varies: slug.is_some() }.into()),
    }
}

/// Pages that are the same for everybody, and hold nothing of a Comune.
fn is_open(path: &str) -> bool {
    ["/openapi.json", "/openapi-3.0.json", "/docs"].contains(&path)
        || path.starts_with("/docs/")
        || path.starts_with("/problems/")
}

/// The Comune of a path of the API.
fn comune_of(path: &str) -> Option<&str> {
    let (slug, rest) = path.strip_prefix('/')?.split_once('/')?;
    rest.starts_with("v1/").then_some(slug)
}

/// Compared as a whole: an origin has one way to be written, and a part of one is somebody else's. To read the
/// Comune's settings may cost the database something, so whoever asks too often is answered from memory.
async fn is_allowed(req: &ServiceRequest, slug: &str, origin: &str, may_read: bool) -> bool {
    let Some(access) = req.app_data::<Data<Access>>().cloned() else { return false };
    let served = if may_read { access.tenants.served(slug).await.ok() } else { access.tenants.served_lately(slug) };
    served.is_some_and(|served| served.settings.cors_origins.iter().any(|known| known == origin))
}

/// Adds the headers; what differs by origin says so, also to those who sent none, for the caches between.
fn add(headers: &mut HeaderMap, granted: HeaderMap, varies: bool) {
    for (name, value) in granted {
        headers.insert(name, value);
    }
    if varies {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
}

/// A refusal that a page may read. It is written where the request is gone, so it takes the headers with it.
#[derive(Debug)]
struct Readable {
    error: Error,
    granted: HeaderMap,
    varies: bool,
}

impl std::fmt::Display for Readable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for Readable {
    fn status_code(&self) -> StatusCode {
        self.error.as_response_error().status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.error.as_response_error().error_response();
        add(response.headers_mut(), self.granted.clone(), self.varies);
        response
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    #[test]
    fn what_is_of_a_comune_and_what_is_everybodys() {
        assert_eq!(comune_of("/bugliano/v1/offices"), Some("bugliano"));
        for path in ["/bugliano", "/bugliano/v2/offices", "/openapi.json", "/bugliano/v1", ""] {
            assert_eq!(comune_of(path), None, "{path}");
        }
        for path in ["/openapi.json", "/docs", "/docs/index.html", "/problems/not-found"] {
            assert!(is_open(path), "{path}");
        }
        for path in ["/bugliano/v1/offices", "/health/ready", "/metrics", "/docsx"] {
            assert!(!is_open(path), "{path}");
        }
    }

    #[test]
    fn every_name_is_a_header() {
        for list in [ALLOWED, EXPOSED] {
            for name in list.split(", ") {
                assert!(HeaderName::from_bytes(name.as_bytes()).is_ok(), "{name}");
            }
        }
    }
}
