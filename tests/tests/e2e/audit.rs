//! The record of who changed what: whole, or found not to be.

mod entries;

use std::{fs, process::Output};

use diesel::{RunQueryDsl, sql_query};
use serde_json::Value;
use storage::types::{Key, Uid};
use tests::{Backend, Client, Server, both_databases};

use crate::world::{Desk, Plan, World};

both_databases!(empty => what_was_done_to_the_record_is_found, a_database_set_back_is_found_by_its_anchors);

fn empty(backend: Backend) -> Server {
    Server::start(backend, |_| ())
}

struct Kept {
    world: World,
    desk: Desk,
    visitor: Client,
}

impl Kept {
    /// A Comune with some dozens of entries.
    async fn of(server: &Server) -> Self {
        let world = World::another(server, "bugliano").await;
        let desk = world.desk(Plan { capacity: 8, ..Plan::default() }).await;
        let kept = Self { visitor: server.tenant("bugliano"), world, desk };
        kept.book(3).await;
        kept
    }

    async fn book(&self, days: i64) {
        for n in 0..40 {
            let at = self.desk.at(days, i8::try_from(8 + n % 8).unwrap(), 0);
            self.visitor.post("/appointments", self.desk.order(at)).fresh_key().await.expect(201);
        }
    }

    /// Does something to the rows of the Comune behind the server's back; `$1` is the tenant.
    async fn tamper(&self, sql: &'static str) {
        let changed = self
            .world
            .write(move |tx| {
                let tenant = Key(tx.tenant());
                Ok(sql_query(sql).bind::<Uid, _>(tenant).execute(tx.conn())?)
            })
            .await;
        assert!(changed > 0, "nothing was tampered with: {sql}");
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn sound(server: &Server, arguments: &[&str]) -> String {
    let output = server.cli(&[&["audit", "verify"], arguments].concat());
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output).contains("0 faults"), "{output:?}");
    text(&output)
}

#[track_caller]
fn faulty(server: &Server, arguments: &[&str], words: &str) {
    let output = server.cli(&[&["audit", "verify"], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output).contains(words), "nothing about {words:?}: {output:?}");
}

/// The longest chain of the Comune: one that has a middle. `$1` is the tenant.
const LONGEST: &str = "(SELECT lane FROM audit_lanes WHERE tenant_id = $1 ORDER BY last_seq DESC, lane LIMIT 1)";

async fn what_was_done_to_the_record_is_found(server: Server) {
    let kept = Kept::of(&server).await;
    let said = sound(&server, &[]);
    assert!(said.contains("bugliano: 40 entries"), "{said}");
    assert!(said.contains("platform: "), "{said}");
    sound(&server, &["--tenant", "bugliano"]);

    // Each is undone before the next, so that each is found by itself.
    let longest = |sql: &str| -> &'static str { Box::leak(sql.replace("LONGEST", LONGEST).into_boxed_str()) };
    for (done, undone, words) in [
        (
            "UPDATE audit_entries SET actor = actor || 'x' WHERE tenant_id = $1 AND lane = LONGEST AND seq = 1",
            "UPDATE audit_entries SET actor = substr(actor, 1, length(actor) - 1) WHERE tenant_id = $1 AND lane = LONGEST AND seq = 1",
            "entry 1: its hash does not fit",
        ),
        (
            "UPDATE audit_entries SET action = 'appointment.moved' WHERE tenant_id = $1 AND lane = LONGEST AND seq = 1 AND action = 'appointment.confirmed'",
            "UPDATE audit_entries SET action = 'appointment.confirmed' WHERE tenant_id = $1 AND lane = LONGEST AND seq = 1",
            "its hash does not fit",
        ),
        // Moved out of the way and back: taken out, seen from the chain.
        (
            "UPDATE audit_entries SET lane = 99 WHERE tenant_id = $1 AND lane = LONGEST AND seq = 1",
            "UPDATE audit_entries SET lane = LONGEST WHERE tenant_id = $1 AND lane = 99",
            "it does not follow",
        ),
        (
            "UPDATE audit_lanes SET last_seq = last_seq + 1 WHERE tenant_id = $1 AND lane = LONGEST",
            "UPDATE audit_lanes SET last_seq = last_seq - 1 WHERE tenant_id = $1 AND lane = LONGEST",
            "is not its last entry",
        ),
    ] {
        kept.tamper(longest(done)).await;
        faulty(&server, &[], words);
        kept.tamper(longest(undone)).await;
        sound(&server, &[]);
    }

    // Put in: a copy of an entry at the end, with the end moved on.
    kept.tamper(longest(
        "INSERT INTO audit_entries (tenant_id, lane, seq, id, occurred_at, actor, action, subject_kind, subject_id, before, after, previous, hash) \
         SELECT tenant_id, lane, last_seq + 1, subject_id, occurred_at, actor, action, subject_kind, subject_id, before, after, previous, hash \
         FROM (SELECT e.tenant_id, e.lane, l.last_seq, e.occurred_at, e.actor, e.action, e.subject_kind, e.subject_id, e.before, e.after, e.previous, e.hash \
         FROM audit_entries e JOIN audit_lanes l ON l.tenant_id = e.tenant_id AND l.lane = e.lane \
         WHERE e.tenant_id = $1 AND e.lane = LONGEST AND e.seq = 1) copied",
    ))
    .await;
    faulty(&server, &[], "its hash does not fit");
    kept.tamper(longest(
        "DELETE FROM audit_entries WHERE tenant_id = $1 AND lane = LONGEST AND seq > (SELECT max(last_seq) FROM audit_lanes WHERE tenant_id = $1)",
    ))
    .await;
    sound(&server, &[]);

    // The end cut off, and the end cut off with the lane set back: only an anchor tells of the latter.
    let anchors = server.folder().join("anchors");
    let anchored = server.cli(&["audit", "anchor"]);
    fs::write(&anchors, &anchored.stdout).unwrap();
    let anchors = anchors.display().to_string();
    sound(&server, &["--anchors", &anchors]);
    kept.tamper(longest(
        "DELETE FROM audit_entries WHERE tenant_id = $1 AND lane = LONGEST AND seq = (SELECT max(last_seq) FROM audit_lanes WHERE tenant_id = $1)",
    ))
    .await;
    faulty(&server, &[], "is not its last entry");
    faulty(&server, &["--tenant", "bugliano", "--anchors", &anchors], "of the anchor is gone");

    let unknown = server.cli(&["audit", "verify", "--tenant", "altrove"]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    fs::write(&anchors, "{\"tenant\":\"bugliano\"}\n").unwrap();
    let unread = server.cli(&["audit", "verify", "--anchors", &anchors]);
    assert!(String::from_utf8_lossy(&unread.stderr).contains("line 1"), "{unread:?}");
}

async fn a_database_set_back_is_found_by_its_anchors(server: Server) {
    let kept = Kept::of(&server).await;
    let anchored = server.cli(&["audit", "anchor", "--tenant", "bugliano"]);
    let path = server.folder().join("anchors");
    fs::write(&path, &anchored.stdout).unwrap();
    let path = path.display().to_string();
    for line in text(&anchored).lines() {
        let anchor: Value = serde_json::from_str(line).unwrap();
        assert_eq!(anchor["tenant"], "bugliano");
    }
    // What was added since is no fault.
    kept.book(4).await;
    sound(&server, &["--anchors", &path]);
    // Everything of an earlier day, consistent in itself.
    for sql in [
        "DELETE FROM audit_entries WHERE tenant_id = $1 AND seq > 1",
        "UPDATE audit_lanes SET last_seq = 1, last_hash = (SELECT e.hash FROM audit_entries e WHERE e.tenant_id = audit_lanes.tenant_id \
         AND e.lane = audit_lanes.lane AND e.seq = 1) WHERE tenant_id = $1",
    ] {
        kept.tamper(sql).await;
    }
    sound(&server, &[]);
    faulty(&server, &["--anchors", &path], "of the anchor is gone");
    // Nothing at all is not sound either.
    for sql in ["DELETE FROM audit_entries WHERE tenant_id = $1", "DELETE FROM audit_lanes WHERE tenant_id = $1"] {
        kept.tamper(sql).await;
    }
    sound(&server, &[]);
    faulty(&server, &["--anchors", &path], "of the anchor is gone");
}
