//! The tables of the protocol register, as both databases have them.

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    protocol_registers (tenant_id, aoo_code, register_code) {
        tenant_id -> Uid,
        aoo_code -> Text,
        register_code -> Text,
        year -> BigInt,
        last_number -> BigInt,
        last_seq -> BigInt,
        last_hash -> Text,
        last_registered_at -> Instant,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    protocol_emergencies (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        aoo_code -> Text,
        register_code -> Text,
        reason -> Text,
        opened_by -> Text,
        opened_at -> Instant,
        closed_by -> Nullable<Text>,
        closed_at -> Nullable<Instant>,
        recovered -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    protocol_entries (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        ipa_code -> Text,
        aoo_code -> Text,
        register_code -> Text,
        year -> BigInt,
        number -> BigInt,
        seq -> BigInt,
        registered_at -> Instant,
        registered_by -> Text,
        direction -> Text,
        subject -> Text,
        subject_words -> Text,
        classification -> Nullable<Text>,
        office_id -> Uid,
        channel -> Text,
        sender_reference -> Nullable<Text>,
        received_on -> Nullable<CivilDate>,
        confidential -> Bool,
        documents -> JsonCol,
        source_key -> Nullable<Text>,
        recovers_id -> Nullable<Uid>,
        previous_hash -> Text,
        hash -> Text,
        annulled_at -> Nullable<Instant>,
        annulled_by -> Nullable<Text>,
        annulment_reason -> Nullable<Text>,
        annulment_act -> Nullable<Text>,
        annulment_hash -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    protocol_parties (tenant_id, entry_id, place) {
        tenant_id -> Uid,
        entry_id -> Uid,
        place -> BigInt,
        role -> Text,
        kind -> Text,
        given_name -> Nullable<Text>,
        family_name -> Nullable<Text>,
        denomination -> Nullable<Text>,
        tax_code -> Nullable<Text>,
        vat_number -> Nullable<Text>,
        ipa_code -> Nullable<Text>,
        email -> Nullable<Text>,
        person_key -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    protocol_registrations (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        entry_id -> Uid,
        office_id -> Uid,
        connector -> Text,
        state -> Text,
        in_doubt -> Bool,
        attempts -> BigInt,
        next_attempt_at -> Instant,
        leased_by -> Nullable<Uid>,
        leased_until -> Nullable<Instant>,
        problem -> Nullable<Text>,
        external_register -> Nullable<Text>,
        external_number -> Nullable<Text>,
        external_year -> Nullable<BigInt>,
        external_registered_at -> Nullable<Instant>,
        external_reference -> Nullable<Text>,
        version -> BigInt,
        created_at -> Instant,
        settled_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    protocol_daily_registers (tenant_id, id) {
        tenant_id -> Uid,
        id -> Uid,
        aoo_code -> Text,
        register_code -> Text,
        day -> CivilDate,
        entries -> BigInt,
        annulments -> BigInt,
        first_number -> Nullable<BigInt>,
        last_number -> Nullable<BigInt>,
        csv -> Text,
        csv_sha256 -> Text,
        xml -> Text,
        xml_sha256 -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    protocol_connections (tenant_id) {
        tenant_id -> Uid,
        connector -> Text,
        ipa_code -> Text,
        aoo_code -> Text,
        register_code -> Text,
        receipt_page -> Nullable<Text>,
        base_url -> Nullable<Text>,
        username -> Nullable<Text>,
        entity_code -> Nullable<Text>,
        concealed -> Nullable<Text>,
        version -> BigInt,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    protocol_receipts (tenant_id, entry_id) {
        tenant_id -> Uid,
        entry_id -> Uid,
        code -> Text,
        comune -> Text,
        office -> JsonCol,
        office_email -> Nullable<Text>,
        office_phone -> Nullable<Text>,
        due_on -> Nullable<CivilDate>,
        silence -> Nullable<Text>,
        responsible -> Nullable<Text>,
        remedy -> Nullable<Text>,
        verification_url -> Nullable<Text>,
        issued_at -> Instant,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    protocol_entries,
    protocol_parties,
    protocol_receipts,
    protocol_registrations,
);
