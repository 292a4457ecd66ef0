//! What GPD answers about a position.

use jiff::{Timestamp, civil::DateTime};
use payments::ports::{Found, Settlement, Standing};
use serde::Deserialize;

/// What GPD says of a position. What it says besides is nothing to us.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PositionAnswer {
    status: String,
    payment_date: Option<String>,
    #[serde(default)]
    payment_option: Vec<OptionAnswer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OptionAnswer {
    nav: Option<String>,
    iuv: String,
    amount: i64,
    notification_fee: Option<i64>,
    status: Option<String>,
    payment_date: Option<String>,
    id_receipt: Option<String>,
}

impl PositionAnswer {
    /// How it stands, in our words; nothing where that contradicts itself, or is not known.
    pub(super) fn found(self) -> Option<Found> {
        let Self { status, payment_date, payment_option } = self;
        let [option] = <[OptionAnswer; 1]>::try_from(payment_option).ok()?;
        // Telling people by registered letter or PEC (SEND) costs, which pagoPA adds to what is asked for and paid. It is
        // not the Comune's, and no part of what is owed to it.
        let amount_cents = option.amount.saturating_sub(option.notification_fee.unwrap_or(0));
        let paid = matches!(option.status.as_deref(), Some("PO_PAID" | "PO_PARTIALLY_REPORTED" | "PO_REPORTED"));
        let standing = match status.as_str() {
            "DRAFT" => Standing::Unpublished,
            "PUBLISHED" | "VALID" => Standing::Open,
            "INVALID" => Standing::Withdrawn,
            "EXPIRED" => Standing::Expired,
            "PAID" | "REPORTED" if paid => Standing::Paid(Settlement {
                amount_cents,
                paid_at: option.payment_date.or(payment_date).as_deref().and_then(instant),
                receipt: option.id_receipt,
            }),
            _ => return None,
        };
        let notice_number = option.nav.unwrap_or_else(|| format!("3{}", option.iuv));
        Some(Found { notice_number, amount_cents, standing })
    }
}

/// GPD writes instants with an offset, or without one: then as the clocks of Italy show them, like the nodes that it has
/// them from.
fn instant(text: &str) -> Option<Timestamp> {
    let local = || text.parse::<DateTime>().ok().map(|local| kernel::civil::at(local.date(), local.time()));
    text.parse().ok().or_else(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: &str, option: &str) -> Option<Standing> {
        let text = format!(
            r#"{{"iupd":"a","status":"{status}","paymentOption":[{{"iuv":"02000000000000184","amount":1600,"status":"{option}",
               "paymentDate":"2026-12-01T10:00:00","idReceipt":"R1","more":1}}]}}"#
        );
        serde_json::from_str::<PositionAnswer>(&text).unwrap().found().map(|found| found.standing)
    }

    #[test]
    fn what_gpd_says_is_read() {
        assert_eq!(read("VALID", "PO_UNPAID"), Some(Standing::Open));
        assert_eq!(read("DRAFT", "PO_UNPAID"), Some(Standing::Unpublished));
        assert_eq!(read("EXPIRED", "PO_UNPAID"), Some(Standing::Expired));
        assert_eq!(read("INVALID", "PO_UNPAID"), Some(Standing::Withdrawn));
        let paid = Settlement {
            amount_cents: 1600,
            paid_at: Some("2026-12-01T10:00:00+01:00".parse().unwrap()),
            receipt: Some("R1".to_owned()),
        };
        assert_eq!(read("PAID", "PO_PAID"), Some(Standing::Paid(paid.clone())));
        assert_eq!(read("REPORTED", "PO_REPORTED"), Some(Standing::Paid(paid)));
        // Nothing is believed that contradicts itself, or that is not known.
        assert_eq!(read("PAID", "PO_UNPAID"), None);
        assert_eq!(read("PARTIALLY_PAID", "PO_PAID"), None);
        assert_eq!(read("SOMETHING", "PO_PAID"), None);
    }

    #[test]
    fn what_pagopa_adds_is_not_owed_to_the_comune() {
        let text = r#"{"status":"PAID","paymentOption":[{"nav":"302000000000000184","iuv":"02000000000000184","amount":2450,
            "notificationFee":850,"status":"PO_PAID","idReceipt":"R1"}]}"#;
        let found = serde_json::from_str::<PositionAnswer>(text).unwrap().found().unwrap();
        assert_eq!(found.amount_cents, 1600);
        assert!(matches!(found.standing, Standing::Paid(Settlement { amount_cents: 1600, .. })));
    }

    #[test]
    fn instants_without_an_offset_are_italys() {
        let at = |text: &str| instant(text).map(|at| at.to_string());
        assert_eq!(at("2026-12-01T10:00:00").as_deref(), Some("2026-12-01T09:00:00Z"));
        assert_eq!(at("2026-07-01T10:00:00.123").as_deref(), Some("2026-07-01T08:00:00.123Z"));
        assert_eq!(at("2026-07-01T10:00:00Z").as_deref(), Some("2026-07-01T10:00:00Z"));
        assert_eq!(at("2026-07-01T10:00:00+01:00").as_deref(), Some("2026-07-01T09:00:00Z"));
        assert_eq!(at("yesterday"), None);
    }
}
