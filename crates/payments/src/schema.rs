//! The tables of payments, as both databases have them.

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    payment_connections (tenant_id) {
        tenant_id -> Uid,
        organisation_tax_code -> Text,
        segregation_code -> Text,
        iban -> Text,
        company_name -> Text,
        concealed_key -> Text,
        return_origins -> JsonCol,
        enabled -> Bool,
        version -> BigInt,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    payment_notification_keys (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        concealed -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    payment_counters (tenant_id, creditor, segregation_code) {
        tenant_id -> Uid,
        creditor -> Text,
        segregation_code -> Text,
        last_number -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    payment_debts (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        subject_kind -> Text,
        subject_id -> Uid,
        office_id -> Uid,
        owner -> Text,
        person_key -> Text,
        description -> Text,
        total_cents -> BigInt,
        due_at -> Instant,
        due_when -> Text,
        creditor -> Text,
        notice_number -> Text,
        iuv -> Text,
        state -> Text,
        paid_late -> Bool,
        amount_mismatch -> Bool,
        publication_failed -> Bool,
        tried_at -> Nullable<Instant>,
        published_at -> Nullable<Instant>,
        paid_at -> Nullable<Instant>,
        paid_cents -> Nullable<BigInt>,
        receipt_reference -> Nullable<Text>,
        access_hash -> Nullable<Text>,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    payment_lines (tenant_id, debt_id, place) {
        tenant_id -> Uid,
        debt_id -> Uid,
        place -> BigInt,
        description -> Text,
        taxonomy_code -> Text,
        amount_cents -> BigInt,
        iban -> Nullable<Text>,
        document_digest -> Nullable<Text>,
        province -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    payment_debtors (tenant_id, debt_id) {
        tenant_id -> Uid,
        debt_id -> Uid,
        given_name -> Nullable<Text>,
        family_name -> Nullable<Text>,
        legal_name -> Nullable<Text>,
        tax_code -> Text,
        email -> Nullable<Text>,
        street -> Nullable<Text>,
        building_number -> Nullable<Text>,
        postal_code -> Nullable<Text>,
        locality -> Nullable<Text>,
        province -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    payment_tasks (tenant_id, debt_id) {
        tenant_id -> Uid,
        debt_id -> Uid,
        task -> Text,
        due_at -> Instant,
        attempts -> BigInt,
        failures -> BigInt,
        leased_by -> Nullable<Uid>,
        leased_until -> Nullable<Instant>,
        outcome -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    payment_refunds (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        debt_id -> Uid,
        amount_cents -> BigInt,
        reason -> Text,
        reference -> Text,
        recorded_by -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    payment_notifications (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        message_id -> Text,
        digest -> Text,
        notice_number -> Text,
        debt_id -> Nullable<Uid>,
        amount_cents -> Nullable<BigInt>,
        outcome -> Text,
        received_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    payment_simulations (tenant_id, position) {
        tenant_id -> Uid,
        position -> Text,
        notice_number -> Text,
        amount_cents -> BigInt,
        state -> Text,
        paid_cents -> Nullable<BigInt>,
        paid_at -> Nullable<Instant>,
        receipt -> Nullable<Text>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(payment_debts, payment_debtors);
