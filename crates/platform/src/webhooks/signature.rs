//! What a receiver checks: Standard Webhooks, symmetric signatures (`v1`).

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};

/// What keys begin with where people see them.
const PREFIX: &str = "whsec_";

/// A key of 192 bits and more, as the specification wants it.
pub struct SigningKey(Vec<u8>);

kernel::redacted_debug!(SigningKey);

impl SigningKey {
    /// A new one of 256 random bits.
    pub fn random() -> Self {
        Self(rand::random::<[u8; 32]>().to_vec())
    }

    /// The key of these bytes.
    pub const fn of(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be concealed.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As receivers take it.
    pub fn text(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The signature of a message: `v1,` and base64.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0));
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

/// The header `webhook-signature`: one signature for each key, so that receivers may change keys at their leisure.
pub fn header<'a>(keys: impl IntoIterator<Item = &'a SigningKey>, id: &str, timestamp: i64, body: &[u8]) -> String {
    keys.into_iter().map(|key| key.sign(id, timestamp, body)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the specification's reference implementations.
    #[test]
    fn the_published_vector_passes() {
        let key = SigningKey::of(STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
        assert_eq!(key.text(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let signed = header([&key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_keys_give_two_signatures() {
        let (new, old) = (SigningKey::random(), SigningKey::random());
        let signed = header([&new, &old], "id", 1, b"{}");
        assert_eq!(signed.split(' ').count(), 2);
        assert!(signed.starts_with(&header([&new], "id", 1, b"{}")));
        assert_eq!(new.bytes().len(), 32);
    }
}
