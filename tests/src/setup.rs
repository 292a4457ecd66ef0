//! With which database, and with which settings, a server is started.

use std::{collections::BTreeMap, sync::Once};

use jiff::Timestamp;
use kernel::Id;

use crate::{
    postgres::{self, Durability},
    say,
};

/// Which database a server keeps its data in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// A file in the server's folder.
    Sqlite,
    /// A database of its own in the test process's cluster.
    Postgres,
}

impl Backend {
    /// Whether it can be run here; says so on the terminal the first time.
    pub fn available(self) -> bool {
        static SQLITE: Once = Once::new();
        match self {
            Self::Sqlite => {
                SQLITE.call_once(|| say("SQLite: run, built into the server"));
                true
            }
            Self::Postgres => postgres::available(),
        }
    }

    /// An id, as its SQL has it.
    pub fn id<T>(self, id: Id<T>) -> String {
        match self {
            Self::Sqlite => format!("x'{}'", id.uuid().simple()),
            Self::Postgres => format!("'{id}'"),
        }
    }

    /// An instant, as its SQL has it.
    pub fn instant(self, at: Timestamp) -> String {
        match self {
            Self::Sqlite => at.as_microsecond().to_string(),
            Self::Postgres => format!("'{at}'"),
        }
    }
}

/// Whose requests are counted.
const LIMITED: [&str; 8] =
    ["address", "anonymous", "anonymous_write", "citizen", "staff", "device", "integration", "platform"];

/// What a test wants different from the harness's settings.
#[derive(Debug, Default)]
pub struct Setup {
    pub(crate) settings: toml::Table,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) durable: bool,
}

impl Setup {
    /// Sets `section.key`, by file for [`Server::start`] and by environment for [`Server::demo`].
    pub fn set(&mut self, setting: &str, value: impl Into<toml::Value>) -> &mut Self {
        let (section, key) = setting.split_once('.').expect("a setting is section.key");
        let section = self.settings.entry(section).or_insert_with(|| toml::Table::new().into());
        section.as_table_mut().expect("a section").insert(key.to_owned(), value.into());
        self
    }

    /// Appends to the array of tables `section.key`, such as `identity.providers`; not for [`Server::demo`].
    pub fn push(&mut self, setting: &str, entry: toml::Table) -> &mut Self {
        let (section, key) = setting.split_once('.').expect("a setting is section.key");
        let section = self.settings.entry(section).or_insert_with(|| toml::Table::new().into());
        let list =
            section.as_table_mut().expect("a section").entry(key).or_insert_with(|| Vec::<toml::Value>::new().into());
        list.as_array_mut().expect("a list").push(entry.into());
        self
    }

    /// Sets an environment variable of the server.
    pub fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Keeps the data in the cluster that waits for the disk, as in production. (SQLite always does.)
    pub fn durable(&mut self) -> &mut Self {
        self.durable = true;
        self
    }

    /// The harness's settings, and what the test wants different.
    pub(crate) fn new(configure: impl FnOnce(&mut Self)) -> Self {
        let mut setup = Self::default();
        setup
            .set("server.workers", 2)
            .set("database.read_connections", 4)
            .set("database.write_connections", 4)
            .set("log.format", "text")
            .set("payments.poll_seconds", 1)
            // Whoever reads a stream as if it were a page gets to its end; tests of streams say how long.
            .set("events.stream_seconds", 1)
            // What is handed on or put together meanwhile would be rows that nobody has asked for.
            .set("protocol.poll_seconds", 3600)
            .set("protocol.daily_poll_seconds", 86_400);
        // Hundreds of callers come from one address here; the tests of the limits set their own.
        for kind in LIMITED {
            setup.set(&format!("limits.{kind}_per_minute"), 10_000_000);
            setup.set(&format!("limits.{kind}_burst"), 1_000_000);
        }
        configure(&mut setup);
        setup
    }

    /// The cluster its database is made in.
    pub(crate) fn durability(&self) -> Durability {
        if self.durable { Durability::Durable } else { Durability::Fast }
    }

    /// The settings as `SPORTELLO_SECTION__KEY`.
    pub(crate) fn as_environment(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.settings.iter().flat_map(|(section, keys)| {
            keys.as_table().expect("a section").iter().map(move |(key, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (format!("SPORTELLO_{section}__{key}").to_uppercase(), value)
            })
        })
    }
}
