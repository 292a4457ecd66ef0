//! Everything about a person as one file: a JSON document, and the files that go with it.

use std::io::{Cursor, Write};

use kernel::Problem;
use storage::problems::INTERNAL_ERROR;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::changes::Gathered;

/// The document's name in the archive.
pub const DOCUMENT: &str = "personal-data.json";

/// Writes the archive, the same bytes for the same things: its entries carry no time of their own.
///
/// # Errors
/// `internal-error` when it cannot be written.
pub fn written(gathered: &Gathered) -> Result<Vec<u8>, Problem> {
    pack(gathered).map_err(|error| {
        tracing::error!(%error, "an archive could not be written");
        Problem::new(&INTERNAL_ERROR)
    })
}

fn pack(gathered: &Gathered) -> std::io::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default());
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file(DOCUMENT, options)?;
    archive.write_all(&serde_json::to_vec_pretty(&gathered.document)?)?;
    for (name, bytes) in &gathered.files {
        archive.start_file(name.as_str(), options)?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}
