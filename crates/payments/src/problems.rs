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
    NOTIFICATION_NOT_SIGNED = 401 "notification-not-signed" {
        it: "Notifica non firmata correttamente", en: "The notification is not signed as it must be", de: "Mitteilung nicht gültig signiert",
        about: "A notification of a payment carries `Webhook-Id`, `Webhook-Timestamp` and `Webhook-Signature` (Standard Webhooks), made with a key of this Comune, no more than five minutes ago. This one does not. Nothing was kept of it.",
    }
    REFUND_EXCEEDS_PAYMENT = 409 "refund-exceeds-payment" {
        it: "Il rimborso supera quanto pagato", en: "More than was paid", de: "Mehr als bezahlt wurde",
        about: "What was given back would be more than what was paid; `refundable_cents` says how much is left.",
    }
}
