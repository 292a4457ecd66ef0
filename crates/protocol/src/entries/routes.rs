//! `/protocol-entries`: registering documents, reading the register, annulling.

use actix_web::{
    HttpResponse, get,
    http::{StatusCode, header},
    post,
    web::Data,
};
use jiff::civil::Date;
use kernel::{Page, Problem};
use platform::{
    access::{
        Caller,
        policy::{self, Object, ProtocolWish, Rows},
    },
    http::{
        Answer, Body, IdPath, IdempotencyKey, IdempotencyKeyHeader, IfMatch, IfMatchHeader, Link, MaybeIdempotencyKey,
        Params, ProblemBody, Reply, bad_query, days, not_found, paging, word,
    },
    idempotency::{self, InFlight},
    privacy::Place,
};
use serde::Deserialize;
use storage::{Db, Tx};
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    changes,
    model::{Direction, Entry, EntryId, NewProtocolAnnulment, NewProtocolEntry, Whole},
    rules, segnatura,
    store::{self, Filter},
    views::{EntryItem, EntryView, XmlFile},
};
use crate::{receipts, registrations::store as registrations};

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EntryQuery {
    /// Of this register.
    #[param(min_length = 1, max_length = 16, pattern = "^[A-Za-z0-9_.-]{1,16}$")]
    pub register_code: Option<String>,
    /// With this number.
    #[param(minimum = 1, maximum = 9_999_999_999_i64)]
    pub number: Option<i64>,
    /// Of this year.
    #[param(minimum = 1900, maximum = 2200)]
    pub year: Option<i64>,
    /// Registered on this day or later.
    pub from: Option<Date>,
    /// Registered on this day or before.
    pub to: Option<Date>,
    /// Going this way.
    pub direction: Option<Direction>,
    /// Words of the subject; case and accents do not matter. Not a name: addresses are written in logs.
    #[param(min_length = 1, max_length = 100)]
    pub words: Option<String>,
    /// How many items at most; 20 when absent.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 500)]
    pub after: Option<String>,
}

fn bounded(name: &str, value: Option<i64>, (least, most): (i64, i64)) -> Result<Option<i64>, Problem> {
    match value {
        Some(value) if !(least..=most).contains(&value) => {
            Err(bad_query(name, "out-of-range", &format!("a number from {least} to {most}")))
        }
        value => Ok(value),
    }
}

impl EntryQuery {
    fn filter(&self) -> Result<Filter, Problem> {
        let (from, before) = days(self.from, self.to)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let words = match self.words.as_deref() {
            Some(text) if text.chars().count() > 100 => {
                return Err(bad_query("words", "malformed", "at most 100 characters"));
            }
            Some(text) => {
                let words: Vec<String> = rules::folded(text).split(' ').map(str::to_owned).collect();
                if words.iter().all(String::is_empty) {
                    return Err(bad_query("words", "no-words", "letters or digits"));
                }
                words
            }
            None => Vec::new(),
        };
        Ok(Filter {
            register_code: word("register_code", self.register_code.as_deref(), 16, plain)?,
            number: bounded("number", self.number, (1, 9_999_999_999))?,
            year: bounded("year", self.year, (1900, 2200))?,
            from,
            before,
            direction: self.direction,
            words,
        })
    }
}

fn object(entry: &Entry) -> Object<'static> {
    Object { owner: "", office: entry.office_id }
}

/// As a caller sees it.
fn view(tx: &mut Tx<'_>, caller: &Caller, whole: Whole) -> storage::Result<EntryView> {
    let Whole { entry, parties } = whole;
    let registration = registrations::of_entry(tx, entry.id)?;
    let recovered_entry_id = store::recovering(tx, entry.id)?;
    let receipt = receipts::store::of_entry(tx, entry.id)?;
    let path = format!("/{}/v1/protocol-entries/{}", caller.tenant.slug, entry.id);
    let link = |rel: &str, method: &str| Link {
        rel: rel.to_owned(),
        method: method.to_owned(),
        href: format!("{path}/{rel}"),
    };
    let mut links = vec![link("segnatura", "GET")];
    let annuls = policy::protocol(caller, ProtocolWish::Annul).unwrap_or(Rows::None);
    if entry.annulled_at.is_none() && annuls.contains(&object(&entry)) {
        links.push(link("annulment", "POST"));
    }
    Ok(EntryView {
        display: rules::display(entry.number, entry.year),
        mark: rules::mark(&entry),
        annulment: entry.annulment(),
        version: entry.version(),
        id: entry.id,
        ipa_code: entry.ipa_code,
        aoo_code: entry.aoo_code,
        register_code: entry.register_code,
        year: entry.year,
        number: entry.number,
        registered_at: entry.registered_at,
        direction: entry.direction,
        subject: entry.subject,
        classification: entry.classification,
        office_id: entry.office_id,
        channel: entry.channel,
        sender_reference: entry.sender_reference,
        received_on: entry.received_on,
        confidential: entry.confidential,
        parties,
        documents: entry.documents.0,
        segnatura_signed: false,
        previous_hash: entry.previous_hash,
        hash: entry.hash,
        recovers_entry_id: entry.recovers_id,
        recovered_entry_id,
        receipt_code: receipt.map(|receipt| receipt.code),
        registration_id: registration.as_ref().map(|row| row.id),
        registration_state: registration.map(|row| row.state),
        links,
    })
}

/// One that the caller may read; what is not theirs is answered like what is not there.
fn find(tx: &mut Tx<'_>, rows: &Rows, id: EntryId) -> storage::Result<Whole> {
    let entry = store::get(tx, id)?.filter(|entry| rows.contains(&object(entry))).ok_or_else(not_found)?;
    Ok(store::whole(tx, vec![entry])?.pop().ok_or_else(not_found)?)
}

/// Register a document
///
/// It has its number at once, and keeps it. Where the Comune has a protocol system of its own, the document is handed
/// on to it in the background; its number there is in the registration. For staff, each for their offices, and for
/// systems with the scope `protocol:write`.
#[utoipa::path(tag = "protocol", request_body = NewProtocolEntry,
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in")), responses(
    (status = 201, description = "Registered. `ETag` is set. `Location` is set.", body = EntryView),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`emergency-register-closed`, `document-attached`, `document-not-released`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/protocol-entries")]
async fn create_protocol_entry(
    caller: Caller,
    key: IdempotencyKey,
    body: Body<NewProtocolEntry>,
    (db, in_flight): (Data<Db>, Data<InFlight>),
) -> Answer {
    let rows = policy::protocol(&caller, ProtocolWish::Write)?;
    let (new, digest) = body.into_parts();
    if !rows.contains(&Object { owner: "", office: new.office_id }) {
        return Err(policy::forbidden("you do not work at this office").into());
    }
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, Some(&key), &digest, move |tx| {
        let place = Place { tenant: &who.tenant, secret: who.secret() };
        let emergency = new.emergency_register_id;
        let made = match emergency {
            Some(id) => changes::request_in_emergency(tx, place, id, new.clone().into())?,
            None => changes::request(tx, place, new.clone().into())?,
        };
        let view = view(tx, &who, made.whole)?;
        let (at, etag) = (format!("/{}/v1/protocol-entries/{}", who.tenant.slug, view.id), view.version.to_string());
        Ok(Reply::created(view).at(at).etag(etag))
    })
    .await
}

/// Entries of the register
///
/// The newest first, without who sent them and whom they are for. For staff, each of their offices, and for systems
/// with the scope `protocol:read`.
#[utoipa::path(tag = "protocol", params(EntryQuery), responses(
    (status = 200, description = "A page of entries", body = Page<EntryItem>),
    (status = 403, description = "`forbidden`: not staff, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/protocol-entries")]
async fn list_protocol_entries(caller: Caller, query: Params<EntryQuery>, db: Data<Db>) -> Answer {
    let rows = policy::protocol(&caller, ProtocolWish::Read)?;
    let (page, filter) = (paging::<EntryId>(query.limit, query.after.as_deref())?, query.filter()?);
    let found = db.read(&caller, move |tx| store::list(tx, &rows, &filter, &page).map(|found| (found, page))).await?;
    let (found, page) = found;
    Reply::page(Page::cut(found, &page, |entry| entry.id).map(EntryItem::from))
}

/// An entry of the register
#[utoipa::path(tag = "protocol", params(("entry_id" = EntryId, Path, description = "Which entry")), responses(
    (status = 200, description = "The entry. `ETag` is set.", body = EntryView),
    (status = 403, description = "`forbidden`: not staff, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/protocol-entries/{entry_id}")]
async fn show_protocol_entry(caller: Caller, id: IdPath<Entry>, db: Data<Db>) -> Answer {
    let rows = policy::protocol(&caller, ProtocolWish::Read)?;
    let who = caller.clone();
    let view = db
        .read(&caller, move |tx| {
            let whole = find(tx, &rows, id.0)?;
            view(tx, &who, whole)
        })
        .await?;
    let etag = view.version.to_string();
    Reply::with(StatusCode::OK, view).etag(etag).answer()
}

/// The segnatura of an entry
///
/// In the fields of AgID's schema 3.0.0, without the signature that the schema wants: whoever has the Comune's seal
/// adds it. What was registered in an emergency first names that number too.
#[utoipa::path(tag = "protocol", params(("entry_id" = EntryId, Path, description = "Which entry")), responses(
    (status = 200, description = "The segnatura, unsigned", body = XmlFile, content_type = "application/xml"),
    (status = 403, description = "`forbidden`: not staff, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/protocol-entries/{entry_id}/segnatura")]
async fn show_segnatura(caller: Caller, id: IdPath<Entry>, db: Data<Db>) -> Answer {
    let rows = policy::protocol(&caller, ProtocolWish::Read)?;
    let (whole, first) = db
        .read(&caller, move |tx| {
            let whole = find(tx, &rows, id.0)?;
            let first = whole.entry.recovers_id.map(|id| store::get(tx, id)).transpose()?.flatten();
            Ok((whole, first))
        })
        .await?;
    Ok(HttpResponse::Ok()
        .content_type("application/xml")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"segnatura.xml\""))
        .body(segnatura::write(&whole, first.as_ref(), &caller.tenant.name)))
}

/// Annul an entry
///
/// It stays, marked, with why and by which act (DPR 445/2000, articolo 54); its number is not given again, and what
/// waits to be handed on to the Comune's own protocol system is not. For managers of the entry's office, managers of
/// the central office, admins, and systems with the scope `protocol:write`.
#[utoipa::path(tag = "protocol", request_body = NewProtocolAnnulment,
    params(("entry_id" = EntryId, Path, description = "Which entry"), IdempotencyKeyHeader, IfMatchHeader), responses(
    (status = 200, description = "Annulled. `ETag` is set.", body = EntryView),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/protocol-entries/{entry_id}/annulment")]
async fn annul_protocol_entry(
    caller: Caller,
    id: IdPath<Entry>,
    (key, if_match): (MaybeIdempotencyKey, IfMatch),
    body: Body<NewProtocolAnnulment>,
    (db, in_flight): (Data<Db>, Data<InFlight>),
) -> Answer {
    let (reads, annuls) = (
        policy::protocol(&caller, ProtocolWish::Read).unwrap_or(Rows::None),
        policy::protocol(&caller, ProtocolWish::Annul)?,
    );
    let (new, digest) = body.into_parts();
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let check = |entry: &Entry| {
            if !annuls.contains(&object(entry)) {
                let known = reads.contains(&object(entry));
                return Err(if known { policy::forbidden("this is not for your offices") } else { not_found() });
            }
            if_match.check(entry.version(), true)
        };
        let entry = changes::annul(tx, id.0, (&new.reason, &new.act), check)?;
        let whole = store::whole(tx, vec![entry])?.pop().ok_or_else(not_found)?;
        let view = view(tx, &who, whole)?;
        let etag = view.version.to_string();
        Ok(Reply::with(StatusCode::OK, view).etag(etag))
    })
    .await
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create_protocol_entry)
        .service(list_protocol_entries)
        .service(show_protocol_entry)
        .service(show_segnatura)
        .service(annul_protocol_entry);
}
