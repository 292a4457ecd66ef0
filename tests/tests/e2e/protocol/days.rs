//! Daily registers: of every day that is over, also of an empty one.

use std::{sync::Arc, time::Duration};

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{date, time},
};
use kernel::{Clock, SystemClock, TestClock, civil};
use protocol::{daily::run, entries::changes};
use serde_json::json;
use storage::{Db, DbOptions, Scope, Target};
use tests::{Backend, Server, both_databases};

use super::{body, desk_of, paper, register};

both_databases!(each_day_has_its_register, a_clock_that_runs_ahead_closes_no_day);

async fn each_day_has_its_register(server: Server) {
    let (world, desk) = desk_of(&server).await;
    // A day long ago, in the evening.
    let first = date(2026, 3, 10);
    let clock = Arc::new(TestClock::at(civil::at(first, time(23, 59, 0, 0))));
    let options = DbOptions { busy_timeout: Duration::from_secs(60), seal: tests::seal(), ..DbOptions::default() };
    let shown: Arc<dyn Clock> = clock.clone();
    let db = Db::open(&Target::parse(server.database()).unwrap(), &options, shown).unwrap();
    let scope = Scope::system(world.tenant.tenant_id);
    let file = async |subject: &str| {
        let (tenant, new) = (world.tenant.clone(), paper(desk.office.id, subject));
        db.write(&scope, move |tx| register(tx, &tenant, new.clone())).await.unwrap().whole.entry
    };
    file("=Prima").await;
    file("Seconda; con \"virgolette\"").await;
    // Two days pass on which nothing is registered, and the register of one of them is made.
    clock.advance(SignedDuration::from_hours(48));
    let slug = world.tenant.slug.as_str();
    assert_eq!(run::daily(&db, &scope, slug).await.unwrap(), 2);
    assert_eq!(run::daily(&db, &scope, slug).await.unwrap(), 0);
    // Whoever began before midnight is registered on the day that has begun.
    clock.advance(-SignedDuration::from_hours(30));
    let late = file("In ritardo").await;
    let second_day_ends = civil::day_bounds(first.checked_add(1.day()).unwrap()).1;
    assert_eq!((late.registered_at, late.number), (second_day_ends, 3));
    // So is what is annulled then: it would be in no daily register otherwise.
    let annulled =
        db.write(&scope, move |tx| changes::annul(tx, late.id, ("Errore", "Determinazione n. 3"), |_| Ok(())));
    assert_eq!(annulled.await.unwrap().annulled_at, Some(second_day_ends));
    clock.advance(SignedDuration::from_hours(30) + SignedDuration::from_hours(24));
    // Gateways that make it at once make it once.
    let (one, other) = tokio::join!(run::daily(&db, &scope, slug), run::daily(&db, &scope, slug));
    assert!(one.unwrap() + other.unwrap() >= 1);

    let admin = server.client("admin");
    let list = admin.get("/daily-registers").await.expect(200);
    let days: Vec<_> = list.items().iter().rev().map(|it| (it["day"].clone(), it["entries"].clone())).collect();
    let day = |n: i64| json!(first.checked_add(n.days()).unwrap());
    assert_eq!(days, [(day(0), json!(2)), (day(1), json!(0)), (day(2), json!(1))], "{list}");
    assert_eq!((list.at("/items/0/annulments"), list.at("/items/1/annulments")), (&json!(1), &json!(0)), "{list}");
    let oldest = list.items().last().unwrap();
    for (format, digest) in [("csv", "csv_sha256"), ("xml", "xml_sha256")] {
        let path = format!("/daily-registers/{}/register.{format}", oldest["id"].as_str().unwrap());
        let file = admin.get(&path).await.expect(200);
        let found = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, file.text.as_bytes());
        let found: String = found.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(oldest[digest], json!(found), "{format}");
        assert!(file.text.contains("Prova Anna") && file.text.contains("Prima"), "{}", file.text);
        if format == "csv" {
            assert!(
                file.text.contains("'=Prima") && file.text.contains("\"Seconda; con \"\"virgolette\"\"\""),
                "{}",
                file.text
            );
        }
    }
    assert_eq!(admin.get("/protocol-verification").await.expect(200).at("/sound"), &json!(true));
}

/// Several gateways share a database, and one clock that is wrong would close days for all of them.
async fn a_clock_that_runs_ahead_closes_no_day(server: Server) {
    if server.backend() == Backend::Sqlite {
        return;
    }
    let (world, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    admin.post("/protocol-entries", body(&desk, "Prima")).fresh_key().await.expect(201);
    let ahead: Arc<dyn Clock> = Arc::new(TestClock::at(SystemClock.now() + SignedDuration::from_hours(72)));
    let options = DbOptions { seal: tests::seal(), ..DbOptions::default() };
    let db = Db::open(&Target::parse(server.database()).unwrap(), &options, ahead).unwrap();
    let scope = Scope::system(world.tenant.tenant_id);
    assert_eq!(run::daily(&db, &scope, world.tenant.slug.as_str()).await.unwrap(), 0);
    assert!(admin.get("/daily-registers").await.expect(200).items().is_empty());
    // What is registered next is registered now.
    let next = admin.post("/protocol-entries", body(&desk, "Seconda")).fresh_key().await.expect(201);
    let at: Timestamp = next.text_at("/registered_at").parse().unwrap();
    assert!(at <= SystemClock.now(), "{next}");
}
