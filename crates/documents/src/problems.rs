//! The refusals of documents.

use kernel::Problem;

kernel::problems! {
    DOCUMENT_TOO_LARGE = 413 "document-too-large" {
        it: "Documento troppo grande", en: "The document is too large", de: "Dokument zu groß",
        about: "The file has more bytes than the installation takes (setting `documents.max_bytes`); `max_bytes` says how many. A file that declares its length is refused before it is read.",
    }
    DOCUMENT_TYPE_NOT_ALLOWED = 415 "document-type-not-allowed" {
        it: "Tipo di documento non ammesso", en: "This type of document is not taken", de: "Dokumenttyp nicht erlaubt",
        about: "Files of this type are not taken here, by what was declared or by what the file's own bytes say; `allowed_types` lists those that are. Office files with macros are never taken.",
    }
    DOCUMENT_TYPE_MISMATCH = 415 "document-type-mismatch" {
        it: "Il documento non è del tipo dichiarato", en: "The document is not of the type declared", de: "Dokument entspricht nicht dem angegebenen Typ",
        about: "The bytes are those of another type than `Content-Type` declares; `declared` and `found` name both. Send the right type, or `application/octet-stream` for none.",
    }
    DOCUMENT_UNREADABLE = 422 "document-unreadable" {
        it: "Documento non leggibile", en: "The document cannot be read", de: "Dokument nicht lesbar",
        about: "The file is empty, damaged, encrypted as a whole, or an image of more pixels than are looked at; `detail` says which.",
    }
    ARCHIVE_NOT_ACCEPTED = 422 "archive-not-accepted" {
        it: "Contenuto compresso non accettato", en: "The compressed content is not accepted", de: "Komprimierter Inhalt nicht akzeptiert",
        about: "The file is a container (as office files are) that unpacks into far more than a document does, holds too many parts, or is packed in a way that no office program uses.",
    }
    DOCUMENT_QUOTA_REACHED = 409 "document-quota-reached" {
        it: "Troppi documenti non ancora allegati", en: "Too many documents that are attached to nothing", de: "Zu viele noch nicht zugeordnete Dokumente",
        about: "The caller has as many files, or as many bytes, waiting to be attached as are allowed; `max_documents` and `max_bytes` say how many. Delete some, or attach them.",
    }
    DOCUMENT_ATTACHED = 409 "document-attached" {
        it: "Il documento è già allegato", en: "The document is attached", de: "Dokument bereits zugeordnet",
        about: "The document belongs to something by now, such as a request: it cannot be deleted, or attached to something else.",
    }
    DOCUMENT_NOT_RELEASED = 409 "document-not-released" {
        it: "Documento non disponibile", en: "The document is not released", de: "Dokument nicht freigegeben",
        about: "The content is not given out: the scan for malware is still to be done (`state` is `quarantined`), could not be done (`failed`; it is tried again), or found something (`infected`; the bytes are gone).",
    }
    RANGE_NOT_SATISFIABLE = 416 "range-not-satisfiable" {
        it: "Intervallo non disponibile", en: "The range cannot be given", de: "Bereich nicht verfügbar",
        about: "`Range` begins behind the end of the document; `size_bytes` says how long it is.",
    }
    DOCUMENTS_UNAVAILABLE = 503 "documents-unavailable" {
        it: "Documenti momentaneamente non disponibili", en: "Documents are not available at the moment", de: "Dokumente derzeit nicht verfügbar",
        about: "The store of files cannot be reached, is not set up, or as many files as are allowed are being taken in at once. Nothing was kept; try again later, with the same `Idempotency-Key`.",
    }
}

/// The store cannot be used now.
pub fn unavailable(detail: &str) -> Problem {
    Problem::new(&DOCUMENTS_UNAVAILABLE).detail(detail).retry_after(30)
}
