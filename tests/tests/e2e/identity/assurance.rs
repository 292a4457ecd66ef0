//! Levels of assurance: what citizens may do at which, and what they are told below it.

use kernel::ProblemKind;
use platform::problems::ASSURANCE_TOO_LOW;
use serde_json::json;
use tests::{Client, Server, both_databases};

use crate::{
    mint,
    refusals::{NOBODY, Refusals},
    world::{Plan, World},
};

pub(crate) static KINDS: &[&ProblemKind] = &[&ASSURANCE_TOO_LOW];

both_databases!(what_is_ones_own_needs_the_level_that_the_comune_asks_for);

const SPID: &str = "https://www.spid.gov.it/SpidL";

fn at_level(server: &Server, acr: &str) -> Client {
    let slug = &server.credentials().tenant;
    server.anonymous().with_token(mint::citizen_of_level(server, slug, mint::TAX_CODE_A, acr))
}

async fn what_is_ones_own_needs_the_level_that_the_comune_asks_for(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan { capacity: 9, ..Plan::default() }).await;
    let [low, middle, high] = ["1", "2", "3"].map(|n| at_level(&server, &format!("{SPID}{n}")));
    let booked = middle.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    let path = format!("/appointments/{}", booked.text_at("/id"));

    let mut refused = Refusals::of(&world);
    let nowhere = format!("/appointments/{NOBODY}");
    for call in [
        low.get("/me/appointments"),
        low.get(&path),
        // One answer for what is there and what is not.
        low.get(&nowhere),
        low.post(&format!("{path}/cancellation"), json!({})),
        low.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key(),
        low.post("/holds", desk.wish(desk.at(3, 9, 0))).fresh_key(),
        // A value that nobody has explained is worth the least.
        at_level(&server, "made-up").get("/me/appointments"),
    ] {
        let told = refused.told(&ASSURANCE_TOO_LOW, call).await;
        assert_eq!((told.text_at("/required_assurance"), told.text_at("/actual_assurance")), ("l2", "l1"), "{told}");
        let challenge = told.header("www-authenticate").unwrap();
        assert!(
            challenge.starts_with("Bearer error=\"insufficient_user_authentication\", acr_values=\""),
            "{challenge}"
        );
        assert!(challenge.contains(&format!("{SPID}2")) && !challenge.contains(&format!("{SPID}1")), "{challenge}");
    }
    refused.were(KINDS);

    // What anybody may read they read too, and who they are.
    low.get("/offices").await.expect(200);
    low.get("/settings").await.expect(200);
    let me = low.get("/me").await.expect(200);
    assert_eq!((me.text_at("/citizen/assurance"), me.text_at("/citizen/minimum_assurance")), ("l1", "l2"));
    assert_eq!(me.at("/permissions"), &json!([]), "{me}");
    assert_eq!(high.get("/me").await.expect(200).text_at("/citizen/assurance"), "l3");
    for citizen in [&middle, &high, &server.client("citizen_a")] {
        citizen.get("/me/appointments").await.expect(200);
    }

    // The Comune asks for more, or for less.
    let admin = server.client("admin");
    for (wrong, field) in [
        (json!({ "identity": { "minimum_assurance": "l4" } }), "/identity/minimum_assurance"),
        (json!({ "identity": { "minimum": "l2" } }), "/identity/minimum"),
        (json!({ "identity": [] }), "/identity"),
    ] {
        admin.patch("/settings", wrong).if_match("*").await.problem(422, "invalid-body").field(field);
    }
    let set = async |level: Option<&str>| {
        let patch = json!({ "identity": { "minimum_assurance": level } });
        let changed = admin.patch("/settings", patch).if_match("*").await.expect(200);
        assert_eq!(changed.text_at("/identity/minimum_assurance"), level.unwrap_or("l2"));
    };
    set(Some("l3")).await;
    let told = middle.get(&path).await.problem(403, "assurance-too-low");
    let values = json!(["http://eidas.europa.eu/LoA/high", "https://www.spid.gov.it/SpidL3"]);
    assert_eq!((told.text_at("/required_assurance"), told.at("/acr_values")), ("l3", &values));
    high.get(&path).await.expect(200);
    set(Some("l1")).await;
    low.get(&path).await.expect(200);
    set(None).await;
    low.get(&path).await.problem(403, "assurance-too-low");
    middle.get(&path).await.expect(200);
    // Staff come by other ways.
    server.client("operator").get("/appointments").await.expect(200);
}
