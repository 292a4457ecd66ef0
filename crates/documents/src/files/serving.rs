//! How a file is given back: whole or in part, to be kept and never to be shown.

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::{StatusCode, header},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use kernel::Problem;
use platform::{
    access::Caller,
    http::{Answer, IfNoneMatch},
};
use storage::Db;

use super::{
    access,
    model::{Document, DocumentId, DocumentState},
    rules::{self, Asked},
};
use crate::{
    Documents,
    ports::DepotFailure,
    problems::{RANGE_NOT_SATISFIABLE, unavailable},
};

/// Why a whole file is not at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAtHand {
    /// Whether it is clean is not known yet.
    #[error("not scanned yet")]
    Unscanned,
    /// The store does not give it just now.
    #[error("the store does not give it")]
    Unavailable,
    /// There is none, any more or at all.
    #[error("there is none")]
    Gone,
}

/// All bytes of a document, for a domain that hands it on. Its length is known beforehand; ask for no more than fits.
///
/// # Errors
/// [`NotAtHand`] says why there are none.
pub async fn whole(documents: &Documents, document: &Document) -> Result<Bytes, NotAtHand> {
    match document.state {
        DocumentState::Clean => {}
        DocumentState::Quarantined | DocumentState::Failed => return Err(NotAtHand::Unscanned),
        DocumentState::Infected => return Err(NotAtHand::Gone),
    }
    let object_key = document.object_key.as_deref().ok_or(NotAtHand::Gone)?;
    let length = u64::try_from(document.size_bytes).unwrap_or(0);
    let failed = |error: &dyn std::fmt::Display| {
        tracing::error!(document = %document.id, %error, "a document could not be read");
        NotAtHand::Unavailable
    };
    let depot = documents.depot().map_err(|problem| failed(&problem))?;
    let mut content = match depot.get(object_key, 0..length).await {
        Ok(content) => content,
        Err(DepotFailure::Missing) => return Err(NotAtHand::Gone),
        Err(error) => return Err(failed(&error)),
    };
    let mut bytes = BytesMut::new();
    while let Some(piece) = content.next().await {
        bytes.extend_from_slice(&piece.map_err(|error| failed(&error))?);
    }
    Ok(bytes.freeze())
}

/// Gives the content of a document to a caller who may read it.
pub(super) async fn content(
    caller: &Caller,
    id: DocumentId,
    request: &HttpRequest,
    held: &IfNoneMatch,
    db: &Db,
    documents: &Documents,
) -> Answer {
    let document = access::read(db, caller, documents.subjects(), id).await?;
    rules::released(&document)?;
    let lost = || unavailable("the content is not at hand");
    let object_key = document.object_key.as_deref().ok_or_else(lost)?;
    let length = u64::try_from(document.size_bytes).unwrap_or(0);
    let etag = format!("\"{}\"", document.sha256);
    if held.names(&etag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, etag)).finish());
    }
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    // A part of what has changed since is no use beside the other parts.
    let is_same = text(header::IF_RANGE).is_none_or(|held| held.trim() == etag);
    let (status, range) = match rules::asked(text(header::RANGE).filter(|_| is_same), length) {
        Asked::Whole => (StatusCode::OK, 0..length),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Nothing => {
            let refusal = Problem::new(&RANGE_NOT_SATISFIABLE).detail("nothing there").with("size_bytes", length);
            return Err(refusal.into());
        }
    };
    let (first, last) = (range.start, range.end.saturating_sub(1));
    let content = documents.depot()?.get(object_key, range.clone()).await.map_err(|error| {
        match &error {
            DepotFailure::Missing => tracing::error!(document = %document.id, "the content of a document is gone"),
            DepotFailure::Unavailable(_) => tracing::error!(%error, "a document could not be read"),
        }
        lost()
    })?;
    let mut response = HttpResponse::build(status);
    response
        // What it is stands in the document; nothing that a browser would show, under the Comune's own address.
        .content_type("application/octet-stream")
        .insert_header((header::CONTENT_DISPOSITION, rules::disposition(&document.name)))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        // Parts are parts of these bytes, and not of the compressed ones.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header((header::ETAG, etag));
    if status == StatusCode::PARTIAL_CONTENT {
        response.insert_header((header::CONTENT_RANGE, format!("bytes {first}-{last}/{length}")));
    }
    Ok(response.body(SizedStream::new(range.end.saturating_sub(range.start), content)))
}
