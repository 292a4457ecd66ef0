//! `/status`: whether this Comune is being served.

use actix_web::{get, web::Data};
use kernel::civil;
use platform::{
    access::Caller,
    http::{Answer, ProblemBody, Reply},
    tenants,
};
use serde::Serialize;
use storage::{Db, Scope};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

/// Whether this Comune is being served.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "status": "ok", "comune": "Comune di Bugliano", "version": "0.1.0", "now": "2026-11-24T10:00:00+01:00"
}))]
struct Status {
    /// `ok`; anything else is told as a problem.
    #[schema(max_length = 10)]
    status: &'static str,
    /// The Comune.
    #[schema(max_length = 200)]
    comune: String,
    /// Version of the server.
    #[schema(max_length = 30)]
    version: &'static str,
    /// The server's clock.
    #[serde(with = "civil::rfc3339")]
    now: jiff::Timestamp,
}

/// Whether this Comune is being served
///
/// Answers when the database does.
#[utoipa::path(tag = "status", security(()), responses(
    (status = 200, description = "Served", body = Status),
    (status = 503, description = "`storage-busy`, `tenant-suspended`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/status")]
async fn show_status(caller: Caller, db: Data<Db>) -> Answer {
    let slug = caller.tenant.slug.clone();
    db.read(&Scope::platform(), move |tx| tenants::by_slug(tx, &slug)).await?;
    Reply::ok(Status {
        status: "ok",
        comune: caller.tenant.name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        now: db.clock().now(),
    })
}

/// Registers what this module serves.
pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show_status);
}
