//! Clients of PDND, as stored, asked for and served.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::{Id, civil};
use serde::{Deserialize, Serialize};
use storage::Json;
use utoipa::ToSchema;
use validator::Validate;

use super::{rules, schema::pdnd_clients};
use crate::{
    access::keys::KeyScope,
    http::{Link, typed_patch::kept},
    settings::rules::one_line,
};

/// The identifier of a registered client.
pub type PdndClientId = Id<PdndClient>;

/// A system that the Comune lets in through PDND (client del fruitore).
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = pdnd_clients)]
pub struct PdndClient {
    /// Identifier.
    pub id: PdndClientId,
    /// What PDND calls it: a UUID, in lower case.
    pub client_id: String,
    /// What people call it.
    pub label: String,
    /// What it may do.
    pub scopes: Json<Vec<KeyScope>>,
    /// Whether it gets in.
    pub enabled: bool,
    /// Counts changes.
    pub version: i64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A system that the Comune lets in through PDND.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PdndClient, example = json!({
    "id": "01980000-0000-7000-8000-000000000090", "client_id": "5d2b1f8c-1111-4222-8333-944445555666",
    "label": "Comune di Altrove, anagrafe", "scopes": ["appointments:read"], "enabled": true, "version": 1,
    "created_at": "2026-11-29T10:00:00+01:00", "updated_at": "2026-11-29T10:00:00+01:00", "links": []
}))]
pub struct PdndClientView {
    /// Identifier.
    pub id: PdndClientId,
    /// What PDND calls it: `client_id` of its vouchers.
    #[schema(min_length = 36, max_length = 36, format = "uuid")]
    pub client_id: String,
    /// What people call it.
    #[schema(max_length = 200)]
    pub label: String,
    /// What it may do.
    #[schema(max_items = 20)]
    pub scopes: Vec<KeyScope>,
    /// Whether it gets in.
    pub enabled: bool,
    /// Counts changes.
    #[schema(minimum = 1)]
    pub version: i64,
    /// When it was registered.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
    /// When it was changed last.
    #[serde(with = "civil::rfc3339")]
    pub updated_at: Timestamp,
    /// What the caller may do with it now.
    #[schema(max_items = 5)]
    pub links: Vec<Link>,
}

/// A client to be registered.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "client_id": "5d2b1f8c-1111-4222-8333-944445555666", "label": "Comune di Altrove, anagrafe", "scopes": ["appointments:read"]
}))]
pub struct NewPdndClient {
    /// What PDND calls it: a UUID, which is kept in lower case.
    #[validate(custom(function = rules::client_id))]
    #[schema(
        min_length = 36,
        max_length = 36,
        format = "uuid",
        pattern = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
    )]
    pub client_id: String,
    /// What people call it.
    #[validate(length(min = 1, max = 200), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub label: String,
    /// What it may do.
    #[validate(length(max = 20))]
    #[schema(max_items = 20)]
    pub scopes: Vec<KeyScope>,
}

/// What to change. An absent member stays as it is.
#[derive(Debug, Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "enabled": false }))]
pub struct PdndClientPatch {
    /// What people call it.
    #[serde(default, deserialize_with = "kept")]
    #[validate(length(min = 1, max = 200), custom(function = one_line))]
    #[schema(value_type = String, min_length = 1, max_length = 200, pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$")]
    pub label: Option<String>,
    /// What it may do, all of it.
    #[serde(default, deserialize_with = "kept")]
    #[validate(length(max = 20))]
    #[schema(value_type = Vec<KeyScope>, max_items = 20)]
    pub scopes: Option<Vec<KeyScope>>,
    /// Whether it gets in, from its next request on.
    #[serde(default, deserialize_with = "kept")]
    #[schema(value_type = bool)]
    pub enabled: Option<bool>,
}

impl PdndClient {
    /// What is shown of it, in the Comune of this slug.
    pub fn view(self, slug: &str) -> PdndClientView {
        let href = format!("/{slug}/v1/pdnd-clients/{}", self.id);
        let link =
            |rel: &str, method: &str| Link { rel: rel.to_owned(), method: method.to_owned(), href: href.clone() };
        PdndClientView {
            links: vec![link("update", "PATCH"), link("delete", "DELETE")],
            id: self.id,
            client_id: self.client_id,
            label: self.label,
            scopes: self.scopes.0,
            enabled: self.enabled,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}
