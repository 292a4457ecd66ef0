//! Systems that call through PDND: who is let in, and what they sign.

mod clients;
mod integrity;
mod interop;
mod replays;
mod vouchers;

use kernel::ProblemKind;
use platform::{
    access::staff::{StaffRole, store as staff},
    problems::{ALREADY_REGISTERED, SIGNATURE_INVALID, SIGNATURE_REQUIRED},
};
use serde_json::{Value, json};
use tests::{Backend, Client, Server};

use self::interop::{Interop, Party};
use crate::world::{Desk, Plan, World};

pub(crate) static KINDS: &[&ProblemKind] = &[&SIGNATURE_REQUIRED, &SIGNATURE_INVALID, &ALREADY_REGISTERED];

const TENANT: &str = "bugliano";
const AUDIENCE: &str = "https://sportello.comune.bugliano.example/pdnd";
const PURPOSE: &str = "7c6b1f8c-0000-4222-8333-944445555666";
/// The client that the Comune lets in.
const CLIENT: &str = "5d2b1f8c-0000-4222-8333-944445555666";
/// One that it has not registered.
const STRANGER: &str = "5d2b1f8c-0000-4222-8333-9444455556ff";

/// A server that trusts a PDND on this machine, and a Comune that lets one system in through it.
struct Comune {
    server: Server,
    interop: Interop,
    world: World,
    desk: Desk,
    admin: Client,
    /// The path of the registered client.
    registered: String,
    /// With its key at PDND.
    party: Party,
}

impl Comune {
    async fn new(backend: Backend) -> Self {
        let interop = Interop::start();
        let server = interop.server(backend);
        let world = World::another(&server, TENANT).await;
        let desk = world.desk(Plan { capacity: 200, ..Plan::default() }).await;
        world.write(|tx| staff::insert(tx, "staff", "ada", "Ada Prova", StaffRole::Admin, &[])).await;
        let admin = server.tenant(TENANT).with_token(interop.staff(TENANT, "ada"));
        let party = Party::es256(CLIENT, "chiave-1");
        interop.publish(&party);
        let new = json!({ "client_id": CLIENT, "label": "Comune di Altrove", "scopes": ["appointments:read", "appointments:write"] });
        let made = admin.post("/pdnd-clients", new).fresh_key().await.expect(201);
        let registered = format!("/pdnd-clients/{}", made.text_at("/id"));
        let comune = Self { server, interop, world, desk, admin, registered, party };
        comune.set(json!({ "enabled": true, "audience": AUDIENCE })).await;
        comune
    }

    /// Changes what the Comune has set of PDND.
    async fn set(&self, pdnd: Value) {
        self.admin.patch("/settings", json!({ "pdnd": pdnd })).if_match("*").await.expect(200);
    }

    /// Changes the registered client.
    async fn change(&self, change: Value) {
        self.admin.patch(&self.registered, change).if_match("*").await.expect(200);
    }

    fn with(&self, voucher: impl Into<String>) -> Client {
        self.server.tenant(TENANT).with_token(voucher)
    }

    /// The registered client, with a voucher.
    fn system(&self) -> Client {
        self.with(self.interop.voucher(&json!({})))
    }
}

/// Runs test bodies in a Comune of their own, on each database.
macro_rules! in_a_comune {
    ($($body:ident),+ $(,)?) => {
        $(
            mod $body {
                #[tokio::test(flavor = "multi_thread")]
                async fn sqlite() {
                    Box::pin(super::$body($crate::identity::pdnd::Comune::new(tests::Backend::Sqlite).await)).await;
                }

                #[tokio::test(flavor = "multi_thread")]
                async fn postgres() {
                    if tests::Backend::Postgres.available() {
                        Box::pin(super::$body($crate::identity::pdnd::Comune::new(tests::Backend::Postgres).await)).await;
                    }
                }
            }
        )+
    };
}
use in_a_comune;
