//! `/calendars/{calendar_id}/blocks`: keeping time free of visitors.

use actix_web::{HttpResponse, delete, get, post, web::Data};
use jiff::{SignedDuration, Timestamp};
use kernel::{Page, Problem, civil};
use platform::{
    access::Caller,
    changes::Done,
    directory::routes::PageQuery,
    http::{
        Answer, Body, IdPair, IdPath, MaybeIdempotencyKey, Params, ProblemBody, Reply, not_found, paging, sane_date,
    },
    idempotency::{self, InFlight},
    problems::INVALID_BODY,
};
use serde_json::{Value, json};
use storage::{Db, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{Block, BlockId, BlockView, LONGEST_DAYS, NewBlock},
    store,
};
use crate::{
    calendars::{Calendar, CalendarId, claim, routes::managed, store as calendars},
    offers,
    problems::SLOT_TAKEN,
};

/// Blocks of a calendar
///
/// Those that have not ended yet, by start; for those who decide for the office.
#[utoipa::path(tag = "calendars",
    params(("calendar_id" = CalendarId, Path, description = "The calendar"), PageQuery), responses(
    (status = 200, description = "A page of blocks", body = Page<BlockView>),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/calendars/{calendar_id}/blocks")]
async fn list_calendar_blocks(caller: Caller, id: IdPath<Calendar>, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    let page = paging::<(Timestamp, BlockId)>(query.limit, query.after.as_deref())?;
    page.after.map(|(at, _)| sane_date("after", civil::date_of(at))).transpose()?;
    let who = caller.clone();
    let page = db
        .read(&caller, move |tx| {
            let calendar = managed(tx, &who, id.0)?;
            let now = tx.now();
            let rows = store::list(tx, calendar.id, now, &page)?;
            Ok(Page::cut(rows, &page, |block| (block.starts_at, block.id)).map(BlockView::from))
        })
        .await?;
    Reply::page(page)
}

/// Keep time free of visitors
///
/// Takes counters away from that time, one, several or all: the office's own first, then everybody's. What is
/// booked there already stays: where not enough counters are left, nothing is blocked, and `appointments` says
/// which are in the way. Counters that are added later, by hours or exceptions, are not part of it.
#[utoipa::path(tag = "calendars", request_body = NewBlock,
    params(("calendar_id" = CalendarId, Path, description = "The calendar"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in")), responses(
    (status = 201, description = "Blocked. `Location` is set.", body = BlockView),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`slot-taken` (with the appointments in the way), `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `outside-opening-hours`, `local-time-does-not-exist`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/calendars/{calendar_id}/blocks")]
async fn create_calendar_block(
    caller: Caller,
    id: IdPath<Calendar>,
    key: MaybeIdempotencyKey,
    body: Body<NewBlock>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    let (new, digest) = body.into_parts();
    let (starts_at, ends_at) = times(&new, db.clock().now())?;
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let calendar = managed(tx, &who, id.0)?;
        let block = Block {
            id: tx.new_id(),
            calendar_id: calendar.id,
            starts_at,
            ends_at,
            seats: new.seats,
            reason: new.reason.trim().to_owned(),
            created_by: tx.actor().as_str().to_owned(),
            created_at: tx.now(),
        };
        let times = starts_at..ends_at;
        let in_the_way = claim::block(tx, &calendar, &who.tenant.holidays(), times, block.seats, block.id.cast())?;
        if let Some(claims) = in_the_way {
            let appointments = json!(store::appointments_among(tx, &claims)?);
            return Err(Problem::new(&SLOT_TAKEN)
                .detail("not enough counters are free for the whole of that time")
                .with("appointments", appointments)
                .into());
        }
        store::insert(tx, &block)?;
        tell(tx, &calendar, &block, true)?;
        let location = format!("/{}/v1/calendars/{}/blocks/{}", who.tenant.slug, calendar.id, block.id);
        Ok(Reply::created(BlockView::from(block)).at(location))
    })
    .await
}

/// One block
///
/// A stretch of time in which counters receive nobody.
#[utoipa::path(tag = "calendars",
    params(("calendar_id" = CalendarId, Path, description = "The calendar"),
        ("block_id" = BlockId, Path, description = "The block")), responses(
    (status = 200, description = "The block", body = BlockView),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/calendars/{calendar_id}/blocks/{block_id}")]
async fn show_calendar_block(caller: Caller, ids: IdPair<Calendar, Block>, db: Data<Db>) -> Answer {
    let IdPair(calendar, block) = ids;
    let who = caller.clone();
    let block = db
        .read(&caller, move |tx| {
            let calendar = managed(tx, &who, calendar)?;
            Ok(store::find(tx, calendar.id, block)?.ok_or_else(not_found)?)
        })
        .await?;
    Reply::ok(BlockView::from(block))
}

/// Give blocked time back
///
/// Its counters can be booked again at once.
#[utoipa::path(tag = "calendars",
    params(("calendar_id" = CalendarId, Path, description = "The calendar"),
        ("block_id" = BlockId, Path, description = "The block")), responses(
    (status = 204, description = "The time can be booked again"),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/calendars/{calendar_id}/blocks/{block_id}")]
async fn lift_calendar_block(caller: Caller, ids: IdPair<Calendar, Block>, db: Data<Db>) -> Answer {
    let IdPair(calendar, block) = ids;
    let who = caller.clone();
    db.write(&caller, move |tx| {
        let calendar = managed(tx, &who, calendar)?;
        let block = store::find(tx, calendar.id, block)?.ok_or_else(not_found)?;
        if !store::delete(tx, block.id)? {
            return Err(not_found().into());
        }
        calendars::release(tx, block.id.cast())?;
        tell(tx, &calendar, &block, false)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

fn times(new: &NewBlock, now: Timestamp) -> Result<(Timestamp, Timestamp), Problem> {
    let refuse =
        |code: &'static str, words: &str| Err(Problem::new(&INVALID_BODY).field("/ends_at", code, words.to_owned()));
    let starts_at = offers::moment(&new.starts_at)?;
    let ends_at = offers::moment_at("/ends_at", &new.ends_at)?;
    if ends_at <= starts_at {
        return refuse("before-start", "after `starts_at`");
    }
    if ends_at <= now {
        return refuse("past", "in the future");
    }
    if ends_at.duration_since(starts_at) > SignedDuration::from_hours(LONGEST_DAYS.saturating_mul(24)) {
        return refuse("too-long", "at most 31 days after `starts_at`");
    }
    Ok((starts_at, ends_at))
}

/// Tells that time was blocked or given back, to those who listen and to the audit.
fn tell(tx: &mut Tx<'_>, calendar: &Calendar, block: &Block, made: bool) -> storage::Result<()> {
    let state: Value = json!({
        "id": block.id,
        "calendar_id": block.calendar_id,
        "office_id": calendar.office_id,
        "starts_at": civil::format_rfc3339(block.starts_at),
        "ends_at": civil::format_rfc3339(block.ends_at),
        "seats": block.seats,
    });
    let (action, version, before, after) = if made {
        ("calendar_block.created", 1, None, Some(state))
    } else {
        ("calendar_block.deleted", 2, Some(state), None)
    };
    platform::changes::tell(tx, Done { action, kind: "calendar_block", subject: block.id, version, before, after })
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_calendar_blocks)
        .service(create_calendar_block)
        .service(show_calendar_block)
        .service(lift_calendar_block);
}
