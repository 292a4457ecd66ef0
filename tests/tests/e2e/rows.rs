//! What stands in the database, past the API: counted, changed, locked.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use booking::{
    appointments::AppointmentId,
    calendars::store as calendars,
    holds::HoldId,
    schema::{appointments, holds, occupancy},
};
use diesel::{prelude::*, sql_query, sql_types::BigInt};
use jiff::{SignedDuration, Timestamp};
use kernel::{Clock, Problem, SystemClock, civil};
use platform::{
    access::keys::{self, KeyKind, KeyScope, NewKey},
    directory::OfficeId,
    problems::NOT_FOUND,
    schema::{api_keys, tenants},
    settings::{self, TenantSettings},
    tenants::TenantState,
};
use storage::{
    Scope,
    types::{At, Key, Uid},
};
use tokio::{sync::oneshot, task::JoinHandle};
use uuid::Uuid;

use crate::world::{Desk, World};

/// Every table that a request may write to; those whose rows count their changes.
const TABLES: &[(&str, bool)] = &[
    ("appointments", true),
    ("appointment_applicants", false),
    ("occupancy", false),
    ("holds", false),
    ("outbox_events", false),
    ("idempotency_records", false),
    ("person_locks", true),
    ("calendar_days", true),
    ("places", true),
    ("offices", true),
    ("closures", true),
    ("calendars", true),
    ("opening_rules", true),
    ("opening_exceptions", true),
    ("appointment_services", true),
    ("service_calendars", false),
    ("staff_members", true),
    ("staff_sessions", true),
    ("spent_refreshes", false),
    ("recovery_codes", false),
    ("tenant_settings", true),
    ("webhooks", true),
    ("appointment_notes", false),
    ("retention_rules", true),
    ("legal_holds", false),
    ("data_access_entries", false),
    ("pdnd_clients", true),
    ("documents", true),
    ("document_discards", false),
    ("protocol_registers", false),
    ("protocol_entries", false),
    ("protocol_parties", false),
    ("protocol_receipts", false),
    ("protocol_registrations", true),
    ("protocol_emergencies", true),
    ("protocol_connections", true),
    ("payment_connections", true),
    ("payment_debts", true),
    ("payment_counters", false),
    ("payment_refunds", false),
    ("payment_notifications", false),
];

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// How much has been written in a Comune: rows by table, and the sum of the versions of those that count them.
pub(crate) async fn written(world: &World) -> BTreeMap<String, i64> {
    world
        .read(|tx| {
            let tenant = Key(tx.tenant());
            let mut found = BTreeMap::new();
            for (table, versioned) in TABLES {
                let mut ask = |what: &str| {
                    sql_query(format!("SELECT CAST({what} AS bigint) AS n FROM {table} WHERE tenant_id = $1"))
                        .bind::<Uid, _>(tenant)
                        .get_result::<Counted>(tx.conn())
                };
                found.insert((*table).to_owned(), ask("count(*)")?.n);
                if *versioned {
                    found.insert(format!("{table}.version"), ask("coalesce(sum(version), 0)")?.n);
                }
            }
            Ok(found)
        })
        .await
}

/// The code that an authenticator of this seed shows, so many steps from now.
pub(crate) fn totp(seed: &str, steps: i64) -> String {
    let seed = totp_rs::Secret::try_from_base32(seed).unwrap();
    let totp = totp_rs::Builder::new().with_secret(seed).build_noncompliant();
    totp.generate(u64::try_from(now().as_second() + steps * 30).unwrap()).to_string()
}

/// How many rows a table has in a Comune.
pub(crate) async fn count(world: &World, table: &str) -> i64 {
    written(world).await[table]
}

/// Whom the appointments of a Comune belong to, as it is stored.
pub(crate) async fn owners(world: &World) -> Vec<String> {
    world
        .read(|tx| {
            let mine = appointments::table.filter(appointments::tenant_id.eq(Key(tx.tenant())));
            Ok(mine.select(appointments::owner).distinct().load(tx.conn())?)
        })
        .await
}

/// Makes a hold run out a second ago, without anybody to tidy up. Its time is a change that no request makes, so it
/// is told as one: whoever remembers what is free knows when holds end, and time does not jump.
pub(crate) async fn expire_hold(world: &World, id: &str) {
    let id: Uuid = id.parse().unwrap();
    world
        .write(move |tx| {
            let (tenant, hold) = (Key(tx.tenant()), HoldId::from_uuid(id));
            let past = At(tx.now() - SignedDuration::from_secs(1));
            diesel::update(holds::table.filter(holds::tenant_id.eq(tenant)).filter(holds::id.eq(Key(hold))))
                .set(holds::expires_at.eq(past))
                .execute(tx.conn())?;
            let claim: calendars::ClaimId = hold.cast();
            let seats = occupancy::table.filter(occupancy::tenant_id.eq(tenant));
            diesel::update(seats.filter(occupancy::claim_id.eq(Key(claim))))
                .set(occupancy::hold_expires_at.eq(Some(past)))
                .execute(tx.conn())?;
            let days = calendars::days_of(tx, claim)?;
            calendars::lock_days(tx, &days)
        })
        .await;
}

/// Puts an appointment into a state that no request leads to yet.
pub(crate) async fn set_state(world: &World, id: &str, state: &'static str) {
    let id: Uuid = id.parse().unwrap();
    world
        .write(move |tx| {
            sql_query("UPDATE appointments SET state = $1 WHERE tenant_id = $2 AND id = $3")
                .bind::<diesel::sql_types::Text, _>(state)
                .bind::<Uid, _>(Key(tx.tenant()))
                .bind::<Uid, _>(Key(AppointmentId::from_uuid(id)))
                .execute(tx.conn())?;
            Ok(())
        })
        .await;
}

/// Makes an appointment have begun an hour ago.
pub(crate) async fn begin(world: &World, id: &str) {
    let id: Uuid = id.parse().unwrap();
    world
        .write(move |tx| {
            let mine = appointments::table.filter(appointments::tenant_id.eq(Key(tx.tenant())));
            let (id, starts_at) = (AppointmentId::from_uuid(id), tx.now() - SignedDuration::from_hours(1));
            diesel::update(mine.filter(appointments::id.eq(Key(id))))
                .set(appointments::starts_at.eq(At(starts_at)))
                .execute(tx.conn())?;
            Ok(())
        })
        .await;
}

/// Gives back the time of an appointment, whatever its state.
pub(crate) async fn forget(world: &World, id: &str) {
    let id: Uuid = id.parse().unwrap();
    world.write(move |tx| calendars::release(tx, calendars::ClaimId::from_uuid(id))).await;
}

/// Lets a Comune be served, or not. A server notices within ten seconds, and at once if it has not met it yet.
pub(crate) async fn set_tenant_state(world: &World, state: TenantState) {
    world
        .write(move |tx| {
            diesel::update(tenants::table.filter(tenants::tenant_id.eq(Key(tx.tenant()))))
                .set(tenants::state.eq(state))
                .execute(tx.conn())?;
            Ok(())
        })
        .await;
}

/// All the text that is stored of the keys of a Comune.
pub(crate) async fn keys_as_stored(world: &World) -> String {
    world
        .read(|tx| {
            use api_keys as k;
            let mine = k::table.filter(k::tenant_id.eq(Key(tx.tenant())));
            let columns = (k::handle, k::secret_hash, k::previous_hash, k::label);
            let rows: Vec<(String, String, Option<String>, String)> = mine.select(columns).load(tx.conn())?;
            Ok(format!("{rows:?}"))
        })
        .await
}

/// Lets the webhooks of a Comune lead to these hosts. A gateway that knows the Comune heeds it after ten seconds.
pub(crate) async fn allow_private_hosts(world: &World, hosts: &[&str]) {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    world
        .write(move |tx| {
            let stored = settings::store::get(tx)?;
            let settings = TenantSettings { private_hosts: hosts.clone(), ..stored.settings };
            settings::store::put(tx, &settings, stored.version)
        })
        .await;
}

/// Issues a key.
pub(crate) async fn key(world: &World, kind: KeyKind, office: Option<OfficeId>, scopes: &[KeyScope]) -> String {
    let new =
        NewKey { kind, label: "a test's".to_owned(), office_id: office, scopes: scopes.to_vec(), expires_at: None };
    world.write(move |tx| keys::issue(tx, &new)).await
}

/// The instant by the clock that the server under test runs by.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// A calendar's day, locked by a transaction of the test's until it is let go: whoever books on that day waits.
///
/// On SQLite every write waits, the test's own too.
#[derive(Debug)]
pub(crate) struct Lock {
    release: mpsc::Sender<()>,
    held: JoinHandle<()>,
}

impl Lock {
    pub(crate) async fn on(desk: &Desk, at: Timestamp) -> Self {
        let (release, released) = mpsc::channel::<()>();
        let (locked, is_locked) = oneshot::channel::<()>();
        let (released, mut locked) = (Arc::new(Mutex::new(released)), Some(locked));
        let day = (desk.calendar.id, civil::date_of(at));
        let (db, scope) = (desk.world.db.clone(), Scope::system(desk.world.tenant.tenant_id));
        let held = tokio::spawn(async move {
            let outcome = db.write(&scope, move |tx| -> storage::Result<()> {
                calendars::lock_days(tx, &[day].into())?;
                if let Some(locked) = locked.take() {
                    locked.send(()).expect("somebody waits for the lock");
                }
                // Whoever holds the other end lets go, or is gone because the test has failed.
                let _ = released.lock().unwrap_or_else(PoisonError::into_inner).recv();
                // Nothing is to be left behind.
                Err(Problem::new(&NOT_FOUND).into())
            });
            outcome.await.unwrap_err();
        });
        is_locked.await.expect("the day is locked");
        Self { release, held }
    }

    pub(crate) async fn release(self) {
        self.release.send(()).expect("the lock is held");
        self.held.await.unwrap();
    }
}
