//! `/messages` and `/me/messages`: what was told to whom.

use actix_web::{get, http::StatusCode, post, web::Data};
use kernel::{Page, Problem};
use serde_json::json;
use storage::{Db, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{Message, MessageId, MessageQuery, MessageState, MessageView},
    store::{self, Listed},
};
use crate::{
    access::{Caller, policy},
    audit::{self, Change},
    directory::routes::PageQuery,
    http::{Answer, IdPath, IfMatch, IfMatchHeader, Link, Params, ProblemBody, Reply, not_found, paging},
    privacy::{
        Holdings, RecordKind,
        access_log::{self, Look, Shown},
    },
    problems::INVALID_TRANSITION,
};

/// Messages of the Comune
///
/// For admins: every message to a person, the latest first, without what was written.
#[utoipa::path(tag = "messages", params(MessageQuery), responses(
    (status = 200, description = "A page of messages", body = Page<MessageView>),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/messages")]
async fn list_messages(caller: Caller, query: Params<MessageQuery>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let page = paging::<MessageId>(query.limit, query.after.as_deref())?;
    let of = Listed::All(query.state);
    let rows = db.read(&caller, move |tx| store::list(tx, &of, &page)).await?;
    Reply::page(Page::cut(rows, &page, |message| message.id).map(|message| with_links(&caller, message.view(None))))
}

/// My messages
///
/// What the Comune has written, or is going to write, to the citizen who asks, the latest first.
#[utoipa::path(tag = "messages", params(PageQuery), responses(
    (status = 200, description = "A page of messages", body = Page<MessageView>),
    (status = 403, description = "`forbidden`: only citizens have messages of their own", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/me/messages")]
async fn list_my_messages(caller: Caller, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    let of = Listed::To(caller.citizen()?.pseudonym.as_str().to_owned());
    let page = paging::<MessageId>(query.limit, query.after.as_deref())?;
    let rows = db.read(&caller, move |tx| store::list(tx, &of, &page)).await?;
    Reply::page(Page::cut(rows, &page, |message| message.id).map(|message| message.view(None)))
}

/// One message
///
/// For admins: with what was written, and where to.
#[utoipa::path(tag = "messages", params(("message_id" = MessageId, Path, description = "The message")), responses(
    (status = 200, description = "The message. `ETag` is set.", body = MessageView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/messages/{message_id}")]
async fn show_message(caller: Caller, id: IdPath<Message>, db: Data<Db>, holdings: Data<Holdings>) -> Answer {
    policy::administration(&caller)?;
    let holdings = Holdings::clone(&holdings);
    let message = access_log::read(&db, &caller, move |tx| {
        let message = store::find(tx, id.0)?.ok_or_else(not_found)?;
        let looks = special(tx, &holdings, &message)?;
        let answer = with_contents(tx, vec![message])?.pop().ok_or_else(not_found)?;
        Ok(Shown { answer, looks })
    })
    .await?;
    reply(&caller, message)
}

/// What a message tells of, where that is special: who reads what was written reads of the record, and of whom it was
/// written to, who need not be whom the record is about by now.
fn special(tx: &mut Tx<'_>, holdings: &Holdings, message: &Message) -> storage::Result<Vec<Look>> {
    let kind: Option<RecordKind> = message.subject_kind.parse().ok();
    let holding = kind.and_then(|kind| holdings.of(kind).map(|holding| (kind, holding)));
    let looks = match holding {
        Some((kind, holding)) => holding.special(tx, kind, &[message.subject_id.cast()])?,
        None => Vec::new(),
    };
    Ok(looks.iter().map(|look| look.of(&message.person)).collect())
}

/// Send a message again
///
/// For admins: one that was parked or has failed is tried afresh, now, with what is true now. One that waits already
/// is left as it is.
#[utoipa::path(tag = "messages",
    params(("message_id" = MessageId, Path, description = "The message"), IfMatchHeader), responses(
    (status = 200, description = "It waits to be sent. `ETag` is set.", body = MessageView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`: it was sent, or withdrawn", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/messages/{message_id}/replays")]
async fn replay_message(caller: Caller, id: IdPath<Message>, if_match: IfMatch, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let message = db
        .write(&caller, move |tx| {
            let message = store::find(tx, id.0)?.ok_or_else(not_found)?;
            if_match.check(message.version, true)?;
            match message.state {
                MessageState::Planned | MessageState::Sending => return Ok(message),
                MessageState::Parked | MessageState::Failed => {}
                MessageState::Sent | MessageState::Withdrawn => {
                    let allowed: [&str; 0] = [];
                    return Err(Problem::new(&INVALID_TRANSITION)
                        .detail("only what was parked or has failed is sent again")
                        .with("current_state", message.state.as_str())
                        .with("allowed", allowed)
                        .into());
                }
            }
            let again = store::replay(tx, &message)?;
            let (before, after) = (state(&message), state(&again));
            let change = Change {
                action: "message.replayed",
                subject_kind: "message",
                subject: again.id,
                before: Some(&before),
                after: Some(&after),
            };
            audit::record(tx, change)?;
            Ok(again)
        })
        .await?;
    reply(&caller, message.view(None))
}

fn state(message: &Message) -> serde_json::Value {
    json!({ "kind": message.kind, "state": message.state, "version": message.version })
}

fn reply(caller: &Caller, message: MessageView) -> Answer {
    let etag = message.version.to_string();
    Reply::with(StatusCode::OK, with_links(caller, message)).etag(etag).answer()
}

fn with_links(caller: &Caller, mut message: MessageView) -> MessageView {
    if matches!(message.state, MessageState::Parked | MessageState::Failed) {
        message.links.push(Link {
            rel: "replays".to_owned(),
            method: "POST".to_owned(),
            href: format!("/{}/v1/messages/{}/replays", caller.tenant.slug, message.id),
        });
    }
    message
}

/// Messages with what was written.
///
/// # Errors
/// When the database fails.
pub fn with_contents(tx: &mut Tx<'_>, rows: Vec<Message>) -> storage::Result<Vec<MessageView>> {
    let ids: Vec<_> = rows.iter().map(|message| message.id).collect();
    let mut contents: std::collections::HashMap<_, _> = store::contents(tx, &ids)?.into_iter().collect();
    let view = |message: Message| {
        let content = contents.remove(&message.id);
        message.view(content)
    };
    Ok(rows.into_iter().map(view).collect())
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_messages).service(list_my_messages).service(show_message).service(replay_message);
}
