//! What a database can make of a request, told to the caller.

kernel::problems! {
    INTERNAL_ERROR = 500 "internal-error" {
        it: "Errore interno", en: "Internal error", de: "Interner Fehler",
        about: "Something failed on our side. Nothing was half-written. The request id in `instance` finds it in the log.",
    }
    STORAGE_BUSY = 503 "storage-busy" {
        it: "Servizio momentaneamente occupato", en: "Service momentarily busy", de: "Dienst vorübergehend ausgelastet",
        about: "The database could not take the request in time. Nothing was written; repeat it after `Retry-After` seconds.",
    }
}
