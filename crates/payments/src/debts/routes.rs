//! `/payments`: asking for them, looking them up, deciding about them.

use actix_web::{get, post, web::Data};
use jiff::Timestamp;
use kernel::{Page, Problem};
use platform::{
    access::{
        Caller, CallerKind,
        policy::{self, Object, PaymentWish, Rows},
    },
    directory::routes::PageQuery,
    http::{
        Answer, Body, IdPath, IdempotencyKey, IfMatch, IfMatchHeader, Params, ProblemBody, Reply, bad_query, days,
        not_found, paging,
    },
    idempotency::{self, InFlight},
    privacy::Place,
    problems::{FORBIDDEN, UNAUTHENTICATED},
};
use storage::{Db, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    answers::PaymentView,
    changes::{self, Requested},
    model::{Debt, NewPayment, PaymentId, PaymentLookup, PaymentQuery, PublicationQuery},
    rules,
    store::{self, Filter},
    views::{self, Reader},
};
use crate::{numbers::rules::is_notice_number, problems::PAYMENTS_NOT_CONNECTED, settling::Cashier};

/// Ask for a payment
///
/// For staff of the office, and for systems with the scope; what it is for is then of the kind `payment`, and no case of
/// another part of the product. A notice number is given at once; the provider is told
/// right after, and then the payment is `payable`. With `when` `after_approval` it waits for
/// `POST /payments/{payment_id}/publication`. The answer has an `access_token`, once: it opens the payment to who has
/// not signed in.
#[utoipa::path(tag = "payments", request_body = NewPayment,
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry")), responses(
    (status = 201, description = "Asked for. `Location` and `ETag` are set.", body = PaymentView),
    (status = 403, description = "`forbidden`: not at this office", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`: no such office", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`payments-not-connected`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/payments")]
async fn create_payment(
    caller: Caller,
    key: IdempotencyKey,
    body: Body<NewPayment>,
    (db, in_flight, cashier): (Data<Db>, Data<InFlight>, Data<Cashier>),
) -> Answer {
    let (new, digest) = body.into_parts();
    let object = Object { owner: "", office: new.office_id };
    if matches!(caller.kind, CallerKind::Anonymous) {
        return Err(Problem::new(&UNAUTHENTICATED).into());
    }
    if !policy::payments(&caller, PaymentWish::Manage).contains(&object) {
        return Err(Problem::new(&FORBIDDEN).detail("you do not ask for payments at this office").into());
    }
    if !cashier.is_open() {
        return Err(Problem::new(&PAYMENTS_NOT_CONNECTED).detail("the deployment has no provider of payments").into());
    }
    rules::by_hand(new.subject.as_ref())?;
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, Some(&key), &digest, move |tx| {
        let Requested { debt, access_token } = changes::ask(tx, Place::of(&who), &new)?;
        let location = format!("/{}/v1/payments/{}", who.tenant.slug, debt.id);
        let etag = debt.version.to_string();
        let mut view = Reader { caller: &who, holds_token: false }.view(tx, debt)?;
        view.access_token = Some(access_token);
        Ok(Reply::created(view).at(location).etag(etag))
    })
    .await
}

/// Payments
///
/// Those that the caller may see, the newest first: staff those of their offices, the URP, admins and systems with the
/// scope all. Who pays is told by each payment itself.
#[utoipa::path(tag = "payments", params(PaymentQuery), responses(
    (status = 200, description = "A page of payments", body = Page<PaymentView>),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: not for this caller", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/payments")]
async fn list_payments(caller: Caller, query: Params<PaymentQuery>, db: Data<Db>) -> Answer {
    let rows = match (policy::payments(&caller, PaymentWish::Read), &caller.kind) {
        (_, CallerKind::Anonymous) => return Err(Problem::new(&UNAUTHENTICATED).into()),
        (Rows::None | Rows::OwnedBy(_), _) => {
            return Err(Problem::new(&FORBIDDEN).detail("this list is for staff and systems with the scope").into());
        }
        (rows, _) => rows,
    };
    if query.notice_number.as_deref().is_some_and(|number| !is_notice_number(number)) {
        return Err(bad_query("notice_number", "malformed", "18 digits").into());
    }
    let (from, until) = days(query.from, query.to)?;
    let page = paging::<(Timestamp, PaymentId)>(query.limit, query.after.as_deref())?;
    let filter = Filter {
        notice_number: query.notice_number.clone(),
        state: query.state,
        office: query.office_id,
        attention: query.attention,
        from,
        until,
    };
    shown(&db, caller, rows, filter, page).await
}

/// My payments
///
/// Those of the citizen who asks, the newest first.
#[utoipa::path(tag = "payments", params(PageQuery), responses(
    (status = 200, description = "A page of payments", body = Page<PaymentView>),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: only citizens have payments of their own", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/me/payments")]
async fn list_my_payments(caller: Caller, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    let owner = caller.citizen()?.pseudonym.actor().as_str().to_owned();
    let page = paging::<(Timestamp, PaymentId)>(query.limit, query.after.as_deref())?;
    shown(&db, caller, Rows::OwnedBy(owner), Filter::default(), page).await
}

async fn shown(
    db: &Db,
    caller: Caller,
    rows: Rows,
    filter: Filter,
    page: kernel::PageRequest<(Timestamp, PaymentId)>,
) -> Answer {
    let out_of_reach = |(at, _)| platform::http::sane_date("after", kernel::civil::date_of(at));
    page.after.map(out_of_reach).transpose()?;
    let who = caller.clone();
    let page = db
        .read(&caller, move |tx| {
            let found = store::list(tx, &rows, &filter, &page)?;
            let Page { items, next } = Page::cut(found, &page, |debt| (debt.created_at, debt.id));
            let reader = Reader { caller: &who, holds_token: false };
            let items: storage::Result<Vec<_>> = items.into_iter().map(|debt| reader.summary(tx, debt)).collect();
            Ok(Page { items: items?, next })
        })
        .await?;
    Reply::page(page)
}

/// One payment
///
/// For whoever pays, for the staff of its office and for the URP. `state` is what counts: that a pay page came back to
/// its `ok` address proves nothing.
#[utoipa::path(tag = "payments", params(("payment_id" = PaymentId, Path, description = "Which one")), responses(
    (status = 200, description = "The payment. `ETag` is set.", body = PaymentView),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/payments/{payment_id}")]
async fn show_payment(caller: Caller, id: IdPath<Debt>, db: Data<Db>) -> Answer {
    let who = caller.clone();
    db.read(&caller, move |tx| {
        let debt = views::find(tx, &who, id.0, PaymentWish::Read, None)?;
        Reader { caller: &who, holds_token: false }.reply(tx, debt)
    })
    .await?
    .answer()
}

/// Look a payment up by its token
///
/// For who has not signed in: the token travels in the body, never in an address. A wrong token and an unknown payment
/// get the same answer.
#[utoipa::path(tag = "payments", request_body = PaymentLookup, security(()), responses(
    (status = 200, description = "The payment. `ETag` is set.", body = PaymentView),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/payment-lookups")]
async fn look_up_payment(caller: Caller, body: Body<PaymentLookup>, db: Data<Db>) -> Answer {
    let PaymentLookup { payment_id, access_token } = body.into_inner();
    let who = caller.clone();
    db.read(&caller, move |tx| {
        let debt = views::find(tx, &who, payment_id, PaymentWish::Read, Some(&access_token))?;
        Reader { caller: &who, holds_token: true }.reply(tx, debt)
    })
    .await?
    .answer()
}

/// Have a payment paid
///
/// For staff: what it is for was approved; or the provider did not take it, and is to be asked again; with another
/// `due_on` where its date has passed meanwhile. Of a payment that was asked for already, the provider is asked at once
/// how it stands.
#[utoipa::path(tag = "payments", params(("payment_id" = PaymentId, Path, description = "Which one"), PublicationQuery, IfMatchHeader), responses(
    (status = 200, description = "The provider is told of it. `ETag` is set.", body = PaymentView),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`: its date has passed, and no other was given", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/payments/{payment_id}/publication")]
async fn publish_payment(
    caller: Caller,
    id: IdPath<Debt>,
    query: Params<PublicationQuery>,
    if_match: IfMatch,
    db: Data<Db>,
) -> Answer {
    let due_on = query.due_on;
    decide(caller, id.0, if_match, &db, move |tx, id| changes::release(tx, id, due_on)).await
}

/// Call a payment off
///
/// For staff. It can no longer be paid; money that is on its way all the same makes it `paid`, with `paid_late`.
#[utoipa::path(tag = "payments", params(("payment_id" = PaymentId, Path, description = "Which one"), IfMatchHeader), responses(
    (status = 200, description = "Called off. `ETag` is set.", body = PaymentView),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/payments/{payment_id}/cancellation")]
async fn cancel_payment(caller: Caller, id: IdPath<Debt>, if_match: IfMatch, db: Data<Db>) -> Answer {
    decide(caller, id.0, if_match, &db, changes::cancel).await
}

async fn decide(
    caller: Caller,
    id: PaymentId,
    if_match: IfMatch,
    db: &Db,
    change: impl Fn(&mut Tx<'_>, PaymentId) -> storage::Result<Debt> + Send + Sync + 'static,
) -> Answer {
    let who = caller.clone();
    db.write(&caller, move |tx| {
        views::find(tx, &who, id, PaymentWish::Manage, None)?;
        let locked = store::lock(tx, id)?.ok_or_else(not_found)?;
        if_match.check(locked.version, true)?;
        let debt = change(tx, id)?;
        Reader { caller: &who, holds_token: false }.reply(tx, debt)
    })
    .await?
    .answer()
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create_payment)
        .service(list_payments)
        .service(list_my_payments)
        .service(show_payment)
        .service(look_up_payment)
        .service(publish_payment)
        .service(cancel_payment);
}
