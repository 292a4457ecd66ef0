//! Appointments as files.

use std::collections::BTreeSet;

use booking::appointments::AppointmentState;
use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt};
use jiff::SignedDuration;
use serde_json::Value;
use tests::{Answer, Server, both_databases};

use super::{Planted, plant};
use crate::world::{Desk, Plan, World};

both_databases!(a_file_for_spreadsheets, a_file_for_programs_of_any_length, files_are_for_who_may_read_the_list);

const HEADER: &str = "id,code,state,service_id,service,office_id,office,calendar_id,calendar,starts_at,ends_at,persons,\
                      channel,cancelled_by,created_at,updated_at";

#[track_caller]
fn csv(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"), "{answer}");
    let name = answer.header("content-disposition").unwrap_or_default();
    assert!(name.starts_with("attachment; filename=\"appuntamenti-bugliano-") && name.ends_with(".csv\""), "{name}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.text.ends_with("\r\n"), "{answer}");
    answer.text.trim_end().split("\r\n").map(str::to_owned).collect()
}

async fn exported(desk: &Desk) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    desk.world
        .read(|tx| {
            let text = "SELECT COUNT(*) AS n FROM audit_entries WHERE action = 'appointments.exported'";
            let count: Count = sql_query(text).get_result(tx.conn())?;
            Ok(count.n)
        })
        .await
}

async fn a_file_for_spreadsheets(server: Server) {
    let desk = World::of(&server).await.desk(Plan::default()).await;
    let cancelled = Planted {
        state: AppointmentState::Cancelled,
        cancelled_by: Some("citizen:0123456789abcdef"),
        given_name: "=HYPERLINK(\"http://example.org\")".to_owned(),
        ..Planted::new(desk.at(3, 9, 0))
    };
    plant(&desk, vec![Planted::new(desk.at(2, 9, 0)), cancelled, Planted::new(desk.at(4, 9, 0))]).await;
    let admin = server.client("admin");
    let file = |more: &str| format!("/exports/appointments.csv?office_id={}{more}", desk.office.id);

    let before = exported(&desk).await;
    let all = csv(&admin.get(&file("")).await.expect(200));
    assert_eq!(exported(&desk).await, before + 1, "an export leaves its mark");
    assert_eq!((all[0].as_str(), all.len()), (HEADER, 4));
    assert!(all[1].contains(&format!(",{},", kernel::civil::format_rfc3339(desk.at(2, 9, 0)))), "{}", all[1]);
    assert!(all[2].contains(",cancelled,") && all[2].contains(",citizen,"), "{}", all[2]);
    assert!(!all.join("").contains("0123456789abcdef") && !all.join("").contains("example.org"));

    let day = desk.day(3);
    for (filter, rows) in [
        (format!("&from={day}"), 2),
        (format!("&to={day}"), 2),
        (format!("&from={day}&to={day}"), 1),
        ("&state=cancelled".to_owned(), 1),
        (format!("&service_id={}", desk.services[0].id), 3),
        (format!("&calendar_id={}", desk.office.id), 0),
    ] {
        let found = csv(&admin.get(&file(&filter)).await.expect(200));
        assert_eq!(found.len(), rows + 1, "{filter}");
    }
    admin.get(&file("&from=2027-02-01&to=2027-01-01")).await.problem(422, "invalid-query").field("?to");
    admin.get(&file("&state=lost")).await.problem(422, "invalid-query").field("?state");

    // With the people, in the form that Excel reads by itself, and nothing in it that it would run.
    let named = csv(&admin.get(&file("&include=applicant&separator=semicolon")).await.expect(200));
    assert!(
        named[0].starts_with("\u{feff}id;code;") && named[0].ends_with(";notes;cancellation_reason"),
        "{}",
        named[0]
    );
    assert!(named[2].contains(";\"'=HYPERLINK(\"\"http://example.org\"\")\";"), "{}", named[2]);
    assert!(named[1].contains(";'+39 050 0000001;"), "{}", named[1]);
}

async fn a_file_for_programs_of_any_length(server: Server) {
    let desk = World::of(&server).await.desk(Plan::default()).await;
    // More than two chunks, the last one full.
    let first = desk.at(1, 8, 0);
    let nth = |n: i64| Planted::new(first.checked_add(SignedDuration::from_mins(n)).unwrap());
    plant(&desk, (0..1_000).map(nth).collect()).await;
    let file = format!("/exports/appointments.jsonl?office_id={}", desk.office.id);
    let all = server.client("integration").get(&file).await.expect(200);
    assert_eq!(all.header("content-type"), Some("application/x-ndjson"), "{}", all.line);
    let rows: Vec<Value> = all.text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let ids: BTreeSet<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), ids.len()), (1_000, 1_000));
    assert!(rows.iter().all(|row| row.get("applicant").is_none() && row["state"] == "confirmed"));
    let named = server.client("admin").get(&format!("{file}&include=applicant")).await.expect(200);
    let named: Vec<Value> = named.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((named.len(), &named[7]["applicant"]["family_name"]), (1_000, &"Prova 7".into()));
    let none = server.client("admin").get(&format!("{file}&state=no_show")).await.expect(200);
    assert_eq!(none.text, "");
}

async fn files_are_for_who_may_read_the_list(server: Server) {
    let desk = World::of(&server).await.desk(Plan::default()).await;
    plant(&desk, vec![Planted::new(desk.at(2, 9, 0))]).await;
    for kind in ["csv", "jsonl"] {
        let file = format!("/exports/appointments.{kind}");
        server.anonymous().get(&file).await.problem(401, "unauthenticated");
        for role in ["citizen_a", "kiosk", "platform"] {
            server.client(role).get(&file).await.problem(403, "forbidden");
        }
        server.client("integration").get(&format!("{file}?include=applicant")).await.problem(403, "forbidden");
    }
    // The demo's operator and manager work elsewhere: they get their own office's, and none of this one's.
    for role in ["operator", "manager"] {
        let theirs = csv(&server.client(role).get("/exports/appointments.csv").await.expect(200));
        assert!(theirs.len() > 1 && !theirs.join("").contains(&desk.office.id.to_string()), "{role}");
    }
    let all = csv(&server.client("urp_operator").get("/exports/appointments.csv").await.expect(200));
    assert!(all.join("").contains(&desk.office.id.to_string()));
}
