//! What is deleted by itself.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use diesel::prelude::*;
use documents::{files::store, schema::documents as d};
use jiff::SignedDuration;
use storage::types::{At, Key};
use tests::{Answer, Server, both_databases};

use super::{
    PDF, files, kept, path,
    refused::{attached, id},
    sent, swept, until,
};
use crate::{rows, world::World};

both_databases!(swept => what_nobody_attaches_goes, bytes_without_a_row_go, what_was_begun_and_never_finished_goes);

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
