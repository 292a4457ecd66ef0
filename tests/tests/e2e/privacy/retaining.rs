//! What is known of people is kept no longer than the rules say.

use platform::privacy::{Holdings, retention::run};
use serde_json::{Value, json};
use storage::Scope;
use tests::{Backend, Server, both_databases};

use super::{Cast, NAMESAKE, TRACES, ZENOBIA, about, age, all, command, path, people, section};
use crate::{rows, world::World};

both_databases!(
    rules_are_made_changed_and_deleted,
    what_is_due_is_nobodys_any_more_and_still_counts,
    a_dry_run_changes_nothing,
    what_is_held_stays,
    the_access_log_is_kept_half_a_year,
    once_a_day_one_gateway_does_it,
);

/// Runs the rules from the command line.
#[track_caller]
fn retain(server: &Server, more: &[&str]) -> String {
    let output = command(server, &[&["privacy", "retain"], more].concat());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn rules_are_made_changed_and_deleted(server: Server) {
    let cast = Cast::of(&server).await;
    let admin = server.client("admin");
    let service = cast.desks[0].services[0].id;
    let new = json!({ "record_kind": "appointment", "service_id": service, "action": "hold", "after_days": 60 });
    let made = admin.post("/retention-rules", new.clone()).key("rule").await.expect(201);
    assert_eq!(admin.post("/retention-rules", new.clone()).key("rule").await.expect(201).body, made.body);
    assert_eq!(made.header("location").map(|at| at.ends_with(made.text_at("/id"))), Some(true));
    admin.post("/retention-rules", new).await.problem(422, "invalid-body").field("/service_id");
    let general = json!({ "record_kind": "appointment", "action": "anonymise", "after_days": 30 });
    admin.post("/retention-rules", general.clone()).await.expect(201);
    admin.post("/retention-rules", general).await.problem(422, "invalid-body").field("/record_kind");
    for (change, field) in [
        (json!({ "action": "delete" }), "/action"),
        (json!({ "after_days": 29 }), "/after_days"),
        (json!({ "service_id": cast.desks[0].office.id }), "/service_id"),
        (json!({ "record_kind": "data_access_entry", "action": "delete", "after_days": 60 }), "/after_days"),
        (json!({ "record_kind": "ticket" }), "/record_kind"),
    ] {
        let mut new = json!({
            "record_kind": "appointment", "service_id": cast.desks[1].services[0].id, "action": "anonymise", "after_days": 60
        });
        if change.get("record_kind").is_some() {
            new.as_object_mut().unwrap().remove("service_id");
        }
        new.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        admin.post("/retention-rules", new).await.problem(422, "invalid-body").field(field);
    }
    let at = format!("/retention-rules/{}", made.text_at("/id"));
    admin.patch(&at, json!({ "after_days": 90 })).await.problem(428, "precondition-required");
    admin.patch(&at, json!({ "after_days": 90 })).if_match("\"9\"").await.problem(412, "version-mismatch");
    admin.patch(&at, json!({ "action": "delete" })).if_match("*").await.problem(422, "invalid-body").field("/action");
    let changed = admin.patch(&at, json!({ "after_days": 90 })).if_match(made.etag()).await.expect(200);
    assert_eq!((changed.at("/after_days"), changed.at("/version")), (&json!(90), &json!(2)));
    assert_eq!(admin.get(&at).await.expect(200).body, changed.body);
    assert_eq!(all(&admin, "/retention-rules").await.len(), 2);
    admin.delete(&at).if_match(made.etag()).await.problem(412, "version-mismatch");
    admin.delete(&at).if_match(changed.etag()).await.expect(204);
    admin.get(&at).await.problem(404, "not-found");
    for role in ["citizen_a", "operator", "manager", "integration"] {
        server.client(role).get("/retention-rules").await.problem(403, "forbidden");
        server.client(role).post("/retention-previews", json!({})).await.problem(403, "forbidden");
    }
}

/// Whatever leaves the server about appointments.
async fn told(server: &Server, from: &str, to: &str) -> String {
    let admin = server.client("admin");
    let mut told = String::new();
    for file in ["appointments.csv", "appointments.jsonl"] {
        let path = format!("/exports/{file}?include=applicant&from={from}&to={to}");
        told += &String::from_utf8(admin.get(&path).bytes().await.2).unwrap();
    }
    for list in ["appointments", "statistics/appointments", "audit-entries"] {
        told += &admin.get(&format!("/{list}?from={from}&to={to}")).await.expect(200).text;
    }
    told
}

/// Statistics of a stretch of days in which everything of the cast lies.
async fn figures(server: &Server, cast: &Cast, days: i64) -> Vec<Value> {
    let (from, to) = span(cast, days);
    let mut figures = Vec::new();
    for group_by in ["office", "service", "day"] {
        let path = format!("/statistics/appointments?from={from}&to={to}&group_by={group_by}");
        let mut told = server.client("admin").get(&path).await.expect(200).body;
        // What is free next is of the present.
        told.as_object_mut().unwrap().remove("first_free");
        figures.push(told);
    }
    figures
}

fn span(cast: &Cast, days: i64) -> (String, String) {
    let day = cast.desks[0].day(3).checked_sub(jiff::Span::new().days(days)).unwrap();
    let around = |n: i64| day.checked_add(jiff::Span::new().days(n)).unwrap().to_string();
    (around(-2), around(2))
}

async fn what_is_due_is_nobodys_any_more_and_still_counts(server: Server) {
    const DAYS: i64 = 740;
    let cast = Cast::of(&server).await;
    let admin = server.client("admin");
    cast.age(DAYS).await;
    // One that is not due yet.
    age(&cast.world, &cast.other, 700).await;
    let (from, to) = span(&cast, DAYS);
    let before = figures(&server, &cast, DAYS).await;
    assert_eq!(before[0]["total"]["booked"], 3, "{before:?}");
    let told_before = told(&server, &from, &to).await;
    for trace in TRACES {
        assert!(told_before.contains(trace) || trace == "barboncino", "{trace} was never told: {told_before}");
    }
    let (people_before, notes_before) = people(&cast.world).await;

    let said = retain(&server, &["--tenant", &server.credentials().tenant]);
    assert!(said.contains("appointment\tanonymise\t3 due\t3 disposed of\t0 held"), "{said}");
    assert_eq!(figures(&server, &cast, DAYS).await, before);
    let told_after = told(&server, &from, &to).await;
    for trace in TRACES {
        assert!(!told_after.contains(trace), "{trace} is still told: {told_after}");
    }
    assert_eq!(people(&cast.world).await, (people_before - 3, notes_before - 1));
    for (booked, kept) in cast.hers.iter().zip([false, false, true]) {
        let now = admin.get(&path(booked, "")).await.expect(200);
        assert_eq!((now.at("/applicant"), now.at("/state") == "cancelled"), (&Value::Null, kept), "{now}");
        for text in [&now.text, &admin.get(&path(booked, "/history")).await.expect(200).text] {
            assert!(TRACES.iter().all(|trace| !text.contains(trace)), "{text}");
        }
        // Nobody writes a person into it again.
        let amended = json!({ "applicant": { "given_name": "Zenobia" } });
        admin.patch(&path(booked, ""), amended).if_match("*").await.problem(409, "invalid-transition");
    }
    // Neither the person herself nor her pseudonym leads there.
    let export = admin.post("/personal-data-exports", about(ZENOBIA)).await.expect(200);
    assert!(section(&export.body, "appointments", "appointments").is_empty());
    let key = export.text_at("/person_key");
    assert!(rows::owners(&cast.world).await.iter().all(|owner| !owner.contains(key)));
    let found = admin.post("/appointment-searches", json!({ "name": "quintavalle" })).await.expect(200);
    assert_eq!(found.items().len(), 1, "the one that is not due: {found}");
    let events = admin.get("/audit-entries").query("subject_id", cast.hers[0].text_at("/id")).await.expect(200);
    assert_eq!(events.items().last().unwrap()["action"], "appointment.anonymised", "{events}");

    // What was done is written down, and a second run finds nothing.
    let runs = all(&admin, "/retention-runs").await;
    let run = &runs[0];
    assert_eq!((&run["counted"], &run["disposed"], &run["held"]), (&json!(3), &json!(3), &json!(0)), "{run}");
    assert_eq!((&run["dry_run"], &run["rule_id"], &run["actor"]), (&json!(false), &Value::Null, &json!("system")));
    let written = rows::written(&cast.world).await;
    assert!(retain(&server, &[]).contains("nothing is due"));
    assert_eq!(rows::written(&cast.world).await, written);
    assert_eq!(all(&admin, "/retention-runs").await, runs);
}

async fn a_dry_run_changes_nothing(server: Server) {
    let cast = Cast::of(&server).await;
    let admin = server.client("admin");
    cast.age(800).await;
    let written = rows::written(&cast.world).await;
    let preview = admin.post("/retention-previews", json!({})).await.expect(200);
    let counted =
        |run: &Value| (run["counted"].clone(), run["disposed"].clone(), run["held"].clone(), run["dry_run"].clone());
    assert_eq!(preview.items().iter().map(counted).collect::<Vec<_>>(), [(json!(4), json!(4), json!(0), json!(true))]);
    let said = retain(&server, &["--dry-run"]);
    assert!(said.contains("4 due\t4 would be disposed of\t0 held"), "{said}");
    assert_eq!(rows::written(&cast.world).await, written);
    assert_eq!(admin.get(&path(&cast.hers[0], "")).await.expect(200).at("/applicant/given_name"), "Zenobia");
    // That it was asked is written down.
    let runs = all(&admin, "/retention-runs").await;
    assert_eq!(runs.iter().map(|run| &run["dry_run"]).collect::<Vec<_>>(), [true, true]);
    assert!(runs[1]["actor"].as_str().unwrap().starts_with("staff:"), "{runs:?}");
}

async fn what_is_held_stays(server: Server) {
    let cast = Cast::of(&server).await;
    let admin = server.client("admin");
    cast.age(800).await;
    // One record, one person, one service.
    let record =
        json!({ "record_kind": "appointment", "record_id": cast.hers[0].text_at("/id"), "reason": "Ricorso 12/2026" });
    let on_record = admin.post("/legal-holds", record).key("hold").await.expect(201);
    let on_person = json!({ "tax_code": NAMESAKE, "reason": "Ricorso 13/2026" });
    let on_person = admin.post("/legal-holds", on_person).await.expect(201);
    assert!(!on_person.text.contains(NAMESAKE), "{on_person}");
    let service = cast.desks[1].services[0].id;
    let rule = json!({ "record_kind": "appointment", "service_id": service, "action": "hold", "after_days": 30 });
    admin.post("/retention-rules", rule).await.expect(201);
    let said = retain(&server, &[]);
    assert!(said.contains("anonymise\t3 due\t1 disposed of\t2 held"), "{said}");
    assert!(said.contains("hold\t1 due\t0 disposed of\t1 held"), "{said}");
    for booked in [&cast.hers[0], &cast.hers[1], &cast.other] {
        assert_eq!(admin.get(&path(booked, "")).await.expect(200).at("/applicant/given_name"), "Zenobia");
    }
    assert_eq!(admin.get(&path(&cast.hers[2], "")).await.expect(200).at("/applicant"), &Value::Null);

    for (hold, field) in [
        (json!({ "tax_code": ZENOBIA, "record_kind": "appointment", "record_id": service, "reason": "x" }), ""),
        (json!({ "record_kind": "appointment", "reason": "x" }), ""),
        (json!({ "record_kind": "appointment", "record_id": service, "reason": "x" }), "/record_id"),
        (json!({ "tax_code": ZENOBIA, "reason": " " }), "/reason"),
    ] {
        admin.post("/legal-holds", hold).await.problem(422, "invalid-body").field(field);
    }
    assert_eq!(all(&admin, "/legal-holds").await.len(), 2);
    let at = format!("/legal-holds/{}", on_record.text_at("/id"));
    assert_eq!(admin.get(&at).await.expect(200).body, on_record.body);
    server.client("manager").delete(&at).await.problem(403, "forbidden");
    admin.delete(&at).await.expect(204);
    admin.delete(&at).await.problem(404, "not-found");
    // Lifted, it goes with the next run; the others stay.
    assert!(retain(&server, &[]).contains("anonymise\t2 due\t1 disposed of\t1 held"));
    assert_eq!(admin.get(&path(&cast.hers[0], "")).await.expect(200).at("/applicant"), &Value::Null);

    // Where all are held, no rule for one service lets them go.
    let general = json!({ "record_kind": "appointment", "action": "hold", "after_days": 30 });
    admin.post("/retention-rules", general).await.expect(201);
    let rules = all(&admin, "/retention-rules").await;
    let at = format!("/retention-rules/{}", rules[0]["id"].as_str().unwrap());
    admin.patch(&at, json!({ "action": "anonymise" })).if_match("*").await.expect(200);
    let said = retain(&server, &[]);
    assert!(!said.contains("anonymise") && said.contains("hold\t1 due\t0 disposed of\t1 held"), "{said}");
}

async fn the_access_log_is_kept_half_a_year(server: Server) {
    let cast = Cast::of(&server).await;
    let admin = server.client("admin");
    for _ in 0..3 {
        admin.post("/personal-data-exports", about(ZENOBIA)).await.expect(200);
    }
    let rule = json!({ "record_kind": "data_access_entry", "action": "delete", "after_days": 183 });
    admin.post("/retention-rules", rule).await.expect(201);
    assert!(retain(&server, &[]).contains("nothing is due"));
    set_back(&cast.world, 190).await;
    let said = retain(&server, &[]);
    assert!(said.contains("data_access_entry\tdelete\t3 due\t3 disposed of\t0 held"), "{said}");
    assert!(all(&admin, "/data-access-entries").await.is_empty());
    let verified = command(&server, &["audit", "verify", "--tenant", &server.credentials().tenant]);
    assert!(verified.status.success(), "{verified:?}");
}

async fn once_a_day_one_gateway_does_it(server: Server) {
    let cast = Cast::of(&server).await;
    cast.age(800).await;
    let holdings = Holdings::own().with(booking::privacy::Appointments);
    let scope = Scope::system(cast.world.tenant.tenant_id);
    let one = async || run::daily(&cast.world.db, &holdings, &scope).await.unwrap();
    let (first, second) = (one().await, one().await);
    assert_eq!(first.iter().map(|run| (run.counted, run.disposed)).collect::<Vec<_>>(), [(4, 4)]);
    assert!(second.is_empty(), "{second:?}");
}

/// Makes every entry of the access log so many days older.
async fn set_back(world: &World, days: i64) {
    use diesel::prelude::*;
    use platform::schema::data_access_entries as e;
    use storage::types::{At, Key};
    world
        .write(move |tx| {
            let at = At(tx.now() - jiff::SignedDuration::from_hours(24 * days));
            let mine = e::table.filter(e::tenant_id.eq(Key(tx.tenant())));
            diesel::update(mine).set(e::occurred_at.eq(at)).execute(tx.conn())?;
            Ok(())
        })
        .await;
}

/// On SQLite what was deleted is overwritten: a page that is free again keeps nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_in_the_file() {
    let mut server = Server::demo(Backend::Sqlite);
    let cast = Cast::of(&server).await;
    cast.age(800).await;
    retain(&server, &[]);
    let file = server.database().strip_prefix("sqlite:").unwrap().to_owned();
    drop(cast);
    server.sigterm();
    let bytes = std::fs::read(file).unwrap();
    for trace in ["Quintavalle", "QNTZNB80A41", "zq@posta", "barboncino"] {
        let found = bytes.windows(trace.len()).any(|window| window == trace.as_bytes());
        assert!(!found, "{trace} is still in the file");
    }
}
