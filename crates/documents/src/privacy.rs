//! What documents hold about people: the files that they sent in. How long they are kept is decided where they are
//! attached; what is attached to nothing goes by itself.

use std::fs::File;

use futures_util::{StreamExt, future::BoxFuture};
use jiff::Timestamp;
use kernel::Problem;
use platform::{
    ports::{FilesUnavailable, KeptFiles},
    privacy::{
        Disposal, Due, FileContent, Held, HeldFile, Overdue, Person, PersonalData, Place, RecordId, RecordKind,
        Rectification, Reference, Section, access_log::Look, written,
    },
};
use storage::Tx;

use crate::{
    Documents,
    files::{model::DocumentState, store},
    intake::spool,
    ports::DepotFailure,
};

/// The holding of documents.
#[derive(Debug)]
pub struct SentIn;

impl PersonalData for SentIn {
    fn name(&self) -> &'static str {
        "documents"
    }

    fn kinds(&self) -> &'static [RecordKind] {
        &[]
    }

    fn identify(&self, _: &mut Tx<'_>, _: Place<'_>, _: &Reference) -> storage::Result<Option<Person>> {
        Ok(None)
    }

    fn export(&self, tx: &mut Tx<'_>, place: Place<'_>, person: &Person) -> storage::Result<Held> {
        let mut held = Held::default();
        let mut entries = Vec::new();
        for document in store::of_owner(tx, &person.actor())? {
            // What is still in quarantine, or was found to be malware, is given to nobody.
            if document.state == DocumentState::Clean
                && let Some(key) = &document.object_key
            {
                // Two may be called the same.
                let name = format!("{}/{}", document.id, document.name);
                let length = u64::try_from(document.size_bytes).unwrap_or(0);
                let content = FileContent::Kept { key: key.clone(), length };
                held.files.push(HeldFile { name, media_type: document.media_type.as_str(), content });
            }
            entries.push(written(&document.view(&place.tenant.slug, true))?);
        }
        held.sections.push(Section { name: "sent_in", entries });
        Ok(held)
    }

    fn rectify(&self, _: &mut Tx<'_>, _: Place<'_>, _: &Person, _: &Rectification) -> storage::Result<i64> {
        // What somebody sent in is theirs, and stays as they sent it.
        Ok(0)
    }

    fn has_service(&self, _: &mut Tx<'_>, _: RecordKind, _: RecordId) -> storage::Result<bool> {
        Ok(false)
    }

    fn has_record(&self, _: &mut Tx<'_>, _: RecordKind, _: RecordId) -> storage::Result<bool> {
        Ok(false)
    }

    fn special(&self, _: &mut Tx<'_>, _: RecordKind, _: &[RecordId]) -> storage::Result<Vec<Look>> {
        Ok(Vec::new())
    }

    fn overdue(
        &self,
        _: &mut Tx<'_>,
        _: &Due,
        _: Option<(Timestamp, RecordId)>,
        _: i64,
    ) -> storage::Result<Vec<Overdue>> {
        Ok(Vec::new())
    }

    fn dispose(&self, _: &mut Tx<'_>, _: RecordKind, _: Disposal, _: &[RecordId]) -> storage::Result<usize> {
        Ok(0)
    }
}

impl KeptFiles for Documents {
    fn read<'a>(&'a self, key: &'a str, length: u64) -> BoxFuture<'a, Result<Option<Vec<u8>>, FilesUnavailable>> {
        Box::pin(async move {
            let failed = |error: String| FilesUnavailable(error);
            let depot = self.depot().map_err(|problem: Problem| failed(problem.to_string()))?;
            let mut content = match depot.get(key, 0..length).await {
                Ok(content) => content,
                Err(DepotFailure::Missing) => return Ok(None),
                Err(error) => return Err(failed(error.to_string())),
            };
            let mut bytes = Vec::new();
            while let Some(piece) = content.next().await {
                bytes.extend_from_slice(&piece.map_err(|error| failed(error.to_string()))?);
            }
            Ok(Some(bytes))
        })
    }

    fn scratch(&self) -> Result<File, FilesUnavailable> {
        let failed = |error: std::io::Error| FilesUnavailable(format!("documents.spool_folder: {error}"));
        spool::nameless(&self.settings().spool_folder).map_err(failed)
    }
}
