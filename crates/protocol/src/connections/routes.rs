//! `/connections/protocol`: what documents are registered with, and with what from now on.

use actix_web::{HttpResponse, delete, get, http::StatusCode, put, web::Data};
use platform::{
    access::{Caller, policy},
    audit::{self, Change},
    http::{Answer, Body, IfMatch, IfMatchHeader, ProblemBody, Reply, not_found},
    settings,
};
use serde_json::json;
use storage::{Db, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    PURPOSE,
    model::{ConnectionView, ConnectorKind, NewConnection},
    rules, store,
    store::Connection,
};
use crate::{ports::Connectors, registrations::changes as registrations};

fn view(row: Option<Connection>, slug: &str, connectors: &Connectors) -> ConnectionView {
    let told = |connector| connectors.capabilities(connector).to_vec();
    match row {
        Some(row) => ConnectionView {
            connector: row.connector,
            ipa_code: row.ipa_code,
            aoo_code: row.aoo_code,
            register_code: row.register_code,
            receipt_page: row.receipt_page,
            base_url: row.base_url,
            username: row.username,
            entity_code: row.entity_code,
            credential_set: row.concealed.is_some(),
            capabilities: told(row.connector),
            updated_at: Some(row.updated_at),
            version: row.version,
        },
        None => ConnectionView {
            connector: ConnectorKind::Internal,
            ipa_code: rules::default_ipa_code(slug),
            aoo_code: rules::DEFAULT_AOO.to_owned(),
            register_code: rules::DEFAULT_REGISTER.to_owned(),
            receipt_page: None,
            base_url: None,
            username: None,
            entity_code: None,
            credential_set: false,
            capabilities: told(ConnectorKind::Internal),
            updated_at: None,
            version: 0,
        },
    }
}

fn record(tx: &mut Tx<'_>, action: &str, version: i64, connector: ConnectorKind) -> storage::Result<()> {
    let (subject, after) = (tx.tenant(), json!({ "version": version, "connector": connector }));
    audit::record(tx, Change { action, subject_kind: "tenant", subject, before: None, after: Some(&after) })
}

/// What documents are registered with
///
/// For admins. Where nothing was set: the register here alone, which is a repertorio and no general protocol. The
/// credential is never shown.
#[utoipa::path(tag = "protocol", responses(
    (status = 200, description = "The connection. `ETag` is set.", body = ConnectionView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/connections/protocol")]
async fn show_protocol_connection(caller: Caller, db: Data<Db>, connectors: Data<Connectors>) -> Answer {
    policy::administration(&caller)?;
    let row = db.read(&caller, store::get).await?;
    let view = view(row, &caller.tenant.slug, &connectors);
    let etag = view.version.to_string();
    Reply::with(StatusCode::OK, view).etag(etag).answer()
}

/// Connect the Comune with its protocol system
///
/// For admins. From now on what is registered here is handed on to it. What is on its way already is handed on to it
/// too; with another connector or address, somebody has to look first at what the one before may have registered.
/// Another area or register code begins another register.
#[utoipa::path(tag = "protocol", request_body = NewConnection, params(IfMatchHeader), responses(
    (status = 200, description = "Connected. `ETag` is set.", body = ConnectionView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[put("/connections/protocol")]
async fn update_protocol_connection(
    caller: Caller,
    if_match: IfMatch,
    body: Body<NewConnection>,
    db: Data<Db>,
    connectors: Data<Connectors>,
) -> Answer {
    policy::administration(&caller)?;
    let new = body.into_inner();
    let concealed =
        new.credential.as_ref().map(|text| caller.secret().conceal(PURPOSE, text.as_bytes())).transpose()?;
    let row = db
        .write(&caller, move |tx| {
            let before = store::get(tx)?;
            let version = before.as_ref().map_or(0, |it| it.version);
            if_match.check(version, true)?;
            // Nobody sends a credential to another place by changing the address alone.
            let was = before.as_ref().map(|it| (it.connector, it.base_url.clone()));
            let kept = before
                .filter(|it| (it.connector, &it.base_url) == (new.connector, &new.base_url))
                .and_then(|it| it.concealed);
            let private_hosts = settings::store::get(tx)?.settings.private_hosts;
            rules::check(&new, &private_hosts, kept.is_some())?;
            let after = Connection {
                connector: new.connector,
                ipa_code: new.ipa_code.clone(),
                aoo_code: new.aoo_code.clone(),
                register_code: new.register_code.clone(),
                receipt_page: new.receipt_page.clone(),
                base_url: new.base_url.clone(),
                username: new.username.clone(),
                entity_code: new.entity_code.clone(),
                concealed: concealed.clone().or(kept),
                version: version.saturating_add(1),
                updated_at: tx.now(),
            };
            store::put(tx, &after, version)?;
            if was.is_some_and(|was| was != (after.connector, after.base_url.clone())) {
                registrations::moved(tx)?;
            }
            record(tx, "protocol-connection.updated", after.version, after.connector)?;
            store::get(tx)
        })
        .await?;
    let view = view(row, &caller.tenant.slug, &connectors);
    let etag = view.version.to_string();
    Reply::with(StatusCode::OK, view).etag(etag).answer()
}

/// Disconnect the Comune from its protocol system
///
/// For admins. Forgets address and credential: what is registered from now on is registered here alone. What was on
/// its way is told as failed; where an attempt may have come to something, somebody has to look.
#[utoipa::path(tag = "protocol", params(IfMatchHeader), responses(
    (status = 204, description = "Disconnected"),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`: nothing was set", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/connections/protocol")]
async fn remove_protocol_connection(caller: Caller, if_match: IfMatch, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    db.write(&caller, move |tx| {
        let before = store::get(tx)?.ok_or_else(not_found)?;
        if_match.check(before.version, true)?;
        store::delete(tx)?;
        registrations::moved(tx)?;
        record(tx, "protocol-connection.deleted", before.version, before.connector)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show_protocol_connection).service(update_protocol_connection).service(remove_protocol_connection);
}
