//! How rows become lines of a file.

use kernel::civil;

use super::model::{ExportedApplicant, ExportedAppointment, Separator};

/// The columns, in order. They are part of the contract: new ones come at the end of either list.
const COLUMNS: [&str; 16] = [
    "id",
    "code",
    "state",
    "service_id",
    "service",
    "office_id",
    "office",
    "calendar_id",
    "calendar",
    "starts_at",
    "ends_at",
    "persons",
    "channel",
    "cancelled_by",
    "created_at",
    "updated_at",
];
const PERSONAL: [&str; 7] = ["given_name", "family_name", "tax_code", "email", "phone", "notes", "cancellation_reason"];

/// What Excel needs to read UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// How the file is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    /// Comma-separated values.
    Csv { separator: Separator, personal: bool },
    /// A JSON object a line.
    JsonLines,
}

impl Format {
    /// What comes before the first row.
    pub(super) fn head(self) -> std::io::Result<Vec<u8>> {
        let Self::Csv { separator, personal } = self else { return Ok(Vec::new()) };
        let mut head = match separator {
            Separator::Comma => Vec::new(),
            Separator::Semicolon => BYTE_ORDER_MARK.as_bytes().to_vec(),
        };
        let personal: &[&str] = if personal { &PERSONAL } else { &[] };
        head.extend(record(separator, COLUMNS.iter().chain(personal).map(|name| (*name).to_owned()))?);
        Ok(head)
    }

    /// A row.
    pub(super) fn line(self, row: &ExportedAppointment) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Csv { separator, .. } => record(separator, values(row).into_iter().map(|value| harmless(&value))),
            Self::JsonLines => {
                let mut line = serde_json::to_vec(row)?;
                line.push(b'\n');
                Ok(line)
            }
        }
    }
}

fn record(separator: Separator, values: impl Iterator<Item = String>) -> std::io::Result<Vec<u8>> {
    let delimiter = match separator {
        Separator::Comma => b',',
        Separator::Semicolon => b';',
    };
    let mut writer =
        csv::WriterBuilder::new().delimiter(delimiter).terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(values)?;
    writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))
}

fn values(row: &ExportedAppointment) -> Vec<String> {
    let mut values = vec![
        row.id.to_string(),
        row.code.to_string(),
        row.state.as_str().to_owned(),
        row.service_id.to_string(),
        row.service.clone(),
        row.office_id.to_string(),
        row.office.clone(),
        row.calendar_id.to_string(),
        row.calendar.clone(),
        civil::format_rfc3339(row.starts_at),
        civil::format_rfc3339(row.ends_at),
        row.persons.to_string(),
        row.channel.as_str().to_owned(),
        row.cancelled_by.clone().unwrap_or_default(),
        civil::format_rfc3339(row.created_at),
        civil::format_rfc3339(row.updated_at),
    ];
    if let Some(ExportedApplicant { given_name, family_name, tax_code, email, phone, notes, cancellation_reason }) =
        &row.applicant
    {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        values.extend([given_name.clone(), family_name.clone(), text(tax_code), email.clone()]);
        values.extend([text(phone), text(notes), text(cancellation_reason)]);
    }
    values
}

/// A value that a spreadsheet takes for text: what could start a formula gets an apostrophe before it (OWASP, "CSV
/// Injection"). Spaces before the sign are looked through, as some programs do, and a cell may also begin within
/// the value, where a program takes the other separator for its own and does not heed the quotes.
fn harmless(value: &str) -> String {
    let mut safe = String::with_capacity(value.len());
    // Whether a cell may begin here, be it after spaces.
    let mut begins = true;
    for (at, c) in value.chars().enumerate() {
        let is_sign = matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
        let is_break = matches!(c, '\t' | '\r' | '\n');
        if (begins && is_sign) || (at == 0 && is_break) {
            safe.push('\'');
        }
        begins = is_break || matches!(c, ';' | ',' | '"') || (begins && c == ' ');
        safe.push(c);
    }
    safe
}

/// The name under which a browser keeps the file.
pub(super) fn file_name(tenant: &str, today: jiff::civil::Date, ending: &str) -> String {
    format!("appuntamenti-{tenant}-{today}.{ending}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_be_a_formula_is_text() {
        for value in ["=1+1", "+39 050", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1"] {
            let safe = harmless(value);
            assert_eq!(safe.replace('\'', ""), value);
            assert!(safe.contains("'"), "{safe}");
        }
        // A cell may begin within a value, for who splits it otherwise.
        assert_eq!(harmless("Rossi;=1+1"), "Rossi;'=1+1");
        assert_eq!(harmless("a\n =1"), "a\n '=1");
        assert_eq!(harmless("a,\"@x"), "a,\"'@x");
        for value in ["", "Anna", "a=1", "2026-12-02T09:00:00+01:00", "'x"] {
            assert_eq!(harmless(value), value);
        }
    }

    #[test]
    fn a_semicolon_comes_with_the_mark_that_excel_needs() {
        let head = |separator| Format::Csv { separator, personal: true }.head().unwrap();
        assert!(head(Separator::Semicolon).starts_with("\u{feff}id;code;".as_bytes()));
        assert!(head(Separator::Comma).starts_with(b"id,code,"));
        assert!(head(Separator::Comma).ends_with(b",cancellation_reason\r\n"));
    }

    proptest! {
        #[test]
        fn no_value_breaks_out_of_its_cell(values in proptest::collection::vec("[\\PC\\n\\r\\t]{0,20}", 3)) {
            let written = record(Separator::Comma, values.clone().into_iter().map(|value| harmless(&value))).unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(written.as_slice());
            let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(rows.len(), 1);
            for (read, value) in rows[0].iter().zip(&values) {
                prop_assert_eq!(read.replace('\'', ""), value.replace('\'', ""));
                for cell in read.split([',', ';', '"', '\t', '\r', '\n']) {
                    prop_assert!(!cell.trim_start_matches(' ').starts_with(['=', '+', '-', '@']), "{read:?}");
                }
            }
        }
    }
}
