//! The answers that every operation has in common: refusals as problems, and words where none were found.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::finish::taken;

/// The media type of every refusal (RFC 9457).
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// What the shape of an operation tells about the refusals it can meet.
#[derive(Default)]
struct Facts {
    body: bool,
    path_parameter: bool,
    query: bool,
    idempotency_key: bool,
    idempotency_key_required: bool,
    if_match: bool,
    if_match_required: bool,
    /// Citizens may do it in their own name.
    named: bool,
    platform: bool,
}

/// A refusal's status and slug, and which operations can meet it.
type Refusal = (&'static str, &'static str, fn(&Facts) -> bool);

/// The refusals that come from around the handlers: extractors, access, storage.
///
/// 401 and 403 are everybody's: a token that is sent is checked also where none is needed, and may
/// be bad, or good and of somebody whom this Comune does not know.
const REFUSALS: [Refusal; 22] = [
    ("400", "malformed-body", |facts| facts.body),
    ("400", "idempotency-key-required", |facts| facts.idempotency_key_required),
    ("400", "invalid-header", |facts| facts.idempotency_key || facts.if_match),
    ("401", "unauthenticated", |_| true),
    ("401", "signature-required", |_| true),
    ("401", "signature-invalid", |_| true),
    ("403", "forbidden", |_| true),
    ("403", "assurance-too-low", |facts| facts.named),
    ("404", "not-found", |facts| !facts.platform || facts.path_parameter),
    ("409", "idempotency-in-progress", |facts| facts.idempotency_key),
    ("412", "version-mismatch", |facts| facts.if_match),
    ("413", "payload-too-large", |facts| facts.body),
    ("415", "unsupported-media-type", |facts| facts.body),
    ("422", "invalid-body", |facts| facts.body),
    ("422", "invalid-query", |facts| facts.query),
    ("422", "idempotency-key-reused", |facts| facts.idempotency_key),
    ("428", "precondition-required", |facts| facts.if_match_required),
    ("429", "rate-limited", |_| true),
    ("500", "internal-error", |_| true),
    ("503", "storage-busy", |_| true),
    ("503", "identity-unavailable", |_| true),
    ("503", "tenant-suspended", |facts| !facts.platform),
];

/// The name of a status among the shared answers, and what to say when nobody said anything.
fn reason(status: &str) -> (&'static str, &'static str) {
    match status {
        "200" => ("Ok", "Done."),
        "201" => ("Created", "Made."),
        "202" => ("Accepted", "Taken on; it will be done."),
        "204" => ("NoContent", "Done; there is nothing to say."),
        "304" => ("NotModified", "The copy you have is current."),
        "400" => ("BadRequest", "The request is not well formed."),
        "401" => (
            "Unauthenticated",
            "The token is missing, expired or not valid here, or the request is not signed as it must be.",
        ),
        "403" => ("Forbidden", "This caller may not do this."),
        "404" => ("NotFound", "There is no such thing, or it is not this caller's to see."),
        "405" => ("MethodNotAllowed", "The resource does not answer this method; `Allow` names those it does."),
        "409" => ("Conflict", "As things stand it cannot be done."),
        "412" => ("PreconditionFailed", "It has changed since it was read: read it again."),
        "413" => ("ContentTooLarge", "The body is larger than the server accepts."),
        "415" => ("UnsupportedMediaType", "The body is of a media type that this call does not read."),
        "422" => ("Unprocessable", "A part of the request is not acceptable; `errors` says which."),
        "428" => ("PreconditionRequired", "`If-Match` is missing."),
        "429" => ("TooManyRequests", "Too many requests: try again after `Retry-After` seconds."),
        "500" => ("InternalError", "A fault of the server; quote the `Request-Id`."),
        "503" => ("Unavailable", "The server cannot answer now: try again after `Retry-After` seconds."),
        other if other.starts_with('2') => ("Success", "Done."),
        _ => ("Refusal", "Refused."),
    }
}

fn facts(
    path: &str,
    method: &str,
    operation: &Map<String, Value>,
    shared_parameters: Option<&Value>,
    platform: bool,
) -> Facts {
    let ways = operation.get("security").and_then(Value::as_array).into_iter().flatten();
    let ways: Vec<_> = ways.filter_map(Value::as_object).map(Map::is_empty).collect();
    let mut facts = Facts {
        named: ways.contains(&false) && !(ways.contains(&true) && method == "get"),
        body: operation.contains_key("requestBody"),
        path_parameter: path.contains('{'),
        platform,
        ..Facts::default()
    };
    let own = operation.get("parameters");
    for parameter in [shared_parameters, own].into_iter().flatten().filter_map(Value::as_array).flatten() {
        let is = |member: &str, text: &str| {
            parameter.get(member).and_then(Value::as_str).is_some_and(|value| value.eq_ignore_ascii_case(text))
        };
        let required = parameter.get("required").and_then(Value::as_bool).unwrap_or(false);
        facts.query |= is("in", "query");
        if is("in", "header") && is("name", "Idempotency-Key") {
            facts.idempotency_key = true;
            facts.idempotency_key_required = required;
        }
        if is("in", "header") && is("name", "If-Match") {
            facts.if_match = true;
            facts.if_match_required = required;
        }
    }
    facts
}

/// Gives every answer of an operation what it lacks, and the operation the refusals it can meet.
pub(super) fn complete(
    path: &str,
    method: &str,
    operation: &mut Map<String, Value>,
    shared_parameters: Option<&Value>,
    platform: bool,
) {
    let facts = facts(path, method, operation, shared_parameters, platform);
    let mut responses = taken(operation, "responses");
    for (status, response) in &mut responses {
        if let Value::Object(response) = response
            && !response.contains_key("$ref")
        {
            finish_response(status, response);
        }
    }
    let mut met = BTreeMap::<&str, Vec<&str>>::new();
    for (status, slug, _) in REFUSALS.iter().filter(|(_, _, meets)| meets(&facts)) {
        met.entry(status).or_default().push(slug);
    }
    for (status, slugs) in met {
        match responses.get_mut(status) {
            Some(declared) => {
                if let Some(Value::String(text)) = declared.get_mut("description") {
                    let untold: Vec<_> =
                        slugs.into_iter().filter(|slug| !text.contains(&format!("`{slug}`"))).collect();
                    let lead = if text.contains('`') { " Also: " } else { " Problem: " };
                    text.push_str(&told(lead, &untold));
                }
            }
            None if slugs == slugs_of(status) => {
                let name = reason(status).0;
                responses.insert(status.into(), json!({ "$ref": format!("#/components/responses/{name}") }));
            }
            None => {
                responses.insert(status.into(), refusal(status, &slugs));
            }
        }
    }
    operation.insert("responses".into(), Value::Object(responses));
}

/// All refusals of a status: where an operation can meet every one of them, its answer is the shared one.
fn slugs_of(status: &str) -> Vec<&'static str> {
    REFUSALS.iter().filter(|(other, ..)| *other == status).map(|(_, slug, _)| *slug).collect()
}

fn told(lead: &str, slugs: &[&str]) -> String {
    if slugs.is_empty() {
        return String::new();
    }
    let slugs: Vec<_> = slugs.iter().map(|slug| format!("`{slug}`")).collect();
    format!("{lead}{}.", slugs.join(", "))
}

/// The headers that answers have in common: by name, the shared header's name and what it says.
const HEADERS: [(&str, &str, &str); 7] = [
    ("RateLimit-Limit", "RateLimitLimit", "How many requests this caller may send at once after a pause."),
    ("RateLimit-Remaining", "RateLimitRemaining", "How many of them are left."),
    (
        "RateLimit-Reset",
        "RateLimitReset",
        "Seconds until all of them are there again; with 429, as `Retry-After`, until the next one is.",
    ),
    ("Retry-After", "RetryAfter", "Seconds after which to try again."),
    (
        "Cache-Control",
        "CacheControl",
        "`no-store`, unless the answer may be kept: then how long (`max-age`) and by whom (`private`, `public`).",
    ),
    ("ETag", "ETag", "The version, to be sent back as `If-Match` with a change."),
    ("Location", "Location", "The address of what was made."),
];

/// Which of them an answer with this status and description has.
fn headers_of(status: &str, text: &str) -> impl Iterator<Item = (&'static str, Value)> {
    let succeeds = status.starts_with('2');
    let is_counted = succeeds || status.starts_with('4');
    let waits = ["429", "503"].contains(&status);
    // A handler that says "`ETag` is set" has said enough.
    let says = |name: &str| succeeds && text.contains(&format!("`{name}`"));
    let has: Vec<_> = HEADERS
        .into_iter()
        .filter(|(name, ..)| match *name {
            "Retry-After" => waits,
            "Cache-Control" => succeeds,
            "ETag" | "Location" => says(name),
            _ => is_counted,
        })
        .map(|(name, shared, _)| (name, json!({ "$ref": format!("#/components/headers/{shared}") })))
        .collect();
    has.into_iter()
}

/// Gives a declared answer what it lacks.
fn finish_response(status: &str, response: &mut Map<String, Value>) {
    let refused = status.starts_with(['4', '5']);
    let mut text = match response.get("description").and_then(Value::as_str) {
        Some(given) if !given.trim().is_empty() => given.trim().to_owned(),
        _ => reason(status).1.to_owned(),
    };
    if !text.ends_with(['.', '!', '?', ':', ';']) {
        text.push('.');
    }
    let mut headers = taken(response, "headers");
    for (name, header) in headers_of(status, &text) {
        headers.entry(name).or_insert(header);
    }
    if !headers.is_empty() {
        response.insert("headers".into(), Value::Object(headers));
    }
    response.insert("description".into(), text.into());
    if refused {
        let mut content = taken(response, "content");
        if let Some(body) = content.remove("application/json") {
            content.entry(PROBLEM_JSON).or_insert(body);
        }
        if content.is_empty() {
            content.insert(PROBLEM_JSON.into(), problem());
        }
        response.insert("content".into(), Value::Object(content));
    }
}

/// The answer of a status for those of its refusals that can be met.
fn refusal(status: &str, slugs: &[&str]) -> Value {
    let description = format!("{}{}", reason(status).1, told(" Problem: ", slugs));
    let mut response = Map::new();
    response.insert("description".into(), description.into());
    finish_response(status, &mut response);
    Value::Object(response)
}

fn problem() -> Value {
    json!({ "schema": { "$ref": "#/components/schemas/Problem" } })
}

/// A header that is sent with every answer that declares it.
fn header(name: &str, about: &str) -> Value {
    let number = |maximum: u32| json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": maximum });
    let schema = match name {
        "Retry-After" => number(86_400),
        name if name.starts_with("RateLimit-") => number(u32::MAX),
        "Location" => json!({ "type": "string", "format": "uri-reference", "maxLength": 500 }),
        _ => json!({ "type": "string", "maxLength": 200 }),
    };
    json!({ "description": about, "required": true, "schema": schema })
}

/// Adds the security scheme, the shared answers, their headers and the shape of a problem.
pub(super) fn add_shared(components: &mut Map<String, Value>) {
    components.insert(
        "securitySchemes".into(),
        json!({ "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A JWT of the Comune's identity provider, checked as RFC8725 asks (issuer, audience, expiry, \
                and only asymmetric algorithms), the access token (`sps_…`) of a session of somebody of the staff, an API \
                key (`spk_…`) of a device or an integration, or a voucher of PDND, where the Comune lets systems in through it \
                (with `Agid-JWT-Signature` beside it, where it wants requests signed).",
        } }),
    );
    let mut responses = taken(components, "responses");
    for (status, ..) in REFUSALS {
        responses.insert(reason(status).0.into(), refusal(status, &slugs_of(status)));
    }
    components.insert("responses".into(), Value::Object(responses));
    let mut headers = taken(components, "headers");
    for (name, shared, about) in HEADERS {
        headers.insert(shared.into(), header(name, about));
    }
    components.insert("headers".into(), Value::Object(headers));
    let mut schemas = taken(components, "schemas");
    schemas.insert("Problem".into(), problem_schema());
    schemas.insert("FieldError".into(), field_error_schema());
    schemas.insert("Alternative".into(), alternative_schema());
    components.insert("schemas".into(), Value::Object(schemas));
}

/// The shape of `kernel::Problem::body`.
fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "Why a request was refused (RFC 9457). Members after `errors` belong to single kinds, named with each.",
        "required": ["type", "title", "status"],
        "properties": {
            "type": { "type": "string", "format": "uri-reference", "maxLength": 200,
                "description": "`/problems/<slug>`: stable, and a page that explains it." },
            "title": { "type": "string", "maxLength": 500,
                "description": "For people, in the language that `Accept-Language` asks for." },
            "status": { "type": "integer", "format": "int32", "minimum": 400, "maximum": 599,
                "description": "The HTTP status of the answer." },
            "detail": { "type": "string", "maxLength": 10000,
                "description": "This occurrence, for whoever writes the client." },
            "instance": { "type": "string", "format": "uri", "maxLength": 200,
                "description": "The request, as `urn:uuid:` and its `Request-Id`." },
            "errors": { "type": "array", "minItems": 1, "maxItems": 1000,
                "items": { "$ref": "#/components/schemas/FieldError" }, "description": "The fields at fault." },
            "alternatives": { "type": "array", "minItems": 0, "maxItems": 5,
                "items": { "$ref": "#/components/schemas/Alternative" },
                "description": "`slot-taken`: the nearest free times of the same calendar." },
            "earliest": { "type": "string", "format": "date-time",
                "description": "`lead-time`: the first instant that can be booked." },
            "last_date": { "type": "string", "format": "date",
                "description": "`beyond-horizon`: the last date that can be booked." },
            "limit": { "type": "integer", "format": "int64", "minimum": 1, "maximum": 1000,
                "description": "`person-limit-reached`: how many are allowed." },
            "max_persons": { "type": "integer", "format": "int64", "minimum": 1, "maximum": 100,
                "description": "`duration-not-allowed`: how many the service takes in one appointment." },
            "current_state": { "type": "string", "maxLength": 50,
                "description": "`invalid-transition`: the state that does not allow it." },
            "allowed": { "type": "array", "minItems": 0, "maxItems": 20, "items": { "type": "string", "maxLength": 50 },
                "description": "`invalid-transition`: what can be done instead." },
            "current_version": { "type": "integer", "format": "int64", "minimum": 1, "maximum": 1_000_000,
                "description": "`version-mismatch`: the version there is now." },
        },
        "additionalProperties": {},
        "maxProperties": 50,
    })
}

/// The shape of what `booking::offers` offers instead of a taken time.
fn alternative_schema() -> Value {
    json!({
        "type": "object",
        "description": "A free time offered instead of one that is taken.",
        "required": ["calendar_id", "starts_at", "ends_at", "free"],
        "properties": {
            "calendar_id": { "type": "string", "format": "uuid", "maxLength": 36, "description": "The calendar." },
            "starts_at": { "type": "string", "format": "date-time", "description": "When the visit would start." },
            "ends_at": { "type": "string", "format": "date-time", "description": "When it would end." },
            "free": { "type": "integer", "format": "int64", "minimum": 1, "maximum": 1000,
                "description": "How many such visits could start then." },
        },
        "additionalProperties": false,
    })
}

/// The shape of `kernel::FieldError`.
fn field_error_schema() -> Value {
    json!({
        "type": "object",
        "description": "What is wrong with one field of a request.",
        "required": ["pointer", "code", "detail"],
        "properties": {
            "pointer": { "type": "string", "maxLength": 500,
                "description": "JSON pointer (RFC 6901) into the body, or `?name` for a query parameter." },
            "code": { "type": "string", "maxLength": 100, "description": "Stable reason, such as `required`." },
            "detail": { "type": "string", "maxLength": 10000, "description": "The reason in words." },
        },
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::finish::{finish, tests::sample};

    fn responses(path: &str, method: &str) -> Value {
        finish(sample())["paths"][path][method]["responses"].clone()
    }

    #[test]
    fn an_operation_can_give_the_refusals_its_shape_leads_to() {
        for (path, method, expected) in [
            ("/status", "get", "200 401 403 404 429 500 503"),
            ("/offices", "get", "200 401 403 404 422 429 500 503"),
            ("/appointments", "get", "200 401 403 404 422 429 500 503"),
            ("/appointments", "post", "201 400 401 403 404 409 413 415 422 429 500 503"),
            ("/appointments/{appointment_id}/rescheduling", "post", "200 400 401 403 404 412 413 415 422 429 500 503"),
            ("/offices/{office_id}", "patch", "200 400 401 403 404 412 413 415 422 428 429 500 503"),
            ("/holds/{hold_id}", "delete", "204 401 403 404 429 500 503"),
            ("/tenants", "get", "200 401 403 429 500 503"),
        ] {
            let responses = responses(path, method);
            let mut statuses: Vec<_> = responses.as_object().unwrap().keys().map(String::as_str).collect();
            statuses.sort_unstable();
            assert_eq!(statuses.join(" "), expected, "{method} {path}");
        }
    }

    #[test]
    fn what_the_handler_says_comes_first_and_the_rest_is_added() {
        let booked = responses("/appointments", "post");
        let moved = responses("/appointments/{appointment_id}/rescheduling", "post");
        let text = |response: &Value| response["description"].as_str().unwrap().to_owned();
        assert_eq!(text(&booked["409"]), "The seat is taken: `slot-taken`. Also: `idempotency-in-progress`.");
        assert_eq!(
            text(&booked["422"]),
            "Not a day to book: `lead-time`, `beyond-horizon`. Also: `invalid-body`, `idempotency-key-reused`."
        );
        assert_eq!(text(&moved["404"]), "No such appointment. Problem: `not-found`.");
        assert_eq!(text(&responses("/holds/{hold_id}", "delete")["204"]), "Done; there is nothing to say.");
    }

    #[test]
    fn answers_declare_the_headers_that_are_sent() {
        let names = |response: &Value| {
            let headers = response["headers"].as_object().into_iter().flatten();
            headers.map(|(name, _)| name.clone()).collect::<Vec<_>>().join(" ")
        };
        let booked = responses("/appointments", "post");
        let counted = "RateLimit-Limit RateLimit-Remaining RateLimit-Reset";
        assert_eq!(names(&booked["201"]), format!("Cache-Control ETag Location {counted}"));
        assert_eq!(booked["201"]["headers"]["ETag"]["description"], "Its version", "what the handler says stays");
        assert_eq!(names(&booked["409"]), counted);
        let shared = finish(sample())["components"]["responses"].clone();
        assert_eq!(names(&shared["TooManyRequests"]), format!("{counted} Retry-After"));
        assert_eq!(names(&shared["Unauthenticated"]), counted);
        assert_eq!(names(&shared["InternalError"]), "");
        assert_eq!(names(&shared["Unavailable"]), "Retry-After");
        let mentioned = headers_of("200", "Moved. `ETag` is set.").map(|(name, _)| name).collect::<Vec<_>>();
        assert!(mentioned.contains(&"ETag") && !mentioned.contains(&"Location"), "{mentioned:?}");
    }

    #[test]
    fn a_refusal_is_a_problem_and_503_says_when_to_return() {
        let booked = responses("/appointments", "post");
        assert_eq!(booked["422"]["content"], json!({ PROBLEM_JSON: problem() }));
        assert_eq!(booked["409"]["content"], json!({ PROBLEM_JSON: problem() }));
        assert_eq!(booked["503"], json!({ "$ref": "#/components/responses/Unavailable" }));
        let down = &responses("/status", "get")["503"];
        assert_eq!(down["headers"]["Retry-After"]["$ref"], "#/components/headers/RetryAfter");
        assert_eq!(down["content"], json!({ PROBLEM_JSON: problem() }));
    }
}
