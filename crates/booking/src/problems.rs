//! The refusals of booking.

kernel::problems! {
    SLOT_TAKEN = 409 "slot-taken" {
        it: "Orario non più disponibile", en: "This time is taken", de: "Dieser Termin ist vergeben",
        about: "Every counter is taken at that time. `alternatives` lists the next free times of the same calendar as `{calendar_id, starts_at, ends_at, free}`; where a block would override appointments, `appointments` lists them instead.",
    }
    HOLD_EXPIRED = 409 "hold-expired" {
        it: "Il tempo per completare la prenotazione è scaduto", en: "The hold has expired", de: "Die Reservierung ist abgelaufen",
        about: "The hold has run out, was released or was used already. Book without it, or hold again.",
    }
    HOLD_MISMATCH = 422 "hold-mismatch" {
        it: "La prenotazione non corrisponde all'orario bloccato", en: "The hold is for something else", de: "Die Reservierung gilt für etwas anderes",
        about: "The hold was made for another service, calendar, time or number of persons.",
    }
    OUTSIDE_OPENING_HOURS = 422 "outside-opening-hours" {
        it: "Lo sportello non riceve a quell'ora", en: "The counter does not receive then", de: "Der Schalter ist dann nicht geöffnet",
        about: "The calendar is closed at that time, closes before the visit would end, or has no slot that starts then. Ask `/calendars/{calendar_id}/slots`.",
    }
    LEAD_TIME = 422 "lead-time" {
        it: "Serve più preavviso", en: "More notice is needed", de: "Längere Vorlaufzeit nötig",
        about: "The office needs more notice; `earliest` is the first instant that can be booked.",
    }
    BEYOND_HORIZON = 422 "beyond-horizon" {
        it: "Data troppo lontana", en: "Too far ahead", de: "Zu weit im Voraus",
        about: "The calendar is not open for booking so far ahead; `last_date` is the last date that can be booked.",
    }
    DURATION_NOT_ALLOWED = 422 "duration-not-allowed" {
        it: "Numero di persone o durata non ammessi", en: "So many persons, or so long, is not possible", de: "Personenzahl oder Dauer nicht möglich",
        about: "The service does not take so many persons in one appointment, or the visit would not fit in a day.",
    }
    LOCAL_TIME_DOES_NOT_EXIST = 422 "local-time-does-not-exist" {
        it: "Ora inesistente per il cambio dell'ora legale", en: "That local time does not exist", de: "Diese Ortszeit gibt es nicht",
        about: "On the last Sunday of March the clocks of Europe/Rome go from 02:00 to 03:00: a time between does not exist. Send the instant with the right offset, or in UTC.",
    }
    PERSON_LIMIT_REACHED = 409 "person-limit-reached" {
        it: "Limite di prenotazioni raggiunto", en: "Booking limit reached", de: "Buchungsgrenze erreicht",
        about: "The person has as many open appointments for this service, or the caller as many holds, as are allowed; `limit` says how many.",
    }
    CODE_TOKEN_MISMATCH = 403 "code-token-mismatch" {
        it: "Codice o chiave di gestione non validi", en: "Code or manage token not valid", de: "Code oder Verwaltungsschlüssel ungültig",
        about: "No appointment has this code and this manage token. Whether the code exists is not told.",
    }
}
