//! RFC 9457 problem details as HTTP answers.

use std::fmt;

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{StatusCode, header},
};
use kernel::{Lang, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use crate::problems::NOT_FOUND;

/// A refusal on its way out of a handler.
///
/// Written here in Italian and without an instance; the gateway's middleware, which knows the
/// request, writes it again in the reader's language and with the request's id.
#[derive(Debug)]
pub struct Refused(pub Problem);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        problem_response(&self.0, Lang::default(), None)
    }
}

/// Writes a problem as the answer to a request.
pub fn problem_response(problem: &Problem, lang: Lang, request_id: Option<&str>) -> HttpResponse {
    let status = StatusCode::from_u16(problem.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponseBuilder::new(status);
    response
        .content_type("application/problem+json")
        .insert_header((header::CONTENT_LANGUAGE, lang.tag()))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    if let Some(seconds) = problem.retry_after {
        response.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    if let Some(allow) = &problem.allow {
        response.insert_header((header::ALLOW, allow.as_str()));
    }
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    // RFC 9470: which authentication would do.
    if let Some(serde_json::Value::Array(values)) = problem.extensions.get("acr_values") {
        let values: Vec<&str> = values.iter().filter_map(serde_json::Value::as_str).collect();
        let challenge =
            format!("Bearer error=\"insufficient_user_authentication\", acr_values=\"{}\"", values.join(" "));
        response.insert_header((header::WWW_AUTHENTICATE, challenge));
    }
    let mut response = response.body(problem.body(lang, request_id).to_string());
    // So that the middleware can tell a refusal of ours from an error of the framework.
    response.extensions_mut().insert(problem.clone());
    response
}

/// The refusal for what is not there, or not the caller's to see.
pub fn not_found() -> Problem {
    Problem::new(&NOT_FOUND)
}

/// A refusal, as RFC 9457 tells it. Some kinds carry members of their own, named in their documentation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "/problems/slot-taken", "title": "Orario non più disponibile", "status": 409,
    "detail": "every counter is taken at that time"
}))]
pub struct ProblemBody {
    /// What kind of problem; a page of this server explains it.
    #[schema(max_length = 200)]
    pub r#type: String,
    /// The problem in the reader's language.
    #[schema(max_length = 200)]
    pub title: String,
    /// The HTTP status, again.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// This occurrence, for whoever writes the client.
    #[schema(max_length = 2000)]
    pub detail: Option<String>,
    /// Names this occurrence; quote it when asking for help.
    #[schema(max_length = 200)]
    pub instance: Option<String>,
    /// The fields at fault.
    #[schema(max_items = 100)]
    pub errors: Option<Vec<FieldErrorBody>>,
}

/// What is wrong with one field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FieldError, example = json!({ "pointer": "/applicant/email", "code": "email", "detail": "not an e-mail address" }))]
pub struct FieldErrorBody {
    /// JSON pointer into the body, `?name` for a query parameter, or the name of a header.
    #[schema(max_length = 500)]
    pub pointer: String,
    /// Stable, machine-readable reason.
    #[schema(max_length = 100)]
    pub code: String,
    /// The reason in words.
    #[schema(max_length = 1000)]
    pub detail: String,
}
