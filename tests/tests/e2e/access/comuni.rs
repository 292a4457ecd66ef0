//! Between two Comuni of one deployment: nothing.

use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};
use platform::{
    access::keys::{KeyKind, KeyScope},
    tenants::TenantState,
};
use serde_json::json;
use tests::{Answer, Backend, Client, Server, both_databases};

use crate::{
    mint,
    refusals::{NOBODY, without_instance},
    rows,
    world::{Desk, Plan, World},
};

both_databases!(
    what_is_of_another_comune_is_not_there,
    names_of_one_comune_are_nobody_in_another,
    a_suspended_comune_keeps_its_data,
);

/// Two Comuni with a desk each, and an appointment and a hold at the second one.
struct Neighbours {
    here: Desk,
    there: Desk,
    booked: Answer,
    held: Answer,
}

impl Neighbours {
    async fn of(server: &Server) -> Self {
        let world = World::of(server).await;
        let other = World::another(server, "altrove").await;
        let (here, there) = (world.desk(Plan::default()).await, other.desk(Plan::default()).await);
        let visitor = server.tenant("altrove");
        let booked = visitor.post("/appointments", there.order(there.at(3, 9, 0))).fresh_key().await.expect(201);
        let held = visitor.post("/holds", there.wish(there.at(3, 10, 0))).fresh_key().await.expect(201);
        Self { here, there, booked, held }
    }
}

async fn what_is_of_another_comune_is_not_there(server: Server) {
    let both = Neighbours::of(&server).await;
    let (here, there) = (&both.here, &both.there);
    let (visitor, admin) = (server.anonymous(), server.client("admin"));
    let (calendar, service) = (there.calendar.id.to_string(), there.services[0].id.to_string());
    let ids = [
        ("offices", there.office.id.to_string()),
        ("places", there.office.place_id.to_string()),
        ("calendars", calendar.clone()),
        ("appointment-services", service.clone()),
        ("holds", both.held.text_at("/id").to_owned()),
        ("appointments", both.booked.text_at("/id").to_owned()),
    ];
    // The widest rights there are, in the wrong Comune.
    for caller in [&admin, &server.client("integration"), &server.client("platform"), &server.client("citizen_a")] {
        for (collection, id) in &ids {
            as_unknown(caller, collection, id).await;
        }
        for tail in ["opening-rules", "opening-exceptions"] {
            as_unknown(caller, "calendars", &format!("{calendar}/{tail}")).await;
        }
        as_unknown(caller, "appointment-services", &format!("{service}/offices")).await;
    }
    let none = admin.get(&format!("/calendars?office_id={}", there.office.id)).await.expect(200);
    assert!(none.items().is_empty(), "{none}");
    for list in ["offices", "places", "calendars", "appointment-services"] {
        let listed = admin.get(&format!("/{list}?limit=100")).await.expect(200);
        assert!(ids.iter().all(|(_, id)| !listed.text.contains(id)), "{listed}");
    }

    // What a body or a query points at.
    for member in ["service_id", "calendar_id"] {
        let mut order = here.order(here.at(3, 9, 0));
        order[member] = there.order(there.at(3, 9, 0))[member].clone();
        let told = visitor.post("/appointments", order.clone()).fresh_key().await.problem(422, "invalid-body");
        order[member] = NOBODY.into();
        let unknown = visitor.post("/appointments", order).fresh_key().await.problem(422, "invalid-body");
        assert_eq!(without_instance(&told), without_instance(&unknown));
    }
    let slots = format!("/calendars/{}/slots?date={}", here.calendar.id, here.day(3));
    visitor.get(&format!("{slots}&service_id={service}")).await.problem(422, "invalid-query").field("?service_id");
    let mut order = here.order(here.at(3, 9, 0));
    order["hold_id"] = both.held.at("/id").clone();
    visitor.post("/appointments", order).fresh_key().await.problem(409, "hold-expired");

    // Code and manage token open the appointment at home, and nothing here.
    let lookup = json!({ "code": both.booked.at("/code"), "manage_token": both.booked.at("/manage_token") });
    visitor.post("/appointment-lookups", lookup.clone()).await.problem(403, "code-token-mismatch");
    server.tenant("altrove").post("/appointment-lookups", lookup).await.expect(200);
    let body = json!({ "manage_token": both.booked.at("/manage_token") });
    let path = format!("/appointments/{}/cancellation", both.booked.text_at("/id"));
    visitor.post(&path, body.clone()).await.problem(403, "code-token-mismatch");
    server.tenant("altrove").post(&path, body).await.expect(200);
}

async fn as_unknown(caller: &Client, collection: &str, id: &str) {
    let told = caller.get(&format!("/{collection}/{id}")).await.problem(404, "not-found");
    let tail = id.split_once('/').map_or(String::new(), |(_, tail)| format!("/{tail}"));
    let unknown = caller.get(&format!("/{collection}/{NOBODY}{tail}")).await.problem(404, "not-found");
    assert_eq!(without_instance(&told), without_instance(&unknown));
}

async fn names_of_one_comune_are_nobody_in_another(server: Server) {
    let both = Neighbours::of(&server).await;
    let (world, other) = (&both.here.world, &both.there.world);
    let elsewhere = server.tenant("altrove");
    // Every token of the demo but the deployment's own.
    for (role, token) in &server.credentials().tokens {
        let answer = elsewhere.with_token(token).get("/offices").await;
        if role == "platform" {
            answer.expect(200);
        } else {
            answer.problem(401, "unauthenticated");
        }
    }
    // The key of the deployment opens every door, and no drawer.
    let platform = elsewhere.with_token(&server.credentials().tokens["platform"]);
    platform.get(&format!("/appointments/{}", both.booked.text_at("/id"))).await.problem(404, "not-found");
    // And the other way round.
    let visitor = server.anonymous();
    for key in [
        rows::key(other, KeyKind::Integration, None, KeyScope::ALL).await,
        rows::key(other, KeyKind::Device, Some(both.there.office.id), &[]).await,
        mint::citizen(&server, "altrove", mint::TAX_CODE_A),
        mint::staff(&server, "altrove", "operator"),
    ] {
        visitor.with_token(key).get("/offices").await.problem(401, "unauthenticated");
    }
    // Who works here is nobody's staff there.
    let operator = elsewhere.with_token(mint::staff(&server, "altrove", "operator"));
    operator.get("/offices").await.problem(403, "forbidden");

    // One person, two Comuni: two lists, and two names in them that cannot be compared.
    let there = elsewhere.with_token(mint::citizen(&server, "altrove", mint::TAX_CODE_A));
    assert!(there.get("/me/appointments").await.expect(200).items().is_empty());
    there.post("/appointments", both.there.order(both.there.at(4, 9, 0))).fresh_key().await.expect(201);
    assert_eq!(there.get("/me/appointments").await.expect(200).items().len(), 1);
    let here = server.client("citizen_a").get("/me/appointments?limit=100").await.expect(200);
    assert!(here.items().iter().all(|item| item["calendar_id"] != json!(both.there.calendar.id)), "{here}");
    let (mine, theirs) = (rows::owners(world).await, rows::owners(other).await);
    assert!(mine.iter().any(|owner| owner.starts_with("citizen:")), "{mine:?}");
    assert!(theirs.iter().any(|owner| owner.starts_with("citizen:")), "{theirs:?}");
    assert!(mine.iter().all(|owner| owner == "anonymous" || !theirs.contains(owner)), "{mine:?} {theirs:?}");
}

async fn a_suspended_comune_keeps_its_data(mut server: Server) {
    let world = World::another(&server, "sospeso").await;
    let desk = world.desk(Plan::default()).await;
    let booked = {
        let citizen = server.tenant("sospeso").with_token(mint::citizen(&server, "sospeso", mint::TAX_CODE_A));
        citizen.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201)
    };
    // A server that knows the Comune notices within ten seconds; a new one at once.
    for (state, status) in [(TenantState::Suspended, 503), (TenantState::Active, 200)] {
        rows::set_tenant_state(&world, state).await;
        server.restart();
        let visitor = server.tenant("sospeso");
        let citizen = visitor.with_token(mint::citizen(&server, "sospeso", mint::TAX_CODE_A));
        for answer in [
            visitor.get("/status").await,
            visitor.get("/offices").await,
            citizen.get("/me/appointments").await,
            citizen.get(&format!("/appointments/{}", booked.text_at("/id"))).await,
        ] {
            assert_eq!(answer.status, status, "{answer}");
        }
        server.anonymous().get("/status").await.expect(200);
        server.root().get("/health/ready").await.expect(200);
    }
    let citizen = server.tenant("sospeso").with_token(mint::citizen(&server, "sospeso", mint::TAX_CODE_A));
    let listed = citizen.get("/me/appointments").await.expect(200);
    assert_eq!(listed.items()[0]["id"], *booked.at("/id"));
}

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

#[derive(diesel::QueryableByName)]
struct Name {
    #[diesel(sql_type = diesel::sql_types::Text)]
    name: String,
}

fn number(wall: &mut PgConnection, sql: &str) -> i64 {
    sql_query(sql).get_result::<Number>(wall).unwrap_or_else(|e| panic!("{sql}: {e}")).n
}

fn rows_changed(wall: &mut PgConnection, sql: &str) -> usize {
    sql_query(sql).execute(wall).unwrap_or_else(|e| panic!("{sql}: {e}"))
}

/// The second wall: a query that forgets the Comune sees nothing, whoever wrote it.
#[tokio::test(flavor = "multi_thread")]
async fn row_level_security_bites() {
    if !Backend::Postgres.available() {
        return;
    }
    let server = Server::demo(Backend::Postgres);
    let world = World::of(&server).await;
    let other = World::another(&server, "altrove").await;
    other.desk(Plan::default()).await;
    let (mine, theirs) = (world.tenant.tenant_id, other.tenant.tenant_id);
    let appointments = rows::count(&world, "appointments").await;
    assert!(appointments > 0);

    let wall = &mut PgConnection::establish(server.database()).unwrap();
    // Whom it is about: the role that the server is, owner of the tables, and exempt from nothing.
    let ordinary =
        "SELECT count(*) AS n FROM pg_roles WHERE rolname = current_user AND NOT rolsuper AND NOT rolbypassrls";
    assert_eq!(number(wall, ordinary), 1);
    let tables: Vec<Name> = sql_query(
        "SELECT c.relname::text AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
         WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attname = 'tenant_id' \
         AND c.relname <> 'tenants' ORDER BY 1",
    )
    .load(wall)
    .unwrap();
    assert!(tables.iter().any(|table| table.name == "appointment_applicants"), "the tables are not found");
    for Name { name } in &tables {
        let forced = format!(
            "SELECT count(*) AS n FROM pg_class WHERE relname = '{name}' AND relrowsecurity AND relforcerowsecurity"
        );
        assert_eq!(number(wall, &forced), 1, "{name} is not behind the wall");
        let shown = number(wall, &format!("SELECT count(*) AS n FROM {name}"));
        assert_eq!(shown, 0, "{name} shows rows to nobody in particular");
    }
    // Nor does nobody in particular change anything.
    assert_eq!(rows_changed(wall, "UPDATE appointments SET state = 'cancelled'"), 0);
    assert_eq!(rows_changed(wall, "DELETE FROM appointment_applicants"), 0);

    // One Comune sees its own, and writes nothing into another.
    rows_changed(wall, &format!("SET sportello.tenant = '{theirs}'"));
    assert!(number(wall, "SELECT count(*) AS n FROM calendars") > 0);
    for Name { name } in &tables {
        let foreign = format!("SELECT count(*) AS n FROM {name} WHERE tenant_id <> '{theirs}'");
        assert_eq!(number(wall, &foreign), 0, "{name}");
    }
    assert_eq!(rows_changed(wall, &format!("DELETE FROM appointments WHERE tenant_id = '{mine}'")), 0);
    for sql in [
        format!("UPDATE opening_rules SET tenant_id = '{mine}'"),
        format!(
            "INSERT INTO places (tenant_id, id, name, address, postal_code, locality, version) \
             VALUES ('{mine}', '{NOBODY}', '{{\"it\": \"x\"}}', 'x', 'x', 'x', 1)"
        ),
    ] {
        let refused = sql_query(&sql).execute(wall).unwrap_err().to_string();
        assert!(refused.contains("row-level security"), "{sql}: {refused}");
    }
    // An empty name is nobody's.
    rows_changed(wall, "SET sportello.tenant = ''");
    assert_eq!(rows_changed(wall, "DELETE FROM opening_rules"), 0);
    // What is behind the wall is as it was.
    assert_eq!(rows::count(&world, "appointments").await, appointments);
    assert_eq!(rows::count(&world, "appointment_applicants").await, appointments);
}
