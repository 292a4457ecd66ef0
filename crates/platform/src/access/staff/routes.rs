//! `/staff-members`: who works for the Comune, and as what.

use actix_web::{get, http::StatusCode, patch, post, web::Data};
use kernel::Page;
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    changes,
    model::{NewStaffMember, StaffEntry, StaffId, StaffMember, StaffMemberView, StaffPatch},
    store,
};
use crate::{
    access::{Caller, CallerKind, policy},
    directory::routes::PageQuery,
    http::{Answer, Body, IdPath, IdempotencyKey, IfMatch, Params, ProblemBody, Reply, TypedPatch, not_found, paging},
    idempotency::{self, InFlight},
};

/// Staff of the Comune
///
/// Everybody who was ever enrolled, in the order of enrolment. For admins.
#[utoipa::path(tag = "staff", params(PageQuery), responses(
    (status = 200, description = "A page of the staff", body = Page<StaffMemberView>),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/staff-members")]
async fn list_staff_members(caller: Caller, query: Params<PageQuery>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let page = paging::<StaffId>(query.limit, query.after.as_deref())?;
    let rows = db.read(&caller, move |tx| store::list(tx, &page)).await?;
    Reply::page(Page::cut(rows, &page, |entry| entry.id).map(|entry| entry.view(&caller.tenant.slug)))
}

/// Somebody of the staff
///
/// Role, offices and whether they get in. For admins.
#[utoipa::path(tag = "staff", params(("staff_member_id" = StaffId, Path, description = "Who")), responses(
    (status = 200, description = "The entry. `ETag`: its version", body = StaffMemberView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/staff-members/{staff_member_id}")]
async fn show_staff_member(caller: Caller, id: IdPath<StaffMember>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let entry = db.read(&caller, move |tx| store::get(tx, id.0)).await?.ok_or_else(not_found)?;
    reply(StatusCode::OK, entry, &caller.tenant.slug).answer()
}

/// Enrol somebody
///
/// Lets whoever has this subject at this identity provider in, in a role and for offices. For admins.
#[utoipa::path(tag = "staff", request_body = NewStaffMember,
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in")), responses(
    (status = 201, description = "Enrolled. `ETag`: the version; `Location`: the entry", body = StaffMemberView),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`already-enrolled`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/staff-members")]
async fn create_staff_member(
    caller: Caller,
    key: IdempotencyKey,
    body: Body<NewStaffMember>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    policy::administration(&caller)?;
    let (new, digest) = body.into_parts();
    let slug = caller.tenant.slug.clone();
    idempotency::once(&db, &in_flight, &caller, Some(&key), &digest, move |tx| {
        let entry = changes::enrol(tx, &new)?;
        let location = format!("/{slug}/v1/staff-members/{}", entry.id);
        Ok(reply(StatusCode::CREATED, entry, &slug).at(location))
    })
    .await
}

/// Change somebody's entry
///
/// Name, role, offices, and whether they get in; who is disabled is refused from their next request on. For admins,
/// of whom one must be left, and who do not disable themselves.
#[utoipa::path(tag = "staff", request_body(content = StaffPatch, content_type = "application/merge-patch+json"),
    params(("staff_member_id" = StaffId, Path, description = "Who"),
        ("If-Match" = String, Header, max_length = 100, description = "The `ETag` of the version to change")), responses(
    (status = 200, description = "The entry as it is now. `ETag`: its version", body = StaffMemberView),
    (status = 403, description = "`forbidden`: not an admin, or oneself", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`last-admin`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[patch("/staff-members/{staff_member_id}")]
async fn update_staff_member(
    caller: Caller,
    id: IdPath<StaffMember>,
    if_match: IfMatch,
    patch: TypedPatch<StaffPatch>,
    db: Data<Db>,
) -> Answer {
    policy::administration(&caller)?;
    let by = match &caller.kind {
        CallerKind::Staff(member) => Some(member.id),
        _ => None,
    };
    let entry = db
        .write(&caller, move |tx| changes::change(tx, id.0, &patch.0, by, |version| if_match.check(version, true)))
        .await?;
    reply(StatusCode::OK, entry, &caller.tenant.slug).answer()
}

fn reply(status: StatusCode, entry: StaffEntry, slug: &str) -> Reply<StaffMemberView> {
    let etag = entry.version.to_string();
    Reply::with(status, entry.view(slug)).etag(etag)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_staff_members)
        .service(show_staff_member)
        .service(create_staff_member)
        .service(update_staff_member);
}
