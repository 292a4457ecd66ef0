//! What was written to people: told to them, and gone when they are.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use platform::{
    messages::MessageState,
    schema::{message_contents as c, messages as m},
};
use serde_json::{Value, json};
use storage::types::Key;
use tests::{Answer, Client, both_databases};

use super::{Cast, NAMESAKE, ZENOBIA, about, age, command, order, path, section};
use crate::{
    messages::{Posted, hurry, messages_of, posted, wait_for},
    mint,
    world::World,
};

both_databases!(posted =>
    an_export_holds_what_was_written_to_them,
    what_waits_goes_to_whom_it_is_for_now,
    what_is_being_sent_is_theirs_to_whom_it_goes,
    letters_follow_who_is_known_better,
    nothing_that_was_written_is_left_of_nobody,
);

const HERS: &str = "zq@posta.example";
const OTHERS: &str = "omonima@posta.example";

/// The messages in what the office exports of somebody.
async fn exported(admin: &Client, tax_code: &str) -> Vec<Value> {
    let export = admin.post("/personal-data-exports", about(tax_code)).await.expect(200);
    section(&export.body, "appointments", "messages").to_vec()
}

/// Whom those that were sent went to, each once.
fn recipients(messages: &[Value]) -> Vec<&str> {
    let mut found: Vec<_> = messages.iter().filter_map(|message| message["content"]["recipient"].as_str()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn of<'a>(messages: &'a [Value], appointment: &Answer) -> Vec<&'a Value> {
    messages.iter().filter(|message| message["subject_id"] == appointment.body["id"]).collect()
}

async fn an_export_holds_what_was_written_to_them(posted: Option<Posted>) {
    let Some(Posted { server, post: _post }) = posted else { return };
    let cast = Cast::of(&server).await;
    let admin = server.client("admin");
    let citizen =
        |tax_code| server.anonymous().with_token(mint::citizen(&server, &server.credentials().tenant, tax_code));
    let (zenobia, namesake) = (citizen(ZENOBIA), citizen(NAMESAKE));
    // She books for another, and is written to herself.
    let for_another = order(&cast.desks[1], 15, NAMESAKE, HERS, "+39 050 7654321");
    let for_another = zenobia.post("/appointments", for_another).fresh_key().await.expect(201);
    for booked in [&cast.hers[0], &cast.hers[1], &cast.other, &for_another] {
        wait_for(&admin, booked, "appointment.confirmation", "sent").await;
    }
    wait_for(&admin, &cast.hers[2], "appointment.cancellation", "sent").await;

    let hers = exported(&admin, ZENOBIA).await;
    assert_eq!(recipients(&hers), [HERS]);
    for booked in &cast.hers {
        let about = of(&hers, booked);
        let sent = about.iter().find(|message| message["state"] == "sent").unwrap();
        let body = sent["content"]["body"].as_str().unwrap();
        assert!(body.contains(booked.text_at("/code")) && body.contains("Zenobia"), "{sent}");
    }
    assert!(hers.iter().all(|message| cast.ids().contains(&message["subject_id"].as_str().unwrap())), "{hers:#?}");
    let own = zenobia.get("/me/personal-data").await.expect(200);
    assert_eq!(section(&own.body, "appointments", "messages"), hers);

    // What was written about the other's appointment is the other's, whose mailbox it went to is not.
    let others = exported(&admin, NAMESAKE).await;
    assert_eq!(recipients(&others), [OTHERS]);
    let about_it = of(&others, &for_another);
    assert!(about_it.iter().any(|message| message["content"]["body"].is_string()), "{about_it:#?}");
    assert_eq!(others.len(), of(&others, &cast.other).len() + about_it.len(), "{others:#?}");
    assert!(!json!(others).to_string().contains(HERS), "{others:#?}");
    let own = namesake.get("/me/personal-data").await.expect(200);
    let own = section(&own.body, "appointments", "messages");
    assert_eq!((own.len(), recipients(own)), (of(&others, &cast.other).len(), vec![OTHERS]), "{own:#?}");

    // What was written to her stays hers, also when the appointment is another's from now on.
    let change = json!({ "applicant": { "tax_code": NAMESAKE, "email": OTHERS } });
    admin.patch(&path(&cast.hers[1], ""), change).if_match("*").await.expect(200);
    assert_eq!(recipients(&exported(&admin, NAMESAKE).await), [OTHERS]);
    let hers = exported(&admin, ZENOBIA).await;
    assert_eq!(recipients(&hers), [HERS]);
    assert!(of(&hers, &cast.hers[1]).iter().any(|message| message["state"] == "sent"), "{hers:#?}");
}

async fn what_waits_goes_to_whom_it_is_for_now(posted: Option<Posted>) {
    goes_to_whom_it_is_for_now(posted, MessageState::Planned).await;
}

/// A gateway has taken it, and asks whom it is for only when it has time.
async fn what_is_being_sent_is_theirs_to_whom_it_goes(posted: Option<Posted>) {
    goes_to_whom_it_is_for_now(posted, MessageState::Sending).await;
}

/// A confirmation that the mail server has put off is in this state when its appointment becomes another's.
async fn goes_to_whom_it_is_for_now(posted: Option<Posted>, state: MessageState) {
    let Some(Posted { server, post }) = posted else { return };
    let (world, desk) = crate::messages::desk_of(&server).await;
    let admin = server.client("admin");
    post.refuse(json!({ "later": 1 }));
    let booked = admin.post("/appointments", order(&desk, 9, ZENOBIA, HERS, "+39 050 7654321")).fresh_key();
    let booked = booked.await.expect(201);
    let waiting = refused_once(&admin, &booked).await;
    let id: platform::messages::MessageId = waiting["id"].as_str().unwrap().parse().unwrap();
    let taken = world.write(move |tx| {
        let row = m::table.filter(m::tenant_id.eq(Key(tx.tenant()))).filter(m::id.eq(Key(id)));
        Ok(diesel::update(row).set(m::state.eq(state)).execute(tx.conn())?)
    });
    assert_eq!(taken.await, 1);
    let change = json!({ "applicant": { "tax_code": NAMESAKE, "email": OTHERS } });
    admin.patch(&path(&booked, ""), change).if_match("*").await.expect(200);
    hurry(&world, &waiting).await;
    post.wait(OTHERS, 1).await;
    wait_for(&admin, &booked, "appointment.confirmation", "sent").await;
    assert_eq!(recipients(&exported(&admin, NAMESAKE).await), [OTHERS]);
    assert!(recipients(&exported(&admin, ZENOBIA).await).is_empty());
}

/// The message about an appointment that the mail server has put off.
async fn refused_once(admin: &Client, booked: &Answer) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let messages = messages_of(admin, booked).await;
        if let Some(waiting) = messages.iter().find(|message| message["outcome"] == "smtp-451") {
            return waiting.clone();
        }
        assert!(Instant::now() < deadline, "{messages:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn letters_follow_who_is_known_better(posted: Option<Posted>) {
    let Some(Posted { server, post: _post }) = posted else { return };
    let (_, desk) = crate::messages::desk_of(&server).await;
    let admin = server.client("admin");
    // Without a tax code somebody is known by their mailbox.
    let mut without = order(&desk, 9, ZENOBIA, HERS, "+39 050 7654321");
    without["applicant"].as_object_mut().unwrap().remove("tax_code");
    let booked = admin.post("/appointments", without).fresh_key().await.expect(201);
    wait_for(&admin, &booked, "appointment.confirmation", "sent").await;
    let known = json!({ "applicant": { "tax_code": ZENOBIA } });
    admin.patch(&path(&booked, ""), known).if_match("*").await.expect(200);
    assert_eq!(recipients(&exported(&admin, ZENOBIA).await), [HERS]);

    // And somebody whose mailbox was put right keeps what went to the wrong one.
    let mut without = order(&desk, 10, ZENOBIA, "sbagliata@posta.example", "+39 050 7654321");
    without["applicant"].as_object_mut().unwrap().remove("tax_code");
    let booked = admin.post("/appointments", without).fresh_key().await.expect(201);
    wait_for(&admin, &booked, "appointment.confirmation", "sent").await;
    let person = |email: &str| json!({ "code": booked.text_at("/code"), "email": email });
    let right = json!({
        "person": person("sbagliata@posta.example"), "request_reference": "Prot. 2/2026", "email": "giusta@posta.example"
    });
    admin.post("/personal-data-rectifications", right).await.expect(200);
    let asked = json!({ "person": person("giusta@posta.example"), "request_reference": "Prot. 3/2026" });
    let export = admin.post("/personal-data-exports", asked).await.expect(200);
    let told = section(&export.body, "appointments", "messages").to_vec();
    assert!(recipients(&told).contains(&"sbagliata@posta.example"), "{told:#?}");
}

/// Of a Comune: whom messages are for and where they stand, and all that was written.
async fn kept(world: &World) -> (Vec<(String, MessageState)>, String) {
    world
        .read(|tx| {
            let tenant = Key(tx.tenant());
            let mine = m::table.filter(m::tenant_id.eq(tenant)).select((m::person, m::state)).load(tx.conn())?;
            let written: Vec<(String, String, String)> =
                c::table.filter(c::tenant_id.eq(tenant)).select((c::recipient, c::subject, c::body)).load(tx.conn())?;
            Ok((mine, format!("{written:?}")))
        })
        .await
}

async fn nothing_that_was_written_is_left_of_nobody(posted: Option<Posted>) {
    let Some(Posted { server, post: _post }) = posted else { return };
    let cast = Cast::of(&server).await;
    let admin = server.client("admin");
    for booked in [&cast.hers[0], &cast.hers[1], &cast.other] {
        wait_for(&admin, booked, "appointment.confirmation", "sent").await;
        wait_for(&admin, booked, "appointment.reminder", "planned").await;
    }
    wait_for(&admin, &cast.hers[2], "appointment.cancellation", "sent").await;
    let export = admin.post("/personal-data-exports", about(ZENOBIA)).await.expect(200);
    let key = export.text_at("/person_key");
    let waits = |of: &[(String, MessageState)], person: &str| {
        let waiting = [MessageState::Planned, MessageState::Sending, MessageState::Parked];
        of.iter().filter(|(whose, state)| whose == person && waiting.contains(state)).count()
    };
    let (people, written) = kept(&cast.world).await;
    assert_eq!(waits(&people, key), 2);
    for trace in [HERS, cast.hers[0].text_at("/code"), cast.hers[2].text_at("/code")] {
        assert!(written.contains(trace), "{trace} was never written: {written}");
    }
    // One of them is being sent, by a gateway that will say so too late.
    let lost: kernel::Id<()> = cast.hers[0].text_at("/id").parse().unwrap();
    cast.world
        .write(move |tx| {
            let mine = m::table.filter(m::tenant_id.eq(Key(tx.tenant()))).filter(m::subject_id.eq(Key(lost)));
            diesel::update(mine.filter(m::state.eq(MessageState::Planned)))
                .set(m::state.eq(MessageState::Sending))
                .execute(tx.conn())?;
            Ok(())
        })
        .await;
    let versions = async || {
        let messages = messages_of(&admin, &cast.hers[0]).await;
        messages.iter().map(|message| message["version"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let before = versions().await;

    cast.age(740).await;
    age(&cast.world, &cast.other, 700).await;
    let retained = command(&server, &["privacy", "retain", "--tenant", &server.credentials().tenant]);
    let said = String::from_utf8(retained.stdout).unwrap();
    assert!(said.contains("3 disposed of"), "{said}");

    let (people, written) = kept(&cast.world).await;
    assert!(people.iter().all(|(person, _)| person != key), "{people:?}");
    let waiting = people.iter().filter(|(_, state)| !matches!(state, MessageState::Sent | MessageState::Withdrawn));
    assert_eq!(waiting.count(), 1, "the reminder of the one that is not due: {people:?}");
    let codes = cast.hers.iter().map(|booked| booked.text_at("/code"));
    for trace in codes.chain([HERS, ZENOBIA]) {
        assert!(!written.contains(trace), "{trace} is still written: {written}");
    }
    assert!(written.contains(OTHERS) && written.contains(cast.other.text_at("/code")), "{written}");
    // Whoever is sending it meanwhile finds another version than the one that they took.
    assert!(versions().await[1] > before[1]);
    for booked in &cast.hers {
        let messages = messages_of(&admin, booked).await;
        assert!(!messages.is_empty(), "that something was written stays");
        assert!(messages.iter().all(|message| message.get("content").is_none()), "{messages:#?}");
    }
    assert!(exported(&admin, ZENOBIA).await.is_empty());
}
