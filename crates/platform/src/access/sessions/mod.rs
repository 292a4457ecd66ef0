//! Staff who sign in with a password, for Comuni whose people have no identity provider.
//!
//! A password account is a member of staff bound to the provider [`PROVIDER`]; the subject is the user name. What proves
//! that it is them is kept beside the entry: a password (Argon2id), one-time codes (TOTP), recovery codes. Whoever signs
//! in gets a session: a short access token that the caller sends like any other, and a refresh token that is spent with
//! each use. Passwords are off unless the installation switches them on.
//!
//! A refusal never tells which part was wrong, nor whether there is such a user.

mod attempts;
mod changes;
mod hashing;
pub mod model;
pub mod routes;
pub mod rules;
pub mod schema;
mod secrets;
pub mod store;

use kernel::Problem;
use serde::{Deserialize, Serialize};

use self::hashing::Hasher;
pub use self::{
    changes::{enrolment, sweep},
    secrets::{ACCESS_PREFIX, split},
};
use crate::problems::NOT_FOUND;

/// The provider that staff with a password are bound to. No identity provider has this name.
pub const PROVIDER: &str = "password";

/// What the installation says of passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordSettings {
    /// Whether staff may sign in with one.
    pub enabled: bool,
    /// Whether admins need one-time codes beside it.
    pub totp_required_for_admins: bool,
}

impl Default for PasswordSettings {
    fn default() -> Self {
        Self { enabled: false, totp_required_for_admins: true }
    }
}

/// What it takes to check passwords. Shared by all requests.
#[derive(Debug)]
pub struct Passwords {
    settings: PasswordSettings,
    hasher: Hasher,
}

impl Passwords {
    /// Passwords under these settings.
    pub fn new(settings: PasswordSettings) -> Self {
        Self { settings, hasher: Hasher::default() }
    }

    /// Whether staff may sign in with one.
    pub const fn enabled(&self) -> bool {
        self.settings.enabled
    }

    /// # Errors
    /// `not-found` where nobody signs in with a password.
    fn must_be_enabled(&self) -> Result<(), Problem> {
        if self.settings.enabled {
            return Ok(());
        }
        Err(Problem::new(&NOT_FOUND).detail("nobody signs in with a password here"))
    }
}
