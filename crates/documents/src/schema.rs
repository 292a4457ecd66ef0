//! The tables of documents, as both databases have them.

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    documents (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        owner -> Text,
        name -> Text,
        media_type -> Text,
        size_bytes -> BigInt,
        sha256 -> Text,
        object_key -> Nullable<Text>,
        state -> Text,
        scans -> BigInt,
        scan_at -> Nullable<Instant>,
        subject_kind -> Nullable<Text>,
        subject_id -> Nullable<Uid>,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    document_discards (tenant_id, object_key) {
        tenant_id -> Uid,
        object_key -> Text,
        due_at -> Instant,
        taken_until -> Nullable<Instant>,
    }
}
