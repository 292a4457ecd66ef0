//! How a file comes in: spooled, looked at, written to the store, and made a document.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::{
    HttpRequest,
    http::header::{self, ContentDisposition, ExtendedValue},
    web,
};
use jiff::SignedDuration;
use kernel::Problem;
use platform::{
    access::Caller,
    http::{Answer, IdempotencyKey, Reply},
    idempotency::{self, InFlight},
    problems::{INVALID_HEADER, UNSUPPORTED_MEDIA_TYPE},
};
use storage::{Db, Tx, problems::INTERNAL_ERROR};
use tokio::time::timeout;
use tracing::Instrument;

use super::{
    access, changes,
    model::{Document, DocumentState, DocumentView},
    rules, store,
};
use crate::{
    Documents,
    intake::{
        looking::{self, Declared, Looked},
        places::Place,
        spool, types,
    },
    problems::unavailable,
};

/// How long the bytes of a file that is being written are not taken for left behind.
const WRITTEN_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// How long writing a file to the store may take: less than that, so that what ends well is still there to be kept.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(50 * 60);

/// The longest name that is read; what is kept of it is shorter.
const LONGEST_NAME: usize = 1000;

/// Takes a file in for a caller.
pub(super) async fn upload(
    caller: &Caller,
    key: &IdempotencyKey,
    (request, body): (&HttpRequest, web::Payload),
    db: &Db,
    in_flight: &InFlight,
    documents: &Documents,
) -> Answer {
    access::may_send(caller)?;
    let declared = declared(request, documents)?;
    documents.depot()?;
    let settings = documents.settings();
    let length = announced(request, settings.max_bytes)?;
    let place = documents.places().take(caller.actor().as_str());
    let place = place.ok_or_else(|| unavailable("too many files are being taken in at once"))?;
    // A repetition makes nothing, and so there is always room for it.
    let is_known = idempotency::is_known(db, caller, key).await?;
    if !is_known {
        let owner = caller.actor().as_str().to_owned();
        let waiting = db.read(caller, move |tx| store::waiting(tx, &owner)).await?;
        rules::within_quota(waiting, i64::try_from(length).unwrap_or(i64::MAX), quota(documents))?;
    }
    let spooled = spool::receive(body, &settings.spool_folder, settings.max_bytes).await?;
    // What was sent, and not what is kept of it: a repetition is known by that.
    let digest = format!("{}\n{:?}\n{:?}", spooled.sha256, declared.media_type, declared.name);
    if is_known && let Some(first) = idempotency::again(db, caller, key, &digest).await? {
        return Ok(first);
    }
    let taking = Taking {
        caller: caller.clone(),
        key: key.clone(),
        digest,
        db: db.clone(),
        in_flight: in_flight.clone(),
        documents: documents.clone(),
        _place: place,
    };
    // From here on it goes on by itself, and keeps its place until it is done: whoever hangs up now would otherwise
    // leave behind a picture that is still being turned, or half of a file in the store.
    let taken = actix_web::rt::spawn(taking.finish(spooled, declared).in_current_span()).await;
    taken.map_err(|error| {
        tracing::error!(%error, "a file was not taken in to its end");
        Problem::new(&INTERNAL_ERROR)
    })?
}

/// How many documents of one person may be attached to nothing, and how many bytes.
fn quota(documents: &Documents) -> (i64, i64) {
    let settings = documents.settings();
    (settings.max_unattached, settings.max_unattached_bytes)
}

/// A file that has come in whole and is to become a document, whether or not somebody still waits for the answer.
struct Taking {
    caller: Caller,
    key: IdempotencyKey,
    digest: String,
    db: Db,
    in_flight: InFlight,
    documents: Documents,
    _place: Place,
}

impl Taking {
    async fn finish(self, spooled: spool::Spooled, declared: Declared) -> Answer {
        let Self { caller, key, digest, db, in_flight, documents, .. } = &self;
        let looked = look(documents, spooled, declared).await?;
        let object_key = self.put(&looked).await?;
        let (scanned, quota) = (documents.scanner().is_some(), quota(documents));
        let made = Arc::new(AtomicBool::new(false));
        let (who, was_made, at) = (caller.clone(), Arc::clone(&made), object_key.clone());
        let answer = idempotency::once(db, in_flight, caller, Some(key), digest, move |tx| {
            let reply = make(tx, &who, (&looked, &at), scanned, quota)?;
            was_made.store(true, Ordering::Relaxed);
            Ok(reply)
        })
        .await;
        // A repetition, or a refusal: the bytes are nobody's. Where a document was made of them after all, they stay.
        if answer.is_err() || !made.load(Ordering::Relaxed) {
            give_up(db, caller, object_key).await;
        } else if scanned {
            documents.bell().ring(caller.tenant.tenant_id);
        }
        answer
    }

    /// Writes the bytes to the store, after the row that has them deleted again; answers under which key.
    async fn put(&self, looked: &Looked) -> Result<String, Problem> {
        let Self { caller, db, documents, .. } = self;
        let object_key = rules::object_key(&caller.tenant.tenant_id.to_string(), rand::random());
        let planned = object_key.clone();
        db.write(caller, move |tx| {
            let due_at = tx.now().saturating_add(WRITTEN_WITHIN).unwrap_or(tx.now());
            store::discard(tx, &planned, due_at)
        })
        .await?;
        let writing = documents.depot()?.put(&object_key, Arc::clone(&looked.file), looked.length);
        match timeout(GIVEN_UP_AFTER, writing).await {
            Ok(Ok(())) => return Ok(object_key),
            Ok(Err(error)) => {
                tracing::error!(%error, "a document could not be written to the store");
                give_up(db, caller, object_key).await;
            }
            // Something of it may still come to be: it is deleted when its row is due, and not before.
            Err(_elapsed) => tracing::error!("a document was not written to the store in time"),
        }
        Err(unavailable("the store of documents does not take it"))
    }
}

fn make(
    tx: &mut Tx<'_>,
    who: &Caller,
    (looked, object_key): (&Looked, &str),
    scanned: bool,
    quota: (i64, i64),
) -> storage::Result<Reply<DocumentView>> {
    let size_bytes = i64::try_from(looked.length).unwrap_or(i64::MAX);
    let owner = who.actor().as_str().to_owned();
    rules::within_quota(store::waiting(tx, &owner)?, size_bytes, quota)?;
    if !store::keep(tx, object_key)? {
        return Err(unavailable("the file was not written in time").into());
    }
    let document = Document {
        tenant_id: tx.tenant(),
        id: tx.new_id(),
        owner,
        name: looked.name.clone(),
        media_type: looked.media_type,
        size_bytes,
        sha256: looked.sha256.clone(),
        object_key: Some(object_key.to_owned()),
        state: if scanned { DocumentState::Quarantined } else { DocumentState::Clean },
        scans: 0,
        scan_at: scanned.then(|| tx.now()),
        subject_kind: None,
        subject_id: None,
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    store::insert(tx, &document)?;
    changes::tell(tx, "document.created", None, Some(&document))?;
    let location = format!("/{}/v1/documents/{}", who.tenant.slug, document.id);
    Ok(Reply::created(document.view(&who.tenant.slug, true)).at(location))
}

/// Has the bytes deleted at the next round. Where that cannot be written down, they are within the hour.
async fn give_up(db: &Db, caller: &Caller, object_key: String) {
    let noted = db.write(caller, move |tx| store::discard_now(tx, &object_key)).await;
    if let Err(problem) = noted {
        tracing::warn!(slug = problem.kind.slug, "bytes that are nobody's stay for an hour");
    }
}

async fn look(documents: &Documents, spooled: spool::Spooled, declared: Declared) -> Result<Looked, Problem> {
    let closed = |_closed| Problem::new(&INTERNAL_ERROR);
    let turn = Arc::clone(documents.looking()).acquire_owned().await.map_err(closed)?;
    let documents = documents.clone();
    let looked = web::block(move || {
        // A thread cannot be stopped: the turn is over when it is, and not when nobody waits for it any more.
        let _turn = turn;
        let settings = documents.settings();
        looking::look(spooled, &declared, &settings.media_types, &settings.spool_folder)
    });
    looked.await.map_err(|error| {
        tracing::error!(%error, "a file was not looked at to its end");
        Problem::new(&INTERNAL_ERROR)
    })?
}

/// How long the file says it is; nothing where it does not.
fn announced(request: &HttpRequest, most: u64) -> Result<u64, Problem> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    if length > most { Err(spool::too_large(most)) } else { Ok(length) }
}

/// What the headers say of the file.
fn declared(request: &HttpRequest, documents: &Documents) -> Result<Declared, Problem> {
    if request.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE).detail("the file is sent as it is, without Content-Encoding"));
    }
    let allowed = &documents.settings().media_types;
    let name = name(request)?;
    let essence = request.headers().get(header::CONTENT_TYPE).map(|value| {
        let text = value.to_str().unwrap_or("application/x-unreadable");
        types::essence(text)
    });
    let media_type = match essence.as_deref() {
        None => None,
        Some(essence) if types::says_nothing(essence, name.as_deref()) => None,
        Some(essence) => {
            let known = types::declared(essence).filter(|media_type| allowed.contains(media_type));
            Some(known.ok_or_else(|| looking::not_allowed("the declared type", allowed))?)
        }
    };
    Ok(Declared { media_type, name })
}

/// The name in `Content-Disposition` (RFC 6266), `filename*` before `filename`.
fn name(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get(header::CONTENT_DISPOSITION) else { return Ok(None) };
    let malformed =
        |detail: &'static str| Problem::new(&INVALID_HEADER).field("Content-Disposition", "malformed", detail);
    if value.len() > LONGEST_NAME {
        return Err(malformed("at most 1000 bytes"));
    }
    let read = ContentDisposition::from_raw(value);
    let read = read.map_err(|_malformed| malformed("attachment; filename*=UTF-8''…"))?;
    let extended = |name: &ExtendedValue| String::from_utf8_lossy(&name.value).into_owned();
    let name = read.get_filename_ext().map(extended).or_else(|| read.get_filename().map(str::to_owned));
    Ok(name.filter(|name| !name.is_empty()))
}
