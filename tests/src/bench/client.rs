//! Callers: as many connections as there are clients, each asking again as soon as it is answered.
//!
//! Written on sockets rather than with the tests' client, which would take more of the processor than what it
//! measures.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What came of asking for a while.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// How long it went on, in seconds.
    pub(crate) seconds: f64,
    /// Microseconds that each answer took.
    pub(crate) micros: Vec<u32>,
    /// How often each status was answered, other than the one that was wanted.
    pub(crate) others: BTreeMap<u16, usize>,
}

impl Outcome {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.micros.len() as f64 / self.seconds
    }
}

/// Asks for `time`, with so many clients; `next` makes a request, or none when there is nothing left to ask for.
pub(crate) async fn ask(
    address: SocketAddr,
    clients: usize,
    time: Duration,
    wanted: u16,
    next: impl FnMut() -> Option<String>,
) -> Outcome {
    let next = RefCell::new(next);
    let start = Instant::now();
    let client = || async {
        let mut connection = Connection::open(address).await;
        let (mut micros, mut others) = (Vec::new(), BTreeMap::new());
        while start.elapsed() < time {
            let Some(request) = (next.borrow_mut())() else { break };
            let asked = Instant::now();
            let status = connection.ask(&request).await;
            if status == wanted {
                micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
            } else {
                if others.is_empty() && status >= 400 {
                    eprintln!("{status}: {}", String::from_utf8_lossy(connection.body()));
                }
                *others.entry(status).or_insert(0) += 1;
            }
        }
        (micros, others)
    };
    let answers = futures_util::future::join_all((0..clients).map(|_| client())).await;
    let mut outcome = Outcome { seconds: start.elapsed().as_secs_f64(), ..Outcome::default() };
    for (micros, others) in answers {
        outcome.micros.extend(micros);
        for (status, count) in others {
            *outcome.others.entry(status).or_insert(0) += count;
        }
    }
    outcome
}

/// Asks once: the body of a 200.
pub(crate) async fn once(address: SocketAddr, request: &str) -> Vec<u8> {
    let mut connection = Connection::open(address).await;
    let status = connection.ask(request).await;
    let body = connection.body();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(body));
    body.to_vec()
}

/// `GET` of a path.
pub(crate) fn get(path: &str, token: Option<&str>) -> String {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\n{token}\r\n")
}

/// `POST` of a JSON body.
pub(crate) fn post(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    head: usize,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, buffer: Vec::with_capacity(16 * 1024), head: 0 }
    }

    fn body(&self) -> &[u8] {
        &self.buffer[self.head..]
    }

    /// Sends a request and reads its whole answer: the status.
    async fn ask(&mut self, request: &str) -> u16 {
        self.stream.write_all(request.as_bytes()).await.expect("a request");
        self.buffer.clear();
        let whole = loop {
            assert_ne!(self.stream.read_buf(&mut self.buffer).await.expect("an answer"), 0, "the server hung up");
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                self.head = end + 4;
                break self.head + content_length(&self.buffer[..end]);
            }
        };
        while self.buffer.len() < whole {
            assert_ne!(self.stream.read_buf(&mut self.buffer).await.expect("an answer"), 0, "the server hung up");
        }
        std::str::from_utf8(&self.buffer[9..12]).expect("a status").parse().expect("a status")
    }
}

fn content_length(head: &[u8]) -> usize {
    let head = std::str::from_utf8(head).expect("ASCII");
    let length = head.split("\r\n").filter_map(|line| line.split_once(": "));
    let mut length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.next().map_or(0, |(_, number)| number.parse().expect("a number"))
}
