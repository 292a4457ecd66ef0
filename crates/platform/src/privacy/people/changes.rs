//! What telling and putting right consist of, for the API and the command line alike.

use kernel::Problem;
use storage::Tx;

use super::{
    model::{ChangedHolding, HoldingExport, Person, PersonalDataExport, Rectification, RectificationView},
    rules::Named,
};
use crate::{
    access::me::TenantReference,
    privacy::{
        FileContent, Holdings, Place,
        access_log::{self, AccessAction, Looked},
    },
    problems::INVALID_BODY,
};

/// Everything about a person: the document, and the files that go with it.
#[derive(Clone)]
pub struct Gathered {
    /// The document.
    pub document: PersonalDataExport,
    /// Files, by their names in the archive.
    pub files: Vec<(String, FileContent)>,
}

kernel::redacted_debug!(Gathered);

/// Puts together all there is about a person.
///
/// # Errors
/// When the database fails.
pub fn gather(tx: &mut Tx<'_>, holdings: &Holdings, place: Place<'_>, person: &Person) -> storage::Result<Gathered> {
    let mut parts = Vec::new();
    let mut files = Vec::new();
    for holding in holdings.iter() {
        let held = holding.export(tx, place, person)?;
        parts.push(HoldingExport::of(holding.name(), &held));
        files.extend(held.files.into_iter().map(|file| (format!("{}/{}", holding.name(), file.name), file.content)));
    }
    let tenant = TenantReference { slug: place.tenant.slug.clone(), name: place.tenant.name.clone() };
    let document =
        PersonalDataExport { exported_at: tx.now(), tenant, person_key: person.key.clone(), holdings: parts };
    Ok(Gathered { document, files })
}

/// Puts together all there is about a person for the office that answers their request, and writes down that it did.
///
/// # Errors
/// `invalid-body` for a record that there is not, or when the database fails.
pub fn export(
    tx: &mut Tx<'_>,
    holdings: &Holdings,
    place: Place<'_>,
    named: &Named,
    reference: &str,
) -> storage::Result<Gathered> {
    let person = find(tx, holdings, place, named)?;
    let gathered = gather(tx, holdings, place, &person)?;
    let looked = Looked { reference: Some(reference), ..Looked::at(AccessAction::Exported, &person.key) };
    access_log::record(tx, looked)?;
    Ok(gathered)
}

/// Puts right what is held about a person, and writes down why.
///
/// # Errors
/// `invalid-body` for a record that there is not, or when the database fails.
pub fn rectify(
    tx: &mut Tx<'_>,
    holdings: &Holdings,
    place: Place<'_>,
    (named, correct): (&Named, &Rectification),
    reference: &str,
) -> storage::Result<RectificationView> {
    let person = find(tx, holdings, place, named)?;
    let mut changed = Vec::new();
    for holding in holdings.iter() {
        let records = holding.rectify(tx, place, &person, correct)?;
        changed.push(ChangedHolding { holding: holding.name().to_owned(), records });
    }
    let looked = Looked { reference: Some(reference), ..Looked::at(AccessAction::Rectified, &person.key) };
    access_log::record(tx, looked)?;
    Ok(RectificationView { person_key: person.key, changed })
}

/// Whom a request is about.
fn find(tx: &mut Tx<'_>, holdings: &Holdings, place: Place<'_>, named: &Named) -> storage::Result<Person> {
    let reference = match named {
        Named::TaxCode(tax_code) => return Ok(Person::of_tax_code(place, tax_code)),
        Named::Record(reference) => reference,
    };
    for holding in holdings.iter() {
        if let Some(person) = holding.identify(tx, place, reference)? {
            return Ok(person);
        }
    }
    let words = "no appointment has this code and this e-mail address";
    Err(Problem::new(&INVALID_BODY).field("/person/code", "unknown-reference", words).into())
}
