//! Whether a notification is signed as it must be (Standard Webhooks), and what it comes to. Pure.

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;

use super::model::NotificationOutcome;
use crate::debts::Debt;

/// How far from now a notification may be signed, in seconds.
const TOLERANCE: i64 = 5 * 60;
/// The longest id and the longest signature that are read, in characters; and how many signatures are tried: who changes
/// keys signs with two.
const LONGEST_ID: usize = 255;
const LONGEST_SIGNATURE: usize = 1000;
const MOST_SIGNATURES: usize = 10;
/// How long a signature is, in bytes.
const TAG: usize = 32;

/// The headers of a notification, as they were sent.
#[derive(Debug, Clone, Default)]
pub struct Signed {
    /// `Webhook-Id`.
    pub id: Option<String>,
    /// `Webhook-Timestamp`: seconds since 1970.
    pub timestamp: Option<String>,
    /// `Webhook-Signature`: one or more of `v1,` and base64, parted by blanks.
    pub signature: Option<String>,
}

/// Why a notification is nobody's that is known. For the log: senders are not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// A header is missing or cannot be read.
    #[error("a header is missing or malformed")]
    Headers,
    /// It was signed too long ago, or will be.
    #[error("signed too long ago, or in the future")]
    Time,
    /// No key made the signature.
    #[error("no key made the signature")]
    Signature,
}

/// The id of a notification that one of these keys signed, over id, time and the bytes of the body.
///
/// # Errors
/// Why it is not accepted.
pub fn verified(keys: &[Vec<u8>], signed: &Signed, body: &[u8], now: Timestamp) -> Result<String, Unsigned> {
    let (Some(id), Some(timestamp), Some(signature)) = (&signed.id, &signed.timestamp, &signed.signature) else {
        return Err(Unsigned::Headers);
    };
    let sound = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    let seconds: i64 = timestamp.parse().map_err(|_no_number| Unsigned::Headers)?;
    if !sound || signature.len() > LONGEST_SIGNATURE {
        return Err(Unsigned::Headers);
    }
    if now.as_second().saturating_sub(seconds).saturating_abs() > TOLERANCE {
        return Err(Unsigned::Time);
    }
    let message = [format!("{id}.{seconds}.").as_bytes(), body].concat();
    let given: Vec<Vec<u8>> = signature
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"))
        .filter_map(|text| STANDARD.decode(text).ok())
        .filter(|tag| tag.len() == TAG)
        .take(MOST_SIGNATURES)
        .collect();
    if given.is_empty() {
        return Err(Unsigned::Signature);
    }
    // Once for each key, however many signatures a stranger sends along.
    let fits = |key: &Vec<u8>| {
        let own = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &message);
        given.iter().any(|tag| verify_slices_are_equal(own.as_ref(), tag).is_ok())
    };
    if keys.iter().any(fits) { Ok(id.clone()) } else { Err(Unsigned::Signature) }
}

/// What a notification about this debt comes to.
pub fn outcome(debt: Option<&Debt>, amount_cents: Option<i64>) -> NotificationOutcome {
    match debt {
        None => NotificationOutcome::UnknownNotice,
        Some(debt) if amount_cents.is_some_and(|cents| cents != debt.total_cents) => {
            NotificationOutcome::AmountMismatch
        }
        Some(_) => NotificationOutcome::Noted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Vec<u8> {
        STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
    }

    fn signed() -> Signed {
        Signed {
            id: Some("msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
            timestamp: Some("1614265330".to_owned()),
            signature: Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    /// The vector of the specification's reference implementations.
    #[test]
    fn the_published_vector_passes() {
        let id = verified(&[vec![1; 32], key()], &signed(), BODY, at(1_614_265_330));
        assert_eq!(id.as_deref(), Ok("msg_p5jXN8AQM9LWM0D4loKWxJek"));
        let two = Signed { signature: Some(format!("v1a,x v1,AAAA {}", signed().signature.unwrap())), ..signed() };
        assert!(verified(&[key()], &two, BODY, at(1_614_265_330)).is_ok(), "one of several");
        let many = |others: usize| {
            let other = format!("v1,{} ", STANDARD.encode([7; 32]));
            Signed { signature: Some(other.repeat(others) + &signed().signature.unwrap()), ..signed() }
        };
        assert!(verified(&[key()], &many(9), BODY, at(1_614_265_330)).is_ok(), "the tenth");
        assert_eq!(verified(&[key()], &many(10), BODY, at(1_614_265_330)), Err(Unsigned::Signature), "no more");
    }

    #[test]
    fn what_was_not_signed_so_is_refused() {
        let now = at(1_614_265_330);
        let with = |change: fn(&mut Signed)| {
            let mut other = signed();
            change(&mut other);
            verified(&[key()], &other, BODY, now)
        };
        assert_eq!(with(|s| s.id = None), Err(Unsigned::Headers));
        assert_eq!(with(|s| s.timestamp = Some("soon".to_owned())), Err(Unsigned::Headers));
        assert_eq!(with(|s| s.id = Some("another".to_owned())), Err(Unsigned::Signature));
        assert_eq!(with(|s| s.timestamp = Some("1614265331".to_owned())), Err(Unsigned::Signature));
        assert_eq!(with(|s| s.signature = Some("v1,".to_owned())), Err(Unsigned::Signature));
        assert_eq!(verified(&[key()], &signed(), b"{}", now), Err(Unsigned::Signature));
        assert_eq!(verified(&[vec![0; 32]], &signed(), BODY, now), Err(Unsigned::Signature));
        assert_eq!(verified(&[], &signed(), BODY, now), Err(Unsigned::Signature));
    }

    #[test]
    fn five_minutes_are_heeded() {
        for (second, ok) in [(300, true), (301, false), (-300, true), (-301, false)] {
            let verdict = verified(&[key()], &signed(), BODY, at(1_614_265_330 + second));
            assert_eq!(verdict.is_ok(), ok, "{second}");
        }
        let forever = Signed { timestamp: Some(i64::MIN.to_string()), ..signed() };
        assert_eq!(verified(&[key()], &forever, BODY, at(0)), Err(Unsigned::Time));
    }
}
