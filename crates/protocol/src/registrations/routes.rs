//! `/protocol-registrations`: what was handed on to the Comune's protocol system, and mending what came to nothing.

use actix_web::{get, http::StatusCode, post, web::Data};
use kernel::{Page, Problem};
use platform::{
    access::{
        Caller,
        policy::{self, Object, ProtocolWish, Rows},
    },
    http::{
        Answer, Body, IdPath, IdempotencyKeyHeader, IfMatch, IfMatchHeader, Link, MaybeIdempotencyKey, Params,
        ProblemBody, Reply, not_found, paging,
    },
    idempotency::{self, InFlight},
};
use serde::Deserialize;
use storage::Db;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    changes,
    model::{
        ExternalView, NewExternalProtocol, NewProtocolAttempt, RegistrationId, RegistrationState, RegistrationView,
    },
    rules,
    store::{self, Row},
};
use crate::{connections, ports::Receipt};

/// Which registrations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RegistrationQuery {
    /// In this state.
    pub state: Option<RegistrationState>,
    /// How many items at most; 20 when absent.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 500)]
    pub after: Option<String>,
}

/// As a caller sees it.
pub(crate) fn view(row: Row, caller: &Caller) -> RegistrationView {
    let mut links = Vec::new();
    let mendable = matches!(row.state, RegistrationState::NeedsReview | RegistrationState::Failed);
    if mendable && may_write(caller, &row).is_ok() {
        let path = format!("/{}/v1/protocol-registrations/{}", caller.tenant.slug, row.id);
        // What was annulled is not sent any more.
        let attempts = (row.problem.as_deref() != Some(rules::ANNULLED)).then_some("attempts");
        let link = |rel: &str| Link { rel: rel.to_owned(), method: "POST".to_owned(), href: format!("{path}/{rel}") };
        links = attempts.into_iter().chain(["external-protocol"]).map(link).collect();
    }
    let external = row.external_number.zip(row.external_year).map(|(number, year)| ExternalView {
        register: row.external_register,
        number,
        year,
        registered_at: row.external_registered_at,
        reference: row.external_reference,
    });
    RegistrationView {
        id: row.id,
        entry_id: row.entry_id,
        office_id: row.office_id,
        connector: row.connector,
        state: row.state,
        // While it is under way nobody knows either; that is no reason to look.
        outcome_unknown: row.in_doubt && row.leased_until.is_none(),
        attempts: row.attempts,
        next_attempt_at: (row.state == RegistrationState::Pending).then_some(row.next_attempt_at),
        problem: row.problem,
        external,
        created_at: row.created_at,
        settled_at: row.settled_at,
        version: row.version,
        links,
    }
}

fn object(row: &Row) -> Object<'static> {
    Object { owner: "", office: row.office_id }
}

/// What is not the caller's to read is answered like what is not there; what they may read and not change, so.
fn may_write(caller: &Caller, row: &Row) -> Result<(), Problem> {
    let reads = policy::protocol(caller, ProtocolWish::Read).unwrap_or(Rows::None);
    let writes = policy::protocol(caller, ProtocolWish::Write)?;
    if writes.contains(&object(row)) {
        return Ok(());
    }
    Err(if reads.contains(&object(row)) { policy::forbidden("this is not for your offices") } else { not_found() })
}

/// What was handed on to the Comune's protocol system
///
/// The newest first: `state=needs_review` lists what somebody has to look at, `state=failed` what was refused. For
/// staff, each of their offices, and for systems with the scope `protocol:read`.
#[utoipa::path(tag = "protocol", params(RegistrationQuery), responses(
    (status = 200, description = "A page of registrations", body = Page<RegistrationView>),
    (status = 403, description = "`forbidden`: not staff, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/protocol-registrations")]
async fn list_protocol_registrations(caller: Caller, query: Params<RegistrationQuery>, db: Data<Db>) -> Answer {
    let rows = policy::protocol(&caller, ProtocolWish::Read)?;
    let (page, state) = (paging::<RegistrationId>(query.limit, query.after.as_deref())?, query.state);
    let found = db.read(&caller, move |tx| store::list(tx, &rows, state, &page)).await?;
    Reply::page(Page::cut(found, &page, |row| row.id).map(|row| view(row, &caller)))
}

/// A registration
#[utoipa::path(tag = "protocol", params(("registration_id" = RegistrationId, Path, description = "Which registration")), responses(
    (status = 200, description = "The registration. `ETag` is set.", body = RegistrationView),
    (status = 403, description = "`forbidden`: not staff, or without the scope", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/protocol-registrations/{registration_id}")]
async fn show_protocol_registration(caller: Caller, id: IdPath<Row>, db: Data<Db>) -> Answer {
    let rows = policy::protocol(&caller, ProtocolWish::Read)?;
    let found = db.read(&caller, move |tx| store::get(tx, id.0)).await?;
    let row = found.filter(|row| rows.contains(&object(row))).ok_or_else(not_found)?;
    let view = view(row, &caller);
    let etag = view.version.to_string();
    Reply::with(StatusCode::OK, view).etag(etag).answer()
}

/// Hand an entry on once more
///
/// For what failed or needs somebody to look. Where nobody knows what came of an attempt, somebody has to have looked
/// into the protocol system first, and to say so in `not_found_there`. What was annulled is not handed on any more.
#[utoipa::path(tag = "protocol", request_body = NewProtocolAttempt,
    params(("registration_id" = RegistrationId, Path, description = "Which registration"), IdempotencyKeyHeader, IfMatchHeader), responses(
    (status = 202, description = "It is on its way. `ETag` is set.", body = RegistrationView),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/protocol-registrations/{registration_id}/attempts")]
async fn create_protocol_attempt(
    caller: Caller,
    id: IdPath<Row>,
    (key, if_match): (MaybeIdempotencyKey, IfMatch),
    body: Body<NewProtocolAttempt>,
    (db, in_flight): (Data<Db>, Data<InFlight>),
) -> Answer {
    policy::protocol(&caller, ProtocolWish::Write)?;
    let (attempt, digest) = body.into_parts();
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let connector = connections::store::identity(tx, &who.tenant.slug)?.connector;
        let check = |row: &Row| {
            may_write(&who, row)?;
            if_match.check(row.version, true)
        };
        let row = changes::retry(tx, id.0, attempt.not_found_there, connector, check)?;
        let etag = row.version.to_string();
        Ok(Reply::with(StatusCode::ACCEPTED, view(row, &who)).etag(etag))
    })
    .await
}

/// Write down the number found in the protocol system
///
/// For what failed or needs somebody to look, once somebody has found that it was registered after all.
#[utoipa::path(tag = "protocol", request_body = NewExternalProtocol,
    params(("registration_id" = RegistrationId, Path, description = "Which registration"), IdempotencyKeyHeader, IfMatchHeader), responses(
    (status = 200, description = "Written down. `ETag` is set.", body = RegistrationView),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`invalid-transition`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`version-mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`, `idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 428, description = "`precondition-required`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/protocol-registrations/{registration_id}/external-protocol")]
async fn record_external_protocol(
    caller: Caller,
    id: IdPath<Row>,
    (key, if_match): (MaybeIdempotencyKey, IfMatch),
    body: Body<NewExternalProtocol>,
    (db, in_flight): (Data<Db>, Data<InFlight>),
) -> Answer {
    policy::protocol(&caller, ProtocolWish::Write)?;
    let (NewExternalProtocol { register, number, year, reference }, digest) = body.into_parts();
    let receipt = Receipt { register, number, year, registered_at: None, reference };
    let who = caller.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let check = |row: &Row| {
            may_write(&who, row)?;
            if_match.check(row.version, true)
        };
        let row = changes::found(tx, id.0, &receipt, check)?;
        let etag = row.version.to_string();
        Ok(Reply::with(StatusCode::OK, view(row, &who)).etag(etag))
    })
    .await
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_protocol_registrations)
        .service(show_protocol_registration)
        .service(create_protocol_attempt)
        .service(record_external_protocol);
}
