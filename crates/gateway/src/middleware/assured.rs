//! Asks citizens for the level of assurance that the Comune wants, before anything of what is theirs is looked at.

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};
use platform::{
    access::{Caller, assurance},
    http::Refused,
};

use crate::pages::Contract;

/// Refuses citizens who are not known well enough, wherever the contract has the caller matter: what they alone may do,
/// and what they would write in their own name. What anybody may read stays open to them. Handlers ask again; this is
/// the order, and one answer for what exists and what does not.
pub(crate) async fn assured(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let verdict = req.extensions().get::<Caller>().map(assurance::required);
    if let Some(Err(problem)) = verdict
        && let (Some(contract), Some(pattern)) = (req.app_data::<Data<Contract>>(), req.match_pattern())
        && contract.minds_the_caller(req.method().as_str(), &pattern)
    {
        return Err(Refused(problem).into());
    }
    next.call(req).await
}
