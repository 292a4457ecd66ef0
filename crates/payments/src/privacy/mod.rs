//! What payments hold about people: who pays, what for, and why something was given back.

mod store;

use jiff::Timestamp;
use kernel::PageRequest;
use platform::privacy::{
    Disposal, Due, Held, Overdue, Person, PersonalData, Place, RecordId, RecordKind, Rectification, Reference, Section,
    access_log::Look, people::model::KnownBy, retention::model::Services, store::unlink_events, written,
};
use serde_json::{Map, Value, json};
use storage::Tx;

use crate::{
    debts::{
        Debt, PaymentId,
        address::Address,
        changes,
        model::{Debtor, PaymentLine},
        store as debts,
    },
    refunds::{model::RefundView, store as refunds},
};

/// The holding of payments.
#[derive(Debug)]
pub struct Payments;

/// More refunds than any payment has.
const WHOLE: i64 = 10_000;

impl PersonalData for Payments {
    fn name(&self) -> &'static str {
        "payments"
    }

    fn kinds(&self) -> &'static [RecordKind] {
        &[RecordKind::Payment]
    }

    fn identify(&self, _: &mut Tx<'_>, _: Place<'_>, _: &Reference) -> storage::Result<Option<Person>> {
        // Whoever pays is known by a codice fiscale.
        Ok(None)
    }

    fn export(&self, tx: &mut Tx<'_>, _: Place<'_>, person: &Person) -> storage::Result<Held> {
        let mut entries = Vec::new();
        for debt in of_person(tx, person)? {
            entries.push(entry(tx, &debt)?);
        }
        Ok(Held { sections: vec![Section { name: "payments", entries }], files: Vec::new() })
    }

    fn rectify(&self, tx: &mut Tx<'_>, _: Place<'_>, person: &Person, correct: &Rectification) -> storage::Result<i64> {
        let mut changed = 0_i64;
        for found in of_person(tx, person)? {
            let Some(debt) = debts::lock(tx, found.id)? else { continue };
            let Some(before) = debts::debtor(tx, debt.id)? else { continue };
            let after = rectified(&before, correct);
            if after != before {
                debts::save_debtor(tx, debt.id, &after)?;
                changes::changed(tx, "payment.rectified", &debt, debt.clone())?;
                changed += 1;
            }
        }
        Ok(changed)
    }

    fn has_service(&self, _: &mut Tx<'_>, _: RecordKind, _: RecordId) -> storage::Result<bool> {
        Ok(false)
    }

    fn has_record(&self, tx: &mut Tx<'_>, _: RecordKind, id: RecordId) -> storage::Result<bool> {
        Ok(debts::get(tx, id.cast())?.is_some())
    }

    fn special(&self, _: &mut Tx<'_>, _: RecordKind, _: &[RecordId]) -> storage::Result<Vec<Look>> {
        // What is paid for is said in words of the office, which belong to no such category.
        Ok(Vec::new())
    }

    fn overdue(
        &self,
        tx: &mut Tx<'_>,
        due: &Due,
        after: Option<(Timestamp, RecordId)>,
        limit: i64,
    ) -> storage::Result<Vec<Overdue>> {
        if matches!(due.services, Services::One(_)) {
            return Ok(Vec::new());
        }
        let rows = store::overdue(tx, due.before, after, limit)?;
        let record = |(id, at, person_key): (PaymentId, Timestamp, String)| Overdue {
            id: id.cast(),
            at,
            person_key: Some(person_key),
        };
        Ok(rows.into_iter().map(record).collect())
    }

    fn dispose(&self, tx: &mut Tx<'_>, _: RecordKind, _: Disposal, ids: &[RecordId]) -> storage::Result<usize> {
        let mut disposed = 0_usize;
        for id in ids {
            let Some(debt) = debts::lock(tx, id.cast())? else { continue };
            if !store::take_out(tx, debt.id)? {
                continue;
            }
            // Drawn, so that it is nobody's, and another one for each.
            let nobody = hex::encode(rand::random::<[u8; 20]>());
            refunds::blank(tx, debt.id)?;
            debts::blank_lines(tx, debt.id)?;
            let anonymous = Debt {
                description: String::new(),
                owner: format!("citizen:{nobody}"),
                person_key: nobody.clone(),
                access_hash: None,
                ..debt.clone()
            };
            let anonymous = changes::changed(tx, "payment.anonymised", &debt, anonymous)?;
            debts::schedule(tx, anonymous.id, None)?;
            unlink_events(tx, anonymous.id, &nobody)?;
            disposed = disposed.saturating_add(1);
        }
        Ok(disposed)
    }
}

/// The payments of a person. A family may share a mailbox: who is known by one alone is not who pays.
fn of_person(tx: &mut Tx<'_>, person: &Person) -> storage::Result<Vec<Debt>> {
    match person.known_by {
        KnownBy::TaxCode(_) => store::of(tx, &person.key),
        KnownBy::Contact { .. } => Ok(Vec::new()),
    }
}

fn entry(tx: &mut Tx<'_>, debt: &Debt) -> storage::Result<Map<String, Value>> {
    let all = PageRequest { limit: WHOLE, after: None };
    let mut given_back = Vec::new();
    for refund in refunds::list(tx, debt.id, &all)? {
        let mut refund = written(&RefundView::from(refund))?;
        // The name of a colleague is not theirs to know.
        refund.remove("recorded_by");
        given_back.push(Value::Object(refund));
    }
    let payer = debts::debtor(tx, debt.id)?.map(|debtor| {
        json!({
            "given_name": debtor.given_name, "family_name": debtor.family_name, "legal_name": debtor.legal_name,
            "tax_code": debtor.tax_code, "email": debtor.email, "address": Address::of(&debtor),
        })
    });
    let lines: Vec<PaymentLine> = debts::lines(tx, debt.id)?.into_iter().map(Into::into).collect();
    let paid_at = debt.paid_at.map(kernel::civil::format_rfc3339);
    written(&json!({
        "id": debt.id, "state": debt.state, "description": debt.description, "notice_number": debt.notice_number,
        "total_cents": debt.total_cents, "due_on": debt.due_on(), "paid_cents": debt.paid_cents, "paid_at": paid_at,
        "created_at": kernel::civil::format_rfc3339(debt.created_at), "payer": payer,
        "lines": lines, "refunds": given_back,
    }))
}

fn rectified(before: &Debtor, correct: &Rectification) -> Debtor {
    let mut after = before.clone();
    if before.legal_name.is_none() {
        after.given_name = correct.given_name.clone().or(after.given_name);
        after.family_name = correct.family_name.clone().or(after.family_name);
    }
    after.email = correct.email.clone().or(after.email);
    after
}
