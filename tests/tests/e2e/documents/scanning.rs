//! Malware is looked for before anything is given out. The scanner speaks clamd's protocol and knows one malware, the
//! test file that all of them know.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tests::{Answer, Backend, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{PDF, kept, path, sent, sweeping_often, until};
use crate::{rows, world::World};

/// In two pieces, so that these sources are not taken for malware.
const EICAR: [&str; 2] = ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR", "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"];

/// What the scanner does not look through.
const TOO_LARGE: &str = "more than the scanner looks through";

/// What scans: can be told to be out of order, and counts.
#[derive(Clone, Default)]
struct Daemon {
    is_broken: Arc<AtomicBool>,
    scans: Arc<AtomicUsize>,
}

impl Daemon {
    /// Listens; answers at which port.
    async fn listen(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let this = self.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let this = this.clone();
                tokio::spawn(async move {
                    // Whoever hangs up is not answered.
                    let _ = this.scan(connection).await;
                });
            }
        });
        port
    }

    async fn scan(&self, mut connection: TcpStream) -> std::io::Result<()> {
        self.scans.fetch_add(1, Ordering::SeqCst);
        let mut command = [0; 10];
        connection.read_exact(&mut command).await?;
        assert_eq!(&command, b"zINSTREAM\0");
        let mut file = Vec::new();
        loop {
            let length = connection.read_u32().await?;
            if length == 0 {
                break;
            }
            let mut piece = vec![0; usize::try_from(length).unwrap()];
            connection.read_exact(&mut piece).await?;
            file.extend(piece);
        }
        let text = String::from_utf8_lossy(&file);
        let answer: &[u8] = if self.is_broken.load(Ordering::SeqCst) {
            b"INSTREAM size limit exceeded. ERROR\0"
        } else if text.contains(TOO_LARGE) {
            b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0"
        } else if text.contains(&EICAR.concat()) {
            b"stream: Eicar-Test-Signature FOUND\0"
        } else {
            b"stream: OK\0"
        };
        connection.write_all(answer).await
    }
}

fn scanned(backend: Backend, port: u16) -> Server {
    Server::demo_with(backend, |setup| {
        sweeping_often(setup);
        setup.set("documents.scanner", format!("tcp:127.0.0.1:{port}"));
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite() {
    nothing_is_given_out_before_it_is_clean(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres() {
    if Backend::Postgres.available() {
        nothing_is_given_out_before_it_is_clean(Backend::Postgres).await;
    }
}

async fn nothing_is_given_out_before_it_is_clean(backend: Backend) {
    let daemon = Daemon::default();
    let port = daemon.listen().await;
    let server = scanned(backend, port);
    let world = World::of(&server).await;
    let anna = server.client("citizen_a");
    let state = async |document: &Answer, wanted: &str| {
        until(wanted, async || anna.get(&path(document, "")).await.expect(200).at("/state") == wanted).await;
    };
    let clean = sent(&anna, PDF).await;
    assert_eq!(clean.at("/state"), "quarantined");
    assert!(clean.body["links"].as_array().unwrap().iter().all(|link| link["rel"] != "content"), "{clean}");
    state(&clean, "clean").await;
    let (status, _, bytes) = anna.get(&path(&clean, "/content")).bytes().await;
    assert_eq!((status, bytes.as_slice()), (200, PDF));

    let infected = sent(&anna, EICAR.concat().as_bytes()).await;
    state(&infected, "infected").await;
    let told = anna.get(&path(&infected, "/content")).await.problem(409, "document-not-released");
    assert_eq!(told.at("/state"), "infected");
    until("the malware is gone", async || kept(&server).len() == 1).await;
    anna.delete(&path(&infected, "")).await.expect(204);

    // What was not looked through is neither clean nor malware.
    let large = sent(&anna, TOO_LARGE.as_bytes()).await;
    state(&large, "failed").await;
    assert_eq!(kept(&server).len(), 2);
    anna.delete(&path(&large, "")).await.expect(204);

    daemon.is_broken.store(true, Ordering::SeqCst);
    let unknown = sent(&anna, PDF).await;
    state(&unknown, "failed").await;
    let told = anna.get(&path(&unknown, "/content")).await.problem(409, "document-not-released");
    assert_eq!(told.at("/state"), "failed");
    daemon.is_broken.store(false, Ordering::SeqCst);
    state(&unknown, "clean").await;
    anna.get(&path(&unknown, "/content")).await.expect(200);
    assert!(daemon.scans.load(Ordering::SeqCst) >= 4);

    // Each of them was told once, and without saying whose it is or what it is called.
    for (document, scanned) in [(&clean, 1), (&infected, 1), (&unknown, 2)] {
        let events =
            server.client("admin").get("/events").query("subject_id", document.text_at("/id")).await.expect(200);
        let told = events.items().iter().filter(|event| event["type"] == "document.scanned");
        assert_eq!(told.count(), scanned, "{events}");
        assert!(!events.text.contains("Planimetria"), "{events}");
    }
    until("nothing is to be deleted", async || rows::count(&world, "document_discards").await == 0).await;
}
