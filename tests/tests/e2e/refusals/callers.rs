//! Callers who are not told apart, not let in, or cannot be known at the moment.

use std::net::TcpListener;

use kernel::ProblemKind;
use platform::{
    access::keys::{KeyKind, KeyScope},
    problems::{FORBIDDEN, IDENTITY_UNAVAILABLE, TENANT_SUSPENDED, UNAUTHENTICATED},
    tenants::TenantState,
};
use serde_json::json;
use tests::{Backend, Server, Setup, both_databases};

use super::{NOBODY, Refusals};
use crate::{
    mint, rows,
    world::{Desk, Offer, Plan, World},
};

pub(super) static KINDS: &[&ProblemKind] = &[&UNAUTHENTICATED, &FORBIDDEN, &TENANT_SUSPENDED];
pub(super) static UNKNOWABLE: &[&ProblemKind] = &[&IDENTITY_UNAVAILABLE];

both_databases!(who_is_not_let_in);
both_databases!(with_a_provider_that_is_down => whoever_cannot_be_known_is_told_to_come_back);

async fn who_is_not_let_in(server: Server) {
    let world = World::of(&server).await;
    let known_only = Offer { anonymous_allowed: false, ..Offer::default() };
    let desk = world.desk(Plan { services: vec![known_only], ..Plan::default() }).await;
    let mut refused = Refusals::of(&world);
    unauthenticated(&server, &desk, &mut refused).await;
    forbidden(&server, &desk, &mut refused).await;
    suspended(&server, &mut refused).await;
    refused.were(KINDS);
}

async fn unauthenticated(server: &Server, desk: &Desk, refused: &mut Refusals) {
    let visitor = server.anonymous();
    let (order, wish) = (desk.order(desk.at(3, 9, 0)), desk.wish(desk.at(3, 9, 0)));
    let to = json!({ "starts_at": order["starts_at"] });
    for call in [
        visitor.get("/me/appointments"),
        visitor.get(&format!("/appointments/{NOBODY}")),
        visitor.post(&format!("/appointments/{NOBODY}/rescheduling"), to),
        visitor.post(&format!("/appointments/{NOBODY}/cancellation"), json!({})),
        visitor.post("/appointments", order.clone()).fresh_key(),
        visitor.post("/holds", wish).fresh_key(),
        // What is public is not public to a false name: a token that is not accepted is never "anonymous".
        visitor.with_token("nonsense").get("/offices"),
        visitor.with_token("nonsense").post("/appointments", order).fresh_key(),
        visitor.get("/offices").header("Authorization", "Basic YTpi"),
        visitor.get("/offices").header("Authorization", "Bearer"),
        visitor.get("/offices").header("Authorization", ""),
    ] {
        let answer = refused.told(&UNAUTHENTICATED, call).await;
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{answer}");
    }
}

async fn forbidden(server: &Server, desk: &Desk, refused: &mut Refusals) {
    let order = desk.order(desk.at(3, 9, 0));
    // Staff of another office, and programs that do not book.
    for role in ["operator", "manager", "kiosk", "platform"] {
        let caller = server.client(role);
        refused.told(&FORBIDDEN, caller.post("/appointments", order.clone()).fresh_key()).await;
        refused.told(&FORBIDDEN, caller.post("/holds", desk.wish(desk.at(3, 9, 0))).fresh_key()).await;
    }
    for role in ["operator", "urp_operator", "manager", "admin", "kiosk", "integration", "platform"] {
        refused.told(&FORBIDDEN, server.client(role).get("/me/appointments")).await;
    }
    let reader = rows::key(&desk.world, KeyKind::Integration, None, &[KeyScope::AppointmentsRead]).await;
    let reader = server.anonymous().with_token(reader);
    refused.told(&FORBIDDEN, reader.post("/appointments", order).fresh_key()).await;
    // Somebody whom the identity provider knows and the Comune does not.
    let stranger = mint::staff(server, &server.credentials().tenant, "somebody-elses-staff");
    refused.told(&FORBIDDEN, server.anonymous().with_token(stranger).get("/offices")).await;
}

async fn suspended(server: &Server, refused: &mut Refusals) {
    let world = World::another(server, "sospeso").await;
    let desk = world.desk(Plan::default()).await;
    rows::set_tenant_state(&world, TenantState::Suspended).await;
    let visitor = server.tenant("sospeso");
    let citizen = visitor.with_token(mint::citizen(server, "sospeso", mint::TAX_CODE_A));
    for call in [
        visitor.get("/status"),
        visitor.get("/offices"),
        visitor.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key(),
        citizen.get("/me/appointments"),
        citizen.post("/holds", desk.wish(desk.at(3, 9, 0))).fresh_key(),
    ] {
        let before = rows::written(&world).await;
        let answer = refused.told(&TENANT_SUSPENDED, call).await;
        assert_eq!(answer.header("retry-after"), Some("3600"), "{answer}");
        assert_eq!(rows::written(&world).await, before, "{answer}");
    }
    // The others are not concerned.
    server.anonymous().get("/status").await.expect(200);
}

fn with_a_provider_that_is_down(backend: Backend) -> Server {
    // A port of this machine that nobody listens at: it was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    Server::start(backend, |setup: &mut Setup| {
        let provider = toml::toml! {
            name = "citizens"
            kind = "citizens"
            issuer = "https://demo.sportello.invalid/citizens"
            audience = "{tenant}"
        };
        let mut provider = provider;
        provider.insert("jwks_url".to_owned(), format!("http://127.0.0.1:{port}/jwks.json").into());
        setup.push("identity.providers", provider);
    })
}

async fn whoever_cannot_be_known_is_told_to_come_back(server: Server) {
    let world = World::another(&server, "lontano").await;
    let desk = world.desk(Plan::default()).await;
    let mut refused = Refusals::of(&world);
    let visitor = server.tenant("lontano");
    // Started all the same, and for everybody who brings no token nothing is amiss.
    visitor.get("/offices").await.expect(200);
    let citizen = visitor.with_token(mint::citizen(&server, "lontano", mint::TAX_CODE_A));
    for call in [
        citizen.get("/me/appointments"),
        citizen.get("/offices"),
        citizen.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key(),
    ] {
        let answer = refused.told(&IDENTITY_UNAVAILABLE, call).await;
        assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{answer}");
    }
    visitor.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    // A token of nobody we know needs no keys to be refused.
    visitor.with_token("nonsense").get("/offices").await.problem(401, "unauthenticated");
    refused.were(UNKNOWABLE);
}
