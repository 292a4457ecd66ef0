//! What a request about a person must say, and how an archive is put together.

use kernel::{Problem, TaxCode};

use super::model::{PersonReference, Rectification, Reference};
use crate::problems::INVALID_BODY;

/// How a person was named.
#[derive(Clone)]
pub enum Named {
    /// By codice fiscale.
    TaxCode(TaxCode),
    /// By a record of theirs.
    Record(Reference),
}

kernel::redacted_debug!(Named);

/// Reads whom a request is about.
///
/// # Errors
/// `invalid-body` when it names nobody, or in both ways.
pub fn named(reference: &PersonReference) -> Result<Named, Problem> {
    match (&reference.tax_code, &reference.code, &reference.email) {
        (Some(tax_code), None, None) => Ok(Named::TaxCode(tax_code.clone())),
        (None, Some(code), Some(email)) => {
            Ok(Named::Record(Reference { code: code.clone(), email: email.to_lowercase() }))
        }
        _ => Err(Problem::new(&INVALID_BODY).field("/person", "one-of", "either tax_code, or code and email")),
    }
}

/// Whether there is anything to be put right.
pub const fn says_something(correct: &Rectification) -> bool {
    let Rectification { given_name, family_name, email, phone } = correct;
    given_name.is_some() || family_name.is_some() || email.is_some() || phone.is_some()
}

/// The name under which a browser keeps the archive: it says whose Comune it is from, and not whose data it is.
pub fn archive_name(slug: &str, today: jiff::civil::Date) -> String {
    format!("dati-personali-{slug}-{today}.zip")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(tax_code: Option<&str>, code: Option<&str>, email: Option<&str>) -> PersonReference {
        PersonReference {
            tax_code: tax_code.map(|text| TaxCode::parse(text).unwrap()),
            code: code.map(str::to_owned),
            email: email.map(str::to_owned),
        }
    }

    #[test]
    fn a_person_is_named_in_one_way() {
        let tax_code = Some("RSSMRA80A01H501U");
        let (code, email) = (Some("K7M2-PQ4X"), Some("Anna@Example.org"));
        assert!(matches!(named(&reference(tax_code, None, None)), Ok(Named::TaxCode(_))));
        match named(&reference(None, code, email)).unwrap() {
            Named::Record(found) => assert_eq!(found.email, "anna@example.org"),
            Named::TaxCode(_) => panic!("a record was named"),
        }
        for wrong in [
            reference(None, None, None),
            reference(tax_code, code, email),
            reference(tax_code, None, email),
            reference(None, code, None),
            reference(None, None, email),
        ] {
            assert_eq!(named(&wrong).unwrap_err().errors.first().map(|error| error.pointer.as_str()), Some("/person"));
        }
    }

    #[test]
    fn a_rectification_says_something() {
        assert!(!says_something(&Rectification::default()));
        assert!(says_something(&Rectification { phone: Some("+39 050 1".to_owned()), ..Rectification::default() }));
    }
}
