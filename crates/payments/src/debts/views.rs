//! What a caller is shown of a debt, and which debts.

use kernel::{Problem, TaxCode};
use platform::{
    access::{
        Caller, CallerKind,
        policy::{self, Object, PaymentWish},
    },
    http::{Link, Reply, not_found},
    problems::{FORBIDDEN, UNAUTHENTICATED},
};
use storage::{DbError, Tx};

use super::{
    answers::PaymentView,
    changes::hash,
    model::{Debt, Debtor, Money, Payer, PaymentId, PaymentState, Subject},
    rules::{self, Happening},
    store,
};
use crate::refunds;

/// Who shows a payment: a caller, or whoever holds its token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) holds_token: bool,
}

/// A payment that this caller may do this to.
///
/// # Errors
/// `unauthenticated` for who says neither who they are nor the token; `not-found` for what they may not know of;
/// `forbidden` for what they know of and may not do.
pub(crate) fn find(
    tx: &mut Tx<'_>,
    caller: &Caller,
    id: PaymentId,
    wish: PaymentWish,
    token: Option<&str>,
) -> storage::Result<Debt> {
    if token.is_none() && matches!(caller.kind, CallerKind::Anonymous) {
        return Err(Problem::new(&UNAUTHENTICATED).detail("a token of a person, or the payment's, is needed").into());
    }
    let found = store::get(tx, id)?.ok_or_else(not_found)?;
    if let Some(token) = token {
        // The digest is of 256 random bits: nobody guesses at it by the time that comparing takes.
        let opens = found.access_hash.as_deref() == Some(hash(token).as_str());
        return if opens { Ok(found) } else { Err(not_found().into()) };
    }
    let object = Object { owner: &found.owner, office: found.office_id };
    if !policy::payments(caller, PaymentWish::Read).contains(&object) {
        return Err(not_found().into());
    }
    if !policy::payments(caller, wish).contains(&object) {
        return Err(Problem::new(&FORBIDDEN).detail("this is for the staff of its office").into());
    }
    Ok(found)
}

impl Reader<'_> {
    /// A payment in full.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn view(&self, tx: &mut Tx<'_>, debt: Debt) -> storage::Result<PaymentView> {
        let lines = store::lines(tx, debt.id)?;
        let payer = store::debtor(tx, debt.id)?.map(payer).transpose()?;
        let mut view = self.summary(tx, debt)?;
        view.lines = Some(lines.into_iter().map(Into::into).collect());
        view.payer = payer;
        Ok(view)
    }

    /// A payment in a list: without who pays.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn summary(&self, tx: &mut Tx<'_>, debt: Debt) -> storage::Result<PaymentView> {
        let refunded_cents = refunds::store::sum(tx, debt.id)?;
        let links = self.links(&debt);
        Ok(PaymentView {
            id: debt.id,
            state: debt.state,
            version: debt.version,
            office_id: debt.office_id,
            due_on: debt.due_on(),
            subject: Subject { kind: debt.subject_kind, id: debt.subject_id },
            description: debt.description,
            total: Money::euro(debt.total_cents),
            when: debt.due_when,
            creditor_tax_code: debt.creditor,
            notice_number: debt.notice_number,
            iuv: debt.iuv,
            payer: None,
            lines: None,
            paid_late: debt.paid_late,
            amount_mismatch: debt.amount_mismatch,
            publication_failed: debt.publication_failed,
            published_at: debt.published_at,
            paid_at: debt.paid_at,
            paid: debt.paid_cents.map(Money::euro),
            refunded_cents,
            access_token: None,
            created_at: debt.created_at,
            updated_at: debt.updated_at,
            links,
        })
    }

    /// The answer with a payment in full.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn reply(&self, tx: &mut Tx<'_>, debt: Debt) -> storage::Result<Reply<PaymentView>> {
        let view = self.view(tx, debt)?;
        let etag = view.version.to_string();
        Ok(Reply::with(actix_web::http::StatusCode::OK, view).etag(etag))
    }

    fn links(&self, debt: &Debt) -> Vec<Link> {
        let at = format!("/{}/v1/payments/{}", self.caller.tenant.slug, debt.id);
        let object = Object { owner: &debt.owner, office: debt.office_id };
        let may = |wish| policy::payments(self.caller, wish).contains(&object);
        let can = |happening| rules::next(debt.state, happening).is_some();
        let pays = self.holds_token || may(PaymentWish::Pay);
        let manages = may(PaymentWish::Manage);
        let is_paid = debt.state == PaymentState::Paid;
        let steps = [
            ("checkout", "POST", pays && can(Happening::Started)),
            ("notice", "GET", may(PaymentWish::Read) && rules::is_out(debt.state)),
            ("receipt", "GET", may(PaymentWish::Read) && is_paid),
            ("publication", "POST", manages && (can(Happening::Released) || debt.publication_failed)),
            ("cancellation", "POST", manages && can(Happening::Cancelled)),
            ("refunds", "POST", manages && debt.paid_cents.is_some()),
        ];
        let open = steps.into_iter().filter(|(.., open)| *open);
        open.map(|(rel, method, _)| Link {
            rel: rel.to_owned(),
            method: method.to_owned(),
            href: format!("{at}/{rel}"),
        })
        .collect()
    }
}

fn payer(debtor: Debtor) -> storage::Result<Payer> {
    let Debtor { given_name, family_name, legal_name, tax_code, email } = debtor;
    let tax_code = TaxCode::parse(&tax_code).map_err(|error| DbError::Other(error.to_string()))?;
    Ok(Payer { given_name, family_name, legal_name, tax_code, email })
}
