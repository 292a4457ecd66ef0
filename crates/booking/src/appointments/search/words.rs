//! Names as they are searched: without case, accents and apostrophes.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// A name folded for searching: lower case, letters without their marks, apostrophes left out, everything else
/// that is no letter or digit made one space. `D'Àlò-Müller` is `dalo muller`.
pub fn folded(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for c in name.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            '\'' | '\u{2019}' | '\u{2018}' | '\u{2bc}' | '`' => {}
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' => folded.push('d'),
            'ı' => folded.push('i'),
            c if c.is_alphanumeric() => folded.push(c),
            _ if folded.ends_with(' ') || folded.is_empty() => {}
            _ => folded.push(' '),
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// What a person is found by.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Family name, then given name.
    pub family: String,
    /// Given name, then family name.
    pub given: String,
    /// E-mail address in lower case.
    pub email: String,
}

kernel::redacted_debug!(Keys);

impl Keys {
    /// The keys of a person.
    pub fn of(given_name: &str, family_name: &str, email: &str) -> Self {
        let (given, family) = (folded(given_name), folded(family_name));
        Self { family: format!("{family} {given}"), given: format!("{given} {family}"), email: email.to_lowercase() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_without_their_marks() {
        for (name, expected) in [
            ("Rossi", "rossi"),
            ("  D'Àlò-Müller ", "dalo muller"),
            ("De  Rossi", "de rossi"),
            ("Đoković", "dokovic"),
            ("Strauß", "strauss"),
            ("İnci", "inci"),
            ("Чехов", "чехов"),
            ("’’", ""),
        ] {
            assert_eq!(folded(name), expected, "{name}");
        }
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for name in ["D'Àlò-Müller", "Łukasz Øre", "Ñandú"] {
            assert_eq!(folded(&folded(name)), folded(name));
        }
    }

    #[test]
    fn a_person_is_found_from_either_name() {
        let keys = Keys::of("Anna Maria", "D'Angelo", "Anna@Example.ORG");
        assert_eq!((keys.family.as_str(), keys.given.as_str()), ("dangelo anna maria", "anna maria dangelo"));
        assert_eq!(keys.email, "anna@example.org");
    }
}
