//! IUV (identificativo univoco di versamento) and notice number (numero avviso), as pagoPA's specifications (SACI)
//! form them for creditors with a segregation code (aux digit 3).

/// The aux digit of creditors that have a segregation code.
const AUX: &str = "3";

/// The largest serial number: thirteen digits.
pub const MOST: u64 = 9_999_999_999_999;

/// What the check is the remainder of.
const MODULUS: u64 = 93;

/// The numbers of one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentNumbers {
    /// 17 digits: segregation code, serial number, check.
    pub iuv: String,
    /// 18 digits: aux digit and IUV. What people type in.
    pub notice_number: String,
}

/// The numbers of the payment with this serial number, under a segregation code of two digits. `None` when the
/// serial number is used up or the code is none.
pub fn numbers(segregation_code: &str, serial: u64) -> Option<PaymentNumbers> {
    let sound = segregation_code.len() == 2 && segregation_code.bytes().all(|byte| byte.is_ascii_digit());
    if !sound || !(1..=MOST).contains(&serial) {
        return None;
    }
    let base = format!("{segregation_code}{serial:013}");
    let whole: u64 = format!("{AUX}{base}").parse().ok()?;
    let iuv = format!("{base}{:02}", whole % MODULUS);
    let notice_number = format!("{AUX}{iuv}");
    Some(PaymentNumbers { iuv, notice_number })
}

/// Whether a text has the form of a notice number. The check is not asked of numbers that others made: pagoPA's own
/// examples do not satisfy it.
pub fn is_notice_number(text: &str) -> bool {
    text.len() == 18 && text.bytes().all(|byte| byte.is_ascii_digit()) && text.starts_with(['0', '1', '2', '3'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_computed_vector_passes() {
        let made = numbers("02", 1).unwrap();
        assert_eq!(made.iuv, "02000000000000184");
        assert_eq!(made.notice_number, "302000000000000184");
    }

    #[test]
    fn the_check_is_that_of_the_digits_before_it() {
        // pagoPA's example, with the check that it should have.
        assert_eq!(numbers("02", 123_876_543_123).map(|made| made.notice_number.len()), Some(18));
        for serial in [1, 92, 93, 94, 1_000_000, MOST] {
            let made = numbers("47", serial).unwrap();
            let (base, check) = made.notice_number.split_at(16);
            assert_eq!(base.parse::<u64>().unwrap() % 93, check.parse::<u64>().unwrap(), "{serial}");
            assert!(is_notice_number(&made.notice_number));
        }
    }

    #[test]
    fn what_has_no_number_gets_none() {
        for (code, serial) in [("2", 1), ("002", 1), ("0a", 1), ("02", 0), ("02", MOST + 1)] {
            assert_eq!(numbers(code, serial), None, "{code} {serial}");
        }
    }

    #[test]
    fn foreign_numbers_are_not_refused_for_their_check() {
        assert!(is_notice_number("302012387654312384"));
        for bad in ["30201238765431238", "402012387654312384", "30201238765431238a", ""] {
            assert!(!is_notice_number(bad), "{bad}");
        }
    }
}
