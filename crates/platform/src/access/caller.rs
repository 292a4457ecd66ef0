//! The caller of a request: who they are, and in which Comune.

use std::{fmt, sync::Arc};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web::Data};
use aws_lc_rs::digest;
use futures_util::future::LocalBoxFuture;
use kernel::{Problem, TaxCode};
use storage::{Actor, Db, Scope, TenantId};

use super::{
    keys::{self, ApiKey, KeyKind},
    staff::{self, StaffMember},
    tokens::{Identity, ProviderKind, TokenVerifier},
};
use crate::{
    http::Refused,
    problems::{FORBIDDEN, IDENTITY_UNAVAILABLE, TENANT_SUSPENDED, UNAUTHENTICATED},
    tenants::{Tenant, TenantDirectory, TenantState},
};

/// Stands for a person where a name or a tax code must not: in keys, in the actor of an event, in a log.
///
/// A digest over the tenant too, so that two Comuni cannot compare theirs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pseudonym(String);

impl Pseudonym {
    /// The pseudonym of whoever has this tax code or, failing that, this e-mail address.
    pub fn of_person(tenant: TenantId, tax_code: Option<&str>, email: &str) -> Self {
        match tax_code {
            Some(code) => Self::digest(tenant, "tax_code", code),
            None => Self::digest(tenant, "email", &email.to_lowercase()),
        }
    }

    /// The pseudonym of a citizen known by tax code.
    pub fn of_citizen(tenant: TenantId, tax_code: &TaxCode) -> Self {
        Self::digest(tenant, "tax_code", tax_code.as_str())
    }

    fn digest(tenant: TenantId, kind: &str, value: &str) -> Self {
        let text = format!("{tenant}\n{kind}\n{value}");
        let hash = hex::encode(digest::digest(&digest::SHA256, text.as_bytes()));
        Self(hash.chars().take(40).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The person as an actor and as the owner of what is theirs.
    pub fn actor(&self) -> Actor {
        Actor::new("citizen", &self.0)
    }
}

/// A person who came through the identity gateway (SPID, CIE).
#[derive(Clone, PartialEq, Eq)]
pub struct Citizen {
    /// Codice fiscale.
    pub tax_code: TaxCode,
    /// Given name, when the identity provider told it.
    pub given_name: Option<String>,
    /// Family name, when the identity provider told it.
    pub family_name: Option<String>,
    /// E-mail address, when the identity provider told it.
    pub email: Option<String>,
    /// Who this is, without saying it.
    pub pseudonym: Pseudonym,
}

impl fmt::Debug for Citizen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Citizen({})", self.pseudonym.as_str())
    }
}

/// What kind of caller this is.
#[derive(Debug, Clone)]
pub enum CallerKind {
    /// Nobody said who they are.
    Anonymous,
    /// A citizen.
    Citizen(Box<Citizen>),
    /// Somebody who works for the Comune: operator, manager or admin.
    Staff(Box<StaffMember>),
    /// A device of one office, such as a kiosk.
    Device(Box<ApiKey>),
    /// Another system, with scopes.
    Integration(Box<ApiKey>),
    /// Whoever runs the deployment.
    Platform(Box<ApiKey>),
}

/// The caller of a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The Comune called.
    pub tenant: Arc<Tenant>,
    /// Who calls.
    pub kind: CallerKind,
    scope: Scope,
}

impl Caller {
    /// A caller in a Comune.
    pub fn new(tenant: Arc<Tenant>, kind: CallerKind) -> Self {
        let actor = match &kind {
            CallerKind::Anonymous => Actor::anonymous(),
            CallerKind::Citizen(citizen) => citizen.pseudonym.actor(),
            CallerKind::Staff(member) => Actor::new("staff", member.id),
            CallerKind::Device(key) => Actor::new("device", &key.handle),
            CallerKind::Integration(key) => Actor::new("integration", &key.handle),
            CallerKind::Platform(key) => Actor::new("platform", &key.handle),
        };
        let scope = Scope { tenant: tenant.tenant_id, actor };
        Self { tenant, kind, scope }
    }

    /// Tenant and actor, for a transaction.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The caller as the owner of what they make.
    pub const fn actor(&self) -> &Actor {
        &self.scope.actor
    }

    /// The citizen, when the caller is one.
    ///
    /// # Errors
    /// `unauthenticated` for callers who did not say who they are, `forbidden` for others.
    pub fn citizen(&self) -> Result<&Citizen, Problem> {
        match &self.kind {
            CallerKind::Citizen(citizen) => Ok(citizen),
            CallerKind::Anonymous => Err(Problem::new(&UNAUTHENTICATED).detail("a citizen's token is needed")),
            _ => Err(Problem::new(&FORBIDDEN).detail("only citizens have things of their own here")),
        }
    }
}

impl AsRef<Scope> for Caller {
    fn as_ref(&self) -> &Scope {
        &self.scope
    }
}

/// What it takes to know a caller. Shared by all requests.
#[derive(Debug, Clone)]
pub struct Access {
    /// Finds the Comune of a path.
    pub tenants: TenantDirectory,
    /// Checks the tokens of people.
    pub tokens: Arc<TokenVerifier>,
    /// Holds keys and staff.
    pub db: Db,
}

impl Access {
    /// Finds out who calls.
    ///
    /// # Errors
    /// `not-found` for an unknown Comune; `unauthenticated` for a credential that is not accepted;
    /// `forbidden` for somebody who is known and works for another Comune.
    pub async fn caller(&self, slug: &str, authorization: Option<&str>) -> Result<Caller, Problem> {
        let tenant = self.tenants.find(slug).await?;
        if tenant.state == TenantState::Suspended {
            return Err(Problem::new(&TENANT_SUSPENDED).retry_after(3600));
        }
        let Some(header) = authorization else { return Ok(Caller::new(tenant, CallerKind::Anonymous)) };
        let credential = bearer(header).ok_or_else(unauthenticated)?;
        let kind = if credential.starts_with(keys::PREFIX) {
            self.key(&tenant, credential).await?
        } else {
            let identity = self.tokens.verify(credential, &tenant.slug).await.map_err(|refusal| {
                tracing::info!(reason = refusal.reason(), "a token was refused");
                if refusal.is_temporary() {
                    return Problem::new(&IDENTITY_UNAVAILABLE).retry_after(10);
                }
                unauthenticated()
            })?;
            self.person(&tenant, identity).await?
        };
        Ok(Caller::new(tenant, kind))
    }

    async fn key(&self, tenant: &Tenant, credential: &str) -> Result<CallerKind, Problem> {
        let (handle, secret) = keys::split(credential).ok_or_else(unauthenticated)?;
        // A key of the deployment opens every Comune; a key of a Comune, that one only.
        for scope in [Scope::system(tenant.tenant_id), Scope::platform()] {
            let wanted = handle.to_owned();
            let found = self.db.read(&scope, move |tx| keys::by_handle(tx, &wanted)).await?;
            if let Some(key) = found {
                if !key.answers_to(secret, self.db.clock().now()) {
                    return Err(unauthenticated());
                }
                return Ok(match key.kind {
                    KeyKind::Device => CallerKind::Device(Box::new(key)),
                    KeyKind::Integration => CallerKind::Integration(Box::new(key)),
                    KeyKind::Platform => CallerKind::Platform(Box::new(key)),
                });
            }
        }
        Err(unauthenticated())
    }

    async fn person(&self, tenant: &Tenant, identity: Identity) -> Result<CallerKind, Problem> {
        if identity.kind == ProviderKind::Citizens {
            let Some(tax_code) = identity.tax_code else { return Err(unauthenticated()) };
            let pseudonym = Pseudonym::of_citizen(tenant.tenant_id, &tax_code);
            return Ok(CallerKind::Citizen(Box::new(Citizen {
                tax_code,
                given_name: identity.given_name,
                family_name: identity.family_name,
                email: identity.email,
                pseudonym,
            })));
        }
        let scope = Scope::system(tenant.tenant_id);
        let found =
            self.db.read(&scope, move |tx| staff::by_subject(tx, &identity.provider, &identity.subject)).await?;
        let member = found.ok_or_else(|| {
            Problem::new(&FORBIDDEN).detail("this identity is not enrolled among the staff of this Comune")
        })?;
        Ok(CallerKind::Staff(Box::new(member)))
    }
}

impl FromRequest for Caller {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let access = req.app_data::<Data<Access>>().cloned();
        let slug = req.match_info().get("comune").unwrap_or_default().to_owned();
        let authorization = match req.headers().get(header::AUTHORIZATION) {
            None => Ok(None),
            Some(value) => value.to_str().map(|text| Some(text.to_owned())),
        };
        Box::pin(async move {
            let access = access.ok_or_else(|| {
                tracing::error!("the application was wired without Access");
                Problem::new(&storage::problems::INTERNAL_ERROR)
            })?;
            let authorization = authorization.map_err(|_not_text| unauthenticated())?;
            Ok(access.caller(&slug, authorization.as_deref()).await?)
        })
    }
}

fn unauthenticated() -> Problem {
    Problem::new(&UNAUTHENTICATED)
}

/// RFC 6750: the scheme is case-insensitive, one space, then the token.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, credential) = header.split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearer_credentials_are_read() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer abc "), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer "), None);
        assert_eq!(bearer("Bearer"), None);
    }

    #[test]
    fn a_pseudonym_tells_neither_the_person_nor_that_two_comuni_know_the_same_one() {
        let code = TaxCode::parse("RSSMRA80A01H501U").unwrap();
        let one = storage::scope::PLATFORM;
        let other = kernel::Id::from_uuid(uuid::Uuid::max());
        assert_ne!(Pseudonym::of_citizen(one, &code), Pseudonym::of_citizen(other, &code));
        assert!(!Pseudonym::of_citizen(one, &code).as_str().contains("RSSMRA"));
        assert_eq!(
            Pseudonym::of_person(one, Some("RSSMRA80A01H501U"), "a@example.org"),
            Pseudonym::of_citizen(one, &code)
        );
        assert_eq!(Pseudonym::of_person(one, None, "A@example.org"), Pseudonym::of_person(one, None, "a@example.org"));
    }
}
