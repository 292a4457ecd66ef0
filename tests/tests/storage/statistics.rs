//! What SQLite's planner knows of a database in which nothing has been counted yet.

use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text};
use kernel::{Clock, SystemClock};
use storage::{Target, migrate};

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct Statistic {
    #[diesel(sql_type = Text)]
    stat: String,
}

const PERSON: &str = "SELECT stat FROM sqlite_stat1 WHERE idx = 'appointments_person'";

#[test]
fn an_index_is_chosen_before_all_rows_of_a_comune_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fresh.sqlite");
    let target = Target::Sqlite(path.clone());
    migrate::run(&target, SystemClock.now()).unwrap();
    let mut conn = SqliteConnection::establish(&path.to_string_lossy()).unwrap();

    for (query, index) in [
        ("SELECT count(*) FROM appointments WHERE tenant_id = 1 AND service_id = 2 AND person_key = 3", "person"),
        ("SELECT * FROM appointments WHERE tenant_id = 1 AND calendar_id = 2 ORDER BY starts_at LIMIT 9", "calendar"),
        ("SELECT * FROM opening_rules WHERE tenant_id = 1 AND calendar_id = 2 ORDER BY id", "calendar"),
        ("DELETE FROM occupancy WHERE tenant_id = 1 AND claim_id = 2", "claim"),
    ] {
        let plan: Vec<Step> = sql_query(format!("EXPLAIN QUERY PLAN {query}")).load(&mut conn).unwrap();
        let told: Vec<String> = plan.into_iter().map(|step| step.detail).collect();
        assert!(told[0].contains(&format!("_{index} (tenant_id=? AND")), "{query}: {told:?}");
    }
    let statistic: Statistic = sql_query(PERSON).get_result(&mut conn).unwrap();
    assert_eq!(statistic.stat, "1000000 1000000 10000 100");

    // Whoever counted is believed.
    sql_query("UPDATE sqlite_stat1 SET stat = '7 7 2 1' WHERE idx = 'appointments_person'").execute(&mut conn).unwrap();
    migrate::run(&target, SystemClock.now()).unwrap();
    let statistic: Statistic = sql_query(PERSON).get_result(&mut conn).unwrap();
    assert_eq!(statistic.stat, "7 7 2 1");
}
