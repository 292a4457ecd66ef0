//! Digests that only this deployment can make, for transactions that must prove what they wrote.

use std::fmt;

use aws_lc_rs::hmac;

/// A key that the database does not hold. Whoever can change rows cannot make them fit again.
#[derive(Clone)]
pub struct Seal(hmac::Key);

impl Seal {
    /// A seal with this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// A digest of the parts, each told apart from the next.
    pub fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}

impl Default for Seal {
    /// A seal that nobody can check later: for databases that are thrown away.
    fn default() -> Self {
        Self::new(&rand::random())
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other_and_keys_differ() {
        let seal = Seal::new(&[1; 32]);
        assert_eq!(seal.digest(&[b"ab", b"c"]), seal.digest(&[b"ab", b"c"]));
        assert_ne!(seal.digest(&[b"ab", b"c"]), seal.digest(&[b"a", b"bc"]));
        assert_ne!(seal.digest(&[b"ab"]), Seal::new(&[2; 32]).digest(&[b"ab"]));
    }
}
