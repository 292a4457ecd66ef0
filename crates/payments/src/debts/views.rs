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
    address::Address,
    answers::PaymentView,
    changes::hash,
    model::{Debt, Debtor, Money, Payer, PaymentId, Subject},
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
    // A system may ask for payments without seeing all that there are.
    if policy::payments(caller, wish).contains(&object) {
        return Ok(found);
    }
    if policy::payments(caller, PaymentWish::Read).contains(&object) {
        return Err(Problem::new(&FORBIDDEN).detail("this is for the staff of its office").into());
    }
    Err(not_found().into())
}

/// What can be done about a payment now, whoever does it.
#[derive(Debug, Clone, Copy)]
struct Able {
    paid: bool,
    printed: bool,
    given_back: bool,
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
        // What the lines said goes with who pays.
        view.lines = payer.is_some().then(|| lines.into_iter().map(Into::into).collect());
        view.payer = payer;
        Ok(view)
    }

    /// A payment in a list: without who pays.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn summary(&self, tx: &mut Tx<'_>, debt: Debt) -> storage::Result<PaymentView> {
        let refunded = refunds::store::sum(tx, debt.id)?;
        let is_payable = rules::is_payable(&debt, tx.now());
        let links = self.links(
            &debt,
            Able {
                paid: is_payable,
                printed: is_payable && store::has_address(tx, debt.id)?,
                given_back: debt.paid_cents.is_some_and(|paid| paid > refunded),
            },
        );
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
            refunded: (refunded > 0).then(|| Money::euro(refunded)),
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

    fn links(&self, debt: &Debt, able: Able) -> Vec<Link> {
        let at = format!("/{}/v1/payments/{}", self.caller.tenant.slug, debt.id);
        let object = Object { owner: &debt.owner, office: debt.office_id };
        let may = |wish| policy::payments(self.caller, wish).contains(&object);
        let can = |happening| rules::next(debt.state, happening).is_some();
        let pays = self.holds_token || may(PaymentWish::Pay);
        let (reads, manages) = (may(PaymentWish::Read), may(PaymentWish::Manage));
        let is_asked_for = rules::hurried(debt).is_some() || rules::is_refused(debt);
        let steps = [
            ("checkout", "POST", pays && able.paid),
            ("notice", "GET", reads && able.printed),
            ("receipt", "GET", reads && debt.paid_cents.is_some()),
            ("publication", "POST", manages && (can(Happening::Released) || is_asked_for)),
            ("cancellation", "POST", manages && can(Happening::Cancelled)),
            ("refunds", "POST", manages && able.given_back),
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
    let address = Address::of(&debtor);
    let Debtor { given_name, family_name, legal_name, tax_code, email, .. } = debtor;
    let tax_code = TaxCode::parse(&tax_code).map_err(|error| DbError::Other(error.to_string()))?;
    Ok(Payer { given_name, family_name, legal_name, tax_code, email, address })
}
