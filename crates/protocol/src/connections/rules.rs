//! What a connection needs.

use kernel::Problem;
use platform::{
    problems::INVALID_BODY,
    webhooks::addresses::{self, Forbidden},
};
use validator::ValidationError;

use super::model::{ConnectorKind, NewConnection};

/// It becomes part of a header or of an address.
///
/// # Errors
/// For anything but visible ASCII characters.
pub fn visible(text: &str) -> Result<(), ValidationError> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(ValidationError::new("visible").with_message("visible ASCII characters".into()))
}

/// What an area is called where nothing was set.
pub const DEFAULT_AOO: &str = "SPORTELLO";
/// What the register is called where nothing was set: a repertorio.
pub const DEFAULT_REGISTER: &str = "RACC";

/// The code in the index of public administrations where none was set: the slug, which it usually is.
pub fn default_ipa_code(slug: &str) -> String {
    slug.chars().take(16).collect()
}

/// Whether a connection has what it needs, and nothing else. `kept` says whether a credential is kept.
///
/// # Errors
/// `invalid-body`, naming the field.
pub fn check(new: &NewConnection, private_hosts: &[String], kept: bool) -> Result<(), Problem> {
    let fault = |name: &str, code: &'static str, words: &'static str| {
        Err(Problem::new(&INVALID_BODY).field(format!("/{name}"), code, words))
    };
    if new.register_code.to_ascii_uppercase().starts_with("EM") {
        return fault("register_code", "reserved", "codes that begin with EM are those of emergency registers");
    }
    let docarea = new.connector == ConnectorKind::DocareaSoap;
    for (name, there, wanted) in [
        ("base_url", new.base_url.is_some(), new.connector != ConnectorKind::Internal),
        ("username", new.username.is_some(), docarea),
        ("entity_code", new.entity_code.is_some(), docarea),
    ] {
        match (there, wanted) {
            (false, true) => return fault(name, "incomplete", "this connector needs it"),
            (true, false) => return fault(name, "not-for-this-kind", "this connector has no use for it"),
            _ => {}
        }
    }
    match (new.connector, new.credential.is_some()) {
        (ConnectorKind::Internal, true) => {
            return fault("credential", "not-for-this-kind", "this connector has no use for it");
        }
        (ConnectorKind::HttpJson | ConnectorKind::DocareaSoap, false) if !kept => {
            return fault("credential", "incomplete", "this connector needs it");
        }
        _ => {}
    }
    let Some(base_url) = &new.base_url else { return Ok(()) };
    if base_url.contains(['?', '#']) {
        return fault("base_url", "malformed", "an address without query and fragment");
    }
    match addresses::check(base_url, private_hosts) {
        Ok(_) => Ok(()),
        Err(Forbidden::Malformed) => fault("base_url", "malformed", "no http or https address of a host"),
        Err(Forbidden::Cleartext) => fault("base_url", "cleartext", "https, unless private_hosts names the host"),
        Err(Forbidden::Private) => fault("base_url", "private", "private_hosts does not name the host"),
        Err(Forbidden::Never) => fault("base_url", "forbidden", "it leads where nothing may be sent to"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(connector: ConnectorKind) -> NewConnection {
        let docarea = connector == ConnectorKind::DocareaSoap;
        let outside = connector != ConnectorKind::Internal;
        NewConnection {
            connector,
            ipa_code: "c_x000".to_owned(),
            aoo_code: "AOO".to_owned(),
            register_code: "RACC".to_owned(),
            receipt_page: None,
            base_url: outside.then(|| "https://protocollo.example/x".to_owned()),
            username: docarea.then(|| "sportello".to_owned()),
            entity_code: docarea.then(|| "ENTE".to_owned()),
            credential: outside.then(|| "chiave".to_owned()),
        }
    }

    fn told(new: &NewConnection, kept: bool) -> Option<String> {
        check(new, &["protocollo.lan".to_owned()], kept).err().map(|problem| problem.errors[0].pointer.clone())
    }

    #[test]
    fn each_connector_has_what_it_needs_and_nothing_else() {
        use ConnectorKind::{DocareaSoap, HttpJson, Internal};
        for kind in [Internal, HttpJson, DocareaSoap] {
            assert_eq!(told(&new(kind), false), None, "{kind:?}");
        }
        assert_eq!(told(&NewConnection { base_url: None, ..new(HttpJson) }, false).as_deref(), Some("/base_url"));
        assert_eq!(told(&NewConnection { username: None, ..new(DocareaSoap) }, false).as_deref(), Some("/username"));
        let stray = NewConnection { entity_code: Some("X".to_owned()), ..new(HttpJson) };
        assert_eq!(told(&stray, false).as_deref(), Some("/entity_code"));
        let silent = NewConnection { credential: None, ..new(HttpJson) };
        assert_eq!((told(&silent, true), told(&silent, false).as_deref()), (None, Some("/credential")));
        let emergency = NewConnection { register_code: "em1".to_owned(), ..new(Internal) };
        assert_eq!(told(&emergency, false).as_deref(), Some("/register_code"));
    }

    #[test]
    fn addresses_lead_where_something_may_be_sent_to() {
        for (url, told_of) in [
            ("https://protocollo.example/x", false),
            ("http://protocollo.lan/x", false),
            ("http://protocollo.example/x", true),
            ("https://10.0.0.1/x", true),
            ("https://protocollo.example/x?a=b", true),
        ] {
            let new = NewConnection { base_url: Some(url.to_owned()), ..new(ConnectorKind::HttpJson) };
            assert_eq!(told(&new, false).is_some(), told_of, "{url}");
        }
    }
}
