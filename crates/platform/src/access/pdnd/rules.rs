//! What registering a client and changing it come to.

use uuid::Uuid;
use validator::ValidationError;

use super::model::{PdndClient, PdndClientPatch};
use crate::access::keys::KeyScope;

/// A UUID with its hyphens, in either case.
///
/// # Errors
/// For anything else.
pub fn client_id(text: &str) -> Result<(), ValidationError> {
    if text.len() == 36 && Uuid::try_parse(text).is_ok() {
        return Ok(());
    }
    Err(ValidationError::new("uuid").with_message("a UUID with its hyphens".into()))
}

/// Each scope once, in the order of the list of scopes.
pub fn each_once(scopes: &[KeyScope]) -> Vec<KeyScope> {
    KeyScope::ALL.iter().copied().filter(|scope| scopes.contains(scope)).collect()
}

/// What a change makes of a client.
pub fn changed(before: &PdndClient, patch: &PdndClientPatch) -> PdndClient {
    let mut after = before.clone();
    if let Some(label) = &patch.label {
        after.label.clone_from(label);
    }
    if let Some(scopes) = &patch.scopes {
        after.scopes.0 = each_once(scopes);
    }
    if let Some(enabled) = patch.enabled {
        after.enabled = enabled;
    }
    after.version = before.version.saturating_add(1);
    after
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use kernel::Id;
    use storage::Json;

    use super::*;

    #[test]
    fn a_client_is_named_by_a_uuid() {
        for good in ["5d2b1f8c-1111-4222-8333-944445555666", "5D2B1F8C-1111-4222-8333-944445555666"] {
            assert!(client_id(good).is_ok(), "{good}");
        }
        for bad in ["", "5d2b1f8c111142228333944445555666", "{5d2b1f8c-1111-4222-8333-944445555666}", "x"] {
            assert!(client_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_mentioned_stays() {
        let before = PdndClient {
            id: Id::from_uuid(Uuid::nil()),
            client_id: "5d2b1f8c-1111-4222-8333-944445555666".to_owned(),
            label: "Anagrafe".to_owned(),
            scopes: Json(vec![KeyScope::AppointmentsRead]),
            enabled: true,
            version: 4,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        };
        let read = |text: &str| changed(&before, &serde_json::from_str(text).unwrap());
        assert_eq!(read("{}"), PdndClient { version: 5, ..before.clone() });
        let after = read(r#"{"enabled":false,"scopes":["events:read","appointments:read","events:read"]}"#);
        assert_eq!((after.enabled, after.label.as_str()), (false, "Anagrafe"));
        assert_eq!(after.scopes.0, [KeyScope::AppointmentsRead, KeyScope::EventsRead]);
    }
}
