//! The platform's tables, as both databases have them.

pub use crate::access::pdnd::schema::{pdnd_clients, pdnd_signatures_seen};
pub use crate::access::sessions::schema::{password_accounts, recovery_codes, spent_refreshes, staff_sessions};

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    tenants (tenant_id) {
        tenant_id -> Uid,
        slug -> Text,
        name -> Text,
        patron_month -> Nullable<BigInt>,
        patron_day -> Nullable<BigInt>,
        patron_name -> Nullable<Text>,
        state -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    places (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        name -> JsonCol,
        address -> Text,
        postal_code -> Text,
        locality -> Text,
        latitude_e6 -> Nullable<BigInt>,
        longitude_e6 -> Nullable<BigInt>,
        accessibility -> Nullable<JsonCol>,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    offices (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        slug -> Text,
        name -> JsonCol,
        description -> Nullable<JsonCol>,
        place_id -> Uid,
        email -> Nullable<Text>,
        phone -> Nullable<Text>,
        central -> Bool,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    closures (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        date -> CivilDate,
        reason -> JsonCol,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    staff_members (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        provider -> Text,
        subject -> Text,
        display_name -> Text,
        role -> Text,
        disabled_at -> Nullable<Instant>,
        created_at -> Instant,
        version -> BigInt,
    }
}

diesel::table! {
    use storage::types::*;

    staff_offices (tenant_id, staff_id, office_id) {
        tenant_id -> Uid,
        staff_id -> Uid,
        office_id -> Uid,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    api_keys (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        handle -> Text,
        secret_hash -> Text,
        previous_hash -> Nullable<Text>,
        previous_expires_at -> Nullable<Instant>,
        kind -> Text,
        label -> Text,
        office_id -> Nullable<Uid>,
        scopes -> JsonCol,
        expires_at -> Nullable<Instant>,
        revoked_at -> Nullable<Instant>,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    idempotency_records (tenant_id, fingerprint) {
        tenant_id -> Uid,
        fingerprint -> Text,
        request_hash -> Text,
        sealed -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    outbox_events (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        kind -> Text,
        subject_kind -> Text,
        subject_id -> Uid,
        subject_version -> BigInt,
        actor -> Text,
        payload -> JsonCol,
        occurred_at -> Instant,
        position -> Nullable<BigInt>,
        office_id -> Nullable<Uid>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    event_streams (tenant_id) {
        tenant_id -> Uid,
        last_position -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    parked_reactions (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        event_id -> Uid,
        reaction -> Text,
        error -> Text,
        attempts -> BigInt,
        failed_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    webhooks (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        url -> Text,
        description -> Nullable<Text>,
        kinds -> JsonCol,
        state -> Text,
        disabled_because -> Nullable<Text>,
        signing_key -> Text,
        previous_key -> Nullable<Text>,
        previous_expires_at -> Nullable<Instant>,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    webhook_deliveries (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        webhook_id -> Uid,
        event_id -> Uid,
        subject_id -> Uid,
        position -> BigInt,
        state -> Text,
        attempts -> BigInt,
        next_attempt_at -> Instant,
        leased_by -> Nullable<Uid>,
        leased_until -> Nullable<Instant>,
        created_at -> Instant,
        settled_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    webhook_attempts (tenant_id, delivery_id, id) {
        tenant_id -> Uid,
        delivery_id -> Uid,
        id -> Uid,
        started_at -> Instant,
        millis -> BigInt,
        status -> Nullable<BigInt>,
        outcome -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    audit_lanes (tenant_id, lane) {
        tenant_id -> Uid,
        lane -> BigInt,
        last_seq -> BigInt,
        last_hash -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    audit_entries (tenant_id, lane, seq) {
        tenant_id -> Uid,
        lane -> BigInt,
        seq -> BigInt,
        id -> Uid,
        occurred_at -> Instant,
        actor -> Text,
        action -> Text,
        subject_kind -> Text,
        subject_id -> Uid,
        before -> Nullable<Text>,
        after -> Nullable<Text>,
        previous -> Text,
        hash -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    tenant_settings (tenant_id) {
        tenant_id -> Uid,
        settings -> JsonCol,
        version -> BigInt,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    retention_rules (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        record_kind -> Text,
        service_id -> Uid,
        action -> Text,
        after_days -> BigInt,
        version -> BigInt,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    legal_holds (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        person_key -> Nullable<Text>,
        record_kind -> Nullable<Text>,
        record_id -> Nullable<Uid>,
        reason -> Text,
        created_by -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    retention_runs (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        rule_id -> Nullable<Uid>,
        record_kind -> Text,
        service_id -> Nullable<Uid>,
        action -> Text,
        due_before -> Instant,
        oldest_at -> Instant,
        newest_at -> Instant,
        counted -> BigInt,
        disposed -> BigInt,
        held -> BigInt,
        dry_run -> Bool,
        actor -> Text,
        started_at -> Instant,
        ended_at -> Instant,
    }
}

diesel::table! {
    use storage::types::*;

    retention_turns (tenant_id) {
        tenant_id -> Uid,
        day -> CivilDate,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    data_access_entries (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        occurred_at -> Instant,
        actor -> Text,
        action -> Text,
        person_key -> Nullable<Text>,
        record_kind -> Nullable<Text>,
        record_id -> Nullable<Uid>,
        reference -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    messages (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        kind -> Text,
        subject_kind -> Text,
        subject_id -> Uid,
        person -> Text,
        event_id -> Uid,
        send_at -> Instant,
        state -> Text,
        attempts -> BigInt,
        next_attempt_at -> Instant,
        leased_by -> Nullable<Text>,
        channel -> Nullable<Text>,
        outcome -> Nullable<Text>,
        language -> Nullable<Text>,
        sent_at -> Nullable<Instant>,
        version -> BigInt,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    message_contents (tenant_id, message_id) {
        tenant_id -> Uid,
        message_id -> Uid,
        recipient -> Text,
        subject -> Text,
        body -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    message_preferences (tenant_id, person) {
        tenant_id -> Uid,
        person -> Text,
        reminders -> Text,
        language -> Nullable<Text>,
        version -> BigInt,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    message_templates (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        kind -> Text,
        language -> Text,
        subject -> Text,
        body -> Text,
        html -> Text,
        version -> BigInt,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    app_io_connections (tenant_id) {
        tenant_id -> Uid,
        concealed -> Text,
        version -> BigInt,
        updated_at -> Instant,
    }
}

diesel::allow_tables_to_appear_in_same_query!(offices, places, staff_members, staff_offices);
diesel::allow_tables_to_appear_in_same_query!(
    outbox_events,
    parked_reactions,
    webhook_attempts,
    webhook_deliveries,
    webhooks,
);
