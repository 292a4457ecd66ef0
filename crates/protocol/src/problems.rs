//! The refusals of the protocol register.

kernel::problems! {
    EMERGENCY_REGISTER_CLOSED = 409 "emergency-register-closed" {
        it: "Registro di emergenza chiuso", en: "The emergency register is closed", de: "Das Notfallregister ist geschlossen",
        about: "The emergency register was closed and its entries have their ordinary numbers. Register the document without `emergency_register_id`, or open another emergency register.",
    }
}
