//! Files that people send in: what is kept of them, what is refused, and that nothing is left behind.

mod attached;
mod downloads;
mod images;
mod refused;
mod scanning;
mod stores;
mod sweeping;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tests::{Answer, Backend, Client, Server, Setup, client::Call, reaper};

pub(crate) use refused::{KINDS, UNAVAILABLE};

/// A file that is a PDF as far as anybody looks.
const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n";

/// A server that looks every second for what it is to delete.
fn swept(backend: Backend) -> Server {
    Server::demo_with(backend, sweeping_often)
}

fn sweeping_often(setup: &mut Setup) {
    setup.set("documents.sweep_seconds", 1);
}

/// Sends a file in.
pub(crate) fn send(client: &Client, media_type: &str, name: &str, bytes: impl Into<reqwest::Body>) -> Call {
    let call = client.call(reqwest::Method::POST, "/documents").header("Content-Type", media_type).raw(bytes);
    call.header("Content-Disposition", format!("attachment; filename=\"{name}\"")).fresh_key()
}

async fn sent(client: &Client, bytes: &[u8]) -> Answer {
    send(client, "application/octet-stream", "Planimetria", bytes.to_vec()).await.expect(201)
}

fn path(document: &Answer, tail: &str) -> String {
    format!("/documents/{}{tail}", document.text_at("/id"))
}

/// Every file in the folder that documents lie in.
fn kept(server: &Server) -> Vec<PathBuf> {
    files(&server.folder().join("documents"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // A folder may go while it is looked at.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

/// An empty folder, until the test process ends.
fn folder(name: &str) -> PathBuf {
    let made = tempfile::Builder::new().prefix(name).tempdir_in(reaper::folder()).unwrap();
    made.keep()
}

/// Waits until something is so.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !so().await {
        assert!(started.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// An office file of these parts.
fn packed(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
