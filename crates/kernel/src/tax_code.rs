//! Codice fiscale: the tax code by which Italian administrations know a person.
//!
//! DM 23 December 1976: sixteen characters made from name, birth and place, the last a check;
//! where two people would share one, digits give way to letters (omocodia). Until it is assigned,
//! a person may carry a provisional one of eleven digits, checked like a VAT number (partita IVA).
//!
//! The form alone is checked: whether a code exists, and whose it is, only the Agenzia delle
//! Entrate can tell. Two codes that differ by omocodia are two people's.

use std::{fmt, str::FromStr};

use jiff::civil::Date;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

/// A formally valid codice fiscale of a person, in capitals.
///
/// Personal data: it has no `Display`, and `Debug` hides it, so that no log line carries one.
/// [`TaxCode::as_str`] is for storage and for answers to whoever may read it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaxCode(String);

/// What is wrong with a codice fiscale. Never repeats the code itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TaxCodeError {
    /// Neither 16 characters nor 11.
    #[error("a codice fiscale has 16 characters, or 11 digits when it is provisional")]
    Length,
    /// A letter where a digit belongs, or the like.
    #[error("the codice fiscale has a character where it cannot stand")]
    Characters,
    /// The last character does not confirm the others: most likely a typing error.
    #[error("the last character of the codice fiscale does not match the others")]
    CheckCharacter,
    /// The day of birth is in no calendar.
    #[error("the codice fiscale contains a day of birth that does not exist")]
    Date,
}

/// The kind of character at each place: a letter, a digit or the letter for it, a month.
const FORM: &[u8; 16] = b"LLLLLLddMddLdddL";
/// The months from January.
const MONTHS: &[u8; 12] = b"ABCDEHLMPRST";
/// What replaces the digits from 0 in cases of omocodia.
const OMOCODIA: &[u8; 10] = b"LMNPQRSTUV";
/// What the letters from A, and likewise the digits from 0, weigh at odd places.
const ODD: [u32; 26] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

impl TaxCode {
    /// Reads a code in either case, with blanks around it, and with the prefix `TINIT-` that SPID,
    /// CIE and eIDAS put before it.
    ///
    /// # Errors
    /// [`TaxCodeError`] names the first thing found wrong: length, characters, check character, date.
    pub fn parse(text: &str) -> Result<Self, TaxCodeError> {
        let upper = text.trim().to_ascii_uppercase();
        let code = upper.strip_prefix("TINIT-").unwrap_or(&upper);
        match code.chars().count() {
            16 => check_person(code)?,
            11 => check_provisional(code)?,
            _ => return Err(TaxCodeError::Length),
        }
        Ok(Self(code.to_owned()))
    }

    /// The code in capitals, without prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_person(code: &str) -> Result<(), TaxCodeError> {
    // Sixteen characters of more than sixteen bytes are not all ASCII.
    let code: &[u8; 16] = code.as_bytes().try_into().or(Err(TaxCodeError::Characters))?;
    let fits = |(byte, kind): (&u8, &u8)| match kind {
        b'd' => digit(*byte).is_some(),
        b'M' => MONTHS.contains(byte),
        _ => byte.is_ascii_uppercase(),
    };
    if !code.iter().zip(FORM).all(fits) {
        return Err(TaxCodeError::Characters);
    }
    let [first @ .., check] = code;
    if check_character(first) != *check {
        return Err(TaxCodeError::CheckCharacter);
    }
    let [_, _, _, _, _, _, decade, year, month, ten, day, ..] = code;
    birth(*decade, *year, *month, *ten, *day).map(|_| ()).ok_or(TaxCodeError::Date)
}

fn check_character(first: &[u8; 15]) -> u8 {
    let weights = first.iter().enumerate().map(|(at, byte)| {
        let rank = if byte.is_ascii_digit() { byte - b'0' } else { byte.saturating_sub(b'A') };
        // The law counts places from 1: our even ones are its odd ones.
        if at % 2 == 0 { ODD.get(usize::from(rank)).copied().unwrap_or_default() } else { u32::from(rank) }
    });
    b'A' + u8::try_from(weights.sum::<u32>() % 26).unwrap_or_default()
}

/// A digit, or the digit that a letter replaces by omocodia.
fn digit(byte: u8) -> Option<i8> {
    let digit = match byte {
        b'0'..=b'9' => usize::from(byte - b'0'),
        letter => OMOCODIA.iter().position(|known| *known == letter)?,
    };
    i8::try_from(digit).ok()
}

/// The day of birth in the 2000s, when it exists. The code does not tell the century; 2000 to 2099
/// have every 29 February that 1900 to 1999 had.
fn birth(decade: u8, year: u8, month: u8, ten: u8, day: u8) -> Option<Date> {
    let year = 10 * digit(decade)? + digit(year)?;
    let month = i8::try_from(MONTHS.iter().position(|known| *known == month)?).ok()? + 1;
    let day = 10 * digit(ten)? + digit(day)?;
    // Women's days count from 41.
    let day = if day > 40 { day - 40 } else { day };
    Date::new(2000 + i16::from(year), month, day).ok()
}

fn check_provisional(code: &str) -> Result<(), TaxCodeError> {
    let mut sum = 0;
    for (at, character) in code.chars().enumerate() {
        let digit = character.to_digit(10).ok_or(TaxCodeError::Characters)?;
        sum += match at % 2 {
            0 => digit,
            _ => digit / 5 + digit * 2 % 10,
        };
    }
    if sum % 10 == 0 { Ok(()) } else { Err(TaxCodeError::CheckCharacter) }
}

impl fmt::Debug for TaxCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaxCode(***)")
    }
}
impl FromStr for TaxCode {
    type Err = TaxCodeError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}
impl Serialize for TaxCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for TaxCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for a string, serde_json refuses a number by repeating it, and that may well be a code.
        deserializer.deserialize_any(TaxCodeVisitor)
    }
}

struct TaxCodeVisitor;

impl Visitor<'_> for TaxCodeVisitor {
    type Value = TaxCode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a codice fiscale as a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<TaxCode, E> {
        TaxCode::parse(text).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<TaxCode, E> {
        Err(E::custom("invalid type: number, expected a codice fiscale as a string"))
    }
}

impl utoipa::PartialSchema for TaxCode {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some("Codice fiscale of a person: 16 characters, or the 11 digits of a provisional one."))
            .min_length(Some(11))
            .max_length(Some(16))
            .pattern(Some(
                "^([A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]|[0-9]{11})$",
            ))
            .examples(["PRVNNA80A41Z998F"])
            .into()
    }
}
impl utoipa::ToSchema for TaxCode {}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema;

    use super::*;

    fn error(text: &str) -> Option<TaxCodeError> {
        TaxCode::parse(text).err()
    }

    #[test]
    fn valid_codes_are_read() {
        for code in [
            "RSSMRA85T10A562S",
            "MRTMTT25D09F205Z",
            "MLLSNT82P65Z404U", // a woman, born abroad
            "RSSMRA80A01H501U",
            "RSSMRA85T41A562U", // the first and last day of a month, a woman's
            "RSSMRA85T71A562X",
        ] {
            assert_eq!(TaxCode::parse(code).unwrap().as_str(), code);
        }
    }

    #[test]
    fn the_chain_of_omocodia_is_valid_and_its_codes_differ() {
        let chain = [
            "RSSMRA85T10A562S",
            "RSSMRA85T10A56NH",
            "RSSMRA85T10A5SNT",
            "RSSMRA85T10ARSNO",
            "RSSMRA85T1LARSNR",
            "RSSMRA85TMLARSNC",
            "RSSMRA8RTMLARSNO",
            "RSSMRAURTMLARSNL",
        ];
        let codes: std::collections::BTreeSet<_> = chain.iter().map(|code| TaxCode::parse(code).unwrap()).collect();
        assert_eq!(codes.len(), chain.len());
    }

    #[test]
    fn omocodia_hides_the_day_of_birth_but_keeps_it() {
        assert_eq!(birth(b'8', b'5', b'T', b'1', b'0'), Date::new(2085, 12, 10).ok());
        assert_eq!(birth(b'U', b'R', b'T', b'M', b'L'), Date::new(2085, 12, 10).ok());
        assert_eq!(birth(b'8', b'2', b'P', b'6', b'5'), Date::new(2082, 9, 25).ok());
    }

    #[test]
    fn eleven_digits_are_a_provisional_code() {
        for code in ["06363391001", "02438750586", "01199250158", "00743110157", "15376371009"] {
            assert_eq!(TaxCode::parse(code).unwrap().as_str(), code);
        }
        assert_eq!(error("77777777777"), Some(TaxCodeError::CheckCharacter));
        assert_eq!(error("06363391002"), Some(TaxCodeError::CheckCharacter));
        assert_eq!(error("0636339100A"), Some(TaxCodeError::Characters));
        assert_eq!(error("0636339100\u{661}"), Some(TaxCodeError::Characters));
    }

    #[test]
    fn a_wrong_check_character_is_named() {
        for code in ["RSSMRA85T10A562T", "RSSMRA85T30B562S", "SPNDNL80R13C555X", "AAAAAA00A00A000A"] {
            assert_eq!(error(code), Some(TaxCodeError::CheckCharacter), "{code}");
        }
    }

    #[test]
    fn any_single_wrong_digit_or_letter_is_noticed() {
        let code = "RSSMRA85T10A562S";
        for at in 0..16 {
            for byte in (b'0'..=b'9').chain(b'A'..=b'Z') {
                let mut typed = code.as_bytes().to_vec();
                typed[at] = byte;
                let typed = String::from_utf8(typed).unwrap();
                // At odd places 0 and A weigh the same, and so on: form and date catch the rest.
                assert_eq!(TaxCode::parse(&typed).is_ok(), typed == code, "{typed}");
            }
        }
    }

    #[test]
    fn a_day_that_does_not_exist_is_named() {
        for code in [
            "AAAAAA00A00A000I",
            "RSSMRA85T00A562R",
            "RSSMRA85T32A562Y",
            "RSSMRA85T40A562V",
            "RSSMRA85T72A562C",
            "RSSMRA85S31A562R",
            "RSSMRA85B69H501Z",
            "RSSMRA85B29H501V",
            "RSSMRA83B29H501T",
        ] {
            assert_eq!(error(code), Some(TaxCodeError::Date), "{code}");
        }
    }

    #[test]
    fn the_29_february_of_a_leap_year_exists_in_either_century() {
        for code in ["RSSMRA84B29H501U", "RSSMRA00B29H501Y", "RSSMRA00B69H501C"] {
            assert_eq!(error(code), None, "{code}");
        }
    }

    #[test]
    fn a_character_out_of_place_is_named() {
        for code in [
            "R5SMRA85T10A562S",
            "RSSMRAA5T10A562S",
            "RSSMRA85F10A562R", // no month
            "RSSMRA85T10A56OS", // the letter O is no digit, nor one by omocodia
            "RSSMRA85T105562S",
            "RSSMRA85T10A5621",
            "RSS MRA85T10A562",
            "RSSMRA85T10A562\u{c9}",
        ] {
            assert_eq!(error(code), Some(TaxCodeError::Characters), "{code}");
        }
    }

    #[test]
    fn another_length_is_named() {
        for code in ["", "TINIT-", "RSSMRA85T10A562", "RSSMRA85T10A562SS", "0636339100", "063633910011"] {
            assert_eq!(error(code), Some(TaxCodeError::Length), "{code}");
        }
    }

    #[test]
    fn case_blanks_and_the_prefix_of_the_identity_gateway_do_not_matter() {
        for text in ["rssmra85t10a562s", "  RSSMRA85T10A562S\n", "TINIT-RSSMRA85T10A562S", "tinit-rssmra85t10a562s"] {
            assert_eq!(text.parse::<TaxCode>().unwrap().as_str(), "RSSMRA85T10A562S");
        }
        assert_eq!(TaxCode::parse("TINIT-06363391001").unwrap().as_str(), "06363391001");
        assert!(TaxCode::parse("TINIT-TINIT-RSSMRA85T10A562S").is_err());
        assert!(TaxCode::parse("TINFR-RSSMRA85T10A562S").is_err());
    }

    #[test]
    fn debug_hides_the_code() {
        let code = TaxCode::parse("RSSMRA85T10A562S").unwrap();
        assert_eq!(format!("{code:?} {:?}", Some(&code)), "TaxCode(***) Some(TaxCode(***))");
    }

    #[test]
    fn json_carries_the_text() {
        let code: TaxCode = serde_json::from_str(r#""tinit-rssmra85t10a562s""#).unwrap();
        assert_eq!(serde_json::to_string(&code).unwrap(), r#""RSSMRA85T10A562S""#);
    }

    #[test]
    fn refusals_in_json_say_what_is_wrong_without_repeating_the_code() {
        for (json, says) in [
            (r#""RSSMRA85T10A562T""#, "last character"),
            (r#""RSSMRA85T10A562""#, "16 characters"),
            ("6363391001", "expected a codice fiscale as a string"),
            ("null", "expected a codice fiscale as a string"),
        ] {
            let error = serde_json::from_str::<TaxCode>(json).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
            assert!(!error.contains("RSSMRA") && !error.contains("6363391001"), "{error}");
        }
    }

    #[test]
    fn the_schema_gives_form_and_example() {
        let schema = serde_json::to_value(TaxCode::schema()).unwrap();
        assert_eq!(schema["type"], "string");
        assert_eq!((&schema["minLength"], &schema["maxLength"]), (&11.into(), &16.into()));
        assert!(TaxCode::parse(schema["examples"][0].as_str().unwrap()).is_ok());
    }
}
