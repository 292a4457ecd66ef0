//! `/payment-notifications`: what the provider tells by itself.

use actix_web::{HttpRequest, http::StatusCode, post, web::Data};
use aws_lc_rs::digest::{SHA256, digest};
use kernel::Problem;
use platform::{
    access::Caller,
    audit::{self, Change},
    http::{Answer, ProblemBody, RawBody, Reply},
    problems::{IDEMPOTENCY_KEY_REUSED, PAYLOAD_TOO_LARGE},
};
use serde_json::json;
use storage::{Db, Scope, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{NewPaymentNotification, Notification, NotificationView},
    rules::{self, Signed},
    store,
};
use crate::{
    connection::{NOTIFICATION_KEY, store as connection},
    debts::{Debt, PaymentState, model::Task, store as debts},
    problems::NOTIFICATION_NOT_SIGNED,
};

/// The largest body that is looked at, in bytes: each key is tried on all of it, whoever sends it.
const MOST_BYTES: usize = 16 * 1024;

/// Tell that something may have been paid
///
/// For the provider of payments, or the intermediary between it and the Comune. Signed as Standard Webhooks are: with
/// HMAC-SHA256 over `id.timestamp.body`, by a key from `/connections/payments/notification-keys`, at most five minutes
/// ago. The same `Webhook-Id` has one effect. It is a hint: the provider is asked before anything is paid.
#[utoipa::path(tag = "payments", request_body = NewPaymentNotification, security(()), params(
    ("Webhook-Id" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "The sender's id of it, the same on every retry"),
    ("Webhook-Timestamp" = Option<String>, Header, max_length = 20, pattern = "^[0-9]+$", description = "When it was signed, in seconds since 1970"),
    ("Webhook-Signature" = Option<String>, Header, max_length = 1000, description = "`v1,` and the signature in base64; several are parted by blanks"),
), responses(
    (status = 202, description = "Kept, now or before", body = NotificationView),
    (status = 401, description = "`notification-not-signed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 413, description = "`payload-too-large`: more than 16 KiB", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`; `idempotency-key-reused`: the id came with another body", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/payment-notifications")]
async fn receive_payment_notification(caller: Caller, req: HttpRequest, body: RawBody, db: Data<Db>) -> Answer {
    if body.bytes().len() > MOST_BYTES {
        return Err(Problem::new(&PAYLOAD_TOO_LARGE).detail(format!("at most {MOST_BYTES} bytes")).into());
    }
    let header = |name: &str| req.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let signed = Signed {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    let concealed = db.read(&caller, connection::keys).await?;
    let reveal =
        |key: &crate::connection::model::NotificationKey| caller.secret().reveal(NOTIFICATION_KEY, &key.concealed);
    let keys: Vec<Vec<u8>> = concealed.iter().filter_map(reveal).collect();
    let message_id = rules::verified(&keys, &signed, body.bytes(), db.clock().now()).map_err(|why| {
        tracing::info!(reason = %why, "a notification of a payment was refused");
        Problem::new(&NOTIFICATION_NOT_SIGNED)
    })?;
    let digest = hex::encode(digest(&SHA256, body.bytes()));
    let new: NewPaymentNotification = body.parse()?;
    // Whatever token it came with: the key is the Comune's provider's, which is nobody who calls otherwise.
    let scope = Scope::system(caller.tenant.tenant_id);
    let kept = db.write(&scope, move |tx| keep(tx, &message_id, &digest, &new)).await?;
    Reply::with(StatusCode::ACCEPTED, NotificationView::from(kept)).answer()
}

fn keep(
    tx: &mut Tx<'_>,
    message_id: &str,
    digest: &str,
    new: &NewPaymentNotification,
) -> storage::Result<Notification> {
    let again = |before: Notification| match before.digest == digest {
        true => Ok(before),
        false => Err(Problem::new(&IDEMPOTENCY_KEY_REUSED).into()),
    };
    if let Some(before) = store::by_message(tx, message_id)? {
        return again(before);
    }
    let debt = debts::by_notice(tx, &new.notice_number)?;
    let notification = Notification {
        id: tx.new_id(),
        message_id: message_id.to_owned(),
        digest: digest.to_owned(),
        notice_number: new.notice_number.clone(),
        debt_id: debt.as_ref().map(|debt| debt.id),
        amount_cents: new.amount.map(|amount| amount.amount_cents),
        outcome: rules::outcome(debt.as_ref(), new.amount.map(|amount| amount.amount_cents)),
        received_at: tx.now(),
    };
    match tx.savepoint(|tx| store::insert(tx, &notification)) {
        // The same at another gateway, a moment ago.
        Err(failure) if failure.is_unique("payment_notifications", &["tenant_id", "message_id"]) => {
            return store::by_message(tx, message_id)?.map_or(Err(failure), again);
        }
        outcome => outcome?,
    }
    if let Some(debt) = debt.filter(is_asked_about) {
        debts::hurry(tx, debt.id, Task::Check)?;
    }
    let after = json!({ "notice_number": notification.notice_number, "outcome": notification.outcome });
    let subject = notification.id;
    let change = Change {
        action: "payment.notified",
        subject_kind: "payment_notification",
        subject,
        before: None,
        after: Some(&after),
    };
    audit::record(tx, change)?;
    Ok(notification)
}

/// Whether the provider can know more of a debt than we do.
fn is_asked_about(debt: &Debt) -> bool {
    debt.tried_at.is_some() && debt.state != PaymentState::Paid
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(receive_payment_notification);
}
