//! What happens to debts: each one change, told to the audit and to those who listen, in the transaction it is made in.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::{Problem, TaxCode};
use platform::{
    access::Pseudonym,
    audit::{self, Change},
    changes::{self, Done},
    directory::{OfficeId, store as directory},
    http::not_found,
    privacy::Place,
};
use serde_json::{Value, json};
use storage::Tx;

use super::{
    model::{Debt, Debtor, Line, NewPayment, Payer, PaymentId, PaymentLine, PaymentState, PaymentTime, Subject, Task},
    rules::{self, Happening, Verdict},
    store,
};
use crate::{connection, numbers, ports::Settlement, problems::PAYMENTS_NOT_CONNECTED, refunds};

/// A debt to be asked for by another part of the product.
#[derive(Debug, Clone)]
pub struct NewDebt {
    /// What it is for.
    pub subject: Option<Subject>,
    /// The office that answers for it.
    pub office_id: OfficeId,
    /// What for, in one line of at most 140 characters.
    pub description: String,
    /// Who pays.
    pub payer: Payer,
    /// What it consists of.
    pub lines: Vec<PaymentLine>,
    /// The last day on which it can be paid.
    pub due_on: jiff::civil::Date,
    /// At once, or when it is [released](release).
    pub when: PaymentTime,
}

impl From<NewDebt> for NewPayment {
    fn from(new: NewDebt) -> Self {
        let NewDebt { subject, office_id, description, payer, lines, due_on, when } = new;
        Self { office_id, description, payer, lines, due_on, when, subject }
    }
}

/// A debt that was asked for.
#[derive(Clone)]
pub struct Requested {
    /// The debt.
    pub debt: Debt,
    /// Opens it to who has not signed in. Told once.
    pub access_token: String,
}

kernel::redacted_debug!(Requested);

/// Asks for a payment. The provider is told afterwards, outside of this transaction.
///
/// # Errors
/// `payments-not-connected`, `invalid-body` for what no notice can say, `not-found` for an unknown office, or when the
/// database fails.
pub fn request(tx: &mut Tx<'_>, place: Place<'_>, new: NewDebt) -> storage::Result<Requested> {
    ask(tx, place, &new.into())
}

pub(super) fn ask(tx: &mut Tx<'_>, place: Place<'_>, new: &NewPayment) -> storage::Result<Requested> {
    let total_cents = rules::check(new, tx.now())?;
    let connection = connection::store::get(tx)?.filter(|connection| connection.enabled);
    let connection = connection.ok_or_else(|| {
        Problem::new(&PAYMENTS_NOT_CONNECTED).detail("the Comune has not said how it is paid, or has switched it off")
    })?;
    if directory::office(tx, new.office_id)?.is_none() {
        return Err(not_found().into());
    }
    let numbers = numbers::next(tx, &connection.organisation_tax_code, &connection.segregation_code)?;
    let person = whose(place, &new.payer.tax_code);
    let access_token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let id: PaymentId = tx.new_id();
    let own = || Subject { kind: rules::OWN_KIND.to_owned(), id: id.cast() };
    let subject = new.subject.clone().unwrap_or_else(own);
    let debt = Debt {
        id,
        subject_kind: subject.kind,
        subject_id: subject.id,
        office_id: new.office_id,
        owner: person.actor().as_str().to_owned(),
        person_key: person.as_str().to_owned(),
        description: new.description.clone(),
        total_cents,
        due_at: rules::end_of(new.due_on),
        due_when: new.when,
        creditor: connection.organisation_tax_code,
        notice_number: numbers.notice_number,
        iuv: numbers.iuv,
        state: rules::first(new.when),
        paid_late: false,
        amount_mismatch: false,
        publication_failed: false,
        tried_at: None,
        published_at: None,
        paid_at: None,
        paid_cents: None,
        receipt_reference: None,
        access_hash: Some(hash(&access_token)),
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    let lines: Vec<Line> = new.lines.iter().map(|line| stored(line, &connection.iban)).collect();
    store::insert(tx, &debt, &lines, &debtor(&new.payer))?;
    store::schedule(tx, debt.id, rules::plan(&debt, 0, tx.now()))?;
    tell(tx, "payment.created", None, &debt)?;
    Ok(Requested { debt, access_token })
}

/// Whose the debts of this codice fiscale are.
pub fn whose(place: Place<'_>, tax_code: &TaxCode) -> Pseudonym {
    Pseudonym::of_tax_code(place.secret, place.tenant.tenant_id, tax_code)
}

/// What is kept of a token.
pub(crate) fn hash(token: &str) -> String {
    hex::encode(digest(&SHA256, token.as_bytes()))
}

fn stored(line: &PaymentLine, iban: &str) -> Line {
    let stamp = line.stamp.clone();
    Line {
        description: line.description.clone(),
        taxonomy_code: line.taxonomy_code.clone(),
        amount_cents: line.amount.amount_cents,
        iban: stamp.is_none().then(|| iban.to_owned()),
        document_digest: stamp.as_ref().map(|stamp| stamp.document_digest.clone()),
        province: stamp.map(|stamp| stamp.province),
    }
}

fn debtor(payer: &Payer) -> Debtor {
    let address = payer.address.as_ref();
    Debtor {
        street: address.map(|address| address.street.clone()),
        building_number: address.map(|address| address.building_number.clone()),
        postal_code: address.map(|address| address.postal_code.clone()),
        locality: address.map(|address| address.locality.clone()),
        province: address.map(|address| address.province.clone()),
        given_name: payer.given_name.clone(),
        family_name: payer.family_name.clone(),
        legal_name: payer.legal_name.clone(),
        tax_code: payer.tax_code.as_str().to_owned(),
        email: payer.email.clone(),
    }
}

/// Has a debt paid that waited for a decision; one tried again that the provider did not take; and the provider asked
/// at once about one that it has, or is being told of. What it was not told of yet can be `due_on` another day; what was
/// due before today must be.
///
/// # Errors
/// `not-found`, `invalid-transition`, `invalid-query` for its date, or when the database fails.
pub fn release(tx: &mut Tx<'_>, id: PaymentId, due_on: Option<jiff::civil::Date>) -> storage::Result<Debt> {
    let before = store::lock(tx, id)?.ok_or_else(not_found)?;
    if let Some(task) = rules::hurried(&before) {
        if due_on.is_some() {
            return Err(rules::not_now(before.state).into());
        }
        store::hurry(tx, id, task)?;
        let after = state(&before, refunds::store::sum(tx, id)?);
        let change = Change {
            action: "payment.checked",
            subject_kind: "payment",
            subject: id,
            before: None,
            after: Some(&after),
        };
        audit::record(tx, change)?;
        return Ok(before);
    }
    let retried = rules::is_refused(&before);
    let state = if retried { before.state } else { rules::must(before.state, Happening::Released)? };
    let due_at = rules::due_from_now(&before, due_on, tx.now())?;
    let after = Debt { state, due_at, publication_failed: false, ..before.clone() };
    changed(tx, "payment.released", &before, after)
}

/// Calls a debt off. The provider is told afterwards.
///
/// # Errors
/// `not-found`, `invalid-transition`, or when the database fails.
pub fn cancel(tx: &mut Tx<'_>, id: PaymentId) -> storage::Result<Debt> {
    let before = store::lock(tx, id)?.ok_or_else(not_found)?;
    let state = rules::must(before.state, Happening::Cancelled)?;
    let after = changed(tx, "payment.cancelled", &before, Debt { state, ..before.clone() })?;
    if before.tried_at.is_some() {
        // Whatever it answered: it may have it.
        store::schedule(tx, id, Some((Task::Withdraw, tx.now())))?;
    }
    Ok(after)
}

/// Somebody has withdrawn it at the provider.
pub(crate) fn withdrawn(tx: &mut Tx<'_>, before: &Debt) -> storage::Result<Debt> {
    match rules::next(before.state, Happening::Cancelled) {
        Some(state) => changed(tx, "payment.cancelled", before, Debt { state, ..before.clone() }),
        None => Ok(before.clone()),
    }
}

/// The provider has it now. Where it was called off meanwhile, it stays so.
pub(crate) fn published(tx: &mut Tx<'_>, before: &Debt) -> storage::Result<Debt> {
    let published_at = before.published_at.or(Some(tx.now()));
    match rules::next(before.state, Happening::Published) {
        Some(state) => {
            let after = Debt { state, published_at, publication_failed: false, ..before.clone() };
            changed(tx, "payment.published", before, after)
        }
        None => Ok(before.clone()),
    }
}

/// Somebody has opened the pay page. Who opens it again changes nothing: they are looked after as the first time.
pub(crate) fn started(tx: &mut Tx<'_>, before: &Debt) -> storage::Result<Debt> {
    let state = rules::must(before.state, Happening::Started)?;
    if state == before.state {
        store::schedule(tx, before.id, rules::plan(before, 0, tx.now()))?;
        return Ok(before.clone());
    }
    changed(tx, "payment.started", before, Debt { state, ..before.clone() })
}

/// The provider takes no such position.
pub(crate) fn not_taken(tx: &mut Tx<'_>, before: &Debt) -> storage::Result<Debt> {
    if before.publication_failed || before.state != PaymentState::AwaitingPublication {
        return Ok(before.clone());
    }
    changed(tx, "payment.publication_failed", before, Debt { publication_failed: true, ..before.clone() })
}

/// Its date has passed.
pub(crate) fn date_passed(tx: &mut Tx<'_>, before: &Debt) -> storage::Result<Debt> {
    match rules::next(before.state, Happening::DatePassed).filter(|_| before.due_at <= tx.now()) {
        Some(state) => changed(tx, "payment.expired", before, Debt { state, ..before.clone() }),
        None => Ok(before.clone()),
    }
}

/// The provider says that it was paid.
pub(crate) fn settled(tx: &mut Tx<'_>, before: &Debt, settlement: &Settlement) -> storage::Result<Debt> {
    let Some(state) = rules::next(before.state, Happening::Paid) else { return Ok(before.clone()) };
    match rules::judge(before, settlement, tx.now()) {
        Verdict::WrongAmount if before.amount_mismatch => Ok(before.clone()),
        Verdict::WrongAmount => {
            let after = Debt {
                amount_mismatch: true,
                published_at: before.published_at.or(Some(tx.now())),
                paid_cents: Some(settlement.amount_cents),
                paid_at: settlement.paid_at,
                receipt_reference: settlement.receipt.clone(),
                ..before.clone()
            };
            changed(tx, "payment.amount_mismatch", before, after)
        }
        Verdict::Paid { late } => {
            let after = Debt {
                state,
                paid_late: late,
                publication_failed: false,
                published_at: before.published_at.or(Some(tx.now())),
                paid_cents: Some(settlement.amount_cents),
                paid_at: Some(settlement.paid_at.unwrap_or(tx.now())),
                receipt_reference: settlement.receipt.clone(),
                ..before.clone()
            };
            let action = if late { "payment.paid_late" } else { "payment.paid" };
            changed(tx, action, before, after)
        }
    }
}

/// Writes what has become of a debt, says what is to be done next, and tells it.
pub(crate) fn changed(tx: &mut Tx<'_>, action: &str, before: &Debt, after: Debt) -> storage::Result<Debt> {
    let after = Debt { version: before.version.saturating_add(1), updated_at: tx.now(), ..after };
    store::save(tx, &after)?;
    if after.state != before.state || after.publication_failed != before.publication_failed {
        store::schedule(tx, after.id, rules::plan(&after, 0, tx.now()))?;
    }
    tell(tx, action, Some(before), &after)?;
    Ok(after)
}

fn tell(tx: &mut Tx<'_>, action: &str, before: Option<&Debt>, after: &Debt) -> storage::Result<()> {
    let refunded = refunds::store::sum(tx, after.id)?;
    let (state_before, state_after) = (before.map(|debt| state(debt, refunded)), state(after, refunded));
    let done = Done {
        action,
        kind: "payment",
        subject: after.id,
        version: after.version,
        before: state_before,
        after: Some(state_after),
    };
    changes::tell(tx, done)
}

/// A debt as it is told: everything but who pays.
fn state(debt: &Debt, refunded: i64) -> Value {
    json!({
        "id": debt.id, "state": debt.state, "version": debt.version, "office_id": debt.office_id,
        "subject": { "kind": debt.subject_kind, "id": debt.subject_id },
        "notice_number": debt.notice_number, "total_cents": debt.total_cents, "paid_cents": debt.paid_cents,
        "refunded_cents": refunded, "due_on": debt.due_on(), "paid_late": debt.paid_late,
        "amount_mismatch": debt.amount_mismatch, "publication_failed": debt.publication_failed,
    })
}
