//! The sample of every operation, as `tests/samples/` has it.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::Value;

use super::document::{Contract, Operation};

/// Callers of the Comune, as the classes name them.
pub(super) const CALLERS: &[&str] = &[
    "anonymous",
    "citizen_owner",
    "citizen_other",
    "operator_here",
    "operator_elsewhere",
    "urp",
    "urp_manager",
    "manager_here",
    "manager_elsewhere",
    "admin",
    "device_here",
    "device_elsewhere",
    "integration",
    "integration_only",
    "integration_without",
    "integration_scopeless",
    "platform",
];

/// Callers whom no operation lets in, and what they are told: names are good in their own Comune.
pub(super) const STRANGERS: &[(&str, u16)] = &[
    ("foreign_citizen", 401),
    ("foreign_staff", 401),
    ("foreign_key", 401),
    ("foreign_device", 401),
    ("staff_not_enrolled", 403),
    ("made_up_token", 401),
    ("made_up_key", 401),
];

/// What a caller is told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) enum Told {
    /// What the operation is for.
    Ok,
    /// A refusal: status and slug.
    Refused(u16, String),
}

impl Told {
    /// A refusal with the slug that its status nearly always has.
    pub(super) fn refused(status: u16) -> Result<Self, String> {
        let slug = match status {
            401 => "unauthenticated",
            403 => "forbidden",
            404 => "not-found",
            412 => "version-mismatch",
            428 => "precondition-required",
            _ => return Err(format!("write the slug of {status} too, such as \"409 invalid-transition\"")),
        };
        Ok(Self::Refused(status, slug.to_owned()))
    }
}

impl TryFrom<Value> for Told {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let wrong = || format!("{value} is neither \"ok\" nor a status");
        if value == "ok" {
            return Ok(Self::Ok);
        }
        if let Some(status) = value.as_u64() {
            return Self::refused(u16::try_from(status).map_err(|_not_a_status| wrong())?);
        }
        let (status, slug) = value.as_str().and_then(|text| text.split_once(' ')).ok_or_else(wrong)?;
        Ok(Self::Refused(status.parse().map_err(|_not_a_status| wrong())?, slug.to_owned()))
    }
}

/// How an operation is called so that it succeeds. The README beside the files says what each member means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sample {
    access: String,
    #[serde(default)]
    except: BTreeMap<String, Told>,
    pub(super) scope: Option<String>,
    pub(super) lists: Option<String>,
    #[serde(default)]
    pub(super) address_is_key: bool,
    /// Whether it is signed as the provider of payments signs.
    #[serde(default)]
    pub(super) signed: bool,
    by: Option<String>,
    of: Option<String>,
    made_by: Option<String>,
    #[serde(default)]
    due: bool,
    #[serde(default)]
    path: BTreeMap<String, String>,
    #[serde(default)]
    query: BTreeMap<String, Value>,
    body: Option<Value>,
    #[serde(default)]
    also: Vec<Variant>,
}

/// One request, not yet about anything in particular.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variant {
    /// Who sends it.
    pub(super) by: String,
    /// The operation that makes what it is about.
    pub(super) of: Option<String>,
    /// Who makes that.
    pub(super) made_by: Option<String>,
    /// Whether the appointment made is one that starts now.
    #[serde(default)]
    pub(super) due: bool,
    #[serde(default)]
    pub(super) path: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) query: BTreeMap<String, Value>,
    pub(super) body: Option<Value>,
}

/// What is made for a request: by which operation, and by whom.
pub(super) type Maker = (String, String);

/// Every sample, and the row of the matrix that goes with each.
#[derive(Debug)]
pub(super) struct Samples {
    /// By operation, with the file it stands in.
    found: BTreeMap<String, (String, Sample)>,
    classes: BTreeMap<String, BTreeMap<String, Told>>,
}

impl Samples {
    /// Those of `tests/samples/`.
    pub(super) fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
        let mut files: Vec<_> =
            fs::read_dir(&folder).expect("the samples").map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        let (mut found, mut classes) = (BTreeMap::new(), BTreeMap::new());
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
            if stem == "classes" {
                classes = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
                continue;
            }
            let blocks: BTreeMap<String, Sample> =
                toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            for (operation, sample) in blocks {
                let before = found.insert(operation.clone(), (stem.clone(), sample));
                assert!(before.is_none(), "two samples of {operation}");
            }
        }
        let samples = Self { found, classes };
        samples.names_are_known();
        samples
    }

    /// Demands a sample for every operation, in the file of its tag, and none for what is no operation.
    pub(super) fn cover(&self, contract: &Contract) {
        let wrong = self.gaps(contract);
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }

    fn gaps(&self, contract: &Contract) -> Vec<String> {
        let mut wrong = Vec::new();
        for operation in contract.operations() {
            let file = format!("tests/samples/{}.toml", operation.tag);
            match self.found.get(operation.id) {
                None => wrong.push(format!(
                    "no sample of {}: begin with this in {file}\n\n{}",
                    operation.id,
                    block(contract, &operation)
                )),
                Some((stem, _)) if stem != operation.tag => {
                    wrong.push(format!("{} is in {stem}.toml, and belongs in {file}", operation.id));
                }
                Some(_) => wrong.extend(self.undeclared(&operation)),
            }
        }
        let known: Vec<_> = contract.operations().map(|operation| operation.id.to_owned()).collect();
        let stale = self.found.keys().filter(|id| !known.contains(id));
        wrong.extend(stale.map(|id| format!("there is a sample of {id}, and no such operation")));
        wrong
    }

    /// Where the row says something else than the security that the contract declares.
    fn undeclared(&self, operation: &Operation<'_>) -> Option<String> {
        let anonymous = self.told(operation.id, "anonymous");
        if !operation.anonymous && Told::refused(401).as_ref() != Ok(&anonymous) {
            return Some(format!("{} takes a token, says the contract: anonymous is told 401", operation.id));
        }
        let refuses = CALLERS.iter().any(|caller| self.told(operation.id, caller) != Told::Ok);
        let silent = refuses && !operation.takes_a_token;
        silent.then(|| format!("{} refuses some callers: the contract has to say `bearer`", operation.id))
    }

    fn names_are_known(&self) {
        let callers = |row: &BTreeMap<String, Told>, place: &str| {
            for name in row.keys().filter(|name| *name != "any") {
                assert!(CALLERS.contains(&name.as_str()), "{place}: no caller is called {name}; there are {CALLERS:?}");
            }
        };
        self.classes.iter().for_each(|(class, row)| callers(row, class));
        for (operation, (_, sample)) in &self.found {
            callers(&sample.except, operation);
            let classes = self.classes.keys();
            assert!(self.classes.contains_key(&sample.access), "{operation}: access is one of {classes:?}");
            for other in sample.of.iter().chain(&sample.lists).chain(sample.also.iter().filter_map(|v| v.of.as_ref())) {
                assert!(self.found.contains_key(other), "{operation}: there is no sample of {other}");
            }
        }
    }

    /// The operations there are samples of.
    pub(super) fn operations(&self) -> impl Iterator<Item = &str> {
        self.found.keys().map(String::as_str)
    }

    /// The sample of an operation.
    pub(super) fn of(&self, operation: &str) -> &Sample {
        &self.found.get(operation).unwrap_or_else(|| panic!("no sample of {operation}")).1
    }

    /// What a caller of the Comune is told.
    pub(super) fn told(&self, operation: &str, caller: &str) -> Told {
        let sample = self.of(operation);
        let class = &self.classes[&sample.access];
        let told = sample.except.get(caller).or_else(|| class.get(caller)).or_else(|| class.get("any"));
        told.unwrap_or_else(|| panic!("{}: nothing is said of {caller}", sample.access)).clone()
    }

    /// The request that the sample is.
    pub(super) fn request(&self, operation: &str) -> Variant {
        let sample = self.of(operation).clone();
        let by = sample.by.unwrap_or_else(|| {
            let may = ["citizen_owner", "admin", "operator_here", "anonymous"]
                .into_iter()
                .find(|caller| self.told(operation, caller) == Told::Ok);
            may.unwrap_or_else(|| panic!("{operation}: say who sends it (`by`)")).to_owned()
        });
        let Sample { of, made_by, due, path, query, body, .. } = sample;
        Variant { by, of, made_by, due, path, query, body }
    }

    /// The request that the sample is, and those it has beside it.
    pub(super) fn requests(&self, operation: &str) -> Vec<Variant> {
        let mut requests = vec![self.request(operation)];
        requests.extend(self.of(operation).also.iter().cloned());
        requests
    }

    /// What has to be made before a request is sent.
    pub(super) fn maker(&self, request: &Variant) -> Option<Maker> {
        let of = request.of.clone()?;
        let by = request.made_by.clone().unwrap_or_else(|| self.request(&of).by);
        Some((of, by))
    }
}

/// A block to start from.
fn block(contract: &Contract, operation: &Operation<'_>) -> String {
    let mut lines = vec![format!("[{}]", operation.id), "access = \"public\"".to_owned()];
    if operation.path.contains('{') {
        lines.push(
            "of = \"create_…\"  # what makes the thing that it is about, unless it is the office's own".to_owned(),
        );
    }
    let needed = operation.parameters.iter().filter(|p| p["in"] == "query" && p["required"] == true);
    let needed: Vec<_> = needed.map(|parameter| format!("{} = \"…\"", parameter["name"].as_str().unwrap())).collect();
    if !needed.is_empty() {
        lines.push(format!("query = {{ {} }}", needed.join(", ")));
    }
    if let Some(body) = operation.body {
        let members = contract.resolved(body)["properties"].as_object().into_iter().flatten();
        let members: Vec<_> = members.map(|(name, _)| format!("{name} = \"…\"")).collect();
        lines.push(format!("body = {{ {} }}", members.join(", ")));
    }
    lines.join("\n")
}

#[test]
fn what_is_told_is_read() {
    let read = |text: &str| Told::try_from(serde_json::from_str::<Value>(text).unwrap());
    assert_eq!(read("\"ok\""), Ok(Told::Ok));
    assert_eq!(read("404"), Ok(Told::Refused(404, "not-found".to_owned())));
    assert_eq!(read("\"409 slot-taken\""), Ok(Told::Refused(409, "slot-taken".to_owned())));
    assert!(read("409").is_err() && read("\"fine\"").is_err() && read("true").is_err());
}

#[test]
fn what_is_missing_and_what_is_too_much_is_found() {
    let contract = Contract::committed();
    let mut samples = Samples::read();
    assert_eq!(samples.gaps(&contract), Vec::<String>::new());
    let (_, sample) = samples.found.remove("create_hold").unwrap();
    let told = samples.gaps(&contract).join("\n");
    for part in
        ["no sample of create_hold", "tests/samples/holds.toml", "[create_hold]\naccess = ", "starts_at = \"…\""]
    {
        assert!(told.contains(part), "{told}");
    }
    samples.found.insert("create_hold".to_owned(), ("status".to_owned(), sample.clone()));
    assert!(samples.gaps(&contract).join("\n").contains("belongs in tests/samples/holds.toml"));
    samples.found.insert("create_hold".to_owned(), ("holds".to_owned(), sample.clone()));
    samples.found.insert("make_tea".to_owned(), ("holds".to_owned(), sample));
    assert_eq!(samples.gaps(&contract), ["there is a sample of make_tea, and no such operation"]);
}
