//! Positions of the provider that takes no money, and what can be made to happen to them.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::civil;
use serde::Deserialize;
use utoipa::ToSchema;
use validator::Validate;

use crate::{debts::model::Money, schema::payment_simulations};

storage::text_enum! {
    /// How a position stands.
    pub enum SimulatedState {
        /// It can be paid.
        Valid = "valid",
        /// It was withdrawn.
        Invalid = "invalid",
        /// It was paid.
        Paid = "paid",
    }
}

storage::text_enum! {
    /// What whoever pays does.
    pub enum SimulatedOutcome {
        /// They pay.
        Paid = "paid",
        /// Their bank says no, or they give up.
        Failed = "failed",
    }
}

/// A position, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = payment_simulations)]
pub(crate) struct Simulated {
    pub(crate) notice_number: String,
    pub(crate) amount_cents: i64,
    pub(crate) state: SimulatedState,
    pub(crate) paid_cents: Option<i64>,
    pub(crate) paid_at: Option<Timestamp>,
    pub(crate) receipt: Option<String>,
}

/// What is to happen on the other side
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPaymentSimulation, example = json!({ "outcome": "paid" }))]
pub(crate) struct NewSimulation {
    /// What whoever pays does.
    pub outcome: SimulatedOutcome,
    /// How much they pay; what is owed when absent.
    #[validate(nested)]
    pub amount: Option<Money>,
    /// When they pay; now when absent. After the payment's `due_on` it is late.
    #[serde(default, with = "civil::rfc3339::option")]
    pub paid_at: Option<Timestamp>,
    /// Whether the provider is asked at once, as after a notification; `true` when absent. Otherwise it is found out
    /// when the provider is asked the next time.
    pub notified: Option<bool>,
}
