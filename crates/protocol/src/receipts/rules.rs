//! What a receipt may say, and by what it is known.

use jiff::civil::Date;
use kernel::{Problem, PublicCode};
use platform::problems::INVALID_BODY;
use validator::ValidationError;

use super::model::Answering;
use crate::entries::Direction;

/// What stands for the code in the address of the page where receipts are verified.
pub const PLACE_OF_CODE: &str = "{code}";

/// Whether what is told of the answer goes together.
///
/// # Errors
/// `invalid-body`, naming the field.
pub fn check(answering: &Answering, direction: Direction, today: Date) -> Result<(), Problem> {
    if direction != Direction::Inbound {
        let words = "only what comes in is answered";
        return Err(Problem::new(&INVALID_BODY).field("/answering", "not-for-this-kind", words));
    }
    if answering.silence.is_some() && answering.due_on.is_none() {
        let words = "silence means something after a day only";
        return Err(Problem::new(&INVALID_BODY).field("/answering/due_on", "incomplete", words));
    }
    if answering.due_on.is_some_and(|day| day < today) {
        return Err(Problem::new(&INVALID_BODY).field("/answering/due_on", "in-the-past", "today or later"));
    }
    Ok(())
}

/// The code that these random bytes stand for: sixteen symbols of thirty, 78 bits, which nobody finds by trying.
pub fn code(random: [[u8; 16]; 2]) -> String {
    random.map(|part| PublicCode::from_random(part).to_string()).join("-")
}

/// A code as people write it, in the form it is stored in; nothing where it is none.
pub fn read_code(text: &str) -> Option<String> {
    // Longer than any way to write one.
    if text.len() > 40 {
        return None;
    }
    let symbols: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let (first, second) = symbols.split_at_checked(8)?;
    let part = |text: &str| PublicCode::parse(text).ok().map(|code| code.to_string());
    Some(format!("{}-{}", part(first)?, part(second)?))
}

/// The address at which a receipt is verified.
pub fn address(page: &str, code: &str) -> String {
    page.replace(PLACE_OF_CODE, code)
}

/// What comes after one to five digits; nothing where there are none.
fn without_port(text: &str) -> &str {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if (1..=5).contains(&text.len().saturating_sub(rest.len())) { rest } else { "" }
}

/// A page where receipts are verified: https, or http on this machine, with a place for the code.
///
/// # Errors
/// For anything else.
pub fn page(text: &str) -> Result<(), ValidationError> {
    let own = || ["http://localhost", "http://127.0.0.1"].iter().find_map(|start| text.strip_prefix(start));
    let leads = match text.strip_prefix("https://") {
        Some(rest) => !rest.starts_with('{'),
        // Whatever else follows there, it is the name of another host.
        None => own().is_some_and(|rest| rest.strip_prefix(':').map_or(rest, without_port).starts_with('/')),
    };
    if leads && text.contains(PLACE_OF_CODE) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let words = "an https address with {code} where the code goes";
    Err(ValidationError::new("page").with_message(words.into()))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::receipts::Silence;

    #[test]
    fn silence_means_something_after_a_day_and_only_of_what_came_in() {
        let pointer = |answering: &Answering, direction| {
            check(answering, direction, date(2026, 11, 29)).err().map(|problem| problem.errors[0].pointer.clone())
        };
        let silent = Answering { silence: Some(Silence::Assent), ..Answering::default() };
        assert_eq!(pointer(&silent, Direction::Inbound).as_deref(), Some("/answering/due_on"));
        let dated = Answering { due_on: Some(date(2026, 12, 23)), ..silent };
        assert_eq!(pointer(&dated, Direction::Inbound), None);
        assert_eq!(pointer(&dated, Direction::Outbound).as_deref(), Some("/answering"));
        let due = |day| Answering { due_on: Some(day), ..Answering::default() };
        assert_eq!(pointer(&due(date(2026, 11, 29)), Direction::Inbound), None);
        assert_eq!(pointer(&due(date(2026, 11, 28)), Direction::Inbound).as_deref(), Some("/answering/due_on"));
    }

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let code = code([[7; 16], [201; 16]]);
        assert_eq!(code.len(), 19, "{code}");
        for written in [code.clone(), code.replace('-', ""), code.to_lowercase().replace('-', " ")] {
            assert_eq!(read_code(&written).as_ref(), Some(&code), "{written}");
        }
        for wrong in ["", "K7M2-PQ4X", &format!("{code}0"), "àààààààà-àààààààà", &"0".repeat(100)] {
            assert_eq!(read_code(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_page_has_a_place_for_the_code() {
        for good in [
            "https://servizi.comune.example/ricevute/{code}",
            "http://127.0.0.1:8080/x/v1/receipts/{code}",
            "http://localhost/{code}",
        ] {
            assert!(page(good).is_ok(), "{good}");
        }
        for bad in [
            "https://servizi.comune.example/",
            "http://comune.example/{code}",
            "https://{code}",
            "javascript:{code}",
            "https://a.example/ {code}",
            "http://localhost.example/{code}",
            "http://localhost@a.example/{code}",
            "http://localhost:pass@a.example/{code}",
            "http://127.0.0.1:/{code}",
            "http://127.0.0.1:123456/{code}",
            "http://127.0.0.1{code}",
        ] {
            assert!(page(bad).is_err(), "{bad}");
        }
        assert_eq!(address("https://a.example/{code}", "K7M2"), "https://a.example/K7M2");
    }
}
