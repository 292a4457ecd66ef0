//! By which way a message goes, in which language, when it is tried again, and what App IO makes of its words.

use std::time::Duration;

use jiff::Timestamp;
use kernel::Lang;

use super::model::{MessageChannel, MessageState};
use crate::{backoff, messages::preferences::Reminders};

/// How often a message is tried.
pub const MOST_ATTEMPTS: i64 = 8;
/// How often App IO is tried before an e-mail goes out instead.
pub const MOST_IO_ATTEMPTS: i64 = 3;
/// How long to wait after each attempt, in seconds.
const WAITS: [u64; 7] = [60, 120, 300, 900, 2700, 7200, 21_600];

/// How long to wait after so many attempts: from a minute to six hours, a fifth more or less by lot (0 to 255).
/// Nothing once there were [`MOST_ATTEMPTS`].
fn wait_after(attempts: i64, lot: u8) -> Option<Duration> {
    backoff::wait(&WAITS.map(Duration::from_secs), attempts.max(1), 20, lot)
}

/// When it is tried again after so many attempts, and not before who refused it said.
pub fn next_attempt(now: Timestamp, attempts: i64, lot: u8, asked: Option<Duration>) -> Option<Timestamp> {
    const LONGEST: Duration = Duration::from_secs(6 * 3600);
    let wait = backoff::heeded(wait_after(attempts, lot)?, asked, LONGEST);
    Some(now.saturating_add(wait).unwrap_or(now))
}

/// What is known of the ways to a person.
#[derive(Debug, Clone, Copy)]
pub struct Ways {
    /// What they wish for messages that they may refuse; nothing for those that they must have.
    pub wish: Option<Reminders>,
    /// Whether the Comune writes over App IO.
    pub io_enabled: bool,
    /// Whether it has a key for it.
    pub io_key: bool,
    /// Whether the person's codice fiscale is known.
    pub tax_code: bool,
    /// Whether their e-mail address is known.
    pub email: bool,
}

/// The way that is tried first.
///
/// # Errors
/// Where there is none: whether nobody wants the message, or nobody can be reached; and why, as a word.
pub fn first_way(ways: Ways) -> Result<MessageChannel, (MessageState, &'static str)> {
    if ways.wish == Some(Reminders::None) {
        return Err((MessageState::Withdrawn, "not-wished"));
    }
    if ways.wish != Some(Reminders::Email) && ways.io_enabled && ways.io_key && ways.tax_code {
        return Ok(MessageChannel::AppIo);
    }
    if ways.email { Ok(MessageChannel::Email) } else { Err((MessageState::Failed, "no-address")) }
}

/// The language of a message: what the person prefers in App IO where it goes there, else what they set here, else
/// what they booked in, else Italian.
pub fn language(profile: &[Lang], wish: Option<Lang>, booked_in: Option<Lang>) -> Lang {
    profile.first().copied().or(wish).or(booked_in).unwrap_or_default()
}

/// Bounds of App IO, in characters.
const SUBJECT: (usize, usize) = (10, 120);
const MARKDOWN: (usize, usize) = (80, 10_000);

/// A subject as App IO takes it, 10 to 120 characters: one that is too short has the sender after it.
pub fn io_subject(subject: &str, sender: &str) -> String {
    let mut line = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    if length(&line) < SUBJECT.0 {
        line = if line.is_empty() { sender.to_owned() } else { format!("{line} - {sender}") };
    }
    padded(shortened(&line, SUBJECT.1), SUBJECT.0)
}

/// A text as App IO takes it, 80 to 10,000 characters: one that is too short has a line about where it comes from.
pub fn io_markdown(text: &str, sender: &str, lang: Lang) -> String {
    let mut text = text.trim().to_owned();
    if length(&text) < MARKDOWN.0 {
        text = format!("{text}\n\n{}", from(sender, lang));
    }
    padded(shortened(&text, MARKDOWN.1), MARKDOWN.0)
}

fn from(sender: &str, lang: Lang) -> String {
    match lang {
        Lang::It => {
            format!("Messaggio inviato da {sender}. Per informazioni ci si può rivolgere agli uffici comunali.")
        }
        Lang::En => {
            format!("This message was sent by {sender}. For information, please contact the municipal offices.")
        }
        Lang::De => format!("Diese Nachricht wurde von {sender} gesendet. Auskunft geben die Ämter der Gemeinde."),
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// The beginning of a text, at most so many characters, with a sign that more was there.
fn shortened(text: &str, most: usize) -> String {
    if length(text) <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn padded(mut text: String, least: usize) -> String {
    while length(&text) < least {
        text.push('.');
    }
    text
}

/// A value as Markdown shows it: what would be markup is text.
pub fn as_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\`*_[]<>#|~".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_a_minute_to_six_hours_and_then_end() {
        let waits: Vec<_> = (1..=MOST_ATTEMPTS).map(|n| wait_after(n, 128).map(|wait| wait.as_secs())).collect();
        assert_eq!(waits.first().copied().flatten(), Some(60));
        assert_eq!(waits[6], Some(21_600));
        assert_eq!(waits[7], None);
        assert!(waits[..7].is_sorted());
        assert_eq!(wait_after(1, 0).unwrap().as_secs(), 48);
        assert_eq!(wait_after(1, 255).unwrap().as_secs(), 72);
        assert_eq!(wait_after(0, 0).unwrap().as_secs(), 48, "never counted");
    }

    #[test]
    fn who_refused_says_how_long_to_wait_but_not_for_ever() {
        let now = Timestamp::UNIX_EPOCH;
        let wait = |asked| next_attempt(now, 1, 0, asked).unwrap().duration_since(now).as_secs();
        assert_eq!(wait(None), 48);
        assert_eq!(wait(Some(Duration::from_secs(1))), 48);
        assert_eq!(wait(Some(Duration::from_secs(300))), 300);
        assert_eq!(wait(Some(Duration::from_secs(1_000_000))), 21_600);
        assert_eq!(next_attempt(now, MOST_ATTEMPTS, 0, Some(Duration::from_secs(1))), None);
    }

    #[test]
    fn app_io_comes_first_where_it_is_possible_and_not_refused() {
        let all = Ways { wish: None, io_enabled: true, io_key: true, tax_code: true, email: true };
        assert_eq!(first_way(all), Ok(MessageChannel::AppIo));
        for ways in [
            Ways { io_enabled: false, ..all },
            Ways { io_key: false, ..all },
            Ways { tax_code: false, ..all },
            Ways { wish: Some(Reminders::Email), ..all },
        ] {
            assert_eq!(first_way(ways), Ok(MessageChannel::Email), "{ways:?}");
            let unreachable = Ways { email: false, ..ways };
            assert_eq!(first_way(unreachable), Err((MessageState::Failed, "no-address")), "{ways:?}");
        }
        assert_eq!(
            first_way(Ways { wish: Some(Reminders::None), ..all }),
            Err((MessageState::Withdrawn, "not-wished"))
        );
    }

    #[test]
    fn the_language_is_the_nearest_known() {
        use Lang::{De, En, It};
        assert_eq!(language(&[De, En], Some(En), Some(It)), De);
        assert_eq!(language(&[], Some(En), Some(De)), En);
        assert_eq!(language(&[], None, Some(De)), De);
        assert_eq!(language(&[], None, None), It);
    }

    #[test]
    fn app_io_is_given_what_it_takes() {
        let long = "à".repeat(20_000);
        for subject in ["", "Sì", "  due\n righe  ", "Appuntamento confermato", &long] {
            let fit = io_subject(subject, "Comune di Bugliano");
            assert!((10..=120).contains(&length(&fit)), "{fit}");
            assert!(!fit.contains('\n'));
        }
        assert_eq!(io_subject("Sì", "Comune di Bugliano"), "Sì - Comune di Bugliano");
        assert_eq!(io_subject("Sì", ""), "Sì - .....");
        for text in ["", "Breve", &"x".repeat(80), &long] {
            for lang in [Lang::It, Lang::En, Lang::De] {
                let fit = io_markdown(text, "B", lang);
                assert!((80..=10_000).contains(&length(&fit)), "{} of {}", length(&fit), length(text));
            }
        }
        assert_eq!(io_markdown(&"x".repeat(80), "B", Lang::It), "x".repeat(80), "long enough is left alone");
        assert!(io_markdown(&long, "B", Lang::It).ends_with('…'));
    }

    #[test]
    fn a_value_is_no_markup() {
        assert_eq!(as_markdown("Anna *[x](http://y)* <b>"), r"Anna \*\[x\](http://y)\* \<b\>");
        assert_eq!(as_markdown("Ufficio anagrafe, 1º piano"), "Ufficio anagrafe, 1º piano");
    }
}
