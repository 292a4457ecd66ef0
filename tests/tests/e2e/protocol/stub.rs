//! A protocol system on this machine, in JSON and in DOCAREA, that registers each key once and answers as it is told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What it does with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Registers it and says so.
    Answer,
    /// Registers it, and says so after a time.
    Late(Duration),
    /// Registers it, and hangs up.
    Drop,
    /// Does nothing, and says that it may be tried again.
    Busy,
    /// Does nothing, and says that it will not.
    Refuse,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    /// The number of each document: by key in JSON, by number of the call in DOCAREA, which knows no key.
    registered: BTreeMap<String, usize>,
    asked: usize,
    looked_up: usize,
    seen: Vec<String>,
    /// The files that were inserted (DOCAREA).
    inserted: Vec<String>,
}

/// The system; it ends with the test.
#[derive(Debug, Clone)]
pub(super) struct Stub {
    pub(super) address: String,
    state: Arc<Mutex<State>>,
}

impl Stub {
    pub(super) async fn start(mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state =
            State { mode, registered: BTreeMap::new(), asked: 0, looked_up: 0, seen: Vec::new(), inserted: Vec::new() };
        let stub = Self { address, state: Arc::new(Mutex::new(state)) };
        let this = stub.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let this = this.clone();
                tokio::spawn(async move { this.serve(stream).await });
            }
        });
        stub
    }

    pub(super) fn set(&self, mode: Mode) {
        self.state.lock().unwrap().mode = mode;
    }

    /// How many documents have a number.
    pub(super) fn registered(&self) -> usize {
        self.state.lock().unwrap().registered.len()
    }

    /// How often it was asked to register one.
    pub(super) fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }

    /// How often it was asked whether it has one.
    pub(super) fn looked_up(&self) -> usize {
        self.state.lock().unwrap().looked_up
    }

    /// What was sent to be registered.
    pub(super) fn seen(&self) -> Vec<String> {
        self.state.lock().unwrap().seen.clone()
    }

    /// What was inserted before it was registered.
    pub(super) fn inserted(&self) -> Vec<String> {
        self.state.lock().unwrap().inserted.clone()
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some((head, body)) = read(&mut stream).await else { return };
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().trim_matches('"').to_owned())
        };
        let answer = match header("soapaction") {
            Some(action) => self.soap(action.rsplit('/').next().unwrap(), &body).await,
            None if head.starts_with("GET") => Some(self.look_up(head.split(' ').nth(1).unwrap())),
            None => self.json(header("idempotency-key").unwrap(), &body).await,
        };
        // Without an answer the connection just ends.
        if let Some((status, media_type, text)) = answer {
            let whole = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
                text.len()
            );
            let _ = stream.write_all(whole.as_bytes()).await;
        }
    }

    /// Registers a key, or not; the number, and whether it is told.
    async fn register(&self, key: String, body: &str) -> Result<Option<usize>, u16> {
        let (mode, number) = {
            let mut state = self.state.lock().unwrap();
            state.asked += 1;
            state.seen.push(body.to_owned());
            match state.mode {
                Mode::Busy => return Err(503),
                Mode::Refuse => return Err(422),
                Mode::Answer | Mode::Late(_) | Mode::Drop => {}
            }
            let next = state.registered.len() + 1;
            (state.mode, *state.registered.entry(key).or_insert(next))
        };
        match mode {
            Mode::Drop => Ok(None),
            Mode::Late(by) => {
                tokio::time::sleep(by).await;
                Ok(Some(number))
            }
            _ => Ok(Some(number)),
        }
    }

    async fn json(&self, key: String, body: &str) -> Option<(u16, &'static str, String)> {
        let json = "application/json";
        match self.register(key, body).await {
            Ok(number) => number.map(|number| (201, json, told(number).to_string())),
            Err(status) => Some((status, json, "{}".to_owned())),
        }
    }

    fn look_up(&self, path: &str) -> (u16, &'static str, String) {
        let mut state = self.state.lock().unwrap();
        state.looked_up += 1;
        match state.registered.get(path.rsplit('/').next().unwrap()) {
            Some(number) => (200, "application/json", told(*number).to_string()),
            None => (404, "application/json", "{}".to_owned()),
        }
    }

    async fn soap(&self, method: &str, body: &str) -> Option<(u16, &'static str, String)> {
        let result = match method {
            "login" if body.contains("<strPassword>chiave</strPassword>") => {
                "<lngErrNumber>0</lngErrNumber><strErrString/><strDST>gettone</strDST>".to_owned()
            }
            "login" => "<lngErrNumber>-1</lngErrNumber><strErrString>no</strErrString>".to_owned(),
            "inserimento" => {
                self.state.lock().unwrap().inserted.push(body.to_owned());
                "<lngErrNumber>0</lngErrNumber><lngDocID>77</lngDocID>".to_owned()
            }
            _ => {
                // It would give a number to each call.
                let call = format!("call {}", self.asked());
                match self.register(call, body).await {
                    Ok(Some(number)) => format!(
                        "<lngErrNumber>0</lngErrNumber><lngNumPG>{number}</lngNumPG><lngAnnoPG>2026</lngAnnoPG>\
                         <strDataPG>29/11/2026</strDataPG>"
                    ),
                    Ok(None) => return None,
                    Err(503) => return Some((503, "text/xml", String::new())),
                    Err(_) => "<lngErrNumber>-12</lngErrNumber><strErrString>classifica</strErrString>".to_owned(),
                }
            }
        };
        let envelope = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope \
             xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><{method}Response \
             xmlns=\"http://tempuri.org/\"><{method}Result>{result}</{method}Result></{method}Response></soap:Body>\
             </soap:Envelope>"
        );
        Some((200, "text/xml; charset=utf-8", envelope))
    }
}

fn told(number: usize) -> Value {
    json!({ "number": format!("{number:07}"), "year": 2026, "registered_at": "2026-11-29T10:00:00+01:00",
        "register": "PG", "reference": format!("doc-{number}"), "more": "is nothing to us" })
}

async fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let end = loop {
        let mut some = [0; 8192];
        let n = stream.read(&mut some).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&some[..n]);
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let length: usize = length.unwrap_or(0);
    while bytes.len() < end + length {
        let mut some = [0; 8192];
        let n = stream.read(&mut some).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&some[..n]);
    }
    Some((head, String::from_utf8_lossy(&bytes[end..]).into_owned()))
}
