//! Decisions about documents: no clock, no database.

use std::{ops::Range, time::Duration};

use kernel::Problem;
use platform::backoff;

use super::model::{Document, DocumentState};
use crate::problems::{DOCUMENT_ATTACHED, DOCUMENT_NOT_RELEASED, DOCUMENT_QUOTA_REACHED};

/// Where the bytes of a new document lie: in the Comune's own part of the store, under a name that nobody can guess
/// and that says nothing.
pub fn object_key(tenant: &str, random: [u8; 32]) -> String {
    let name = hex::encode(random);
    let (shelf, rest) = name.split_at_checked(2).unwrap_or((&name, ""));
    format!("{tenant}/{shelf}/{rest}")
}

/// Whether somebody may send in another file of so many bytes, with this much waiting already.
///
/// # Errors
/// `document-quota-reached`.
pub fn within_quota((count, bytes): (i64, i64), another: i64, (most, most_bytes): (i64, i64)) -> Result<(), Problem> {
    if count < most && bytes.saturating_add(another) <= most_bytes {
        return Ok(());
    }
    Err(Problem::new(&DOCUMENT_QUOTA_REACHED)
        .detail("documents that are attached to nothing")
        .with("max_documents", most)
        .with("max_bytes", most_bytes))
}

/// Whether the content of a document is given out.
///
/// # Errors
/// `document-not-released`, naming the state.
pub fn released(document: &Document) -> Result<(), Problem> {
    if document.state == DocumentState::Clean {
        return Ok(());
    }
    Err(Problem::new(&DOCUMENT_NOT_RELEASED)
        .detail("the content is not given out")
        .with("state", document.state.as_str()))
}

/// Whether a document is attached to nothing yet.
///
/// # Errors
/// `document-attached`.
pub fn unattached(document: &Document) -> Result<(), Problem> {
    if document.subject_id.is_none() { Ok(()) } else { Err(Problem::new(&DOCUMENT_ATTACHED)) }
}

/// How long to wait before a scan that failed is tried again; the last wait is repeated for ever, since nothing else
/// releases the document.
const WAITS: [Duration; 7] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(900),
    Duration::from_secs(3600),
    Duration::from_secs(4 * 3600),
];

/// The wait after so many scans in vain.
pub fn scan_again_after(scans: i64, lot: u8) -> Duration {
    let most = i64::try_from(WAITS.len()).unwrap_or(1);
    backoff::wait(&WAITS, scans.clamp(1, most), 20, lot).unwrap_or(Duration::from_secs(3600))
}

/// The part of a document that `Range` asks for (RFC 9110 §14.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// All of it: no range, or one that may be ignored, such as several at once.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Nothing that there is.
    Nothing,
}

/// Reads a `Range` for a document of this length.
pub fn asked(range: Option<&str>, length: u64) -> Asked {
    let Some(range) = range.and_then(|text| text.trim().strip_prefix("bytes=")) else { return Asked::Whole };
    let number = |text: &str| -> Option<u64> {
        let text = text.trim();
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let Some((from, to)) = range.trim().split_once('-').filter(|_| !range.contains(',')) else { return Asked::Whole };
    match (number(from), number(to)) {
        (Some(from), Some(to)) if to < from => Asked::Whole,
        (Some(from), _) if from >= length => Asked::Nothing,
        (Some(from), Some(to)) => Asked::Part(from..to.saturating_add(1).min(length)),
        (Some(from), None) if to.trim().is_empty() => Asked::Part(from..length),
        (None, Some(0)) if from.trim().is_empty() => Asked::Nothing,
        (None, Some(last)) if from.trim().is_empty() && length > 0 => Asked::Part(length.saturating_sub(last)..length),
        (None, Some(_)) if from.trim().is_empty() => Asked::Nothing,
        _ => Asked::Whole,
    }
}

/// `Content-Disposition` of a download (RFC 6266): the name in ASCII for old programs, and as it is (RFC 8187).
pub fn disposition(name: &str) -> String {
    let plain = |sign: char| if sign.is_ascii_alphanumeric() || "._- ()".contains(sign) { sign } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_it_was_meant() {
        for (range, expected) in [
            (None, Asked::Whole),
            (Some("bytes=0-0"), Asked::Part(0..1)),
            (Some("bytes=2-4"), Asked::Part(2..5)),
            (Some("bytes=2-"), Asked::Part(2..10)),
            (Some("bytes=2-99999999999999999999999"), Asked::Part(2..10)),
            (Some("bytes=-3"), Asked::Part(7..10)),
            (Some("bytes=-99"), Asked::Part(0..10)),
            (Some("bytes=-0"), Asked::Nothing),
            (Some("bytes=10-"), Asked::Nothing),
            (Some("bytes=99-100"), Asked::Nothing),
            (Some("bytes=4-2"), Asked::Whole),
            (Some("bytes=0-1,3-4"), Asked::Whole),
            (Some("bytes=a-b"), Asked::Whole),
            (Some("bytes=1-b"), Asked::Whole),
            (Some("bytes=-"), Asked::Whole),
            (Some("bytes"), Asked::Whole),
            (Some("lines=0-1"), Asked::Whole),
        ] {
            assert_eq!(asked(range, 10), expected, "{range:?}");
        }
        assert_eq!(asked(Some("bytes=-1"), 0), Asked::Nothing);
    }

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(
            disposition("Città \"1\".pdf"),
            "attachment; filename=\"Citt_ _1_.pdf\"; filename*=UTF-8''Citt%C3%A0%20%221%22.pdf"
        );
    }

    #[test]
    fn who_has_too_much_waiting_sends_no_more() {
        assert!(within_quota((1, 50), 50, (2, 100)).is_ok());
        assert!(within_quota((2, 0), 1, (2, 100)).is_err());
        assert!(within_quota((1, 50), 51, (2, 100)).is_err());
    }

    #[test]
    fn a_scan_is_tried_again_for_ever() {
        assert!(scan_again_after(1, 0) < scan_again_after(3, 0));
        assert!(scan_again_after(10_000, 128) >= Duration::from_secs(3600));
    }

    #[test]
    fn a_key_says_nothing() {
        let key = object_key("t", [0xab; 32]);
        assert_eq!(key, format!("t/ab/{}", "ab".repeat(31)));
    }
}
