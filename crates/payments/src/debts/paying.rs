//! `/payments/{payment_id}/checkout`, `/notice` and `/receipt`: what the provider does for whoever pays.

use actix_web::{HttpResponse, get, http::header, post, web, web::Data};
use futures_util::TryStreamExt;
use kernel::Problem;
use platform::{
    access::{Caller, policy::PaymentWish},
    http::{Answer, Body, IdPath, ProblemBody, Reply, not_found},
};
use serde::{Deserialize, Serialize};
use storage::Db;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::{
    changes,
    model::{Debt, PaymentId, token},
    rules, store, views,
};
use crate::{
    connection,
    ports::{Document, ReturnUrls},
    problems::PAYER_ADDRESS_MISSING,
    settling::{Cashier, Order},
};

/// Where the pay page sends people back to
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PaymentReturnUrls, example = json!({
    "ok": "https://servizi.comune.example/fatto", "cancel": "https://servizi.comune.example/annullato",
    "error": "https://servizi.comune.example/errore"
}))]
pub struct Back {
    /// After the page said that all went well. Ask for the payment's `state`: coming back proves nothing.
    #[validate(length(min = 8, max = 500))]
    #[schema(min_length = 8, max_length = 500, pattern = "^https?://[!-~]+$")]
    pub ok: String,
    /// After they gave up.
    #[validate(length(min = 8, max = 500))]
    #[schema(min_length = 8, max_length = 500, pattern = "^https?://[!-~]+$")]
    pub cancel: String,
    /// After something went wrong.
    #[validate(length(min = 8, max = 500))]
    #[schema(min_length = 8, max_length = 500, pattern = "^https?://[!-~]+$")]
    pub error: String,
}

/// A pay page to be opened
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "return_urls": {
    "ok": "https://servizi.comune.example/fatto", "cancel": "https://servizi.comune.example/annullato",
    "error": "https://servizi.comune.example/errore"
} }))]
pub struct NewCheckout {
    /// Where it sends people back to: to pages of origins that the Comune names in `/connections/payments`.
    #[validate(nested)]
    pub return_urls: Back,
    /// The payment's token, from who has not signed in.
    #[validate(length(min = 20, max = 100), custom(function = token))]
    #[schema(min_length = 20, max_length = 100, pattern = "^[A-Za-z0-9_-]+$")]
    pub access_token: Option<String>,
}

kernel::redacted_debug!(Back, NewCheckout, Checkout);

/// A pay page
#[derive(Clone, Serialize, ToSchema)]
#[schema(example = json!({ "redirect_url": "https://checkout.pagopa.it/c/0e5c2f0a" }))]
pub struct Checkout {
    /// Send the person there.
    #[schema(max_length = 2000)]
    pub redirect_url: String,
}

/// A file of the provider
#[derive(Debug, ToSchema)]
#[schema(value_type = String, max_length = 20_000_000, example = "%PDF-1.7")]
pub struct PaymentDocument(pub String);

/// Open the pay page
///
/// For whoever pays, signed in or with the payment's token, and for staff beside them. May be repeated: each time
/// another page is opened, and the payment is paid once.
#[utoipa::path(tag = "payments", request_body = NewCheckout, security((), ("bearer" = [])),
    params(("payment_id" = PaymentId, Path, description = "Which one")), responses(
    (status = 200, description = "Where to send the person", body = Checkout),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`: it cannot be paid (any more); `payment-provider-refused`: not now", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`: such as an address to come back to that the Comune does not name", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`payment-provider-unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/payments/{payment_id}/checkout")]
async fn open_checkout(
    caller: Caller,
    id: IdPath<Debt>,
    body: Body<NewCheckout>,
    (db, cashier): (Data<Db>, Data<Cashier>),
) -> Answer {
    let NewCheckout { return_urls: Back { ok, cancel, error }, access_token } = body.into_inner();
    let back = ReturnUrls { ok, cancel, error };
    let (who, checked, id) = (caller.clone(), back.clone(), id.0);
    db.read(&caller, move |tx| {
        views::find(tx, &who, id, PaymentWish::Pay, access_token.as_deref())?;
        let origins = connection::store::get(tx)?.map(|connection| connection.return_origins.0).unwrap_or_default();
        Ok(connection::rules::may_return(&checked, &origins)?)
    })
    .await?;
    let order = payable(&cashier, &caller, id).await?;
    let redirect_url = cashier.cart(&order, &back).await?;
    db.write(&caller, move |tx| {
        let debt = store::lock(tx, id)?.ok_or_else(not_found)?;
        changes::started(tx, &debt).map(drop)
    })
    .await?;
    Reply::ok(Checkout { redirect_url })
}

/// The notice to pay with
///
/// The notice (avviso di pagamento) as PDF, from the provider as it comes: what any bank, post office or app takes. It
/// tells where whoever pays lives: without a `payer.address` there is none.
#[utoipa::path(tag = "payments", params(("payment_id" = PaymentId, Path, description = "Which one")), responses(
    (status = 200, description = "The notice", body = PaymentDocument, content_type = "application/pdf"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`: it cannot be paid (any more); `payer-address-missing`; `payment-provider-refused`: not now", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`payment-provider-unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/payments/{payment_id}/notice")]
async fn show_payment_notice(caller: Caller, id: IdPath<Debt>, (db, cashier): (Data<Db>, Data<Cashier>)) -> Answer {
    readable(&caller, &db, id.0).await?;
    let order = payable(&cashier, &caller, id.0).await?;
    if order.position.payer.address.is_none() {
        return Err(Problem::new(&PAYER_ADDRESS_MISSING).into());
    }
    Ok(streamed(cashier.notice(&order).await?, "avviso.pdf"))
}

/// The receipt
///
/// The receipt of a payment (ricevuta telematica), from the provider as it comes.
#[utoipa::path(tag = "payments", params(("payment_id" = PaymentId, Path, description = "Which one")), responses(
    (status = 200, description = "The receipt", body = PaymentDocument, content_type = "application/xml"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`: it is not paid", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`payment-provider-unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/payments/{payment_id}/receipt")]
async fn show_payment_receipt(caller: Caller, id: IdPath<Debt>, (db, cashier): (Data<Db>, Data<Cashier>)) -> Answer {
    let debt = readable(&caller, &db, id.0).await?;
    if debt.paid_cents.is_none() {
        return Err(rules::not_now(debt.state).into());
    }
    let order = cashier.order(caller.tenant.tenant_id, id.0).await?;
    Ok(streamed(cashier.receipt(&order).await?, "ricevuta.xml"))
}

async fn readable(caller: &Caller, db: &Db, id: PaymentId) -> Result<Debt, Problem> {
    let who = caller.clone();
    db.read(caller, move |tx| views::find(tx, &who, id, PaymentWish::Read, None)).await
}

/// A payment that the provider has, by now: where it was on its way there, it is brought there first.
pub(crate) async fn payable(cashier: &Cashier, caller: &Caller, id: PaymentId) -> Result<Order, Problem> {
    let order = cashier.published(caller.tenant.tenant_id, id).await?;
    rules::must_be_payable(&order.debt, cashier.now())?;
    Ok(order)
}

fn streamed(document: Document, name: &str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(document.media_type)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .streaming(document.body.map_ok(web::Bytes::from))
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(open_checkout).service(show_payment_notice).service(show_payment_receipt);
}
