//! Who a caller is, and who works for a Comune.

use serde_json::{Value, json};
use tests::{Answer, Server, both_databases};

use crate::{
    mint, rows,
    world::{Plan, World},
};

both_databases!(
    everybody_may_know_who_they_are,
    what_is_told_is_what_is_done,
    staff_come_change_and_go,
    two_admins_cannot_both_go,
    staff_of_another_comune_are_not_there,
);

fn names(me: &Answer) -> Vec<String> {
    let permissions = me.at("/permissions").as_array().unwrap();
    permissions.iter().map(|p| format!("{} {}", p["name"].as_str().unwrap(), p["reach"].as_str().unwrap())).collect()
}

fn links(me: &Answer) -> Vec<&str> {
    me.at("/links").as_array().unwrap().iter().map(|link| link["rel"].as_str().unwrap()).collect()
}

async fn everybody_may_know_who_they_are(server: Server) {
    let me = async |role: &str| server.client(role).get("/me").await.expect(200);
    let nobody = server.anonymous().get("/me").await.expect(200);
    assert_eq!((nobody.text_at("/kind"), nobody.text_at("/id")), ("anonymous", "anonymous"));
    assert_eq!(nobody.at("/tenant"), &json!({ "slug": "bugliano", "name": "Comune di Bugliano" }));
    assert_eq!(names(&nobody), ["appointments.book all"]);
    assert_eq!(links(&nobody), ["settings"]);
    for member in ["citizen", "staff", "key"] {
        assert_eq!(nobody.body[member], Value::Null, "{nobody}");
    }

    let citizen = me("citizen_a").await;
    assert_eq!(citizen.text_at("/kind"), "citizen");
    assert_eq!(citizen.text_at("/citizen/tax_code"), mint::TAX_CODE_A);
    assert_eq!(citizen.text_at("/citizen/given_name"), "Anna");
    // What stands for a citizen elsewhere does not say who they are.
    assert!(citizen.text_at("/id").starts_with("citizen:") && !citizen.text_at("/id").contains(mint::TAX_CODE_A));
    let own = ["appointments.read own", "appointments.change own", "appointments.book all", "payments.read own"];
    assert_eq!(names(&citizen), own);
    assert_eq!(links(&citizen), ["settings", "appointments"]);
    assert_ne!(citizen.text_at("/id"), me("citizen_b").await.text_at("/id"));

    let operator = me("operator").await;
    assert_eq!((operator.text_at("/kind"), operator.text_at("/staff/role")), ("staff", "operator"));
    let office = operator.text_at("/staff/offices/0/id").to_owned();
    assert_eq!(operator.text_at("/staff/offices/0/slug"), "anagrafe");
    let counter = ["appointments.read", "appointments.change", "appointments.book", "exports.read", "exports.people"];
    let reaching = |reach: &str, more: &[&str]| -> Vec<String> {
        counter.iter().chain(more).map(|name| format!("{name} {reach}")).collect()
    };
    let shared = ["payments.read", "payments.manage", "events.read", "protocol.read", "protocol.write"];
    assert_eq!(names(&operator), reaching("offices", &shared));
    assert_eq!(operator.at("/permissions/0/office_ids"), &json!([office]));
    let figures = [&["statistics.read"][..], &shared].concat();
    assert_eq!(names(&me("urp_operator").await), reaching("all", &figures));
    let manager = me("manager").await;
    assert!(names(&manager).contains(&"office.manage offices".to_owned()), "{manager}");
    let admin = me("admin").await;
    assert!(names(&admin).contains(&"administration all".to_owned()), "{admin}");
    assert_eq!(links(&admin), ["settings", "staff-members", "audit-entries"]);

    let kiosk = me("kiosk").await;
    assert_eq!((kiosk.text_at("/kind"), kiosk.text_at("/key/office/slug")), ("device", "anagrafe"));
    assert_eq!(names(&kiosk), ["appointments.read offices", "events.read offices"]);
    let integration = me("integration").await;
    assert_eq!(integration.at("/key/expires_at"), &Value::Null);
    assert!(integration.at("/key/scopes").as_array().unwrap().contains(&json!("directory:write")), "{integration}");
    assert!(names(&integration).contains(&"directory.write all".to_owned()), "{integration}");
    let platform = me("platform").await;
    assert_eq!((platform.text_at("/kind"), names(&platform)), ("platform", Vec::new()));
    // A key's secret is told to nobody, not even to who holds it.
    for (role, answer) in [("kiosk", &kiosk), ("integration", &integration), ("platform", &platform)] {
        let secret = server.credentials().tokens[role].splitn(3, '_').nth(2).unwrap();
        assert!(!answer.text.contains(secret), "{answer}");
    }
}

/// A permission that is told opens what it names, and one that is not told does not.
async fn what_is_told_is_what_is_done(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let own = server.client("manager").get("/me").await.expect(200).text_at("/staff/offices/0/id").to_owned();
    let calendars = server.anonymous().get("/calendars").query("office_id", &own).await.expect(200);
    let own_feeds = format!("/calendars/{}/feeds", calendars.text_at("/items/0/id"));
    let blocks = format!("/calendars/{}/blocks", desk.calendar.id);
    for role in ["citizen_a", "operator", "urp_operator", "manager", "admin", "kiosk", "integration", "platform"] {
        let caller = server.client(role);
        let told = names(&caller.get("/me").await.expect(200));
        let may = |name: &str| told.iter().any(|told| told.starts_with(&format!("{name} ")));
        let staff = caller.get("/staff-members").await;
        assert_eq!(staff.status == 200, may("administration"), "{role}: {staff}");
        let reads = [
            ("exports.read", "/exports/appointments.jsonl", None),
            ("exports.people", "/exports/appointments.jsonl", Some("applicant")),
            ("statistics.read", "/statistics/appointments", None),
        ];
        for (name, path, include) in reads {
            let day = desk.day(3).to_string();
            let mut call = caller.get(path).query("from", &day).query("to", &day);
            if let Some(include) = include {
                call = call.query("include", include);
            }
            let answer = call.await;
            assert_eq!(answer.status == 200, may(name), "{role}, {name}: {answer}");
        }
        let feed = caller.post(&own_feeds, json!({ "label": "Di prova" })).fresh_key().await;
        assert_eq!(feed.status == 201, may("office.manage"), "{role}: {feed}");
        // Where none of them works, it is for those who decide everywhere.
        let (starts_at, ends_at) = (desk.at(4, 9, 0), desk.at(4, 9, 15));
        let wish = json!({ "starts_at": starts_at, "ends_at": ends_at, "reason": "Riunione" });
        let block = caller.post(&blocks, wish).fresh_key().await;
        assert_eq!(block.status == 201, told.contains(&"office.manage all".to_owned()), "{role}: {block}");
        if block.status == 201 {
            let id = block.text_at("/id");
            caller.delete(&format!("{blocks}/{id}")).if_match("*").await.expect(204);
        }
        let everywhere = told.contains(&"appointments.book all".to_owned());
        let held = caller.post("/holds", desk.wish(desk.at(3, 9, 0))).fresh_key().await;
        assert_eq!(held.status == 201, everywhere, "{role}: {held}");
        if held.status == 201 {
            caller.delete(&format!("/holds/{}", held.text_at("/id"))).await.expect(204);
        }
    }
}

async fn staff_come_change_and_go(server: Server) {
    let admin = server.client("admin");
    let newcomer = server.anonymous().with_token(mint::staff(&server, "bugliano", "nuova"));
    newcomer.get("/me").await.problem(403, "forbidden");
    let office = server.client("operator").get("/me").await.expect(200).text_at("/staff/offices/0/id").to_owned();
    let order = json!({
        "provider": mint::STAFF_PROVIDER, "subject": "nuova", "display_name": "Nuova Prova", "role": "operator",
        "office_ids": [office, office],
    });
    let made = admin.post("/staff-members", order.clone()).key("staff-key").await.expect(201);
    let again = admin.post("/staff-members", order).key("staff-key").await.expect(201);
    assert_eq!(made.body, again.body);
    assert_eq!((made.at("/version"), made.text_at("/state"), made.etag()), (&json!(1), "active", "\"1\"".to_owned()));
    assert_eq!(made.at("/office_ids"), &json!([office]));
    let path = format!("/staff-members/{}", made.text_at("/id"));
    assert_eq!(admin.get(&path).await.expect(200).body, made.body);
    // Let in at once, as what was said.
    assert_eq!(newcomer.get("/me").await.expect(200).text_at("/staff/display_name"), "Nuova Prova");

    admin.patch(&path, json!({ "role": "manager" })).await.problem(428, "precondition-required");
    admin.patch(&path, json!({ "role": "manager" })).if_match("\"7\"").await.problem(412, "version-mismatch");
    admin.patch(&path, json!({ "role": null })).if_match("*").await.problem(422, "invalid-body").field("/role");
    let stray = json!({ "office_ids": [crate::refusals::NOBODY] });
    admin.patch(&path, stray).if_match("*").await.problem(422, "invalid-body").field("/office_ids/0");
    admin.patch(&path, json!({ "subject": "x" })).if_match("*").await.problem(422, "invalid-body").field("/subject");
    let wrong = admin.call(reqwest::Method::PATCH, &path).json(&json!({ "role": "manager" })).if_match("*").await;
    wrong.problem(415, "unsupported-media-type");
    let changed = admin.patch(&path, json!({ "role": "manager" })).if_match(made.etag()).await.expect(200);
    assert_eq!((changed.text_at("/role"), changed.at("/version")), ("manager", &json!(2)));
    assert_eq!(newcomer.get("/me").await.expect(200).text_at("/staff/role"), "manager");

    let gone = admin.patch(&path, json!({ "state": "disabled" })).if_match(changed.etag()).await.expect(200);
    assert_eq!(gone.text_at("/state"), "disabled");
    newcomer.get("/offices").await.problem(403, "forbidden");
    let back = json!({ "state": "active", "role": "admin", "office_ids": [] });
    admin.patch(&path, back).if_match(gone.etag()).await.expect(200);
    newcomer.get("/staff-members").await.expect(200);

    // Nobody shuts themselves out, though another admin is left.
    let staff = admin.get("/staff-members").query("limit", 100).await.expect(200);
    let own = staff.items().iter().find(|member| member["subject"] == "admin").unwrap()["id"].as_str().unwrap();
    let own = format!("/staff-members/{own}");
    admin.patch(&own, json!({ "state": "disabled" })).if_match("*").await.problem(403, "forbidden");
    newcomer.patch(&own, json!({ "state": "disabled" })).if_match("*").await.expect(200);
    admin.get("/offices").await.problem(403, "forbidden");
    newcomer.patch(&own, json!({ "state": "active" })).if_match("*").await.expect(200);
    admin.get("/offices").await.expect(200);

    // Pages keep their order.
    let first = admin.get("/staff-members").query("limit", 2).await.expect(200);
    let second = admin.get("/staff-members").query("after", first.text_at("/next")).await.expect(200);
    let ids: Vec<&Value> = first.items().iter().chain(second.items()).map(|member| &member["id"]).collect();
    let all: Vec<&Value> = staff.items().iter().map(|member| &member["id"]).collect();
    assert_eq!(ids, all);
}

async fn two_admins_cannot_both_go(server: Server) {
    let admin = server.client("admin");
    let order =
        json!({ "provider": mint::STAFF_PROVIDER, "subject": "altra", "display_name": "Altra", "role": "admin" });
    let other = admin.post("/staff-members", order).fresh_key().await.expect(201).text_at("/id").to_owned();
    let second = server.anonymous().with_token(mint::staff(&server, "bugliano", "altra"));
    let staff = admin.get("/staff-members").query("limit", 100).await.expect(200);
    let own = staff.items().iter().find(|m| m["subject"] == "admin").unwrap()["id"].as_str().unwrap().to_owned();
    let demote = |caller: &tests::Client, id: &str| {
        caller.patch(&format!("/staff-members/{id}"), json!({ "role": "operator" })).if_match("*")
    };
    let (one, two) = tokio::join!(async { demote(&admin, &other).await }, async { demote(&second, &own).await });
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    // The later one finds that it would be the last, or that it is no admin any more.
    assert!(statuses == [200, 409] || statuses == [200, 403], "{one} {two}");
    let world = World::of(&server).await;
    assert_eq!(world.read(platform::access::staff::store::able_admins).await, 1);
}

async fn staff_of_another_comune_are_not_there(server: Server) {
    let other = World::another(&server, "altrove").await;
    let id = other
        .write(|tx| {
            let role = platform::access::staff::StaffRole::Admin;
            platform::access::staff::insert(tx, mint::STAFF_PROVIDER, "loro", "Loro", role, &[])
        })
        .await;
    let admin = server.client("admin");
    let path = format!("/staff-members/{id}");
    admin.get(&path).await.problem(404, "not-found");
    let before = rows::written(&other).await;
    admin.patch(&path, json!({ "role": "operator" })).if_match("*").await.problem(404, "not-found");
    assert_eq!(rows::written(&other).await, before);
    let listed = admin.get("/staff-members").query("limit", 100).await.expect(200);
    assert!(!listed.text.contains(&id.to_string()), "{listed}");
}
