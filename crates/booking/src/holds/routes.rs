//! `/holds`: keeping a time while somebody fills in a form.

use actix_web::{HttpResponse, delete, get, post, web::Data};
use jiff::SignedDuration;
use kernel::Problem;
use platform::{
    access::{Caller, CallerKind, policy},
    audit::{self, Change},
    http::{Answer, Body, IdPath, IdempotencyKey, ProblemBody, Reply, not_found},
    idempotency::{self, InFlight},
};
use storage::{Db, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{Hold, HoldId, HoldView, NewHold},
    store,
};
use crate::{
    BookingSettings,
    appointments::store as appointments,
    calendars::{claim, store as calendars},
    offers::{self, Terms, Wish},
    problems::PERSON_LIMIT_REACHED,
};

/// How many times one citizen may keep at once: enough to hesitate, too few to block a counter.
const OPEN_HOLDS_PER_CITIZEN: i64 = 3;

/// Keep a time
///
/// Keeps a time for a few minutes (5 unless the Comune or the deployment says otherwise) so that it is still there
/// when the form is filled in. Repeating the request with the same key keeps it once.
#[utoipa::path(tag = "holds", request_body = NewHold, security((), ("bearer" = [])),
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in")), responses(
    (status = 201, description = "The time is kept until `expires_at`", body = HoldView),
    (status = 409, description = "`slot-taken`, `person-limit-reached`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `outside-opening-hours`, `lead-time`, `beyond-horizon`, `duration-not-allowed`, `local-time-does-not-exist`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/holds")]
async fn create_hold(
    caller: Caller,
    key: IdempotencyKey,
    body: Body<NewHold>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
    settings: Data<BookingSettings>,
) -> Answer {
    let (new, digest) = body.into_parts();
    let wish = Wish::read(new.service_id, new.calendar_id, &new.starts_at, new.persons)?;
    let ttl = caller.settings().hold_minutes.map_or(settings.hold_minutes, i64::from);
    let who = caller.clone();
    let outcome = idempotency::once(&db, &in_flight, &caller, Some(&key), &digest, move |tx| {
        let offer = offers::find(tx, wish.service_id, wish.calendar_id)?;
        policy::booking(&who, offer.calendar.office_id, offer.service.anonymous_allowed)?;
        let visit = claim::plan_visit(tx, &offer, &who.tenant.holidays(), wish, Terms::of(&who))?;
        claim::lock(tx, &offer.calendar, &visit)?;
        let id: HoldId = tx.new_id();
        let expires_at = tx.now().saturating_add(SignedDuration::from_mins(ttl)).unwrap_or(tx.now());
        claim::take(tx, &offer.calendar, &visit, id.cast(), Some(expires_at))?;
        check_limit(tx, &who)?;
        let hold = Hold {
            tenant_id: tx.tenant(),
            id,
            service_id: wish.service_id,
            calendar_id: wish.calendar_id,
            starts_at: visit.starts_at,
            ends_at: visit.ends_at,
            persons: wish.persons,
            owner: who.actor().as_str().to_owned(),
            expires_at,
            created_at: tx.now(),
        };
        store::insert(tx, &hold)?;
        record(tx, "hold.created", id)?;
        let location = format!("/{}/v1/holds/{id}", who.tenant.slug);
        Ok(Reply::created(HoldView::from(hold)).at(location))
    })
    .await;
    offers::with_alternatives(outcome, &db, &caller, wish).await
}

fn check_limit(tx: &mut Tx<'_>, caller: &Caller) -> storage::Result<()> {
    let CallerKind::Citizen(citizen) = &caller.kind else { return Ok(()) };
    appointments::lock_person(tx, citizen.pseudonym.as_str())?;
    if store::count_open(tx, caller.actor().as_str())? < OPEN_HOLDS_PER_CITIZEN {
        return Ok(());
    }
    Err(Problem::new(&PERSON_LIMIT_REACHED)
        .detail("too many times kept at once")
        .with("limit", OPEN_HOLDS_PER_CITIZEN)
        .into())
}

/// One hold
///
/// Whether and until when a time is kept. A hold that has expired, was released or was used is not
/// found, and neither is another person's.
#[utoipa::path(tag = "holds", security((), ("bearer" = [])),
    params(("hold_id" = HoldId, Path, description = "The hold")), responses(
    (status = 200, description = "The hold", body = HoldView),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/holds/{hold_id}")]
async fn show_hold(caller: Caller, id: IdPath<Hold>, db: Data<Db>) -> Answer {
    let owner = caller.actor().as_str().to_owned();
    let hold = db.read(&caller, move |tx| open_hold(tx, id.0, &owner)).await?;
    Reply::ok(HoldView::from(hold))
}

/// Release a hold
///
/// Gives the time back at once. A hold that is gone already is not found.
#[utoipa::path(tag = "holds", security((), ("bearer" = [])),
    params(("hold_id" = HoldId, Path, description = "The hold")), responses(
    (status = 204, description = "The time is anybody's again"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/holds/{hold_id}")]
async fn release_hold(caller: Caller, id: IdPath<Hold>, db: Data<Db>) -> Answer {
    let owner = caller.actor().as_str().to_owned();
    db.write(&caller, move |tx| {
        open_hold(tx, id.0, &owner)?;
        calendars::release(tx, id.0.cast())?;
        store::delete(tx, id.0)?;
        record(tx, "hold.released", id.0)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What is held is in no entry: for a few minutes it says who wants to go where.
fn record(tx: &mut Tx<'_>, action: &str, subject: HoldId) -> storage::Result<()> {
    audit::record(tx, Change { action, subject_kind: "hold", subject, before: None, after: None })
}

/// An open hold of this owner. Anonymous holds are known by their id alone, of which 62 bits are random.
fn open_hold(tx: &mut Tx<'_>, id: HoldId, owner: &str) -> storage::Result<Hold> {
    let now = tx.now();
    let hold = store::find(tx, id)?.filter(|hold| hold.owner == owner && hold.is_open(now));
    Ok(hold.ok_or_else(not_found)?)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create_hold).service(show_hold).service(release_hold);
}
