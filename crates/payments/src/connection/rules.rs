//! What a creditor's codes look like, and where people may be sent back to. Pure.

use kernel::Problem;
use platform::problems::INVALID_BODY;
use url::Url;
use validator::ValidationError;

use crate::ports::ReturnUrls;

fn refused(code: &'static str, words: &'static str) -> ValidationError {
    ValidationError::new(code).with_message(words.into())
}

/// Digits alone.
///
/// # Errors
/// For anything else.
pub fn digits(text: &str) -> Result<(), ValidationError> {
    let sound = text.bytes().all(|byte| byte.is_ascii_digit());
    if sound { Ok(()) } else { Err(refused("digits", "digits alone")) }
}

/// The codice fiscale of an organisation: eleven digits, the last by Luhn's rule.
///
/// # Errors
/// For anything else.
pub fn organisation_tax_code(text: &str) -> Result<(), ValidationError> {
    digits(text)?;
    let sum: u32 = text
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte.saturating_sub(b'0'));
            if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    if sum.is_multiple_of(10) { Ok(()) } else { Err(refused("check", "the last digit does not confirm the others")) }
}

/// An Italian IBAN (ISO 13616).
///
/// # Errors
/// For anything else.
pub fn iban(text: &str) -> Result<(), ValidationError> {
    let form = |(at, byte): (usize, u8)| match at {
        0 => byte == b'I',
        1 => byte == b'T',
        4 => byte.is_ascii_uppercase(),
        2 | 3 | 5..=14 => byte.is_ascii_digit(),
        _ => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
    };
    let formed = text.len() == 27 && text.bytes().enumerate().all(form);
    // The first four characters go to the end, letters become 10 to 35, and the whole leaves 1 by 97.
    let rest = text.bytes().skip(4).chain(text.bytes().take(4)).fold(0_u32, |rest, byte| {
        if byte.is_ascii_digit() {
            (rest * 10 + u32::from(byte - b'0')) % 97
        } else {
            (rest * 100 + u32::from(byte.saturating_sub(b'A')) + 10) % 97
        }
    });
    if formed && rest == 1 { Ok(()) } else { Err(refused("iban", "an Italian IBAN")) }
}

/// Whether people may be sent back to these pages: each is of an origin that the Comune names.
///
/// # Errors
/// `invalid-body`, naming each that is not.
pub fn may_return(back: &ReturnUrls, origins: &[String]) -> Result<(), Problem> {
    let named = |text: &str| {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        Url::parse(text).is_ok_and(|url| {
            let bare = url.username().is_empty() && url.password().is_none();
            plain && bare && origins.contains(&url.origin().ascii_serialization())
        })
    };
    let mut problem = Problem::new(&INVALID_BODY);
    for (name, text) in [("ok", &back.ok), ("cancel", &back.cancel), ("error", &back.error)] {
        if !named(text) {
            let pointer = format!("/return_urls/{name}");
            problem = problem.field(pointer, "unknown-reference", "of an origin in return_origins of the connection");
        }
    }
    if problem.errors.is_empty() { Ok(()) } else { Err(problem) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_organisations_are_checked() {
        for good in ["06363391001", "02438750586", "01199250158", "00743110157", "15376371009"] {
            assert!(organisation_tax_code(good).is_ok(), "{good}");
        }
        for bad in ["06363391002", "77777777777", "0636339100a"] {
            assert!(organisation_tax_code(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ibans_are_checked() {
        assert!(iban("IT60X0542811101000000123456").is_ok());
        for bad in [
            "IT61X0542811101000000123456",
            "it60x0542811101000000123456",
            "DE89370400440532013000",
            "IT60 X054 2811 1010 0000 01",
            "IT60X054281110100000012345",
            "",
        ] {
            assert!(iban(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn people_are_sent_back_to_pages_that_the_comune_names() {
        let origins = ["https://servizi.comune.example".to_owned(), "http://localhost:3000".to_owned()];
        let asked = |ok: &str| {
            let fine = || "http://localhost:3000/x".to_owned();
            may_return(&ReturnUrls { ok: ok.to_owned(), cancel: fine(), error: fine() }, &origins)
        };
        for good in
            ["https://servizi.comune.example/fatto?n=1#x", "https://servizi.comune.example", "http://localhost:3000/"]
        {
            assert!(asked(good).is_ok(), "{good}");
        }
        for bad in [
            "https://servizi.comune.example.evil.example/",
            "https://servizi.comune.example@evil.example/",
            "https://user@servizi.comune.example/",
            "http://servizi.comune.example/",
            "https://servizi.comune.example:8443/",
            "javascript:alert(1)",
            "/fatto",
        ] {
            assert_eq!(asked(bad).unwrap_err().errors.first().unwrap().pointer, "/return_urls/ok", "{bad}");
        }
    }
}
