//! Where samples are played: an office, who calls there, and how what a request is about comes to be.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use diesel::prelude::*;
use jiff::Span;
use kernel::civil;
use platform::{
    access::{
        keys::{KeyKind, KeyScope},
        staff::{self, StaffRole},
    },
    messages,
};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use storage::types::Key;
use tests::{Answer, Client, Server, client::Call};

use super::{
    NOBODY,
    document::Contract,
    registers,
    samples::{CALLERS, STRANGERS, Samples, Variant},
};
use crate::{
    counter, mint, payments, rows,
    world::{Desk, Plan, World},
};

/// Times by the quarter of an hour from 8 to 18.
const TIMES_A_DAY: u32 = 40;
/// Days on which something may be booked; the days after them are quiet.
const BUSY_DAYS: u32 = 200;
/// The first of them: nobody is too late for it.
const FIRST_DAY: u32 = 3;
/// Registrations that somebody has to look at, where each operation is called a few times.
pub(super) const FEW: usize = 24;

/// An office, its own things, and the callers as they are seen from there.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) desk: Desk,
    callers: Arc<BTreeMap<String, Client>>,
    /// Messages that were parked: no operation makes one.
    parked: Arc<Vec<String>>,
    /// Registrations of the office that somebody has to look at, and daily registers of the Comune.
    registrations: Arc<Vec<String>>,
    daily_registers: Arc<Vec<String>>,
    /// Seen from the other office: `here` and `elsewhere`, `owner` and `other` change places.
    mirrored: bool,
}

/// A request that can be sent.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) operation: String,
    /// Who sends it, unless somebody else is to.
    pub(super) caller: Client,
    /// Whether that is nobody in particular.
    pub(super) is_anonymous: bool,
    /// What stands in its path, in order.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Option<Value>,
    /// Whether it is signed as the provider of payments signs.
    pub(super) signed: bool,
}

impl Stage {
    /// Two offices of the demo's Comune, and one of another Comune that calls itself so, each with so many registrations
    /// that somebody has to look at.
    pub(super) async fn set(server: &Server, neighbour: &str, registrations: usize) -> [Self; 3] {
        let (here, elsewhere, callers) = cast(server, &World::of(server).await).await;
        let (there, _, foreigners) = cast(server, &World::another(server, neighbour).await).await;
        let mut all = callers;
        let visitor = server.anonymous();
        let base = format!("{}/{}/v1", server.base_url(), server.credentials().tenant);
        let abroad = |name: &str, role: &str| (name.to_owned(), foreigners[role].at(&base));
        all.extend([
            abroad("foreign_citizen", "citizen_owner"),
            abroad("foreign_staff", "admin"),
            abroad("foreign_key", "integration"),
            abroad("foreign_device", "device_here"),
        ]);
        let slug = &server.credentials().tenant;
        all.insert("staff_not_enrolled".into(), visitor.with_token(mint::staff(server, slug, "never-enrolled")));
        all.insert("made_up_token".into(), visitor.with_token("nonsense"));
        all.insert("made_up_key".into(), visitor.with_token(format!("spk_000000000000_{}", "A".repeat(43))));
        let all = Arc::new(all);
        let own = Arc::new(parked(&here.world).await);
        let foreign = Arc::new(parked(&there.world).await);
        let [to_review, elsewhere_too, foreign_too] = [
            registers::to_be_reviewed(&here, registrations).await,
            registers::to_be_reviewed(&elsewhere, registrations).await,
            registers::to_be_reviewed(&there, registrations).await,
        ]
        .map(Arc::new);
        let days = Arc::new(registers::of_days(&here.world).await);
        let foreign_days = Arc::new(registers::of_days(&there.world).await);
        let stage = |desk, callers, parked, registrations, daily_registers, mirrored| Self {
            desk,
            callers,
            parked,
            registrations,
            daily_registers,
            mirrored,
        };
        [
            stage(here, Arc::clone(&all), Arc::clone(&own), to_review, Arc::clone(&days), false),
            stage(elsewhere, all, own, elsewhere_too, days, true),
            stage(there, Arc::new(foreigners), foreign, foreign_too, foreign_days, false),
        ]
    }

    /// A caller by name; `scope` is the one that the operation needs.
    pub(super) fn caller(&self, name: &str, scope: Option<&str>) -> &Client {
        let name = if self.mirrored { mirrored(name) } else { name.to_owned() };
        let name = match name.as_str() {
            "integration_only" => {
                scope.map_or_else(|| "integration_scopeless".to_owned(), |scope| format!("only {scope}"))
            }
            "integration_without" => scope.map_or_else(|| "integration".to_owned(), |scope| format!("without {scope}")),
            _ => name,
        };
        self.callers.get(&name).unwrap_or_else(|| panic!("no caller {name}: is there such a scope?"))
    }

    /// The ids of the office's own things, always in the same order.
    pub(super) fn things(&self) -> [String; 4] {
        ["office", "place", "calendar", "service"].map(|name| self.filled_text(&format!("{{{name}}}"), None))
    }

    /// Makes what a request is about: the answer to the maker's own sample. Where that is empty, it is known by the
    /// path that it was made at.
    pub(super) async fn make(&self, samples: &Samples, contract: &Contract, of: &str, by: &str) -> Answer {
        let request = self.prepare(samples, contract, of, &samples.request(of)).await;
        let mut answer = request.send(contract, self.caller(by, samples.of(of).scope.as_deref())).await;
        assert!((200..300).contains(&answer.status), "{of} by {by}: {answer}");
        if of == "create_payment" {
            // The provider is told of it meanwhile: nothing is to change by itself any more.
            payments::told(&self.desk.world, answer.text_at("/id")).await;
        }
        if answer.body.is_null() {
            answer.body = json!({ "id": request.path.last(), "path": request.path });
        }
        answer
    }

    /// Makes what a request is about, and the request.
    pub(super) async fn prepare(&self, samples: &Samples, contract: &Contract, id: &str, request: &Variant) -> Request {
        let made = match samples.maker(request) {
            Some((of, by)) => Some(Box::pin(self.make(samples, contract, &of, &by)).await),
            None => None,
        };
        if let Some(made) = made.as_ref().filter(|_| request.due) {
            counter::start_in(&self.desk.world, made, 0).await;
        }
        self.request(samples, contract, id, request, made.as_ref())
    }

    /// The request about what was made.
    pub(super) fn request(
        &self,
        samples: &Samples,
        contract: &Contract,
        id: &str,
        request: &Variant,
        made: Option<&Answer>,
    ) -> Request {
        let operation = contract.operation(id);
        let names: Vec<&str> = operation.path.split('/').filter_map(parameter).collect();
        let mut path = Vec::new();
        for (n, name) in names.iter().enumerate() {
            let template = request.path.get(*name).cloned().unwrap_or_else(|| {
                let last = n + 1 == names.len();
                let own = name.trim_end_matches("_id");
                if last && made.is_some() { "{made}".to_owned() } else { format!("{{{own}}}") }
            });
            path.push(self.filled_text(&template, made));
        }
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let query = request.query.iter().map(|(name, value)| (name.clone(), text(self.filled(value, made)))).collect();
        let body = request.body.as_ref().map(|body| self.filled(body, made));
        let caller = self.caller(&request.by, samples.of(id).scope.as_deref()).clone();
        let (is_anonymous, signed) = (request.by == "anonymous", samples.of(id).signed);
        Request { operation: id.to_owned(), caller, is_anonymous, path, query, body, signed }
    }

    fn filled(&self, template: &Value, made: Option<&Answer>) -> Value {
        match template {
            Value::String(text) => match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
                Some(name) if !name.contains('{') => self.value(name, made),
                _ => self.filled_text(text, made).into(),
            },
            Value::Array(items) => items.iter().map(|item| self.filled(item, made)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), self.filled(value, made))).collect()
            }
            other => other.clone(),
        }
    }

    fn filled_text(&self, template: &str, made: Option<&Answer>) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').unwrap_or_else(|| panic!("no }} in {template}"));
            let value = self.value(name, made);
            filled.push_str(before);
            filled.push_str(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            rest = tail;
        }
        filled + rest
    }

    /// What `{name}` stands for in a sample.
    fn value(&self, name: &str, made: Option<&Answer>) -> Value {
        static TIMES: AtomicU32 = AtomicU32::new(0);
        static QUIET: AtomicU32 = AtomicU32::new(0);
        static UNIQUE: AtomicU32 = AtomicU32::new(1);
        static MESSAGES: AtomicU32 = AtomicU32::new(0);
        static REGISTRATIONS: AtomicU32 = AtomicU32::new(0);
        let next = |counter: &AtomicU32| counter.fetch_add(1, Ordering::Relaxed);
        let desk = &self.desk;
        match name {
            "office" => desk.office.id.to_string().into(),
            "place" => desk.office.place_id.to_string().into(),
            "calendar" => desk.calendar.id.to_string().into(),
            "service" => desk.services[0].id.to_string().into(),
            "tax_code" => (if self.mirrored { mint::TAX_CODE_B } else { mint::TAX_CODE_A }).into(),
            "unique" => next(&UNIQUE).into(),
            "uuid" => format!("00000000-0000-4000-8000-{:012x}", next(&UNIQUE)).into(),
            "message" => self.parked[usize::try_from(next(&MESSAGES)).unwrap() % self.parked.len()].clone().into(),
            "registration" => {
                let of = &self.registrations;
                of[usize::try_from(next(&REGISTRATIONS)).unwrap() % of.len()].clone().into()
            }
            "daily_register" => self.daily_registers[0].clone().into(),
            "time" => {
                let n = next(&TIMES);
                let (day, quarter) = (n / TIMES_A_DAY % BUSY_DAYS, n % TIMES_A_DAY);
                let first = desk.at(i64::from(FIRST_DAY + day), 8, 0);
                civil::format_rfc3339(first.saturating_add(Span::new().minutes(15 * quarter)).unwrap()).into()
            }
            "day" => desk.day(i64::from(FIRST_DAY + 1)).to_string().into(),
            "quiet_day" => desk.day(i64::from(FIRST_DAY + BUSY_DAYS + 1 + next(&QUIET))).to_string().into(),
            _ => {
                let made = made.unwrap_or_else(|| panic!("{{{name}}} of nothing: the sample says no `of`"));
                let pointer = name.strip_prefix("made").unwrap_or_else(|| panic!("{{{name}}} stands for nothing"));
                match pointer.split_once('|') {
                    Some((pointer, "last")) => made.text_at(pointer).rsplit('/').next().into(),
                    Some((pointer, "totp")) => rows::totp(made.text_at(pointer), 0).into(),
                    _ => made.at(if pointer.is_empty() { "/id" } else { pointer }).clone(),
                }
            }
        }
    }
}

impl Request {
    /// The same, with something else at one place of its path.
    pub(super) fn with_path(&self, n: usize, id: &str) -> Self {
        let mut other = self.clone();
        id.clone_into(&mut other.path[n]);
        other
    }

    /// The same, about something that does not exist, as far as its path says.
    pub(super) fn about_nothing(&self, n: usize) -> Self {
        self.with_path(n, NOBODY)
    }

    /// The same, with another id wherever its query or its body has this one; nothing when neither has.
    pub(super) fn with_reference(&self, id: &str, other: &str) -> Option<Self> {
        fn replace(value: &mut Value, id: &str, other: &str, found: &mut bool) {
            match value {
                Value::String(text) if text == id => {
                    other.clone_into(text);
                    *found = true;
                }
                Value::Array(items) => items.iter_mut().for_each(|item| replace(item, id, other, found)),
                Value::Object(members) => members.values_mut().for_each(|member| replace(member, id, other, found)),
                _ => {}
            }
        }
        let mut changed = self.clone();
        let mut found = false;
        if let Some(body) = &mut changed.body {
            replace(body, id, other, &mut found);
        }
        for (_, value) in changed.query.iter_mut().filter(|(_, value)| value == id) {
            other.clone_into(value);
            found = true;
        }
        found.then_some(changed)
    }

    /// The call, without query, body or headers.
    pub(super) fn call(&self, contract: &Contract, caller: &Client) -> Call {
        let operation = contract.operation(&self.operation);
        let mut ids = self.path.iter();
        let segments = operation.path.split('/').map(|segment| match parameter(segment) {
            Some(name) => segment.replace(&format!("{{{name}}}"), ids.next().expect("one for each parameter")),
            None => segment.to_owned(),
        });
        caller.call(operation.method, &segments.collect::<Vec<_>>().join("/"))
    }

    /// Sends it as it is, with the headers that the operation takes.
    pub(super) async fn send(&self, contract: &Contract, caller: &Client) -> Answer {
        self.send_for(contract, caller, Some("*")).await
    }

    /// Sends it for this version of what it is about.
    pub(super) async fn send_for(&self, contract: &Contract, caller: &Client, version: Option<&str>) -> Answer {
        let mut call = self.call(contract, caller);
        for (name, value) in &self.query {
            call = call.query(name, value);
        }
        self.finish_for(contract, call, self.body.as_ref(), version).await
    }

    /// Sends a call with a body, and with the headers that the operation takes.
    pub(super) async fn finish(&self, contract: &Contract, call: Call, body: Option<&Value>) -> Answer {
        self.finish_for(contract, call, body, Some("*")).await
    }

    async fn finish_for(
        &self,
        contract: &Contract,
        mut call: Call,
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Answer {
        let operation = contract.operation(&self.operation);
        if self.signed {
            call = payments::signed(call, &body.map(Value::to_string).unwrap_or_default());
        }
        if let Some(body) = body {
            call = call.header(CONTENT_TYPE.as_str(), operation.media).body(body.to_string());
        }
        let takes = |header: &str| operation.parameters.iter().any(|parameter| parameter["name"] == header);
        if takes("Idempotency-Key") {
            call = call.fresh_key();
        }
        if let Some(version) = version.filter(|_| takes("If-Match")) {
            call = call.if_match(version);
        }
        call.await
    }
}

/// The requests of every sample, none of which spoils another.
pub(super) async fn requests(server: &Server, contract: &Contract) -> Vec<Request> {
    let samples = Samples::read();
    samples.cover(contract);
    let [stage, ..] = Box::pin(Stage::set(server, "altrove", FEW)).await;
    let mut requests = Vec::new();
    for operation in samples.operations() {
        for request in samples.requests(operation) {
            requests.push(stage.prepare(&samples, contract, operation, &request).await);
        }
    }
    requests
}

/// The name of the parameter in a segment of a path.
fn parameter(segment: &str) -> Option<&str> {
    let (_, after) = segment.split_once('{')?;
    after.split_once('}').map(|(name, _)| name)
}

/// The caller who is to the other office what this one is to this office.
pub(super) fn mirrored(name: &str) -> String {
    for (one, other) in [("_here", "_elsewhere"), ("_elsewhere", "_here"), ("_owner", "_other"), ("_other", "_owner")] {
        if let Some(stem) = name.strip_suffix(one) {
            return format!("{stem}{other}");
        }
    }
    name.to_owned()
}

/// Two offices of a Comune, and everybody who calls there.
async fn cast(server: &Server, world: &World) -> (Desk, Desk, BTreeMap<String, Client>) {
    let plan = Plan { capacity: 100, ..Plan::default() };
    payments::connect(world).await;
    let here = world.desk(plan.clone()).await;
    let elsewhere = world.desk_for(&here, plan.clone()).await;
    let central = world.desk(Plan { central: true, services: Vec::new(), ..plan }).await;
    let slug = world.tenant.slug.as_str();
    let visitor = server.tenant(slug);
    let mut callers = BTreeMap::from([
        ("anonymous".to_owned(), visitor.clone()),
        ("platform".to_owned(), visitor.with_token(&server.credentials().tokens["platform"])),
    ]);
    let mut add = |name: &str, token: String| drop(callers.insert(name.to_owned(), visitor.with_token(token)));
    add("citizen_owner", mint::citizen(server, slug, mint::TAX_CODE_A));
    add("citizen_other", mint::citizen(server, slug, mint::TAX_CODE_B));
    for (name, role, desk) in [
        ("operator_here", StaffRole::Operator, &here),
        ("operator_elsewhere", StaffRole::Operator, &elsewhere),
        ("urp", StaffRole::Operator, &central),
        ("urp_manager", StaffRole::Manager, &central),
        ("manager_here", StaffRole::Manager, &here),
        ("manager_elsewhere", StaffRole::Manager, &elsewhere),
        ("admin", StaffRole::Admin, &elsewhere),
    ] {
        let (subject, office) = (format!("matrix-{name}"), desk.office.id);
        add(name, mint::staff(server, slug, &subject));
        world.write(move |tx| staff::insert(tx, mint::STAFF_PROVIDER, &subject, "Di prova", role, &[office])).await;
    }
    for (name, desk) in [("device_here", &here), ("device_elsewhere", &elsewhere)] {
        add(name, rows::key(world, KeyKind::Device, Some(desk.office.id), &[]).await);
    }
    let all = KeyScope::ALL;
    add("integration", rows::key(world, KeyKind::Integration, None, all).await);
    add("integration_scopeless", rows::key(world, KeyKind::Integration, None, &[]).await);
    for scope in all {
        let others: Vec<_> = all.iter().copied().filter(|other| other != scope).collect();
        let name = scope.as_str();
        add(&format!("only {name}"), rows::key(world, KeyKind::Integration, None, &[*scope]).await);
        add(&format!("without {name}"), rows::key(world, KeyKind::Integration, None, &others).await);
    }
    (here, elsewhere, callers)
}

/// More messages than are asked for, about nothing that there is.
async fn parked(world: &World) -> Vec<String> {
    world
        .write(|tx| {
            let mut ids = Vec::new();
            for _ in 0..500 {
                let (event, subject, send_at) = (tx.new_id(), tx.new_id(), tx.now());
                let (kind, subject_kind, person) = ("appointment.reminder", "appointment", "nobody");
                let new = messages::NewMessage { kind, subject_kind, subject, person, event, send_at };
                ids.extend(messages::plan(tx, &new)?.map(|id| id.to_string()));
            }
            use platform::schema::messages as m;
            let planted = m::table.filter(m::tenant_id.eq(Key(tx.tenant()))).filter(m::person.eq("nobody"));
            diesel::update(planted).set(m::state.eq(messages::MessageState::Parked)).execute(tx.conn())?;
            Ok(ids)
        })
        .await
}

#[test]
fn everybody_has_a_name_and_most_have_a_counterpart() {
    for name in CALLERS.iter().chain(STRANGERS.iter().map(|(name, _)| name)) {
        assert_eq!(mirrored(&mirrored(name)), *name);
        assert!(mirrored(name) == *name || CALLERS.contains(&mirrored(name).as_str()), "{name}");
    }
}
