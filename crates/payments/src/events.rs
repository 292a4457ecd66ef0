//! What happens here, for those who listen.
#![expect(dead_code, reason = "the structs describe what is told; the code that tells it writes JSON")]

use platform::{
    directory::OfficeId,
    events::types::{EventType, data_of},
};
use utoipa::ToSchema;

use crate::debts::{PaymentId, PaymentState, model::Subject};

/// Of a payment: everything but who pays.
#[derive(ToSchema)]
struct PaymentData {
    /// Identifier.
    id: PaymentId,
    /// Its state after the event.
    state: PaymentState,
    /// Its version after the event.
    version: i64,
    /// The office that answers for it.
    office_id: OfficeId,
    /// What it is for.
    subject: Subject,
    /// Notice number.
    notice_number: String,
    /// How much is owed, in cents of a euro.
    total_cents: i64,
    /// How much was paid, in cents.
    paid_cents: Option<i64>,
    /// How much was given back, in cents.
    refunded_cents: i64,
    /// The last day on which it can be paid.
    #[schema(format = Date)]
    due_on: String,
    /// Whether it was paid after its date, or after it was called off.
    paid_late: bool,
    /// Whether something else was paid than is owed.
    amount_mismatch: bool,
    /// Whether the provider takes no such payment.
    publication_failed: bool,
}

/// What happens to payments.
pub const TYPES: &[EventType] = platform::event_types![
    "payment.created", "payment", "A payment was asked for.", data_of::<PaymentData>;
    "payment.released", "payment", "What it is for was approved, or the provider is asked again.", data_of::<PaymentData>;
    "payment.published", "payment", "It can be paid.", data_of::<PaymentData>;
    "payment.publication_failed", "payment", "The provider takes no such payment: somebody must look at it.", data_of::<PaymentData>;
    "payment.started", "payment", "The pay page was opened.", data_of::<PaymentData>;
    "payment.paid", "payment", "It was paid, says the provider.", data_of::<PaymentData>;
    "payment.paid_late", "payment", "It was paid after its date, or after it was called off.", data_of::<PaymentData>;
    "payment.amount_mismatch", "payment", "Something else was paid than is owed. It does not count as paid.", data_of::<PaymentData>;
    "payment.expired", "payment", "Its date has passed.", data_of::<PaymentData>;
    "payment.cancelled", "payment", "It was called off.", data_of::<PaymentData>;
    "payment.refunded", "payment", "Some of what was paid was given back.", data_of::<PaymentData>;
    "payment.rectified", "payment", "What is held of who pays was put right (GDPR, article 16).", data_of::<PaymentData>;
    "payment.anonymised", "payment", "Who paid is no longer held.", data_of::<PaymentData>;
];
