//! How often one may call: who is counted with whom, and what the answers say of it.

use reqwest::Method;
use serde_json::json;
use tests::{Answer, Backend, Client, Server, Setup, both_databases};

both_databases!(every_answer_tells_where_the_caller_stands);
both_databases!(with_three_each => callers_are_counted_by_who_they_are);
both_databases!(behind_a_proxy => addresses_are_counted_before_tokens_are_read);
both_databases!(with_nobody_to_trust => nobody_can_say_that_they_are_somebody_else);

/// Limit, remaining and reset.
#[track_caller]
fn standing(answer: &Answer) -> (u32, u32, u32) {
    let number = |name: &str| {
        let value = answer.header(name).unwrap_or_else(|| panic!("no {name}: {answer}"));
        value.parse().unwrap_or_else(|e| panic!("{name} is {value}: {e}: {answer}"))
    };
    (number("ratelimit-limit"), number("ratelimit-remaining"), number("ratelimit-reset"))
}

async fn every_answer_tells_where_the_caller_stands(server: Server) {
    let (visitor, anna, kiosk) = (server.anonymous(), server.client("citizen_a"), server.client("kiosk"));
    for (call, status) in [
        (visitor.get("/status"), 200),
        (visitor.call(Method::HEAD, "/status"), 200),
        (visitor.get("/me/appointments"), 401),
        (visitor.with_token("nonsense").get("/offices"), 401),
        (kiosk.get("/me/appointments"), 403),
        (anna.get("/nothing"), 404),
        (anna.delete("/offices"), 405),
        (visitor.post("/appointments", json!({})).fresh_key(), 422),
        (visitor.call(Method::POST, "/appointment-lookups").body("{"), 415),
        (server.tenant("no-such-comune").get("/offices"), 404),
        (server.root().get("/nothing"), 404),
        (server.root().get("/openapi.json"), 200),
    ] {
        let answer = call.await.expect(status);
        let (limit, remaining, _) = standing(&answer);
        assert!(remaining < limit, "{answer}");
    }
    for path in ["/health/live", "/health/ready"] {
        let answer = server.root().get(path).await.expect(200);
        assert_eq!(answer.header("ratelimit-limit"), None, "{answer}");
    }
}

fn all(setup: &mut Setup, kinds: &[&str], per_minute: i64, burst: i64) {
    for kind in kinds {
        setup.set(&format!("limits.{kind}_per_minute"), per_minute).set(&format!("limits.{kind}_burst"), burst);
    }
}

fn with_three_each(backend: Backend) -> Server {
    let kinds = ["anonymous", "citizen", "staff", "device", "integration", "platform"];
    Server::demo_with(backend, |setup| all(setup, &kinds, 1, 3))
}

async fn callers_are_counted_by_who_they_are(server: Server) {
    let roles = ["citizen_a", "citizen_b", "operator", "admin", "kiosk", "integration", "platform"];
    let everybody: Vec<Client> = roles.iter().map(|role| server.client(role)).chain([server.anonymous()]).collect();
    for caller in &everybody {
        for remaining in [2, 1, 0] {
            let answer = caller.get("/offices").query("limit", 1).await.expect(200);
            let (limit, left, reset) = standing(&answer);
            assert_eq!((limit, left), (3, remaining), "{answer}");
            assert!((1..=180).contains(&reset), "{answer}");
        }
        let answer = caller.get("/offices").query("limit", 1).await.problem(429, "rate-limited");
        assert_eq!(answer.header("retry-after"), answer.header("ratelimit-reset"), "{answer}");
        // Whatever they ask for.
        caller.get("/nothing").await.problem(429, "rate-limited");
        caller.post("/appointments", json!({})).await.problem(429, "rate-limited");
    }
    // Whoever watches over the service is not counted.
    for _ in 0..10 {
        server.root().get("/health/ready").await.expect(200);
    }
}

fn behind_a_proxy(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| {
        setup.set("server.trusted_proxies", vec!["127.0.0.1", "10.0.0.0/8"]);
        all(setup, &["address"], 1, 3);
    })
}

async fn addresses_are_counted_before_tokens_are_read(server: Server) {
    let guesser = server.anonymous().with_token("spk_AAAAAAAAAAAA_guessed");
    let from = |hops: &str| guesser.get("/offices").header("X-Forwarded-For", hops);
    for _ in 0..3 {
        from("192.0.2.1").await.problem(401, "unauthenticated");
    }
    from("192.0.2.1").await.problem(429, "rate-limited");
    // What they write themselves stands to the left; a second proxy of ours to the right.
    from("198.51.100.99, 192.0.2.1").await.problem(429, "rate-limited");
    from("192.0.2.1, 10.1.2.3").await.problem(429, "rate-limited");
    // Not even with a good token, nor for what belongs to no Comune.
    let anna = server.client("citizen_a");
    anna.get("/offices").header("X-Forwarded-For", "192.0.2.1").await.problem(429, "rate-limited");
    server.root().get("/openapi.json").header("X-Forwarded-For", "192.0.2.1").await.problem(429, "rate-limited");
    anna.get("/offices").header("X-Forwarded-For", "192.0.2.2").await.expect(200);
    // The other header is nobody's here.
    anna.get("/offices").header("X-Forwarded-For", "192.0.2.3").header("Forwarded", "for=192.0.2.1").await.expect(200);
    // Of IPv6, a customer has a /64.
    for host in 1..=3 {
        from(&format!("2001:db8:1:2::{host}")).await.problem(401, "unauthenticated");
    }
    from("2001:db8:1:2:ffff::1").await.problem(429, "rate-limited");
    from("2001:db8:1:3::1").await.problem(401, "unauthenticated");
}

fn with_nobody_to_trust(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| all(setup, &["anonymous"], 1, 3))
}

async fn nobody_can_say_that_they_are_somebody_else(server: Server) {
    let visitor = server.anonymous();
    let from = |host: u8| {
        let address = format!("192.0.2.{host}");
        visitor.get("/offices").header("X-Forwarded-For", &address).header("Forwarded", format!("for={address}"))
    };
    for host in 1..=3 {
        from(host).await.expect(200);
    }
    from(4).await.problem(429, "rate-limited");
}
