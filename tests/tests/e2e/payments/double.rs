//! pagoPA as the server meets it: debt positions, carts, notices and receipts, on this machine. It holds every call to
//! the contract (our reading of GPD v1 and Checkout v1) and keeps what breaks it.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use serde_json::{Value, json};
use tests::Setup;

/// The subscription key that it takes.
pub(super) const KEY: &str = "0123456789abcdef0123456789abcdef";

#[derive(Default)]
struct State {
    positions: BTreeMap<String, Value>,
    /// Calls by method and kind.
    calls: BTreeMap<String, usize>,
    breaches: Vec<String>,
    /// What the next creations are answered instead; `done` makes the position all the same.
    answers: Vec<(u16, bool)>,
    /// What the next calls of a kind are answered instead; nothing is done then.
    failures: BTreeMap<String, Vec<u16>>,
}

/// The double. Cheap to clone.
#[derive(Clone)]
pub(super) struct PagoPa {
    state: Arc<Mutex<State>>,
    base: String,
}

impl PagoPa {
    pub(super) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let this = Self { state: Arc::default(), base };
        let served = this.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let served = served.clone();
                thread::spawn(move || served.serve(stream.unwrap()));
            }
        });
        this
    }

    /// The settings of a server whose provider it is.
    pub(super) fn settings(&self, setup: &mut Setup) {
        setup
            .set("payments.provider", "pagopa")
            .set("payments.gpd_base_url", format!("{}/gpd/debt-positions-service/v1", self.base))
            .set("payments.receipts_base_url", format!("{}/gpd/payments-receipts-service/v1", self.base))
            .set("payments.checkout_base_url", format!("{}/checkout/ec/v1", self.base))
            .set("payments.notices_base_url", format!("{}/print-payment-notice-service/external/v1", self.base))
            .set("payments.timeout_seconds", 5);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What the next creations are answered, and whether they are done all the same.
    pub(super) fn answer(&self, answers: &[(u16, bool)]) {
        self.state().answers = answers.iter().rev().copied().collect();
    }

    /// What the next calls of this kind are answered, without anything being done.
    pub(super) fn fail(&self, kind: &str, statuses: &[u16]) {
        self.state().failures.insert(kind.to_owned(), statuses.iter().rev().copied().collect());
    }

    /// A position stands so from now on.
    pub(super) fn stand(&self, notice_number: &str, status: &str) {
        let mut state = self.state();
        let of = |position: &&mut Value| position["paymentOption"][0]["nav"] == notice_number;
        state.positions.values_mut().find(of).expect("a position")["status"] = json!(status);
    }

    /// People were told of a position by SEND, which costs so much on top.
    pub(super) fn notify(&self, notice_number: &str, fee: i64) {
        let mut state = self.state();
        let of = |position: &&mut Value| position["paymentOption"][0]["nav"] == notice_number;
        let option = &mut state.positions.values_mut().find(of).expect("a position")["paymentOption"][0];
        option["amount"] = json!(option["amount"].as_i64().unwrap() + fee);
        option["notificationFee"] = json!(fee);
    }

    /// A position, by its notice number.
    pub(super) fn position(&self, notice_number: &str) -> Option<Value> {
        let of = |position: &&Value| position["paymentOption"][0]["nav"] == notice_number;
        self.state().positions.values().find(of).cloned()
    }

    /// How many positions there are.
    pub(super) fn count(&self) -> usize {
        self.state().positions.len()
    }

    /// How often something was called.
    pub(super) fn calls(&self, what: &str) -> usize {
        self.state().calls.get(what).copied().unwrap_or(0)
    }

    /// Nothing was sent that its contract forbids.
    pub(super) fn was_respected(&self) {
        assert_eq!(self.state().breaches, Vec::<String>::new());
    }

    /// Somebody pays, so much and then.
    pub(super) fn pay(&self, notice_number: &str, cents: i64, paid_at: &str) {
        let mut state = self.state();
        let of = |position: &&mut Value| position["paymentOption"][0]["nav"] == notice_number;
        let position = state.positions.values_mut().find(of).expect("a position");
        position["status"] = json!("PAID");
        let option = &mut position["paymentOption"][0];
        option["status"] = json!("PO_PAID");
        option["amount"] = json!(cents);
        option["paymentDate"] = json!(paid_at);
        option["idReceipt"] = json!(format!("R{notice_number}"));
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        loop {
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                if line.trim().is_empty() {
                    break;
                }
                head.push(line.trim().to_owned());
            }
            let header = |name: &str| {
                head.iter().find_map(|line| {
                    let (own, value) = line.split_once(": ")?;
                    own.eq_ignore_ascii_case(name).then(|| value.to_owned())
                })
            };
            let length = header("content-length").map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let (status, headers, answer) =
                self.answered(&head[0], header("ocp-apim-subscription-key").as_deref(), &body);
            let reason = if status == 302 { "Found" } else { "Answer" };
            let whole =
                format!("HTTP/1.1 {status} {reason}\r\n{headers}content-length: {}\r\n\r\n{answer}", answer.len());
            if reader.get_mut().write_all(whole.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answered(&self, line: &str, key: Option<&str>, body: &[u8]) -> (u16, String, String) {
        let words: Vec<&str> = line.split(' ').collect();
        let (method, target) = (words[0], words[1]);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let json_type = "content-type: application/json\r\n".to_owned();
        let mut state = self.state();
        if key != Some(KEY) {
            return (401, json_type, "{}".to_owned());
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let kind = match (method, segments.as_slice()) {
            ("POST", ["gpd", "debt-positions-service", "v1", "organizations", _, "debtpositions"]) => "create",
            ("GET", ["gpd", "debt-positions-service", "v1", "organizations", _, "debtpositions", _]) => "status",
            ("POST", ["gpd", "debt-positions-service", "v1", "organizations", _, "debtpositions", _, "publish"]) => {
                "publish"
            }
            ("POST", ["gpd", "debt-positions-service", "v1", "organizations", _, "debtpositions", _, "invalidate"]) => {
                "invalidate"
            }
            ("POST", ["checkout", "ec", "v1", "carts"]) => "cart",
            ("POST", ["print-payment-notice-service", "external", "v1", "notices", "generate"]) => "notice",
            ("GET", ["gpd", "payments-receipts-service", "v1", "payments", _, "receipts", _]) => "receipt",
            _ => {
                state.breaches.push(format!("no such operation: {line}"));
                return (404, json_type, "{}".to_owned());
            }
        };
        *state.calls.entry(kind.to_owned()).or_default() += 1;
        let faults = match kind {
            "create" => faults_of_position(&body, query),
            "cart" => faults_of_cart(&body),
            "notice" => faults_of_notice(&body),
            _ => Vec::new(),
        };
        if !faults.is_empty() {
            state.breaches.push(format!("{line}: {}", faults.join(", ")));
            return (400, json_type, "{}".to_owned());
        }
        if let Some(status) = state.failures.get_mut(kind).and_then(Vec::pop) {
            return (status, json_type, "{}".to_owned());
        }
        let id = segments.get(6).copied().unwrap_or_default();
        match kind {
            "create" => {
                let answer = state.answers.pop();
                let iupd = body["iupd"].as_str().unwrap().to_owned();
                if answer.is_none_or(|(_, done)| done) {
                    if state.positions.contains_key(&iupd) {
                        return (409, json_type, "{}".to_owned());
                    }
                    let mut position = body.clone();
                    position["status"] = json!("VALID");
                    position["paymentOption"][0]["status"] = json!("PO_UNPAID");
                    state.positions.insert(iupd, position);
                }
                (answer.map_or(201, |(status, _)| status), json_type, body.to_string())
            }
            "status" => match state.positions.get(id) {
                Some(position) => (200, json_type, position.to_string()),
                None => (404, json_type, "{}".to_owned()),
            },
            "invalidate" => match state.positions.get_mut(id) {
                Some(position) if position["status"] == "PAID" => (409, json_type, "{}".to_owned()),
                Some(position) => {
                    position["status"] = json!("INVALID");
                    (200, json_type, "{}".to_owned())
                }
                None => (404, json_type, "{}".to_owned()),
            },
            "cart" => (302, "location: https://checkout.example/c/0e5c2f0a\r\n".to_owned(), String::new()),
            "notice" => (200, "content-type: application/pdf\r\n".to_owned(), "%PDF-1.7 avviso".to_owned()),
            "receipt" => (200, "content-type: application/xml\r\n".to_owned(), "<receipt/>".to_owned()),
            _ => (200, json_type, "{}".to_owned()),
        }
    }
}

/// A text of so many characters at least and at most.
fn text(of: &Value, name: &str, least: usize, most: usize, faults: &mut Vec<String>) {
    let fits = of[name].as_str().is_some_and(|text| (least..=most).contains(&text.chars().count()));
    if !fits {
        faults.push(format!("{name}: {least} to {most} characters"));
    }
}

fn faults_of_position(body: &Value, query: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut demand = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    demand(query == "toPublish=true", "toPublish");
    demand(["F", "G"].iter().any(|kind| body["type"] == *kind), "type: F or G");
    demand(body["switchToExpired"].is_boolean(), "switchToExpired");
    let options = body["paymentOption"].as_array().cloned().unwrap_or_default();
    demand(options.len() == 1, "paymentOption: one");
    for option in &options {
        let amount = option["amount"].as_i64().unwrap_or(0);
        demand(amount >= 1, "amount: at least 1");
        demand(option["isPartialPayment"] == false, "isPartialPayment");
        let due = option["dueDate"].as_str().unwrap_or_default();
        demand(due.parse::<jiff::Timestamp>().is_ok(), "dueDate: date-time");
        let nav = option["nav"].as_str().unwrap_or_default();
        let iuv = option["iuv"].as_str().unwrap_or_default();
        let (base, check) = nav.split_at(nav.len().min(16));
        let number = |text: &str| text.parse::<u64>().unwrap_or(1_000);
        demand(nav.len() == 18 && *nav == format!("3{iuv}") && number(base) % 93 == number(check), "nav");
        let transfers = option["transfer"].as_array().cloned().unwrap_or_default();
        demand((1..=5).contains(&transfers.len()), "transfer: 1 to 5");
        let sum: i64 = transfers.iter().map(|part| part["amount"].as_i64().unwrap_or(0)).sum();
        demand(sum == amount, "the transfers are the amount");
        for (number, part) in (1..).zip(&transfers) {
            demand(part["idTransfer"].as_str() == Some(&format!("{number}")), "idTransfer");
            demand(part["iban"].is_string() != part["stamp"].is_object(), "iban or stamp");
            if part["stamp"].is_object() {
                let mut inner = Vec::new();
                text(&part["stamp"], "hashDocument", 1, 72, &mut inner);
                text(&part["stamp"], "stampType", 2, 2, &mut inner);
                text(&part["stamp"], "provincialResidence", 2, 2, &mut inner);
                demand(inner.is_empty(), "stamp");
            }
        }
    }
    for (name, least, most) in [("iupd", 1, 50), ("fiscalCode", 11, 16), ("fullName", 1, 140), ("companyName", 1, 140)]
    {
        text(body, name, least, most, &mut faults);
    }
    for option in &options {
        text(option, "description", 1, 140, &mut faults);
        for part in option["transfer"].as_array().into_iter().flatten() {
            text(part, "remittanceInformation", 1, 140, &mut faults);
            text(part, "category", 4, 20, &mut faults);
        }
    }
    faults
}

fn faults_of_cart(body: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let notices = body["paymentNotices"].as_array().cloned().unwrap_or_default();
    if !(1..=5).contains(&notices.len()) {
        faults.push("paymentNotices: 1 to 5".to_owned());
    }
    for notice in &notices {
        for (name, least, most) in
            [("noticeNumber", 18, 18), ("fiscalCode", 11, 11), ("companyName", 1, 140), ("description", 1, 140)]
        {
            text(notice, name, least, most, &mut faults);
        }
        if notice["amount"].as_i64().unwrap_or(0) < 1 {
            faults.push("amount: at least 1".to_owned());
        }
    }
    for name in ["returnOkUrl", "returnCancelUrl", "returnErrorUrl"] {
        text(&body["returnUrls"], name, 8, 500, &mut faults);
    }
    faults
}

fn faults_of_notice(body: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    text(body, "templateId", 1, 100, &mut faults);
    text(&body["data"]["notice"], "code", 18, 18, &mut faults);
    text(&body["data"]["notice"], "subject", 1, 90, &mut faults);
    let due = body["data"]["notice"]["dueDate"].as_str().unwrap_or_default();
    if jiff::civil::Date::strptime("%d/%m/%Y", due).is_err() || due.len() != 10 {
        faults.push("dueDate: dd/mm/yyyy".to_owned());
    }
    text(&body["data"]["creditorInstitution"], "taxCode", 11, 11, &mut faults);
    for (name, least, most) in [
        ("taxCode", 11, 16),
        ("fullName", 1, 70),
        ("address", 1, 100),
        ("buildingNumber", 1, 20),
        ("postalCode", 5, 5),
        ("city", 1, 60),
        ("province", 2, 2),
    ] {
        text(&body["data"]["debtor"], name, least, most, &mut faults);
    }
    faults
}
