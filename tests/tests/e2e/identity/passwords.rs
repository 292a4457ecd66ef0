//! Staff who sign in with a password: sessions, one-time codes, and who is kept out.

use kernel::ProblemKind;
use platform::{
    access::staff::StaffRole,
    problems::{NOT_BY_PASSWORD, TOTP_ENROLMENT_REQUIRED, TOTP_REQUIRED},
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Backend, Client, Server, both_databases};

use crate::{
    refusals::Refusals,
    rows,
    world::{Plan, World},
};

pub(crate) static KINDS: &[&ProblemKind] = &[&TOTP_REQUIRED, &TOTP_ENROLMENT_REQUIRED, &NOT_BY_PASSWORD];

both_databases!(
    a_session_opens_is_refreshed_and_ends,
    a_token_that_was_spent_ends_the_session,
    an_authenticator_is_asked_for_once_it_is_enrolled,
    guessing_locks_the_account_and_tells_nothing,
    who_is_disabled_or_has_a_new_password_is_out,
    a_code_to_enrol_with_answers_once,
    every_attempt_is_in_the_audit_without_names,
);

const PASSWORD: &str = "tre gatti a Bugliano";

/// Enrols somebody of the provider `password`: their id.
async fn hire(server: &Server, username: &str, role: StaffRole, offices: &[String]) -> String {
    let new = json!({
        "provider": "password", "subject": username, "display_name": "Di Prova", "role": role.as_str(), "office_ids": offices,
    });
    server.client("admin").post("/staff-members", new).fresh_key().await.expect(201).text_at("/id").to_owned()
}

async fn enrolment_code(server: &Server, id: &str) -> String {
    let path = format!("/staff-members/{id}/password-enrolments");
    let made = server.client("admin").call(Method::POST, &path).fresh_key().await.expect(201);
    made.text_at("/enrolment_code").to_owned()
}

/// The same, with a password.
async fn hire_with_password(server: &Server, username: &str, role: StaffRole) -> String {
    let id = hire(server, username, role, &[]).await;
    let code = enrolment_code(server, &id).await;
    let change = json!({ "username": username, "enrolment_code": code, "new_password": PASSWORD });
    server.anonymous().post("/password-changes", change).await.expect(200);
    id
}

async fn sign_in(server: &Server, username: &str, password: &str) -> Answer {
    server.anonymous().post("/sessions", json!({ "username": username, "password": password })).await
}

fn with_access(server: &Server, session: &Answer) -> Client {
    server.anonymous().with_token(session.text_at("/access_token"))
}

async fn refresh(server: &Server, session: &Answer) -> Answer {
    let body = json!({ "refresh_token": session.text_at("/refresh_token") });
    server.anonymous().post("/session-refreshes", body).await
}

async fn a_session_opens_is_refreshed_and_ends(server: Server) {
    let desk = World::of(&server).await.desk(Plan::default()).await;
    let id = hire(&server, "olga", StaffRole::Operator, &[desk.office.id.to_string()]).await;
    let code = enrolment_code(&server, &id).await;
    let visitor = server.anonymous();
    // Before there is a password there is nothing to sign in with.
    sign_in(&server, "olga", PASSWORD).await.problem(401, "unauthenticated");
    let with = |password: &str| json!({ "username": "olga", "enrolment_code": code, "new_password": password });
    visitor.post("/password-changes", with("dodici segni")).await.expect(200);
    let code = enrolment_code(&server, &id).await;
    let with = |password: &str| json!({ "username": "olga", "enrolment_code": code, "new_password": password });
    for short in ["undici segn", ""] {
        visitor.post("/password-changes", with(short)).await.problem(422, "invalid-body").field("/new_password");
    }
    visitor.post("/password-changes", with(PASSWORD)).await.expect(200);

    let session = sign_in(&server, "olga", PASSWORD).await.expect(201);
    assert_eq!((session.text_at("/token_type"), session.at("/expires_in")), ("Bearer", &json!(900)));
    assert_eq!(session.at("/refresh_expires_in"), &json!(12 * 3600));
    assert_eq!(session.header("cache-control"), Some("no-store"));
    assert!(session.text_at("/access_token").starts_with("sps_"), "{}", session.line);
    let olga = with_access(&server, &session);
    let me = olga.get("/me").await.expect(200);
    assert_eq!((me.text_at("/kind"), me.text_at("/id")), ("staff", &*format!("staff:{id}")));
    // She does at her office what any operator does.
    let booked = visitor.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    olga.get(&format!("/appointments/{}", booked.text_at("/id"))).await.expect(200);
    olga.get("/staff-members").await.problem(403, "forbidden");

    let next = refresh(&server, &session).await.expect(201);
    assert_ne!(next.text_at("/access_token"), session.text_at("/access_token"));
    // The access token before it answers no more.
    olga.get("/me").await.problem(401, "unauthenticated");
    with_access(&server, &next).get("/me").await.expect(200);
    // A refresh token opens nothing, nor does an access token refresh.
    visitor.with_token(next.text_at("/refresh_token")).get("/me").await.problem(401, "unauthenticated");
    let wrong = json!({ "refresh_token": next.text_at("/access_token") });
    visitor.post("/session-refreshes", wrong).await.problem(401, "unauthenticated");
    // Another Comune knows nothing of it.
    World::another(&server, "altrove").await;
    let abroad = server.tenant("altrove").with_token(next.text_at("/access_token"));
    abroad.get("/me").await.problem(401, "unauthenticated");

    // Two sessions are two.
    let other = sign_in(&server, "olga", PASSWORD).await.expect(201);
    let ending = json!({ "refresh_token": next.text_at("/refresh_token") });
    for _ in 0..2 {
        visitor.post("/session-endings", ending.clone()).await.expect(204);
    }
    with_access(&server, &next).get("/me").await.problem(401, "unauthenticated");
    refresh(&server, &next).await.problem(401, "unauthenticated");
    with_access(&server, &other).get("/me").await.expect(200);
    visitor.post("/session-endings", json!({ "refresh_token": "spr_none_such" })).await.expect(204);
}

async fn a_token_that_was_spent_ends_the_session(server: Server) {
    hire_with_password(&server, "olga", StaffRole::Operator).await;
    let first = sign_in(&server, "olga", PASSWORD).await.expect(201);
    let beside = sign_in(&server, "olga", PASSWORD).await.expect(201);
    let second = refresh(&server, &first).await.expect(201);
    let third = refresh(&server, &second).await.expect(201);
    with_access(&server, &third).get("/me").await.expect(200);
    // Whoever copied the first one comes late.
    refresh(&server, &first).await.problem(401, "unauthenticated");
    with_access(&server, &third).get("/me").await.problem(401, "unauthenticated");
    refresh(&server, &third).await.problem(401, "unauthenticated");
    // Other sessions go on, and a token that nobody was given ends none.
    with_access(&server, &beside).get("/me").await.expect(200);
    let forged = format!("{}x", beside.text_at("/refresh_token"));
    let forged = json!({ "refresh_token": forged });
    server.anonymous().post("/session-refreshes", forged.clone()).await.problem(401, "unauthenticated");
    server.anonymous().post("/session-endings", forged).await.expect(204);
    with_access(&server, &beside).get("/me").await.expect(200);
    // Of many who refresh at once one gets in at most, and then nobody has a session.
    let all = futures_util::future::join_all((0..8).map(|_| refresh(&server, &beside))).await;
    assert!(all.iter().filter(|answer| answer.status == 201).count() <= 1, "{all:?}");
    for next in all.iter().filter(|answer| answer.status == 201) {
        with_access(&server, next).get("/me").await.problem(401, "unauthenticated");
    }
    assert_eq!(audited(&server, "session.token-reused").await, 2);
}

/// How many entries of an action the audit has.
async fn audited(server: &Server, action: &str) -> usize {
    let admin = server.client("admin");
    admin.get("/audit-entries").query("action", action).query("limit", 100).await.expect(200).items().len()
}

async fn an_authenticator_is_asked_for_once_it_is_enrolled(server: Server) {
    let world = World::of(&server).await;
    let mut refused = Refusals::of(&world);
    let visitor = server.anonymous();
    let id = hire_with_password(&server, "ada", StaffRole::Admin).await;
    let plain = json!({ "username": "ada", "password": PASSWORD });
    let with = |name: &str, code: &str| json!({ "username": "ada", "password": PASSWORD, name: code });
    // An admin without one gets as far as enrolling it.
    refused.told(&TOTP_ENROLMENT_REQUIRED, visitor.post("/sessions", plain.clone())).await;
    let enrolled = visitor.post("/totp-enrolments", plain.clone()).await.expect(201);
    let seed = enrolled.text_at("/seed").to_owned();
    let uri = enrolled.text_at("/uri");
    assert!(uri.starts_with("otpauth://totp/") && uri.contains(&seed) && uri.contains("ada"), "{uri}");
    // Not confirmed is not enrolled.
    refused.told(&TOTP_ENROLMENT_REQUIRED, visitor.post("/sessions", plain.clone())).await;
    let wrong = with("totp_code", if rows::totp(&seed, 0) == "000000" { "000001" } else { "000000" });
    visitor.post("/totp-confirmations", wrong.clone()).await.problem(401, "unauthenticated");
    let code = rows::totp(&seed, 0);
    let confirmed = visitor.post("/totp-confirmations", with("totp_code", &code)).await.expect(201);
    let recovery = confirmed.at("/recovery_codes").as_array().unwrap().clone();
    assert_eq!(recovery.len(), 10);

    refused.told(&TOTP_REQUIRED, visitor.post("/sessions", plain.clone())).await;
    // A code is accepted once, that of the confirmation too.
    visitor.post("/sessions", with("totp_code", &code)).await.problem(401, "unauthenticated");
    let next = with("totp_code", &rows::totp(&seed, 1));
    let session = visitor.post("/sessions", next.clone()).await.expect(201);
    visitor.post("/sessions", next).await.problem(401, "unauthenticated");
    let ada = with_access(&server, &session);
    ada.get("/staff-members").await.expect(200);

    // So is a recovery code, in whatever way it is written.
    let recover = with("recovery_code", &recovery[0].as_str().unwrap().to_lowercase());
    visitor.post("/sessions", recover.clone()).await.expect(201);
    visitor.post("/sessions", recover).await.problem(401, "unauthenticated");
    // Changing password or authenticator takes it too.
    let mut change = plain.clone();
    change["new_password"] = json!("quattro gatti a Bugliano");
    refused.told(&TOTP_REQUIRED, visitor.post("/password-changes", change.clone())).await;
    refused.told(&TOTP_REQUIRED, visitor.post("/totp-enrolments", plain.clone())).await;
    // Whoever asks without the code between two guesses gains nothing by it.
    change["recovery_code"] = recovery[1].clone();
    visitor.post("/password-changes", change).await.expect(200);
    ada.get("/me").await.problem(401, "unauthenticated");

    // Somebody without an authenticator sets a password; somebody of an identity provider has none to set.
    let staff = server.client("admin").get("/staff-members").query("limit", 100).await.expect(200);
    let other = staff.items().iter().find(|entry| entry["provider"] == "demo-staff").unwrap();
    let path = format!("/staff-members/{}/password-enrolments", other["id"].as_str().unwrap());
    refused.told(&NOT_BY_PASSWORD, server.client("admin").call(Method::POST, &path).fresh_key()).await;
    refused.were(KINDS);

    // An admin's code begins anew: the old authenticator and the recovery codes are forgotten.
    let code = enrolment_code(&server, &id).await;
    let change = json!({ "username": "ada", "enrolment_code": code, "new_password": PASSWORD });
    visitor.post("/password-changes", change).await.expect(200);
    let recover = with("recovery_code", recovery[2].as_str().unwrap());
    visitor.post("/sessions", recover).await.problem(403, "totp-enrolment-required");
}

async fn guessing_locks_the_account_and_tells_nothing(server: Server) {
    hire_with_password(&server, "olga", StaffRole::Operator).await;
    hire_with_password(&server, "ugo", StaffRole::Operator).await;
    let told = |answer: &Answer| {
        let mut body = answer.body.clone();
        body["instance"] = Value::Null;
        (answer.status, body, answer.header("retry-after").map(str::to_owned))
    };
    let nobody = told(&sign_in(&server, "nobody", "not the password").await.problem(401, "unauthenticated"));
    // Many at once are no more than one by one: of a hundred passwords five are looked at.
    let guesses = futures_util::future::join_all((0..12).map(|n| {
        let server = &server;
        async move { sign_in(server, "olga", &format!("guess number {n}")).await }
    }));
    for answer in guesses.await {
        assert_eq!(told(&answer), nobody, "{answer}");
    }
    // The right one is told the same now.
    assert_eq!(told(&sign_in(&server, "olga", PASSWORD).await), nobody);
    // Colleagues are not concerned.
    sign_in(&server, "ugo", PASSWORD).await.expect(201);
    assert_eq!(told(&sign_in(&server, "ugo", "not the password").await), nobody);
    sign_in(&server, "ugo", PASSWORD).await.expect(201);
    // An admin's code opens the account again.
    let staff = server.client("admin").get("/staff-members").query("limit", 100).await.expect(200);
    let olga = staff.items().iter().find(|entry| entry["subject"] == "olga").unwrap();
    let code = enrolment_code(&server, olga["id"].as_str().unwrap()).await;
    let change = json!({ "username": "olga", "enrolment_code": code, "new_password": PASSWORD });
    server.anonymous().post("/password-changes", change).await.expect(200);
    sign_in(&server, "olga", PASSWORD).await.expect(201);
}

async fn who_is_disabled_or_has_a_new_password_is_out(server: Server) {
    let id = hire_with_password(&server, "olga", StaffRole::Operator).await;
    let session = sign_in(&server, "olga", PASSWORD).await.expect(201);
    let olga = with_access(&server, &session);
    let change = json!({ "username": "olga", "password": PASSWORD, "new_password": "quattro gatti a Bugliano" });
    let mut same = change.clone();
    same["username"] = json!("quattro.gatti.a.bugliano");
    same["new_password"] = json!("Quattro.gatti.a.Bugliano");
    server.anonymous().post("/password-changes", same).await.problem(422, "invalid-body").field("/new_password");
    let neither = json!({ "username": "olga", "new_password": "quattro gatti a Bugliano" });
    server.anonymous().post("/password-changes", neither).await.problem(422, "invalid-body").field("/password");
    server.anonymous().post("/password-changes", change.clone()).await.expect(200);
    olga.get("/me").await.problem(401, "unauthenticated");
    refresh(&server, &session).await.problem(401, "unauthenticated");
    server.anonymous().post("/password-changes", change).await.problem(401, "unauthenticated");
    sign_in(&server, "olga", PASSWORD).await.problem(401, "unauthenticated");

    let session = sign_in(&server, "olga", "quattro gatti a Bugliano").await.expect(201);
    let olga = with_access(&server, &session);
    olga.get("/me").await.expect(200);
    let set = async |state| {
        let path = format!("/staff-members/{id}");
        server.client("admin").patch(&path, json!({ "state": state })).if_match("*").await.expect(200);
    };
    set("disabled").await;
    olga.get("/me").await.problem(401, "unauthenticated");
    refresh(&server, &session).await.problem(401, "unauthenticated");
    sign_in(&server, "olga", "quattro gatti a Bugliano").await.problem(401, "unauthenticated");
    set("active").await;
    sign_in(&server, "olga", "quattro gatti a Bugliano").await.expect(201);
}

async fn a_code_to_enrol_with_answers_once(server: Server) {
    let id = hire(&server, "olga", StaffRole::Operator, &[]).await;
    let change =
        |username: &str, code: &str| json!({ "username": username, "enrolment_code": code, "new_password": PASSWORD });
    let visitor = server.anonymous();
    let first = enrolment_code(&server, &id).await;
    let second = enrolment_code(&server, &id).await;
    visitor.post("/password-changes", change("olga", &first)).await.problem(401, "unauthenticated");
    visitor.post("/password-changes", change("ugo", &second)).await.problem(401, "unauthenticated");
    visitor.post("/password-changes", change("olga", &second)).await.expect(200);
    visitor.post("/password-changes", change("olga", &second)).await.problem(401, "unauthenticated");
    sign_in(&server, "olga", PASSWORD).await.expect(201);
    for role in ["operator", "manager", "citizen_a", "integration", "platform"] {
        let path = format!("/staff-members/{id}/password-enrolments");
        server.client(role).call(Method::POST, &path).fresh_key().await.problem(403, "forbidden");
    }
}

/// Garante, 27 November 2008: who signed in and who was not let in.
async fn every_attempt_is_in_the_audit_without_names(server: Server) {
    let id = hire_with_password(&server, "o.segretissima", StaffRole::Operator).await;
    sign_in(&server, "o.segretissima", "not the password").await.problem(401, "unauthenticated");
    sign_in(&server, "n.sconosciuta", "not the password").await.problem(401, "unauthenticated");
    let session = sign_in(&server, "o.segretissima", PASSWORD).await.expect(201);
    let admin = server.client("admin");
    let find = async |action: &str| admin.get("/audit-entries").query("action", action).await.expect(200);
    let failed = find("sign-in.failed").await;
    assert_eq!(failed.items().len(), 2, "{failed}");
    assert!(failed.items().iter().any(|entry| entry["subject_id"] == *id), "{failed}");
    let opened = find("session.opened").await;
    assert_eq!((opened.items().len(), opened.text_at("/items/0/actor")), (1, &*format!("staff:{id}")), "{opened}");
    assert_eq!(find("password.changed").await.items().len(), 1);
    let secret = session.text_at("/refresh_token").rsplit('_').next().unwrap();
    for text in [&failed.text, &opened.text, &server.log()] {
        for word in ["segretissima", "sconosciuta", "gatti", "not the password", secret] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
}

fn without_passwords(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| {
        setup.env("SPORTELLO_IDENTITY__PASSWORDS__ENABLED", "false");
    })
}

both_databases!(without_passwords => where_passwords_are_off_there_is_nothing);

async fn where_passwords_are_off_there_is_nothing(server: Server) {
    let id = hire(&server, "olga", StaffRole::Operator, &[]).await;
    let path = format!("/staff-members/{id}/password-enrolments");
    server.client("admin").call(Method::POST, &path).fresh_key().await.problem(404, "not-found");
    sign_in(&server, "olga", PASSWORD).await.problem(404, "not-found");
    let token = format!("sps_000000000000_{}", "A".repeat(43));
    server.anonymous().with_token(token).get("/me").await.problem(401, "unauthenticated");
}

/// The first admin has nobody who would make them a code.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_makes_a_code() {
    let server = Server::start(Backend::Sqlite, |setup| {
        setup.env("SPORTELLO_IDENTITY__PASSWORDS__ENABLED", "true");
        setup.env("SPORTELLO_IDENTITY__PASSWORDS__TOTP_REQUIRED_FOR_ADMINS", "false");
    });
    World::another(&server, "bugliano").await;
    let add = ["user", "add", "--tenant", "bugliano", "--provider", "password", "--subject", "ada", "--name", "Ada"];
    let added = server.cli(&[&add[..], &["--role", "admin"]].concat());
    assert!(added.status.success(), "{added:?}");
    let made = server.cli(&["user", "password", "--tenant", "bugliano", "ada"]);
    assert!(made.status.success(), "{made:?}");
    let code = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let visitor = server.tenant("bugliano");
    let change = json!({ "username": "ada", "enrolment_code": code, "new_password": PASSWORD });
    visitor.post("/password-changes", change).await.expect(200);
    let session = visitor.post("/sessions", json!({ "username": "ada", "password": PASSWORD })).await.expect(201);
    visitor.with_token(session.text_at("/access_token")).get("/staff-members").await.expect(200);
    let unknown = server.cli(&["user", "password", "--tenant", "bugliano", "nobody"]);
    assert!(!unknown.status.success());
}
