//! What is administered and still needed.

use kernel::ProblemKind;
use platform::problems::IN_USE;
use tests::{Server, both_databases};

use super::Refusals;
use crate::world::{Plan, World};

pub(super) static KINDS: &[&ProblemKind] = &[&IN_USE];

both_databases!(what_is_in_use_is_not_deleted);

async fn what_is_in_use_is_not_deleted(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let mut refused = Refusals::of(&world);
    server.anonymous().post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    let service = format!("/appointment-services/{}", desk.services[0].id);
    for path in [
        format!("/places/{}", desk.office.place_id),
        format!("/offices/{}", desk.office.id),
        format!("/calendars/{}", desk.calendar.id),
        service.clone(),
    ] {
        refused.told(&IN_USE, server.client("admin").delete(&path).if_match("*")).await;
    }
    let given = format!("{service}/calendars/{}", desk.calendar.id);
    refused.told(&IN_USE, server.client("admin").delete(&given)).await;
    refused.were(KINDS);
}
