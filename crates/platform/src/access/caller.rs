//! The caller of a request: who they are, and in which Comune.

use std::{
    fmt,
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
    web::Data,
};
use kernel::{Problem, TaxCode};
use storage::{Actor, Db, Scope};

use super::{
    assurance::{self, Assurance},
    integration::{Integration, KnownBy},
    keys::{self, ApiKey, KeyKind},
    pdnd::{self, ClientKeys, Voucher, VoucherRefusal},
    secret::{DeploymentSecret, Pseudonym},
    sessions::{self, Passwords},
    staff::{self, StaffMember},
    tokens::{Identity, ProviderKind, TokenVerifier},
};
use crate::{
    http::Refused,
    problems::{FORBIDDEN, IDENTITY_UNAVAILABLE, TENANT_SUSPENDED, UNAUTHENTICATED},
    settings::{TenantSettings, pdnd::PdndSettings},
    tenants::{Served, Tenant, TenantDirectory, TenantState},
};

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
    /// How sure the identity provider is that it is them.
    pub assurance: Assurance,
    /// What to ask it for, to be known as well as the Comune wants (`acr_values`); nothing for who is.
    pub step_up: Vec<String>,
}

/// Whether two spell a name or an address alike, whatever their letters' case and the blanks around it.
pub fn same_words(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

impl Citizen {
    /// Whether this is the name the identity provider told; a provider that told none contradicts nobody.
    pub fn is_called(&self, given_name: &str, family_name: &str) -> bool {
        let same = |told: &Option<String>, name: &str| told.as_ref().is_none_or(|told| same_words(told, name));
        same(&self.given_name, given_name) && same(&self.family_name, family_name)
    }
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
    Integration(Box<Integration>),
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
    secret: Arc<DeploymentSecret>,
    settings: Arc<TenantSettings>,
}

impl Caller {
    /// A caller in a Comune.
    pub fn new(tenant: Arc<Tenant>, kind: CallerKind, secret: Arc<DeploymentSecret>) -> Self {
        let actor = match &kind {
            CallerKind::Anonymous => Actor::anonymous(),
            CallerKind::Citizen(citizen) => citizen.pseudonym.actor(),
            CallerKind::Staff(member) => Actor::new("staff", member.id),
            CallerKind::Device(key) => Actor::new("device", &key.handle),
            CallerKind::Integration(system) => system.actor(),
            CallerKind::Platform(key) => Actor::new("platform", &key.handle),
        };
        let scope = Scope { tenant: tenant.tenant_id, actor };
        Self { tenant, kind, scope, secret, settings: Arc::default() }
    }

    /// The same caller, in a Comune with these settings.
    #[must_use]
    pub fn under(self, settings: Arc<TenantSettings>) -> Self {
        Self { settings, ..self }
    }

    /// What the Comune has set for itself, as it was at most ten seconds ago.
    pub fn settings(&self) -> &TenantSettings {
        &self.settings
    }

    /// The secret of the deployment.
    pub fn secret(&self) -> &DeploymentSecret {
        &self.secret
    }

    /// The caller as the owner of what they make.
    pub const fn actor(&self) -> &Actor {
        &self.scope.actor
    }

    /// The citizen, when the caller is one who is known well enough for what is theirs.
    ///
    /// # Errors
    /// `unauthenticated` for callers who did not say who they are, `assurance-too-low` for citizens who are not known
    /// well enough, `forbidden` for others.
    pub fn citizen(&self) -> Result<&Citizen, Problem> {
        match &self.kind {
            CallerKind::Citizen(citizen) => {
                assurance::required(self)?;
                Ok(citizen)
            }
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
    /// Makes pseudonyms.
    pub secret: Arc<DeploymentSecret>,
    /// Checks passwords, where staff have them.
    pub passwords: Arc<Passwords>,
    /// Has the keys with which clients of PDND sign, where the installation says where they are.
    pub client_keys: Option<Arc<ClientKeys>>,
}

impl Access {
    /// Finds out who calls.
    ///
    /// # Errors
    /// `not-found` for an unknown Comune; `unauthenticated` for a credential that is not accepted;
    /// `forbidden` for somebody who is known and works for another Comune.
    pub async fn caller(&self, slug: &str, authorization: Option<&str>) -> Result<Caller, Problem> {
        let Served { tenant, settings } = self.tenants.served(slug).await?;
        if tenant.state == TenantState::Suspended {
            return Err(Problem::new(&TENANT_SUSPENDED).retry_after(3600));
        }
        let Some(header) = authorization else {
            return Ok(Caller::new(tenant, CallerKind::Anonymous, Arc::clone(&self.secret)).under(settings));
        };
        let credential = bearer(header).ok_or_else(unauthenticated)?;
        let kind = if credential.starts_with(keys::PREFIX) {
            self.key(&tenant, credential).await?
        } else if credential.starts_with(sessions::ACCESS_PREFIX) {
            self.session(&tenant, credential).await?
        } else if self.tokens.is_voucher(credential) {
            self.system(&tenant, &settings.pdnd, credential).await?
        } else {
            let identity = self.tokens.verify(credential, &tenant.slug).await.map_err(|refusal| {
                tracing::info!(reason = refusal.reason(), "a token was refused");
                not_accepted(refusal.is_temporary())
            })?;
            let wanted = settings.identity.minimum();
            let is_known = identity.assurance >= wanted;
            let step_up = if is_known { Vec::new() } else { self.tokens.acr_values(&identity.provider, wanted) };
            self.person(&tenant, identity, step_up).await?
        };
        Ok(Caller::new(tenant, kind, Arc::clone(&self.secret)).under(settings))
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
                    KeyKind::Integration => CallerKind::Integration(Box::new(key.into())),
                    KeyKind::Platform => CallerKind::Platform(Box::new(key)),
                });
            }
        }
        Err(unauthenticated())
    }

    /// Somebody who signed in with a password. A session is worth what the entry among the staff is worth now.
    async fn session(&self, tenant: &Tenant, credential: &str) -> Result<CallerKind, Problem> {
        let (handle, digest) = sessions::split(credential).ok_or_else(unauthenticated)?;
        if !self.passwords.enabled() {
            return Err(unauthenticated());
        }
        let scope = Scope::system(tenant.tenant_id);
        let found = self.db.read(&scope, move |tx| {
            let session = sessions::store::by_handle(tx, &handle)?;
            match session.filter(|session| session.answers_to(&digest, tx.now())) {
                Some(session) => staff::by_id(tx, session.staff_id),
                None => Ok(None),
            }
        });
        Ok(CallerKind::Staff(Box::new(found.await?.ok_or_else(unauthenticated)?)))
    }

    /// Another system that comes through PDND. It is worth what its entry is worth now.
    async fn system(&self, tenant: &Tenant, pdnd: &PdndSettings, credential: &str) -> Result<CallerKind, Problem> {
        let refused = |refusal: VoucherRefusal| {
            tracing::info!(reason = refusal.reason(), "a voucher was refused");
            not_accepted(refusal.is_temporary())
        };
        let audience = pdnd.audience().ok_or_else(|| refused(VoucherRefusal::SwitchedOff))?;
        let claims = self.tokens.voucher(credential).await.map_err(|refusal| refused(refusal.into()))?;
        let voucher = Voucher::read(&claims, audience, self.db.clock().now()).map_err(refused)?;
        let Voucher { client_id, purpose_id, jti, expires_at } = voucher;
        let scope = Scope::system(tenant.tenant_id);
        let found = self.db.read(&scope, move |tx| pdnd::store::by_client_id(tx, &client_id));
        let client = found.await?.filter(|client| client.enabled);
        let client = client.ok_or_else(|| refused(VoucherRefusal::UnknownClient))?;
        // They name no person: this is what PDND's guidelines have a provider keep.
        tracing::info!(client_id = client.client_id, purpose_id, jti, "called with a voucher");
        Ok(CallerKind::Integration(Box::new(Integration {
            known_by: KnownBy::Voucher,
            handle: client.client_id,
            label: client.label,
            scopes: client.scopes.0,
            expires_at: Some(expires_at),
        })))
    }

    async fn person(&self, tenant: &Tenant, identity: Identity, step_up: Vec<String>) -> Result<CallerKind, Problem> {
        if identity.kind == ProviderKind::Citizens {
            let Some(tax_code) = identity.tax_code else { return Err(unauthenticated()) };
            let pseudonym = Pseudonym::of_tax_code(&self.secret, tenant.tenant_id, &tax_code);
            return Ok(CallerKind::Citizen(Box::new(Citizen {
                tax_code,
                given_name: identity.given_name,
                family_name: identity.family_name,
                email: identity.email,
                pseudonym,
                assurance: identity.assurance,
                step_up,
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

/// Finds out who calls before anything else of the request is read, so that nobody is told what is wrong
/// with a body they may not send.
///
/// # Errors
/// Those of [`Access::caller`].
pub async fn identify(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let wired = || {
        tracing::error!("the application was wired without Access");
        Refused(Problem::new(&storage::problems::INTERNAL_ERROR))
    };
    let access = req.app_data::<Data<Access>>().cloned().ok_or_else(wired)?;
    let slug = req.match_info().get("comune").unwrap_or_default().to_owned();
    let authorization = match req.headers().get(header::AUTHORIZATION) {
        None => None,
        Some(value) => Some(value.to_str().map_err(|_not_text| Refused(unauthenticated()))?.to_owned()),
    };
    let caller = access.caller(&slug, authorization.as_deref()).await.map_err(Refused)?;
    req.extensions_mut().insert(caller);
    next.call(req).await
}

impl FromRequest for Caller {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(req.extensions().get::<Self>().cloned().ok_or_else(|| {
            tracing::error!("a route of a Comune was wired without identify");
            Problem::new(&storage::problems::INTERNAL_ERROR).into()
        }))
    }
}

fn unauthenticated() -> Problem {
    Problem::new(&UNAUTHENTICATED)
}

/// What the bearer of a token that was refused is told: to come back where the token may be good.
fn not_accepted(is_temporary: bool) -> Problem {
    if is_temporary { Problem::new(&IDENTITY_UNAVAILABLE).retry_after(10) } else { unauthenticated() }
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
}
