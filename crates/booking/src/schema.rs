//! The tables of booking, as both databases have them.

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    calendars (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        office_id -> Uid,
        name -> JsonCol,
        tick_minutes -> BigInt,
        slot_minutes -> BigInt,
        capacity -> BigInt,
        closed_on_holidays -> Bool,
        lead_minutes -> BigInt,
        horizon_days -> BigInt,
        version -> BigInt,
        hours_version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    opening_rules (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        calendar_id -> Uid,
        weekday -> BigInt,
        starts_at -> CivilTime,
        ends_at -> CivilTime,
        valid_from -> CivilDate,
        valid_until -> Nullable<CivilDate>,
        every_n_weeks -> BigInt,
        capacity -> BigInt,
        internal_capacity -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    opening_exceptions (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        calendar_id -> Uid,
        date -> CivilDate,
        kind -> Text,
        starts_at -> Nullable<CivilTime>,
        ends_at -> Nullable<CivilTime>,
        capacity -> Nullable<BigInt>,
        reason -> Nullable<JsonCol>,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    appointment_services (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        slug -> Text,
        name -> JsonCol,
        description -> Nullable<JsonCol>,
        required_documents -> JsonCol,
        duration_minutes -> BigInt,
        extra_person_minutes -> BigInt,
        max_persons -> BigInt,
        buffer_before_minutes -> BigInt,
        buffer_after_minutes -> BigInt,
        max_per_person -> Nullable<BigInt>,
        anonymous_allowed -> Bool,
        version -> BigInt,
        keywords -> Nullable<JsonCol>,
        special_category -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    service_calendars (tenant_id, service_id, calendar_id) {
        tenant_id -> Uid,
        service_id -> Uid,
        calendar_id -> Uid,
        given -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    calendar_days (tenant_id, calendar_id, day) {
        tenant_id -> Uid,
        calendar_id -> Uid,
        day -> CivilDate,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    occupancy (tenant_id, calendar_id, tick, seat) {
        tenant_id -> Uid,
        calendar_id -> Uid,
        tick -> BigInt,
        seat -> BigInt,
        claim_id -> Uid,
        hold_expires_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    holds (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        service_id -> Uid,
        calendar_id -> Uid,
        starts_at -> Instant,
        ends_at -> Instant,
        persons -> BigInt,
        owner -> Text,
        expires_at -> Instant,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    appointments (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        code -> Text,
        service_id -> Uid,
        calendar_id -> Uid,
        office_id -> Uid,
        starts_at -> Instant,
        ends_at -> Instant,
        persons -> BigInt,
        state -> Text,
        channel -> Text,
        person_key -> Text,
        owner -> Text,
        manage_token_hash -> Nullable<Text>,
        cancelled_by -> Nullable<Text>,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    appointment_applicants (tenant_id, appointment_id) {
        tenant_id -> Uid,
        appointment_id -> Uid,
        given_name -> Text,
        family_name -> Text,
        tax_code -> Nullable<Text>,
        email -> Text,
        phone -> Nullable<Text>,
        notes -> Nullable<Text>,
        cancellation_reason -> Nullable<Text>,
        family_key -> Text,
        given_key -> Text,
        email_key -> Text,
        language -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    appointment_history (tenant_id, appointment_id, version) {
        tenant_id -> Uid,
        appointment_id -> Uid,
        version -> BigInt,
        action -> Text,
        state_before -> Nullable<Text>,
        state_after -> Text,
        starts_at -> Instant,
        calendar_id -> Uid,
        actor -> Text,
        occurred_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    appointment_notes (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        appointment_id -> Uid,
        author -> Text,
        body -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    calendar_blocks (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        calendar_id -> Uid,
        starts_at -> Instant,
        ends_at -> Instant,
        seats -> Nullable<BigInt>,
        reason -> Text,
        created_by -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    person_locks (tenant_id, bucket) {
        tenant_id -> Uid,
        bucket -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    calendar_feeds (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        calendar_id -> Uid,
        label -> Text,
        code_hash -> Text,
        created_at -> Instant,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    calendars,
    occupancy,
    service_calendars,
    appointment_services,
    appointments,
    appointment_applicants
);
