//! The files of a daily register. The same rows give the same bytes.

use std::{fmt::Write as _, io};

use jiff::civil::Date;
use kernel::civil;

use crate::{
    entries::{Entry, Party, PartyRole, Whole, rules, store::Register},
    xml::Xml,
};

/// What was registered on a day.
#[derive(Debug)]
pub struct DayOf<'a> {
    /// The Comune in the index of public administrations.
    pub ipa_code: &'a str,
    /// The register.
    pub register: &'a Register,
    /// The day.
    pub day: Date,
    /// What was registered, in order.
    pub registered: &'a [Whole],
    /// What was annulled.
    pub annulled: &'a [Entry],
}

const COLUMNS: [&str; 14] = [
    "number",
    "year",
    "registered_at",
    "direction",
    "subject",
    "classification",
    "senders",
    "recipients",
    "sender_reference",
    "received_on",
    "documents",
    "recovers_entry_id",
    "hash",
    "note",
];

fn names(whole: &Whole, role: PartyRole) -> String {
    let named = |party: &Party| rules::called(party).into_owned();
    let of: Vec<String> = whole.parties.iter().filter(|party| party.role == role).map(named).collect();
    of.join("; ")
}

/// A value that a spreadsheet takes for text: what could start a formula gets an apostrophe before it, also where a
/// program takes another sign for the end of a cell.
fn harmless(value: &str) -> String {
    let mut safe = String::with_capacity(value.len());
    let mut begins = true;
    for c in value.chars() {
        if begins && matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠') {
            safe.push('\'');
        }
        begins = matches!(c, ';' | ',' | '"') || (begins && c == ' ');
        safe.push(c);
    }
    safe
}

/// As CSV: the entries of the day, then those that were annulled on it.
///
/// # Errors
/// When it cannot be written.
pub fn csv(of: &DayOf<'_>) -> io::Result<String> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for whole in of.registered {
        let entry = &whole.entry;
        let mut documents = String::new();
        for file in &entry.documents.0 {
            // Writing to a string does not fail.
            let _ = write!(documents, "{} sha256:{}; ", file.file_name, file.sha256);
        }
        let row = [
            format!("{:07}", entry.number),
            entry.year.to_string(),
            civil::format_rfc3339(entry.registered_at),
            entry.direction.as_str().to_owned(),
            entry.subject.clone(),
            entry.classification.clone().unwrap_or_default(),
            names(whole, PartyRole::Sender),
            names(whole, PartyRole::Recipient),
            entry.sender_reference.clone().unwrap_or_default(),
            entry.received_on.map(|day| day.to_string()).unwrap_or_default(),
            documents.trim_end_matches("; ").to_owned(),
            entry.recovers_id.map(|id| id.to_string()).unwrap_or_default(),
            entry.hash.clone(),
            String::new(),
        ];
        writer.write_record(row.iter().map(|cell| harmless(cell)))?;
    }
    for entry in of.annulled {
        let mut row = vec![String::new(); COLUMNS.len()];
        let note = format!(
            "annullato {}: {} ({})",
            entry.annulled_at.map(civil::format_rfc3339).unwrap_or_default(),
            entry.annulment_reason.as_deref().unwrap_or_default(),
            entry.annulment_act.as_deref().unwrap_or_default(),
        );
        for (column, value) in [(0, format!("{:07}", entry.number)), (1, entry.year.to_string()), (13, note)] {
            if let Some(cell) = row.get_mut(column) {
                *cell = harmless(&value);
            }
        }
        writer.write_record(&row)?;
    }
    let bytes = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// As XML.
pub fn xml(of: &DayOf<'_>) -> String {
    let mut xml = Xml::new();
    let day = of.day.to_string();
    let root = [
        ("codiceAmministrazione", of.ipa_code),
        ("codiceAOO", &of.register.aoo_code),
        ("codiceRegistro", &of.register.register_code),
        ("data", &day),
        ("registrazioni", &of.registered.len().to_string()),
    ];
    xml.within("registroGiornaliero", &root, |xml| {
        for whole in of.registered {
            let entry = &whole.entry;
            xml.within("registrazione", &[("numero", &format!("{:07}", entry.number))], |xml| {
                xml.text("anno", &entry.year.to_string());
                xml.text("dataOra", &civil::format_rfc3339(entry.registered_at));
                xml.text("flusso", entry.direction.as_str());
                xml.text("oggetto", &entry.subject);
                xml.maybe("classifica", entry.classification.as_deref());
                for party in &whole.parties {
                    let name = if party.role == PartyRole::Sender { "mittente" } else { "destinatario" };
                    xml.text(name, &rules::called(party));
                }
                xml.maybe("protocolloMittente", entry.sender_reference.as_deref());
                xml.maybe("dataArrivo", entry.received_on.map(|day| day.to_string()).as_deref());
                for file in &entry.documents.0 {
                    xml.within("documento", &[("nome", &file.file_name), ("tipo", &file.media_type)], |xml| {
                        xml.text_with("impronta", &[("algoritmo", "SHA-256")], &file.sha256);
                    });
                }
                xml.maybe("recupera", entry.recovers_id.map(|id| id.to_string()).as_deref());
                xml.text("catena", &entry.hash);
            });
        }
        for entry in of.annulled {
            let number = format!("{:07}", entry.number);
            xml.within("annullamento", &[("numero", &number), ("anno", &entry.year.to_string())], |xml| {
                xml.maybe("dataOra", entry.annulled_at.map(civil::format_rfc3339).as_deref());
                xml.maybe("motivo", entry.annulment_reason.as_deref());
                xml.maybe("provvedimento", entry.annulment_act.as_deref());
            });
        }
    });
    xml.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_day_has_its_files_too() {
        let register = Register { aoo_code: "AOO".to_owned(), register_code: "RACC".to_owned() };
        let day = jiff::civil::date(2026, 11, 22);
        let of = DayOf { ipa_code: "c_x000", register: &register, day, registered: &[], annulled: &[] };
        assert_eq!(csv(&of).unwrap(), format!("{}\r\n", COLUMNS.join(",")));
        let xml = xml(&of);
        assert!(xml.contains("data=\"2026-11-22\" registrazioni=\"0\"></registroGiornaliero>"), "{xml}");
    }

    #[test]
    fn what_could_be_a_formula_is_text() {
        for (value, expected) in [("=1+1", "'=1+1"), ("a;=1", "a;'=1"), ("Rossi", "Rossi"), ("  @x", "  '@x")] {
            assert_eq!(harmless(value), expected);
        }
    }
}
