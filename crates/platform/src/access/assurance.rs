//! How sure it is that a person is who their token says: the levels of SPID, CIE and eIDAS (Regulation (EU) 910/2014,
//! art. 8), and which of them a call needs.
//!
//! Citizens come with the level that their identity provider attests. What is anybody's to read they read at any level;
//! what is theirs, and what they write, needs the level that the Comune has set (art. 64 CAD; SPID level 2 by default).

use std::collections::BTreeMap;

use kernel::Problem;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::caller::{Caller, CallerKind, Citizen};
use crate::problems::ASSURANCE_TOO_LOW;

storage::text_enum! {
    /// How sure it is that a person is who their token says. Each level includes those before it.
    pub enum Assurance {
        /// One factor (SPID 1, eIDAS low).
        L1 = "l1",
        /// Two factors (SPID 2, CIE 2, eIDAS substantial).
        L2 = "l2",
        /// Two factors, one of them a certificate (SPID 3, CIE 3, eIDAS high).
        L3 = "l3",
    }
}

/// How a provider tells the level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AssuranceClaim {
    /// The claim that holds it.
    pub claim: String,
    /// What its values mean.
    pub levels: BTreeMap<String, Assurance>,
    /// What a token without the claim is worth.
    pub default_level: Assurance,
}

impl Default for AssuranceClaim {
    /// The values of SPID, which CIE uses too, and those of eIDAS.
    fn default() -> Self {
        let levels = [
            ("https://www.spid.gov.it/SpidL1", Assurance::L1),
            ("https://www.spid.gov.it/SpidL2", Assurance::L2),
            ("https://www.spid.gov.it/SpidL3", Assurance::L3),
            ("http://eidas.europa.eu/LoA/low", Assurance::L1),
            ("http://eidas.europa.eu/LoA/substantial", Assurance::L2),
            ("http://eidas.europa.eu/LoA/high", Assurance::L3),
        ];
        let levels = levels.map(|(value, level)| (value.to_owned(), level)).into();
        Self { claim: "acr".to_owned(), levels, default_level: Assurance::L1 }
    }
}

impl AssuranceClaim {
    /// The level that a token attests. A value that nobody has explained is worth the least.
    pub fn level(&self, claims: &Map<String, Value>) -> Assurance {
        match claims.get(&self.claim).filter(|value| !value.is_null()) {
            None => self.default_level,
            Some(value) => value.as_str().and_then(|value| self.levels.get(value)).copied().unwrap_or(Assurance::L1),
        }
    }

    /// The values that a client may ask the provider for to reach a level (`acr_values`), the lowest first.
    pub fn values_for(&self, level: Assurance) -> Vec<String> {
        let mut fitting: Vec<_> = self.levels.iter().filter(|(_, reached)| **reached >= level).collect();
        fitting.sort_by_key(|(_, reached)| **reached);
        fitting.into_iter().map(|(value, _)| value.clone()).collect()
    }
}

/// Whether a citizen is known well enough for what is theirs.
///
/// # Errors
/// `assurance-too-low`, with the level needed, the level had, and what to ask the identity provider for (RFC 9470).
pub fn assured(citizen: &Citizen, needed: Assurance) -> Result<(), Problem> {
    if citizen.assurance >= needed {
        return Ok(());
    }
    Err(Problem::new(&ASSURANCE_TOO_LOW)
        .detail(format!("level {} is needed, the token attests {}", needed.as_str(), citizen.assurance.as_str()))
        .with("required_assurance", needed.as_str())
        .with("actual_assurance", citizen.assurance.as_str())
        .with("acr_values", citizen.step_up.clone()))
}

/// The same of any caller: only citizens come with a level.
///
/// # Errors
/// Those of [`assured`].
pub fn required(caller: &Caller) -> Result<(), Problem> {
    match &caller.kind {
        CallerKind::Citizen(citizen) => assured(citizen, caller.settings().identity.minimum()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn level(claim: &AssuranceClaim, claims: &Value) -> Assurance {
        claim.level(claims.as_object().unwrap())
    }

    #[test]
    fn what_is_not_understood_is_worth_the_least() {
        let strict = AssuranceClaim::default();
        let trusting = AssuranceClaim { default_level: Assurance::L2, ..AssuranceClaim::default() };
        for (claims, by_strict, by_trusting) in [
            (json!({}), Assurance::L1, Assurance::L2),
            (json!({ "acr": null }), Assurance::L1, Assurance::L2),
            (json!({ "acr": "https://www.spid.gov.it/SpidL1" }), Assurance::L1, Assurance::L1),
            (json!({ "acr": "https://www.spid.gov.it/SpidL2" }), Assurance::L2, Assurance::L2),
            (json!({ "acr": "https://www.spid.gov.it/SpidL3" }), Assurance::L3, Assurance::L3),
            (json!({ "acr": "http://eidas.europa.eu/LoA/substantial" }), Assurance::L2, Assurance::L2),
            (json!({ "acr": "https://www.spid.gov.it/SpidL4" }), Assurance::L1, Assurance::L1),
            (json!({ "acr": ["https://www.spid.gov.it/SpidL3"] }), Assurance::L1, Assurance::L1),
            (json!({ "acr": 3 }), Assurance::L1, Assurance::L1),
        ] {
            assert_eq!(level(&strict, &claims), by_strict, "{claims}");
            assert_eq!(level(&trusting, &claims), by_trusting, "{claims}");
        }
    }

    #[test]
    fn a_client_is_told_what_to_ask_for() {
        let claim = AssuranceClaim::default();
        let expected = ["http://eidas.europa.eu/LoA/high", "https://www.spid.gov.it/SpidL3"];
        assert_eq!(claim.values_for(Assurance::L3), expected);
        assert_eq!(claim.values_for(Assurance::L2).len(), 4);
        assert_eq!(claim.values_for(Assurance::L2).last().map(String::as_str), Some(expected[1]));
    }
}
