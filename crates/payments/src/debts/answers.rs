//! A payment, as it is served.

use jiff::{Timestamp, civil::Date};
use kernel::civil;
use platform::{directory::OfficeId, http::Link};
use serde::Serialize;
use utoipa::ToSchema;

use super::model::{Money, Payer, PaymentId, PaymentLine, PaymentState, PaymentTime, Subject};

kernel::redacted_debug!(PaymentView);

/// A payment
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Payment, example = json!({
    "id": "01980000-0000-7000-8000-0000000000a0", "state": "payable", "version": 2,
    "office_id": "01980000-0000-7000-8000-000000000002",
    "subject": { "kind": "payment", "id": "01980000-0000-7000-8000-0000000000a0" },
    "description": "Rilascio carta d'identità", "total": { "amount_cents": 2221, "currency": "EUR" },
    "due_on": "2027-01-31", "when": "before", "creditor_tax_code": "01199250158",
    "notice_number": "302000000000000184", "iuv": "02000000000000184",
    "payer": { "given_name": "Anna", "family_name": "Prova", "tax_code": "PRVNNA80A41Z998F" },
    "lines": [{ "description": "Diritti di segreteria", "taxonomy_code": "9/0101108TS/", "amount": { "amount_cents": 2221, "currency": "EUR" } }],
    "paid_late": false, "amount_mismatch": false, "publication_failed": false,
    "published_at": "2026-11-29T10:00:01+01:00", "paid_at": null, "paid": null, "refunded": null,
    "created_at": "2026-11-29T10:00:00+01:00", "updated_at": "2026-11-29T10:00:01+01:00", "links": []
}))]
pub struct PaymentView {
    /// Identifier.
    pub id: PaymentId,
    /// How far it is.
    pub state: PaymentState,
    /// Counts changes.
    #[schema(minimum = 1)]
    pub version: i64,
    /// The office that answers for it.
    pub office_id: OfficeId,
    /// What it is for.
    pub subject: Subject,
    /// What for, in words; empty once who pays is no longer held.
    #[schema(max_length = 140)]
    pub description: String,
    /// How much.
    pub total: Money,
    /// The last day on which it can be paid.
    pub due_on: Date,
    /// Whether it is asked for before or after approval.
    pub when: PaymentTime,
    /// Codice fiscale of the creditor.
    #[schema(max_length = 11)]
    pub creditor_tax_code: String,
    /// The number of the notice, which any bank takes.
    #[schema(max_length = 18)]
    pub notice_number: String,
    /// IUV.
    #[schema(max_length = 17)]
    pub iuv: String,
    /// Who pays; absent in lists, and once that is no longer held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payer: Option<Payer>,
    /// What it consists of; absent in lists, and once who pays is no longer held.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 5)]
    pub lines: Option<Vec<PaymentLine>>,
    /// Whether it was paid after its date, or after it was called off.
    pub paid_late: bool,
    /// Whether something else was paid than is owed. It does not count as paid.
    pub amount_mismatch: bool,
    /// Whether the provider takes no such payment. `POST /payments/{payment_id}/publication` tries again.
    pub publication_failed: bool,
    /// Since when it can be paid.
    #[serde(with = "civil::rfc3339::option")]
    pub published_at: Option<Timestamp>,
    /// When it was paid.
    #[serde(with = "civil::rfc3339::option")]
    pub paid_at: Option<Timestamp>,
    /// How much was paid.
    pub paid: Option<Money>,
    /// How much of it was given back; null where nothing was.
    pub refunded: Option<Money>,
    /// Opens the payment to who has not signed in; told once, to whoever made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub access_token: Option<String>,
    /// When it was made.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
    /// When it was changed last.
    #[serde(with = "civil::rfc3339")]
    pub updated_at: Timestamp,
    /// What the caller may do with it now.
    #[schema(max_items = 10)]
    pub links: Vec<Link>,
}
