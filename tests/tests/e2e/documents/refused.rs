//! What is refused, and that nothing of it is left: no row, no byte in the store, no file beside it.

use std::{io::Read, path::PathBuf, sync::LazyLock, time::Duration};

use diesel::prelude::*;
use documents::{
    files::{DocumentId, attach, model::DocumentState},
    problems::{
        ARCHIVE_NOT_ACCEPTED, DOCUMENT_ATTACHED, DOCUMENT_NOT_RELEASED, DOCUMENT_QUOTA_REACHED, DOCUMENT_TOO_LARGE,
        DOCUMENT_TYPE_MISMATCH, DOCUMENT_TYPE_NOT_ALLOWED, DOCUMENT_UNREADABLE, DOCUMENTS_UNAVAILABLE,
        RANGE_NOT_SATISFIABLE,
    },
    schema::documents as d,
};
use kernel::ProblemKind;
use platform::problems::FILES_UNAVAILABLE;
use reqwest::Method;
use serde_json::json;
use storage::{Actor, Scope, types::Key};
use tests::{Answer, Backend, Client, Server, both_databases};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use uuid::Uuid;

use super::{PDF, files, folder, kept, packed, path, send, sent};
use crate::{refusals::Refusals, rows, world::World};

/// Refusals that are provoked here.
pub(crate) static KINDS: &[&ProblemKind] = &[
    &DOCUMENT_TOO_LARGE,
    &DOCUMENT_TYPE_NOT_ALLOWED,
    &DOCUMENT_TYPE_MISMATCH,
    &DOCUMENT_UNREADABLE,
    &ARCHIVE_NOT_ACCEPTED,
    &DOCUMENT_QUOTA_REACHED,
    &DOCUMENT_ATTACHED,
    &DOCUMENT_NOT_RELEASED,
    &RANGE_NOT_SATISFIABLE,
];

/// And those of a server whose store cannot be reached.
pub(crate) static UNAVAILABLE: &[&ProblemKind] = &[&DOCUMENTS_UNAVAILABLE, &FILES_UNAVAILABLE];

both_databases!(small => whoever_sends_what_is_not_taken_is_told, what_is_cut_off_leaves_nothing, what_is_too_long_is_not_read);
both_databases!(for_one => what_cannot_be_had_now_is_told);

/// Where files lie while they are looked at: one folder for all of these servers.
static SPOOL: LazyLock<PathBuf> = LazyLock::new(|| folder("spool-"));

const MOST: usize = 300_000;

fn small(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| {
        setup
            .set("documents.max_bytes", i64::try_from(MOST).unwrap())
            .set("documents.max_unattached", 5)
            .set("documents.spool_folder", SPOOL.display().to_string());
    })
}

fn for_one(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| {
        setup.set("documents.max_uploads", 1);
    })
}

/// A PNG that claims to be a wall.
fn wall() -> Vec<u8> {
    let chunk = |kind: &[u8], data: &[u8]| {
        let mut check = flate2::Crc::new();
        check.update(kind);
        check.update(data);
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], kind, data, &check.sum().to_be_bytes()].concat()
    };
    let side = 60_000_u32.to_be_bytes();
    let head = [&side[..], &side, &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".as_slice(), &chunk(b"IHDR", &head), &chunk(b"IDAT", b"x"), &chunk(b"IEND", b"")].concat()
}

async fn whoever_sends_what_is_not_taken_is_told(server: Server) {
    let world = World::of(&server).await;
    let anna = server.client("citizen_a");
    let mut refused = Refusals::of(&world);
    let any = "application/octet-stream";
    let zeros = vec![0; 20 * 1024 * 1024];
    let types: (&str, &[u8]) = ("[Content_Types].xml", b"<Types/>");
    let bomb = packed(&[types, ("word/document.xml", &zeros)]);
    assert!(bomb.len() < MOST, "{}", bomb.len());
    let word = packed(&[types, ("word/document.xml", b"<w/>")]);
    let half = word[..word.len() / 2].to_vec();
    let macros = packed(&[types, ("word/document.xml", b"<w/>"), ("word/vbaProject.bin", b"x")]);
    let listed: (&str, &[u8]) =
        ("[Content_Types].xml", b"<Types><Override ContentType='a.macroEnabled.main+xml'/></Types>");
    let other_macros = packed(&[listed, ("word/document.xml", b"<w/>"), ("word/other.bin", b"x")]);
    let outside = packed(&[types, ("word/document.xml", b"<w/>"), ("../../etc/passwd", b"x")]);
    let exe = b"MZ\x90\0\x03\0\0\0\x04".to_vec();
    let cases: Vec<(&'static ProblemKind, &str, Vec<u8>)> = vec![
        (&DOCUMENT_TOO_LARGE, any, vec![b'a'; MOST + 1]),
        (&DOCUMENT_TYPE_MISMATCH, "application/pdf", b"\x89PNG\r\n\x1a\n and more".to_vec()),
        (&DOCUMENT_TYPE_MISMATCH, "application/pdf", exe.clone()),
        (&DOCUMENT_TYPE_MISMATCH, "text/plain", PDF.to_vec()),
        (&DOCUMENT_TYPE_MISMATCH, "text/plain", b"text at first ".repeat(1000).into_iter().chain([0]).collect()),
        (&DOCUMENT_TYPE_MISMATCH, "image/jpeg", b"<html>".to_vec()),
        (&DOCUMENT_TYPE_NOT_ALLOWED, any, exe),
        (&DOCUMENT_TYPE_NOT_ALLOWED, any, b"<!doctype html><script>alert(1)</script>".to_vec()),
        (&DOCUMENT_TYPE_NOT_ALLOWED, any, packed(&[("malware.js", b"x")])),
        (&DOCUMENT_TYPE_NOT_ALLOWED, any, macros),
        (&DOCUMENT_TYPE_NOT_ALLOWED, any, other_macros),
        (&DOCUMENT_TYPE_NOT_ALLOWED, "application/vnd.ms-excel", b"a;b\n".to_vec()),
        (&DOCUMENT_TYPE_NOT_ALLOWED, "application/x-msdownload", PDF.to_vec()),
        (&DOCUMENT_TYPE_NOT_ALLOWED, "application/json", b"{}".to_vec()),
        (&DOCUMENT_UNREADABLE, any, Vec::new()),
        (&DOCUMENT_UNREADABLE, any, b"\xff\xd8\xff\xe0\0\x10JFIF\0 and then nothing".to_vec()),
        (&DOCUMENT_UNREADABLE, any, half),
        (&ARCHIVE_NOT_ACCEPTED, any, bomb),
        (&ARCHIVE_NOT_ACCEPTED, any, outside),
    ];
    for (kind, declared, bytes) in cases {
        refused.told(kind, send(&anna, declared, "Mario Rossi.pdf", bytes)).await;
    }
    // A few bytes that claim to be a wall of pixels.
    refused.told(&DOCUMENT_UNREADABLE, send(&anna, "image/png", "a.png", wall())).await;
    let told = refused.told(&DOCUMENT_TYPE_MISMATCH, send(&anna, "application/pdf", "a", b"ciao".to_vec())).await;
    assert_eq!((told.at("/declared"), told.at("/found")), (&json!("application/pdf"), &json!("text/plain")));
    let compressed = send(&anna, any, "a", PDF.to_vec()).header("Content-Encoding", "gzip");
    compressed.await.problem(415, "unsupported-media-type");
    assert!(kept(&server).is_empty() && files(&SPOOL).is_empty());
    assert!(!server.log().contains("Mario Rossi"), "a name is in the log");

    let made = sent(&anna, PDF).await;
    let beyond = anna.get(&path(&made, "/content")).header("Range", "bytes=1000-");
    assert_eq!(refused.told(&RANGE_NOT_SATISFIABLE, beyond).await.at("/size_bytes"), &json!(PDF.len()));
    for _ in 1..4 {
        sent(&anna, PDF).await;
    }
    let last =
        |client: &Client| client.call(Method::POST, "/documents").raw(PDF).key("the-last-that-there-is-room-for");
    let fifth = last(&anna).await.expect(201);
    let told = refused.told(&DOCUMENT_QUOTA_REACHED, send(&anna, any, "a", PDF.to_vec())).await;
    assert_eq!(told.at("/max_documents"), &json!(5));
    // What is only sent once more is given its answer, and nothing is written for it.
    let again = last(&anna).await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), again.at("/id")), (Some("true"), fifth.at("/id")));
    assert_eq!((kept(&server).len(), rows::count(&world, "document_discards").await), (5, 0));
    for state in [DocumentState::Quarantined, DocumentState::Failed] {
        set_state(&world, &made, state).await;
        let told = refused.told(&DOCUMENT_NOT_RELEASED, anna.get(&path(&made, "/content"))).await;
        assert_eq!(told.at("/state"), state.as_str());
    }
    attached(&world, &made).await;
    refused.told(&DOCUMENT_ATTACHED, anna.delete(&path(&made, ""))).await;
    // What is attached no longer counts.
    sent(&anna, PDF).await;
    refused.were(KINDS);
}

/// The rest of a body that never comes.
async fn what_is_cut_off_leaves_nothing(server: Server) {
    let world = World::of(&server).await;
    let before = rows::written(&world).await;
    for framing in ["Content-Length: 200000", "Transfer-Encoding: chunked"] {
        let mut connection = begun(&server, framing).await;
        let piece = [PDF, &[b'a'; 50_000]].concat();
        if framing.starts_with('T') {
            connection.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await.unwrap();
        }
        connection.write_all(&piece).await.unwrap();
        connection.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(connection);
    }
    // And a gateway that dies in the middle of one.
    let mut server = server;
    let mut connection = begun(&server, "Content-Length: 200000").await;
    connection.write_all(&[PDF, &[b'a'; 50_000]].concat()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.kill_9();
    drop(connection);
    server.restart();
    assert_eq!(rows::written(&world).await, before);
    assert!(kept(&server).is_empty() && files(&SPOOL).is_empty());
    sent(&server.client("citizen_a"), PDF).await;
}

/// Told before a byte of it was sent, where its length is declared.
async fn what_is_too_long_is_not_read(server: Server) {
    let world = World::of(&server).await;
    let before = rows::written(&world).await;
    let mut connection = begun(&server, "Content-Length: 99999999999").await;
    let mut answer = String::new();
    while !answer.contains("document-too-large") {
        let mut piece = vec![0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(20), connection.read(&mut piece)).await;
        let read = read.expect("an answer").expect("a connection");
        assert!(read > 0, "it ended with {answer}");
        answer.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    drop(connection);
    // Where it is not, as soon as it is too much.
    let endless = futures_util::stream::iter((0..100_u8).map(|_| Ok::<_, std::io::Error>(vec![b'a'; 20_000])));
    let call = send(&server.client("citizen_a"), "text/plain", "a", reqwest::Body::wrap_stream(endless));
    // Who goes on sending may lose the connection before they hear why.
    if let Ok(answer) = call.attempt().await {
        answer.problem(413, "document-too-large");
    }
    assert_eq!(rows::written(&world).await, before);
    assert!(kept(&server).is_empty() && files(&SPOOL).is_empty());
}

async fn what_cannot_be_had_now_is_told(server: Server) {
    let world = World::of(&server).await;
    let mut refused = Refusals::of(&world);
    let anna = server.client("citizen_a");
    let made = sent(&anna, PDF).await;
    // Somebody takes their time over the one place there is.
    let slow = begun(&server, "Content-Length: 200000").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let told = refused.told(&DOCUMENTS_UNAVAILABLE, send(&anna, "application/pdf", "a.pdf", PDF.to_vec())).await;
    assert!(told.header("retry-after").is_some(), "{told}");
    drop(slow);
    // The store does not answer: where a folder was there is something else.
    let [file]: [PathBuf; 1] = kept(&server).try_into().unwrap();
    let shelf = file.parent().unwrap();
    std::fs::remove_dir_all(shelf).unwrap();
    std::fs::write(shelf, "not a folder").unwrap();
    refused.told(&DOCUMENTS_UNAVAILABLE, anna.get(&path(&made, "/content"))).await;
    refused.told(&FILES_UNAVAILABLE, anna.get("/me/personal-data-archive")).await;
    anna.get("/me/personal-data").await.expect(200);
    // It answers, and has lost the file: the archive is given without it, and says so.
    std::fs::remove_file(shelf).unwrap();
    refused.told(&DOCUMENTS_UNAVAILABLE, anna.get(&path(&made, "/content"))).await;
    let (status, _, bytes) = anna.get("/me/personal-data-archive").bytes().await;
    assert_eq!(status, 200);
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut left_out = String::new();
    archive.by_name("files-left-out.txt").unwrap().read_to_string(&mut left_out).unwrap();
    assert_eq!(left_out, format!("documents/{}/{}: lost", made.text_at("/id"), made.text_at("/name")));
    assert!(archive.by_name("personal-data.json").is_ok());
    assert!(!server.log().contains(made.text_at("/name")), "a name is in the log");
    refused.were(UNAVAILABLE);
}

async fn begun(server: &Server, framing: &str) -> TcpStream {
    let address = server.base_url().trim_start_matches("http://").to_owned();
    let mut connection = TcpStream::connect(&address).await.unwrap();
    let credentials = server.credentials();
    let head = format!(
        "POST /{}/v1/documents HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nIdempotency-Key: cut-off-half-way\r\n\
         Content-Type: application/pdf\r\n{framing}\r\n\r\n",
        credentials.tenant, credentials.tokens["citizen_a"]
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
}

pub(super) fn id(document: &Answer) -> DocumentId {
    DocumentId::from_uuid(document.text_at("/id").parse::<Uuid>().unwrap())
}

pub(super) async fn set_state(world: &World, document: &Answer, state: DocumentState) {
    let id = id(document);
    world
        .write(move |tx| {
            let mine = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(id)));
            diesel::update(mine).set(d::state.eq(state)).execute(tx.conn())?;
            Ok(())
        })
        .await;
}

/// Attaches a document to something, as a domain does in the name of who sent it in.
pub(super) async fn attached(world: &World, document: &Answer) {
    let id = id(document);
    let owner: String = world
        .read(move |tx| {
            let mine = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(id)));
            Ok(mine.select(d::owner).first(tx.conn())?)
        })
        .await;
    let (kind, who) = owner.split_once(':').unwrap();
    let scope = Scope { tenant: world.tenant.tenant_id, actor: Actor::new(kind, who) };
    let made = world.db.write(&scope, move |tx| {
        let subject = tx.new_id();
        attach(tx, id, "request", subject)
    });
    assert_eq!(made.await.unwrap().subject_kind.as_deref(), Some("request"));
    let again = world.db.write(&scope, move |tx| {
        let subject = tx.new_id();
        attach(tx, id, "request", subject)
    });
    assert_eq!(again.await.unwrap_err().kind.slug, "document-attached");
    let system = Scope::system(world.tenant.tenant_id);
    let strange = world.db.write(&system, move |tx| {
        let subject = tx.new_id();
        attach(tx, id, "request", subject)
    });
    assert_eq!(strange.await.unwrap_err().kind.slug, "not-found");
}
