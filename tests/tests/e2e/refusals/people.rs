//! Staff who cannot be enrolled twice, and of whom somebody must be left to administer.

use kernel::ProblemKind;
use platform::problems::{ALREADY_ENROLLED, LAST_ADMIN};
use serde_json::json;
use tests::{Server, both_databases};

use super::Refusals;
use crate::world::World;

pub(super) static KINDS: &[&ProblemKind] = &[&ALREADY_ENROLLED, &LAST_ADMIN];

both_databases!(staff_who_must_stay);

async fn staff_who_must_stay(server: Server) {
    let world = World::of(&server).await;
    let mut refused = Refusals::of(&world);
    let admin = server.client("admin");
    let again = json!({ "provider": "demo-staff", "subject": "operator", "display_name": "Un'altra", "role": "admin" });
    refused.told(&ALREADY_ENROLLED, admin.post("/staff-members", again).fresh_key()).await;
    let staff = admin.get("/staff-members").query("limit", 100).await.expect(200);
    let own = staff.items().iter().find(|member| member["subject"] == "admin").unwrap()["id"].as_str().unwrap();
    for change in [json!({ "role": "manager" }), json!({ "role": "operator", "display_name": "X" })] {
        refused.told(&LAST_ADMIN, admin.patch(&format!("/staff-members/{own}"), change).if_match("*")).await;
    }
    refused.were(KINDS);
}
