//! Where files lie, which are taken, and who looks for malware in them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use connectors::{
    Clamd, ObjectDepot,
    clamd::ClamdAddress,
    depot::{Bucket, DepotError},
};
use documents::{
    Documents, DocumentsSettings,
    files::{access::Subjects, model::MediaType},
    ports::{Depot, Scanner},
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use storage::Target;

use super::ConfigError;

/// Files that people send in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DocumentsConfig {
    /// The folder that they lie in. Absent, with SQLite and without `s3`: one beside the database.
    pub folder: Option<PathBuf>,
    /// The store that they lie in instead.
    pub s3: Option<S3Config>,
    /// Where a file lies while it is looked at. Absent: the machine's folder for temporary files.
    pub spool_folder: Option<PathBuf>,
    /// The largest file, in bytes.
    pub max_bytes: u64,
    /// Which types of files are taken.
    pub media_types: Vec<MediaType>,
    /// How many files are taken in at once.
    pub max_uploads: u32,
    /// After how many hours a file that is attached to nothing is deleted.
    pub orphan_hours: u32,
    /// How many files of one person may be attached to nothing.
    pub max_unattached: u32,
    /// How many bytes those may have together.
    pub max_unattached_bytes: u64,
    /// Where ClamAV's daemon listens: `unix:/PATH` or `tcp:HOST:PORT`. Absent: files are not scanned.
    pub scanner: Option<String>,
    /// How long the scan of one file may take, in seconds.
    pub scanner_timeout_seconds: u32,
    /// How often what is to be deleted is looked for, in seconds.
    pub sweep_seconds: u32,
}

impl Default for DocumentsConfig {
    fn default() -> Self {
        Self {
            folder: None,
            s3: None,
            spool_folder: None,
            max_bytes: 25 * 1024 * 1024,
            media_types: MediaType::ALL.to_vec(),
            max_uploads: 16,
            orphan_hours: 48,
            max_unattached: 50,
            max_unattached_bytes: 250 * 1024 * 1024,
            scanner: None,
            scanner_timeout_seconds: 120,
            sweep_seconds: 300,
        }
    }
}

/// A bucket of a store that speaks S3.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// Its name.
    pub bucket: String,
    /// The address of the store; absent: Amazon's.
    pub endpoint: Option<String>,
    /// The region.
    #[serde(default = "default_region")]
    pub region: String,
    /// The name of the key that it is opened with. Absent: that of the role that a machine at Amazon's (EC2) has, from its
    /// metadata service. What containers are given, and what stands in the environment or in files, is not looked for.
    pub access_key_id: Option<String>,
    /// The file with the key's secret.
    pub secret_key_file: Option<PathBuf>,
}

fn default_region() -> String {
    "eu-south-1".to_owned()
}

/// Where files lie.
#[derive(Debug)]
pub(crate) enum Place<'a> {
    /// In a folder.
    Folder(PathBuf),
    /// In a bucket.
    Bucket(&'a S3Config),
    /// Nothing was set: no files are taken.
    Nowhere,
}

impl DocumentsConfig {
    /// What takes in, keeps and gives back files.
    ///
    /// # Errors
    /// When the settings cannot be meant, or the folder cannot be used.
    pub fn open(&self, target: &Target, subjects: Subjects) -> Result<Documents, ConfigError> {
        let depot = self.depot(target)?;
        if depot.is_none() {
            tracing::warn!("documents.folder and documents.s3 are not set: no files are taken");
        }
        let max_uploads = usize::try_from(self.max_uploads).unwrap_or(usize::MAX);
        let settings = DocumentsSettings {
            max_bytes: self.max_bytes,
            media_types: self.media_types.clone(),
            spool_folder: self.spool(),
            max_uploads,
            orphans_after: SignedDuration::from_hours(i64::from(self.orphan_hours)),
            max_unattached: i64::from(self.max_unattached),
            max_unattached_bytes: i64::try_from(self.max_unattached_bytes).unwrap_or(i64::MAX),
        };
        Ok(Documents::new(settings, depot, self.scanner()?, subjects))
    }

    fn depot(&self, target: &Target) -> Result<Option<Arc<dyn Depot>>, ConfigError> {
        let wrong = |setting| move |error: DepotError| refused(setting, error.to_string());
        let depot = match self.place(target)? {
            Place::Folder(folder) => ObjectDepot::in_folder(&folder).map_err(wrong("folder"))?,
            Place::Bucket(s3) => ObjectDepot::in_bucket(&s3.bucket()?).map_err(wrong("s3.endpoint"))?,
            Place::Nowhere => return Ok(None),
        };
        Ok(Some(Arc::new(depot)))
    }

    /// Where files lie; nothing is made or opened for it.
    ///
    /// # Errors
    /// When the settings name two places.
    pub(crate) fn place(&self, target: &Target) -> Result<Place<'_>, ConfigError> {
        Ok(match (&self.folder, &self.s3, target) {
            (Some(_), Some(_), _) => return Err(refused("s3", "give folder or s3, and not both".to_owned())),
            (None, Some(s3), _) => Place::Bucket(s3),
            (Some(folder), None, _) => Place::Folder(folder.clone()),
            (None, None, Target::Sqlite(database)) => Place::Folder(database.with_extension("documents")),
            (None, None, Target::Postgres(_)) => Place::Nowhere,
        })
    }

    /// Where a file lies while it is looked at.
    pub(crate) fn spool(&self) -> PathBuf {
        self.spool_folder.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// How many bytes may lie there at once: of each file itself, and of the image that is made of it.
    pub(crate) fn spooled(&self) -> u64 {
        u64::from(self.max_uploads).saturating_mul(self.max_bytes).saturating_mul(2)
    }

    /// What looks for malware in files, where one is set.
    ///
    /// # Errors
    /// When its address is none.
    pub(crate) fn scanner(&self) -> Result<Option<Arc<dyn Scanner>>, ConfigError> {
        let Some(address) = &self.scanner else { return Ok(None) };
        let address: ClamdAddress = address.parse().map_err(|error| refused("scanner", error))?;
        let time_out = Duration::from_secs(u64::from(self.scanner_timeout_seconds));
        Ok(Some(Arc::new(Clamd::new(address, time_out))))
    }
}

impl S3Config {
    fn bucket(&self) -> Result<Bucket, ConfigError> {
        let credentials = match (&self.access_key_id, &self.secret_key_file) {
            (None, None) => None,
            (Some(key), Some(path)) => {
                let read = std::fs::read_to_string(path);
                let read =
                    read.map_err(|error| refused("s3.secret_key_file", format!("{}: {error}", path.display())))?;
                Some((key.clone(), read.trim().to_owned()))
            }
            _ => return Err(refused("s3", "give access_key_id and secret_key_file, or neither".to_owned())),
        };
        let (name, endpoint, region) = (self.bucket.clone(), self.endpoint.clone(), self.region.clone());
        Ok(Bucket { name, endpoint, region, credentials })
    }
}

const fn refused(setting: &'static str, reason: String) -> ConfigError {
    ConfigError::Documents { setting, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> Result<bool, String> {
        connectors::install_crypto_provider();
        let config: DocumentsConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        let postgres = Target::parse("postgres://sportello@127.0.0.1/sportello").unwrap();
        let opened = config.open(&postgres, Subjects::default()).map_err(|error| error.to_string())?;
        Ok(opened.depot().is_ok())
    }

    #[test]
    fn files_lie_where_it_can_be_meant() {
        let folder = tempfile::tempdir().unwrap();
        let own = format!("folder = '{}'", folder.path().join("documents").display());
        let key = folder.path().join("key");
        std::fs::write(&key, "secret\n").unwrap();
        let s3 = format!(
            "[s3]\nbucket = 'b'\nendpoint = 'http://127.0.0.1:9000'\naccess_key_id = 'k'\nsecret_key_file = '{}'",
            key.display()
        );
        assert_eq!(with(""), Ok(false));
        assert_eq!(with(&own), Ok(true));
        assert_eq!(with(&s3), Ok(true));
        assert_eq!(
            with(&format!("{own}\nscanner = 'tcp:127.0.0.1:3310'\nmedia_types = ['application/pdf']")),
            Ok(true)
        );
        for (text, word) in [
            (format!("{own}\n{s3}"), "not both"),
            (s3.replace("127.0.0.1", "s3.example"), "https"),
            (s3.replace("access_key_id = 'k'", ""), "access_key_id"),
            (s3.replace(&key.display().to_string(), "/nowhere/at/all"), "/nowhere/at/all"),
            ("folder = '/proc/documents'".to_owned(), "folder"),
            (format!("{own}\nscanner = 'clamd'"), "scanner"),
            (format!("{own}\nmedia_types = ['image/gif']"), "image"),
        ] {
            assert!(with(&text).unwrap_err().contains(word), "{text}");
        }
    }
}
