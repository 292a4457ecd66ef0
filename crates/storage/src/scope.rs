//! On whose behalf, and in which Comune, a transaction runs.

use std::fmt;

use kernel::Id;
use uuid::Uuid;

/// Marks ids of tenants; the tenant itself is described in `platform`.
#[derive(Debug)]
pub enum TenantTag {}

/// The identifier of a tenant: a Comune, or the deployment itself.
pub type TenantId = Id<TenantTag>;

/// The tenant of what belongs to the deployment and to no Comune.
pub const PLATFORM: TenantId = Id::from_uuid(Uuid::nil());

/// Who acts, in a form that may be stored and logged: kind and pseudonymous id, never a name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Actor(String);

impl Actor {
    /// An actor such as `staff:0198…` or `key:4F7…`.
    pub fn new(kind: &str, id: impl fmt::Display) -> Self {
        Self(format!("{kind}:{id}"))
    }

    /// A caller who did not say who they are.
    pub fn anonymous() -> Self {
        Self("anonymous".to_owned())
    }

    /// The program itself: jobs, command line, seeding.
    pub fn system() -> Self {
        Self("system".to_owned())
    }

    /// The stored form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Tenant and actor of a transaction. Without one there is no transaction, and so no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The Comune whose rows can be seen and written.
    pub tenant: TenantId,
    /// Who does it.
    pub actor: Actor,
}

impl Scope {
    /// The program itself, working in one Comune.
    pub fn system(tenant: TenantId) -> Self {
        Self { tenant, actor: Actor::system() }
    }

    /// The program itself, working on what belongs to the deployment.
    pub fn platform() -> Self {
        Self::system(PLATFORM)
    }
}

impl AsRef<Self> for Scope {
    fn as_ref(&self) -> &Self {
        self
    }
}
