//! Services that tell of special categories of data: who is shown an appointment for one is written down.

use diesel::{RunQueryDsl, sql_query};
use platform::access::keys::{KeyKind, KeyScope};
use serde_json::{Value, json};
use tests::{Answer, Client, Server, both_databases};

use super::{NAMESAKE, ZENOBIA, about, command, order, path, section};
use crate::{
    messages::{messages_of, publish},
    mint, rows,
    world::{Desk, Offer, Plan, World},
};

both_databases!(
    a_service_is_marked_for_everybody_to_see,
    whoever_reads_a_single_one_is_written_down,
    a_list_is_written_down_for_each_that_it_names,
    a_change_that_shows_a_person_is_written_down,
    a_message_about_one_is_written_down,
    what_is_not_written_down_is_not_shown,
    what_happens_says_no_more_than_of_others,
);

/// An office for two services, of which the first tells of health.
struct Clinic {
    world: World,
    desk: Desk,
    /// For the marked service, of Zenobia's own booking.
    marked: Answer,
    /// For the other.
    plain: Answer,
    admin: Client,
    zenobia: Client,
    device: Client,
    integration: Client,
}

impl Clinic {
    async fn of(server: &Server) -> Self {
        let world = World::of(server).await;
        let services = vec![Offer { special_category: true, ..Offer::default() }, Offer::default()];
        let desk = world.desk(Plan { capacity: 4, services, ..Plan::default() }).await;
        let zenobia = server.anonymous().with_token(mint::citizen(server, &server.credentials().tenant, ZENOBIA));
        let mut orders = [9, 10].map(|hour| order(&desk, hour, ZENOBIA, "zq@posta.example", "+39 050 7654321"));
        orders[1]["service_id"] = json!(desk.services[1].id);
        let [first, second] = orders;
        let marked = zenobia.post("/appointments", first).fresh_key().await.expect(201);
        let plain = zenobia.post("/appointments", second).fresh_key().await.expect(201);
        let device = rows::key(&world, KeyKind::Device, Some(desk.office.id), &[]).await;
        let scopes = [KeyScope::AppointmentsRead, KeyScope::AppointmentsWrite];
        let integration = rows::key(&world, KeyKind::Integration, None, &scopes).await;
        let with = |key| server.anonymous().with_token(key);
        let (device, integration, admin) = (with(device), with(integration), server.client("admin"));
        Self { world, desk, marked, plain, admin, zenobia, device, integration }
    }

    /// What the access log has of this sort, the first first.
    async fn entries(&self, action: &str) -> Vec<Value> {
        let list = self.admin.get("/data-access-entries").query("action", action).query("limit", 100);
        list.await.expect(200).items().to_vec()
    }

    async fn looks(&self) -> Vec<Value> {
        self.entries("special-data.read").await
    }

    /// The query of a list of what the desk has.
    fn listed(&self) -> String {
        format!("/appointments?office_id={}", self.desk.office.id)
    }
}

#[track_caller]
fn verified(server: &Server) {
    let verified = command(server, &["audit", "verify", "--tenant", &server.credentials().tenant]);
    assert!(verified.status.success(), "{verified:?}");
}

async fn a_service_is_marked_for_everybody_to_see(server: Server) {
    let admin = server.client("admin");
    let mut new = json!({ "slug": "consultorio", "name": { "it": "Consultorio familiare" }, "duration_minutes": 20 });
    let plain = admin.post("/appointment-services", new.clone()).await.expect(201);
    assert_eq!(plain.at("/special_category"), &json!(false));
    new["slug"] = json!("assistente-sociale");
    new["special_category"] = json!(true);
    let marked = admin.post("/appointment-services", new).await.expect(201);
    assert_eq!(marked.at("/special_category"), &json!(true));

    let at = format!("/appointment-services/{}", plain.text_at("/id"));
    let changed = admin.patch(&at, json!({ "special_category": true })).if_match(plain.etag()).await.expect(200);
    assert_eq!((changed.at("/special_category"), changed.at("/version")), (&json!(true), &json!(2)));
    // What is not mentioned stays, and null is the default.
    let renamed = json!({ "duration_minutes": 25 });
    let changed = admin.patch(&at, renamed).if_match(changed.etag()).await.expect(200);
    assert_eq!(changed.at("/special_category"), &json!(true));
    assert_eq!(server.anonymous().get(&at).await.expect(200).at("/special_category"), &json!(true));
    let list = server.anonymous().get("/appointment-services").query("limit", 100).await.expect(200);
    let told = list.items().iter().find(|item| item["id"] == marked.text_at("/id")).unwrap();
    assert_eq!(told["special_category"], true);
    let cleared = json!({ "special_category": null });
    let changed = admin.patch(&at, cleared).if_match(changed.etag()).await.expect(200);
    assert_eq!(changed.at("/special_category"), &json!(false));
    let wrong = json!({ "special_category": "health" });
    admin.patch(&at, wrong).if_match(changed.etag()).await.problem(422, "invalid-body").field("/special_category");
    // As with every other attribute, it is written down who changed it.
    let entries = admin.get("/audit-entries").query("subject_id", plain.text_at("/id")).await.expect(200);
    let entries: Vec<_> = entries.items().iter().map(|entry| (&entry["action"], &entry["after"])).collect();
    assert_eq!(entries.len(), 4, "{entries:?}");
    assert!(entries[1..].iter().all(|(action, _)| *action == "appointment_service.updated"), "{entries:?}");
    assert_ne!(entries[0].1, entries[1].1);
    verified(&server);
}

async fn whoever_reads_a_single_one_is_written_down(server: Server) {
    let clinic = Clinic::of(&server).await;
    let Clinic { marked, plain, admin, zenobia, device, integration, .. } = &clinic;
    let note = async |about: &Answer| {
        let written = admin.post(&path(about, "/notes"), json!({ "body": "Serve la rampa" })).await.expect(201);
        format!("/notes/{}", written.text_at("/id"))
    };
    let notes = [note(marked).await, note(plain).await];
    // Who writes has not read.
    assert_eq!(clinic.looks().await, Vec::<Value>::new());

    let mut expected = Vec::new();
    for (caller, kind, ways) in [
        (admin, "staff:", &["", "/history", "/notes", "/note", "/messages", "/calendar-file"][..]),
        (integration, "integration:", &["", "/history", "/calendar-file"]),
        (device, "device:", &["", "/history", "/calendar-file"]),
    ] {
        for way in ways {
            for (about, note) in [marked, plain].into_iter().zip(&notes) {
                let way = if *way == "/note" { note } else { *way };
                let (status, ..) = caller.get(&path(about, way)).bytes().await;
                assert_eq!(status, 200, "{kind} {way}");
            }
            expected.push(kind);
        }
    }
    let looks = clinic.looks().await;
    let actors: Vec<_> = looks.iter().map(|look| look["actor"].as_str().unwrap()).collect();
    assert_eq!(actors.len(), expected.len(), "{actors:?}");
    assert!(actors.iter().zip(&expected).all(|(actor, kind)| actor.starts_with(kind)), "{actors:?}");
    let key = admin.post("/personal-data-exports", about(ZENOBIA)).await.expect(200).text_at("/person_key").to_owned();
    for look in &looks {
        assert_eq!((&look["record_kind"], &look["record_id"]), (&json!("appointment"), marked.at("/id")), "{look}");
        assert_eq!((&look["person_key"], &look["reference"]), (&json!(key), &Value::Null), "{look}");
    }
    let of_her = admin.get("/data-access-entries").query("person_key", &key).query("limit", 100).await.expect(200);
    assert_eq!(of_her.items().len(), looks.len() + 1, "and the export: {of_her}");

    // Nobody is shown what is not theirs to see, and that is no reading; what is one's own is one's own.
    server.client("operator").get(&path(marked, "")).await.problem(404, "not-found");
    server.client("citizen_b").get(&path(marked, "")).await.problem(404, "not-found");
    device.get(&path(marked, "/notes")).await.problem(403, "forbidden");
    admin.get(&path(marked, "/notes/01980000-0000-7000-8000-000000000001")).await.problem(404, "not-found");
    for way in ["", "/history", "/calendar-file"] {
        assert_eq!(zenobia.get(&path(marked, way)).bytes().await.0, 200);
    }
    zenobia.get("/me/appointments").await.expect(200);
    zenobia.get("/appointments").await.expect(200);
    let booked = server.anonymous().post("/appointments", clinic.desk.order(clinic.desk.at(4, 9, 0))).fresh_key();
    let booked = booked.await.expect(201);
    let lookup = json!({ "code": booked.text_at("/code"), "manage_token": booked.text_at("/manage_token") });
    server.anonymous().post("/appointment-lookups", lookup.clone()).await.expect(200);
    let (status, ..) = server.anonymous().post("/appointment-calendar-files", lookup).bytes().await;
    assert_eq!(status, 200);
    assert_eq!(clinic.looks().await, looks);

    // She is told what was read of hers, by whom as a role.
    let own = zenobia.get("/me/personal-data").await.expect(200);
    let accesses = section(&own.body, "platform", "accesses");
    assert_eq!(accesses.len(), looks.len() + 1);
    assert_eq!((&accesses[0]["by"], &accesses[0]["record_id"]), (&json!("staff"), marked.at("/id")));
    verified(&server);
}

async fn a_list_is_written_down_for_each_that_it_names(server: Server) {
    let clinic = Clinic::of(&server).await;
    let Clinic { admin, desk, .. } = &clinic;
    let namesake = order(desk, 11, NAMESAKE, "omonima@posta.example", "+39 050 1112223");
    let namesake = admin.post("/appointments", namesake).fresh_key().await.expect(201);
    // Who books for somebody is shown what they have said, and that is no reading.
    assert_eq!(clinic.looks().await, Vec::<Value>::new());
    let audit = async || admin.get("/audit-entries?action=special-data.read&limit=100").await.expect(200);

    let page = admin.get(&clinic.listed()).await.expect(200);
    assert_eq!(page.items().len(), 3, "{page}");
    assert!(page.items().iter().all(|item| item["applicant_name"]["given_name"] == "Zenobia"), "{page}");
    let looks = clinic.looks().await;
    let shown = |looks: &[Value]| looks.iter().map(|look| look["record_id"].clone()).collect::<Vec<_>>();
    assert_eq!(shown(&looks), [clinic.marked.at("/id").clone(), namesake.at("/id").clone()]);
    assert_ne!(looks[0]["person_key"], looks[1]["person_key"]);
    assert_eq!(looks[0]["occurred_at"], looks[1]["occurred_at"]);
    // One entry of the audit proves both.
    let proof = audit().await;
    assert_eq!(proof.items().len(), 1, "{proof}");
    assert_eq!(
        (&proof.items()[0]["subject_id"], &proof.items()[0]["subject_kind"]),
        (&looks[0]["id"], &json!("data_access_entry"))
    );

    // A page is written down for what it shows and not for what it was looked for among.
    let first = admin.get(&clinic.listed()).query("limit", 1).await.expect(200);
    assert_eq!(shown(&clinic.looks().await[2..]), [clinic.marked.at("/id").clone()]);
    let second = admin.get(&clinic.listed()).query("limit", 1).query("after", first.text_at("/next")).await.expect(200);
    assert_eq!((second.items().len(), clinic.looks().await.len()), (1, 3), "the next is for the other service");
    // Devices and their owners see no names.
    clinic.device.get(&clinic.listed()).await.expect(200);
    clinic.zenobia.get(&clinic.listed()).await.expect(200);
    assert_eq!(clinic.looks().await.len(), 3);
    clinic.integration.get(&clinic.listed()).await.expect(200);
    assert_eq!(clinic.looks().await.len(), 5);

    // A search is one entry, and those that it shows; its next page is of the same search.
    let search = json!({ "name": "quintavalle", "office_id": desk.office.id, "limit": 2 });
    let page = admin.post("/appointment-searches", search.clone()).await.expect(200);
    assert_eq!((page.items().len(), clinic.entries("people.searched").await.len()), (2, 1), "{page}");
    assert_eq!(clinic.looks().await.len(), 6);
    let mut more = search;
    more["after"] = page.at("/next").clone();
    admin.post("/appointment-searches", more).await.expect(200);
    assert_eq!((clinic.looks().await.len(), clinic.entries("people.searched").await.len()), (7, 1));
    let nobody = json!({ "name": "nessunolochiama" });
    admin.post("/appointment-searches", nobody).await.expect(200);
    assert_eq!((clinic.looks().await.len(), clinic.entries("people.searched").await.len()), (7, 2));

    // A file of people is one entry, whatever it holds; without them it is none.
    for file in ["appointments.csv", "appointments.jsonl"] {
        let at = format!("/exports/{file}?office_id={}", desk.office.id);
        let (status, _, bytes) = admin.get(&format!("{at}&include=applicant")).bytes().await;
        assert_eq!((status, String::from_utf8(bytes).unwrap().contains("Quintavalle")), (200, true));
        assert_eq!(admin.get(&at).bytes().await.0, 200);
    }
    assert_eq!((clinic.looks().await.len(), clinic.entries("people.taken").await.len()), (7, 2));
    verified(&server);
}

async fn a_change_that_shows_a_person_is_written_down(server: Server) {
    let clinic = Clinic::of(&server).await;
    let (admin, marked) = (&clinic.admin, &clinic.marked);
    let change = json!({ "notes": "porta un barboncino" });
    let amended = admin.patch(&path(marked, ""), change).if_match("*").await.expect(200);
    assert_eq!(amended.at("/applicant/given_name"), "Zenobia");
    let moved = kernel::civil::format_rfc3339(clinic.desk.at(3, 15, 0));
    let moving = json!({ "starts_at": moved });
    let call = admin.post(&path(marked, "/rescheduling"), moving).if_match("*").key("moving");
    call.await.expect(200);
    assert_eq!(clinic.looks().await.len(), 2);
    admin.post(&path(&clinic.plain, "/cancellation"), json!({})).if_match("*").await.expect(200);
    clinic.zenobia.post(&path(marked, "/cancellation"), json!({})).await.expect(200);
    assert_eq!(clinic.looks().await.len(), 2);
    // A change that is refused shows nothing.
    let again = json!({ "starts_at": moved });
    admin.post(&path(marked, "/rescheduling"), again).if_match("*").await.problem(409, "invalid-transition");
    assert_eq!(clinic.looks().await.len(), 2);
    verified(&server);
}

async fn a_message_about_one_is_written_down(server: Server) {
    let clinic = Clinic::of(&server).await;
    for (about, more) in [(&clinic.plain, 0), (&clinic.marked, 1)] {
        publish(&clinic.world, about).await;
        let message = messages_of(&clinic.admin, about).await.remove(0);
        let before = clinic.looks().await.len();
        let message = format!("/messages/{}", message["id"].as_str().unwrap());
        clinic.admin.get(&message).await.expect(200);
        let looks = clinic.looks().await;
        assert_eq!(looks.len(), before + more, "{looks:?}");
        assert!(looks.last().is_none_or(|look| look["record_id"] == about.body["id"]), "{looks:?}");
    }
    // Written down for whom it was written to, whoever the appointment is for by now.
    let message = messages_of(&clinic.admin, &clinic.marked).await.remove(0);
    let whose = clinic.looks().await.last().unwrap()["person_key"].clone();
    let sent = clinic.world.write(|tx| Ok(sql_query("UPDATE messages SET state = 'sent'").execute(tx.conn())?));
    assert!(sent.await > 0);
    let change = json!({ "applicant": { "tax_code": NAMESAKE, "email": "omonima@posta.example" } });
    clinic.admin.patch(&path(&clinic.marked, ""), change).if_match("*").await.expect(200);
    let before = clinic.looks().await.len();
    clinic.admin.get(&format!("/messages/{}", message["id"].as_str().unwrap())).await.expect(200);
    let looks = clinic.looks().await;
    assert_eq!((looks.len(), &looks[before]["person_key"]), (before + 1, &whose));
    // Among all of them it is written down for both.
    messages_of(&clinic.admin, &clinic.marked).await;
    let looks = clinic.looks().await;
    let people: Vec<_> = looks[before + 1..].iter().map(|look| &look["person_key"]).collect();
    assert!(people.len() == 2 && people.contains(&&whose), "{people:?}");
    // The list has not what was written.
    let before = clinic.looks().await.len();
    clinic.admin.get("/messages").await.expect(200);
    assert_eq!(clinic.looks().await.len(), before);
}

async fn what_is_not_written_down_is_not_shown(server: Server) {
    let clinic = Clinic::of(&server).await;
    let rename = async |statement: &'static str| {
        clinic.world.write(move |tx| Ok(sql_query(statement).execute(tx.conn()).map(drop)?)).await;
    };
    rename("ALTER TABLE data_access_entries RENAME TO data_access_entries_lost").await;
    for way in [path(&clinic.marked, ""), path(&clinic.marked, "/history"), clinic.listed()] {
        let refused = clinic.admin.get(&way).await.problem(500, "internal-error");
        assert!(!refused.text.contains("Zenobia") && !refused.text.contains("Quintavalle"), "{refused}");
    }
    // What need not be written down is shown as always.
    assert_eq!(clinic.admin.get(&path(&clinic.plain, "")).await.expect(200).at("/applicant/given_name"), "Zenobia");
    assert_eq!(clinic.zenobia.get(&path(&clinic.marked, "")).await.expect(200).at("/applicant/given_name"), "Zenobia");
    rename("ALTER TABLE data_access_entries_lost RENAME TO data_access_entries").await;
    assert_eq!(clinic.looks().await, Vec::<Value>::new());
    clinic.admin.get(&path(&clinic.marked, "")).await.expect(200);
    assert_eq!(clinic.looks().await.len(), 1);
}

async fn what_happens_says_no_more_than_of_others(server: Server) {
    let clinic = Clinic::of(&server).await;
    let told = |booked: &Answer| booked.text_at("/id").to_owned();
    let (marked, plain) = (told(&clinic.marked), told(&clinic.plain));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let [of_marked, of_plain] = loop {
        let events = super::all(&clinic.admin, "/events").await;
        let of = |id: &str| events.iter().find(|event| event["data"]["id"] == id).cloned();
        if let (Some(marked), Some(plain)) = (of(&marked), of(&plain)) {
            break [marked, plain];
        }
        assert!(std::time::Instant::now() < deadline, "the bookings are not told: {events:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    let members = |event: &Value| event["data"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&of_marked), members(&of_plain));
    // What for is an identifier, and no name.
    let service = &clinic.desk.services[0];
    assert_eq!(of_marked["data"]["service_id"], json!(service.id));
    let text = of_marked.to_string();
    for name in [service.name.text(kernel::Lang::It), &service.slug, "special", "Zenobia"] {
        assert!(!text.contains(name), "{name}: {text}");
    }
    let me = clinic.admin.get("/me").await.expect(200);
    assert!(!me.text.contains(&service.slug) && !me.text.contains("special"), "{me}");
}
