//! `/protocol-verification`: whether the registers are whole.

use actix_web::{get, web::Data};
use platform::{
    access::{
        Caller,
        policy::{self, ProtocolWish},
    },
    http::{Answer, ProblemBody, Reply},
};
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{model::Verification, verify};

/// Whether the registers are whole
///
/// Looks through every entry: that no number is missing, that each follows the one before it, and that neither it nor
/// its annulment was changed. Takes some seconds where there are many. For admins, managers of the central office, and
/// systems with the scope `protocol:read`.
#[utoipa::path(tag = "protocol", responses(
    (status = 200, description = "What it came to", body = Verification),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/protocol-verification")]
async fn show_protocol_verification(caller: Caller, db: Data<Db>) -> Answer {
    policy::protocol(&caller, ProtocolWish::ReadAll)?;
    Reply::ok(db.read(&caller, verify).await?)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show_protocol_verification);
}
