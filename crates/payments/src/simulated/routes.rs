//! `/payments/{payment_id}/simulations`: the other side of the provider that takes no money.

use actix_web::{post, web::Data};
use platform::{
    access::{Caller, policy::PaymentWish},
    audit::{self, Change},
    http::{Answer, Body, IdPath, ProblemBody, not_found},
};
use serde_json::json;
use storage::{Db, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{NewSimulation, SimulatedOutcome},
    store,
};
use crate::{
    debts::{
        Debt, PaymentId, PaymentState, rules,
        views::{self, Reader},
    },
    settling::Cashier,
};

/// Whether this deployment plays a provider.
#[derive(Debug, Clone, Copy)]
pub struct Simulating(pub bool);

/// Play what happens on the pay page
///
/// Only where the deployment's provider is `stub`, which takes no money; elsewhere there is no such thing. For whoever
/// may open the pay page: pays the payment, in time or late, what is owed or something else, or fails to.
#[utoipa::path(tag = "payments", request_body = NewSimulation,
    params(("payment_id" = PaymentId, Path, description = "Which payment")), responses(
    (status = 200, description = "The payment as it is now. `ETag` is set.", body = crate::debts::answers::PaymentView),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`: the provider has no such payment, or it is paid", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`payment-provider-unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/payments/{payment_id}/simulations")]
async fn simulate_payment(
    caller: Caller,
    id: IdPath<Debt>,
    body: Body<NewSimulation>,
    (db, cashier, simulating): (Data<Db>, Data<Cashier>, Data<Simulating>),
) -> Answer {
    let (new, who, id) = (body.into_inner(), caller.clone(), id.0);
    db.read(&caller, move |tx| views::find(tx, &who, id, PaymentWish::Pay, None)).await?;
    if !simulating.0 {
        return Err(not_found().into());
    }
    let tenant = caller.tenant.tenant_id;
    let debt = cashier.published(tenant, id).await?.debt;
    if matches!(debt.state, PaymentState::Draft | PaymentState::AwaitingPublication | PaymentState::Paid) {
        return Err(rules::not_now(debt.state).into());
    }
    let notified = new.notified.unwrap_or(true);
    db.write(&caller, move |tx| play(tx, &debt, &new)).await?;
    if notified {
        cashier.looked_at(tenant, id).await?;
    }
    let who = caller.clone();
    db.read(&caller, move |tx| {
        let debt = views::find(tx, &who, id, PaymentWish::Pay, None)?;
        Reader { caller: &who, holds_token: false }.reply(tx, debt)
    })
    .await?
    .answer()
}

fn play(tx: &mut Tx<'_>, debt: &Debt, new: &NewSimulation) -> storage::Result<()> {
    if new.outcome == SimulatedOutcome::Paid {
        let receipt = format!("SIM{}", debt.iuv);
        let cents = new.amount.map_or(debt.total_cents, |amount| amount.amount_cents);
        let paid_at = new.paid_at.unwrap_or(tx.now());
        if !store::pay(tx, &debt.position_id(), cents, paid_at, &receipt)? {
            return Err(rules::not_now(debt.state).into());
        }
    }
    let after = json!({ "outcome": new.outcome });
    let change = Change {
        action: "payment.simulated",
        subject_kind: "payment",
        subject: debt.id,
        before: None,
        after: Some(&after),
    };
    audit::record(tx, change)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(simulate_payment);
}
