//! Asks who calls before anything else of a request is looked at, where the contract says that it matters.

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};
use kernel::Problem;
use platform::{
    access::{Caller, CallerKind},
    http::Refused,
    problems::UNAUTHENTICATED,
};

use crate::pages::Contract;

/// Refuses those who did not say who they are, where the contract takes nobody in particular: they are not told
/// first what else is wrong with what they sent. Handlers ask again; this is the order, not the wall.
pub(crate) async fn signed_in(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let is_anonymous =
        req.extensions().get::<Caller>().is_some_and(|caller| matches!(caller.kind, CallerKind::Anonymous));
    if is_anonymous
        && let (Some(contract), Some(pattern)) = (req.app_data::<Data<Contract>>(), req.match_pattern())
        && contract.wants_a_caller(req.method().as_str(), &pattern)
    {
        return Err(Refused(Problem::new(&UNAUTHENTICATED).detail("a token is needed")).into());
    }
    next.call(req).await
}
