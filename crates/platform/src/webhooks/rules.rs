//! Which events go to a webhook, when they are tried again, and what an answer means.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use validator::ValidationError;

use super::addresses;
use crate::backoff;

fn refused(code: &'static str, words: &'static str) -> ValidationError {
    ValidationError::new(code).with_message(words.into())
}

/// An address that can be sent to, wherever it leads.
///
/// # Errors
/// When it is none, or carries a user name.
pub fn address(url: &str) -> Result<(), ValidationError> {
    addresses::host(url).map(|_| ()).ok_or_else(|| refused("url", "an https address of a host, without a user name"))
}

/// Kinds of events, each written as they are or cut short.
///
/// # Errors
/// When one is neither.
pub fn filters(kinds: &[String]) -> Result<(), ValidationError> {
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let sound = |kind: &str| {
        kind == "*" || kind.split_once('.').is_some_and(|(object, what)| word(object) && (what == "*" || word(what)))
    };
    if kinds.iter().all(|kind| kind.len() <= 100 && sound(kind)) {
        return Ok(());
    }
    Err(refused("kind", "a kind of event such as appointment.confirmed, appointment.* or *"))
}

/// Whether a filter lets a kind through.
pub fn lets_through(filters: &[String], kind: &str) -> bool {
    filters.iter().any(|filter| lets_one_through(filter, kind))
}

/// The same of one filter.
pub fn lets_one_through(filter: &str, kind: &str) -> bool {
    match filter.strip_suffix('*') {
        Some(beginning) => kind.starts_with(beginning),
        None => filter == kind,
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An answer of 2xx.
    Delivered,
    /// 410: the receiver wants no more.
    Gone,
    /// Another answer.
    Refused,
    /// No connection, or one that broke.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The address leads where nothing may be sent to.
    ForbiddenAddress,
}

impl Outcome {
    /// What a status means.
    pub const fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Delivered,
            410 => Self::Gone,
            _ => Self::Refused,
        }
    }

    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::ForbiddenAddress => "forbidden_address",
        }
    }
}

/// When an event that did not arrive is tried again.
#[derive(Debug, Clone)]
pub struct Schedule(Vec<Duration>);

impl Schedule {
    /// Waits between attempts; after the last of them, and one more attempt, the delivery is parked.
    pub const fn new(waits: Vec<Duration>) -> Self {
        Self(waits)
    }

    /// The waits, in seconds.
    pub fn seconds(&self) -> Vec<u64> {
        self.0.iter().map(Duration::as_secs).collect()
    }

    /// How long to wait after so many attempts, give or take a tenth; `None`: not any more. `lot` is drawn.
    ///
    /// A receiver that says how long it wants to be left alone (`Retry-After`) is, for up to a day.
    pub fn after(&self, attempts: i64, retry_after: Option<Duration>, lot: u8) -> Option<Duration> {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Some(backoff::heeded(backoff::wait(&self.0, attempts, 10, lot)?, retry_after, DAY))
    }
}

impl Default for Schedule {
    /// What Standard Webhooks proposes: three days, ever more slowly.
    fn default() -> Self {
        const HOUR: u64 = 3600;
        let waits = [5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
        Self(waits.map(Duration::from_secs).to_vec())
    }
}

/// Reads `Retry-After` (RFC 9110 §10.2.3), seconds or a date.
pub fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = header.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(header.trim()).ok()?.timestamp();
    let wait: SignedDuration = date.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(kinds: &[&str]) -> Vec<String> {
        kinds.iter().map(|kind| (*kind).to_owned()).collect()
    }

    #[test]
    fn a_filter_is_a_kind_or_its_beginning() {
        assert!(filters(&list(&["*", "appointment.*", "appointment.no_show"])).is_ok());
        for bad in ["", "appointment", "appointment.", ".*", "Appointment.x", "a.b.c", "a*", "a.b*", "**"] {
            assert!(filters(&list(&[bad])).is_err(), "{bad}");
        }
        assert!(lets_through(&list(&["*"]), "office.created"));
        assert!(lets_through(&list(&["appointment.*"]), "appointment.confirmed"));
        assert!(!lets_through(&list(&["appointment.*"]), "appointment_service.created"));
        assert!(!lets_through(&list(&["appointment.confirmed"]), "appointment.cancelled"));
        assert!(!lets_through(&[], "appointment.cancelled"));
    }

    #[test]
    fn waits_grow_vary_and_end() {
        let schedule = Schedule::default();
        let wait = |attempts, lot| schedule.after(attempts, None, lot).map(|wait| wait.as_millis());
        assert_eq!(wait(1, 0), Some(4500));
        assert_eq!(wait(1, 255), Some(5500));
        assert_eq!(wait(2, 128), Some(300_000));
        assert!(wait(9, 0).is_some());
        assert_eq!(wait(10, 0), None);
        assert_eq!(wait(0, 0), None);
        let total: u128 = (1..=9).filter_map(|n| wait(n, 128)).sum();
        assert_eq!(total / 3_600_000, 75);
    }

    #[test]
    fn a_receiver_may_ask_for_patience_but_not_for_ever() {
        let schedule = Schedule::default();
        let wait = |seconds| schedule.after(1, Some(Duration::from_secs(seconds)), 0).map(|wait| wait.as_secs());
        assert_eq!(wait(1), Some(4));
        assert_eq!(wait(120), Some(120));
        assert_eq!(wait(u64::MAX), Some(24 * 3600));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-28T10:00:00Z".parse().unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sat, 28 Nov 2026 10:01:00 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("Sat, 28 Nov 2026 09:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn only_2xx_is_delivered() {
        for (status, outcome) in [
            (200, Outcome::Delivered),
            (204, Outcome::Delivered),
            (301, Outcome::Refused),
            (410, Outcome::Gone),
            (429, Outcome::Refused),
            (500, Outcome::Refused),
        ] {
            assert_eq!(Outcome::of_status(status), outcome, "{status}");
        }
    }
}
