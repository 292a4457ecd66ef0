//! Other systems, however they show who they are.

use jiff::Timestamp;
use storage::Actor;

use super::keys::{ApiKey, KeyScope};

/// How another system shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// By a key of ours.
    ApiKey,
    /// By a voucher of PDND.
    Voucher,
}

/// Another system, within its scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integration {
    /// How it shows who it is.
    pub known_by: KnownBy,
    /// The public half of its key, or what PDND calls it.
    pub handle: String,
    /// What people call it.
    pub label: String,
    /// What it may do.
    pub scopes: Vec<KeyScope>,
    /// Past this instant its credential does not answer.
    pub expires_at: Option<Timestamp>,
}

impl Integration {
    /// Whether it carries a scope.
    pub fn has_scope(&self, scope: KeyScope) -> bool {
        self.scopes.contains(&scope)
    }

    /// The system as the owner of what it makes.
    pub fn actor(&self) -> Actor {
        let kind = match self.known_by {
            KnownBy::ApiKey => "integration",
            KnownBy::Voucher => "pdnd",
        };
        Actor::new(kind, &self.handle)
    }
}

/// What kind of caller an actor is, as it is told: `citizen`, `staff`, `integration`, … How a system shows who it is
/// makes no other kind of caller of it.
pub fn kind_of(actor: &str) -> &str {
    match actor.split(':').next().unwrap_or_default() {
        "pdnd" => "integration",
        kind => kind,
    }
}

impl From<ApiKey> for Integration {
    fn from(key: ApiKey) -> Self {
        Self {
            known_by: KnownBy::ApiKey,
            handle: key.handle,
            label: key.label,
            scopes: key.scopes.0,
            expires_at: key.expires_at,
        }
    }
}
