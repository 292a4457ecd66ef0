//! `/sessions` and what leads to them: staff who sign in with a password.

use actix_web::{HttpResponse, http::StatusCode, post, web::Data};
use kernel::Problem;
use storage::{Actor, Db, Scope};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    attempts::{self, Second},
    changes,
    model::{
        Credentials, PasswordChange, PasswordChanged, PasswordEnrolment, RecoveryCodes, Refresh, SessionView,
        TotpConfirmation, TotpEnrolment,
    },
    rules,
    secrets::split_refresh,
    store,
};
use crate::{
    access::{
        Access, Caller, policy,
        staff::{StaffMember, model::StaffId},
    },
    http::{Answer, Body, IdPath, IdempotencyKey, ProblemBody, Reply},
    idempotency::{self, InFlight},
    problems::{INVALID_BODY, UNAUTHENTICATED},
};

/// Sign in
///
/// With user name and password, and the code of the authenticator where one is enrolled. Opens a session of at most seven
/// days: the access token answers for a quarter of an hour, the refresh token gets the next two. Where nobody signs in with a
/// password, there is nothing here. Five failures within a quarter of an hour lock an account for a time that grows; what a
/// locked one is told is what a wrong password is told.
#[utoipa::path(tag = "sessions", security(()), request_body = Credentials, responses(
    (status = 201, description = "The session. Its tokens are shown this once", body = SessionView),
    (status = 401, description = "`unauthenticated`: not with these", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`totp-required`, `totp-enrolment-required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/sessions")]
async fn create_session(caller: Caller, body: Body<Credentials>, access: Data<Access>) -> Answer {
    access.passwords.must_be_enabled()?;
    let asked = body.into_inner();
    let attempt = attempts::checked(&access, &caller, &asked.username, &asked.password).await?;
    let second = Second::IfEnrolled { totp: asked.totp_code, recovery: asked.recovery_code };
    let passwords = access.passwords.clone();
    let secret = access.secret.clone();
    let scope = attempt.scope(&caller);
    let opened = access.db.write(&scope, move |tx| {
        changes::sign_in(tx, &secret, &attempt, &second, |entry, account| passwords.wants_totp(entry, account))
    });
    Reply::created(opened.await?.told()?).answer()
}

/// Refresh a session
///
/// Spends the refresh token for the next two tokens; the access token before them answers no more. A token that was spent
/// already ends the session: somebody has a copy of it.
#[utoipa::path(tag = "sessions", security(()), request_body = Refresh, responses(
    (status = 201, description = "The session's next tokens", body = SessionView),
    (status = 401, description = "`unauthenticated`: the session is over", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/session-refreshes")]
async fn create_session_refresh(caller: Caller, body: Body<Refresh>, access: Data<Access>) -> Answer {
    access.passwords.must_be_enabled()?;
    let (handle, digest) =
        split_refresh(&body.into_inner().refresh_token).ok_or_else(|| Problem::new(&UNAUTHENTICATED))?;
    let scope = owner(&access, &caller, &handle, &digest).await?;
    let next = access.db.write(&scope, move |tx| changes::refresh(tx, &handle, &digest));
    Reply::created(next.await?.told()?).answer()
}

/// End a session
///
/// By its refresh token, also one that was spent. Both tokens answer no more. Saying it of a session that is over, or that
/// never was, changes nothing.
#[utoipa::path(tag = "sessions", security(()), request_body = Refresh, responses(
    (status = 204, description = "It is over"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/session-endings")]
async fn create_session_ending(caller: Caller, body: Body<Refresh>, access: Data<Access>) -> Answer {
    access.passwords.must_be_enabled()?;
    if let Some((handle, digest)) = split_refresh(&body.into_inner().refresh_token) {
        let scope = owner(&access, &caller, &handle, &digest).await?;
        access.db.write(&scope, move |tx| changes::end(tx, &handle, &digest)).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}

/// In whose name it is done: in that of whoever has the session's own token, else in nobody's.
async fn owner(access: &Access, caller: &Caller, handle: &str, digest: &str) -> Result<Scope, Problem> {
    let wanted = handle.to_owned();
    let session = access.db.read(caller, move |tx| store::by_handle(tx, &wanted)).await?;
    let own = session.filter(|session| store::same(&session.refresh_digest, digest));
    let scope: &Scope = caller.as_ref();
    Ok(own.map_or_else(
        || scope.clone(),
        |session| Scope { tenant: scope.tenant, actor: Actor::new("staff", session.staff_id) },
    ))
}

/// Set a password
///
/// With the password as it is (and the code of the authenticator, where one is enrolled), or with a code to enrol with that an admin has made;
/// where both are given, the code decides. Every session ends. By a code to enrol with, authenticator and recovery codes are
/// forgotten too.
#[utoipa::path(tag = "sessions", security(()), request_body = PasswordChange, responses(
    (status = 200, description = "The password is set", body = PasswordChanged),
    (status = 401, description = "`unauthenticated`: not with these", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`totp-required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/password-changes")]
async fn create_password_change(caller: Caller, body: Body<PasswordChange>, access: Data<Access>) -> Answer {
    access.passwords.must_be_enabled()?;
    let asked = body.into_inner();
    if rules::repeats_username(&asked.new_password, &asked.username) {
        let code = "repeats-username";
        return Err(Problem::new(&INVALID_BODY).field("/new_password", code, "another one than the user name").into());
    }
    if let Some(code) = asked.enrolment_code {
        let hash = access.passwords.hasher.turn().await?.hash(asked.new_password).await?;
        let username = asked.username.clone();
        let set = access.db.write(&caller, move |tx| changes::enrol(tx, &username, &code, hash.clone())).await?;
        return match set.told() {
            Ok(changed) => Reply::ok(changed),
            Err(_) => Err(attempts::refused(&access, &caller, None, &asked.username).await?.into()),
        };
    }
    let Some(password) = asked.password else {
        let detail = "the password as it is, or a code to enrol with";
        return Err(Problem::new(&INVALID_BODY).field("/password", "incomplete", detail).into());
    };
    let attempt = attempts::checked(&access, &caller, &asked.username, &password).await?;
    let hash = access.passwords.hasher.turn().await?.hash(asked.new_password).await?;
    let second = Second::IfEnrolled { totp: asked.totp_code, recovery: asked.recovery_code };
    let secret = access.secret.clone();
    let scope = attempt.scope(&caller);
    let set = access.db.write(&scope, move |tx| {
        Ok(match attempt.prove(tx, &secret, &second)? {
            attempts::Outcome::Done(account) => {
                attempts::Outcome::Done(changes::set_password(tx, &attempt.entry.subject, account, hash.clone())?)
            }
            attempts::Outcome::Refused(kind) => attempts::Outcome::Refused(kind),
        })
    });
    Reply::ok(set.await?.told()?)
}

/// Enrol an authenticator
///
/// Answers what the authenticator is to be fed with. Its codes are asked for once it is confirmed; until then those of the one
/// before are.
#[utoipa::path(tag = "sessions", security(()), request_body = Credentials, responses(
    (status = 201, description = "What to feed it with. It is shown this once", body = TotpEnrolment),
    (status = 401, description = "`unauthenticated`: not with these", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`totp-required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/totp-enrolments")]
async fn create_totp_enrolment(caller: Caller, body: Body<Credentials>, access: Data<Access>) -> Answer {
    access.passwords.must_be_enabled()?;
    let asked = body.into_inner();
    let attempt = attempts::checked(&access, &caller, &asked.username, &asked.password).await?;
    let second = Second::IfEnrolled { totp: asked.totp_code, recovery: asked.recovery_code };
    let (secret, comune) = (access.secret.clone(), caller.tenant.name.clone());
    let scope = attempt.scope(&caller);
    let begun = access.db.write(&scope, move |tx| changes::enrol_totp(tx, &secret, &attempt, &second, &comune));
    Reply::created(begun.await?.told()?).answer()
}

/// Confirm an authenticator
///
/// With a code that it shows. From then on its codes are asked for; the recovery codes stand in for it when it is lost.
#[utoipa::path(tag = "sessions", security(()), request_body = TotpConfirmation, responses(
    (status = 201, description = "The recovery codes. They are shown this once", body = RecoveryCodes),
    (status = 401, description = "`unauthenticated`: not with these", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/totp-confirmations")]
async fn create_totp_confirmation(caller: Caller, body: Body<TotpConfirmation>, access: Data<Access>) -> Answer {
    access.passwords.must_be_enabled()?;
    let asked = body.into_inner();
    let attempt = attempts::checked(&access, &caller, &asked.username, &asked.password).await?;
    let secret = access.secret.clone();
    let scope = attempt.scope(&caller);
    let confirmed =
        access.db.write(&scope, move |tx| changes::confirm_totp(tx, &secret, &attempt, asked.totp_code.clone()));
    Reply::created(confirmed.await?.told()?).answer()
}

/// Let somebody set a password
///
/// Makes a code with which somebody of the provider `password` sets a first password, or another one when the old one is
/// lost. It answers once and for a day; one that was made before answers no more. For admins.
#[utoipa::path(tag = "staff", params(("staff_member_id" = StaffId, Path, description = "Who"),
    ("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "A random key, the same on every retry; at least 16 characters from callers who have not signed in")), responses(
    (status = 201, description = "The code. It is shown this once", body = PasswordEnrolment),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not-found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`not-by-password`, `idempotency-in-progress`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`idempotency-key-reused`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/staff-members/{staff_member_id}/password-enrolments")]
async fn create_password_enrolment(
    caller: Caller,
    id: IdPath<StaffMember>,
    key: IdempotencyKey,
    access: Data<Access>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    policy::administration(&caller)?;
    access.passwords.must_be_enabled()?;
    idempotency::once(&db, &in_flight, &caller, Some(&key), "", move |tx| {
        Ok(Reply::with(StatusCode::CREATED, changes::enrolment(tx, id.0)?))
    })
    .await
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create_session)
        .service(create_session_refresh)
        .service(create_session_ending)
        .service(create_password_change)
        .service(create_totp_enrolment)
        .service(create_totp_confirmation)
        .service(create_password_enrolment);
}
