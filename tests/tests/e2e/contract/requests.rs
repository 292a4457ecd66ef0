//! A good request for every operation of the contract.

use std::sync::Mutex;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Client, Server, client::Call};

use super::document::Contract;

/// A request that succeeds when its caller sends it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) operation: &'static str,
    /// The role of the demo that sends it; nobody in particular when there is none.
    pub(super) role: Option<&'static str>,
    /// The ids in its path, in order.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Option<Value>,
    /// Roles to which it is refused, and how.
    pub(super) refused: Vec<(&'static str, u16, &'static str)>,
}

impl Request {
    fn new(operation: &'static str) -> Self {
        Self { operation, role: None, path: Vec::new(), query: Vec::new(), body: None, refused: Vec::new() }
    }

    fn by(mut self, role: &'static str) -> Self {
        self.role = Some(role);
        self
    }

    fn at(mut self, id: &str) -> Self {
        self.path.push(id.to_owned());
        self
    }

    fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    fn refused(mut self, role: &'static str, status: u16, slug: &'static str) -> Self {
        self.refused.push((role, status, slug));
        self
    }

    /// Whoever it succeeds for.
    pub(super) fn caller(&self, server: &Server) -> Client {
        self.role.map_or_else(|| server.anonymous(), |role| server.client(role))
    }

    /// The call, without a body, and without headers.
    pub(super) fn call(&self, contract: &Contract, caller: &Client) -> Call {
        let operation = contract.operation(self.operation);
        let mut ids = self.path.iter();
        let segments = operation.path.split('/').map(|segment| {
            let id = segment.starts_with('{').then(|| ids.next().expect("an id for each parameter of the path"));
            id.map_or(segment, String::as_str)
        });
        caller.call(operation.method, &segments.collect::<Vec<_>>().join("/"))
    }

    /// Sends it as it is, with a key where one is taken.
    pub(super) async fn send(&self, contract: &Contract, caller: &Client) -> Answer {
        let mut call = self.call(contract, caller);
        for (name, value) in &self.query {
            call = call.query(name, value);
        }
        self.finish(contract, call, self.body.as_ref()).await
    }

    /// Sends a call with a body, and with a key where one is taken.
    pub(super) async fn finish(&self, contract: &Contract, mut call: Call, body: Option<&Value>) -> Answer {
        if let Some(body) = body {
            call = call.json(body);
        }
        let parameters = contract.operation(self.operation).parameters;
        if parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key") {
            call = call.fresh_key();
        }
        call.await
    }
}

/// What there is in the demo to ask about.
pub(super) struct Stage<'s> {
    server: &'s Server,
    office: String,
    place: String,
    calendar: String,
    service: String,
    /// Times that can be booked, each used once.
    free: Mutex<Vec<String>>,
}

impl<'s> Stage<'s> {
    pub(super) async fn set(server: &'s Server) -> Self {
        let visitor = server.anonymous();
        let services = visitor.get("/appointment-services").query("limit", 100).await.expect(200);
        // Anybody may book it, as often as they like.
        let service = services.items().iter().find(|service| service["slug"] == "certificati").expect("certificati");
        let service = service["id"].as_str().unwrap().to_owned();
        let offices = visitor.get(&format!("/appointment-services/{service}/offices")).await.expect(200);
        // The office that the demo's operator works at.
        let office =
            offices.items().iter().find(|office| office["name"].as_str().unwrap().contains("anagrafe")).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (place, calendar) = (text(&office["place_id"]), text(&office["calendars"][0]["id"]));
        let office = text(&office["office_id"]);

        let calendars = format!("/calendars/{calendar}");
        let days = visitor.get(&format!("{calendars}/availabilities")).query("service_id", &service).await.expect(200);
        let mut free = Vec::new();
        for day in days.items().iter().filter(|day| day["free"].as_i64() > Some(0)).skip(1).take(8) {
            let call = visitor.get(&format!("{calendars}/slots")).query("service_id", &service);
            let slots = call.query("date", day["date"].as_str().unwrap()).await.expect(200);
            free.extend(
                slots.items().iter().filter(|slot| slot["free"].as_i64() > Some(0)).map(|s| text(&s["starts_at"])),
            );
        }
        assert!(free.len() > 20, "only {} free times in the demo", free.len());
        Self { server, office, place, calendar, service, free: Mutex::new(free) }
    }

    fn time(&self) -> String {
        self.free.lock().unwrap().pop().expect("enough free times")
    }

    fn visit(&self) -> Value {
        json!({ "service_id": self.service, "calendar_id": self.calendar, "starts_at": self.time() })
    }

    fn order(&self) -> Value {
        let mut order = self.visit();
        order["persons"] = json!(1);
        order["applicant"] = json!({
            "given_name": "Anna", "family_name": "Prova", "tax_code": "PRVNNA80A41Z998F",
            "email": "anna.prova@example.org", "phone": "+39 050 0000001",
        });
        order["notes"] = json!("Prima volta.\nGrazie");
        order
    }

    async fn made(&self, role: Option<&str>, path: &str, body: Value) -> Answer {
        let caller = role.map_or_else(|| self.server.anonymous(), |role| self.server.client(role));
        caller.call(Method::POST, path).json(&body).fresh_key().await.expect(201)
    }

    /// One request or more for every operation, none of which spoils another.
    pub(super) async fn requests(&self) -> Vec<Request> {
        let new = Request::new;
        let (calendar, service) = (self.calendar.as_str(), self.service.as_str());
        let date = self.time().split('T').next().unwrap().to_owned();
        let mut requests = vec![
            new("show_status"),
            new("list_offices").query("limit", "2"),
            new("list_offices").by("kiosk"),
            new("show_office").at(&self.office),
            new("list_places").by("integration"),
            new("show_place").at(&self.place),
            new("list_holidays").query("year", "2027"),
            new("list_appointment_services").query("limit", "3"),
            new("show_appointment_service").at(service),
            new("list_service_offices").at(service).by("operator"),
            new("list_calendars").query("office_id", &self.office),
            new("show_calendar").at(calendar),
            new("list_opening_rules").at(calendar),
            new("list_opening_exceptions").at(calendar).query("from", &date).query("to", &date),
            new("list_availabilities").at(calendar).query("service_id", service).query("persons", "1"),
            new("list_slots").at(calendar).query("service_id", service).query("date", &date),
            new("list_my_appointments")
                .by("citizen_a")
                .query("limit", "1")
                .refused("operator", 403, "forbidden")
                .refused("kiosk", 403, "forbidden"),
        ];
        requests.extend(self.about_holds().await);
        requests.extend(self.about_appointments().await);
        requests
    }

    async fn about_holds(&self) -> Vec<Request> {
        let new = Request::new;
        let mut ids = Vec::new();
        for role in [Some("citizen_a"), None] {
            let held = self.made(role, "/holds", self.visit()).await;
            ids.push(held.text_at("/id").to_owned());
        }
        let (held, free) = (&ids[0], &ids[1]);
        vec![
            new("create_hold").by("citizen_b").body(self.visit()).refused("kiosk", 403, "forbidden"),
            new("create_hold").body(self.visit()),
            new("show_hold").by("citizen_a").at(held).refused("citizen_b", 404, "not-found"),
            new("release_hold").by("citizen_a").at(held).refused("citizen_b", 404, "not-found"),
            new("show_hold").at(free),
            new("release_hold").at(free),
        ]
    }

    async fn about_appointments(&self) -> Vec<Request> {
        let new = Request::new;
        let mut ids = Vec::new();
        for _ in 0..3 {
            let booked = self.made(Some("citizen_a"), "/appointments", self.order()).await;
            ids.push(booked.text_at("/id").to_owned());
        }
        let own = self.made(None, "/appointments", self.order()).await;
        let (code, token) = (own.text_at("/code"), own.text_at("/manage_token"));
        let holding = self.visit();
        let mut held = self.order();
        held["hold_id"] = self.made(Some("citizen_b"), "/holds", holding.clone()).await.at("/id").clone();
        held["starts_at"] = holding["starts_at"].clone();
        vec![
            new("create_appointment").by("citizen_b").body(held).refused("kiosk", 403, "forbidden").refused(
                "platform",
                403,
                "forbidden",
            ),
            new("create_appointment").body(self.order()),
            new("create_appointment").by("operator").body(self.order()),
            new("show_appointment").by("citizen_a").at(&ids[0]).refused("citizen_b", 404, "not-found").refused(
                "platform",
                404,
                "not-found",
            ),
            new("show_appointment").by("urp_operator").at(&ids[0]),
            new("show_appointment").by("kiosk").at(&ids[0]),
            new("reschedule_appointment")
                .by("citizen_a")
                .at(&ids[1])
                .body(json!({ "starts_at": self.time() }))
                .refused("citizen_b", 404, "not-found")
                .refused("operator", 428, "precondition-required"),
            new("reschedule_appointment")
                .at(own.text_at("/id"))
                .body(json!({ "starts_at": self.time(), "calendar_id": self.calendar, "manage_token": token })),
            new("cancel_appointment")
                .by("citizen_a")
                .at(&ids[2])
                .body(json!({ "reason": "Non posso venire" }))
                .refused("kiosk", 403, "forbidden")
                .refused("manager", 428, "precondition-required"),
            new("look_up_appointment").body(json!({ "code": code, "manage_token": token })),
        ]
    }
}
