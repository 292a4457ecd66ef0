//! Everything about a person as one file: a JSON document, and the files that go with it.

use std::io::{Cursor, Write};

use kernel::Problem;
use storage::problems::INTERNAL_ERROR;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::changes::Gathered;
use crate::{ports::KeptFiles, privacy::FileContent, problems::FILES_UNAVAILABLE};

/// The document's name in the archive.
pub const DOCUMENT: &str = "personal-data.json";

/// Where the files are named that the archive has no room for.
pub const LEFT_OUT: &str = "files-left-out.txt";

/// How many bytes of files from the store an archive holds: it is put together in memory. The others are downloaded one
/// by one.
const MOST_KEPT: u64 = 256 * 1024 * 1024;

/// Fetches the content of the files that lie in the store, as many as there is room for. Not inside a transaction.
///
/// # Errors
/// `files-unavailable` when one cannot be had now.
pub async fn fetch(gathered: &mut Gathered, files: &dyn KeptFiles) -> Result<(), Problem> {
    let mut room = MOST_KEPT;
    for (_, content) in &mut gathered.files {
        if let FileContent::Kept { key, length } = content
            && let Some(left) = room.checked_sub(*length)
        {
            let read = files.read(key, *length).await.map_err(|error| {
                tracing::error!(%error, "an archive could not be put together");
                Problem::new(&FILES_UNAVAILABLE).detail("the store of files does not answer").retry_after(30)
            })?;
            *content = FileContent::Made(read);
            room = left;
        }
    }
    Ok(())
}

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
    let mut left_out = Vec::new();
    for (name, content) in &gathered.files {
        let FileContent::Made(bytes) = content else {
            left_out.push(name.as_str());
            continue;
        };
        archive.start_file(name.as_str(), options)?;
        archive.write_all(bytes)?;
    }
    if !left_out.is_empty() {
        archive.start_file(LEFT_OUT, options)?;
        archive.write_all(left_out.join("\n").as_bytes())?;
    }
    Ok(archive.finish()?.into_inner())
}
