//! Refunds, as stored, asked for and served.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::{Id, civil};
use platform::settings::rules::one_line;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    debts::{PaymentId, model::Money},
    schema::payment_refunds,
};

/// The identifier of a refund.
pub type RefundId = Id<Refund>;

/// A refund, as stored.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = payment_refunds)]
pub struct Refund {
    /// Identifier.
    pub id: RefundId,
    /// Of which payment.
    pub debt_id: PaymentId,
    /// How much, in cents.
    pub amount_cents: i64,
    /// Why.
    pub reason: String,
    /// The act it was decided by, or the order to pay.
    pub reference: String,
    /// Who recorded it.
    pub recorded_by: String,
    /// When.
    pub created_at: Timestamp,
}

kernel::redacted_debug!(Refund, NewRefund, RefundView);

/// A refund to be recorded
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "amount": { "amount_cents": 500, "currency": "EUR" }, "reason": "Pagato due volte", "reference": "Det. 12/2026" }))]
pub struct NewRefund {
    /// How much.
    #[validate(nested)]
    pub amount: Money,
    /// Why.
    #[validate(length(min = 1, max = 500), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub reason: String,
    /// The act it was decided by, or the order to pay.
    #[validate(length(min = 1, max = 100), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub reference: String,
}

/// A refund
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Refund, example = json!({
    "id": "01980000-0000-7000-8000-0000000000c0", "payment_id": "01980000-0000-7000-8000-0000000000a0",
    "amount": { "amount_cents": 500, "currency": "EUR" }, "reason": "Pagato due volte", "reference": "Det. 12/2026",
    "recorded_by": "staff:01980000-0000-7000-8000-000000000040", "created_at": "2026-12-10T10:00:00+01:00"
}))]
pub struct RefundView {
    /// Identifier.
    pub id: RefundId,
    /// Of which payment.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Money,
    /// Why; empty once that is no longer held.
    #[schema(max_length = 500)]
    pub reason: String,
    /// The act it was decided by, or the order to pay; empty once that is no longer held.
    #[schema(max_length = 100)]
    pub reference: String,
    /// Who recorded it.
    #[schema(max_length = 200)]
    pub recorded_by: String,
    /// When.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
}

impl From<Refund> for RefundView {
    fn from(refund: Refund) -> Self {
        let Refund { id, debt_id, amount_cents, reason, reference, recorded_by, created_at } = refund;
        Self { id, payment_id: debt_id, amount: Money::euro(amount_cents), reason, reference, recorded_by, created_at }
    }
}
