//! Tokens of the demo's own issuer, for callers whom `credentials.json` does not have.

use gateway::demo::issuer::DemoIssuer;
use jiff::{SignedDuration, Timestamp};
use platform::access::tokens::ClaimNames;
use serde_json::{Map, Value};
use tests::Server;

use crate::rows;

/// The demo's issuers, as its providers name them.
pub(crate) const CITIZENS: &str = "https://demo.sportello.invalid/citizens";
pub(crate) const STAFF: &str = "https://demo.sportello.invalid/staff";
/// The provider that the demo's staff are enrolled under.
pub(crate) const STAFF_PROVIDER: &str = "demo-staff";

/// The codici fiscali of the demo's two citizens.
pub(crate) const TAX_CODE_A: &str = "PRVNNA80A41Z998F";
pub(crate) const TAX_CODE_B: &str = "SMPLCU75C15Z998W";

/// A token, good for an hour from `since` on.
pub(crate) fn token(
    server: &Server,
    issuer: &str,
    audience: &str,
    subject: &str,
    claims: Map<String, Value>,
    since: Timestamp,
) -> String {
    let key = DemoIssuer::load_or_create(server.folder()).expect("the demo's issuer");
    key.mint(issuer, audience, subject, claims, since, SignedDuration::from_hours(1)).expect("a token")
}

/// A citizen's token for a Comune.
pub(crate) fn citizen(server: &Server, audience: &str, tax_code: &str) -> String {
    citizen_since(server, audience, tax_code, rows::now())
}

/// A citizen's token that says how sure the provider is.
pub(crate) fn citizen_of_level(server: &Server, audience: &str, tax_code: &str, acr: &str) -> String {
    let claims = [(ClaimNames::default().tax_code, format!("TINIT-{tax_code}").into()), ("acr".to_owned(), acr.into())];
    token(server, CITIZENS, audience, tax_code, claims.into_iter().collect(), rows::now())
}

/// The same, good for an hour from `since` on.
pub(crate) fn citizen_since(server: &Server, audience: &str, tax_code: &str, since: Timestamp) -> String {
    let claims = [(ClaimNames::default().tax_code, format!("TINIT-{tax_code}").into())].into_iter().collect();
    token(server, CITIZENS, audience, tax_code, claims, since)
}

/// A staff member's token for a Comune.
pub(crate) fn staff(server: &Server, audience: &str, subject: &str) -> String {
    token(server, STAFF, audience, subject, Map::new(), rows::now())
}
