//! What `/metrics` tells, and whom.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::json;
use tests::{Backend, Server, both_databases};

use crate::world::{Plan, World};

both_databases!(with_few_guesses => what_happens_is_measured);
both_databases!(behind_a_proxy => nobody_else_reads_it);

fn with_few_guesses(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| {
        setup.set("limits.anonymous_write_per_minute", 1).set("limits.anonymous_write_burst", 2);
    })
}

/// The samples of `/metrics`: name with labels, and value.
async fn samples(server: &Server) -> Vec<(String, f64)> {
    let answer = server.root().get("/metrics").await.expect(200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4"));
    assert_eq!(answer.header("ratelimit-limit"), None, "whoever watches is not counted");
    let lines = answer.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap())).unwrap())
        .collect()
}

/// The sum of the samples of this name that have all of these labels.
fn sum(samples: &[(String, f64)], name: &str, labels: &[&str]) -> f64 {
    let fits = |key: &str| key.split('{').next() == Some(name) && labels.iter().all(|label| key.contains(label));
    samples.iter().filter(|(key, _)| fits(key)).map(|(_, value)| value).sum()
}

async fn what_happens_is_measured(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (visitor, anna) = (server.anonymous(), server.client("citizen_a"));
    let order = desk.order(desk.at(3, 9, 0));
    anna.post("/appointments", order.clone()).key("the-same-key-twice").await.expect(201);
    anna.post("/appointments", order.clone()).key("the-same-key-twice").await.expect(201);
    anna.post("/appointments", order).fresh_key().await.problem(409, "slot-taken");
    for _ in 0..2 {
        visitor.post("/appointment-lookups", json!({})).await.problem(422, "invalid-body");
    }
    visitor.post("/appointment-lookups", json!({})).await.problem(429, "rate-limited");
    visitor.get("/offices?name=Mario%20Rossi").await.problem(422, "invalid-query");
    server.root().get("/nothing/of/the/kind").await.problem(404, "not-found");

    let now = samples(&server).await;
    let count = |name: &str, labels: &[&str]| sum(&now, name, labels);
    let booking = ["method=\"POST\"", "route=\"/{comune}/v1/appointments\""];
    assert!((count("sportello_http_requests_total", &[booking[0], booking[1], "status=\"2xx\""]) - 2.0).abs() < 0.1);
    assert!((count("sportello_http_requests_total", &[booking[0], booking[1], "status=\"4xx\""]) - 1.0).abs() < 0.1);
    assert!((count("sportello_http_request_duration_seconds_count", &booking) - 3.0).abs() < 0.1);
    assert!(count("sportello_http_request_duration_seconds_bucket", &[booking[1], "le=\"10\""]) >= 3.0);
    assert!(count("sportello_http_requests_total", &["route=\"none\"", "status=\"4xx\""]) >= 1.0);
    for (outcome, times) in [("made", 1.0), ("replayed", 1.0), ("slot-taken", 1.0)] {
        let labels = ["tenant=\"bugliano\"", &format!("outcome=\"{outcome}\"")];
        assert!((count("sportello_bookings_total", &labels) - times).abs() < 0.1, "{outcome}");
    }
    assert!((count("sportello_idempotency_replays_total", &[]) - 1.0).abs() < 0.1);
    assert!((count("sportello_rate_limited_total", &["limit=\"anonymous_write\""]) - 1.0).abs() < 0.1);
    assert!((count("sportello_refusals_total", &["slug=\"rate-limited\""]) - 1.0).abs() < 0.1);
    assert!((count("sportello_refusals_total", &["slug=\"invalid-body\""]) - 2.0).abs() < 0.1);
    // The one that is being answered.
    assert!((count("sportello_http_requests_in_flight", &[]) - 1.0).abs() < 0.1);
    for access in ["access=\"read\"", "access=\"write\""] {
        assert!(count("sportello_db_transactions_total", &[access, "outcome=\"done\""]) >= 1.0, "{access}");
        assert!(count("sportello_db_wait_seconds_count", &[access]) >= 1.0, "{access}");
        assert!(count("sportello_db_transaction_duration_seconds_count", &[access]) >= 1.0, "{access}");
    }
    assert!(count("sportello_db_transactions_total", &["access=\"write\"", "outcome=\"refused\""]) >= 1.0);
    assert!(count("sportello_db_connections_in_use", &[]).abs() < 0.1);
    if server.backend() == Backend::Sqlite {
        assert!(count("sportello_db_writer_batch_size_count", &[]) >= 1.0);
        assert!(count("sportello_db_writer_queue", &[]).abs() < 0.1);
    }
    assert!((count("sportello_build_info", &["version=\""]) - 1.0).abs() < 0.1);
    assert!(count("process_resident_memory_bytes", &[]) > 1_000_000.0);

    named_as_documented(&server).await;
    // Who called, and about what, is nobody's to read here.
    let text = server.root().get("/metrics").await.text;
    for personal in ["Mario", "Rossi", "PRVNNA", "anna.prova", "127.0.0.1", desk.calendar.id.to_string().as_str()] {
        assert!(!text.contains(personal), "{personal}");
    }
}

/// Each name that is exported is on the page, and each on the page is exported, where the database has it.
async fn named_as_documented(server: &Server) {
    let text = server.root().get("/metrics").await.expect(200).text;
    let typed = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let exported: BTreeSet<&str> = typed.map(|rest| rest.split(' ').next().unwrap()).collect();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let page = fs::read_to_string(page).unwrap();
    let words = page.split('`').skip(1).step_by(2);
    let is_name = |word: &&str| {
        ["sportello_", "process_"].iter().any(|prefix| word.starts_with(prefix)) && !word.contains(['{', '*', '…'])
    };
    let documented: BTreeSet<&str> = words.filter(is_name).collect();
    let untold: Vec<_> = exported.difference(&documented).collect();
    assert!(untold.is_empty(), "docs/operations.md lacks {untold:?}");
    let missing: Vec<_> = documented.difference(&exported).filter(|name| !name.contains("_db_writer_")).collect();
    assert!(missing.is_empty(), "documented and not there: {missing:?}");
    assert_eq!(exported.contains("sportello_db_writer_queue"), server.backend() == Backend::Sqlite);
}

fn behind_a_proxy(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| {
        setup.set("server.trusted_proxies", vec!["127.0.0.1"]);
        setup.set("metrics.allowed_addresses", vec!["127.0.0.1", "192.0.2.0/24"]);
    })
}

async fn nobody_else_reads_it(server: Server) {
    let from = |hops: &str| server.root().get("/metrics").header("X-Forwarded-For", hops);
    server.root().get("/metrics").await.expect(200);
    from("192.0.2.7").await.expect(200);
    from("198.51.100.7").await.problem(404, "not-found");
    from("192.0.2.7, 198.51.100.7").await.problem(404, "not-found");
    // Without a named proxy, nobody who came through one is from here.
    let plain = Server::demo(server.backend());
    plain.root().get("/metrics").await.expect(200);
    for header in ["X-Forwarded-For", "Forwarded", "Via"] {
        plain.root().get("/metrics").header(header, "127.0.0.1").await.problem(404, "not-found");
    }
}
