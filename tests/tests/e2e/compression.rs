//! What is compressed, for whom, and that versions still match.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tests::{Server, both_databases};

use crate::world::{Plan, World};

both_databases!(what_is_read_is_compressed_for_whoever_wants_it, versions_match_however_they_were_read);

fn unpacked(body: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(body).read_to_string(&mut text).expect("gzip");
    text
}

async fn what_is_read_is_compressed_for_whoever_wants_it(server: Server) {
    for (caller, path) in [
        (server.root(), "/openapi.json".to_owned()),
        (server.anonymous(), "/appointment-services?limit=100".to_owned()),
    ] {
        let plain = caller.get(&path).await.expect(200);
        assert_eq!(plain.header("content-encoding"), None, "{}", plain.line);
        let vary = plain.header("vary").unwrap_or_default().to_lowercase();
        assert!(vary.contains("accept-encoding"), "{}: Vary is {vary}", plain.line);
        let (status, headers, body) = caller.get(&path).header("Accept-Encoding", "br, gzip").bytes().await;
        assert_eq!(status, 200);
        assert_eq!(headers["content-encoding"], "gzip");
        assert!(headers.contains_key("ratelimit-limit") && headers.contains_key("request-id"));
        assert!(body.len() < plain.text.len() / 2, "{} of {} bytes", body.len(), plain.text.len());
        assert_eq!(unpacked(&body), plain.text);
    }
    // A refusal is short, and whoever takes nothing that we have gets it in plain.
    let visitor = server.anonymous();
    visitor.get("/nothing").header("Accept-Encoding", "gzip").await.problem(404, "not-found");
    visitor.get("/offices").header("Accept-Encoding", "br, identity;q=0").await.expect(200);
}

async fn versions_match_however_they_were_read(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (anna, admin) = (server.client("citizen_a"), server.client("admin"));
    let mut order = desk.order(desk.at(3, 9, 0));
    order["notes"] = json!("x".repeat(1000));
    // With a manage token in it, an answer is never compressed.
    let booking = anna.post("/appointments", order).fresh_key().header("Accept-Encoding", "gzip");
    let booked = booking.await.expect(201);
    assert_eq!(booked.header("content-encoding"), None);
    let path = format!("/appointments/{}", booked.text_at("/id"));
    let plain = admin.get(&path).await.expect(200);
    let (_, headers, body) = admin.get(&path).header("Accept-Encoding", "gzip").bytes().await;
    assert_eq!(headers["content-encoding"], "gzip");
    let read: Value = serde_json::from_str(&unpacked(&body)).unwrap();
    assert_eq!(read, plain.body);
    let etag = headers["etag"].to_str().unwrap();
    assert_ne!(etag, plain.etag(), "a strong validator is of these very bytes");
    let to = json!({ "starts_at": desk.order(desk.at(3, 10, 0))["starts_at"] });
    let moved = admin.post(&format!("{path}/rescheduling"), to.clone()).if_match(etag).await.expect(200);
    assert_eq!(moved.at("/version"), 2);
    admin.post(&format!("{path}/rescheduling"), to).if_match(etag).await.problem(412, "version-mismatch");
}
