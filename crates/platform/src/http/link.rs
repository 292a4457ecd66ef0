//! What a caller may do next with what they are reading.

use serde::Serialize;
use utoipa::ToSchema;

/// Something the caller may do now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({ "rel": "cancellation", "method": "POST", "href": "/bugliano/v1/appointments/01980000-0000-7000-8000-000000000030/cancellation" }))]
pub struct Link {
    /// What it does.
    #[schema(max_length = 50)]
    pub rel: String,
    /// HTTP method.
    #[schema(max_length = 10)]
    pub method: String,
    /// Path on this server.
    #[schema(max_length = 500)]
    pub href: String,
}
