//! Notifications, as sent, stored and answered.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::{Id, civil};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use crate::{
    debts::{PaymentId, model::Money},
    numbers::rules::is_notice_number,
    schema::payment_notifications,
};

/// The identifier of a notification.
pub type NotificationId = Id<Notification>;

storage::text_enum! {
    /// What became of a notification.
    pub enum NotificationOutcome {
        /// The provider is asked how the payment stands.
        Noted = "noted",
        /// No payment of this Comune has this notice number.
        UnknownNotice = "unknown_notice",
        /// It tells of another amount than is owed. The provider is asked all the same.
        AmountMismatch = "amount_mismatch",
    }
}

/// A notification, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = payment_notifications)]
pub struct Notification {
    /// Identifier.
    pub id: NotificationId,
    /// The sender's id of it.
    pub message_id: String,
    /// SHA-256 of the body, hexadecimal.
    pub digest: String,
    /// About which notice.
    pub notice_number: String,
    /// The payment of that notice.
    pub debt_id: Option<PaymentId>,
    /// The amount it tells of, in cents.
    pub amount_cents: Option<i64>,
    /// What became of it.
    pub outcome: NotificationOutcome,
    /// When it came.
    pub received_at: Timestamp,
}

/// That something may have happened to a payment
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "notice_number": "302000000000000184", "amount": { "amount_cents": 2221, "currency": "EUR" } }))]
pub struct NewPaymentNotification {
    /// Notice number.
    #[validate(length(min = 18, max = 18), custom(function = notice))]
    #[schema(min_length = 18, max_length = 18, pattern = "^[0-3][0-9]{17}$")]
    pub notice_number: String,
    /// How much was paid, where the provider says.
    #[validate(nested)]
    pub amount: Option<Money>,
}

/// A notification that was kept
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PaymentNotification, example = json!({
    "id": "01980000-0000-7000-8000-0000000000d0", "notice_number": "302000000000000184", "outcome": "noted",
    "received_at": "2026-11-29T10:00:00+01:00"
}))]
pub struct NotificationView {
    /// Identifier.
    pub id: NotificationId,
    /// Notice number.
    #[schema(max_length = 18)]
    pub notice_number: String,
    /// What became of it.
    pub outcome: NotificationOutcome,
    /// When it came the first time.
    #[serde(with = "civil::rfc3339")]
    pub received_at: Timestamp,
}

impl From<Notification> for NotificationView {
    fn from(of: Notification) -> Self {
        let Notification { id, notice_number, outcome, received_at, .. } = of;
        Self { id, notice_number, outcome, received_at }
    }
}

fn notice(text: &str) -> Result<(), ValidationError> {
    if is_notice_number(text) {
        return Ok(());
    }
    Err(ValidationError::new("notice").with_message("18 digits, of which the first is at most 3".into()))
}
