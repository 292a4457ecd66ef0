//! What a client's signature of a request must say: the header `Agid-JWT-Signature` of INTEGRITY_REST_02 (AgID,
//! guidelines on the technical interoperability of public administrations), in which the sender signs the digest of the
//! body and the headers that say what it is.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::claims::{ClaimFault, Claims};
use crate::access::tokens::{Header, LEEWAY, MAX_TOKEN_BYTES, json};

/// The header that a signature comes in.
pub const SIGNATURE: &str = "agid-jwt-signature";

/// The longest time from `iat` to `exp`: for so long a signature that was caught on its way could be sent first.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_mins(15);

/// The longest name of a key that is asked for.
const LONGEST_KEY_ID: usize = 128;

/// What came with a request.
#[derive(Debug)]
pub struct Received<'a> {
    /// Names in lower case, each as often as it came.
    pub headers: Vec<(&'a str, Cow<'a, str>)>,
    /// The bytes of the body.
    pub body: &'a [u8],
}

/// Why a signature was not accepted. Holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefusal {
    /// A header that counts came more than once.
    #[error("{0} is there more than once")]
    Repeated(&'static str),
    /// No digest to compare with.
    #[error("the header Digest is missing, or does not have SHA-256 in base64")]
    NoDigest,
    /// The body is another one.
    #[error("the header Digest is not that of the body")]
    OtherBody,
    /// Not three base64url parts, the first two of them JSON objects.
    #[error("it is no JWS in compact form")]
    Malformed,
    /// Neither RS256 nor ES256.
    #[error("its algorithm is neither RS256 nor ES256")]
    Algorithm,
    /// `typ` is not `JWT`.
    #[error("its typ is not JWT")]
    Type,
    /// A `crit` header: it asks for an extension that is not understood here.
    #[error("it has a critical extension")]
    CriticalExtension,
    /// Without a `kid`, or with one that is none of PDND.
    #[error("its kid is missing or malformed")]
    KeyId,
    /// PDND has no such key, or none of this algorithm.
    #[error("PDND has no such key for this algorithm")]
    UnknownKey,
    /// PDND says that the key is another client's.
    #[error("its key belongs to another client")]
    OtherClientsKey,
    /// The key cannot be had at the moment: the signature may be good.
    #[error("PDND's keys are not available")]
    KeysUnavailable,
    /// Not signed by the key.
    #[error("the key has not signed it")]
    Unsigned,
    /// A claim.
    #[error(transparent)]
    Claim(#[from] ClaimFault),
    /// A header that must be signed is not.
    #[error("signed_headers lacks {0}")]
    NotAmongSigned(&'static str),
    /// A header is not what was signed.
    #[error("{0} is not what was signed")]
    OtherHeader(&'static str),
    /// It was accepted before.
    #[error("its jti was used before")]
    Reused,
}

impl SignatureRefusal {
    /// A word for the log that does not change when the sentence does.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Repeated(_) => "repeated-header",
            Self::NoDigest => "no-digest",
            Self::OtherBody => "other-body",
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Type => "type",
            Self::CriticalExtension => "critical-extension",
            Self::KeyId => "key-id",
            Self::UnknownKey => "unknown-key",
            Self::OtherClientsKey => "other-clients-key",
            Self::KeysUnavailable => "keys-unavailable",
            Self::Unsigned => "signature",
            Self::Claim(fault) => fault.reason(),
            Self::NotAmongSigned(_) => "not-among-signed",
            Self::OtherHeader(_) => "other-header",
            Self::Reused => "reused",
        }
    }

    /// Whether the same request may be accepted later.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::KeysUnavailable)
    }
}

impl Received<'_> {
    /// The value of a header that may come once.
    ///
    /// # Errors
    /// When it came more often.
    pub fn one(&self, name: &str) -> Result<Option<&str>, SignatureRefusal> {
        let mut found = self.headers.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.trim());
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            _ => Err(SignatureRefusal::Repeated(spoken(name))),
        }
    }
}

/// How a refusal names a header: what else was signed is the sender's own word, and not repeated.
fn spoken(name: &str) -> &'static str {
    match name {
        SIGNATURE => "the header Agid-JWT-Signature",
        "digest" => "the header Digest",
        "content-type" => "the header Content-Type",
        "content-encoding" => "the header Content-Encoding",
        _ => "another header",
    }
}

/// Demands that `Digest` (RFC 3230) has the SHA-256 of the body's bytes.
///
/// # Errors
/// [`SignatureRefusal`] says why it does not.
pub fn must_be_of_the_body(received: &Received<'_>) -> Result<(), SignatureRefusal> {
    let value = received.one("digest")?.ok_or(SignatureRefusal::NoDigest)?;
    let mut digests = value.split(',').filter_map(|one| one.trim().split_once('='));
    let ours = |(algorithm, _): &(&str, &str)| algorithm.eq_ignore_ascii_case("SHA-256");
    let (first, further) = (digests.find(ours), digests.find(ours));
    let told = first.filter(|_| further.is_none()).and_then(|(_, value)| STANDARD.decode(value).ok());
    let told = told.ok_or(SignatureRefusal::NoDigest)?;
    if told == digest(&SHA256, received.body).as_ref() { Ok(()) } else { Err(SignatureRefusal::OtherBody) }
}

/// The algorithm and the key that a signature says it was made with.
///
/// # Errors
/// [`SignatureRefusal`] says why none is looked for.
pub fn key_of(text: &str) -> Result<(Algorithm, String), SignatureRefusal> {
    let parts: Vec<&str> = text.split('.').take(4).collect();
    let [header, _, _] = parts.as_slice() else { return Err(SignatureRefusal::Malformed) };
    if text.len() > MAX_TOKEN_BYTES {
        return Err(SignatureRefusal::Malformed);
    }
    let header: Header = json(header).ok().ok_or(SignatureRefusal::Malformed)?;
    let algorithm = match header.alg.as_str() {
        "RS256" => Algorithm::RS256,
        "ES256" => Algorithm::ES256,
        _ => return Err(SignatureRefusal::Algorithm),
    };
    if header.crit.is_some() {
        return Err(SignatureRefusal::CriticalExtension);
    }
    if !header.typ.is_some_and(|typ| typ.eq_ignore_ascii_case("JWT")) {
        return Err(SignatureRefusal::Type);
    }
    // It becomes a part of an address.
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let kid = header.kid.filter(|kid| (1..=LONGEST_KEY_ID).contains(&kid.len()) && kid.bytes().all(sound));
    Ok((algorithm, kid.ok_or(SignatureRefusal::KeyId)?))
}

/// A signature that may be accepted once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Names it.
    pub jti: String,
    /// Past this instant it is refused for its age.
    pub until: Timestamp,
}

/// Demands that the claims of a signature that has been checked are about this request of this client.
///
/// # Errors
/// [`SignatureRefusal`] says why they are not.
pub fn must_be_about(
    received: &Received<'_>,
    claims: &Map<String, Value>,
    (client_id, audience): (&str, &str),
    now: Timestamp,
) -> Result<Once, SignatureRefusal> {
    let claims = Claims(claims);
    let expiry = claims.in_force(now, Some(LONGEST_LIFE))?;
    claims.must_be_for(audience)?;
    claims.may_name("iss", client_id)?;
    claims.may_name("sub", client_id)?;
    let signed = signed_headers(claims)?;
    for (name, value) in &signed {
        if received.one(name)? != Some(value.trim()) {
            return Err(SignatureRefusal::OtherHeader(spoken(name)));
        }
    }
    for name in ["digest", "content-type", "content-encoding"] {
        let matters = name == "digest" || received.one(name)?.is_some();
        if matters && !signed.iter().any(|(known, _)| known == name) {
            return Err(SignatureRefusal::NotAmongSigned(name));
        }
    }
    let until = expiry.saturating_add(LEEWAY).unwrap_or(expiry);
    Ok(Once { jti: claims.word("jti")?.to_owned(), until })
}

/// `[{"digest": "…"}, {"content-type": "…"}]`, names in lower case.
fn signed_headers(claims: Claims<'_>) -> Result<Vec<(String, &str)>, ClaimFault> {
    const NAME: &str = "signed_headers";
    let list = claims.get(NAME).ok_or(ClaimFault::Missing(NAME))?.as_array().ok_or(ClaimFault::Malformed(NAME))?;
    let mut headers = Vec::new();
    for entry in list {
        for (name, value) in entry.as_object().ok_or(ClaimFault::Malformed(NAME))? {
            let value = value.as_str().ok_or(ClaimFault::Malformed(NAME))?;
            headers.push((name.to_ascii_lowercase(), value));
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    const CLIENT: &str = "5d2b1f8c-1111-4222-8333-944445555666";
    const AUDIENCE: &str = "https://sportello.comune.bugliano.example/pdnd";
    const NOW: i64 = 1_800_000_000;
    const BODY: &[u8] = br#"{"reason":"prova"}"#;
    const JSON: &str = "application/json";

    fn digest_of(body: &[u8]) -> String {
        format!("SHA-256={}", STANDARD.encode(digest(&SHA256, body)))
    }

    fn received<'a>(headers: &[(&'a str, &'a str)], body: &'a [u8]) -> Received<'a> {
        Received { headers: headers.iter().map(|(name, value)| (*name, Cow::Borrowed(*value))).collect(), body }
    }

    #[test]
    fn the_digest_is_that_of_the_bytes() {
        let good = digest_of(BODY);
        let check = |value: &str, body: &[u8]| must_be_of_the_body(&received(&[("digest", value)], body));
        for value in [good.clone(), good.replace("SHA", "sha"), format!("sha-512=AAAA, {good}")] {
            assert_eq!(check(&value, BODY), Ok(()), "{value}");
        }
        assert_eq!(check(&good, br#"{"reason":"Prova"}"#), Err(SignatureRefusal::OtherBody));
        assert_eq!(check(&good, b""), Err(SignatureRefusal::OtherBody));
        let hexadecimal = format!("SHA-256={}", hex::encode(digest(&SHA256, BODY)));
        assert!(check(&hexadecimal, BODY).is_err());
        for value in ["", "SHA-256", "SHA-256=?", "sha-512=AAAA", &format!("{good},{good}")] {
            assert_eq!(check(value, BODY), Err(SignatureRefusal::NoDigest), "{value}");
        }
        assert_eq!(must_be_of_the_body(&received(&[], BODY)), Err(SignatureRefusal::NoDigest));
        let twice = received(&[("digest", &good), ("digest", &good)], BODY);
        assert_eq!(must_be_of_the_body(&twice), Err(SignatureRefusal::Repeated("the header Digest")));
    }

    #[test]
    fn only_a_key_of_pdnd_is_asked_for() {
        let of = |header: Value| key_of(&format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header.to_string())));
        let good = of(json!({ "alg": "ES256", "typ": "JWT", "kid": "ZmlYJ3x-_1" }));
        assert_eq!(good, Ok((Algorithm::ES256, "ZmlYJ3x-_1".to_owned())));
        for (header, expected) in [
            (json!({ "alg": "none", "typ": "JWT", "kid": "k" }), SignatureRefusal::Algorithm),
            (json!({ "alg": "HS256", "typ": "JWT", "kid": "k" }), SignatureRefusal::Algorithm),
            (json!({ "alg": "PS256", "typ": "JWT", "kid": "k" }), SignatureRefusal::Algorithm),
            (json!({ "alg": "RS256", "kid": "k" }), SignatureRefusal::Type),
            (json!({ "alg": "RS256", "typ": "at+jwt", "kid": "k" }), SignatureRefusal::Type),
            (json!({ "alg": "RS256", "typ": "JWT", "kid": "k", "crit": ["b64"] }), SignatureRefusal::CriticalExtension),
            (json!({ "alg": "RS256", "typ": "JWT" }), SignatureRefusal::KeyId),
            (json!({ "alg": "RS256", "typ": "JWT", "kid": "" }), SignatureRefusal::KeyId),
            (json!({ "alg": "RS256", "typ": "JWT", "kid": "../clients" }), SignatureRefusal::KeyId),
            (json!({ "alg": "RS256", "typ": "JWT", "kid": "%2e%2e" }), SignatureRefusal::KeyId),
            (json!({ "alg": "RS256", "typ": "JWT", "kid": "k?x=1" }), SignatureRefusal::KeyId),
            (json!({ "alg": "RS256", "typ": "JWT", "kid": "k".repeat(129) }), SignatureRefusal::KeyId),
            (json!({ "typ": "JWT", "kid": "k" }), SignatureRefusal::Malformed),
        ] {
            assert_eq!(of(header.clone()), Err(expected), "{header}");
        }
        for text in ["", "a.b", "a.b.c.d", "?.e30.AA"] {
            assert_eq!(key_of(text), Err(SignatureRefusal::Malformed), "{text}");
        }
    }

    fn claims() -> Value {
        json!({
            "iss": CLIENT, "sub": CLIENT, "aud": AUDIENCE, "jti": "s-1", "iat": NOW - 5, "nbf": NOW - 5, "exp": NOW + 60,
            "signed_headers": [{ "digest": digest_of(BODY) }, { "content-type": JSON }],
        })
    }

    fn about(claims: &Value, headers: &[(&str, &str)]) -> Result<Once, SignatureRefusal> {
        let now = Timestamp::from_second(NOW).unwrap();
        must_be_about(&received(headers, BODY), claims.as_object().unwrap(), (CLIENT, AUDIENCE), now)
    }

    #[test]
    fn a_signature_is_about_one_request() {
        let digest = digest_of(BODY);
        let headers = [("digest", digest.as_str()), ("content-type", JSON)];
        let once = about(&claims(), &headers).unwrap();
        assert_eq!((once.jti.as_str(), once.until.as_second()), ("s-1", NOW + 90));
        let mut anonymous = claims();
        (anonymous["iss"], anonymous["sub"], anonymous["nbf"]) = (Value::Null, Value::Null, Value::Null);
        assert!(about(&anonymous, &headers).is_ok());
    }

    #[test]
    fn what_is_about_another_request_is_refused() {
        use ClaimFault as C;
        use SignatureRefusal as S;
        let digest = digest_of(BODY);
        let headers = [("digest", digest.as_str()), ("content-type", JSON)];
        let signed = |list: Value| ("signed_headers", list);
        for ((name, value), expected) in [
            (("exp", Value::Null), S::Claim(C::Missing("exp"))),
            (("iat", Value::Null), S::Claim(C::Missing("iat"))),
            (("exp", json!(NOW - 30)), S::Claim(C::Expired)),
            (("nbf", json!(NOW + 31)), S::Claim(C::NotYetValid)),
            (("iat", json!(NOW + 31)), S::Claim(C::NotYetValid)),
            (("exp", json!(NOW + 15 * 60)), S::Claim(C::TooLong)),
            (("aud", json!("https://altrove.example")), S::Claim(C::Audience)),
            (("iss", json!("somebody")), S::Claim(C::OtherClient("iss"))),
            (("sub", json!("somebody")), S::Claim(C::OtherClient("sub"))),
            (("jti", Value::Null), S::Claim(C::Missing("jti"))),
            (("jti", json!("a b")), S::Claim(C::Malformed("jti"))),
            (signed(Value::Null), S::Claim(C::Missing("signed_headers"))),
            (signed(json!({ "digest": digest })), S::Claim(C::Malformed("signed_headers"))),
            (signed(json!([])), S::NotAmongSigned("digest")),
            (signed(json!([{ "content-type": JSON }])), S::NotAmongSigned("digest")),
            (signed(json!([{ "digest": digest }])), S::NotAmongSigned("content-type")),
            (signed(json!([{ "digest": digest_of(b"x") }])), S::OtherHeader("the header Digest")),
            (
                signed(json!([{ "digest": digest }, { "content-type": "text/plain" }])),
                S::OtherHeader("the header Content-Type"),
            ),
            (
                signed(json!([{ "digest": digest }, { "content-type": JSON }, { "x-other": "1" }])),
                S::OtherHeader("another header"),
            ),
        ] {
            let mut claims = claims();
            claims[name] = value.clone();
            assert_eq!(about(&claims, &headers), Err(expected), "{name} {value}");
        }
        let encoded = [headers.as_slice(), &[("content-encoding", "gzip")]].concat();
        assert_eq!(about(&claims(), &encoded), Err(S::NotAmongSigned("content-encoding")));
        let twice = [headers.as_slice(), &[("content-type", JSON)]].concat();
        assert_eq!(about(&claims(), &twice), Err(S::Repeated("the header Content-Type")));
    }
}
