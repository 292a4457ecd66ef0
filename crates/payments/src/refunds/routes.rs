//! `/payments/{payment_id}/refunds`.

use actix_web::{get, post, web::Data};
use kernel::Page;
use platform::{
    access::{Caller, policy::PaymentWish},
    directory::routes::PageQuery,
    http::{Answer, Body, IdPath, IdempotencyKey, Params, ProblemBody, Reply, not_found, paging},
    idempotency::{self, InFlight},
};
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{NewRefund, Refund, RefundId, RefundView},
    rules, store,
};
use crate::debts::{Debt, PaymentId, changes, store as debts, views};

/// Record a refund
///
/// For staff of the office. Writes down what the Comune gives back by other ways, in part or whole, up to what was paid.
#[utoipa::path(tag = "payments", request_body = NewRefund,
    params(("payment_id" = PaymentId, Path, description = "Of which payment"),
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry")), responses(
    (status = 201, description = "Recorded", body = RefundView),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`refund-exceeds-payment`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/payments/{payment_id}/refunds")]
async fn create_refund(
    caller: Caller,
    id: IdPath<Debt>,
    key: IdempotencyKey,
    body: Body<NewRefund>,
    (db, in_flight): (Data<Db>, Data<InFlight>),
) -> Answer {
    let (new, digest) = body.into_parts();
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, Some(&key), &digest, move |tx| {
        views::find(tx, &who, id.0, PaymentWish::Manage, None)?;
        // Two refunds at once are counted one after the other.
        let debt = debts::lock(tx, id.0)?.ok_or_else(not_found)?;
        let refunded = store::sum(tx, debt.id)?;
        rules::check(&debt, refunded, new.amount.amount_cents)?;
        let refund = Refund {
            id: tx.new_id(),
            debt_id: debt.id,
            amount_cents: new.amount.amount_cents,
            reason: new.reason.clone(),
            reference: new.reference.clone(),
            recorded_by: tx.actor().as_str().to_owned(),
            created_at: tx.now(),
        };
        store::insert(tx, &refund)?;
        changes::changed(tx, "payment.refunded", &debt, debt.clone())?;
        Ok(Reply::created(RefundView::from(refund)))
    })
    .await
}

/// Refunds of a payment
///
/// For staff of the office, the oldest first.
#[utoipa::path(tag = "payments", params(("payment_id" = PaymentId, Path, description = "Of which payment"), PageQuery), responses(
    (status = 200, description = "A page of refunds", body = Page<RefundView>),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/payments/{payment_id}/refunds")]
async fn list_refunds(caller: Caller, id: IdPath<Debt>, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    let page = paging::<RefundId>(query.limit, query.after.as_deref())?;
    let who = caller.clone();
    let page = db
        .read(&caller, move |tx| {
            views::find(tx, &who, id.0, PaymentWish::Manage, None)?;
            let rows = store::list(tx, id.0, &page)?;
            Ok(Page::cut(rows, &page, |refund| refund.id).map(RefundView::from))
        })
        .await?;
    Reply::page(page)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create_refund).service(list_refunds);
}
