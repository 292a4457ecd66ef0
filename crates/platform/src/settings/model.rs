//! Settings of a Comune, as stored, asked for and served.

use kernel::Lang;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::{
    messages::{MessageSettings, MessageSettingsPatch, MessageSettingsView},
    pdnd::{PdndSettings, PdndSettingsPatch, PdndSettingsView},
    rules,
};
use crate::{
    access::Assurance,
    http::{
        Link,
        typed_patch::{given, given_object, kept, members},
    },
};

/// What a Comune has set. What it has not set is absent; a member that this version does not know was written by
/// a newer one and is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantSettings {
    /// Where people write.
    pub email: Option<String>,
    /// Where people telephone.
    pub phone: Option<String>,
    /// The Comune's site.
    pub website: Option<String>,
    /// The privacy notice (GDPR, articles 13 and 14).
    pub privacy_notice_url: Option<String>,
    /// Origins of the sites whose pages may call from a browser.
    pub cors_origins: Vec<String>,
    /// How long a hold lasts, in minutes; absent: as the deployment says.
    pub hold_minutes: Option<u32>,
    /// Hosts in the Comune's own network that webhooks may lead to.
    pub private_hosts: Vec<String>,
    /// How the Comune writes to people.
    pub messages: MessageSettings,
    /// How callers are known.
    pub identity: IdentitySettings,
    /// Whether other systems may call through PDND.
    pub pdnd: PdndSettings,
}

/// How well a Comune wants its callers known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdentitySettings {
    /// What citizens need for what is theirs; absent: level 2.
    pub minimum_assurance: Option<Assurance>,
}

impl IdentitySettings {
    /// What citizens need for what is theirs.
    pub fn minimum(&self) -> Assurance {
        self.minimum_assurance.unwrap_or(Assurance::L2)
    }
}

/// Settings, and which change of them this is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredSettings {
    /// The settings.
    pub settings: TenantSettings,
    /// Counts changes; 0 when nothing was ever set.
    pub version: i64,
}

/// What a Comune shows of itself, and to its admins all that it has set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Settings, example = json!({
    "name": "Comune di Bugliano", "patron_day": "06-24", "patron_name": "San Giovanni Battista",
    "email": "urp@comune.bugliano.example", "phone": "+39 050 0000000", "website": "https://www.comune.bugliano.example",
    "privacy_notice_url": "https://www.comune.bugliano.example/privacy", "languages": ["it", "en", "de"],
    "cors_origins": ["https://servizi.comune.bugliano.example"], "hold_minutes": 10,
    "private_hosts": [],
    "messages": { "sender_name": null, "reply_to": null, "reminder_hours": 24, "app_io_enabled": false },
    "identity": { "minimum_assurance": "l2" },
    "pdnd": { "enabled": false, "audience": null, "signature_required": false }, "version": 3, "links": []
}))]
pub struct SettingsView {
    /// What the Comune is called.
    #[schema(max_length = 200)]
    pub name: String,
    /// The patron saint's day, month and day.
    #[schema(max_length = 5)]
    pub patron_day: Option<String>,
    /// The patron saint.
    #[schema(max_length = 100)]
    pub patron_name: Option<String>,
    /// Where people write.
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// Where people telephone.
    #[schema(max_length = 30)]
    pub phone: Option<String>,
    /// The Comune's site.
    #[schema(max_length = 500)]
    pub website: Option<String>,
    /// The privacy notice (GDPR, articles 13 and 14).
    #[schema(max_length = 500)]
    pub privacy_notice_url: Option<String>,
    /// Languages that `Accept-Language` may ask for.
    #[schema(max_items = 10)]
    pub languages: Vec<String>,
    /// Origins whose pages may call from a browser. For admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 20)]
    pub cors_origins: Option<Vec<String>>,
    /// How long a hold lasts, in minutes; null: as the deployment says. For admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 60)]
    pub hold_minutes: Option<Option<u32>>,
    /// Hosts in the Comune's own network that webhooks may lead to. For admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 20)]
    pub private_hosts: Option<Vec<String>>,
    /// How the Comune writes to people. For admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<MessageSettingsView>,
    /// How well callers must be known.
    pub identity: IdentityView,
    /// Whether other systems may call through PDND. For admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pdnd: Option<PdndSettingsView>,
    /// Counts changes.
    #[schema(minimum = 0)]
    pub version: i64,
    /// What the caller may do with them now.
    #[schema(max_items = 5)]
    pub links: Vec<Link>,
}

/// How well callers must be known.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentitySettings, example = json!({ "minimum_assurance": "l2" }))]
pub struct IdentityView {
    /// What citizens need for what is theirs: a token of a lower level is refused with `assurance-too-low`.
    pub minimum_assurance: Assurance,
}

/// The languages there are.
pub(super) fn languages() -> Vec<String> {
    [Lang::It, Lang::En, Lang::De].map(|lang| lang.tag().to_owned()).to_vec()
}

/// What to change. An absent member stays as it is; null takes a setting back to its default.
#[derive(Debug, Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "phone": "+39 050 0000000", "cors_origins": ["https://servizi.comune.bugliano.example"] }))]
pub struct SettingsPatch {
    /// What the Comune is called.
    #[serde(default, deserialize_with = "kept")]
    #[validate(length(min = 1, max = 200), custom(function = rules::one_line))]
    #[schema(value_type = String, min_length = 1, max_length = 200, pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$")]
    pub name: Option<String>,
    /// The patron saint's day, month and day: `06-24`. Null: none, and no name of one.
    #[serde(default, deserialize_with = "given")]
    #[validate(custom(function = rules::month_and_day))]
    #[schema(value_type = Option<String>, min_length = 5, max_length = 5, pattern = r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
    pub patron_day: Option<Option<String>>,
    /// The patron saint.
    #[serde(default, deserialize_with = "given")]
    #[validate(length(min = 1, max = 100), custom(function = rules::one_line))]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$")]
    pub patron_name: Option<Option<String>>,
    /// Where people write.
    #[serde(default, deserialize_with = "given")]
    #[validate(email, length(max = 254), custom(function = rules::one_word))]
    #[schema(value_type = Option<String>, format = "email", max_length = 254)]
    pub email: Option<Option<String>>,
    /// Where people telephone.
    #[serde(default, deserialize_with = "given")]
    #[validate(length(min = 3, max = 30), custom(function = rules::phone_number))]
    #[schema(value_type = Option<String>, min_length = 3, max_length = 30, pattern = r"^\+?[0-9 ()./-]+$")]
    pub phone: Option<Option<String>>,
    /// The Comune's site, `https://…`.
    #[serde(default, deserialize_with = "given")]
    #[validate(length(max = 500), custom(function = rules::web_address))]
    #[schema(value_type = Option<String>, max_length = 500, pattern = r"^https://[A-Za-z0-9.-]+(/[!-~]*)?$")]
    pub website: Option<Option<String>>,
    /// The privacy notice, `https://…` (GDPR, articles 13 and 14).
    #[serde(default, deserialize_with = "given")]
    #[validate(length(max = 500), custom(function = rules::web_address))]
    #[schema(value_type = Option<String>, max_length = 500, pattern = r"^https://[A-Za-z0-9.-]+(/[!-~]*)?$")]
    pub privacy_notice_url: Option<Option<String>>,
    /// Origins whose pages may call from a browser, as browsers write them: `https://servizi.comune.example`, without
    /// a path. `http` only for this machine.
    #[serde(default, deserialize_with = "given")]
    #[validate(length(max = 20), custom(function = rules::origins))]
    #[schema(value_type = Option<Vec<Origin>>, max_items = 20)]
    pub cors_origins: Option<Option<Vec<String>>>,
    /// How long a hold lasts, in minutes; null: as the deployment says.
    #[serde(default, deserialize_with = "given")]
    #[validate(range(min = 1, max = 60))]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 60)]
    pub hold_minutes: Option<Option<u32>>,
    /// Hosts in the Comune's own network that webhooks may lead to, by http too: names in lower case or IP addresses,
    /// without a port. Whoever is named here can be reached with events by whoever may make webhooks.
    #[serde(default, deserialize_with = "given")]
    #[validate(length(max = 20), custom(function = rules::hosts))]
    #[schema(value_type = Option<Vec<HostName>>, max_items = 20)]
    pub private_hosts: Option<Option<Vec<String>>>,
    /// How the Comune writes to people; a member that is not mentioned stays.
    #[serde(default, deserialize_with = "members")]
    #[validate(nested)]
    #[schema(value_type = MessageSettingsPatch)]
    pub messages: Option<MessageSettingsPatch>,
    /// How well callers must be known; null: all of it as by default.
    #[serde(default, deserialize_with = "given_object")]
    #[validate(nested)]
    #[schema(value_type = Option<IdentityPatch>)]
    pub identity: Option<Option<IdentityPatch>>,
    /// Whether other systems may call through PDND; a member that is not mentioned stays.
    #[serde(default, deserialize_with = "members")]
    #[validate(nested)]
    #[schema(value_type = PdndSettingsPatch)]
    pub pdnd: Option<PdndSettingsPatch>,
}

/// What to change of how well callers must be known.
#[derive(Debug, Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IdentitySettingsPatch, example = json!({ "minimum_assurance": "l3" }))]
pub struct IdentityPatch {
    /// What citizens need for what is theirs; null: `l2`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Assurance>)]
    pub minimum_assurance: Option<Option<Assurance>>,
}

/// A host, by name or IP address.
#[derive(Debug, ToSchema)]
#[schema(min_length = 1, max_length = 253, pattern = r"^[a-z0-9.:-]+$", example = "protocollo.comune.lan")]
pub struct HostName(#[expect(dead_code, reason = "describes the items of a list in the contract")] String);

/// The origin of a site.
#[derive(Debug, ToSchema)]
#[schema(
    min_length = 8,
    max_length = 200,
    pattern = r"^(https://[a-z0-9.-]+|http://(localhost|127\.0\.0\.1))(:[0-9]{1,5})?$",
    example = "https://servizi.comune.bugliano.example"
)]
pub struct Origin(#[expect(dead_code, reason = "describes the items of a list in the contract")] String);
