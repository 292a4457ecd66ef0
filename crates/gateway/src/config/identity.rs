//! Whose tokens are accepted, and whether staff may have passwords.

use std::path::PathBuf;

use jsonwebtoken::Algorithm;
use platform::access::{
    assurance::AssuranceClaim,
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
    /// What `aud` must contain; `{tenant}` stands for the Comune's slug.
    pub audience: String,
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
                connectors::HttpKeySource::check_address(url)
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
        Ok(Provider {
            name: self.name.clone(),
            kind: self.kind,
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            algorithms: self.algorithms.clone(),
            keys,
            claims: self.claims.clone(),
            assurance: self.assurance.clone(),
        })
    }
}
