//! Tables of PDND's clients and of their signatures, as both databases have them.

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    pdnd_clients (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        client_id -> Text,
        label -> Text,
        scopes -> JsonCol,
        enabled -> Bool,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    pdnd_signatures_seen (tenant_id, client_id, jti) {
        tenant_id -> Uid,
        client_id -> Text,
        jti -> Text,
        expires_at -> Instant,
    }
}
