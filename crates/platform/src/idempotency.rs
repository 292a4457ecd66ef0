//! One effect per `Idempotency-Key`, however often a client has to ask.
//!
//! The answer is written in the transaction of the effect: there is never one without the other.
//! Only what succeeded is kept; a refusal is decided afresh, since time may have cured it. The key
//! itself is not stored, and the answer is sealed with it and with the deployment's secret, because
//! answers carry manage tokens and personal data.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::HttpResponse;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest::{SHA256, digest},
};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use diesel::prelude::*;
use jiff::SignedDuration;
use kernel::Problem;
use serde::Serialize;
use storage::{
    Db, DbError, Tx, fixed,
    types::{At, Instant, Key, Uid},
};

use crate::{
    access::{Caller, CallerKind},
    http::{Answer, IdempotencyKey, Reply, Written},
    problems::{IDEMPOTENCY_IN_PROGRESS, IDEMPOTENCY_KEY_REUSED, INVALID_HEADER},
    schema::idempotency_records as records,
};

/// The fewest characters of a key that come from nobody in particular.
const SHORTEST_ANONYMOUS: usize = 16;

/// How long an answer is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// The requests with a key that this process is serving right now. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<Mutex<HashSet<String>>>);

struct Ticket {
    in_flight: InFlight,
    fingerprint: String,
}

impl InFlight {
    fn enter(&self, fingerprint: &str) -> Option<Ticket> {
        let mut serving = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        serving
            .insert(fingerprint.to_owned())
            .then(|| Ticket { in_flight: self.clone(), fingerprint: fingerprint.to_owned() })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut serving = self.in_flight.0.lock().unwrap_or_else(PoisonError::into_inner);
        serving.remove(&self.fingerprint);
    }
}

/// Runs `work` in a write transaction, once per key: a repetition gets the first answer again.
/// Without a key it simply runs.
///
/// # Errors
/// The refusal of `work`; `idempotency-key-reused` when the key came with another body;
/// `idempotency-in-progress` while this process serves the first request.
pub async fn once<T, F>(
    db: &Db,
    in_flight: &InFlight,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    body_digest: &str,
    mut work: F,
) -> Answer
where
    T: Serialize,
    F: FnMut(&mut Tx<'_>) -> storage::Result<Reply<T>> + Send + 'static,
{
    let Some(key) = key else {
        // Without a key there is nothing to recognise a repetition by.
        return Ok(db.write(caller, move |tx| Ok(work(tx)?.written()?)).await?.response());
    };
    // All who do not say who they are share one space of keys: whoever guessed a key and its body would be
    // given the answer that was meant for somebody else.
    if matches!(caller.kind, CallerKind::Anonymous) && key.key.len() < SHORTEST_ANONYMOUS {
        return Err(Problem::new(&INVALID_HEADER)
            .field("Idempotency-Key", "too-short", "at least 16 characters from callers who have not signed in")
            .into());
    }
    let seal = Seal::new(caller, key);
    let Some(_ticket) = in_flight.enter(&seal.fingerprint) else {
        return Err(Problem::new(&IDEMPOTENCY_IN_PROGRESS).retry_after(1).into());
    };
    let request_hash = request_hash(key, body_digest);
    let (written, replayed) = db
        .write(caller, move |tx| {
            if !reserve(tx, &seal.fingerprint, &request_hash)? {
                return replay(tx, &seal, &request_hash).map(|written| (written, true));
            }
            let written = work(tx)?.written()?;
            keep(tx, &seal, &written)?;
            Ok((written, false))
        })
        .await?;
    Ok(if replayed { given_again(written) } else { written.response() })
}

/// Whether an answer is kept for this key: for what is asked before the work is, and is not asked of a repetition.
///
/// # Errors
/// When the database is busy or fails.
pub async fn is_known(db: &Db, caller: &Caller, key: &IdempotencyKey) -> Result<bool, Problem> {
    let seal = Seal::new(caller, key);
    db.glance(caller, move |tx| is_kept(tx, &seal.fingerprint)).await
}

/// The answer that is kept for this key, as [`once`] would give it again, where there is one: for work that has much to
/// do before its transaction.
///
/// # Errors
/// `idempotency-key-reused` when the key came with another body.
pub async fn again(
    db: &Db,
    caller: &Caller,
    key: &IdempotencyKey,
    body_digest: &str,
) -> Result<Option<HttpResponse>, Problem> {
    let (seal, request_hash) = (Seal::new(caller, key), request_hash(key, body_digest));
    let written = db.read(caller, move |tx| {
        let is_kept = is_kept(tx, &seal.fingerprint)?;
        is_kept.then(|| replay(tx, &seal, &request_hash)).transpose()
    });
    Ok(written.await?.map(given_again))
}

fn request_hash(key: &IdempotencyKey, body_digest: &str) -> String {
    hex::encode(digest(&SHA256, format!("{}\n{body_digest}", key.key).as_bytes()))
}

fn given_again(written: Written) -> HttpResponse {
    let mut response = written.response();
    let yes = actix_web::http::header::HeaderValue::from_static("true");
    response.headers_mut().insert(actix_web::http::header::HeaderName::from_static("idempotency-replayed"), yes);
    response
}

fn is_kept(tx: &mut Tx<'_>, fingerprint: &str) -> storage::Result<bool> {
    let expired = tx.now().saturating_sub(KEPT).unwrap_or(tx.now());
    let mine = records::table.filter(records::tenant_id.eq(Key(tx.tenant())));
    let mine = mine.filter(records::fingerprint.eq(fingerprint)).filter(records::created_at.gt(At(expired)));
    Ok(mine.select(records::fingerprint).first::<String>(tx.conn()).optional()?.is_some())
}

/// Takes the key, also one whose answer is no longer kept. On PostgreSQL the insert waits for another gateway's transaction with the same
/// key to end; `false` means that there is an answer already.
fn reserve(tx: &mut Tx<'_>, fingerprint: &str, request_hash: &str) -> storage::Result<bool> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let expired = now.saturating_sub(KEPT).unwrap_or(now);
    let taken = fixed(
        "INSERT INTO idempotency_records (tenant_id, fingerprint, request_hash, sealed, created_at) \
         VALUES (?, ?, ?, '', ?) ON CONFLICT (tenant_id, fingerprint) DO UPDATE \
         SET request_hash = excluded.request_hash, sealed = '', created_at = excluded.created_at \
         WHERE idempotency_records.created_at <= ?",
    )
    .bind::<Uid, _>(Key(tenant))
    .bind::<diesel::sql_types::Text, _>(fingerprint.to_owned())
    .bind::<diesel::sql_types::Text, _>(request_hash.to_owned())
    .bind::<Instant, _>(At(now))
    .bind::<Instant, _>(At(expired))
    .execute(tx.conn())?;
    Ok(taken == 1)
}

fn replay(tx: &mut Tx<'_>, seal: &Seal, request_hash: &str) -> storage::Result<Written> {
    let (stored_hash, sealed): (String, String) = records::table
        .filter(records::tenant_id.eq(Key(tx.tenant())))
        .filter(records::fingerprint.eq(&seal.fingerprint))
        .select((records::request_hash, records::sealed))
        .first(tx.conn())?;
    if stored_hash != request_hash {
        return Err(Problem::new(&IDEMPOTENCY_KEY_REUSED).into());
    }
    seal.open(&sealed).ok_or_else(|| DbError::Other("a kept answer could not be opened".to_owned()).into())
}

fn keep(tx: &mut Tx<'_>, seal: &Seal, written: &Written) -> storage::Result<()> {
    let sealed = seal.close(written).ok_or_else(|| DbError::Other("an answer could not be sealed".to_owned()))?;
    diesel::update(
        records::table
            .filter(records::tenant_id.eq(Key(tx.tenant())))
            .filter(records::fingerprint.eq(&seal.fingerprint)),
    )
    .set(records::sealed.eq(sealed))
    .execute(tx.conn())?;
    Ok(())
}

/// Deletes what is no longer kept. Tidying only: an expired answer is not given either way.
///
/// # Errors
/// When the database fails.
pub fn sweep(tx: &mut Tx<'_>) -> storage::Result<usize> {
    let expired = tx.now().saturating_sub(KEPT).unwrap_or(tx.now());
    let old = records::table.filter(records::tenant_id.eq(Key(tx.tenant())));
    Ok(diesel::delete(old.filter(records::created_at.le(At(expired)))).execute(tx.conn())?)
}

/// What a key opens: where its answer is kept, and the cipher it is kept with.
struct Seal {
    fingerprint: String,
    cipher_key: [u8; 32],
}

impl Seal {
    fn new(caller: &Caller, key: &IdempotencyKey) -> Self {
        let whole = format!("{}\n{}\n{}\n{}", caller.actor().as_str(), key.method, key.path, key.key);
        let whole = format!("{}\n{whole}", caller.tenant.tenant_id);
        let cipher_key = caller.secret().digest("idempotency seal", &whole);
        Self { fingerprint: hex::encode(caller.secret().digest("idempotency fingerprint", &whole)), cipher_key }
    }

    fn close(&self, written: &Written) -> Option<String> {
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &self.cipher_key).ok()?;
        let mut bytes = serde_json::to_vec(written).ok()?;
        let nonce = cipher.seal_in_place_append_tag(Aad::from(self.fingerprint.as_bytes()), &mut bytes).ok()?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend(bytes);
        Some(STANDARD_NO_PAD.encode(sealed))
    }

    fn open(&self, sealed: &str) -> Option<Written> {
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &self.cipher_key).ok()?;
        let sealed = STANDARD_NO_PAD.decode(sealed).ok()?;
        let (nonce, bytes) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = bytes.to_vec();
        let opened = cipher.open_in_place(nonce, Aad::from(self.fingerprint.as_bytes()), &mut bytes).ok()?;
        serde_json::from_slice(opened).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_opens_an_answer() {
        let seal = |byte| Seal { fingerprint: "f".into(), cipher_key: [byte; 32] };
        let written = Written { status: 201, location: None, etag: Some("1".into()), body: "{}".into() };
        let sealed = seal(1).close(&written).unwrap();
        assert_eq!(seal(1).open(&sealed), Some(written));
        assert_eq!(seal(2).open(&sealed), None);
        assert_eq!(seal(1).open("nonsense"), None);
    }

    #[test]
    fn a_key_in_flight_is_taken_until_its_request_ends() {
        let in_flight = InFlight::default();
        let first = in_flight.enter("a");
        assert!(first.is_some());
        assert!(in_flight.enter("a").is_none());
        assert!(in_flight.enter("b").is_some());
        drop(first);
        assert!(in_flight.enter("a").is_some());
    }
}
