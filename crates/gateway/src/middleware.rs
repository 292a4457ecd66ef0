//! What every request goes through: refusals told properly, panics caught, the request's id sent back.

pub(crate) mod address;
pub(crate) mod assured;
pub(crate) mod compression;
mod cors;
pub(crate) mod limits;
pub(crate) mod signed_in;

use std::panic::AssertUnwindSafe;

use actix_web::{
    Error, HttpMessage, HttpResponse, ResponseError,
    body::{self, BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header},
    middleware::Next,
};
use futures_util::FutureExt;
use kernel::{Lang, Problem};
use platform::{
    http::{NextPage, Refused, problem_response},
    problems::{MALFORMED_BODY, NOT_FOUND, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE},
};
use storage::problems::INTERNAL_ERROR;
use tracing_actix_web::RequestId;

pub(crate) use self::cors::cors;
use self::limits::Standing;

/// Tells every refusal as problem+json in the reader's language with the request's id, also those of
/// the framework, and adds `Request-Id` to every answer, and where the caller stands with their limits.
pub(crate) async fn speak_problems(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let header = req.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let lang = header.map(Lang::negotiate).unwrap_or_default();
    let id = req.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
    let query = req.query_string().to_owned();
    let told = limits::Told::place(&req);
    let response = match next.call(req).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => {
            return Err(Told { problem: of_error(&error), lang, id, standing: told.standing() }.into());
        }
    };
    let mut response = match of_response(&response) {
        Some(problem) => response.into_response(problem_response(&problem, lang, Some(&id))),
        None => response,
    };
    let next = response.response().extensions().get::<NextPage>().map(|NextPage(cursor)| next_link(&query, cursor));
    if let Some(Ok(link)) = next.map(header::HeaderValue::try_from) {
        response.headers_mut().insert(header::LINK, link);
    }
    if let Ok(value) = header::HeaderValue::from_str(&id) {
        response.headers_mut().insert(header::HeaderName::from_static("request-id"), value);
    }
    if let Some(standing) = told.standing() {
        standing.tell(response.headers_mut());
    }
    Ok(response)
}

/// The same question again, from the cursor on.
fn next_link(query: &str, cursor: &str) -> String {
    let kept = query.split('&').filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("after"));
    let after = format!("after={cursor}");
    let pairs: Vec<&str> = kept.chain([after.as_str()]).collect();
    format!("<?{}>; rel=\"next\"", pairs.join("&"))
}

/// Answers HEAD wherever GET is answered (RFC 9110 §9.3.2). The connection knows what was asked and sends
/// the headers alone.
pub(crate) async fn head_as_get(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let head = req.method() == Method::HEAD;
    if head {
        req.head_mut().method = Method::GET;
    }
    let response = next.call(req).await?;
    // What has no known length would be made to its end for nobody, and an event stream has none.
    if head && response.response().body().size() == BodySize::Stream {
        return Ok(response.map_body(|_, _| BoxBody::new(body::None::new())));
    }
    Ok(response.map_into_boxed_body())
}

/// Turns a panic into an answer. The caller learns that it was our fault, the log learns the rest.
pub(crate) async fn catch_panics(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // Nothing of the request is used after a panic, so nothing half-changed can be seen.
    match AssertUnwindSafe(next.call(req)).catch_unwind().await {
        Ok(outcome) => outcome.map(ServiceResponse::map_into_boxed_body),
        Err(_panic) => {
            tracing::error!("a handler panicked");
            Err(Refused(Problem::new(&INTERNAL_ERROR)).into())
        }
    }
}

/// The problem that an answer tells, when it tells one or ought to.
fn of_response(response: &ServiceResponse<BoxBody>) -> Option<Problem> {
    if let Some(problem) = response.response().extensions().get::<Problem>() {
        return Some(problem.clone());
    }
    let status = response.status();
    (status.is_client_error() || status.is_server_error()).then(|| of_status(status))
}

fn of_error(error: &Error) -> Problem {
    match error.as_error::<Refused>() {
        Some(refused) => refused.0.clone(),
        None => of_status(error.as_response_error().status_code()),
    }
}

/// What the framework means by a bare status.
fn of_status(status: StatusCode) -> Problem {
    Problem::new(match status {
        StatusCode::NOT_FOUND => &NOT_FOUND,
        StatusCode::PAYLOAD_TOO_LARGE => &PAYLOAD_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => &UNSUPPORTED_MEDIA_TYPE,
        status if status.is_client_error() => &MALFORMED_BODY,
        _ => &INTERNAL_ERROR,
    })
}

/// A problem that could not be written where the request was at hand.
#[derive(Debug)]
struct Told {
    problem: Problem,
    lang: Lang,
    id: String,
    standing: Option<Standing>,
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.problem.fmt(f)
    }
}

/// The kind of a refusal that is on its way out, if it is one.
pub(crate) fn slug_of(error: &Error) -> Option<&'static str> {
    error.as_error::<Told>().map(|told| told.problem.kind.slug)
}

impl ResponseError for Told {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = problem_response(&self.problem, self.lang, Some(&self.id));
        if let Ok(value) = header::HeaderValue::from_str(&self.id) {
            response.headers_mut().insert(header::HeaderName::from_static("request-id"), value);
        }
        if let Some(standing) = self.standing {
            standing.tell(response.headers_mut());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, middleware::from_fn, test, web};
    use serde_json::Value;
    use tracing_actix_web::TracingLogger;

    use super::*;

    #[actix_web::test]
    async fn a_panic_is_an_internal_error_and_the_server_goes_on() {
        async fn panics() -> HttpResponse {
            panic!("with Mario Rossi's data in the message")
        }
        let app = test::init_service(
            App::new()
                .wrap(from_fn(catch_panics))
                .wrap(from_fn(speak_problems))
                .wrap(TracingLogger::<crate::logging::RequestSpan>::new())
                .route("/panics", web::get().to(panics))
                .route("/works", web::get().to(HttpResponse::Ok)),
        )
        .await;
        let request = test::TestRequest::get().uri("/panics").insert_header(("Accept-Language", "en")).to_request();
        let error = test::try_call_service(&app, request).await.unwrap_err();
        let response = error.error_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.headers().contains_key("request-id"));
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["type"], "/problems/internal-error");
        assert_eq!(body["title"], "Internal error");
        assert!(!body.to_string().contains("Mario"));

        let request = test::TestRequest::get().uri("/works").to_request();
        assert!(test::call_service(&app, request).await.status().is_success());
    }

    #[::core::prelude::v1::test]
    fn the_next_page_asks_the_same_question() {
        assert_eq!(next_link("", "C"), "<?after=C>; rel=\"next\"");
        assert_eq!(next_link("office_id=1&after=B&limit=5", "C"), "<?office_id=1&limit=5&after=C>; rel=\"next\"");
    }

    #[actix_web::test]
    async fn a_bare_status_becomes_a_problem() {
        let app = test::init_service(
            App::new().wrap(from_fn(speak_problems)).route("/bare", web::get().to(HttpResponse::BadRequest)),
        )
        .await;
        let response = test::call_service(&app, test::TestRequest::get().uri("/bare").to_request()).await;
        assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json");
        let body: Value = test::read_body_json(response).await;
        assert_eq!(body["status"], 400);
    }
}
