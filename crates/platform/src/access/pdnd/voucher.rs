//! What a voucher says: which system calls, and for which purpose.

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::claims::{ClaimFault, Claims};
use crate::access::tokens::TokenRefusal;

/// A voucher that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voucher {
    /// What PDND calls the system: a UUID, in lower case.
    pub client_id: String,
    /// For which purpose it calls (finalità).
    pub purpose_id: String,
    /// Names the voucher.
    pub jti: String,
    /// Past this instant it is not accepted.
    pub expires_at: Timestamp,
}

/// Why a voucher was not accepted. Holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VoucherRefusal {
    /// The Comune does not take vouchers.
    #[error("the Comune does not take vouchers")]
    SwitchedOff,
    /// As any token: signature, type, issuer.
    #[error(transparent)]
    Token(#[from] TokenRefusal),
    /// A claim.
    #[error(transparent)]
    Claim(#[from] ClaimFault),
    /// It is bound to a key (`cnf`, RFC 9449): whoever shows it as a bearer does not prove that they have that key.
    #[error("the voucher is bound to a key")]
    Bound,
    /// Nobody registered here, or disabled.
    #[error("the client is not registered, or disabled")]
    UnknownClient,
}

impl VoucherRefusal {
    /// A word for the log that does not change when the sentence does.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SwitchedOff => "pdnd-switched-off",
            Self::Token(refusal) => refusal.reason(),
            Self::Claim(fault) => fault.reason(),
            Self::Bound => "bound",
            Self::UnknownClient => "unknown-client",
        }
    }

    /// Whether the same voucher may be accepted later.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::Token(refusal) if refusal.is_temporary())
    }
}

impl Voucher {
    /// Reads the claims of a voucher whose signature has been checked. A `digest` is that of the evidence for tracing
    /// (AUDIT_REST_02), which is not asked for here: it is left alone.
    ///
    /// # Errors
    /// [`VoucherRefusal`] says why it is not accepted.
    pub fn read(claims: &Map<String, Value>, audience: &str, now: Timestamp) -> Result<Self, VoucherRefusal> {
        let claims = Claims(claims);
        if claims.get("cnf").is_some() {
            return Err(VoucherRefusal::Bound);
        }
        claims.get("nbf").ok_or(ClaimFault::Missing("nbf"))?;
        let expires_at = claims.in_force(now, None)?;
        claims.must_be_for(audience)?;
        let id: Uuid = claims.word("client_id")?.parse().ok().ok_or(ClaimFault::Malformed("client_id"))?;
        let client_id = id.hyphenated().to_string();
        claims.may_name("sub", &client_id)?;
        let word = |name| claims.word(name).map(str::to_owned);
        Ok(Self { client_id, purpose_id: word("purposeId")?, jti: word("jti")?, expires_at })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CLIENT: &str = "5d2b1f8c-1111-4222-8333-944445555666";
    const AUDIENCE: &str = "https://sportello.comune.bugliano.example/pdnd";
    const NOW: i64 = 1_800_000_000;

    fn with(name: &str, value: Value) -> Map<String, Value> {
        let mut claims = json!({
            "iss": "uat.interop.example", "sub": CLIENT, "aud": AUDIENCE, "client_id": CLIENT, "jti": "v-1",
            "purposeId": "7c6b1f8c-1111-4222-8333-944445555666", "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 600,
            "digest": { "alg": "SHA256", "value": "0f" },
        });
        claims[name] = value;
        claims.as_object().unwrap().clone()
    }

    fn read(claims: &Map<String, Value>) -> Result<Voucher, VoucherRefusal> {
        Voucher::read(claims, AUDIENCE, Timestamp::from_second(NOW).unwrap())
    }

    #[test]
    fn a_voucher_says_which_system_calls_and_for_what() {
        let voucher = read(&with("client_id", json!(CLIENT.to_uppercase()))).unwrap();
        assert_eq!((voucher.client_id.as_str(), voucher.jti.as_str()), (CLIENT, "v-1"));
        assert_eq!(voucher.expires_at.as_second(), NOW + 600);
        for (name, value) in
            [("aud", json!(["x", AUDIENCE])), ("exp", json!(NOW - 29)), ("nbf", json!(NOW + 30)), ("sub", Value::Null)]
        {
            assert!(read(&with(name, value)).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_is_missing_or_amiss_is_refused() {
        use ClaimFault::{Audience, Expired, Malformed, Missing, NotYetValid, OtherClient};
        for (name, value, expected) in [
            ("exp", Value::Null, Missing("exp")),
            ("iat", Value::Null, Missing("iat")),
            ("nbf", Value::Null, Missing("nbf")),
            ("jti", Value::Null, Missing("jti")),
            ("jti", json!("two\nlines"), Malformed("jti")),
            ("jti", json!("x".repeat(256)), Malformed("jti")),
            ("purposeId", Value::Null, Missing("purposeId")),
            ("purposeId", json!(""), Malformed("purposeId")),
            ("client_id", Value::Null, Missing("client_id")),
            ("client_id", json!("somebody"), Malformed("client_id")),
            ("sub", json!("somebody"), OtherClient("sub")),
            ("aud", Value::Null, Missing("aud")),
            ("aud", json!("https://sportello.comune.altrove.example/pdnd"), Audience),
            ("exp", json!(NOW - 30), Expired),
            ("exp", json!("never"), Malformed("exp")),
            ("nbf", json!(NOW + 31), NotYetValid),
            ("iat", json!(NOW + 31), NotYetValid),
        ] {
            assert_eq!(read(&with(name, value.clone())), Err(expected.into()), "{name} {value}");
        }
        let bound = read(&with("cnf", json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" })));
        assert_eq!(bound, Err(VoucherRefusal::Bound));
    }
}
