//! The same in a store that speaks S3.

use tests::{Backend, Client, Counterpart, Server};

use super::{PDF, folder, kept, path, send, sent, sweeping_often, until};
use crate::{rows, world::World};

const BUCKET: &str = "documents";

fn in_bucket(backend: Backend, endpoint: &str) -> Server {
    let secret = folder("s3-").join("secret");
    std::fs::write(&secret, "a secret of nobody's\n").unwrap();
    Server::demo_with(backend, |setup| {
        sweeping_often(setup);
        setup
            .env("SPORTELLO_DOCUMENTS__S3__BUCKET", BUCKET)
            .env("SPORTELLO_DOCUMENTS__S3__ENDPOINT", endpoint)
            .env("SPORTELLO_DOCUMENTS__S3__ACCESS_KEY_ID", "nobody")
            .env("SPORTELLO_DOCUMENTS__S3__SECRET_KEY_FILE", &secret.display().to_string());
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite() {
    files_lie_in_a_bucket(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres() {
    if Backend::Postgres.available() {
        files_lie_in_a_bucket(Backend::Postgres).await;
    }
}

async fn files_lie_in_a_bucket(backend: Backend) {
    let Some(s3) = Counterpart::start("s3.py", &[BUCKET]) else { return };
    let server = in_bucket(backend, &s3.url());
    let world = World::of(&server).await;
    let bucket = Client::new(s3.url());
    let listed = async || {
        let answer = bucket.get(&format!("/{BUCKET}?list-type=2")).await.expect(200);
        answer.text.matches("<Key>").count()
    };
    let anna = server.client("citizen_a");
    let small = sent(&anna, PDF).await;
    // Longer than one piece, so that it is put together of several.
    let text = "una riga di testo come tante altre\n".repeat(300_000);
    let large = send(&anna, "text/plain", "elenco.txt", text.clone()).await.expect(201);
    assert_eq!(listed().await, 2);
    assert!(kept(&server).is_empty());
    let (_, _, bytes) = anna.get(&path(&small, "/content")).bytes().await;
    assert_eq!(bytes, PDF);
    let (_, _, bytes) = anna.get(&path(&large, "/content")).bytes().await;
    assert!(bytes == text.as_bytes());
    let (status, _, bytes) = anna.get(&path(&large, "/content")).header("Range", "bytes=9000000-9000034").bytes().await;
    assert_eq!((status, bytes.as_slice()), (206, &text.as_bytes()[9_000_000..9_000_035]));
    anna.delete(&path(&small, "")).await.expect(204);
    anna.delete(&path(&large, "")).await.expect(204);
    until("the bucket is empty", async || listed().await == 0).await;
    until("nothing is to be deleted", async || rows::count(&world, "document_discards").await == 0).await;

    let another = sent(&anna, PDF).await;
    drop(s3);
    // What is known of it is there, and what is in it is not.
    anna.get(&path(&another, "")).await.expect(200);
    anna.get(&path(&another, "/content")).await.problem(503, "documents-unavailable");
    send(&anna, "application/pdf", "a.pdf", PDF).await.problem(503, "documents-unavailable");
    assert_eq!(rows::count(&world, "documents").await, 1);
}
