//! `/settings`: what a Comune shows of itself, and what its admins set.

use actix_web::{get, http::StatusCode, patch, web::Data};
use serde_json::{Value, json};
use storage::{Db, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{IdentityView, SettingsPatch, SettingsView, StoredSettings, languages},
    rules, store,
};
use crate::{
    access::{Access, Caller, policy},
    audit::{self, Change},
    http::{Answer, IfMatch, Link, ProblemBody, Reply, TypedPatch},
    tenants::{self, Tenant},
};

/// Settings of the Comune
///
/// Name, patron saint's day, contacts and languages, for everybody. Admins see also which sites may call from a
/// browser (CORS) and how long holds last.
#[utoipa::path(tag = "settings", security((), ("bearer" = [])), responses(
    (status = 200, description = "The settings. `ETag`: their version", body = SettingsView),
))]
#[get("/settings")]
async fn show_settings(caller: Caller, db: Data<Db>) -> Answer {
    let who = caller.clone();
    db.read(&caller, move |tx| {
        let (tenant, stored) = (tenants::own(tx)?, store::get(tx)?);
        Ok(reply(&who, &tenant, stored))
    })
    .await?
    .answer()
}

/// Change the settings
///
/// For admins. Absent members stay as they are, null takes a setting back to its default. Other gateways of the
/// deployment heed the change within ten seconds.
#[utoipa::path(tag = "settings", request_body(content = SettingsPatch, content_type = "application/merge-patch+json"),
    params(("If-Match" = String, Header, max_length = 100, description = "The `ETag` of the version to change")), responses(
    (status = 200, description = "The settings as they are now. `ETag`: their version", body = SettingsView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[patch("/settings")]
async fn update_settings(
    caller: Caller,
    if_match: IfMatch,
    patch: TypedPatch<SettingsPatch>,
    db: Data<Db>,
    access: Data<Access>,
) -> Answer {
    policy::administration(&caller)?;
    let (who, with_keys) = (caller.clone(), access.client_keys.is_some());
    let changed = db
        .write(&caller, move |tx| {
            let (mut tenant, mut stored) = (tenants::own(tx)?, store::get(tx)?);
            if_match.check(stored.version, true)?;
            let (before, pdnd) = (state(&tenant, &stored), stored.settings.pdnd.clone());
            rules::apply(patch.0.clone(), &mut stored.settings, &mut tenant);
            stored.settings.pdnd.check(&pdnd, with_keys)?;
            store::put(tx, &stored.settings, stored.version)?;
            tenants::update(tx, &tenant)?;
            stored.version = stored.version.saturating_add(1);
            record(tx, &before, &state(&tenant, &stored))?;
            Ok(reply(&who, &tenant, stored))
        })
        .await?;
    access.tenants.forget(&caller.tenant.slug);
    changed.answer()
}

fn state(tenant: &Tenant, stored: &StoredSettings) -> Value {
    json!({
        "name": tenant.name, "patron_day": rules::patron_day(tenant), "patron_name": tenant.patron_name,
        "settings": stored.settings, "version": stored.version,
    })
}

fn record(tx: &mut Tx<'_>, before: &Value, after: &Value) -> storage::Result<()> {
    let (subject, before, after) = (tx.tenant(), Some(before), Some(after));
    audit::record(tx, Change { action: "settings.changed", subject_kind: "tenant", subject, before, after })
}

fn reply(caller: &Caller, tenant: &Tenant, stored: StoredSettings) -> Reply<SettingsView> {
    let StoredSettings { settings, version } = stored;
    let whole = policy::administration(caller).is_ok();
    let change =
        || Link { rel: "change".to_owned(), method: "PATCH".to_owned(), href: format!("/{}/v1/settings", tenant.slug) };
    let view = SettingsView {
        name: tenant.name.clone(),
        patron_day: rules::patron_day(tenant),
        patron_name: tenant.patron_name.clone(),
        email: settings.email,
        phone: settings.phone,
        website: settings.website,
        privacy_notice_url: settings.privacy_notice_url,
        languages: languages(),
        cors_origins: whole.then_some(settings.cors_origins),
        hold_minutes: whole.then_some(settings.hold_minutes),
        private_hosts: whole.then_some(settings.private_hosts),
        messages: whole.then(|| settings.messages.view()),
        identity: IdentityView { minimum_assurance: settings.identity.minimum() },
        pdnd: whole.then(|| settings.pdnd.view()),
        version,
        links: whole.then(change).into_iter().collect(),
    };
    let etag = format!("{version}.{}", if whole { "whole" } else { "public" });
    Reply::with(StatusCode::OK, view).etag(etag)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show_settings).service(update_settings);
}
