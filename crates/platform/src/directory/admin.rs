//! Places and offices, made, changed and deleted by whoever administers the Comune.

use actix_web::{HttpResponse, delete, patch, post, web::Data};
use kernel::Problem;
use storage::{Db, Failure, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    bodies::{NewOffice, NewPlace},
    model::{Office, OfficeId, OfficeView, Place, PlaceId, PlaceView},
    store,
};
use crate::{
    access::{Caller, policy},
    changes::{Done, state, tell},
    http::{
        Answer, Body, IdPath, IdempotencyKeyHeader, IfMatch, IfMatchHeader, Language, MaybeIdempotencyKey, MergePatch,
        ProblemBody, Reply, not_found,
    },
    idempotency::{self, InFlight},
    problems::INVALID_BODY,
};

/// What is to be different about a place.
type PlacePatch = MergePatch<NewPlace>;
/// What is to be different about an office.
type OfficePatch = MergePatch<NewOffice>;

/// Add a place
///
/// A building or other place the public can go to. For admins and for systems with the scope `directory:write`.
#[utoipa::path(tag = "directory", request_body = NewPlace, params(IdempotencyKeyHeader), responses(
    (status = 201, description = "Added. `Location` and `ETag` are set.", body = PlaceView),
))]
#[post("/places")]
async fn create_place(
    caller: Caller,
    lang: Language,
    key: MaybeIdempotencyKey,
    body: Body<NewPlace>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    policy::directory(&caller)?;
    let (new, digest) = body.into_parts();
    let slug = caller.tenant.slug.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let (tenant, id) = (tx.tenant(), tx.new_id());
        let place = new.clone().place(tenant, id, 1)?;
        store::insert_place(tx, &place)?;
        tell_of_place(tx, "place.created", None, Some(&place))?;
        let etag = format!("1.{}", lang.0.tag());
        Ok(Reply::created(place.whole(lang.0)).at(format!("/{slug}/v1/places/{id}")).etag(etag))
    })
    .await
}

/// Change a place
///
/// A merge patch (RFC 7396): what is not mentioned stays, `null` takes away. A text in several languages is
/// given with its Italian; the translations it does not mention stay.
#[utoipa::path(tag = "directory", params(("place_id" = PlaceId, Path, description = "The place"), IfMatchHeader),
    request_body(content = PlacePatch, content_type = "application/merge-patch+json"), responses(
    (status = 200, description = "Changed. `ETag` is set.", body = PlaceView),
))]
#[patch("/places/{place_id}")]
async fn update_place(
    caller: Caller,
    lang: Language,
    id: IdPath<Place>,
    if_match: IfMatch,
    patch: PlacePatch,
    db: Data<Db>,
) -> Answer {
    policy::directory(&caller)?;
    let place = db
        .write(&caller, move |tx| {
            let before = store::place(tx, id.0)?.ok_or_else(not_found)?;
            if_match.check(before.version, true)?;
            let wanted = patch.apply(&NewPlace::from(before.clone()))?;
            let place = wanted.place(before.tenant_id, before.id, before.version.saturating_add(1))?;
            store::save_place(tx, &place)?;
            tell_of_place(tx, "place.updated", Some(&before), Some(&place))?;
            Ok(place)
        })
        .await?;
    place_reply(place, lang)
}

/// Delete a place
///
/// Refused while an office is there.
#[utoipa::path(tag = "directory", params(("place_id" = PlaceId, Path, description = "The place"), IfMatchHeader), responses(
    (status = 204, description = "Deleted"),
    (status = 409, description = "`in-use`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/places/{place_id}")]
async fn remove_place(caller: Caller, id: IdPath<Place>, if_match: IfMatch, db: Data<Db>) -> Answer {
    policy::directory(&caller)?;
    db.write(&caller, move |tx| {
        let place = store::place(tx, id.0)?.ok_or_else(not_found)?;
        if_match.check(place.version, true)?;
        store::delete_place(tx, place.id, place.version)?;
        tell_of_place(tx, "place.deleted", Some(&place), None)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A place by itself, with its `ETag`.
pub(super) fn place_reply(place: Place, lang: Language) -> Answer {
    let etag = format!("{}.{}", place.version, lang.0.tag());
    Reply::with(actix_web::http::StatusCode::OK, place.whole(lang.0)).etag(etag).answer()
}

fn tell_of_place(tx: &mut Tx<'_>, action: &str, before: Option<&Place>, after: Option<&Place>) -> storage::Result<()> {
    let Some(place) = after.or(before) else { return Ok(()) };
    let version = after.map_or_else(|| place.version.saturating_add(1), |place| place.version);
    let state = |place: &Place| state(place.id, place.version, &NewPlace::from(place.clone()));
    let (before, after) = (before.map(state).transpose()?, after.map(state).transpose()?);
    tell(tx, Done { action, kind: "place", subject: place.id, version, before, after })
}

/// Add an office
///
/// An office at a place. For admins and for systems with the scope `directory:write`.
#[utoipa::path(tag = "directory", request_body = NewOffice, params(IdempotencyKeyHeader), responses(
    (status = 201, description = "Added. `Location` and `ETag` are set.", body = OfficeView),
))]
#[post("/offices")]
async fn create_office(
    caller: Caller,
    lang: Language,
    key: MaybeIdempotencyKey,
    body: Body<NewOffice>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    policy::directory(&caller)?;
    let (new, digest) = body.into_parts();
    let slug = caller.tenant.slug.clone();
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let (tenant, id) = (tx.tenant(), tx.new_id());
        let office = new.clone().office(tenant, id, 1);
        may_be_central(&who, false, office.central)?;
        is_somewhere(tx, &office)?;
        store::insert_office(tx, &office).map_err(taken)?;
        tell_of_office(tx, "office.created", None, Some(&office))?;
        let etag = format!("1.{}", lang.0.tag());
        Ok(Reply::created(office.whole(lang.0)).at(format!("/{slug}/v1/offices/{id}")).etag(etag))
    })
    .await
}

/// What is central decides who sees everything: that is the admins' to say, not a program's.
fn may_be_central(caller: &Caller, before: bool, after: bool) -> Result<(), Problem> {
    if before == after { Ok(()) } else { policy::administration(caller) }
}

/// Change an office
///
/// A merge patch (RFC 7396): what is not mentioned stays, `null` takes away. A text in several languages is
/// given with its Italian; the translations it does not mention stay.
#[utoipa::path(tag = "directory", params(("office_id" = OfficeId, Path, description = "The office"), IfMatchHeader),
    request_body(content = OfficePatch, content_type = "application/merge-patch+json"), responses(
    (status = 200, description = "Changed. `ETag` is set.", body = OfficeView),
))]
#[patch("/offices/{office_id}")]
async fn update_office(
    caller: Caller,
    lang: Language,
    id: IdPath<Office>,
    if_match: IfMatch,
    patch: OfficePatch,
    db: Data<Db>,
) -> Answer {
    policy::directory(&caller)?;
    let who = caller.clone();
    let office = db
        .write(&caller, move |tx| {
            let before = store::office(tx, id.0)?.ok_or_else(not_found)?;
            if_match.check(before.version, true)?;
            let wanted = patch.apply(&NewOffice::from(before.clone()))?;
            let office = wanted.office(before.tenant_id, before.id, before.version.saturating_add(1));
            may_be_central(&who, before.central, office.central)?;
            is_somewhere(tx, &office)?;
            store::save_office(tx, &office).map_err(taken)?;
            tell_of_office(tx, "office.updated", Some(&before), Some(&office))?;
            Ok(office)
        })
        .await?;
    office_reply(office, lang)
}

/// Delete an office
///
/// Refused while it has calendars, people or keys.
#[utoipa::path(tag = "directory", params(("office_id" = OfficeId, Path, description = "The office"), IfMatchHeader), responses(
    (status = 204, description = "Deleted"),
    (status = 409, description = "`in-use`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/offices/{office_id}")]
async fn remove_office(caller: Caller, id: IdPath<Office>, if_match: IfMatch, db: Data<Db>) -> Answer {
    policy::directory(&caller)?;
    db.write(&caller, move |tx| {
        let office = store::office(tx, id.0)?.ok_or_else(not_found)?;
        if_match.check(office.version, true)?;
        store::delete_office(tx, office.id, office.version)?;
        tell_of_office(tx, "office.deleted", Some(&office), None)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// An office by itself, with its `ETag`.
pub(super) fn office_reply(office: Office, lang: Language) -> Answer {
    let etag = format!("{}.{}", office.version, lang.0.tag());
    Reply::with(actix_web::http::StatusCode::OK, office.whole(lang.0)).etag(etag).answer()
}

fn is_somewhere(tx: &mut Tx<'_>, office: &Office) -> storage::Result<()> {
    if store::place(tx, office.place_id)?.is_none() {
        return Err(Problem::new(&INVALID_BODY).field("/place_id", "unknown-reference", "no such place").into());
    }
    Ok(())
}

fn taken(failure: Failure) -> Failure {
    if failure.is_unique("offices", &["tenant_id", "slug"]) {
        return Problem::new(&INVALID_BODY).field("/slug", "taken", "another office has it").into();
    }
    failure
}

fn tell_of_office(
    tx: &mut Tx<'_>,
    action: &str,
    before: Option<&Office>,
    after: Option<&Office>,
) -> storage::Result<()> {
    let Some(office) = after.or(before) else { return Ok(()) };
    let version = after.map_or_else(|| office.version.saturating_add(1), |office| office.version);
    let state = |office: &Office| state(office.id, office.version, &NewOffice::from(office.clone()));
    let (before, after) = (before.map(state).transpose()?, after.map(state).transpose()?);
    tell(tx, Done { action, kind: "office", subject: office.id, version, before, after })
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create_place)
        .service(update_place)
        .service(remove_place)
        .service(create_office)
        .service(update_office)
        .service(remove_office);
}
