//! `/receipts`: what whoever has a code is told, and the receipt on paper.

use std::collections::HashMap;

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::{StatusCode, header},
    web::{self, Data},
};
use kernel::{Lang, Page, Problem};
use platform::{
    access::{
        Caller, CallerKind,
        policy::{self, Object, ProtocolWish},
    },
    http::{Answer, Language, Params, ProblemBody, Reply, not_found, paging},
    problems::UNAUTHENTICATED,
};
use serde::Deserialize;
use storage::{Db, Tx, problems::INTERNAL_ERROR};
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{ExternalNumber, FiledDocument, PdfFile, Receipt, ReceiptItem, ReceiptView},
    paper, rules, store,
};
use crate::{
    entries::{DocumentRef, Entry, EntryId, rules as register, store as entries},
    registrations::store as registrations,
};

fn code(request: &HttpRequest) -> String {
    request.match_info().get("code").unwrap_or_default().to_owned()
}

/// A receipt with its entry.
fn find(tx: &mut Tx<'_>, code: &str) -> storage::Result<(Receipt, Entry)> {
    let code = rules::read_code(code).ok_or_else(not_found)?;
    let receipt = store::of_code(tx, &code)?.ok_or_else(not_found)?;
    let entry = entries::get(tx, receipt.entry_id)?.ok_or_else(not_found)?;
    Ok((receipt, entry))
}

fn view(tx: &mut Tx<'_>, receipt: Receipt, entry: Entry, lang: Lang) -> storage::Result<ReceiptView> {
    // What was registered in an emergency is handed on, and annulled, under its ordinary number.
    let recovering = entries::recovering(tx, entry.id)?.map(|id| entries::get(tx, id)).transpose()?.flatten();
    let registration = registrations::of_entry(tx, recovering.as_ref().map_or(entry.id, |recovering| recovering.id))?;
    let general_protocol = registration.and_then(|row| {
        Some(ExternalNumber {
            register: row.external_register,
            number: row.external_number?,
            year: row.external_year?,
            registered_at: row.external_registered_at,
        })
    });
    let is_annulled = |entry: &Entry| entry.annulled_at.is_some();
    let weigh = |DocumentRef { sha256, size_bytes, .. }| FiledDocument { sha256, size_bytes };
    Ok(ReceiptView {
        code: receipt.code,
        comune: receipt.comune,
        office: receipt.office.0.text(lang).to_owned(),
        display: register::display(entry.number, entry.year),
        annulled: is_annulled(&entry) || recovering.as_ref().is_some_and(is_annulled),
        ipa_code: entry.ipa_code,
        aoo_code: entry.aoo_code,
        register_code: entry.register_code,
        year: entry.year,
        number: entry.number,
        registered_at: entry.registered_at,
        received_on: entry.received_on,
        due_on: receipt.due_on,
        silence: receipt.silence,
        documents: entry.documents.0.into_iter().map(weigh).collect(),
        general_protocol,
        recovered_as: recovering.map(|entry| register::display(entry.number, entry.year)),
    })
}

/// Which of one's receipts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReceiptQuery {
    /// How many items at most; 20 when absent.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 500)]
    pub after: Option<String>,
}

/// My receipts
///
/// Of what the citizen who asks has filed, named with their codice fiscale, the newest first: `/receipts/{code}` says
/// more of each, `/receipts/{code}/paper` is the receipt itself.
#[utoipa::path(tag = "protocol", params(ReceiptQuery), responses(
    (status = 200, description = "A page of receipts", body = Page<ReceiptItem>),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: only citizens have receipts of their own", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/me/receipts")]
async fn list_my_receipts(caller: Caller, query: Params<ReceiptQuery>, lang: Language, db: Data<Db>) -> Answer {
    let person_key = caller.citizen()?.pseudonym.as_str().to_owned();
    let page = paging::<EntryId>(query.limit, query.after.as_deref())?;
    let page = db
        .read(&caller, move |tx| {
            let Page { items, next } = Page::cut(store::sent_by(tx, &person_key, &page)?, &page, |it| it.entry_id);
            let ids: Vec<EntryId> = items.iter().map(|receipt| receipt.entry_id).collect();
            let mut filed: HashMap<EntryId, Entry> =
                entries::of_ids(tx, &ids)?.into_iter().map(|entry| (entry.id, entry)).collect();
            let item = |receipt: Receipt| {
                let entry = filed.remove(&receipt.entry_id)?;
                Some(ReceiptItem {
                    display: register::display(entry.number, entry.year),
                    registered_at: entry.registered_at,
                    office: receipt.office.0.text(lang.0).to_owned(),
                    code: receipt.code,
                    due_on: receipt.due_on,
                })
            };
            Ok(Page { items: items.into_iter().filter_map(item).collect(), next })
        })
        .await?;
    Reply::page(page)
}

/// Verify a receipt
///
/// For whoever has its code, signed in or not: what is on the paper is true where it is the same here. Neither who
/// filed it nor what it is about is told. `annulled` and `general_protocol` are also those of the ordinary number, of
/// what was registered in an emergency. Codes are read as people write them, in either case, with or without hyphens.
#[utoipa::path(tag = "protocol", security((), ("bearer" = [])),
    params(("code" = String, Path, description = "The code on the receipt", min_length = 16, max_length = 40)), responses(
    (status = 200, description = "There is such a receipt, and this is what it says", body = ReceiptView),
    (status = 404, description = "`not-found`: there is none", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/receipts/{code}")]
async fn verify_receipt(caller: Caller, request: HttpRequest, lang: Language, db: Data<Db>) -> Answer {
    let code = code(&request);
    let view = db
        .read(&caller, move |tx| {
            let (receipt, entry) = find(tx, &code)?;
            view(tx, receipt, entry, lang.0)
        })
        .await?;
    Reply::with(StatusCode::OK, view).answer()
}

/// A receipt on paper
///
/// The receipt as PDF (PDF/UA, PDF/A), in the language asked for: Italian, English or German. It names who filed what,
/// so it is for the sender that it names with their codice fiscale, for the staff of its office, and for systems with
/// the scope `protocol:read`.
#[utoipa::path(tag = "protocol",
    params(("code" = String, Path, description = "The code on the receipt", min_length = 16, max_length = 40)), responses(
    (status = 200, description = "The receipt", body = PdfFile, content_type = "application/pdf"),
    (status = 404, description = "`not-found`: there is none, or it is not for the caller", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/receipts/{code}/paper")]
async fn show_receipt_paper(caller: Caller, request: HttpRequest, lang: Language, db: Data<Db>) -> Answer {
    let code = code(&request);
    if matches!(caller.kind, CallerKind::Anonymous) {
        return Err(Problem::new(&UNAUTHENTICATED).into());
    }
    let who = caller.clone();
    let (receipt, whole) = db
        .read(&caller, move |tx| {
            let (receipt, entry) = find(tx, &code)?;
            if !may_have(tx, &who, &entry)? {
                return Err(not_found().into());
            }
            let whole = entries::whole(tx, vec![entry])?.pop().ok_or_else(not_found)?;
            Ok((receipt, whole))
        })
        .await?;
    let name = format!("ricevuta-{}-{:07}-{}.pdf", whole.entry.register_code, whole.entry.number, whole.entry.year);
    let file = web::block(move || pdf::render(&paper::paper(&receipt, &whole, lang.0))).await;
    let file = file.map_err(|_stopped| Problem::new(&INTERNAL_ERROR))?.map_err(|error| {
        tracing::error!(%error, "a receipt could not be put on paper");
        Problem::new(&INTERNAL_ERROR)
    })?;
    Ok(HttpResponse::Ok()
        .content_type("application/pdf")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_LANGUAGE, lang.0.tag()))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(file))
}

/// Whether a caller may have the paper.
fn may_have(tx: &mut Tx<'_>, caller: &Caller, entry: &Entry) -> storage::Result<bool> {
    if let Ok(rows) = policy::protocol(caller, ProtocolWish::Read) {
        return Ok(rows.contains(&Object { owner: "", office: entry.office_id }));
    }
    let Ok(citizen) = caller.citizen() else { return Ok(false) };
    entries::is_sender(tx, entry.id, citizen.pseudonym.as_str())
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_my_receipts).service(verify_receipt).service(show_receipt_paper);
}
