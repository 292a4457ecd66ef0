//! SIGTERM: what is under way is finished, what is new is refused, and the process ends well.

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tests::{Answer, Backend, Client, Server, both_databases};

use crate::world::{Desk, Plan, World};

both_databases!(patient =>
    a_request_under_way_is_answered,
    idle_connections_keep_nobody_waiting,
    whoever_was_answered_is_stored,
);
both_databases!(impatient => a_request_that_never_ends_is_given_up);

const COMUNE: &str = "sera";

/// Waits longer for requests under way than the harness waits for the server: a test in which anything but
/// the request itself holds it up fails.
fn patient(backend: Backend) -> Server {
    started(backend, 3600)
}

fn impatient(backend: Backend) -> Server {
    started(backend, 1)
}

fn started(backend: Backend, shutdown_timeout: i64) -> Server {
    Server::start(backend, |setup| {
        setup.set("database.busy_timeout_ms", 60_000).set("server.shutdown_timeout_seconds", shutdown_timeout);
    })
}

async fn a_request_under_way_is_answered(mut server: Server) {
    let desk = desk(&server, 1).await;
    let (mut stream, rest) = half_a_booking(&server, &desk);
    server.send_sigterm();
    nobody_else_gets_in(address(&server));

    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let status = server.wait();
    assert!(status.success(), "{status}");

    server.restart();
    let ledger = desk.world.ledger().await;
    ledger.balances();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(ledger.open_at(&desk, desk.at(1, 9, 0)).len(), 1);
    let ticket = json!({ "code": body["code"], "manage_token": body["manage_token"] });
    server.tenant(COMUNE).post("/appointment-lookups", ticket).await.expect(200);
}

async fn a_request_that_never_ends_is_given_up(mut server: Server) {
    let desk = desk(&server, 1).await;
    let (stream, _rest) = half_a_booking(&server, &desk);
    let status = server.sigterm();
    assert!(status.success(), "{status}");
    drop(stream);
    assert!(desk.world.ledger().await.balances().appointments.is_empty());
}

async fn idle_connections_keep_nobody_waiting(mut server: Server) {
    let callers: Vec<_> = (0..20).map(|_| Client::new(server.base_url())).collect();
    for caller in &callers {
        caller.get("/health/live").await.expect(200);
    }
    // One that has never said a word, too.
    let silent = TcpStream::connect(address(&server)).unwrap();
    let status = server.sigterm();
    assert!(status.success(), "{status}");
    drop((callers, silent));
}

async fn whoever_was_answered_is_stored(mut server: Server) {
    const CALLERS: usize = 50;
    const EACH: usize = 8;
    let desk = desk(&server, 100).await;
    let orders: Vec<_> =
        (0..CALLERS * EACH).map(|number| desk.order(desk.at(1, 9 + i8::try_from(number % 8).unwrap(), 0))).collect();
    let orders = Arc::new(orders);
    let count = Arc::new(AtomicUsize::new(0));
    // Each makes its bookings one after the other, until one is not answered.
    let book = |server: &Server, caller: usize| {
        let client = Client::new(format!("{}/{COMUNE}/v1", server.base_url()));
        let (orders, count) = (Arc::clone(&orders), Arc::clone(&count));
        tokio::spawn(async move {
            let mut answered = Vec::new();
            for number in (caller..CALLERS * EACH).step_by(CALLERS) {
                let call =
                    client.post("/appointments", orders[number].clone()).key(format!("booking-number-{number:04}"));
                let Ok(answer) = call.attempt().await else { break };
                count.fetch_add(1, Ordering::Relaxed);
                answered.push((number, answer.expect(201)));
            }
            answered
        })
    };
    let all = async |server: &Server| -> BTreeMap<usize, Answer> {
        let calls: Vec<_> = (0..CALLERS).map(|caller| book(server, caller)).collect();
        join_all(calls).await.into_iter().flat_map(Result::unwrap).collect()
    };
    let (answered, ()) = tokio::join!(all(&server), async {
        while count.load(Ordering::Relaxed) < CALLERS {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.send_sigterm();
    });
    let status = server.wait();
    assert!(status.success(), "{status}");

    let ledger = desk.world.ledger().await;
    ledger.balances();
    for answer in answered.values() {
        ledger.appointment(answer.text_at("/id"));
    }
    assert_eq!(answered.len(), ledger.appointments.len(), "somebody was booked and not told");

    server.restart();
    let again = all(&server).await;
    assert!(answered.iter().all(|(number, answer)| again[number].body == answer.body));
    let ledger = desk.world.ledger().await;
    assert_eq!((again.len(), ledger.balances().appointments.len()), (CALLERS * EACH, CALLERS * EACH));
}

async fn desk(server: &Server, capacity: i64) -> Desk {
    World::another(server, COMUNE).await.desk(Plan { capacity, ..Plan::default() }).await
}

/// A connection over which a booking was begun, and what is missing of it. The server has the first half:
/// it says so, as it was asked to (RFC 9110, section 10.1.1).
fn half_a_booking(server: &Server, desk: &Desk) -> (TcpStream, String) {
    let address = address(server);
    let body = desk.order(desk.at(1, 9, 0)).to_string();
    let (first, rest) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(
        stream,
        "POST /{COMUNE}/v1/appointments HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Idempotency-Key: slowly-but-surely\r\nContent-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .unwrap();
    let mut said = [0; 25];
    stream.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(first.as_bytes()).unwrap();
    (stream, rest.to_owned())
}

/// Waits until nobody listens any more.
fn nobody_else_gets_in(address: SocketAddr) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match TcpStream::connect(address) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
            outcome => assert!(Instant::now() < deadline, "it still listens: {outcome:?}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn address(server: &Server) -> SocketAddr {
    server.base_url().strip_prefix("http://").unwrap().parse().unwrap()
}
