//! The demo: the invented Comune of Bugliano, with data and credentials to try everything on.

pub mod issuer;
mod seed;

use std::{fs, io::Write, net::SocketAddr, path::Path};

use issuer::DemoIssuer;
use jiff::{SignedDuration, Timestamp};
use kernel::{Clock, SystemClock, civil};
use platform::{
    access::{
        Assurance, DeploymentSecret,
        assurance::AssuranceClaim,
        keys::{self, KeyKind, KeyScope, NewKey},
        tokens::{ClaimNames, ProviderKind},
    },
    directory::store as directory,
    tenants,
};
use serde_json::{Map, Value, json};
use storage::{Db, Scope, migrate};

use crate::{
    config::{Config, Flags, LimitsConfig, LogConfig, LogFormat, ProviderConfig, TakenBy},
    logging,
    service::{self, StartError},
    terminal::say,
};

/// The demo's Comune.
const TENANT: &str = "bugliano";
/// Issuers of the demo's tokens. Names only: nothing is fetched from them.
const CITIZENS: &str = "https://demo.sportello.invalid/citizens";
const STAFF: &str = "https://demo.sportello.invalid/staff";
/// How long a token of the demo lasts; new ones are written at every start.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Two citizens, with codici fiscali that are well formed and whose place of birth does not exist.
const CITIZEN_A: (&str, &str, &str) = ("PRVNNA80A41Z998F", "Anna", "Prova");
const CITIZEN_B: (&str, &str, &str) = ("SMPLCU75C15Z998W", "Luca", "Esempio");

/// Makes the data folder, seeds it once, writes the credentials and serves.
pub(crate) async fn run(flags: &Flags, data: &Path, port: u16, address_file: Option<&Path>) -> Result<(), StartError> {
    fs::create_dir_all(data)?;
    let issuer = DemoIssuer::load_or_create(data).map_err(demo_error)?;
    fs::write(data.join("jwks.json"), issuer.jwks())?;
    // The demo makes its own secret, also over PostgreSQL: it has one gateway.
    DeploymentSecret::read_or_make(&data.join("secret.key")).map_err(demo_error)?;
    let mut config = Config::load_over(defaults(data, port), flags)?;
    // Over PostgreSQL too there is a place for files, unless another one was named.
    if config.documents.s3.is_none() && config.documents.folder.is_none() {
        config.documents.folder = Some(data.join("documents"));
    }
    logging::start_traced(&config)?;
    let target = service::target(&config)?;
    migrate::run(&target, SystemClock.now())?;
    let db = service::open(&config, &target).await?;
    if db.read(&Scope::platform(), |tx| tenants::by_slug(tx, TENANT)).await?.is_none() {
        say("Making the Comune of Bugliano …");
        seed::plant(&db, config.secret(&target)?).await?;
    }
    let now = db.clock().now();
    let walk = seed::first_free(&db).await?;
    let known = known_keys(data);
    let mut tokens = people(&issuer, now).map_err(demo_error)?;
    tokens.extend(programs(&db, &known).await?);
    let secret = config.secret(&target)?;
    service::serve(&config, db, secret, address_file, |address| {
        let base_url = format!("http://{address}");
        let credentials = json!({ "base_url": base_url, "tenant": TENANT, "tokens": tokens });
        if let Err(error) = write_private(&data.join("credentials.json"), &credentials) {
            tracing::error!(%error, "credentials.json could not be written");
        }
        greet(address, data, walk.as_ref());
    })
    .await
}

fn demo_error(error: impl std::fmt::Display) -> StartError {
    StartError::Demo(error.to_string())
}

fn defaults(data: &Path, port: u16) -> Config {
    let mut config = Config::default();
    config.server.listen = SocketAddr::from(([127, 0, 0, 1], port));
    config.server.secret_file = Some(data.join("secret.key"));
    config.database.url = Some(format!("sqlite:{}", data.join("sportello.sqlite").display()));
    // One machine plays a whole town; `SPORTELLO_LIMITS__…` still says otherwise.
    config.limits = LimitsConfig::all(10_000_000, 1_000_000);
    config.events.max_webhooks = 100_000;
    (config.documents.max_unattached, config.documents.max_unattached_bytes) = (100_000, 1_000_000_000_000);
    config.payments.provider = TakenBy::Stub;
    config.log = LogConfig { format: LogFormat::Text, level: "warn".to_owned() };
    let provider = |name: &str, kind, issuer: &str| ProviderConfig {
        name: name.to_owned(),
        kind,
        issuer: issuer.to_owned(),
        audience: Some("{tenant}".to_owned()),
        algorithms: vec![jsonwebtoken::Algorithm::ES256],
        jwks_url: None,
        jwks_file: Some(data.join("jwks.json")),
        claims: ClaimNames::default(),
        // What it does not say of its people it means: they came with two factors.
        assurance: AssuranceClaim { default_level: Assurance::L2, ..AssuranceClaim::default() },
    };
    // Nobody has a password until an admin of the Comune makes a code to enrol with.
    config.identity.passwords.enabled = true;
    config.identity.providers = vec![
        provider("demo-citizens", ProviderKind::Citizens, CITIZENS),
        provider(seed::STAFF_PROVIDER, ProviderKind::Staff, STAFF),
    ];
    config
}

/// Tokens of people, minted anew at every start.
fn people(issuer: &DemoIssuer, now: Timestamp) -> Result<Map<String, Value>, issuer::DemoIssuerError> {
    let mut tokens = Map::new();
    for (name, (tax_code, given, family)) in [("citizen_a", CITIZEN_A), ("citizen_b", CITIZEN_B)] {
        let claims = ClaimNames::default();
        let claims: Map<String, Value> = [
            (claims.tax_code, json!(format!("TINIT-{tax_code}"))),
            (claims.given_name, json!(given)),
            (claims.family_name, json!(family)),
            (claims.email, json!(format!("{}@example.org", given.to_lowercase()))),
        ]
        .into_iter()
        .collect();
        tokens.insert(name.to_owned(), issuer.mint(CITIZENS, TENANT, name, claims, now, TOKEN_LIFE)?.into());
    }
    for name in ["operator", "urp_operator", "manager", "admin"] {
        tokens.insert(name.to_owned(), issuer.mint(STAFF, TENANT, name, Map::new(), now, TOKEN_LIFE)?.into());
    }
    Ok(tokens)
}

/// Keys of programs: those that `credentials.json` still has and the database still knows, else new ones.
async fn programs(db: &Db, known: &Value) -> Result<Map<String, Value>, StartError> {
    let bugliano = db.read(&Scope::platform(), |tx| tenants::by_slug(tx, TENANT)).await?;
    let bugliano = bugliano.ok_or_else(|| demo_error("the Comune is not there"))?;
    let mut tokens = Map::new();
    for (name, kind) in
        [("kiosk", KeyKind::Device), ("integration", KeyKind::Integration), ("platform", KeyKind::Platform)]
    {
        let scope = if kind == KeyKind::Platform { Scope::platform() } else { Scope::system(bugliano.tenant_id) };
        let known = known.pointer(&format!("/tokens/{name}")).and_then(Value::as_str).map(str::to_owned);
        let token = db
            .write(&scope, move |tx| {
                if let Some((handle, secret)) = known.as_deref().and_then(keys::split)
                    && keys::by_handle(tx, handle)?.is_some_and(|key| key.answers_to(secret, tx.now()))
                {
                    return Ok(known.clone().unwrap_or_default());
                }
                let office_id = match kind {
                    KeyKind::Device => directory::office_by_slug(tx, "anagrafe")?.map(|office| office.id),
                    _ => None,
                };
                let scopes = if kind == KeyKind::Integration { KeyScope::ALL.to_vec() } else { vec![] };
                let new = NewKey { kind, label: format!("demo {name}"), office_id, scopes, expires_at: None };
                keys::issue(tx, &new)
            })
            .await?;
        tokens.insert(name.to_owned(), token.into());
    }
    Ok(tokens)
}

fn known_keys(data: &Path) -> Value {
    let text = fs::read_to_string(data.join("credentials.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// The file opens doors: nobody but its owner reads it.
fn write_private(path: &Path, content: &Value) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(serde_json::to_string_pretty(content)?.as_bytes())?;
    file.write_all(b"\n")
}

fn greet(address: SocketAddr, data: &Path, walk: Option<&seed::Walk>) {
    let api = format!("http://{address}/{TENANT}/v1");
    say("");
    say(&format!("Sportello serves the Comune of Bugliano at {api}"));
    say(&format!("  try it in a browser   http://{address}/docs"));
    say(&format!("  the OpenAPI contract  http://{address}/openapi.json"));
    say(&format!("  tokens for every role {}", data.join("credentials.json").display()));
    let Some(walk) = walk else { return };
    let (date, starts_at) = (civil::date_of(walk.starts_at), civil::format_rfc3339(walk.starts_at));
    let (calendar, service) = (walk.calendar, walk.service);
    say("");
    say("Find a free time, book it, look it up by its code (paste them in this order):");
    say("");
    say(&format!("curl -s '{api}/calendars/{calendar}/slots?date={date}&service_id={service}'; echo"));
    say("");
    say(&format!(
        "BOOKED=$(curl -s -X POST '{api}/appointments' -H 'Content-Type: application/json' \
         -H \"Idempotency-Key: walk-$(date +%s)-$RANDOM$RANDOM\" \
         -d '{{\"service_id\":\"{service}\",\"calendar_id\":\"{calendar}\",\"starts_at\":\"{starts_at}\",\
         \"applicant\":{{\"given_name\":\"Anna\",\"family_name\":\"Prova\",\"email\":\"anna.prova@example.org\"}}}}'); echo \"$BOOKED\""
    ));
    say("");
    say(&format!(
        "curl -s -X POST '{api}/appointment-lookups' -H 'Content-Type: application/json' \
         -d \"$(echo \"$BOOKED\" | sed -E 's/.*\"code\":\"([^\"]+)\".*\"manage_token\":\"([^\"]+)\".*/{{\"code\":\"\\1\",\"manage_token\":\"\\2\"}}/')\"; echo"
    ));
    say("");
    say("Stop it with Ctrl-C; run it again and the data is still there.");
}
