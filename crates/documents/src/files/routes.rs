//! `/documents`.

use actix_web::{
    HttpRequest, HttpResponse, delete, get, post,
    web::{Data, Payload},
};
use kernel::Problem;
use platform::{
    access::Caller,
    http::{Answer, IdPath, IdempotencyKey, IfNoneMatch, ProblemBody, Reply},
    idempotency::InFlight,
};
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    access, changes,
    model::{Document, DocumentContent, DocumentId, DocumentView},
    rules, serving, uploading,
};
use crate::{Documents, problems::DOCUMENT_ATTACHED};

/// Send a file in
///
/// The body is the file itself, byte for byte, and nothing else. It is `application/octet-stream`, and then its own bytes
/// say what it is; its own type (`application/pdf`, …) may stand as `Content-Type` instead, and is then held against the
/// bytes. `Content-Disposition` names it; the name is made safe, and the one that is kept is in the answer. From images
/// everything that is not the image is removed, where they were taken above all, and they are turned the right way up.
///
/// A file belongs to who sent it in, a citizen or one of the staff, until it is attached to something, such as a request;
/// what is attached to nothing is deleted after some time (48 hours unless the installation says otherwise). Where the
/// installation has a scanner, the content is not given out until it was found clean: `state` tells.
#[utoipa::path(tag = "documents",
    request_body(content = DocumentContent, content_type = "application/octet-stream", description = "The file"),
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry"),
        ("Content-Disposition" = Option<String>, Header, max_length = 1000, description = "`attachment; filename=\"….pdf\"`, or `attachment; filename*=UTF-8''…` (RFC 8187) for names with other letters than ASCII's")), responses(
    (status = 201, description = "Kept. `Location` is set.", body = DocumentView),
    (status = 403, description = "`forbidden`: neither a citizen nor one of the staff", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`document-quota-reached`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 413, description = "`document-too-large`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 415, description = "`document-type-not-allowed`, `document-type-mismatch`, `unsupported-media-type`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`document-unreadable`, `archive-not-accepted`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`documents-unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/documents")]
async fn create_document(
    caller: Caller,
    key: IdempotencyKey,
    request: HttpRequest,
    body: Payload,
    db: Data<Db>,
    in_flight: Data<InFlight>,
    documents: Data<Documents>,
) -> Answer {
    uploading::upload(&caller, &key, (&request, body), &db, &in_flight, &documents).await
}

/// One document
///
/// What is known of a file, without what is in it: for who sent it in, and for whoever may read what it is attached to.
/// Who reads another's is written down in the access log. What one of the staff sent in is no longer theirs once it is
/// attached.
#[utoipa::path(tag = "documents", params(("document_id" = DocumentId, Path, description = "The document")), responses(
    (status = 200, description = "The document. `ETag` is set.", body = DocumentView),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/documents/{document_id}")]
async fn show_document(caller: Caller, id: IdPath<Document>, db: Data<Db>, documents: Data<Documents>) -> Answer {
    let document = access::read(&db, &caller, documents.subjects(), id.0).await?;
    let (version, is_owner) = (document.version, access::is_owner(&caller, &document));
    let view = document.view(&caller.tenant.slug, is_owner);
    Reply::with(actix_web::http::StatusCode::OK, view).etag(version.to_string()).answer()
}

/// The content of a document
///
/// The file itself, whole or in part (`Range`, RFC 9110), to be saved and not to be shown: it always comes as
/// `application/octet-stream` and as an attachment, whatever it is; its type and its digest stand in the document. Who
/// reads another's is written down in the access log.
#[utoipa::path(tag = "documents",
    params(("document_id" = DocumentId, Path, description = "The document"),
        ("Range" = Option<String>, Header, max_length = 100, description = "`bytes=FIRST-LAST`; several ranges at once are answered with the whole"),
        ("If-Range" = Option<String>, Header, max_length = 100, description = "The `ETag` of the document that one has parts of"),
        ("If-None-Match" = Option<String>, Header, max_length = 500, description = "The `ETag` of the content that the client holds")), responses(
    (status = 200, description = "The file. `ETag` is set.", body = DocumentContent, content_type = "application/octet-stream"),
    (status = 206, description = "The part that was asked for; `Content-Range` says which", body = DocumentContent, content_type = "application/octet-stream"),
    (status = 304, description = "The client holds this content already. `ETag` is set."),
    (status = 400, description = "`invalid-header`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`document-not-released`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 416, description = "`range-not-satisfiable`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`documents-unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/documents/{document_id}/content")]
async fn show_document_content(
    caller: Caller,
    id: IdPath<Document>,
    held: IfNoneMatch,
    request: HttpRequest,
    db: Data<Db>,
    documents: Data<Documents>,
) -> Answer {
    serving::content(&caller, id.0, &request, &held, &db, &documents).await
}

/// Delete a document
///
/// Of one's own, as long as it is attached to nothing. What is in it is gone from the store shortly afterwards.
#[utoipa::path(tag = "documents", params(("document_id" = DocumentId, Path, description = "The document")), responses(
    (status = 204, description = "Deleted"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`document-attached`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/documents/{document_id}")]
async fn remove_document(caller: Caller, id: IdPath<Document>, db: Data<Db>) -> Answer {
    let who = caller.clone();
    db.write(&caller, move |tx| {
        let document = access::own(tx, &who, id.0)?;
        rules::unattached(&document)?;
        if changes::discard(tx, &document)? {
            return Ok(());
        }
        // Changed under our hands: scanned, and then there is another version to delete; or attached.
        let document = access::own(tx, &who, id.0)?;
        rules::unattached(&document)?;
        if changes::discard(tx, &document)? { Ok(()) } else { Err(Problem::new(&DOCUMENT_ATTACHED).into()) }
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create_document).service(show_document).service(show_document_content).service(remove_document);
}
