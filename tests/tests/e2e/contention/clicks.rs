//! One person, several requests at once: a button pressed twice, two windows, a script.

use jiff::ToSpan;
use serde_json::json;
use tests::{Server, both_databases};

use super::{Booked, COMUNE, ROUNDS, start};
use crate::{
    crowd::Crowd,
    world::{Offer, Plan, World},
};

both_databases!(start =>
    a_button_pressed_many_times_is_pressed_once,
    a_person_books_as_often_as_allowed,
);
both_databases!(a_citizen_holds_as_many_times_as_allowed);

/// Requests of one person at once.
const CLICKS: usize = 30;

/// Without `If-Match` nobody speaks of a version, so nobody is told that it is another one.
async fn a_button_pressed_many_times_is_pressed_once(server: Server) {
    let world = World::another(&server, COMUNE).await;
    let crowd = Crowd::gather(&server, COMUNE, CLICKS).await;
    let desk = world.desk(Plan::default()).await;
    let visitor = server.tenant(COMUNE);
    for round in 1..=ROUNDS {
        let (at, later) = (desk.at(round, 10, 0), desk.at(round, 11, 0));
        let booked = Booked::of(&visitor.post("/appointments", desk.order(at)).fresh_key().await);
        let moves = crowd.at_once(|_, client| client.post(&booked.path("rescheduling"), booked.to(later))).await;
        for answer in moves {
            assert_eq!(answer.expect(200).body["version"], 2);
        }
        // To different times at once: in some order, each from where the one before has left it.
        let to = |number: usize| later + (i64::try_from(number % 3).unwrap() * 15).minutes();
        let moves =
            crowd.at_once(|number, client| client.post(&booked.path("rescheduling"), booked.to(to(number)))).await;
        for answer in moves {
            answer.expect(200);
        }
        world.ledger().await.balances();
        let cancelled = crowd.at_once(|_, client| client.post(&booked.path("cancellation"), booked.off())).await;
        for answer in cancelled {
            assert_eq!(answer.expect(200).body["state"], "cancelled");
        }
        let ledger = world.ledger().await;
        ledger.balances();
        assert_eq!(ledger.taken(&desk, at) + ledger.taken(&desk, later), 0);
    }
}

async fn a_person_books_as_often_as_allowed(server: Server) {
    const ALLOWED: usize = 2;
    let world = World::another(&server, COMUNE).await;
    let crowd = Crowd::gather(&server, COMUNE, CLICKS).await;
    let services = vec![Offer { max_per_person: Some(i64::try_from(ALLOWED).unwrap()), ..Offer::default() }];
    let desk = world.desk(Plan { capacity: 100, services, ..Plan::default() }).await;
    for round in 1..=ROUNDS {
        // On different days, so that no day makes them wait for one another.
        let day = |number: usize| i64::try_from(number).unwrap() + 1;
        let answers = crowd
            .at_once(|number, client| {
                let mut order = desk.order(desk.at(day(number), 10, 0));
                order["applicant"]["email"] = json!(format!("tante.volte.{round}@example.org"));
                client.post("/appointments", order).fresh_key()
            })
            .await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
        for answer in lost {
            assert_eq!(answer.problem(409, "person-limit-reached").body["limit"], ALLOWED);
        }
        assert_eq!(won.len(), ALLOWED);
        world.ledger().await.balances();
    }
}

async fn a_citizen_holds_as_many_times_as_allowed(server: Server) {
    let desk = World::of(&server).await.desk(Plan { capacity: 100, ..Plan::default() }).await;
    let citizen = server.client("citizen_a");
    // Separate connections, each with the same token.
    let token = &server.credentials().tokens["citizen_a"];
    let anew = |_| tests::Client::new(format!("{}/{}/v1", server.base_url(), server.credentials().tenant));
    let crowd = Crowd::connect((0..CLICKS).map(|n| anew(n).with_token(token)).collect()).await;
    for _ in 1..=ROUNDS {
        let day = |number: usize| i64::try_from(number).unwrap() + 1;
        let answers = crowd
            .at_once(|number, client| client.post("/holds", desk.wish(desk.at(day(number), 10, 0))).fresh_key())
            .await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
        let allowed = lost.first().expect("a limit").at("/limit").clone();
        for answer in lost {
            answer.problem(409, "person-limit-reached");
        }
        assert_eq!(json!(won.len()), allowed);
        for hold in won {
            citizen.delete(&format!("/holds/{}", hold.text_at("/id"))).await.expect(204);
        }
    }
}
