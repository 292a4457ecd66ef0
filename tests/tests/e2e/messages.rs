//! Messages to people, as a mail server and App IO receive them.

mod app_io;
mod record;
mod several;
mod words;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use diesel::prelude::*;
use platform::{outbox::StoredEvent, schema::outbox_events as e};
use serde_json::{Value, json};
use storage::types::Key;
use tempfile::TempDir;
use tests::{Answer, Backend, Client, Counterpart, Server, Setup, both_databases, reaper};

use crate::world::{Desk, Plan, World};

/// A server, and who carries its messages. Nothing where counterparts are not installed.
pub(crate) struct Posted {
    pub(crate) server: Server,
    pub(crate) post: Post,
}

/// A mail server and App IO, and what both were handed.
pub(crate) struct Post {
    folder: TempDir,
    mail: Counterpart,
    io: Counterpart,
}

impl Post {
    pub(crate) fn open() -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("post-").tempdir_in(reaper::folder()).unwrap();
        let path = folder.path().display().to_string();
        let (mail, io) = (Counterpart::start("mail.py", &[&path])?, Counterpart::start("app_io.py", &[&path])?);
        Some(Self { folder, mail, io })
    }

    /// The settings of a server that writes to people through these.
    pub(crate) fn settings(&self, setup: &mut Setup) {
        setup
            .env("SPORTELLO_MESSAGES__SMTP__HOST", "127.0.0.1")
            .env("SPORTELLO_MESSAGES__SMTP__PORT", &self.mail.port().to_string())
            .env("SPORTELLO_MESSAGES__SMTP__TLS", "none")
            .env("SPORTELLO_MESSAGES__SMTP__FROM", "sportello@comune.example")
            .set("messages.app_io_base_url", self.io.url())
            .set("messages.poll_seconds", 1);
    }

    /// Tells the mail server what to refuse.
    #[expect(clippy::needless_pass_by_value, reason = "a literal, not worth an ampersand")]
    pub(crate) fn refuse(&self, what: Value) {
        fs::write(self.folder.path().join("refuse.json"), what.to_string()).unwrap();
    }

    /// Tells App IO who uses it and how it answers.
    #[expect(clippy::needless_pass_by_value, reason = "a literal, not worth an ampersand")]
    pub(crate) fn profiles(&self, what: Value) {
        fs::write(self.folder.path().join("io.json"), what.to_string()).unwrap();
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn kept(&self, kind: &str) -> Vec<Value> {
        let is_kept = |name: &str| name.starts_with(kind) && name.ends_with(".json");
        let mut paths: Vec<_> = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| is_kept(path.file_name().unwrap().to_str().unwrap()));
        paths.sort();
        paths.iter().map(|path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()).collect()
    }

    /// The e-mails so far to an address; to anybody where none is given.
    pub(crate) fn mails(&self, to: &str) -> Vec<Value> {
        let mails = self.kept("mail-").into_iter();
        mails.filter(|mail| to.is_empty() || mail["envelope"]["to"] == json!([to])).collect()
    }

    /// The messages of App IO so far. What its contract forbids was not sent.
    pub(crate) fn io_messages(&self) -> Vec<Value> {
        assert_eq!(self.kept("breach-"), Vec::<Value>::new());
        self.kept("io-")
    }

    /// Waits for so many e-mails to an address.
    pub(crate) async fn wait(&self, to: &str, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let mails = self.mails(to);
            if mails.len() >= count {
                assert_eq!(mails.len(), count, "{mails:#?}");
                return mails;
            }
            assert!(Instant::now() < deadline, "{} of {count} mails to {to}", mails.len());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

pub(crate) fn posted(backend: Backend) -> Option<Posted> {
    let post = Post::open()?;
    let server = Server::demo_with(backend, |setup| post.settings(setup));
    Some(Posted { server, post })
}

both_databases!(posted =>
    a_person_is_told_what_happens_to_their_appointment,
    a_letter_is_one_that_mail_programs_read,
    who_is_not_there_now_is_written_to_later,
);

/// Waits until what happened to an appointment has had its effect on what is planned; a second time changes nothing.
pub(crate) async fn publish(world: &World, appointment: &Answer) {
    let id: kernel::Id<()> = appointment.text_at("/id").parse().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let published = world.write(move |tx| {
            let mine = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::subject_id.eq(Key(id)));
            let events: Vec<StoredEvent> =
                mine.order(e::subject_version).select(StoredEvent::as_select()).load(tx.conn())?;
            assert!(!events.is_empty(), "nothing has happened");
            if events.iter().any(|event| event.position.is_none()) {
                return Ok(false);
            }
            events.iter().try_for_each(|event| booking::messages::react(tx, event)).map(|()| true)
        });
        if published.await {
            return;
        }
        assert!(Instant::now() < deadline, "the events of {appointment} are not published");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What is planned and was sent about an appointment, as its office sees it, in the order of planning.
pub(crate) async fn messages_of(admin: &Client, appointment: &Answer) -> Vec<Value> {
    let path = format!("/appointments/{}/messages", appointment.text_at("/id"));
    let mut messages = admin.get(&path).await.expect(200).items().to_vec();
    messages.reverse();
    messages
}

/// Kind and state of each.
pub(crate) fn states(messages: &[Value]) -> Vec<(&str, &str)> {
    messages.iter().map(|m| (m["kind"].as_str().unwrap(), m["state"].as_str().unwrap())).collect()
}

/// Waits until a message of this kind is in this state.
pub(crate) async fn wait_for(admin: &Client, appointment: &Answer, kind: &str, state: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let messages = messages_of(admin, appointment).await;
        if let Some(found) = messages.iter().find(|m| m["kind"] == kind && m["state"] == state) {
            return found.clone();
        }
        assert!(Instant::now() < deadline, "no {kind} that is {state}: {messages:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Lets a message that waits be due now.
pub(crate) async fn hurry(world: &World, message: &Value) {
    use platform::schema::messages as m;
    let id: platform::messages::MessageId = message["id"].as_str().unwrap().parse().unwrap();
    world
        .write(move |tx| {
            let now = storage::types::At(tx.now());
            let row = m::table.filter(m::tenant_id.eq(Key(tx.tenant()))).filter(m::id.eq(Key(id)));
            diesel::update(row).set(m::next_attempt_at.eq(now)).execute(tx.conn())?;
            Ok(())
        })
        .await;
}

pub(crate) async fn desk_of(server: &Server) -> (World, Desk) {
    let world = World::of(server).await;
    let desk = world.desk(Plan { capacity: 50, ..Plan::default() }).await;
    (world, desk)
}

fn address(order: &Value) -> String {
    order["applicant"]["email"].as_str().unwrap().to_owned()
}

async fn a_person_is_told_what_happens_to_their_appointment(posted: Option<Posted>) {
    let Some(Posted { server, post }) = posted else { return };
    let (world, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    let order = desk.order(desk.at(5, 9, 0));
    let to = address(&order);
    let german = server.anonymous().post("/appointments", order).fresh_key().header("Accept-Language", "de");
    let booked = german.await.expect(201);
    publish(&world, &booked).await;
    let mails = post.wait(&to, 1).await;
    assert!(mails[0]["headers"]["subject"].as_str().unwrap().starts_with("Termin bestätigt: "), "{mails:#?}");
    assert_eq!(mails[0]["headers"]["content-language"], "de");
    wait_for(&admin, &booked, "appointment.confirmation", "sent").await;
    let messages = messages_of(&admin, &booked).await;
    assert_eq!(states(&messages), [("appointment.confirmation", "sent"), ("appointment.reminder", "planned")]);
    assert_eq!(messages[0]["content"]["recipient"], to);
    assert_eq!(messages[0]["content"]["subject"], mails[0]["headers"]["subject"]);
    assert_eq!((&messages[0]["channel"], &messages[0]["language"]), (&json!("email"), &json!("de")));

    // It is moved: the reminder for the old time goes, and one for the new time comes.
    let path = |what: &str| format!("/appointments/{}/{what}", booked.text_at("/id"));
    let token = booked.text_at("/manage_token");
    let new_time = kernel::civil::format_rfc3339(desk.at(6, 11, 15));
    let moving = json!({ "starts_at": new_time, "manage_token": token });
    server.anonymous().post(&path("rescheduling"), moving).await.expect(200);
    publish(&world, &booked).await;
    let mails = post.wait(&to, 2).await;
    assert!(mails[1]["headers"]["subject"].as_str().unwrap().starts_with("Termin verschoben: "), "{mails:#?}");
    wait_for(&admin, &booked, "appointment.change", "sent").await;
    let messages = messages_of(&admin, &booked).await;
    assert_eq!(
        states(&messages),
        [
            ("appointment.confirmation", "sent"),
            ("appointment.reminder", "withdrawn"),
            ("appointment.change", "sent"),
            ("appointment.reminder", "planned"),
        ]
    );
    let day_before = kernel::civil::format_rfc3339(desk.at(5, 11, 15));
    assert_eq!(messages[3]["send_at"], day_before);

    // Its time comes.
    hurry(&world, &messages[3]).await;
    let mails = post.wait(&to, 3).await;
    assert!(mails[2]["headers"]["subject"].as_str().unwrap().starts_with("Erinnerung: "), "{mails:#?}");
    assert!(mails[2]["parts"][0]["content"].as_str().unwrap().contains("11:15 Uhr"), "{mails:#?}");

    server.anonymous().post(&path("cancellation"), json!({ "manage_token": token })).await.expect(200);
    publish(&world, &booked).await;
    let mails = post.wait(&to, 4).await;
    let calendar = mails[3]["parts"].as_array().unwrap().last().unwrap();
    assert!(calendar["content"].as_str().unwrap().contains("STATUS:CANCELLED"), "{calendar}");
    wait_for(&admin, &booked, "appointment.cancellation", "sent").await;

    // Nobody is in the log.
    let log = server.log();
    for personal in [to.as_str(), booked.text_at("/code"), "Persona"] {
        assert!(!log.contains(personal), "{personal} was logged");
    }
}

async fn a_letter_is_one_that_mail_programs_read(posted: Option<Posted>) {
    let Some(Posted { server, post }) = posted else { return };
    let (world, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    let wishes = json!({ "messages": { "sender_name": "Città di Bugliano", "reply_to": "urp@comune.example" } });
    admin.patch("/settings", wishes).if_match("*").await.expect(200);
    let mut order = desk.order(desk.at(5, 10, 0));
    order["applicant"]["given_name"] = json!("Niccolò <b>");
    let to = address(&order);
    let booked = server.anonymous().post("/appointments", order).fresh_key().await.expect(201);
    publish(&world, &booked).await;
    let mail = post.wait(&to, 1).await.remove(0);
    assert_eq!(mail["defects"], json!([]), "{mail:#}");
    assert_eq!(mail["seen_twice"], json!([]), "{mail:#}");
    assert_eq!(
        mail["structure"],
        json!(["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/calendar"])
    );
    assert_eq!(mail["from"], json!([["Città di Bugliano", "sportello@comune.example"]]));
    assert_eq!(mail["envelope"]["from"], "sportello@comune.example");
    assert_eq!(mail["to"][0][0].as_str().unwrap().split(" Prova").next(), Some("Niccolò <b>"), "{mail:#}");
    assert_eq!(mail["headers"]["reply-to"], "urp@comune.example");
    assert_eq!(mail["headers"]["auto-submitted"], "auto-generated");
    assert_eq!(mail["dated"], true);
    let message = wait_for(&admin, &booked, "appointment.confirmation", "sent").await;
    let id = message["id"].as_str().unwrap();
    assert_eq!(mail["headers"]["message-id"], format!("<{id}@comune.example>"));
    let [text, html, calendar] = mail["parts"].as_array().unwrap().as_slice() else { panic!("{mail:#}") };
    for part in [text, html, calendar] {
        assert_eq!(part["charset"], "utf-8", "{part}");
    }
    let code = booked.text_at("/code");
    let (words, html) = (text["content"].as_str().unwrap(), html["content"].as_str().unwrap());
    assert!(
        words.contains("Buongiorno Niccolò <b>,") && words.contains(code) && words.contains("ore 10:00"),
        "{words}"
    );
    assert!(html.contains("<html lang=\"it\">") && html.contains("Niccolò &lt;b&gt;") && html.contains(code), "{html}");
    assert!(!html.contains("<img") && !html.contains("http"), "{html}");
    assert_eq!((&calendar["method"], &calendar["name"]), (&json!("PUBLISH"), &json!("appuntamento.ics")));
    let entry = calendar["content"].as_str().unwrap();
    assert!(
        entry.starts_with("BEGIN:VCALENDAR") && entry.contains(&format!("UID:{}", booked.text_at("/id"))),
        "{entry}"
    );
    assert!(entry.contains("DTSTART;TZID=Europe/Rome:") && entry.contains("T100000"), "{entry}");
}

async fn who_is_not_there_now_is_written_to_later(posted: Option<Posted>) {
    let Some(Posted { server, post }) = posted else { return };
    let (world, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    let orders = [desk.order(desk.at(5, 9, 0)), desk.order(desk.at(5, 9, 15))];
    let [later, never] = [address(&orders[0]), address(&orders[1])];
    post.refuse(json!({ "later": 1, "never": [never] }));
    let [first, second] = orders;
    let booked = server.anonymous().post("/appointments", first).fresh_key().await.expect(201);
    publish(&world, &booked).await;
    let waiting = loop {
        let messages = messages_of(&admin, &booked).await;
        if messages[0]["outcome"] == "smtp-451" {
            break messages[0].clone();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("planned"), &json!(1)));
    assert!(waiting["next_attempt_at"].as_str() > waiting["send_at"].as_str(), "{waiting}");
    hurry(&world, &waiting).await;
    post.wait(&later, 1).await;
    let sent = wait_for(&admin, &booked, "appointment.confirmation", "sent").await;
    assert_eq!((&sent["attempts"], &sent["outcome"]), (&json!(2), &Value::Null));

    // Who is refused for good is not tried again by itself.
    let booked = server.anonymous().post("/appointments", second).fresh_key().await.expect(201);
    publish(&world, &booked).await;
    let failed = wait_for(&admin, &booked, "appointment.confirmation", "failed").await;
    assert_eq!((&failed["outcome"], &failed["attempts"]), (&json!("smtp-550"), &json!(1)));
    assert_eq!(failed.get("content"), None);
    post.refuse(json!({}));
    let path = format!("/messages/{}/replays", failed["id"].as_str().unwrap());
    admin.post(&path, json!({})).await.problem(428, "precondition-required");
    admin.post(&path, json!({})).if_match("\"1\"").await.problem(412, "version-mismatch");
    let again = admin.post(&path, json!({})).if_match(format!("\"{}\"", failed["version"])).await.expect(200);
    assert_eq!((again.text_at("/state"), again.at("/attempts")), ("planned", &json!(0)));
    post.wait(&never, 1).await;
    wait_for(&admin, &booked, "appointment.confirmation", "sent").await;
    admin.post(&path, json!({})).if_match("*").await.problem(409, "invalid-transition");
}
