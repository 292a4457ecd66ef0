//! Tables of accounts with a password and of sessions, as both databases have them.

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    password_accounts (tenant_id, staff_id) {
        tenant_id -> Uid,
        staff_id -> Uid,
        password_hash -> Nullable<Text>,
        password_changed_at -> Nullable<Instant>,
        enrolment_digest -> Nullable<Text>,
        enrolment_expires_at -> Nullable<Instant>,
        totp_seed -> Nullable<Text>,
        totp_pending -> Nullable<Text>,
        totp_step -> BigInt,
        failures -> BigInt,
        failing_since -> Nullable<Instant>,
        locked_until -> Nullable<Instant>,
        locks -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    recovery_codes (tenant_id, staff_id, digest) {
        tenant_id -> Uid,
        staff_id -> Uid,
        digest -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    staff_sessions (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        staff_id -> Uid,
        handle -> Text,
        access_digest -> Text,
        access_expires_at -> Instant,
        refresh_digest -> Text,
        refresh_expires_at -> Instant,
        ends_at -> Instant,
        created_at -> Instant,
        ended_at -> Nullable<Instant>,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    spent_refreshes (tenant_id, session_id, digest) {
        tenant_id -> Uid,
        session_id -> Uid,
        digest -> Text,
    }
}
