//! Files that people send in: taken in, looked at, kept and given back.
//!
//! * [`files`]: documents as they are asked for over HTTP, and [`files::attach`] for the domains that want them
//! * [`intake`]: what is looked at before a file is kept: its type, its name, what else it carries
//! * [`keeping`]: what goes on beside the requests: the scan for malware, what nobody attached, bytes without a row
//! * [`ports`]: the store that the bytes lie in and the scanner, as traits; [`privacy`]: whose they are
//!
//! The bytes of a file never touch the store before they were looked at, and never lie there without a row that knows
//! of them: first the row that has them deleted again, then the bytes, then the document. So whatever dies in between
//! leaves behind what the sweeper finds without asking the store what it holds.

pub mod events;
pub mod files;
pub mod intake;
pub mod keeping;
pub mod ports;
pub mod privacy;
pub mod problems;
pub mod schema;

use std::{fmt, path::PathBuf, sync::Arc};

use jiff::SignedDuration;
use storage::Bell;
use tokio::sync::Semaphore;
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    files::{access::Subjects, model::MediaType},
    intake::places::Places,
    ports::{Depot, Scanner},
};

/// What the deployment may set.
#[derive(Debug, Clone)]
pub struct DocumentsSettings {
    /// The largest file, in bytes.
    pub max_bytes: u64,
    /// Which types of files are taken.
    pub media_types: Vec<MediaType>,
    /// Where a file lies while it is looked at.
    pub spool_folder: PathBuf,
    /// How many files are taken in at once.
    pub max_uploads: usize,
    /// How long a file may be attached to nothing.
    pub orphans_after: SignedDuration,
    /// How many files of one person may be attached to nothing.
    pub max_unattached: i64,
    /// How many bytes those may have.
    pub max_unattached_bytes: i64,
}

/// What taking in, keeping and giving back files needs. Cheap to clone.
#[derive(Clone)]
pub struct Documents(Arc<Inner>);

struct Inner {
    settings: DocumentsSettings,
    depot: Option<Arc<dyn Depot>>,
    scanner: Option<Arc<dyn Scanner>>,
    subjects: Subjects,
    places: Places,
    looking: Arc<Semaphore>,
    bell: Bell,
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

/// How many files are unpacked or turned at once: each may take some hundred megabytes of memory for a moment.
const LOOKED_AT_TOGETHER: usize = 2;

impl Documents {
    /// Without a depot nothing can be kept, and uploads are refused; without a scanner files are taken to be clean.
    pub fn new(
        settings: DocumentsSettings,
        depot: Option<Arc<dyn Depot>>,
        scanner: Option<Arc<dyn Scanner>>,
        subjects: Subjects,
    ) -> Self {
        let places = Places::new(settings.max_uploads);
        let looking = Arc::new(Semaphore::new(LOOKED_AT_TOGETHER));
        Self(Arc::new(Inner { settings, depot, scanner, subjects, places, looking, bell: Bell::default() }))
    }

    /// What the deployment has set.
    pub fn settings(&self) -> &DocumentsSettings {
        &self.0.settings
    }

    /// Where the bytes lie.
    ///
    /// # Errors
    /// `documents-unavailable` where the deployment has not said where.
    pub fn depot(&self) -> Result<&Arc<dyn Depot>, kernel::Problem> {
        let none = "this installation keeps no files";
        self.0.depot.as_ref().ok_or_else(|| problems::unavailable(none))
    }

    /// Who may read what documents are attached to.
    pub fn subjects(&self) -> &Subjects {
        &self.0.subjects
    }

    /// What looks for malware, where there is one.
    pub fn scanner(&self) -> Option<&Arc<dyn Scanner>> {
        self.0.scanner.as_ref()
    }

    /// Rung when a document waits to be scanned.
    pub fn bell(&self) -> &Bell {
        &self.0.bell
    }

    pub(crate) fn places(&self) -> &Places {
        &self.0.places
    }

    pub(crate) fn looking(&self) -> &Arc<Semaphore> {
        &self.0.looking
    }
}

/// Registers what this crate serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    files::routes::routes(cfg);
}
