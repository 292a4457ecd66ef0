//! `/me/message-preferences`: how a person wants to be told.

use actix_web::{get, http::StatusCode, put, web::Data};
use serde_json::json;
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{NewPreferences, PreferencesView},
    store,
};
use crate::{
    access::Caller,
    audit::{self, Change},
    http::{Answer, Body, IfMatch, ProblemBody, Reply},
};

/// My preferences for messages
///
/// How the citizen who asks is reminded, and in which language they are written to.
#[utoipa::path(tag = "messages", responses(
    (status = 200, description = "The preferences. `ETag`: their version", body = PreferencesView),
    (status = 403, description = "`forbidden`: only citizens have preferences", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/me/message-preferences")]
async fn show_my_message_preferences(caller: Caller, db: Data<Db>) -> Answer {
    let person = caller.citizen()?.pseudonym.as_str().to_owned();
    let preferences = db.read(&caller, move |tx| store::of(tx, &person)).await?;
    Reply::with(StatusCode::OK, preferences).etag(preferences.version.to_string()).answer()
}

/// Set my preferences for messages
///
/// Reminders can be refused; a confirmation, a change and a cancellation are always told. Applies to reminders that are
/// planned already too.
#[utoipa::path(tag = "messages", request_body = NewPreferences,
    params(("If-Match" = Option<String>, Header, max_length = 100, description = "The `ETag` of the version to change")), responses(
    (status = 200, description = "The preferences as they are now. `ETag`: their version", body = PreferencesView),
    (status = 403, description = "`forbidden`: only citizens have preferences", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[put("/me/message-preferences")]
async fn update_my_message_preferences(
    caller: Caller,
    if_match: IfMatch,
    body: Body<NewPreferences>,
    db: Data<Db>,
) -> Answer {
    let person = caller.citizen()?.pseudonym.as_str().to_owned();
    let new = body.into_inner();
    let preferences = db
        .write(&caller, move |tx| {
            let before = store::of(tx, &person)?;
            if_match.check(before.version, false)?;
            let after = store::put(tx, &person, new)?;
            let (before, after_state) = (json!(before), json!(after));
            let subject = tx.tenant();
            let change = Change {
                action: "message-preferences.changed",
                subject_kind: "tenant",
                subject,
                before: Some(&before),
                after: Some(&after_state),
            };
            audit::record(tx, change)?;
            Ok(after)
        })
        .await?;
    Reply::with(StatusCode::OK, preferences).etag(preferences.version.to_string()).answer()
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show_my_message_preferences).service(update_my_message_preferences);
}
