//! `/message-templates` and `/message-previews`: the words of messages, for the admins of the Comune.

use actix_web::{HttpRequest, HttpResponse, delete, get, http::StatusCode, post, put, web::Data};
use kernel::{Page, Problem};
use serde_json::{Value, json};
use storage::{Db, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{KindView, NewPreview, NewTemplate, PreviewView, Template, TemplateView, VariableView},
    rules, store,
};
use crate::{
    access::{Caller, policy},
    audit::{self, Change},
    http::{Answer, Body, IfMatch, IfMatchHeader, ProblemBody, Reply, not_found},
    messages::{
        composing::{Composers, Kind, Wording},
        model::MessageLanguage,
        rules::io_markdown,
    },
    problems::INVALID_BODY,
};

/// Kinds of messages
///
/// For admins: every kind of message, with what its templates may name. Always one page.
#[utoipa::path(tag = "messages", responses(
    (status = 200, description = "The kinds", body = Page<KindView>),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/message-templates")]
async fn list_message_templates(caller: Caller, composers: Data<Composers>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let own = db.read(&caller, store::languages).await?;
    let view = |kind: &'static Kind| KindView {
        kind: kind.name.to_owned(),
        about: kind.about.to_owned(),
        optional: kind.optional,
        own_languages: own.iter().filter(|(name, _)| name == kind.name).map(|(_, language)| *language).collect(),
        variables: kind.variables.iter().map(|v| VariableView { name: v.name.into(), about: v.about.into() }).collect(),
    };
    Reply::page(Page::whole(composers.kinds().map(view).collect()))
}

/// The kind and the language that a path names. A text that names none: 404.
fn named(request: &HttpRequest, composers: &Composers) -> Result<(&'static Kind, MessageLanguage), Problem> {
    let part = |name: &str| request.match_info().get(name).unwrap_or_default().to_owned();
    let kind = composers.kind(&part("kind")).ok_or_else(not_found)?;
    let language = part("language").parse().ok();
    Ok((kind, language.ok_or_else(not_found)?))
}

/// Words of a kind of message
///
/// For admins: the Comune's own words in this language, or the product's where it has none.
#[utoipa::path(tag = "messages",
    params(("kind" = String, Path, max_length = 60, description = "The kind", example = "appointment.confirmation"),
        ("language" = MessageLanguage, Path, description = "The language", example = "it")), responses(
    (status = 200, description = "The words. `ETag`: their version, 0 for the product's", body = TemplateView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`: no such kind or language", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/message-templates/{kind}/{language}")]
async fn show_message_template(
    caller: Caller,
    request: HttpRequest,
    composers: Data<Composers>,
    db: Data<Db>,
) -> Answer {
    policy::administration(&caller)?;
    let (kind, language) = named(&request, &composers)?;
    let own = db.read(&caller, move |tx| store::find(tx, kind.name, language)).await?;
    let product = || TemplateView::of_product(kind.name, language, (kind.wording)(language.lang()));
    reply(own.map_or_else(product, TemplateView::from))
}

/// Set words of a kind of message
///
/// For admins. The words are tried with sample data first: what does not parse, names that stand for nothing, markup
/// that is not sent and what App IO would not take are refused, naming the part and its line. Messages that are
/// planned already are written with the new words.
#[utoipa::path(tag = "messages", request_body = NewTemplate,
    params(("kind" = String, Path, max_length = 60, description = "The kind", example = "appointment.confirmation"),
        ("language" = MessageLanguage, Path, description = "The language", example = "it"), IfMatchHeader), responses(
    (status = 200, description = "The words as they are now. `ETag` is set.", body = TemplateView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`: no such kind or language", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[put("/message-templates/{kind}/{language}")]
async fn update_message_template(
    caller: Caller,
    request: HttpRequest,
    if_match: IfMatch,
    body: Body<NewTemplate>,
    composers: Data<Composers>,
    db: Data<Db>,
) -> Answer {
    policy::administration(&caller)?;
    let (kind, language) = named(&request, &composers)?;
    let new = body.into_inner();
    sound(kind, language, &new.wording(), "")?;
    let template = db
        .write(&caller, move |tx| {
            let before = store::find(tx, kind.name, language)?;
            if_match.check(before.as_ref().map_or(0, |template| template.version), true)?;
            let after = match &before {
                Some(before) => store::save(tx, before, &new)?,
                None => {
                    let template = Template {
                        tenant_id: tx.tenant(),
                        id: tx.new_id(),
                        kind: kind.name.to_owned(),
                        language,
                        subject: new.subject.clone(),
                        body: new.body.clone(),
                        html: new.html.clone(),
                        version: 1,
                        updated_at: tx.now(),
                    };
                    store::insert(tx, &template)?;
                    template
                }
            };
            record(tx, "message-template.updated", before.as_ref(), Some(&after))?;
            Ok(after)
        })
        .await?;
    reply(template.into())
}

/// Go back to the product's words
///
/// For admins: takes the Comune's own words in this language away.
#[utoipa::path(tag = "messages",
    params(("kind" = String, Path, max_length = 60, description = "The kind", example = "appointment.confirmation"),
        ("language" = MessageLanguage, Path, description = "The language", example = "it"), IfMatchHeader), responses(
    (status = 204, description = "Taken away"),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`: the Comune has no words of its own", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/message-templates/{kind}/{language}")]
async fn remove_message_template(
    caller: Caller,
    request: HttpRequest,
    if_match: IfMatch,
    composers: Data<Composers>,
    db: Data<Db>,
) -> Answer {
    policy::administration(&caller)?;
    let (kind, language) = named(&request, &composers)?;
    db.write(&caller, move |tx| {
        let template = store::find(tx, kind.name, language)?.ok_or_else(not_found)?;
        if_match.check(template.version, true)?;
        store::delete(tx, &template)?;
        record(tx, "message-template.deleted", Some(&template), None)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Try words of a message
///
/// For admins: fills the words in with sample data, and writes and sends nothing.
#[utoipa::path(tag = "messages", request_body = NewPreview, responses(
    (status = 200, description = "The message as it would be read", body = PreviewView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/message-previews")]
async fn preview_message(caller: Caller, body: Body<NewPreview>, composers: Data<Composers>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let NewPreview { kind, language, template } = body.into_inner();
    let unknown = || Problem::new(&INVALID_BODY).field("/kind", "unknown-reference", "no such kind of message");
    let kind = composers.kind(&kind).ok_or_else(unknown)?;
    let wording = match template {
        Some(template) => {
            let wording = template.wording();
            sound(kind, language, &wording, "/template")?;
            wording
        }
        None => {
            let own = db.read(&caller, move |tx| store::find(tx, kind.name, language)).await?;
            own.map_or_else(|| (kind.wording)(language.lang()), |template| template.wording())
        }
    };
    let lang = language.lang();
    let rendered = rules::render(&wording, lang, &(kind.sample)(lang)).map_err(|fault| refused(&[fault], ""))?;
    Reply::ok(PreviewView {
        markdown: io_markdown(&rendered.markdown, &caller.tenant.name, lang),
        subject: rendered.subject,
        body: rendered.text,
        html: rendered.html,
    })
}

fn sound(kind: &Kind, language: MessageLanguage, wording: &Wording, parent: &str) -> Result<(), Problem> {
    let faults = rules::faults(kind, language.lang(), wording);
    if faults.is_empty() { Ok(()) } else { Err(refused(&faults, parent)) }
}

fn refused(faults: &[rules::Fault], parent: &str) -> Problem {
    let told = |problem: Problem, fault: &rules::Fault| {
        problem.field(format!("{parent}/{}", fault.part), "template", fault.text())
    };
    faults.iter().fold(Problem::new(&INVALID_BODY), told)
}

fn reply(view: TemplateView) -> Answer {
    let etag = view.version.to_string();
    Reply::with(StatusCode::OK, view).etag(etag).answer()
}

fn record(tx: &mut Tx<'_>, action: &str, before: Option<&Template>, after: Option<&Template>) -> storage::Result<()> {
    let state = |template: &Template| -> Value {
        json!({
            "kind": template.kind, "language": template.language, "subject": template.subject, "body": template.body,
            "html": template.html, "version": template.version,
        })
    };
    let Some(subject) = before.or(after).map(|template| template.id) else { return Ok(()) };
    let (before, after) = (before.map(state), after.map(state));
    let change =
        Change { action, subject_kind: "message-template", subject, before: before.as_ref(), after: after.as_ref() };
    audit::record(tx, change)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_message_templates)
        .service(show_message_template)
        .service(update_message_template)
        .service(remove_message_template)
        .service(preview_message);
}
