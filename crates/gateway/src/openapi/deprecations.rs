//! What is going to end: the one table from which the contract marks an operation and the server tells
//! whoever still calls it.
//!
//! An operation in the table is `deprecated` in the document, with `x-deprecated-since` and `x-sunset`, and its
//! answers carry `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and a `Link` to what to do instead. The policy,
//! with the least notice, is in `docs/api-design.md`.

use std::fmt;

use actix_web::{
    Error, HttpResponse, ResponseError,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{HeaderMap, HeaderName, HeaderValue, LINK},
    },
    middleware::Next,
};
use jiff::{Timestamp, civil::Date, fmt::rfc2822::DateTimePrinter, tz::Offset};
use serde_json::{Map, Value};

/// The prefix of every path in the document, as the server routes it.
const PREFIX: &str = "/{comune}/v1";
/// Where the policy is told.
const POLICY: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/api-design.md#how-something-ends");

/// One operation that will end.
#[derive(Debug, Clone, Copy)]
pub struct Deprecation {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path as the document writes it: `/calendars/{calendar_id}`.
    pub path: &'static str,
    /// From this day on (its beginning, UTC) it should not be used any more.
    pub since: Date,
    /// From this day on (its beginning, UTC) it may be gone.
    pub sunset: Date,
    /// What to use instead, for people: a sentence.
    pub instead: &'static str,
}

/// Everything that is deprecated today.
pub static DEPRECATIONS: &[Deprecation] = &[];

/// The least time between the day of the deprecation and the sunset.
pub const LEAST_NOTICE_MONTHS: i32 = 12;

impl Deprecation {
    /// Adds the headers of its answers; links stand beside that to a next page, where there is one.
    fn tell(&self, headers: &mut HeaderMap) {
        let since = midnight(self.since).map(|instant| format!("@{}", instant.as_second()));
        let sunset =
            midnight(self.sunset).and_then(|instant| DateTimePrinter::new().timestamp_to_rfc9110_string(&instant).ok());
        let links = ["deprecation", "sunset"].map(|rel| Some(format!("<{POLICY}>; rel=\"{rel}\"; type=\"text/html\"")));
        let names = [HeaderName::from_static("deprecation"), HeaderName::from_static("sunset"), LINK, LINK];
        for (name, text) in names.into_iter().zip([since, sunset].into_iter().chain(links)) {
            if let Some(Ok(value)) = text.map(HeaderValue::try_from) {
                headers.append(name, value);
            }
        }
    }

    fn is_of(&self, method: &Method, pattern: &str) -> bool {
        // HEAD is answered as GET is.
        let method = if *method == Method::HEAD { Method::GET.as_str() } else { method.as_str() };
        self.method == method && pattern.strip_prefix(PREFIX) == Some(self.path)
    }
}

/// When a day begins, in UTC.
fn midnight(day: Date) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()
}

/// Marks in the document what the table says.
pub(super) fn mark(paths: &mut Map<String, Value>, table: &[Deprecation]) {
    for deprecation in table {
        let operation =
            paths.get_mut(deprecation.path).and_then(|item| item.get_mut(deprecation.method.to_lowercase()));
        let Some(Value::Object(operation)) = operation else { continue };
        operation.insert("deprecated".into(), true.into());
        operation.insert("x-deprecated-since".into(), deprecation.since.to_string().into());
        operation.insert("x-sunset".into(), deprecation.sunset.to_string().into());
        let words = format!(
            "Deprecated since {}, gone from {} on. {}",
            deprecation.since, deprecation.sunset, deprecation.instead
        );
        let text = operation.get("description").and_then(Value::as_str).unwrap_or_default();
        if !text.starts_with(&words) {
            let text = format!("{words}\n\n{text}").trim_end().to_owned();
            operation.insert("description".into(), text.into());
        }
    }
}

/// Tells callers of what will end that it will. Outside of everything that may refuse, so that refusals tell it too.
pub(crate) async fn announce(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    announce_from(DEPRECATIONS, req, next).await
}

async fn announce_from(
    table: &[Deprecation],
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    // Which route answers is known by the address, before anything is routed.
    let found = match table {
        [] => None,
        table => req
            .match_pattern()
            .and_then(|pattern| table.iter().find(|deprecation| deprecation.is_of(req.method(), &pattern))),
    };
    let Some(deprecation) = found else { return next.call(req).await };
    match next.call(req).await {
        Ok(mut response) => {
            deprecation.tell(response.headers_mut());
            Ok(response)
        }
        Err(error) => Err(Told { error, deprecation: *deprecation }.into()),
    }
}

/// A refusal that could not be written where the request was at hand.
#[derive(Debug)]
struct Told {
    error: Error,
    deprecation: Deprecation,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for Told {
    fn status_code(&self) -> StatusCode {
        self.error.as_response_error().status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.error.error_response();
        self.deprecation.tell(response.headers_mut());
        response
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, middleware::from_fn, test, web};
    use jiff::{ToSpan, civil::date};
    use serde_json::json;

    use super::*;
    use crate::openapi;

    static EXAMPLE: &[Deprecation] = &[Deprecation {
        method: "GET",
        path: "/offices/{office_id}",
        since: date(2027, 1, 1),
        sunset: date(2028, 3, 31),
        instead: "Read `/places`.",
    }];

    #[::core::prelude::v1::test]
    fn what_is_deprecated_exists_and_ends_with_due_notice() {
        let paths = openapi::document()["paths"].clone();
        for deprecation in DEPRECATIONS.iter().chain(EXAMPLE) {
            let Deprecation { method, path, since, sunset, instead } = *deprecation;
            assert!(paths[path].get(method.to_lowercase()).is_some(), "{method} {path} is not in the contract");
            assert!(sunset >= since + LEAST_NOTICE_MONTHS.months(), "{method} {path} ends too soon");
            assert!(instead.ends_with('.'), "{method} {path}: {instead:?} is no sentence");
        }
    }

    #[::core::prelude::v1::test]
    fn the_document_marks_it_once() {
        let mut paths = json!({ "/offices/{office_id}": { "get": { "description": "An office." } } });
        let paths = paths.as_object_mut().unwrap();
        mark(paths, EXAMPLE);
        mark(paths, EXAMPLE);
        let expected = json!({
            "deprecated": true,
            "x-deprecated-since": "2027-01-01",
            "x-sunset": "2028-03-31",
            "description": "Deprecated since 2027-01-01, gone from 2028-03-31 on. Read `/places`.\n\nAn office.",
        });
        assert_eq!(paths["/offices/{office_id}"]["get"], expected);
    }

    #[derive(Debug)]
    struct Missing;
    impl std::fmt::Display for Missing {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("missing")
        }
    }
    impl ResponseError for Missing {
        fn status_code(&self) -> StatusCode {
            StatusCode::NOT_FOUND
        }
    }

    #[actix_web::test]
    async fn answers_and_refusals_tell_it_and_others_do_not() {
        async fn example(
            req: ServiceRequest,
            next: Next<impl MessageBody + 'static>,
        ) -> Result<ServiceResponse<impl MessageBody>, Error> {
            announce_from(EXAMPLE, req, next).await
        }
        async fn office(id: web::Path<(String, String)>) -> Result<HttpResponse, Missing> {
            if id.1 == "0" { Err(Missing) } else { Ok(HttpResponse::Ok().finish()) }
        }
        // As errors of middleware reach the caller: not through a response of the handler.
        async fn refuse(
            req: ServiceRequest,
            next: Next<impl MessageBody + 'static>,
        ) -> Result<ServiceResponse<impl MessageBody>, Error> {
            if req.headers().contains_key("refuse") { Err(Missing.into()) } else { next.call(req).await }
        }
        let app = test::init_service(
            App::new().wrap(from_fn(refuse)).wrap(from_fn(example)).service(
                web::scope("/{comune}/v1")
                    .route("/offices/{office_id}", web::to(office))
                    .route("/places", web::to(HttpResponse::Ok)),
            ),
        )
        .await;
        let expected = [("deprecation", "@1798761600"), ("sunset", "Fri, 31 Mar 2028 00:00:00 GMT")];
        for (method, path, refuse, status, told) in [
            (Method::GET, "/bugliano/v1/offices/1", false, 200, true),
            (Method::HEAD, "/bugliano/v1/offices/1", false, 200, true),
            (Method::GET, "/bugliano/v1/offices/0", false, 404, true),
            (Method::GET, "/bugliano/v1/offices/1", true, 404, true),
            (Method::PATCH, "/bugliano/v1/offices/1", false, 200, false),
            (Method::GET, "/bugliano/v1/places", false, 200, false),
            (Method::GET, "/nowhere", false, 404, false),
        ] {
            let mut request = test::TestRequest::with_uri(path).method(method.clone());
            if refuse {
                request = request.insert_header(("refuse", "1"));
            }
            let (answered, headers) = match test::try_call_service(&app, request.to_request()).await {
                Ok(response) => (response.status(), response.headers().clone()),
                Err(error) => (error.error_response().status(), error.error_response().headers().clone()),
            };
            assert_eq!(answered.as_u16(), status, "{method} {path}");
            for (name, value) in expected {
                let found = headers.get(name).and_then(|value| value.to_str().ok());
                assert_eq!(found, told.then_some(value), "{method} {path}: {name}");
            }
            let links: Vec<_> = headers.get_all(LINK).map(|value| value.to_str().unwrap()).collect();
            for rel in ["deprecation", "sunset"] {
                let linked = links.iter().any(|link| link.contains(&format!("rel=\"{rel}\"")));
                assert_eq!(linked, told, "{method} {path}: {links:?}");
            }
        }
    }
}
