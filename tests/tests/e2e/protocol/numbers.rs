//! Numbers without a gap: eight who register at once, a fifth of whom think better of it.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use kernel::{Problem, SystemClock};
use platform::{
    access::keys::{KeyKind, KeyScope},
    problems::NOT_FOUND,
};
use serde_json::json;
use storage::{Db, DbOptions, Scope, Target};
use tests::{Backend, Server, both_databases};

use super::{body, desk_of, paper, register};
use crate::{
    rows,
    world::{Desk, World},
};

both_databases!(what_is_rolled_back_leaves_no_gap);

const WRITERS: usize = 8;
const EACH: usize = 25;

/// A connection for each writer.
fn wide(server: &Server) -> Db {
    let options = DbOptions {
        read_connections: 2,
        write_connections: u32::try_from(WRITERS).unwrap(),
        busy_timeout: Duration::from_secs(60),
        seal: tests::seal(),
        ..DbOptions::default()
    };
    Db::open(&Target::parse(server.database()).unwrap(), &options, Arc::new(SystemClock)).unwrap()
}

/// Eight register at once, and every fifth transaction fails after it has its number: how many stay.
async fn storm(db: &Db, world: &World, desk: &Desk) -> usize {
    let writers = (0..WRITERS).map(|writer| {
        let (db, tenant, office) = (db.clone(), world.tenant.clone(), desk.office.id);
        tokio::spawn(async move {
            let mut stay = 0;
            for n in 0..EACH {
                let (tenant, fails) = (tenant.clone(), (writer + n) % 5 == 0);
                let outcome = db
                    .write(&Scope::system(tenant.tenant_id), move |tx| {
                        register(tx, &tenant, paper(office, &format!("Pratica {writer}.{n}")))?;
                        if fails { Err(Problem::new(&NOT_FOUND).into()) } else { Ok(()) }
                    })
                    .await;
                match outcome {
                    Ok(()) => stay += 1,
                    Err(problem) => assert!(fails && problem.kind.slug == "not-found", "{problem}"),
                }
            }
            stay
        })
    });
    join_all(writers.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).sum()
}

/// Every number from 1 on is there once, in a chain that holds.
async fn is_whole(server: &Server, expected: usize) {
    let admin = server.client("admin");
    let verified = admin.get("/protocol-verification").await.expect(200);
    assert_eq!(verified.at("/sound"), &json!(true), "{verified}");
    assert_eq!(verified.at("/registers/0/entries"), &json!(expected), "{verified}");
    assert_eq!(verified.at("/registers/0/last_number"), &json!(expected), "{verified}");
    let (mut numbers, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut call = admin.get("/protocol-entries").query("limit", 100);
        if let Some(after) = &after {
            call = call.query("after", after);
        }
        let page = call.await.expect(200);
        numbers.extend(page.items().iter().map(|item| usize::try_from(item["number"].as_u64().unwrap()).unwrap()));
        after = page.at("/next").as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=expected).collect::<Vec<_>>());
}

async fn what_is_rolled_back_leaves_no_gap(server: Server) {
    let (world, desk) = desk_of(&server).await;
    let stay = storm(&wide(&server), &world, &desk).await;
    assert_eq!(stay, WRITERS * EACH * 4 / 5);
    is_whole(&server, stay).await;
}

/// Two gateways over HTTP, and beside them transactions that are rolled back.
#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_number_without_a_gap() {
    if !Backend::Postgres.available() {
        return;
    }
    let first = Server::demo(Backend::Postgres);
    let (world, desk) = desk_of(&first).await;
    let second = Server::start_on(Backend::Postgres, first.database());
    let key = rows::key(&world, KeyKind::Integration, None, KeyScope::ALL).await;
    let db = wide(&first);
    let slug = first.credentials().tenant.clone();
    let callers = (0..WRITERS).map(|n| {
        let server = if n % 2 == 0 { &first } else { &second };
        let (client, order) = (server.tenant(&slug).with_token(&key), body(&desk, &format!("Via {n}")));
        async move {
            for _ in 0..EACH {
                client.post("/protocol-entries", order.clone()).fresh_key().await.expect(201);
            }
        }
    });
    let (stay, _) = tokio::join!(storm(&db, &world, &desk), join_all(callers.collect::<Vec<_>>()));
    is_whole(&first, stay + WRITERS * EACH).await;
}
