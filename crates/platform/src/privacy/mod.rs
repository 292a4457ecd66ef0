//! What people may ask of whoever holds data about them, and for how long it is held (GDPR).
//!
//! * [`people`]: all there is about a person, told (articles 15 and 20) and put right (article 16)
//! * [`retention`]: how long it is kept (article 5(1)(e)), as rules, dry runs and a daily run
//! * [`holds`]: what is kept whatever the rules say; [`access_log`]: who looked at it
//!
//! Each domain says by [`PersonalData`] what it holds; the gateway lists them all as [`Holdings`].

pub mod access_log;
pub mod holds;
mod own;
pub mod people;
pub mod retention;
pub mod store;

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use kernel::Id;
use serde::Serialize;
use serde_json::{Map, Value};
use storage::{DbError, Tx};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

pub use own::Own;
pub use people::model::{Person, Rectification, Reference};
pub use retention::model::{Disposal, RecordKind};

use self::access_log::Look;
use crate::{access::DeploymentSecret, tenants::Tenant};

/// The identifier of a record, of whatever kind.
pub type RecordId = Id<Uuid>;

/// Something held as an entry of an export.
///
/// # Errors
/// When it cannot be written as a JSON object.
pub fn written(of: &impl Serialize) -> storage::Result<Map<String, Value>> {
    match serde_json::to_value(of) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(DbError::Other("something held cannot be written".to_owned()).into()),
    }
}

/// Where something is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The Comune.
    pub tenant: &'a Tenant,
    /// Makes pseudonyms.
    pub secret: &'a DeploymentSecret,
}

/// Entries of one sort that are held about a person, each as JSON of its own form.
#[derive(Clone, Default)]
pub struct Section {
    /// What they are: `appointments`.
    pub name: &'static str,
    /// The entries.
    pub entries: Vec<Map<String, Value>>,
}

/// A file that is held about a person or made for them.
#[derive(Clone)]
pub struct HeldFile {
    /// Its name, relative to those of the holding.
    pub name: String,
    /// Its media type.
    pub media_type: &'static str,
    /// What is in it.
    pub content: FileContent,
}

/// What is in a file.
#[derive(Clone, PartialEq, Eq)]
pub enum FileContent {
    /// These bytes.
    Made(Vec<u8>),
    /// What lies in the store of files: it is fetched after the transaction, from [`KeptFiles`](crate::ports::KeptFiles).
    Kept {
        /// Under which key.
        key: String,
        /// How long it is, in bytes.
        length: u64,
    },
}

impl FileContent {
    /// How long it is, in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Made(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Self::Kept { length, .. } => *length,
        }
    }
}

/// What one domain holds about a person.
#[derive(Clone, Default)]
pub struct Held {
    /// What there is, by sort.
    pub sections: Vec<Section>,
    /// Files.
    pub files: Vec<HeldFile>,
}

kernel::redacted_debug!(Section, HeldFile, FileContent, Held);

/// Which records are looked for.
#[derive(Debug, Clone)]
pub struct Due {
    /// Of this kind.
    pub kind: RecordKind,
    /// Of which services.
    pub services: retention::model::Services,
    /// About days before this instant.
    pub before: Timestamp,
}

/// A record that a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// Which one.
    pub id: RecordId,
    /// What it is about: the start of an appointment.
    pub at: Timestamp,
    /// Pseudonym of the person it is about, where there is one.
    pub person_key: Option<String>,
}

/// What a domain holds about people, and can do with it. Every question is asked within one Comune.
pub trait PersonalData: fmt::Debug + Send + Sync {
    /// What the holding is called: `appointments`.
    fn name(&self) -> &'static str;

    /// Kinds of its records that rules are made for.
    fn kinds(&self) -> &'static [RecordKind];

    /// Who a record is about, for those who cannot be told by a tax code.
    ///
    /// # Errors
    /// When the database fails.
    fn identify(&self, tx: &mut Tx<'_>, place: Place<'_>, reference: &Reference) -> storage::Result<Option<Person>>;

    /// All there is about a person, and nothing about anybody else.
    ///
    /// # Errors
    /// When the database fails.
    fn export(&self, tx: &mut Tx<'_>, place: Place<'_>, person: &Person) -> storage::Result<Held>;

    /// Puts right what is held about a person, in open and in past records. Answers how many were changed.
    ///
    /// # Errors
    /// When the database fails.
    fn rectify(
        &self,
        tx: &mut Tx<'_>,
        place: Place<'_>,
        person: &Person,
        correct: &Rectification,
    ) -> storage::Result<i64>;

    /// Whether there is such a service, for rules about its records.
    ///
    /// # Errors
    /// When the database fails.
    fn has_service(&self, tx: &mut Tx<'_>, kind: RecordKind, id: RecordId) -> storage::Result<bool>;

    /// Whether there is such a record.
    ///
    /// # Errors
    /// When the database fails.
    fn has_record(&self, tx: &mut Tx<'_>, kind: RecordKind, id: RecordId) -> storage::Result<bool>;

    /// Which of these records tell of special categories of data (GDPR, article 9), each with whom it is about: who is
    /// shown them is written down.
    ///
    /// # Errors
    /// When the database fails.
    fn special(&self, tx: &mut Tx<'_>, kind: RecordKind, ids: &[RecordId]) -> storage::Result<Vec<Look>>;

    /// The next records that are due, by what they are about and id. Those that were disposed of are not among them.
    ///
    /// # Errors
    /// When the database fails.
    fn overdue(
        &self,
        tx: &mut Tx<'_>,
        due: &Due,
        after: Option<(Timestamp, RecordId)>,
        limit: i64,
    ) -> storage::Result<Vec<Overdue>>;

    /// Disposes of records. Answers of how many; the others had nothing left to dispose of.
    ///
    /// # Errors
    /// When the database fails.
    fn dispose(&self, tx: &mut Tx<'_>, kind: RecordKind, how: Disposal, ids: &[RecordId]) -> storage::Result<usize>;
}

/// Everybody who holds personal data. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Holdings(Arc<[Arc<dyn PersonalData>]>);

impl Holdings {
    /// The platform's own.
    pub fn own() -> Self {
        Self(Arc::new([Arc::new(Own)]))
    }

    /// These, and another before them.
    #[must_use]
    pub fn with(self, holding: impl PersonalData + 'static) -> Self {
        let first: Arc<dyn PersonalData> = Arc::new(holding);
        Self(std::iter::once(first).chain(self.0.iter().cloned()).collect())
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn PersonalData>> {
        self.0.iter()
    }

    /// Whoever has records of this kind.
    pub fn of(&self, kind: RecordKind) -> Option<&Arc<dyn PersonalData>> {
        self.iter().find(|holding| holding.kinds().contains(&kind))
    }
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    people::routes::routes(cfg);
    retention::routes::routes(cfg);
    holds::routes::routes(cfg);
    access_log::routes::routes(cfg);
}
