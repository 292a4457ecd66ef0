//! Every operation, by every kind of caller: what `tests/samples/` says each is told, and nothing besides.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{QueryableByName, RunQueryDsl, sql_query};
use futures_util::{StreamExt, stream};
use reqwest::Method;
use storage::types::{Key, Uid};
use tests::{Answer, Backend, Server, both_databases};

use super::{
    NOBODY,
    document::Contract,
    samples::{CALLERS, Maker, STRANGERS, Samples, Told},
    stage::{Request, Stage, mirrored},
};
use crate::world::World;

both_databases!(everybody_is_told_what_the_samples_say);

/// Registrations that somebody has to look at: more than are asked for, by everybody.
const REGISTRATIONS: usize = 220;
/// The Comune next door.
const NEIGHBOUR: &str = "altrove";
/// Requests under way at once: enough to keep two processors busy.
const TOGETHER: usize = 8;
/// What gives away that somebody knows of a thing, by its place in what made it.
const SECRET: &[&str] = &["/id", "/code", "/applicant/email"];
/// Pages of a list that are looked at.
const PAGES: usize = 20;

#[test]
fn there_is_a_sample_of_every_operation_and_of_no_other() {
    Samples::read().cover(&Contract::committed());
}

async fn everybody_is_told_what_the_samples_say(server: Server) {
    let (contract, samples) = (Contract::committed(), Samples::read());
    samples.cover(&contract);
    let [here, elsewhere, there] = Box::pin(Stage::set(&server, NEIGHBOUR, REGISTRATIONS)).await;
    let makers: BTreeSet<Maker> =
        samples.operations().filter_map(|operation| samples.maker(&samples.request(operation))).collect();
    let mut made = [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()];
    for (stage, made) in [&here, &elsewhere, &there].into_iter().zip(&mut made) {
        for maker in &makers {
            made.insert(maker.clone(), stage.make(&samples, &contract, &maker.0, &maker.1).await);
        }
    }
    let secrets = secrets(&samples, &contract, &made, &there);
    let [made, _, foreign] = made;
    let matrix = Matrix { contract, samples, here, there, made, foreign, secrets };

    let (allowed, refused): (Vec<_>, Vec<_>) = matrix.cells().partition(|cell| cell.told == Told::Ok);
    let rows = async || rows_by_table(&matrix.here.desk.world, server.backend()).await;
    let before = rows().await;
    let mut wrong = matrix.run(&refused).await;
    wrong.extend(matrix.strangers_things(&matrix.cells().collect::<Vec<_>>()).await);
    let mut after = rows().await;
    wrong.extend(grown(&before, &after));
    // Who may export gets a file of nothing when asking for what is not here, and that they asked is recorded.
    let exported = exports(&matrix.here.desk.world).await;
    wrong.extend(matrix.strange_references(&allowed).await);
    let recorded = exports(&matrix.here.desk.world).await - exported;
    let referred = rows().await;
    *after.get_mut("audit_entries").expect("the audit") += recorded;
    // A chain begins with whichever entry falls to it.
    after.remove("audit_lanes");
    wrong.extend(grown(&after, &referred));
    wrong.extend(matrix.run(&allowed).await);
    assert!(wrong.is_empty(), "{} wrong cells:\n{}", wrong.len(), wrong.join("\n"));
    assert!(allowed.len() > 100 && refused.len() > 100, "{} and {}", allowed.len(), refused.len());
}

/// One operation and one caller.
struct Cell<'m> {
    operation: &'m str,
    caller: &'static str,
    told: Told,
}

/// Something that not everybody may know of, and who may.
struct Secret {
    of: String,
    /// What gives it away.
    text: String,
    readers: BTreeSet<&'static str>,
    /// What an integration's key needs to read it.
    scope: Option<String>,
}

struct Matrix {
    contract: Contract,
    samples: Samples,
    here: Stage,
    there: Stage,
    /// What the requests that may not change it are about, by its maker.
    made: BTreeMap<Maker, Answer>,
    /// The same in the other Comune.
    foreign: BTreeMap<Maker, Answer>,
    secrets: Vec<Secret>,
}

/// What was made that is not for everybody: known by the operation that reads it, which says for whom it is.
fn secrets(samples: &Samples, contract: &Contract, made: &[BTreeMap<Maker, Answer>; 3], there: &Stage) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for (n, made) in made.iter().enumerate() {
        for (maker, answer) in made {
            let reads = |operation: &&str| {
                let declared = contract.operation(operation);
                let about = samples.maker(&samples.request(operation));
                declared.method == Method::GET && declared.path.ends_with('}') && about.as_ref() == Some(maker)
            };
            let Some(reader) = samples.operations().find(reads) else { continue };
            let may = |caller: &&&'static str| match n {
                0 => samples.told(reader, caller) == Told::Ok,
                1 => samples.told(reader, &mirrored(caller)) == Told::Ok,
                _ => false,
            };
            let readers: BTreeSet<_> = CALLERS.iter().filter(may).copied().collect();
            let scope = samples.of(reader).scope.clone();
            let given_away = SECRET.iter().filter_map(|pointer| answer.body.pointer(pointer)?.as_str());
            secrets.extend(given_away.map(|text| Secret {
                of: maker.0.clone(),
                text: text.to_owned(),
                readers: BTreeSet::clone(&readers),
                scope: scope.clone(),
            }));
        }
    }
    let desk = &there.desk;
    for (of, id) in [
        ("office", desk.office.id.to_string()),
        ("place", desk.office.place_id.to_string()),
        ("calendar", desk.calendar.id.to_string()),
        ("service", desk.services[0].id.to_string()),
    ] {
        secrets.push(Secret { of: format!("another Comune's {of}"), text: id, readers: BTreeSet::new(), scope: None });
    }
    secrets
}

impl Secret {
    /// Whether a caller may know of it who has keys for `scope`.
    fn is_for(&self, caller: &str, scope: Option<&str>) -> bool {
        let opens = |needed: &str| match caller {
            "integration" => true,
            "integration_only" => scope == Some(needed),
            "integration_without" => scope != Some(needed),
            _ => false,
        };
        match self.scope.as_deref().filter(|_| caller.starts_with("integration")) {
            Some(needed) => self.readers.contains("integration") && opens(needed),
            None => self.readers.contains(caller),
        }
    }
}

impl Matrix {
    fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        self.samples.operations().flat_map(move |operation| {
            let ours = CALLERS.iter().map(move |caller| (*caller, self.samples.told(operation, caller)));
            let theirs = STRANGERS.iter().map(|(caller, status)| (*caller, Told::refused(*status).unwrap()));
            ours.chain(theirs).map(move |(caller, told)| Cell { operation, caller, told })
        })
    }

    /// Plays cells; what was wrong.
    async fn run(&self, cells: &[Cell<'_>]) -> Vec<String> {
        let played = stream::iter(cells).map(|cell| async move {
            let wrong = if cell.told == Told::Ok { self.allowed(cell).await } else { self.refused(cell).await };
            wrong.err().map(|wrong| format!("{} by {}: {wrong}", cell.operation, cell.caller))
        });
        played.buffer_unordered(TOGETHER).filter_map(|wrong| async { wrong }).collect().await
    }

    /// The request of a cell, about what is there for all to be refused, or in the other Comune.
    fn request(&self, operation: &str, stage: &Stage, made: &BTreeMap<Maker, Answer>) -> Request {
        let request = self.samples.request(operation);
        let made = self.samples.maker(&request).map(|maker| &made[&maker]);
        stage.request(&self.samples, &self.contract, operation, &request, made)
    }

    async fn send(&self, cell: &Cell<'_>, request: &Request) -> Answer {
        let scope = self.samples.of(cell.operation).scope.as_deref();
        let answer = request.send(&self.contract, self.here.caller(cell.caller, scope)).await;
        self.contract.check(cell.operation, &answer);
        answer
    }

    async fn refused(&self, cell: &Cell<'_>) -> Result<(), String> {
        let Told::Refused(status, slug) = &cell.told else { unreachable!("a refused cell") };
        let request = self.request(cell.operation, &self.here, &self.made);
        let answer = self.send(cell, &request).await;
        if answer.status != *status || answer.body["type"] != format!("/problems/{slug}") {
            return Err(format!("not {status} {slug}: {answer}"));
        }
        self.check_secrets(cell, &answer)?;
        if *status == 404 && !request.path.is_empty() {
            let unknown = self.send(cell, &request.about_nothing(request.path.len() - 1)).await;
            alike(&answer, &unknown)?;
        }
        Ok(())
    }

    async fn allowed(&self, cell: &Cell<'_>) -> Result<(), String> {
        let operation = self.contract.operation(cell.operation);
        let mut request = if operation.method == Method::GET {
            self.request(cell.operation, &self.here, &self.made)
        } else {
            // It may be gone afterwards: each caller gets one of their own.
            let request = self.samples.request(cell.operation);
            self.here.prepare(&self.samples, &self.contract, cell.operation, &request).await
        };
        let is_list = operation.parameters.iter().any(|parameter| parameter["name"] == "limit");
        if is_list {
            request.query.retain(|(name, _)| name != "limit");
            request.query.push(("limit".to_owned(), "100".to_owned()));
        }
        let mut answer = self.send(cell, &request).await;
        let mut shown = answer.text.clone();
        for _ in 0..PAGES {
            if !operation.successes.contains(&answer.status) {
                return Err(format!("not {:?}: {answer}", operation.successes));
            }
            self.check_secrets(cell, &answer)?;
            let Some(next) = answer.body["next"].as_str().filter(|_| is_list) else { break };
            request.query.retain(|(name, _)| name != "after");
            request.query.push(("after".to_owned(), next.to_owned()));
            answer = self.send(cell, &request).await;
            shown += &answer.text;
        }
        self.check_list(cell, &shown)
    }

    /// Nothing is told to whom it is not for.
    fn check_secrets(&self, cell: &Cell<'_>, answer: &Answer) -> Result<(), String> {
        let scope = self.samples.of(cell.operation).scope.as_deref();
        let by_right = self.samples.of(cell.operation).address_is_key;
        let told = self.secrets.iter().filter(|secret| !secret.is_for(cell.caller, scope));
        let told = told.filter(|secret| !by_right || secret.readers.is_empty());
        match told.into_iter().find(|secret| answer.text.contains(&secret.text)) {
            Some(secret) => Err(format!("tells of what {} made, {}: {answer}", secret.of, secret.text)),
            None => Ok(()),
        }
    }

    /// A list that shows some kind of thing shows it to those who may read it.
    fn check_list(&self, cell: &Cell<'_>, shown: &str) -> Result<(), String> {
        let sample = self.samples.of(cell.operation);
        let Some(of) = &sample.lists else { return Ok(()) };
        let ids: BTreeSet<_> = self.made.values().filter_map(|made| made.body["id"].as_str()).collect();
        let known = self.secrets.iter().filter(|secret| secret.of == *of && ids.contains(secret.text.as_str()));
        let missed = known.filter(|secret| secret.is_for(cell.caller, sample.scope.as_deref()));
        match missed.into_iter().find(|secret| !shown.contains(&secret.text)) {
            Some(secret) => Err(format!("does not list {}: {shown}", secret.text)),
            None => Ok(()),
        }
    }

    /// What is another Comune's is, for each caller of each operation, what does not exist.
    async fn strangers_things(&self, cells: &[Cell<'_>]) -> Vec<String> {
        let played = stream::iter(cells).map(|cell| async move {
            let ours = self.request(cell.operation, &self.here, &self.made);
            let theirs = self.request(cell.operation, &self.there, &self.foreign);
            for n in 0..ours.path.len() {
                // A word that means the same in every Comune, such as a language, is nobody's.
                if ours.path[n] == theirs.path[n] {
                    continue;
                }
                let foreign = self.send(cell, &ours.with_path(n, &theirs.path[n])).await;
                let unknown = self.send(cell, &ours.about_nothing(n)).await;
                if foreign.status < 400 {
                    return Some(format!("{} by {}, abroad: {foreign}", cell.operation, cell.caller));
                }
                if let Err(wrong) = alike(&foreign, &unknown) {
                    return Some(format!("{} by {}, abroad: {wrong}", cell.operation, cell.caller));
                }
            }
            None
        });
        played.buffer_unordered(TOGETHER).filter_map(|wrong| async { wrong }).collect().await
    }

    /// What a body or a query refers to in another Comune is, for who may send it, what does not exist.
    async fn strange_references(&self, cells: &[Cell<'_>]) -> Vec<String> {
        let (ours, theirs) = (self.here.things(), self.there.things());
        let played = stream::iter(cells).map(|cell| {
            let pairs: Vec<_> = ours.iter().zip(&theirs).collect();
            async move {
                let request = self.request(cell.operation, &self.here, &self.made);
                for (here, there) in pairs {
                    let Some(foreign) = request.with_reference(here, there) else { continue };
                    let unknown = request.with_reference(here, NOBODY).expect("a reference");
                    let (foreign, unknown) = (self.send(cell, &foreign).await, self.send(cell, &unknown).await);
                    let shown = foreign.status < 400 && foreign.text.contains(there);
                    if let Err(wrong) =
                        alike(&foreign, &unknown).and(if shown { Err(foreign.to_string()) } else { Ok(()) })
                    {
                        return Some(format!("{} by {}, of {there}: {wrong}", cell.operation, cell.caller));
                    }
                }
                None
            }
        });
        played.buffer_unordered(TOGETHER).filter_map(|wrong| async { wrong }).collect().await
    }
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = diesel::sql_types::Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

/// The tables that were written to. Every change has its entry in the audit, so counting rows is enough; what has
/// expired may be swept meanwhile.
fn grown(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) -> Vec<String> {
    let grown = before.iter().filter(|(table, rows)| after.get(*table) > Some(rows));
    // Attempts go on meanwhile, whatever is asked.
    let grown = grown.filter(|(table, _)| *table != "webhook_attempts");
    grown.map(|(table, _)| format!("something refused was written to {table}")).collect()
}

/// How many exports are recorded.
async fn exports(world: &World) -> i64 {
    let count = world.read(|tx| {
        let sql = "SELECT count(*) AS n FROM audit_entries WHERE tenant_id = $1 AND action = 'appointments.exported'";
        let Counted { n } = sql_query(sql).bind::<Uid, _>(Key(tx.tenant())).get_result(tx.conn())?;
        Ok(n)
    });
    count.await
}

/// How many rows each table has in a Comune, whichever tables there are.
async fn rows_by_table(world: &World, backend: Backend) -> BTreeMap<String, i64> {
    let tables = match backend {
        Backend::Sqlite => {
            "SELECT m.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
                            WHERE m.type = 'table' AND c.name = 'tenant_id'"
        }
        Backend::Postgres => {
            "SELECT table_name::text AS name FROM information_schema.columns \
                              WHERE table_schema = 'public' AND column_name = 'tenant_id'"
        }
    };
    let rows = world.read(move |tx| {
        let mut rows = BTreeMap::new();
        for Named { name } in sql_query(tables).load::<Named>(tx.conn())? {
            let count = sql_query(format!("SELECT count(*) AS n FROM {name} WHERE tenant_id = $1"));
            let Counted { n } = count.bind::<Uid, _>(Key(tx.tenant())).get_result(tx.conn())?;
            rows.insert(name, n);
        }
        Ok(rows)
    });
    let rows = rows.await;
    assert!(rows.contains_key("audit_entries") && rows.len() > 10, "{rows:?}");
    rows
}

/// Two answers are the same to the last byte, but for what names the request itself.
fn alike(one: &Answer, other: &Answer) -> Result<(), String> {
    let essence = |answer: &Answer| {
        // `Connection` says whether the server had read the body when it answered: a matter of packets, not of rights.
        let of_the_request =
            |name: &str| ["date", "request-id", "connection"].contains(&name) || name.starts_with("ratelimit");
        let headers = answer.headers.iter().filter(|(name, _)| !of_the_request(name.as_str()));
        let mut headers: Vec<_> = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
        // The server sends them in no order.
        headers.sort();
        let id = answer.header("request-id").unwrap_or_default();
        (answer.status, headers, answer.text.replace(id, ""))
    };
    if essence(one) == essence(other) {
        Ok(())
    } else {
        Err(format!("{one} {:?} is told apart from {other} {:?}", one.headers, other.headers))
    }
}

#[test]
fn what_tells_two_answers_apart_is_found() {
    let answer = |id: &str, more: &str, text: &str| {
        let headers = [("request-id", id), ("date", id), ("x-more", more)];
        let headers =
            headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Answer { line: String::new(), status: 404, headers, body: serde_json::Value::Null, text: text.to_owned() }
    };
    let one = answer("1", "x", "{\"instance\":\"1\"}");
    assert!(alike(&one, &answer("2", "x", "{\"instance\":\"2\"}")).is_ok());
    assert!(alike(&one, &answer("2", "y", "{\"instance\":\"2\"}")).is_err(), "a header");
    assert!(alike(&one, &answer("2", "x", "{ \"instance\":\"2\"}")).is_err(), "a byte");
    assert!(alike(&one, &Answer { status: 403, ..one.clone() }).is_err(), "the status");
}
