//! Whose tokens are accepted, and whether staff may have passwords.

use std::{path::PathBuf, sync::Arc};

use connectors::HttpKeySource;
use jsonwebtoken::Algorithm;
use kernel::Clock;
use platform::access::{
    assurance::AssuranceClaim,
    pdnd::ClientKeys,
    sessions::PasswordSettings,
    tokens::{ClaimNames, KeyLocation, Provider, ProviderKind},
};
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Whose tokens are accepted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// One entry per identity provider.
    pub providers: Vec<ProviderConfig>,
    /// Whether staff may sign in with a password.
    pub passwords: PasswordSettings,
    /// Where PDND's interoperability API is, which has the keys of its clients: https, or http on this machine.
    pub pdnd_keys_url: Option<String>,
    /// The file with the token that this API asks for. Read whenever a key is asked for.
    pub pdnd_keys_token_file: Option<PathBuf>,
}

impl IdentityConfig {
    /// The keys with which clients of PDND sign, where it is said where they are.
    ///
    /// # Errors
    /// When the settings cannot be meant.
    pub fn client_keys(&self, clock: Arc<dyn Clock>) -> Result<Option<Arc<ClientKeys>>, ConfigError> {
        let wrong = |reason: &dyn ToString| ConfigError::ClientKeys(reason.to_string());
        let Some(base) = &self.pdnd_keys_url else {
            return match self.pdnd_keys_token_file {
                Some(_) => Err(wrong(&"pdnd_keys_token_file is given, and no pdnd_keys_url")),
                None => Ok(None),
            };
        };
        HttpKeySource::check_address(base).map_err(|error| wrong(&error))?;
        if base.contains(['?', '#']) {
            return Err(wrong(&"pdnd_keys_url goes on with /keys/…, so it has no query"));
        }
        let source = HttpKeySource::new().map_err(|error| wrong(&error))?;
        let source = source.with_token_file(self.pdnd_keys_token_file.clone());
        Ok(Some(Arc::new(ClientKeys::new(base, Arc::new(source), clock))))
    }
}

/// An identity provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// Its name; staff are bound to it together with their subject.
    pub name: String,
    /// Whom it identifies.
    pub kind: ProviderKind,
    /// The exact `iss` of its tokens.
    pub issuer: String,
    /// What `aud` must contain; `{tenant}` stands for the Comune's slug. Of vouchers each Comune says it itself.
    pub audience: Option<String>,
    /// Signature algorithms accepted.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are: https, or http on this machine.
    pub jwks_url: Option<String>,
    /// A file with its keys.
    pub jwks_file: Option<PathBuf>,
    /// The names of its claims.
    #[serde(default)]
    pub claims: ClaimNames,
    /// How it tells how sure it is of a person.
    #[serde(default)]
    pub assurance: AssuranceClaim,
}

pub(super) fn default_algorithms() -> Vec<Algorithm> {
    vec![Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256]
}

impl ProviderConfig {
    /// The provider, with its keys read from their file or to be fetched.
    ///
    /// # Errors
    /// When the keys cannot be had.
    pub fn provider(&self) -> Result<Provider, ConfigError> {
        let keys = match (&self.jwks_url, &self.jwks_file) {
            (Some(url), None) => {
                HttpKeySource::check_address(url)
                    .map_err(|error| ConfigError::KeyAddress { name: self.name.clone(), reason: error.to_string() })?;
                KeyLocation::Url(url.clone())
            }
            (None, Some(path)) => KeyLocation::Inline(std::fs::read(path).map_err(|source| ConfigError::KeyFile {
                name: self.name.clone(),
                path: path.clone(),
                source,
            })?),
            _ => return Err(ConfigError::Keys(self.name.clone())),
        };
        if self.audience.is_none() != (self.kind == ProviderKind::Pdnd) {
            return Err(ConfigError::Audience(self.name.clone()));
        }
        Ok(Provider {
            name: self.name.clone(),
            kind: self.kind,
            issuer: self.issuer.clone(),
            audience: self.audience.clone().unwrap_or_default(),
            algorithms: self.algorithms.clone(),
            keys,
            claims: self.claims.clone(),
            assurance: self.assurance.clone(),
        })
    }
}
