//! `/events`, `/event-types`, `/event-stream`: what happens in the Comune, for other systems and back offices.

use std::time::Duration;

use actix_web::{FromRequest, HttpRequest, dev::Payload, get, web::Data};
use kernel::{Cursor, Page, Problem};
use serde::{Deserialize, Serialize};
use storage::{Db, Tx};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    CloudEvent, EventTypes, Live,
    model::SubjectId,
    stream::{self, Habits},
    types::EventTypeView,
};
use crate::{
    access::{
        Caller,
        policy::{self, Rows},
    },
    directory::OfficeId,
    http::{Answer, IdPath, Params, ProblemBody, Refused, Reply, bad_query, not_found, paging},
    outbox::{
        EventTag,
        store::{self, Sought},
    },
    problems::{EVENTS_EXPIRED, INVALID_HEADER},
};

/// Which events, and from where on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Of these types only, separated by commas; `appointment.*` is every type that begins so.
    #[param(min_length = 1, max_length = 500, pattern = r"^(\*|[a-z_]+\.(\*|[a-z_]+))(,(\*|[a-z_]+\.(\*|[a-z_]+)))*$")]
    pub types: Option<String>,
    /// About this object.
    pub subject_id: Option<SubjectId>,
    /// About this office. Events about no office are left out then.
    pub office_id: Option<OfficeId>,
    /// How many items at most; 20 when absent.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// The `cursor` of the answer before; absent: from the oldest event that is kept.
    #[param(max_length = 500)]
    pub after: Option<String>,
}

/// Which events are streamed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// Of these types only, separated by commas; `appointment.*` is every type that begins so.
    #[param(min_length = 1, max_length = 500, pattern = r"^(\*|[a-z_]+\.(\*|[a-z_]+))(,(\*|[a-z_]+\.(\*|[a-z_]+)))*$")]
    pub types: Option<String>,
    /// About this office. Events about no office are left out then.
    pub office_id: Option<OfficeId>,
    /// End the stream after so many seconds; 0: after what there is already. At most, and when absent, as the
    /// deployment says.
    #[param(minimum = 0, maximum = 3600)]
    pub max_seconds: Option<u64>,
}

/// The place of the last event that a client has seen.
#[derive(Debug, Clone, Copy)]
pub struct LastEventId(Option<i64>);

/// How the contract describes it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct LastEventIdHeader {
    /// The `id` of the last event seen; absent: from now on. Clients of Server-Sent Events send it by themselves.
    #[param(rename = "Last-Event-ID", min_length = 1, max_length = 19, pattern = "^[0-9]+$")]
    pub last_event_id: Option<String>,
}

impl FromRequest for LastEventId {
    type Error = Refused;
    type Future = std::future::Ready<Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let position = |text: &str| text.parse().ok().filter(|position| *position >= 0);
        std::future::ready(match req.headers().get("last-event-id") {
            None => Ok(Self(None)),
            Some(value) => match value.to_str().ok().filter(|text| text.len() <= 19).and_then(position) {
                Some(position) => Ok(Self(Some(position))),
                None => Err(Problem::new(&INVALID_HEADER)
                    .field("Last-Event-ID", "malformed", "the id of an event of this stream")
                    .into()),
            },
        })
    }
}

/// Events, and where the reader is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "items": [], "next": null, "cursor": "MTA0Mg" }))]
pub struct EventPage {
    /// The events, in the order in which everybody reads them.
    #[schema(max_items = 100)]
    pub items: Vec<CloudEvent>,
    /// Pass as `after` for what follows at once; absent when there is nothing yet.
    #[schema(max_length = 500)]
    pub next: Option<String>,
    /// Where the reader is: pass as `after` the next time, also when nothing was there.
    #[schema(max_length = 500)]
    pub cursor: String,
}

/// The kinds of events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "items": [{
    "type": "office.created", "subject": "office", "description": "An office was added.",
    "data_schema": { "type": "object" }
}] }))]
pub struct EventTypeList {
    /// Each with the form of its data.
    #[schema(max_items = 500)]
    pub items: Vec<EventTypeView>,
}

/// Events in their order
///
/// What happened in the Comune, as CloudEvents 1.0, oldest first: nothing is missed and nothing comes twice when
/// `cursor` is passed as `after` the next time. The events of one object are in the order of its versions. Staff and
/// devices read what is about their offices and about no office; other systems need the scope `events:read`. Events are
/// kept for as long as the deployment says (90 days unless it says otherwise).
#[utoipa::path(tag = "events", params(EventQuery), responses(
    (status = 200, description = "A page of events", body = EventPage),
    (status = 403, description = "`forbidden`: not for citizens, and not without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 410, description = "`events-expired`: what follows the cursor is no longer kept; the cursor to go on from is told", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/events")]
async fn list_events(caller: Caller, query: Params<EventQuery>, types: Data<EventTypes>, db: Data<Db>) -> Answer {
    let rows = policy::events(&caller)?;
    let page = paging::<i64>(query.limit, query.after.as_deref())?;
    if page.after.is_some_and(|position| position < 0) {
        return Err(bad_query("after", "unknown-cursor", "not a `cursor` of this list").into());
    }
    let mut sought = sought(rows, query.types.as_deref(), query.office_id, &types)?;
    sought.subject_id = query.subject_id.map(kernel::Id::cast);
    let after = page.after;
    let (rows, last) = db
        .read(&caller, move |tx| {
            is_kept(tx, after)?;
            Ok((store::after(tx, &sought, after.unwrap_or(0), page.fetch())?, store::last_position(tx)?))
        })
        .await?;
    let Page { items, next } = Page::cut(rows, &page, |event| event.position.unwrap_or_default());
    let cursor = next.clone().unwrap_or_else(|| Cursor::encode(&last.max(after.unwrap_or(0))));
    let items = items.into_iter().map(|event| CloudEvent::of(event, &caller.tenant.slug)).collect();
    Reply::ok(EventPage { items, next, cursor })
}

/// An event
///
/// By its identifier, as deliveries name it.
#[utoipa::path(tag = "events", params(("event_id" = crate::outbox::EventId, Path, description = "Which one")), responses(
    (status = 200, description = "The event", body = CloudEvent),
    (status = 403, description = "`forbidden`: not for citizens, and not without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`: also one that is about another office", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/events/{event_id}")]
async fn show_event(caller: Caller, id: IdPath<EventTag>, db: Data<Db>) -> Answer {
    let rows = policy::events(&caller)?;
    let event = db.read(&caller, move |tx| store::get(tx, id.0)).await?;
    let theirs = event.filter(|event| match (&rows, event.office_id) {
        (Rows::OfOffices(offices), Some(office)) => offices.contains(&office),
        (Rows::OfOffices(_), None) => !store::ADMINS_ALONE.contains(&event.subject_kind.as_str()),
        _ => true,
    });
    Reply::ok(CloudEvent::of(theirs.ok_or_else(not_found)?, &caller.tenant.slug))
}

/// The kinds of events
///
/// What may happen, and what is told of it: a JSON Schema of `data` for each. More kinds, and more members, may come.
#[utoipa::path(tag = "events", security((), ("bearer" = [])), responses(
    (status = 200, description = "Every kind", body = EventTypeList),
))]
#[get("/event-types")]
async fn list_event_types(_caller: Caller, types: Data<EventTypes>) -> Answer {
    Reply::ok(EventTypeList { items: types.0.iter().copied().map(EventTypeView::from).collect() })
}

/// Events while they happen
///
/// Server-Sent Events (`text/event-stream`): each has the event's `id` in the stream, its type as `event` and the
/// CloudEvent as `data`. A client that comes again with `Last-Event-ID` misses nothing. A comment comes when nothing
/// else has for a while. The stream ends by itself after a while, so that rights that were taken away end; clients
/// come again by themselves. For boards and back offices: staff and devices read what is about their offices and about
/// no office.
#[utoipa::path(tag = "events", params(StreamQuery, LastEventIdHeader), responses(
    (status = 200, description = "The stream", body = String, content_type = "text/event-stream"),
    (status = 400, description = "`invalid-header`: Last-Event-ID", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: not for citizens, and not without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 410, description = "`events-expired`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`too-many-streams`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/event-stream")]
async fn stream_events(
    caller: Caller,
    query: Params<StreamQuery>,
    last_seen: LastEventId,
    (types, live, habits): (Data<EventTypes>, Data<Live>, Data<Habits>),
    db: Data<Db>,
) -> Answer {
    let rows = policy::events(&caller)?;
    let sought = sought(rows, query.types.as_deref(), query.office_id, &types)?;
    let mut habits = **habits;
    if let Some(seconds) = query.max_seconds {
        if seconds > 3600 {
            return Err(bad_query("max_seconds", "out-of-range", "a number from 0 to 3600").into());
        }
        habits.longest = habits.longest.min(Duration::from_secs(seconds));
    }
    let from = db
        .read(&caller, move |tx| {
            is_kept(tx, last_seen.0)?;
            last_seen.0.map_or_else(|| store::last_position(tx), Ok)
        })
        .await?;
    Ok(stream::answer((Db::clone(&db), &live), caller, sought, from, habits)?)
}

/// Whether nothing after a place has been taken away because of its age.
fn is_kept(tx: &mut Tx<'_>, after: Option<i64>) -> storage::Result<()> {
    let Some(after) = after else { return Ok(()) };
    let last = store::last_position(tx)?;
    let first = store::first_position(tx)?.unwrap_or_else(|| last.saturating_add(1));
    if after.saturating_add(1) < first {
        return Err(Problem::new(&EVENTS_EXPIRED).with("latest", Cursor::encode(&last)).into());
    }
    Ok(())
}

fn sought(rows: Rows, types: Option<&str>, office: Option<OfficeId>, known: &EventTypes) -> Result<Sought, Problem> {
    let unknown = || bad_query("types", "unknown-reference", "types of events, as /event-types lists them");
    if types.is_some_and(|types| types.len() > 500) {
        return Err(unknown());
    }
    let mut kinds = Vec::new();
    for filter in types.into_iter().flat_map(|types| types.split(',')) {
        let before = kinds.len();
        kinds.extend(known.through(filter).map(str::to_owned));
        if kinds.len() == before {
            return Err(unknown());
        }
    }
    let offices = match (rows, office) {
        (Rows::OfOffices(offices), Some(office)) => {
            Some((offices.into_iter().filter(|id| *id == office).collect(), false))
        }
        (Rows::OfOffices(offices), None) => Some((offices, true)),
        (_, Some(office)) => Some((vec![office], false)),
        (_, None) => None,
    };
    Ok(Sought { kinds, subject_id: None, offices })
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_events).service(show_event).service(list_event_types).service(stream_events);
}
