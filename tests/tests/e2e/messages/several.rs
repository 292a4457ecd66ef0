//! Several gateways, and one that dies while it sends.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Backend, Server, both_databases};

use super::{Post, publish};
use crate::world::{Plan, World};

const COMUNE: &str = "posta";

fn open(backend: Backend) -> Option<(Server, Post)> {
    let post = Post::open()?;
    let server = Server::start(backend, |setup| {
        post.settings(setup);
        setup.set("messages.lease_seconds", 3).env("SPORTELLO_MESSAGES__SMTP__TIMEOUT_SECONDS", "2");
    });
    Some((server, post))
}

/// Books so many visits and lets them be told.
async fn book(server: &Server, world: &World, visits: u32) -> Vec<String> {
    let desk = world.desk(Plan { capacity: i64::from(visits), ..Plan::default() }).await;
    let visitor = server.tenant(COMUNE);
    let mut addresses = Vec::new();
    for _ in 0..visits {
        let order = desk.order(desk.at(3, 9, 0));
        addresses.push(order["applicant"]["email"].as_str().unwrap().to_owned());
        let booked = visitor.post("/appointments", order).fresh_key().await.expect(201);
        publish(world, &booked).await;
    }
    addresses
}

/// Two gateways on one database: each message goes out once.
#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_send_each_message_once() {
    if !Backend::Postgres.available() {
        return;
    }
    let Some((first, post)) = open(Backend::Postgres) else { return };
    let _second = first.beside();
    let world = World::another(&first, COMUNE).await;
    let addresses = book(&first, &world, 60).await;
    for address in &addresses {
        post.wait(address, 1).await;
    }
    // Longer than either looks again.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(post.mails("").len(), addresses.len());
}

both_databases!(open => who_dies_while_sending_loses_nothing);

async fn who_dies_while_sending_loses_nothing(opened: Option<(Server, Post)>) {
    let Some((mut server, post)) = opened else { return };
    let world = World::another(&server, COMUNE).await;
    post.refuse(json!({ "slow": 1.5 }));
    let addresses = book(&server, &world, 3).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while !post.folder().join("begun").exists() {
        assert!(Instant::now() < deadline, "nothing is sent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.kill_9();
    post.refuse(json!({}));
    server.restart();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let told: Vec<Vec<Value>> = addresses.iter().map(|address| post.mails(address)).collect();
        if told.iter().all(|mails| !mails.is_empty()) {
            // A second copy says that it is one.
            for mails in told {
                assert!(mails.iter().all(|mail| mail["headers"]["message-id"] == mails[0]["headers"]["message-id"]));
            }
            return;
        }
        assert!(Instant::now() < deadline, "lost: {told:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
