//! Over App IO where that is possible, else by e-mail.

use serde_json::{Value, json};
use tests::{Answer, both_databases};

use super::{Post, Posted, desk_of, hurry, posted, publish, wait_for};
use crate::{
    mint,
    world::{Desk, World},
};

both_databases!(posted =>
    whoever_uses_app_io_is_written_to_there,
    who_cannot_be_reached_there_gets_an_email,
    what_app_io_does_later_is_waited_for,
    who_wishes_otherwise_is_heeded,
);

const KEY: &str = "0123456789abcdef";

/// The Comune writes over App IO from now on.
async fn connect(posted: &Posted) {
    let admin = posted.server.client("admin");
    let path = "/connections/app-io";
    assert_eq!(admin.get(path).await.expect(200).at("/connected"), &json!(false));
    admin.put(path, json!({ "subscription_key": KEY })).await.problem(428, "precondition-required");
    let connected = admin.put(path, json!({ "subscription_key": KEY })).if_match("\"0\"").await.expect(200);
    assert!(!connected.text.contains(KEY) && !admin.get(path).await.text.contains(KEY), "{connected}");
    let wishes = json!({ "messages": { "app_io_enabled": true } });
    admin.patch("/settings", wishes).if_match("*").await.expect(200);
}

#[expect(clippy::needless_pass_by_value, reason = "a literal, not worth an ampersand")]
fn profiles(post: &Post, profile: Value, answers: Value) {
    let profiles = if profile.is_null() { json!({}) } else { json!({ (mint::TAX_CODE_A): profile }) };
    post.profiles(json!({ "key": KEY, "profiles": profiles, "answers": answers }));
}

/// The first citizen books, under an address of their own.
async fn book(posted: &Posted, world: &World, desk: &Desk, hour: i8) -> (Answer, String) {
    let mut order = desk.order(desk.at(5, hour, 0));
    let to = order["applicant"]["email"].as_str().unwrap().to_owned();
    order["applicant"]["tax_code"] = json!(mint::TAX_CODE_A);
    let booked = posted.server.client("citizen_a").post("/appointments", order).fresh_key().await.expect(201);
    publish(world, &booked).await;
    (booked, to)
}

async fn whoever_uses_app_io_is_written_to_there(posted: Option<Posted>) {
    let Some(posted) = posted else { return };
    connect(&posted).await;
    let (world, desk) = desk_of(&posted.server).await;
    let admin = posted.server.client("admin");
    profiles(&posted.post, json!({ "sender_allowed": true, "preferred_languages": ["fr_FR", "en_GB"] }), json!([]));
    let (booked, to) = book(&posted, &world, &desk, 9).await;
    let sent = wait_for(&admin, &booked, "appointment.confirmation", "sent").await;
    assert_eq!((&sent["channel"], &sent["language"]), (&json!("app_io"), &json!("en")));
    assert_eq!(sent["content"]["recipient"], mint::TAX_CODE_A);
    let messages = posted.post.io_messages();
    let [message] = messages.as_slice() else { panic!("{messages:#?}") };
    assert_eq!(message["fiscal_code"], mint::TAX_CODE_A);
    let content = &message["content"];
    assert!(content["subject"].as_str().unwrap().starts_with("Appointment confirmed: "), "{content}");
    assert!(content["markdown"].as_str().unwrap().contains(booked.text_at("/code")), "{content}");
    let due: jiff::Timestamp = content["due_date"].as_str().unwrap().parse().unwrap();
    assert_eq!(due, desk.at(5, 9, 0));
    assert_eq!(posted.post.mails(&to), Vec::<Value>::new());
    assert!(!posted.server.log().contains(mint::TAX_CODE_A) && !posted.server.log().contains(KEY));

    // Without the key it is e-mail again.
    admin.delete("/connections/app-io").if_match("*").await.expect(204);
    admin.delete("/connections/app-io").if_match("*").await.problem(404, "not-found");
    let (_, to) = book(&posted, &world, &desk, 10).await;
    posted.post.wait(&to, 1).await;
}

async fn who_cannot_be_reached_there_gets_an_email(posted: Option<Posted>) {
    let Some(posted) = posted else { return };
    connect(&posted).await;
    let (world, desk) = desk_of(&posted.server).await;
    let admin = posted.server.client("admin");
    let refused = json!([{ "path": "/messages", "status": 400 }]);
    let allowed = json!({ "sender_allowed": true });
    for (hour, profile, answers, why) in [
        (9, Value::Null, json!([]), "app-io-not-there"),
        (10, json!({ "sender_allowed": false }), json!([]), "app-io-not-allowed"),
        (11, allowed.clone(), refused, "app-io-400"),
    ] {
        profiles(&posted.post, profile, answers);
        let (booked, to) = book(&posted, &world, &desk, hour).await;
        posted.post.wait(&to, 1).await;
        let sent = wait_for(&admin, &booked, "appointment.confirmation", "sent").await;
        assert_eq!((&sent["channel"], &sent["outcome"]), (&json!("email"), &json!(why)));
    }
    assert_eq!(posted.post.io_messages(), Vec::<Value>::new());
    // A key that is not accepted says nothing about the person.
    let other = json!({ "key": "another key", "profiles": { (mint::TAX_CODE_A): allowed } });
    posted.post.profiles(other);
    let (booked, to) = book(&posted, &world, &desk, 12).await;
    posted.post.wait(&to, 1).await;
    assert_eq!(wait_for(&admin, &booked, "appointment.confirmation", "sent").await["outcome"], "app-io-key");
}

async fn what_app_io_does_later_is_waited_for(posted: Option<Posted>) {
    let Some(posted) = posted else { return };
    connect(&posted).await;
    let (world, desk) = desk_of(&posted.server).await;
    let admin = posted.server.client("admin");
    let later = json!({ "path": "/messages", "status": 429, "retry_after": 120 });
    profiles(&posted.post, json!({ "sender_allowed": true }), json!([later]));
    let (booked, to) = book(&posted, &world, &desk, 9).await;
    let waiting = waiting(&posted, &booked, "app-io-429").await;
    let [from, until] = ["created_at", "next_attempt_at"]
        .map(|name| waiting[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap());
    assert!(until.duration_since(from).as_secs() >= 115, "as long as App IO asked: {waiting}");
    hurry(&world, &waiting).await;
    let sent = wait_for(&admin, &booked, "appointment.confirmation", "sent").await;
    assert_eq!((&sent["channel"], &sent["attempts"]), (&json!("app_io"), &json!(2)));
    assert_eq!(posted.post.mails(&to), Vec::<Value>::new());

    // Not for ever: the third time an e-mail goes out.
    let broken = json!({ "path": "/profiles", "status": 500 });
    let planned = json!([later, broken, broken, broken]);
    profiles(&posted.post, json!({ "sender_allowed": true }), planned);
    let (booked, to) = book(&posted, &world, &desk, 10).await;
    for _ in 0..2 {
        let waiting = self::waiting(&posted, &booked, "app-io-500").await;
        hurry(&world, &waiting).await;
        while self::waiting(&posted, &booked, "app-io-500").await["attempts"] == waiting["attempts"] {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    posted.post.wait(&to, 1).await;
    let sent = wait_for(&admin, &booked, "appointment.confirmation", "sent").await;
    assert_eq!((&sent["channel"], &sent["outcome"]), (&json!("email"), &json!("app-io-500")));
}

/// Waits until the confirmation says why it waits, or why it was sent otherwise.
async fn waiting(posted: &Posted, booked: &Answer, outcome: &str) -> Value {
    let admin = posted.server.client("admin");
    loop {
        let messages = super::messages_of(&admin, booked).await;
        if messages[0]["outcome"] == outcome && messages[0]["state"] != "sending" {
            return messages[0].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

async fn who_wishes_otherwise_is_heeded(posted: Option<Posted>) {
    let Some(posted) = posted else { return };
    let (world, desk) = desk_of(&posted.server).await;
    let (anna, admin) = (posted.server.client("citizen_a"), posted.server.client("admin"));
    let path = "/me/message-preferences";
    let first = anna.get(path).await.expect(200);
    assert_eq!((first.text_at("/reminders"), first.at("/version")), ("app_io", &json!(0)));
    anna.put(path, json!({ "reminders": "sometimes" })).await.problem(422, "invalid-body").field("/reminders");
    let set = anna.put(path, json!({ "reminders": "none", "language": "de" })).if_match(first.etag()).await.expect(200);
    anna.put(path, json!({ "reminders": "email" })).if_match(first.etag()).await.problem(412, "version-mismatch");
    assert_eq!(anna.get(path).await.expect(200).body, set.body);
    admin.get(path).await.problem(403, "forbidden");

    let (booked, to) = book(&posted, &world, &desk, 9).await;
    let mails = posted.post.wait(&to, 1).await;
    assert_eq!(mails[0]["headers"]["content-language"], "de", "a confirmation is always told");
    let reminder = super::messages_of(&admin, &booked).await.remove(1);
    hurry(&world, &reminder).await;
    let withdrawn = wait_for(&admin, &booked, "appointment.reminder", "withdrawn").await;
    assert_eq!(withdrawn["outcome"], "not-wished");
    assert_eq!(posted.post.mails(&to).len(), 1);
}
