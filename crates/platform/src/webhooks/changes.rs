//! What making, changing and ending webhooks consists of: each one transaction.

use jiff::SignedDuration;
use kernel::Problem;
use serde_json::{Value, json};
use storage::{Json, Tx};

use super::{
    addresses::{self, Forbidden},
    deliveries::{model::DeliveryId, store as deliveries},
    model::{DisabledBecause, NewWebhook, Webhook, WebhookId, WebhookPatch, WebhookState},
    sending::SIGNING_KEY,
    signature::SigningKey,
    store,
};
use crate::{
    access::DeploymentSecret,
    audit::{self, Change},
    changes::{Done, tell},
    http::not_found,
    outbox::{self, Event, EventId},
    problems::{INVALID_BODY, INVALID_TRANSITION, TOO_MANY_WEBHOOKS, VERSION_MISMATCH},
};

/// The longest wait before an old key stops signing.
const DEFAULT_OVERLAP_HOURS: i64 = 24;

/// Makes a webhook, unless there are `most` already; answers it with its key.
///
/// # Errors
/// `invalid-body` for an address that is not sent to, `too-many-webhooks`, or when the database fails.
pub fn create(
    tx: &mut Tx<'_>,
    secret: &DeploymentSecret,
    (private_hosts, most): (&[String], i64),
    new: &NewWebhook,
) -> storage::Result<(Webhook, SigningKey)> {
    check_address(&new.url, private_hosts)?;
    if store::count(tx)? >= most {
        return Err(Problem::new(&TOO_MANY_WEBHOOKS).into());
    }
    let key = SigningKey::random();
    let webhook = Webhook {
        id: tx.new_id(),
        url: new.url.clone(),
        description: new.description.clone(),
        kinds: Json(new.kinds.clone()),
        state: WebhookState::Enabled,
        disabled_because: None,
        signing_key: secret.conceal(SIGNING_KEY, key.bytes())?,
        previous_key: None,
        previous_expires_at: None,
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    store::insert(tx, &webhook)?;
    told(tx, "webhook.created", None, Some(&webhook))?;
    Ok((webhook, key))
}

/// Changes one. `check` is asked about its version.
///
/// # Errors
/// `not-found`, what `check` refuses, `invalid-body`, or when the database fails.
pub fn change(
    tx: &mut Tx<'_>,
    id: WebhookId,
    private_hosts: &[String],
    patch: &WebhookPatch,
    check: impl Fn(i64) -> Result<(), Problem>,
) -> storage::Result<Webhook> {
    let before = store::get(tx, id)?.ok_or_else(not_found)?;
    check(before.version)?;
    let mut after = before.clone();
    if let Some(url) = &patch.url {
        check_address(url, private_hosts)?;
        after.url.clone_from(url);
    }
    if let Some(description) = &patch.description {
        after.description.clone_from(description);
    }
    if let Some(kinds) = &patch.kinds {
        after.kinds = Json(kinds.clone());
    }
    match patch.state {
        Some(WebhookState::Enabled) => (after.state, after.disabled_because) = (WebhookState::Enabled, None),
        Some(WebhookState::Disabled) if before.state == WebhookState::Enabled => {
            (after.state, after.disabled_because) = (WebhookState::Disabled, Some(DisabledBecause::ByHand));
        }
        Some(WebhookState::Disabled) | None => {}
    }
    save(tx, "webhook.updated", &before, after)
}

/// Gives one a new key, beside which the old one signs for a while.
///
/// # Errors
/// `not-found`, what `check` refuses, or when the database fails.
pub fn rotate(
    tx: &mut Tx<'_>,
    secret: &DeploymentSecret,
    id: WebhookId,
    overlap_hours: Option<i64>,
    check: impl Fn(i64) -> Result<(), Problem>,
) -> storage::Result<(Webhook, SigningKey)> {
    let before = store::get(tx, id)?.ok_or_else(not_found)?;
    check(before.version)?;
    let key = SigningKey::random();
    let overlap = SignedDuration::from_hours(overlap_hours.unwrap_or(DEFAULT_OVERLAP_HOURS));
    let after = Webhook {
        signing_key: secret.conceal(SIGNING_KEY, key.bytes())?,
        previous_key: Some(before.signing_key.clone()),
        previous_expires_at: Some(tx.now().saturating_add(overlap).unwrap_or(tx.now())),
        ..before.clone()
    };
    Ok((save(tx, "webhook.key_rotated", &before, after)?, key))
}

/// Takes one away, with its log.
///
/// # Errors
/// `not-found`, what `check` refuses, or when the database fails.
pub fn delete(tx: &mut Tx<'_>, id: WebhookId, check: impl Fn(i64) -> Result<(), Problem>) -> storage::Result<()> {
    let before = store::get(tx, id)?.ok_or_else(not_found)?;
    check(before.version)?;
    store::delete(tx, id)?;
    told(tx, "webhook.deleted", Some(&before), None)
}

/// Its receiver wants no more.
///
/// # Errors
/// When the database fails.
pub fn gone(tx: &mut Tx<'_>, id: WebhookId) -> storage::Result<()> {
    let Some(before) = store::get(tx, id)?.filter(|webhook| webhook.state == WebhookState::Enabled) else {
        return Ok(());
    };
    deliveries::park_all(tx, id)?;
    let (state, disabled_because) = (WebhookState::Disabled, Some(DisabledBecause::Gone));
    let after = Webhook { state, disabled_because, ..before.clone() };
    save(tx, "webhook.disabled", &before, after).map(|_| ())
}

/// Sends an event to one webhook alone, to try it out. Answers the event and its delivery, which waits for no other.
///
/// # Errors
/// `not-found`, `invalid-transition` for one that is disabled, or when the database fails.
pub fn test(tx: &mut Tx<'_>, id: WebhookId) -> storage::Result<(EventId, DeliveryId)> {
    let webhook = store::get(tx, id)?.ok_or_else(not_found)?;
    if webhook.state == WebhookState::Disabled {
        let state = webhook.state.as_str();
        return Err(Problem::new(&INVALID_TRANSITION)
            .with("current_state", state)
            .with("allowed", json!(["update"]))
            .into());
    }
    let (subject, version, payload) = (webhook.id, webhook.version, json!({ "id": webhook.id }));
    let (action, subject_kind) = (store::TEST_EVENT, "webhook");
    audit::record(tx, Change { action, subject_kind, subject, before: None, after: None })?;
    let event = outbox::emit(tx, Event { kind: action, subject_kind, subject, version, payload })?;
    Ok((event, store::queue_for(tx, webhook.id, (event, webhook.id.cast()), 0)?))
}

fn save(tx: &mut Tx<'_>, action: &str, before: &Webhook, mut after: Webhook) -> storage::Result<Webhook> {
    after.version = before.version.saturating_add(1);
    after.updated_at = tx.now();
    if !store::update(tx, &after)? {
        return Err(Problem::new(&VERSION_MISMATCH).into());
    }
    told(tx, action, Some(before), Some(&after))?;
    Ok(after)
}

fn told(tx: &mut Tx<'_>, action: &str, before: Option<&Webhook>, after: Option<&Webhook>) -> storage::Result<()> {
    let Some(subject) = after.or(before) else { return Ok(()) };
    let (subject, version) = (subject.id, after.map_or_else(|| subject.version.saturating_add(1), |it| it.version));
    let (before, after) = (before.map(state), after.map(state));
    tell(tx, Done { action, kind: "webhook", subject, version, before, after })
}

/// Of its address only the host is told: the rest may hold a token of the receiver's.
fn state(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id,
        "version": webhook.version,
        "host": addresses::host(&webhook.url).map(|named| named.host),
        "kinds": webhook.kinds.0,
        "state": webhook.state,
        "disabled_because": webhook.disabled_because,
    })
}

fn check_address(url: &str, private_hosts: &[String]) -> Result<(), Problem> {
    addresses::check(url, private_hosts).map(|_own| ()).map_err(|forbidden| {
        let code = match forbidden {
            Forbidden::Malformed => "malformed",
            Forbidden::Cleartext => "cleartext",
            Forbidden::Private => "private-address",
            Forbidden::Never => "forbidden-address",
        };
        Problem::new(&INVALID_BODY).field("/url", code, forbidden.to_string())
    })
}
