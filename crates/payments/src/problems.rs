//! The refusals of payments.

kernel::problems! {
    PAYMENTS_NOT_CONNECTED = 409 "payments-not-connected" {
        it: "Pagamenti non attivi per questo Comune", en: "Payments are not connected", de: "Zahlungen nicht eingerichtet",
        about: "The Comune has not said how it is paid (`PUT /connections/payments`), has switched that off, or the deployment has no provider of payments (setting `payments.provider`). Nothing was made.",
    }
    PAYMENT_PROVIDER_UNAVAILABLE = 503 "payment-provider-unavailable" {
        it: "Servizio di pagamento non raggiungibile", en: "Payment provider unreachable", de: "Zahlungsdienst nicht erreichbar",
        about: "The provider of payments did not answer, or not in a way that can be used. Nothing is lost: the debt stands as it was. Repeat after `Retry-After` seconds.",
    }
    PAYMENT_PROVIDER_REFUSED = 409 "payment-provider-refused" {
        it: "Il servizio di pagamento non lo consente", en: "The payment provider does not do this", de: "Vom Zahlungsdienst abgelehnt",
        about: "The provider of payments answered that it does not do this for this payment, and has the payment no other way than it is known here: somebody may be paying it at this moment. Read the payment again later.",
    }
    PAYER_ADDRESS_MISSING = 409 "payer-address-missing" {
        it: "Manca l'indirizzo di chi paga", en: "The address of who pays is missing", de: "Die Anschrift fehlt",
        about: "A printed notice tells where whoever pays lives, and this payment was asked for without (`payer.address`). It can be paid all the same, on the pay page or by its notice number.",
    }
    TOO_MANY_NOTIFICATION_KEYS = 409 "too-many-notification-keys" {
        it: "Troppe chiavi per le notifiche", en: "Too many notification keys", de: "Zu viele Mitteilungsschlüssel",
        about: "The Comune has a hundred keys for notifications of payments, each of which is tried on each notification. Delete one that is not needed any more.",
    }
    NOTIFICATION_NOT_SIGNED = 401 "notification-not-signed" {
        it: "Notifica non firmata correttamente", en: "The notification is not signed as it must be", de: "Mitteilung nicht gültig signiert",
        about: "A notification of a payment carries `Webhook-Id`, `Webhook-Timestamp` and `Webhook-Signature` (Standard Webhooks), made with a key of this Comune, no more than five minutes ago. This one does not. Nothing was kept of it.",
    }
    REFUND_EXCEEDS_PAYMENT = 409 "refund-exceeds-payment" {
        it: "Il rimborso supera quanto pagato", en: "More than was paid", de: "Mehr als bezahlt wurde",
        about: "What was given back would be more than what was paid; `refundable_cents` says how much is left.",
    }
}
