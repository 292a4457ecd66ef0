//! Every setting, with its default; docs/configuration.md says the same in a table.

mod documents;
mod events;
mod identity;
mod limits;
mod messages;
mod payments;
mod protocol;
mod watching;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use platform::access::{DeploymentSecret, secret::SecretError, sessions};
use serde::{Deserialize, Serialize};
use storage::{DbOptions, GROUP_COMMIT, Seal, Target};

pub use self::documents::DocumentsConfig;
pub(crate) use self::documents::Place;
pub use self::payments::{PaymentsConfig, TakenBy};
pub use self::protocol::ProtocolConfig;
pub use events::EventsConfig;
pub use identity::{IdentityConfig, ProviderConfig};
pub use limits::{ForwardedHeader, LimitsConfig, Network};
pub use messages::MessagesConfig;
pub use watching::{MetricsConfig, TelemetryConfig};

/// The settings of the server.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How it listens.
    pub server: ServerConfig,
    /// How often one may call.
    pub limits: LimitsConfig,
    /// Where its data is.
    pub database: DatabaseConfig,
    /// What it logs.
    pub log: LogConfig,
    /// Who may read what it measures.
    pub metrics: MetricsConfig,
    /// Where it sends its traces.
    pub telemetry: TelemetryConfig,
    /// Whose tokens it accepts.
    pub identity: IdentityConfig,
    /// Appointments.
    pub booking: BookingConfig,
    /// Files that people send in.
    pub documents: DocumentsConfig,
    /// Events, and how they leave.
    pub events: EventsConfig,
    /// How people are written to.
    pub messages: MessagesConfig,
    /// The protocol register.
    pub protocol: ProtocolConfig,
    /// How people pay.
    pub payments: PaymentsConfig,
}

/// How the server listens.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// The file with the deployment's secret. Absent, with SQLite: a file beside the database, made if missing.
    pub secret_file: Option<PathBuf>,
    /// Threads that serve requests; 0: one per core.
    pub workers: usize,
    /// How long requests in flight may take after SIGTERM.
    pub shutdown_timeout_seconds: u64,
    /// The largest request body.
    pub max_body_bytes: usize,
    /// Reverse proxies that are believed when they say from which address a request comes.
    pub trusted_proxies: Vec<Network>,
    /// The header in which they say so.
    pub forwarded_header: ForwardedHeader,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            secret_file: None,
            workers: 0,
            shutdown_timeout_seconds: 30,
            max_body_bytes: 1_048_576,
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::XForwardedFor,
        }
    }
}

/// Where the data is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseConfig {
    /// `sqlite:PATH` or `postgres://…`. Required.
    pub url: Option<String>,
    /// Connections for reading.
    pub read_connections: u32,
    /// Connections for writing; PostgreSQL only.
    pub write_connections: u32,
    /// How long to wait for a connection or a lock.
    pub busy_timeout_ms: u64,
    /// Allow a PostgreSQL host that is neither a Unix socket nor the loopback.
    pub allow_cleartext: bool,
    /// Bring the schema up to date when the server starts.
    pub migrate_on_start: bool,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: None,
            read_connections: 8,
            write_connections: 8,
            busy_timeout_ms: 5000,
            allow_cleartext: false,
            migrate_on_start: true,
        }
    }
}

impl DatabaseConfig {
    /// Sizes and patience, as the database wants them.
    pub const fn options(&self, seal: Seal) -> DbOptions {
        DbOptions {
            read_connections: self.read_connections,
            write_connections: self.write_connections,
            group_commit: GROUP_COMMIT,
            busy_timeout: Duration::from_millis(self.busy_timeout_ms),
            seal,
        }
    }
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// What is logged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Its form.
    pub format: LogFormat,
    /// How much: `error`, `warn`, `info`, `debug`, `trace`, or a tracing filter.
    pub level: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Json, level: "info".to_owned() }
    }
}

/// Appointments.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BookingConfig {
    /// How long a hold keeps its time, in minutes.
    pub hold_minutes: u32,
}

impl Default for BookingConfig {
    fn default() -> Self {
        Self { hold_minutes: 5 }
    }
}

/// What the command line says, over everything else.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// A TOML file.
    pub config: Option<PathBuf>,
    /// `server.listen`.
    pub listen: Option<SocketAddr>,
    /// `database.url`.
    pub database: Option<String>,
}

/// Why the settings were refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was named is not there.
    #[error("the configuration file {0} does not exist")]
    NoFile(PathBuf),
    /// A setting is unknown or has the wrong form.
    #[error("configuration: {0}")]
    Setting(Box<figment::Error>),
    /// A setting that has no default was not given.
    #[error("database.url is not set: use --database, the environment or a configuration file")]
    NoDatabase,
    /// A number that makes no sense.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// A part that is no part.
    #[error("telemetry.sample_ratio must be from 0 to 1")]
    Ratio,
    /// A variable that looks like a setting and is none.
    #[error("the environment variable {0} is no setting: section and key are parted by two underscores")]
    Variable(String),
    /// PostgreSQL is shared by several gateways, and so must be their secret.
    #[error("server.secret_file is not set: with PostgreSQL, name a file that all gateways have")]
    NoSecret,
    /// The secret cannot be had.
    #[error("server.secret_file {path}: {source}")]
    Secret {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SecretError,
    },
    /// The mail server or App IO.
    #[error("messages.{setting}: {reason}")]
    Messages {
        /// Which setting.
        setting: &'static str,
        /// Why.
        reason: String,
    },
    /// Where files lie.
    #[error("documents.{setting}: {reason}")]
    Documents {
        /// Which setting.
        setting: &'static str,
        /// Why.
        reason: String,
    },
    /// The provider of payments.
    #[error("payments.{setting}: {reason}")]
    Payments {
        /// Which setting.
        setting: &'static str,
        /// Why.
        reason: String,
    },
    /// A provider without keys, or with two places for them.
    #[error("identity.providers `{0}`: give jwks_url or jwks_file, and one of them only")]
    Keys(String),
    /// A provider of people without an audience, or one of vouchers with one.
    #[error("identity.providers `{0}`: give an audience; to kind = \"pdnd\" none, each Comune sets its own")]
    Audience(String),
    /// The keys of PDND's clients.
    #[error("identity.pdnd_keys_url: {0}")]
    ClientKeys(String),
    /// A name that is taken.
    #[error("identity.providers: `{0}` is the name of those who sign in with a password; take another")]
    Name(String),
    /// The key file cannot be read.
    #[error("identity.providers `{name}`: {path}: {source}")]
    KeyFile {
        /// The provider.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The address of the keys cannot be used.
    #[error("identity.providers `{name}`: jwks_url: {reason}")]
    KeyAddress {
        /// The provider.
        name: String,
        /// Why.
        reason: String,
    },
}

impl Config {
    /// Reads defaults, file, environment and flags, each over the one before.
    ///
    /// # Errors
    /// When a setting is unknown or has the wrong form, naming it.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        Self::load_over(Self::default(), flags)
    }

    /// The same, over other defaults.
    ///
    /// # Errors
    /// When a setting is unknown or has the wrong form, naming it.
    pub fn load_over(defaults: Self, flags: &Flags) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(defaults));
        if let Some(path) = &flags.config {
            if !path.exists() {
                return Err(ConfigError::NoFile(path.clone()));
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        // `SPORTELLO_DATABASE_URL` is a setting misspelt; the test suite's own variables are not ours.
        let stranger = |name: &str| !name.contains("__") && !name.starts_with("TEST_");
        let ours = Env::prefixed("SPORTELLO_");
        let mut names = ours.iter().map(|(name, _)| name.as_str().to_uppercase());
        if let Some(name) = names.find(|name| stranger(name)) {
            return Err(ConfigError::Variable(format!("SPORTELLO_{name}")));
        }
        let env = Env::prefixed("SPORTELLO_").filter(|key| key.as_str().contains("__")).split("__");
        let mut config: Self = figment.merge(env).extract().map_err(|error| ConfigError::Setting(Box::new(error)))?;
        if let Some(listen) = flags.listen {
            config.server.listen = listen;
        }
        if let Some(url) = &flags.database {
            config.database.url = Some(url.clone());
        }
        config.check()?;
        Ok(config)
    }
}

impl Config {
    /// Numbers of which zero would switch something off that nobody means to.
    fn check(&self) -> Result<(), ConfigError> {
        if !(0.0..=1.0).contains(&self.telemetry.sample_ratio) {
            return Err(ConfigError::Ratio);
        }
        if let Some(provider) = self.identity.providers.iter().find(|provider| provider.name == sessions::PROVIDER) {
            return Err(ConfigError::Name(provider.name.clone()));
        }
        let numbers = [
            ("database.read_connections", u64::from(self.database.read_connections)),
            ("database.write_connections", u64::from(self.database.write_connections)),
            ("database.busy_timeout_ms", self.database.busy_timeout_ms),
            ("booking.hold_minutes", u64::from(self.booking.hold_minutes)),
            ("documents.max_bytes", self.documents.max_bytes),
            ("documents.max_uploads", u64::from(self.documents.max_uploads)),
            ("documents.orphan_hours", u64::from(self.documents.orphan_hours)),
            ("documents.scanner_timeout_seconds", u64::from(self.documents.scanner_timeout_seconds)),
            ("documents.sweep_seconds", u64::from(self.documents.sweep_seconds)),
            ("events.keep_days", u64::from(self.events.keep_days)),
            ("events.stream_heartbeat_seconds", self.events.stream_heartbeat_seconds),
            ("events.stream_seconds", self.events.stream_seconds),
            ("events.webhook_timeout_seconds", self.events.webhook_timeout_seconds),
            ("events.webhook_concurrency", u64::from(self.events.webhook_concurrency)),
            ("messages.poll_seconds", u64::from(self.messages.poll_seconds)),
            ("messages.lease_seconds", u64::from(self.messages.lease_seconds)),
        ];
        numbers.iter().find(|(_, number)| *number == 0).map_or(Ok(()), |(name, _)| Err(ConfigError::Zero(name)))
    }

    /// The deployment's secret.
    ///
    /// # Errors
    /// When it cannot be had, or none was named where several gateways must share it.
    pub fn secret(&self, target: &Target) -> Result<DeploymentSecret, ConfigError> {
        let (path, read) = match (&self.server.secret_file, target) {
            (Some(path), _) => (path.clone(), DeploymentSecret::read(path)),
            (None, Target::Sqlite(database)) => {
                let path = database.with_extension("secret");
                let read = DeploymentSecret::read_or_make(&path);
                (path, read)
            }
            (None, Target::Postgres(_)) => return Err(ConfigError::NoSecret),
        };
        read.map_err(|source| ConfigError::Secret { path, source })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn load(toml: &str) -> Result<Config, ConfigError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(toml.as_bytes()).unwrap();
        Config::load(&Flags { config: Some(file.path().to_owned()), ..Flags::default() })
    }

    #[test]
    fn an_unknown_setting_is_an_error_that_names_it() {
        let error = load("[database]\nurll = 'sqlite:x'").unwrap_err().to_string();
        assert!(error.contains("urll"), "{error}");
        let error = load("[databse]\nurl = 'sqlite:x'").unwrap_err().to_string();
        assert!(error.contains("databse"), "{error}");
    }

    #[test]
    fn zero_is_refused_where_it_would_switch_something_off() {
        let error = load("[database]\nread_connections = 0").unwrap_err().to_string();
        assert!(error.contains("database.read_connections"), "{error}");
    }

    #[test]
    fn gateways_on_postgresql_name_the_secret_they_share() {
        let target = Target::parse("postgres:///x").unwrap();
        assert!(matches!(Config::default().secret(&target), Err(ConfigError::NoSecret)));
    }

    #[test]
    fn flags_come_over_the_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"[database]\nurl = 'sqlite:a'\n[server]\nworkers = 3").unwrap();
        let flags = Flags {
            config: Some(file.path().to_owned()),
            database: Some("sqlite:b".into()),
            listen: Some("127.0.0.1:9".parse().unwrap()),
        };
        let config = Config::load(&flags).unwrap();
        assert_eq!(config.database.url.as_deref(), Some("sqlite:b"));
        assert_eq!(config.server.workers, 3);
        assert_eq!(config.server.listen.port(), 9);
    }

    #[test]
    fn a_provider_has_its_keys_in_one_place() {
        let config =
            load("[[identity.providers]]\nname='a'\nkind='citizens'\nissuer='https://id.example'\naudience='{tenant}'")
                .unwrap();
        let provider = config.identity.providers.first().unwrap();
        assert_eq!(provider.algorithms, identity::default_algorithms());
        assert!(matches!(provider.provider(), Err(ConfigError::Keys(_))));
    }

    #[test]
    fn vouchers_have_the_audience_of_each_comune() {
        let provider = |kind: &str, audience: &str| {
            let keys = "issuer='https://id.example'\njwks_url='https://id.example/jwks'";
            let text = format!("[[identity.providers]]\nname='a'\nkind='{kind}'\n{keys}\n{audience}");
            load(&text).unwrap().identity.providers.first().unwrap().provider().map(|_| ())
        };
        assert!(provider("pdnd", "").is_ok());
        assert!(provider("staff", "audience='{tenant}'").is_ok());
        for (kind, audience) in [("pdnd", "audience='x'"), ("staff", ""), ("citizens", "")] {
            assert!(matches!(provider(kind, audience), Err(ConfigError::Audience(_))), "{kind} {audience}");
        }
    }

    #[test]
    fn keys_of_clients_come_from_where_nobody_can_change_them_on_the_way() {
        let keys = |text: &str| {
            let config = load(&format!("[identity]\n{text}")).unwrap();
            config.identity.client_keys(std::sync::Arc::new(kernel::SystemClock)).map(|keys| keys.is_some())
        };
        assert!(matches!(keys(""), Ok(false)));
        assert!(matches!(keys("pdnd_keys_url='https://api.example/v2'\npdnd_keys_token_file='/x'"), Ok(true)));
        assert!(matches!(keys("pdnd_keys_url='http://127.0.0.1:9'"), Ok(true)));
        for bad in [
            "pdnd_keys_url='http://api.example'",
            "pdnd_keys_url='api.example'",
            "pdnd_keys_url='https://api.example/?v=2'",
            "pdnd_keys_token_file='/x'",
        ] {
            assert!(matches!(keys(bad), Err(ConfigError::ClientKeys(_))), "{bad}");
        }
    }

    /// What the container files set exists.
    #[test]
    fn container_files_name_real_settings() {
        // With what is absent by default, and named there.
        let whole = load("[messages.smtp]\nhost='mail.example'\nfrom='ufficio@comune.example'").unwrap();
        let defaults = serde_json::to_value(whole).unwrap();
        let files = concat!(include_str!("../../../docker-compose.yml"), include_str!("../../../Dockerfile"));
        let word = |text: &str| text.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect::<String>();
        let names: Vec<String> = files.split("SPORTELLO_").skip(1).map(word).collect();
        assert!(names.len() >= 3, "{names:?}");
        for name in names {
            let pointer = format!("/{}", name.to_lowercase().replace("__", "/"));
            assert!(defaults.pointer(&pointer).is_some(), "SPORTELLO_{name} is no setting");
        }
    }

    /// The page that people read names every setting there is, with its default.
    #[test]
    fn every_setting_is_documented() {
        let page = include_str!("../../../docs/configuration.md");
        let defaults = serde_json::to_value(Config::default()).unwrap();
        for (section, settings) in defaults.as_object().unwrap() {
            for (setting, default) in settings.as_object().unwrap() {
                let needle = if section == "identity" { "identity.providers".into() } else { format!("`{setting}`") };
                assert!(page.contains(&needle), "docs/configuration.md lacks {section}.{setting}");
                let whole = [(setting.clone(), default.clone())];
                let parts = default.as_object().map_or_else(
                    || whole.to_vec(),
                    |parts| parts.iter().map(|(name, default)| (name.clone(), default.clone())).collect(),
                );
                for (name, default) in parts.iter().filter(|(_, default)| !default.is_null() && !default.is_array()) {
                    let row = format!("`{default}`");
                    assert!(
                        page.contains(&row),
                        "docs/configuration.md lacks the default {row} of {section}.{setting} {name}"
                    );
                }
            }
        }
    }
}
