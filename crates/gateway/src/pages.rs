//! What stands beside the API: health, the contract, its documentation, the pages of the problems.

use std::{collections::HashSet, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header,
    web::{self, Data, Path},
};
use kernel::{Lang, Problem, ProblemKind};
use platform::{
    http::{Refused, not_found},
    problems::METHOD_NOT_ALLOWED,
    tenants,
};
use serde_json::{Map, Value, json};
use storage::{Db, Scope};

use crate::{metrics::Readers, openapi};

/// The contract as it is committed, in 3.1 and in 3.0. A test demands that it is what the routes give, so putting it
/// together and translating it anew at every start would give the same, later.
const COMMITTED: [&str; 2] =
    [include_str!("../../../openapi/openapi.json"), include_str!("../../../openapi/openapi-3.0.json")];

/// The contract as text, and the routes that are in it.
#[derive(Debug)]
pub(crate) struct Contract {
    v3_1: String,
    v3_0: String,
    routes: Vec<Route>,
    /// Method and pattern of what nobody may ask for without saying who they are.
    for_callers: HashSet<(String, String)>,
    /// Method and pattern of what is one's own: what nobody asks for unnamed, and what may be written in one's name.
    for_names: HashSet<(String, String)>,
}

#[derive(Debug)]
struct Route {
    segments: Vec<String>,
    methods: Vec<String>,
}

impl Contract {
    /// Reads the contract, with addresses relative to the server that serves it.
    ///
    /// # Errors
    /// When the committed contract is no JSON.
    pub(crate) fn new() -> serde_json::Result<Self> {
        let [document, v3_0] = COMMITTED.map(|text| serde_json::from_str(text).map(|file| openapi::at(file, "")));
        let (document, v3_0) = (document?, v3_0?.to_string());
        let mut routes: Vec<Route> =
            ["/health/live", "/health/ready", "/openapi.json", "/openapi-3.0.json", "/problems/{slug}", "/metrics"]
                .iter()
                .map(|path| Route::new(path, vec!["GET".to_owned()]))
                .collect();
        let (mut for_callers, mut for_names) = (HashSet::new(), HashSet::new());
        for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let ways = operation.get("security").and_then(Value::as_array);
                let Some(ways) = ways else { continue };
                let anonymous = ways.iter().any(|way| way.as_object().is_some_and(Map::is_empty));
                let named = ways.iter().any(|way| way.as_object().is_some_and(|way| !way.is_empty()));
                let route = (method.to_uppercase(), format!("/{{comune}}/v1{path}"));
                if named && !(anonymous && route.0 == "GET") {
                    for_names.insert(route.clone());
                }
                if !anonymous {
                    for_callers.insert(route);
                }
            }
            let methods = item.as_object().into_iter().flatten().map(|(name, _)| name.to_uppercase());
            let methods = methods.filter(|name| name != "PARAMETERS" && name != "SERVERS").collect();
            routes.push(Route::new(&format!("/{{comune}}/v1{path}"), methods));
        }
        Ok(Self { v3_1: document.to_string(), v3_0, routes, for_callers, for_names })
    }

    /// Whether the operation of a method and a route's pattern takes nobody in particular.
    pub(crate) fn wants_a_caller(&self, method: &str, pattern: &str) -> bool {
        self.for_callers.contains(&(method.to_owned(), pattern.to_owned()))
    }

    /// Whether the operation of a method and a route's pattern is about what is the caller's own.
    pub(crate) fn minds_the_caller(&self, method: &str, pattern: &str) -> bool {
        self.for_names.contains(&(method.to_owned(), pattern.to_owned()))
    }

    /// The methods a path answers to; empty when it is no path of ours.
    fn methods(&self, path: &str) -> Vec<&str> {
        let asked: Vec<&str> = path.split('/').collect();
        // A literal path comes before a pattern that fits it too.
        let fitting = self.routes.iter().filter(|route| route.fits(&asked));
        let best = fitting.min_by_key(|route| route.segments.iter().filter(|s| s.starts_with('{')).count());
        best.map(|route| route.methods.iter().map(String::as_str).collect()).unwrap_or_default()
    }
}

impl Route {
    fn new(path: &str, methods: Vec<String>) -> Self {
        Self { segments: path.split('/').map(str::to_owned).collect(), methods }
    }

    fn fits(&self, asked: &[&str]) -> bool {
        self.segments.len() == asked.len()
            && self
                .segments
                .iter()
                .zip(asked)
                .all(|(own, other)| own == other || (own.starts_with('{') && !other.is_empty()))
    }
}

/// Answers what no route answers: 405 with `Allow` where the path is ours, 404 elsewhere.
pub(crate) async fn nothing_here(req: HttpRequest, contract: Data<Contract>) -> Result<HttpResponse, Refused> {
    let mut methods = contract.methods(req.path());
    if methods.is_empty() {
        return Err(not_found().into());
    }
    // HEAD goes wherever GET goes, and needs no word in the contract.
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    let mut problem = Problem::new(&METHOD_NOT_ALLOWED);
    problem.allow = Some(methods.join(", "));
    Err(problem.into())
}

#[get("/openapi.json")]
async fn contract_3_1(contract: Data<Contract>) -> HttpResponse {
    json_text(&contract.v3_1)
}

#[get("/openapi-3.0.json")]
async fn contract_3_0(contract: Data<Contract>) -> HttpResponse {
    json_text(&contract.v3_0)
}

fn json_text(text: &str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .body(text.to_owned())
}

#[get("/health/live")]
async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

#[get("/health/ready")]
async fn ready(db: Data<Db>) -> Result<HttpResponse, Refused> {
    db.read(&Scope::platform(), |tx| tenants::by_slug(tx, "platform")).await?;
    Ok(HttpResponse::Ok().json(json!({ "status": "ok" })))
}

#[get("/problems/{slug}")]
async fn problem_page(slug: Path<String>) -> Result<HttpResponse, Refused> {
    let kinds = openapi::problems();
    let kind = kinds.into_iter().find(|kind| kind.slug == *slug).ok_or_else(not_found)?;
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page(kind)))
}

#[get("/metrics")]
async fn metrics(req: HttpRequest, readers: Data<Readers>) -> Result<HttpResponse, Refused> {
    let text = readers.read(&req).ok_or_else(not_found)?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text))
}

/// The texts are ours and hold nothing that HTML would take for a tag but `<` in prose.
fn page(kind: &ProblemKind) -> String {
    let text = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{slug}</title>\
         <main><h1>{en}</h1><p><code>{slug}</code>, HTTP status {status}</p><p>{about}</p>\
         <p lang=\"it\">{it}</p><p lang=\"de\">{de}</p></main></html>",
        slug = kind.slug,
        status = kind.status,
        en = text(kind.title(Lang::En)),
        it = text(kind.title(Lang::It)),
        de = text(kind.title(Lang::De)),
        about = text(kind.about),
    )
}

#[get("/docs")]
async fn docs() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}

/// Registers the pages.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    let ui = utoipa_swagger_ui::SwaggerUi::new("/docs/{_:.*}").config(
        utoipa_swagger_ui::Config::new([utoipa_swagger_ui::Url::new("Sportello", "/openapi.json")])
            // Swagger UI would send the contract's address to a public validator.
            .validator_url("none")
            .try_it_out_enabled(true),
    );
    cfg.service(contract_3_1)
        .service(contract_3_0)
        .service(live)
        .service(ready)
        .service(problem_page)
        .service(metrics)
        .service(docs)
        .service(ui);
}

/// The contract, shared by the workers.
pub(crate) type SharedContract = Arc<Contract>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_ours_names_its_methods() {
        let contract = Contract::new().unwrap();
        assert_eq!(contract.methods("/bugliano/v1/offices"), ["GET", "POST"]);
        assert_eq!(contract.methods("/bugliano/v1/holds"), ["POST"]);
        assert_eq!(contract.methods("/health/live"), ["GET"]);
        assert!(contract.methods("/bugliano/v1/nothing").is_empty());
        assert!(contract.methods("/bugliano/v1/offices/").is_empty());
    }
}
