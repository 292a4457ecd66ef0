//! Argon2id, beside the threads that serve requests and a few at a time: each takes 19 MiB and a core.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use kernel::Problem;
use storage::problems::INTERNAL_ERROR;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problems::RATE_LIMITED;

/// How many are computed at once.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hashes and checks passwords. The library's own parameters are those that OWASP recommends: 19 MiB, two rounds.
#[derive(Debug)]
pub(super) struct Hasher {
    turns: Arc<Semaphore>,
}

/// The right to compute one hash after another.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Default for Hasher {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

/// What is checked where there is nothing to check, so that it takes as long.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| computed("nobody has this password").ok());

fn computed(password: &str) -> Result<String, argon2::password_hash::Error> {
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes())?;
    Ok(hash.to_string())
}

fn matches(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

fn failed(reason: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%reason, "a password could not be hashed");
    Problem::new(&INTERNAL_ERROR)
}

impl Hasher {
    /// Waits for a turn.
    ///
    /// # Errors
    /// `rate-limited` when too many are waiting.
    pub(super) async fn turn(&self) -> Result<Turn, Problem> {
        let waiting = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        match waiting {
            Ok(Ok(permit)) => Ok(Turn { _permit: permit }),
            Ok(Err(_)) | Err(_) => Err(Problem::new(&RATE_LIMITED).detail("too many sign in at once").retry_after(10)),
        }
    }
}

impl Turn {
    /// The hash of a new password.
    ///
    /// # Errors
    /// `internal-error` when it cannot be computed.
    pub(super) async fn hash(&self, password: String) -> Result<String, Problem> {
        let hashed = tokio::task::spawn_blocking(move || computed(&password)).await;
        hashed.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }

    /// Whether a password fits a hash. Without one it does not, and takes as long to say so.
    ///
    /// # Errors
    /// `internal-error` when it cannot be computed.
    pub(super) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Problem> {
        let verified = tokio::task::spawn_blocking(move || {
            let against = hash.as_ref().or(NOBODY.as_ref());
            let fits = against.is_some_and(|hash| matches(&password, hash));
            fits && hash.is_some()
        });
        verified.await.map_err(|error| failed(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_alone() {
        let hasher = Hasher::default();
        let turn = hasher.turn().await.unwrap();
        let hash = turn.hash("Tre-gatti-a-Bugliano".to_owned()).await.unwrap();
        // Whoever lowers the cost shall notice it.
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(turn.verify("Tre-gatti-a-Bugliano".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!turn.verify("tre-gatti-a-bugliano".to_owned(), Some(hash.clone())).await.unwrap());
        assert_ne!(turn.hash("Tre-gatti-a-Bugliano".to_owned()).await.unwrap(), hash, "each has its salt");
        assert!(!turn.verify("nobody has this password".to_owned(), None).await.unwrap());
        assert!(!turn.verify("x".to_owned(), Some("nonsense".to_owned())).await.unwrap());
    }
}
