//! What the contract is held to: the demands of the AgID checker (profiles "Italian Guidelines Full"
//! and security), of OpenAPI itself where utoipa does not see to them, and a few of our own.
//!
//! They are restated here, so that a test can hold the document to them wherever it is built; where
//! the checker only hints, this demands.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    answers::PROBLEM_JSON,
    finish::{METHODS, PLATFORM},
    schemas::{BOUNDED_FORMATS, below, each_schema, references, types},
};

/// Every demand that a finished document does not meet, each with the place where it does not.
pub fn unmet(document: &Value) -> Vec<String> {
    let mut report = Report { document, unmet: Vec::new() };
    report.head();
    report.operations();
    report.status();
    report.schemas();
    report.components();
    report.unmet
}

struct Report<'a> {
    document: &'a Value,
    unmet: Vec<String>,
}

impl<'a> Report<'a> {
    fn demand(&mut self, met: bool, pointer: &str, what: &str) {
        if !met {
            self.unmet.push(format!("{pointer}: {what}"));
        }
    }

    fn at(&self, pointer: &str) -> &'a Value {
        self.document.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// What a value is or, if it is a reference, refers to.
    fn resolved(&self, value: &'a Value) -> &'a Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.at(reference.trim_start_matches('#')),
            None => value,
        }
    }

    fn head(&mut self) {
        for member in ["title", "summary", "x-summary", "x-api-id", "termsOfService", "description"] {
            let pointer = below("/info", member);
            self.demand(is_told(self.at(&pointer)), &pointer, "must be given");
        }
        let contact = self.at("/info/contact");
        self.demand(is_told(part(contact, "url")) || is_told(part(contact, "email")), "/info/contact", "must be given");
        let version: Vec<_> = text(self.at("/info/version")).split('.').collect();
        let is_semver = version.len() == 3 && version.iter().all(|number| number.parse::<u32>().is_ok());
        self.demand(is_semver, "/info/version", "must be a semantic version");
        self.demand(!list(self.at("/servers")).is_empty(), "/servers", "must name a server");
        self.servers("/servers", self.at("/servers"));
        for (at, tag) in list(self.at("/tags")).iter().enumerate() {
            self.demand(is_told(part(tag, "description")), &format!("/tags/{at}"), "must be described");
        }
        let schemes = self.at("/components/securitySchemes");
        for (name, scheme) in members(schemes) {
            let pointer = below("/components/securitySchemes", name);
            let is_jwt = text(part(scheme, "bearerFormat")).eq_ignore_ascii_case("jwt")
                || ["oauth2", "openIdConnect"].contains(&text(part(scheme, "type")));
            let described = text(part(scheme, "description")).contains("RFC8725");
            self.demand(described || !is_jwt, &pointer, "must mention RFC8725");
            let in_header = text(part(scheme, "type")) != "apiKey" || text(part(scheme, "in")) == "header";
            self.demand(in_header, &pointer, "a key travels in a header");
            let weak = ["basic", "negotiate", "oauth"].contains(&text(part(scheme, "scheme")));
            self.demand(!weak, &pointer, "the scheme is insecure");
        }
    }

    fn servers(&mut self, pointer: &str, servers: &Value) {
        for (at, server) in list(servers).iter().enumerate() {
            let pointer = below(pointer, &at.to_string());
            self.demand(is_told(part(server, "description")), &pointer, "must be described");
            let secure = text(part(server, "url")).starts_with("https://") || part(server, "x-sandbox") == true;
            self.demand(secure, &pointer, "must be https or a sandbox");
        }
    }

    fn operations(&mut self) {
        let mut ids = BTreeSet::new();
        for (path, item) in members(self.at("/paths")) {
            let pointer = below("/paths", path);
            self.path(&pointer, path);
            self.servers(&below(&pointer, "servers"), part(item, "servers"));
            let mut kinds = BTreeSet::new();
            for (method, operation) in members(item).filter(|(method, _)| METHODS.contains(method)) {
                let pointer = below(&pointer, method);
                let id = text(part(operation, "operationId"));
                self.demand(ids.insert(id) && !id.is_empty(), &pointer, "must have an operationId of its own");
                let verbs = ["get", "post", "put", "delete", "patch", "head"];
                let has_verb = verbs.iter().any(|verb| id.to_ascii_lowercase().starts_with(verb));
                self.demand(!has_verb, &pointer, "an operationId does not start with a method");
                self.demand(is_told(part(operation, "description")), &pointer, "must be described");
                self.operation_tags(&pointer, operation);
                kinds.insert(list(part(operation, "tags")).iter().any(|tag| tag == PLATFORM));
                self.security(&pointer, operation);
                self.end(&pointer, operation);
                self.body(&pointer, method, operation);
                self.parameters(&pointer, path, item, operation);
                self.responses(&pointer, operation);
            }
            self.demand(kinds.len() == 1, &pointer, "must be of the platform or of a Comune, not both");
        }
    }

    fn path(&mut self, pointer: &str, path: &str) {
        let segments: Vec<_> = path.split('/').skip(1).collect();
        let is_parameter = |segment: &str| segment.starts_with('{') && segment.ends_with('}');
        let is_kebab = |segment: &str| {
            let allowed =
                |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-.".contains(letter);
            !segment.is_empty() && segment.chars().all(allowed)
        };
        let well_formed = segments.iter().all(|segment| is_parameter(segment) || is_kebab(segment));
        self.demand(path.starts_with('/') && well_formed, pointer, "must be kebab-case");
        let verbs = ["get", "post", "put", "delete", "patch", "create", "remove", "list"];
        let has_verb = segments.iter().any(|segment| verbs.iter().any(|verb| segment.starts_with(verb)));
        self.demand(!has_verb, pointer, "no segment starts with a verb");
    }

    fn operation_tags(&mut self, pointer: &str, operation: &Value) {
        let tags = list(part(operation, "tags"));
        self.demand(!tags.is_empty(), pointer, "must have a tag");
        for tag in tags {
            let defined = list(self.at("/tags")).iter().any(|known| part(known, "name") == tag);
            self.demand(defined, pointer, "the tag must be described in the document");
        }
    }

    fn security(&mut self, pointer: &str, operation: &Value) {
        let alternatives = list(part(operation, "security"));
        self.demand(!alternatives.is_empty(), pointer, "must say who may call");
        for scheme in alternatives.iter().flat_map(members).map(|(name, _)| name) {
            let known = !part(self.at("/components/securitySchemes"), scheme).is_null();
            self.demand(known, pointer, "the security scheme must exist");
        }
    }

    /// What is deprecated says since when and until when; only `deprecations` knows, and sends the headers too.
    fn end(&mut self, pointer: &str, operation: &Value) {
        let dated = ["x-deprecated-since", "x-sunset"].map(|member| is_told(part(operation, member)));
        let deprecated = part(operation, "deprecated") == true;
        self.demand(dated == [deprecated; 2], pointer, "what is deprecated stands in openapi/deprecations.rs");
    }

    fn body(&mut self, pointer: &str, method: &str, operation: &'a Value) {
        let body = self.resolved(part(operation, "requestBody"));
        let is_bodiless = ["get", "head", "delete"].contains(&method);
        self.demand(body.is_null() || !is_bodiless, pointer, "takes no body");
        if method == "patch" {
            self.demand(part(body, "required") == true, pointer, "the body must be required");
            self.demand(part(part(body, "content"), "application/json").is_null(), pointer, "must be a merge patch");
        }
    }

    fn parameters(&mut self, pointer: &str, path: &str, item: &'a Value, operation: &'a Value) {
        let mut in_path = BTreeSet::new();
        for parameter in list(part(item, "parameters")).iter().chain(list(part(operation, "parameters"))) {
            let parameter = self.resolved(parameter);
            let name = text(part(parameter, "name"));
            let pointer = format!("{pointer}, parameter {name}");
            let place = text(part(parameter, "in"));
            if place == "path" {
                in_path.insert(name);
            }
            self.names(&pointer, name);
            let lower = name.to_ascii_lowercase();
            let secret = ["password", "secret", "apikey"].iter().any(|word| lower.contains(word));
            self.demand(!secret || place == "header", &pointer, "a secret does not travel in the address");
            if place == "header" {
                let reserved = ["accept", "content-type", "authorization"].contains(&lower.as_str());
                self.demand(
                    !reserved && is_train_case(name),
                    &pointer,
                    "is not a header to declare, or not Train-Case",
                );
            }
        }
        let expected: BTreeSet<_> =
            path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).collect();
        self.demand(in_path == expected, pointer, "must declare the parameters of its path, and no others");
    }

    fn responses(&mut self, pointer: &str, operation: &'a Value) {
        let responses = part(operation, "responses");
        self.demand(members(responses).any(|(status, _)| status.starts_with('2')), pointer, "must be able to succeed");
        self.demand(!part(responses, "429").is_null(), pointer, "must declare 429");
        for (status, response) in members(responses) {
            let pointer = below(&below(pointer, "responses"), status);
            let response = self.resolved(response);
            self.demand(is_told(part(response, "description")), &pointer, "must be described");
            let headers = part(response, "headers");
            let content = part(response, "content");
            if status.starts_with(['4', '5']) {
                let is_problem = members(content).all(|(media_type, _)| media_type == PROBLEM_JSON);
                self.demand(is_problem && members(content).count() == 1, &pointer, "must be application/problem+json");
            } else if ["204", "205"].contains(&status) {
                self.demand(content.is_null(), &pointer, "has no body");
            } else if status.starts_with('2') {
                let described = members(content).all(|(_, media)| !part(media, "schema").is_null());
                self.demand(described && members(content).count() > 0, &pointer, "must have a body with a schema");
            }
            for (_, media) in members(content).filter(|(media_type, _)| media_type.ends_with("json")) {
                let kind = part(self.resolved(part(media, "schema")), "type");
                self.demand(kind.is_null() || kind == "object", &pointer, "the root of JSON is an object");
            }
            let limited = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];
            let all = limited.iter().all(|name| !part(headers, name).is_null());
            self.demand(all || !status.starts_with(['2', '4']), &pointer, "must declare the RateLimit headers");
            let waits = !["429", "503"].contains(&status) || !part(headers, "Retry-After").is_null();
            self.demand(waits, &pointer, "must declare Retry-After");
            let kept = !part(headers, "Cache-Control").is_null();
            self.demand(kept || !status.starts_with('2'), &pointer, "must declare Cache-Control");
            self.demand(members(headers).all(|(name, _)| is_train_case(name)), &pointer, "headers are Train-Case");
        }
    }

    fn status(&mut self) {
        let responses = self.at("/paths/~1status/get/responses");
        let up = part(part(responses, "200"), "content");
        self.demand(members(up).any(|(kind, _)| kind == "application/json"), "/paths/~1status", "must answer JSON");
        for (status, response) in members(responses).filter(|(status, _)| status.starts_with(['4', '5'])) {
            let media = part(part(self.resolved(response), "content"), PROBLEM_JSON);
            let shape = part(self.resolved(part(media, "schema")), "properties");
            let whole = ["status", "title", "detail"].iter().all(|member| !part(shape, member).is_null());
            self.demand(whole, &format!("/paths/~1status {status}"), "must be a problem");
        }
    }

    fn schemas(&mut self) {
        let mut found = Vec::new();
        each_schema(&mut self.document.clone(), &mut |pointer, schema| {
            found.extend(schema_faults(schema).into_iter().map(|fault| format!("{pointer}: {fault}")));
            if let Some(Value::Object(properties)) = schema.get("properties") {
                let foreign = properties.keys().filter(|name| is_foreign(name));
                found.extend(foreign.map(|name| format!("{pointer}: {name} has a name in the national ontologies")));
            }
        });
        self.unmet.append(&mut found);
    }

    fn names(&mut self, pointer: &str, name: &str) {
        self.demand(!is_foreign(name), pointer, "has a name in the national ontologies");
    }

    fn components(&mut self) {
        let all: BTreeSet<_> = references(self.document).into_iter().collect();
        for reference in &all {
            self.demand(!self.at(reference.trim_start_matches('#')).is_null(), reference, "refers to nothing");
        }
        for (section, parts) in members(self.at("/components")).filter(|(section, _)| *section != "securitySchemes") {
            for (name, _) in members(parts) {
                let reference = format!("#/components/{section}/{name}");
                self.demand(all.contains(&reference), &reference, "is not used");
                let pascal = name.starts_with(|first: char| first.is_ascii_uppercase())
                    && name.chars().all(|letter| letter.is_ascii_alphanumeric());
                self.demand(pascal, &reference, "must be PascalCase");
            }
        }
    }
}

/// What one schema leaves unbounded. Unlike the checker's rules, these see nullable types too.
fn schema_faults(schema: &Map<String, Value>) -> Vec<&'static str> {
    let has = |key: &str| schema.contains_key(key);
    let mut faults = Vec::new();
    let mut demand = |met: bool, what| {
        if !met {
            faults.push(what);
        }
    };
    for kind in types(schema) {
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "integer" => demand(["int32", "int64"].contains(&format), "an integer is int32 or int64"),
            "number" => demand(["float", "double"].contains(&format), "a number is float or double"),
            "string" => {
                let bounded = ["maxLength", "enum", "const"].iter().any(|key| has(key));
                demand(bounded || BOUNDED_FORMATS.contains(&format), "a text has a maxLength");
            }
            "array" => demand(has("minItems") && has("maxItems"), "an array has minItems and maxItems"),
            "object" => {
                let more = schema.get("additionalProperties");
                let closed = more.is_some_and(|more| more == false);
                let bounded = more.is_some_and(|more| more != true) && has("maxProperties");
                demand(closed || bounded, "an object is closed, or has maxProperties");
            }
            _ => {}
        }
        if ["integer", "number"].contains(&kind) {
            demand(has("minimum") && has("maximum"), "a number has a minimum and a maximum");
        }
        if kind == "array" {
            demand(has("items"), "an array has items");
        }
    }
    faults
}

/// Whether the national ontologies (OntoPiA) have another name for this: `given_name`, `family_name`, `tax_code`.
///
/// The checker also remarks on a bare `name`, which things other than people do have.
fn is_foreign(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "");
    ["nome", "surname", "cf", "fiscalcode", "fiscalnumber", "firstname", "lastname"].contains(&name.as_str())
}

/// `Idempotency-Key`, and not `X-Anything`.
fn is_train_case(name: &str) -> bool {
    let is_word = |word: &str| word.starts_with(|first: char| first.is_ascii_uppercase());
    !name.starts_with("X-") && name.split('-').all(|word| is_word(word) && word.chars().all(char::is_alphanumeric))
}

fn part<'v>(value: &'v Value, key: &str) -> &'v Value {
    value.get(key).unwrap_or(&Value::Null)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, member)| (key.as_str(), member))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn is_told(value: &Value) -> bool {
    !text(value).trim().is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::openapi::finish::{finish, tests::sample};

    /// Puts a value where a pointer's last step names a member of an object or the end of a list.
    fn put(document: &mut Value, pointer: &str, value: Value) {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Object(members) => drop(members.insert(key.replace("~1", "/"), value)),
            Value::Array(parts) => parts.push(value),
            other => panic!("{other} has no members"),
        }
    }

    #[test]
    fn every_breach_is_found() {
        let booking = "/paths/~1appointments/post";
        let parameter = |name: &str, place: &str| json!({ "name": name, "in": place, "schema": { "enum": [1] } });
        let operation = |change: Value| {
            let mut operation = finish(sample())["paths"]["/offices"]["get"].clone();
            operation["operationId"] = json!("other");
            operation.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            json!({ "get": operation })
        };
        let schema = |schema: Value| ("/components/schemas/Status/properties/x".to_owned(), schema);
        let cases = [
            (("/info/contact".into(), json!({})), "must be given"),
            (("/info/x-summary".into(), json!("")), "must be given"),
            (("/info/version".into(), json!("1.0")), "semantic version"),
            (("/servers/-".into(), json!({ "url": "http://x", "description": "x" })), "https or a sandbox"),
            (("/servers/-".into(), json!({ "url": "https://x" })), "must be described"),
            (("/tags/-".into(), json!({ "name": "x" })), "must be described"),
            (("/components/securitySchemes/bearer/description".into(), json!("JWT")), "RFC8725"),
            (("/components/securitySchemes/login".into(), json!({ "type": "openIdConnect" })), "RFC8725"),
            (("/components/securitySchemes/key".into(), json!({ "type": "apiKey", "in": "query" })), "in a header"),
            (("/components/securitySchemes/weak".into(), json!({ "scheme": "basic" })), "insecure"),
            (("/paths/~1Offices".into(), operation(json!({}))), "kebab-case"),
            (("/paths/~1my_offices".into(), operation(json!({}))), "kebab-case"),
            (("/paths/~1x~1".into(), operation(json!({}))), "kebab-case"),
            (("/paths/~1listings".into(), operation(json!({}))), "starts with a verb"),
            (("/paths/~1x".into(), operation(json!({ "operationId": "book" }))), "operationId of its own"),
            (("/paths/~1x".into(), operation(json!({ "operationId": "getX" }))), "start with a method"),
            (("/paths/~1x".into(), operation(json!({ "description": " " }))), "must be described"),
            (("/paths/~1x".into(), operation(json!({ "tags": [] }))), "must have a tag"),
            (("/paths/~1x".into(), operation(json!({ "tags": ["x"] }))), "described in the document"),
            (("/paths/~1x".into(), operation(json!({ "security": [] }))), "who may call"),
            (("/paths/~1x".into(), operation(json!({ "security": [{ "x": [] }] }))), "scheme must exist"),
            (("/paths/~1x".into(), operation(json!({ "deprecated": true }))), "deprecations.rs"),
            (("/paths/~1x".into(), operation(json!({ "x-sunset": "2030-01-01" }))), "deprecations.rs"),
            (("/paths/~1x".into(), operation(json!({ "requestBody": {} }))), "takes no body"),
            (("/paths/~1x~1{a}".into(), operation(json!({}))), "parameters of its path"),
            (("/paths/~1tenants/put".into(), operation(json!({}))["get"].clone()), "not both"),
            (("/paths/~1offices~1{office_id}/patch/requestBody/required".into(), json!(false)), "must be required"),
            (
                ("/paths/~1offices~1{office_id}/patch/requestBody/content/application~1json".into(), json!({})),
                "merge patch",
            ),
            ((format!("{booking}/parameters/-"), parameter("secret_id", "query")), "a secret"),
            ((format!("{booking}/parameters/-"), parameter("Accept", "header")), "not a header to declare"),
            ((format!("{booking}/parameters/-"), parameter("X-Thing", "header")), "Train-Case"),
            ((format!("{booking}/parameters/-"), parameter("surname", "query")), "national ontologies"),
            ((format!("{booking}/responses/409"), json!({ "description": "x" })), "problem+json"),
            ((format!("{booking}/responses/204"), json!({ "description": "x", "content": {} })), "has no body"),
            ((format!("{booking}/responses/202"), json!({ "description": "x" })), "a body with a schema"),
            ((format!("{booking}/responses/404"), json!({ "description": "" })), "must be described"),
            ((format!("{booking}/responses/503"), json!({ "description": "x" })), "Retry-After"),
            ((format!("{booking}/responses/201/headers"), json!({ "ETag": {} })), "RateLimit"),
            ((format!("{booking}/responses/201/headers"), json!({ "ETag": {} })), "Cache-Control"),
            ((format!("{booking}/responses/429"), json!({ "description": "x" })), "Retry-After"),
            ((format!("{booking}/responses"), json!({})), "must declare 429"),
            (
                (format!("{booking}/responses/201/content/text~1json"), json!({ "schema": { "type": "array" } })),
                "an object",
            ),
            (
                (format!("{booking}/responses/404"), json!({ "$ref": "#/components/responses/Gone" })),
                "refers to nothing",
            ),
            (("/paths/~1status".into(), json!({})), "must answer JSON"),
            (("/components/schemas/Problem/properties".into(), json!({})), "must be a problem"),
            (("/components/schemas/Idle".into(), json!({})), "is not used"),
            (("/components/schemas/Page_Office".into(), json!({})), "PascalCase"),
            (("/components/schemas/Status/properties/firstName".into(), json!({})), "national ontologies"),
            (schema(json!({ "type": ["integer", "null"], "minimum": 0, "maximum": 1 })), "int32 or int64"),
            (schema(json!({ "type": "integer", "format": "int32", "minimum": 0 })), "minimum and a maximum"),
            (schema(json!({ "type": "number", "minimum": 0, "maximum": 1 })), "float or double"),
            (schema(json!({ "type": ["string", "null"] })), "maxLength"),
            (schema(json!({ "type": "string", "format": "email" })), "maxLength"),
            (schema(json!({ "type": "array", "items": {}, "maxItems": 1 })), "minItems"),
            (schema(json!({ "type": "array", "minItems": 0, "maxItems": 1 })), "has items"),
            (schema(json!({ "type": "object" })), "is closed"),
            (schema(json!({ "type": "object", "additionalProperties": true, "maxProperties": 1 })), "is closed"),
        ];
        for ((pointer, value), expected) in cases {
            let mut document = finish(sample());
            put(&mut document, &pointer, value);
            let found = unmet(&document);
            assert!(found.iter().any(|unmet| unmet.contains(expected)), "{pointer}, {expected}: {found:#?}");
        }
    }
}
