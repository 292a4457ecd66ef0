//! Invented people: names of trees, and codici fiscali that are well formed and nobody's.

use kernel::TaxCode;

const GIVEN: &[&str] = &["Ada", "Bruno", "Carla", "Dario", "Elsa", "Fabio", "Gina", "Italo", "Lidia", "Nello"];
const FAMILY: &[&str] = &["Abete", "Betulla", "Castagno", "Faggio", "Ginepro", "Larice", "Olmo", "Pioppo", "Quercia"];
/// The letter of each month.
const MONTHS: &[u8; 12] = b"ABCDEHLMPRST";
/// What a character counts for in an odd place; letters count as the digits of their place in the alphabet.
const ODD: [u32; 26] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/// Somebody who does not exist.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) given_name: &'static str,
    pub(crate) family_name: String,
    pub(crate) email: String,
    pub(crate) tax_code: TaxCode,
}

/// The person of a number; up to 26⁴ · 12 · 28 of them have different tax codes.
pub(crate) fn person(number: usize) -> Person {
    let given_name = GIVEN[number % GIVEN.len()];
    let family_name = format!("{} {}", FAMILY[number / GIVEN.len() % FAMILY.len()], number / 90);
    let email = format!("{}.{number}@example.org", given_name.to_lowercase());
    Person { given_name, family_name, email, tax_code: tax_code(number) }
}

/// A code of somebody born in 1980 at a place that there is not (Z998).
fn tax_code(number: usize) -> TaxCode {
    let letter = |place: u32| char::from(b'A' + u8::try_from(number / 26_usize.pow(place) % 26).expect("a letter"));
    let letters: String = (0..4).map(letter).collect();
    let beyond = number / 26_usize.pow(4);
    let (month, day) = (char::from(MONTHS[beyond % 12]), beyond / 12 % 28 + 1);
    let mut code = format!("X{}Q{}80{month}{day:02}Z998", &letters[..2], &letters[2..]);
    let value = |c: char| c.to_digit(10).unwrap_or_else(|| u32::from(c) - u32::from('A'));
    let sum: u32 = code.chars().zip(1..).map(|(c, place)| if place % 2 == 1 { odd(value(c)) } else { value(c) }).sum();
    code.push(char::from(b'A' + u8::try_from(sum % 26).expect("a letter")));
    TaxCode::parse(&code).expect("a well-formed code")
}

fn odd(value: u32) -> u32 {
    ODD[usize::try_from(value).expect("small")]
}
