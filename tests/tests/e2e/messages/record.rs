//! Who sees which messages, and what is planned when.

use serde_json::{Value, json};
use tests::both_databases;

use super::{Posted, address, desk_of, hurry, messages_of, posted, publish, states, wait_for};

both_databases!(posted =>
    everybody_sees_the_messages_that_are_theirs,
    reminders_keep_to_the_time_that_the_comune_sets,
    what_is_no_longer_true_is_not_sent,
);

async fn everybody_sees_the_messages_that_are_theirs(posted: Option<Posted>) {
    let Some(Posted { server, post }) = posted else { return };
    let (world, desk) = desk_of(&server).await;
    let (admin, anna, bruno) = (server.client("admin"), server.client("citizen_a"), server.client("citizen_b"));
    let mut order = desk.order(desk.at(5, 9, 0));
    order["applicant"]["tax_code"] = json!(crate::mint::TAX_CODE_A);
    let to = address(&order);
    let booked = anna.post("/appointments", order).fresh_key().await.expect(201);
    publish(&world, &booked).await;
    post.wait(&to, 1).await;
    wait_for(&admin, &booked, "appointment.confirmation", "sent").await;

    let mine = anna.get("/me/messages").await.expect(200);
    let about = |messages: &[Value]| messages.iter().filter(|m| m["subject_id"] == booked.body["id"]).count();
    assert_eq!(about(mine.items()), 2, "{mine}");
    assert!(mine.items().iter().all(|message| message.get("content").is_none()), "{mine}");
    assert_eq!(about(bruno.get("/me/messages").await.expect(200).items()), 0);
    admin.get("/me/messages").await.problem(403, "forbidden");

    let page = admin.get("/messages").query("state", "planned").query("limit", 100).await.expect(200);
    assert!(page.items().iter().all(|message| message["state"] == "planned") && about(page.items()) == 1, "{page}");
    admin.get("/messages").query("state", "lost").await.problem(422, "invalid-query").field("?state");
    for role in ["operator", "manager", "citizen_a", "integration", "kiosk"] {
        server.client(role).get("/messages").await.problem(403, "forbidden");
    }
    let confirmation = messages_of(&admin, &booked).await.remove(0);
    let path = format!("/messages/{}", confirmation["id"].as_str().unwrap());
    let whole = admin.get(&path).await.expect(200);
    assert_eq!(whole.text_at("/content/recipient"), to);
    assert_eq!(whole.etag(), format!("\"{}\"", whole.at("/version")));
    // The person and other offices are not shown what the office keeps for itself.
    let path = format!("/appointments/{}/messages", booked.text_at("/id"));
    anna.get(&path).await.problem(403, "forbidden");
    bruno.get(&path).await.problem(404, "not-found");
    server.client("operator").get(&path).await.problem(404, "not-found");
}

async fn reminders_keep_to_the_time_that_the_comune_sets(posted: Option<Posted>) {
    let Some(Posted { server, post: _post }) = posted else { return };
    let (world, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    let set = async |hours: Value| {
        let wishes = json!({ "messages": { "reminder_hours": hours } });
        admin.patch("/settings", wishes).if_match("*").await
    };
    set(json!(0)).await.problem(422, "invalid-body").field("/messages/reminder_hours");
    set(json!(169)).await.problem(422, "invalid-body").field("/messages/reminder_hours");
    let settings = set(json!(48)).await.expect(200);
    assert_eq!(settings.at("/messages/reminder_hours"), &json!(48));
    assert_eq!(server.anonymous().get("/settings").await.expect(200).body.get("messages"), None);
    let book = async |days: i64, hour: i8| {
        let order = desk.order(desk.at(days, hour, 0));
        let booked = server.anonymous().post("/appointments", order).fresh_key().await.expect(201);
        publish(&world, &booked).await;
        messages_of(&admin, &booked).await
    };
    let messages = book(5, 9).await;
    assert_eq!(messages[1]["send_at"], kernel::civil::format_rfc3339(desk.at(3, 9, 0)));
    let late = book(1, 9).await;
    let kinds: Vec<_> = late.iter().map(|message| message["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["appointment.confirmation"], "less than that is left");
    assert_eq!(set(Value::Null).await.expect(200).at("/messages/reminder_hours"), &json!(24));
}

async fn what_is_no_longer_true_is_not_sent(posted: Option<Posted>) {
    let Some(Posted { server, post }) = posted else { return };
    let (world, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    let order = desk.order(desk.at(5, 9, 0));
    let to = address(&order);
    let booked = server.anonymous().post("/appointments", order).fresh_key().await.expect(201);
    publish(&world, &booked).await;
    post.wait(&to, 1).await;
    // It is called off, and that is not yet known to what plans messages.
    let path = format!("/appointments/{}/cancellation", booked.text_at("/id"));
    let token = json!({ "manage_token": booked.text_at("/manage_token") });
    server.anonymous().post(&path, token).await.expect(200);
    let reminder = messages_of(&admin, &booked).await.remove(1);
    hurry(&world, &reminder).await;
    let withdrawn = wait_for(&admin, &booked, "appointment.reminder", "withdrawn").await;
    assert_eq!(withdrawn["outcome"], "outdated");
    publish(&world, &booked).await;
    post.wait(&to, 2).await;
    let messages = messages_of(&admin, &booked).await;
    let kinds: Vec<_> = states(&messages).iter().map(|(kind, _)| kind.to_owned()).collect();
    assert_eq!(kinds, ["appointment.confirmation", "appointment.reminder", "appointment.cancellation"]);
}
