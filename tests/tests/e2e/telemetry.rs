//! Traces, as a collector receives them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use serde_json::json;
use tests::{Backend, Server};

use crate::world::{Plan, World};

/// A collector on this machine: its address, and what it has been sent.
fn collector() -> (String, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, received) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, sender) = (stream.unwrap(), sender.clone());
            thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                // One connection may bring several batches.
                loop {
                    let mut head = Vec::new();
                    loop {
                        let mut line = String::new();
                        if reader.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                        if line.trim().is_empty() {
                            break;
                        }
                        head.push(line.trim().to_lowercase());
                    }
                    assert_eq!(head[0], "post /v1/traces http/1.1");
                    assert!(head.contains(&"content-type: application/x-protobuf".to_owned()), "{head:?}");
                    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                    let mut body = vec![0; length.parse().unwrap()];
                    reader.read_exact(&mut body).unwrap();
                    // The test may be over.
                    drop(sender.send(body));
                    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                }
            });
        }
    });
    (address, received)
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?;
    match value.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_a_span_for_each_request() {
    let (endpoint, received) = collector();
    let mut server = Server::demo_with(Backend::Sqlite, |setup| {
        setup.set("telemetry.otlp_endpoint", endpoint).set("telemetry.service_name", "sportello-prova");
        // What is logged does not decide what is traced.
        setup.set("log.level", "error");
    });
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let anna = server.client("citizen_a");
    let booked = anna.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    let traced = server.anonymous().get("/offices").query("limit", 7);
    traced.header("traceparent", format!("00-{TRACE}-{PARENT}-01")).await.expect(200);
    // Whoever traces has decided that this one is not.
    let other = "0af7651916cd43dd8448eb211c80319c";
    let untraced = server.anonymous().get("/places").header("traceparent", format!("00-{other}-{PARENT}-00"));
    untraced.await.expect(200);
    anna.post(&format!("/appointments/{}/cancellation", booked.text_at("/id")), json!({})).await.expect(200);
    // What has not been sent yet is sent before it ends.
    assert!(server.sigterm().success());
    let mut bodies = Vec::new();
    while let Ok(body) = received.recv_timeout(Duration::from_millis(200)) {
        bodies.push(body);
    }
    let requests: Vec<_> = bodies.iter().map(|body| ExportTraceServiceRequest::decode(&body[..]).unwrap()).collect();
    let resources: Vec<_> = requests.iter().flat_map(|request| &request.resource_spans).collect();
    assert!(!resources.is_empty(), "nothing was sent");
    for resource in &resources {
        let attributes = &resource.resource.as_ref().unwrap().attributes;
        assert_eq!(text(attributes, "service.name"), Some("sportello-prova"));
    }
    let spans: Vec<&Span> = resources.iter().flat_map(|r| &r.scope_spans).flat_map(|scope| &scope.spans).collect();
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span {name}"));

    let span = named("GET /{comune}/v1/offices");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!((hex(&span.trace_id).as_str(), hex(&span.parent_span_id).as_str()), (TRACE, PARENT));
    assert_eq!(text(&span.attributes, "http.route"), Some("/{comune}/v1/offices"));
    assert_eq!(text(&span.attributes, "http.request.method"), Some("GET"));
    let status = span.attributes.iter().find(|attribute| attribute.key == "http.response.status_code");
    assert_eq!(status.unwrap().value.as_ref().unwrap().value, Some(Value::IntValue(200)));
    assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    let booking = named("POST /{comune}/v1/appointments");
    assert!(booking.parent_span_id.is_empty() && hex(&booking.trace_id) != TRACE);
    named("POST /{comune}/v1/appointments/{appointment_id}/cancellation");
    assert!(!spans.iter().any(|span| hex(&span.trace_id) == other), "not to be traced");
    let written = spans.iter().find(|span| span.name == "write" && span.parent_span_id == booking.span_id);
    let written = written.expect("the transaction within the request");
    assert_eq!(text(&written.attributes, "db.system.name"), Some("sqlite"));
    assert!(written.start_time_unix_nano >= booking.start_time_unix_nano, "it began in the request");
    assert!(spans.iter().all(|span| span.events.is_empty()), "what is logged stays in the log");

    // Nobody is in it, and nothing of what they said or were answered.
    for body in &bodies {
        let body = String::from_utf8_lossy(body);
        let token = &server.credentials().tokens["citizen_a"];
        let code = booked.text_at("/code");
        for personal in ["PRVNNA", "Prova", "example.org", "limit=7", "bugliano", "127.0.0.1", token, code] {
            assert!(!body.contains(personal), "{personal} was sent");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_stops_nothing() {
    let (nowhere, _) = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        (format!("http://{}", listener.local_addr().unwrap()), listener)
    };
    let mut server = Server::demo_with(Backend::Sqlite, |setup| {
        setup.set("telemetry.otlp_endpoint", nowhere);
    });
    server.anonymous().get("/offices").await.expect(200);
    assert!(server.sigterm().success());
}
