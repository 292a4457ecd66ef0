//! What is deleted by itself.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use diesel::prelude::*;
use documents::{files::store, schema::documents as d};
use jiff::SignedDuration;
use storage::types::{At, Key};
use tests::{Answer, Server, both_databases};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{
    PDF, files, kept, path,
    refused::{attached, id},
    sent, swept, until,
};
use crate::{rows, world::World};

both_databases!(
    swept => what_nobody_attaches_goes, bytes_without_a_row_go, what_was_begun_and_never_finished_goes,
    who_hangs_up_leaves_it_whole_or_not_at_all,
);

async fn what_nobody_attaches_goes(server: Server) {
    let world = World::of(&server).await;
    let anna = server.client("citizen_a");
    let (orphan, fresh, kept_one) = (sent(&anna, PDF).await, sent(&anna, PDF).await, sent(&anna, PDF).await);
    attached(&world, &kept_one).await;
    for document in [&orphan, &kept_one] {
        age(&world, document, 49).await;
    }
    age(&world, &fresh, 47).await;
    until("the orphan is gone", async || anna.get(&path(&orphan, "")).await.status == 404).await;
    until("and its bytes", async || kept(&server).len() == 2).await;
    for document in [&fresh, &kept_one] {
        let (status, _, bytes) = anna.get(&path(document, "/content")).bytes().await;
        assert_eq!((status, bytes.as_slice()), (200, PDF));
    }
    until("nothing is to be deleted", async || rows::count(&world, "document_discards").await == 0).await;
}

/// A gateway that dies between the store and the commit leaves bytes and the row that has them deleted.
async fn bytes_without_a_row_go(server: Server) {
    let world = World::of(&server).await;
    let key = format!("{}/ab/left-behind", world.tenant.tenant_id);
    let place = server.folder().join("documents").join(&key);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(&place, PDF).unwrap();
    // Not yet: it may still be written to.
    let planned = key.clone();
    world
        .write(move |tx| {
            let due_at = tx.now() + SignedDuration::from_secs(4);
            store::discard(tx, &planned, due_at)
        })
        .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(place.exists());
    until("it is gone", async || kept(&server).is_empty()).await;
    until("nothing is to be deleted", async || rows::count(&world, "document_discards").await == 0).await;
    // Once somebody is deleting the bytes, they are no document's any more.
    let late = world
        .write(move |tx| {
            let now = tx.now();
            store::discard(tx, "late", now)?;
            let claimed = store::claim_discards(tx, now + SignedDuration::from_mins(1), 10)?;
            let kept = store::keep(tx, "late")?;
            store::discarded(tx, &claimed)?;
            Ok((claimed, kept))
        })
        .await;
    assert_eq!(late, (vec!["late".to_owned()], false));
    // And where the bytes came after that, they are deleted all the same; those of a document are not.
    let kept_one = sent(&server.client("citizen_a"), PDF).await;
    let [of_it]: [PathBuf; 1] = kept(&server).try_into().unwrap();
    let known = of_it.strip_prefix(server.folder().join("documents")).unwrap().display().to_string();
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(&place, PDF).unwrap();
    world
        .write(move |tx| {
            store::discard_now(tx, &key)?;
            store::discard_now(tx, &known)
        })
        .await;
    until("what came too late is gone", async || !place.exists()).await;
    until("nothing is to be deleted", async || rows::count(&world, "document_discards").await == 0).await;
    let (status, _, _) = server.client("citizen_a").get(&path(&kept_one, "/content")).bytes().await;
    assert_eq!(status, 200);
}

/// Once a file has come in it becomes a document or nothing, whether or not somebody waits for the answer.
async fn who_hangs_up_leaves_it_whole_or_not_at_all(server: Server) {
    let world = World::of(&server).await;
    let address = server.base_url().trim_start_matches("http://").to_owned();
    let credentials = server.credentials();
    for pause in [0, 1, 2, 5, 10, 20, 50] {
        let head = format!(
            "POST /{}/v1/documents HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
             Idempotency-Key: hung-up-after-{pause}-milliseconds\r\nContent-Length: {}\r\n\r\n",
            credentials.tenant,
            credentials.tokens["citizen_a"],
            PDF.len()
        );
        let mut connection = TcpStream::connect(&address).await.unwrap();
        connection.write_all(&[head.as_bytes(), PDF].concat()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(pause)).await;
        drop(connection);
    }
    sent(&server.client("citizen_a"), PDF).await;
    until("each is a document or nothing", async || {
        let files = i64::try_from(kept(&server).len()).unwrap();
        rows::count(&world, "document_discards").await == 0 && rows::count(&world, "documents").await == files
    })
    .await;
    // Nobody's place is taken any more.
    for _ in 0..3 {
        sent(&server.client("citizen_a"), PDF).await;
    }
}

async fn what_was_begun_and_never_finished_goes(server: Server) {
    let folder = server.folder().join("documents/half");
    fs::create_dir_all(&folder).unwrap();
    let (old, new) = (folder.join("abc#1"), folder.join("def#1"));
    for file in [&old, &new] {
        fs::write(file, PDF).unwrap();
    }
    let long_ago = SystemTime::from(jiff_now()) - Duration::from_secs(49 * 3600);
    fs::File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    until("what is old is gone", async || files(&folder) == [new.clone()]).await;
}

fn jiff_now() -> jiff::Timestamp {
    kernel::Clock::now(&kernel::SystemClock)
}

/// Makes a document so many hours old.
async fn age(world: &World, document: &Answer, hours: i64) {
    let id = id(document);
    world
        .write(move |tx| {
            let created_at = At(tx.now() - SignedDuration::from_hours(hours));
            let mine = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(id)));
            diesel::update(mine).set(d::created_at.eq(created_at)).execute(tx.conn())?;
            Ok(())
        })
        .await;
}
