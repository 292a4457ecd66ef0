//! `/connections/app-io`: whether the Comune has a key, and which from now on.

use actix_web::{HttpResponse, delete, get, http::StatusCode, put, web::Data};
use serde_json::json;
use storage::{Db, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    PURPOSE,
    model::{ConnectionView, NewConnection},
    store,
};
use crate::{
    access::{Caller, policy},
    audit::{self, Change},
    http::{Answer, Body, IfMatch, IfMatchHeader, ProblemBody, Reply, not_found},
};

fn view(row: Option<&store::Row>) -> ConnectionView {
    ConnectionView {
        connected: row.is_some(),
        updated_at: row.map(|(_, _, at)| *at),
        version: row.map_or(0, |(_, version, _)| *version),
    }
}

fn record(tx: &mut Tx<'_>, action: &str, version: i64) -> storage::Result<()> {
    let (subject, after) = (tx.tenant(), json!({ "version": version }));
    audit::record(tx, Change { action, subject_kind: "tenant", subject, before: None, after: Some(&after) })
}

/// Whether the Comune is connected to App IO
///
/// For admins. The key itself is never shown.
#[utoipa::path(tag = "messages", responses(
    (status = 200, description = "Whether there is a key. `ETag`: its version", body = ConnectionView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/connections/app-io")]
async fn show_app_io_connection(caller: Caller, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let row = db.read(&caller, store::get).await?;
    let view = view(row.as_ref());
    let etag = view.version.to_string();
    Reply::with(StatusCode::OK, view).etag(etag).answer()
}

/// Connect the Comune to App IO
///
/// For admins. Keeps the subscription key of the Comune's service, readable for this installation alone. Messages go
/// over App IO once `messages.app_io_enabled` is set in the settings.
#[utoipa::path(tag = "messages", request_body = NewConnection, params(IfMatchHeader), responses(
    (status = 200, description = "Connected. `ETag`: the version", body = ConnectionView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[put("/connections/app-io")]
async fn update_app_io_connection(
    caller: Caller,
    if_match: IfMatch,
    body: Body<NewConnection>,
    db: Data<Db>,
) -> Answer {
    policy::administration(&caller)?;
    let concealed = caller.secret().conceal(PURPOSE, body.into_inner().subscription_key.as_bytes())?;
    let row = db
        .write(&caller, move |tx| {
            let version = store::get(tx)?.map_or(0, |(_, version, _)| version);
            if_match.check(version, true)?;
            store::put(tx, &concealed, version)?;
            record(tx, "app-io-connection.updated", version.saturating_add(1))?;
            store::get(tx)
        })
        .await?;
    let view = view(row.as_ref());
    let etag = view.version.to_string();
    Reply::with(StatusCode::OK, view).etag(etag).answer()
}

/// Disconnect the Comune from App IO
///
/// For admins. Forgets the key: messages go by e-mail.
#[utoipa::path(tag = "messages", params(IfMatchHeader), responses(
    (status = 204, description = "Disconnected"),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`: there is no key", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/connections/app-io")]
async fn remove_app_io_connection(caller: Caller, if_match: IfMatch, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    db.write(&caller, move |tx| {
        let (_, version, _) = store::get(tx)?.ok_or_else(not_found)?;
        if_match.check(version, true)?;
        store::delete(tx)?;
        record(tx, "app-io-connection.deleted", version)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show_app_io_connection).service(update_app_io_connection).service(remove_app_io_connection);
}
