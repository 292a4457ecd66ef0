//! The refusals that any request can meet.

kernel::problems! {
    NOT_FOUND = 404 "not-found" {
        it: "Non trovato", en: "Not found", de: "Nicht gefunden",
        about: "No such resource, or not yours to see: the two are told apart to nobody.",
    }
    METHOD_NOT_ALLOWED = 405 "method-not-allowed" {
        it: "Metodo non ammesso", en: "Method not allowed", de: "Methode nicht erlaubt",
        about: "The resource exists and does not answer this method; `Allow` lists those it answers.",
    }
    PAYLOAD_TOO_LARGE = 413 "payload-too-large" {
        it: "Richiesta troppo grande", en: "Payload too large", de: "Anfrage zu groß",
        about: "The body is larger than the server accepts (setting `server.max_body_bytes`).",
    }
    UNSUPPORTED_MEDIA_TYPE = 415 "unsupported-media-type" {
        it: "Formato non supportato", en: "Unsupported media type", de: "Medientyp nicht unterstützt",
        about: "The body must be `application/json`, or `application/merge-patch+json` where the method is PATCH.",
    }
    MALFORMED_BODY = 400 "malformed-body" {
        it: "Corpo della richiesta non leggibile", en: "Malformed body", de: "Anfragetext nicht lesbar",
        about: "The body is not well-formed JSON.",
    }
    INVALID_BODY = 422 "invalid-body" {
        it: "Dati non validi", en: "Invalid body", de: "Ungültige Angaben",
        about: "One or more fields are missing, unknown or not as described; `errors` names each by JSON pointer.",
    }
    INVALID_QUERY = 422 "invalid-query" {
        it: "Parametri non validi", en: "Invalid query", de: "Ungültige Parameter",
        about: "One or more query parameters are missing, unknown or not as described; `errors` names each as `?name`.",
    }
    INVALID_HEADER = 400 "invalid-header" {
        it: "Intestazione non valida", en: "Invalid header", de: "Ungültiger Header",
        about: "A request header is not as described.",
    }
    UNAUTHENTICATED = 401 "unauthenticated" {
        it: "Autenticazione richiesta", en: "Authentication required", de: "Anmeldung erforderlich",
        about: "The call needs a token or key and has none, or one that is not accepted here. Why is in the server's log, not in the answer.",
    }
    FORBIDDEN = 403 "forbidden" {
        it: "Operazione non consentita", en: "Not allowed", de: "Nicht erlaubt",
        about: "We know who you are, and this is not for your role or scopes.",
    }
    SIGNATURE_REQUIRED = 401 "signature-required" {
        it: "Firma della richiesta mancante", en: "The request must be signed", de: "Signatur der Anfrage fehlt",
        about: "The Comune wants requests with a body that come through PDND to be signed (INTEGRITY_REST_02): send `Digest` and `Agid-JWT-Signature`.",
    }
    SIGNATURE_INVALID = 401 "signature-invalid" {
        it: "Firma della richiesta non valida", en: "The request's signature is not valid", de: "Signatur der Anfrage ungültig",
        about: "`Agid-JWT-Signature` was not made for this request, by this client and with a key that PDND has, or it was used before; `detail` says what was found amiss. Nothing was done. Sign again, with a new `jti`; the `Idempotency-Key` stays the same.",
    }
    ALREADY_REGISTERED = 409 "already-registered" {
        it: "Client già registrato", en: "Already registered", de: "Bereits registriert",
        about: "The Comune has registered this client of PDND already, perhaps disabled. Change that entry.",
    }
    ASSURANCE_TOO_LOW = 403 "assurance-too-low" {
        it: "Livello di autenticazione insufficiente", en: "Level of authentication too low", de: "Authentifizierungsniveau zu niedrig",
        about: "The token attests a lower level of assurance than the Comune asks of citizens for what is theirs (SPID or CIE level). `required_assurance` and `actual_assurance` name both; sign the person in again and ask the identity provider for one of `acr_values`, which `WWW-Authenticate` repeats (RFC 9470).",
    }
    TOTP_REQUIRED = 403 "totp-required" {
        it: "Serve il codice dell'autenticatore", en: "The authenticator's code is needed", de: "Code des Authenticators erforderlich",
        about: "User name and password are right, and an authenticator is enrolled: send `totp_code` with them, or `recovery_code` when it is lost.",
    }
    TOTP_ENROLMENT_REQUIRED = 403 "totp-enrolment-required" {
        it: "Va prima attivato un autenticatore", en: "Enrol an authenticator first", de: "Zuerst einen Authenticator einrichten",
        about: "User name and password are right, and admins of this installation sign in with one-time codes too: `POST /totp-enrolments`, then `POST /totp-confirmations`.",
    }
    NOT_BY_PASSWORD = 409 "not-by-password" {
        it: "Accesso senza password", en: "Signs in without a password", de: "Anmeldung ohne Passwort",
        about: "This member of the staff signs in through an identity provider. Only those of the provider `password` have passwords here.",
    }
    PRECONDITION_REQUIRED = 428 "precondition-required" {
        it: "Manca If-Match", en: "If-Match is missing", de: "If-Match fehlt",
        about: "A change made by staff must say which version it changes: send the `ETag` of the resource as `If-Match`.",
    }
    VERSION_MISMATCH = 412 "version-mismatch" {
        it: "La risorsa è cambiata nel frattempo", en: "The resource has changed meanwhile", de: "Die Ressource wurde inzwischen geändert",
        about: "`If-Match` names a version that is no longer the current one. Read the resource again, then decide.",
    }
    INVALID_TRANSITION = 409 "invalid-transition" {
        it: "Operazione non possibile in questo stato", en: "Not possible in this state", de: "In diesem Zustand nicht möglich",
        about: "The resource is in a state that does not allow this; `current_state` says which, `allowed` what can be done instead.",
    }
    FILES_UNAVAILABLE = 503 "files-unavailable" {
        it: "File momentaneamente non disponibili", en: "Files are not available at the moment", de: "Dateien derzeit nicht verfügbar",
        about: "Files that belong into the archive lie in a store that cannot be reached now, the disk that archives are put together on takes no more, or as many as are allowed are being put together. Nothing was given out; try again later. What stands in the document alone can be had without the archive.",
    }
    IN_USE = 409 "in-use" {
        it: "In uso", en: "In use", de: "In Verwendung",
        about: "Something else needs it: appointments booked or held, calendars of an office, offices at a place, people or keys of an office. Nothing was deleted; end or move those first.",
    }
    ALREADY_ENROLLED = 409 "already-enrolled" {
        it: "Persona già abilitata", en: "Already enrolled", de: "Bereits eingetragen",
        about: "Somebody with this subject of this identity provider is on the staff already, perhaps disabled. Change that entry.",
    }
    LAST_ADMIN = 409 "last-admin" {
        it: "Ultimo amministratore", en: "The last admin", de: "Letzter Administrator",
        about: "Nobody would be left to administer the Comune. Make somebody else an admin first.",
    }
    IDEMPOTENCY_KEY_REQUIRED = 400 "idempotency-key-required" {
        it: "Manca Idempotency-Key", en: "Idempotency-Key is missing", de: "Idempotency-Key fehlt",
        about: "This call creates something that must not be created twice: send an `Idempotency-Key` (1 to 255 visible ASCII characters, best a random UUID) and repeat the same key on every retry.",
    }
    IDEMPOTENCY_KEY_REUSED = 422 "idempotency-key-reused" {
        it: "Idempotency-Key già usata per un'altra richiesta", en: "Idempotency-Key already used for another request", de: "Idempotency-Key bereits für eine andere Anfrage verwendet",
        about: "The same key came with another body. Use a new key for a new request.",
    }
    IDEMPOTENCY_IN_PROGRESS = 409 "idempotency-in-progress" {
        it: "Richiesta già in corso", en: "Request already in progress", de: "Anfrage wird bereits bearbeitet",
        about: "A request with this key is being served right now. Repeat after `Retry-After` seconds to get its answer.",
    }
    IDENTITY_UNAVAILABLE = 503 "identity-unavailable" {
        it: "Servizio di identità non raggiungibile", en: "Identity provider unreachable", de: "Identitätsdienst nicht erreichbar",
        about: "The keys of the identity provider cannot be fetched, so a token can be neither accepted nor refused. Repeat after `Retry-After` seconds.",
    }
    TENANT_SUSPENDED = 503 "tenant-suspended" {
        it: "Servizio sospeso per questo Comune", en: "Service suspended for this Comune", de: "Dienst für diese Gemeinde ausgesetzt",
        about: "The deployment has suspended this Comune. Its data is kept.",
    }
    TOO_MANY_WEBHOOKS = 409 "too-many-webhooks" {
        it: "Troppi webhook", en: "Too many webhooks", de: "Zu viele Webhooks",
        about: "The Comune has as many as the deployment lets it have (setting `events.max_webhooks`): each event is queued for each of them. Delete one that is not needed any more.",
    }
    TOO_MANY_STREAMS = 503 "too-many-streams" {
        it: "Troppi flussi aperti", en: "Too many open streams", de: "Zu viele offene Ströme",
        about: "The server keeps as many event streams open as it may (setting `events.max_streams`). Repeat after `Retry-After` seconds, or read `/events`.",
    }
    EVENTS_EXPIRED = 410 "events-expired" {
        it: "Eventi non più disponibili", en: "Events no longer kept", de: "Ereignisse nicht mehr vorhanden",
        about: "Events after this cursor have been taken away because of their age (setting `events.keep_days`). Read the resources themselves, then go on from the cursor in `latest`.",
    }
    RATE_LIMITED = 429 "rate-limited" {
        it: "Troppe richieste", en: "Too many requests", de: "Zu viele Anfragen",
        about: "This caller, or this address, has sent more requests than it may; `detail` says which limit it was. Nothing was done. Repeat after `Retry-After` seconds. `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` tell on every answer where the caller stands.",
    }
}
