//! Where a client's signature of its request is asked for: once the caller is known, before anything reads the body.

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::HeaderMap,
    middleware::Next,
    web::Data,
};
use kernel::Problem;

use super::{
    claims::ClaimFault,
    signature::{self, Received, SIGNATURE, SignatureRefusal},
    store,
};
use crate::{
    access::{Access, Caller, CallerKind, integration::KnownBy, tokens},
    http::{Refused, whole},
    problems::{IDENTITY_UNAVAILABLE, SIGNATURE_INVALID, SIGNATURE_REQUIRED},
};

/// Lets a request of a PDND client go on only if it is as the client has signed it, where it has, or where the Comune
/// wants it to. The body is read for that, up to its limit, and handed on as it came; for all other callers nothing is
/// read.
///
/// # Errors
/// `signature-required`, `signature-invalid`; `identity-unavailable` while the key cannot be had; those of reading a
/// body.
pub async fn intact(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let known = |caller: &Caller| client(caller).map(|client_id| (caller.clone(), client_id.to_owned()));
    let known = req.extensions().get::<Caller>().and_then(known);
    if let (Some((caller, client_id)), Some(access)) = (known, req.app_data::<Data<Access>>().cloned()) {
        let (http, payload) = req.parts_mut();
        let body = whole(http, payload).await.map_err(Refused)?;
        check(&access, &caller, &client_id, &received(http.headers(), &body)).await.map_err(Refused)?;
        req.set_payload(body.into());
    }
    next.call(req).await
}

/// What PDND calls the caller, if it came with a voucher.
fn client(caller: &Caller) -> Option<&str> {
    match &caller.kind {
        CallerKind::Integration(system) if system.known_by == KnownBy::Voucher => Some(&system.handle),
        _ => None,
    }
}

fn received<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Received<'a> {
    let headers = headers.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
    Received { headers: headers.collect(), body }
}

async fn check(access: &Access, caller: &Caller, client_id: &str, received: &Received<'_>) -> Result<(), Problem> {
    let refused = |refusal: SignatureRefusal| {
        tracing::info!(client_id, reason = refusal.reason(), "a signature was refused");
        if refusal.is_temporary() {
            return Problem::new(&IDENTITY_UNAVAILABLE).detail(refusal.to_string()).retry_after(10);
        }
        Problem::new(&SIGNATURE_INVALID).detail(refusal.to_string())
    };
    let Some(text) = received.one(SIGNATURE).map_err(refused)? else {
        if caller.settings().pdnd.signature_required && !received.body.is_empty() {
            return Err(Problem::new(&SIGNATURE_REQUIRED).detail("send Digest and Agid-JWT-Signature"));
        }
        return Ok(());
    };
    let once = accepted(access, caller, client_id, (text, received)).await.map_err(refused)?;
    let (jti, client) = (once.jti.clone(), client_id.to_owned());
    let is_first = access.db.write(caller, move |tx| store::spend(tx, &client, &once)).await?;
    if !is_first {
        return Err(refused(SignatureRefusal::Reused));
    }
    tracing::info!(client_id, jti, "a signature was accepted");
    Ok(())
}

/// Everything but whether it was accepted before.
async fn accepted(
    access: &Access,
    caller: &Caller,
    client_id: &str,
    (text, received): (&str, &Received<'_>),
) -> Result<signature::Once, SignatureRefusal> {
    let (algorithm, kid) = signature::key_of(text)?;
    // Whoever sent another body than they say need not be looked up.
    signature::must_be_of_the_body(received)?;
    let keys = access.client_keys.as_ref().ok_or_else(|| {
        tracing::warn!("a request is signed, and identity.pdnd_keys_url does not say where the keys are");
        SignatureRefusal::KeysUnavailable
    })?;
    let key = keys.find(client_id, &kid, algorithm).await?;
    let claims = tokens::verified_claims(text, &key, algorithm).ok().ok_or(SignatureRefusal::Unsigned)?;
    let audience = caller.settings().pdnd.audience().ok_or(ClaimFault::Audience)?;
    signature::must_be_about(received, &claims, (client_id, audience), access.db.clock().now())
}
