//! The product's own words, and days in words.

use jiff::{Timestamp, civil::Weekday};
use kernel::{Lang, civil};
use platform::messages::Wording;

const MONTHS: [[&str; 12]; 3] = [
    [
        "gennaio",
        "febbraio",
        "marzo",
        "aprile",
        "maggio",
        "giugno",
        "luglio",
        "agosto",
        "settembre",
        "ottobre",
        "novembre",
        "dicembre",
    ],
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
];

const fn place(lang: Lang) -> usize {
    match lang {
        Lang::It => 0,
        Lang::En => 1,
        Lang::De => 2,
    }
}

const fn weekday(day: Weekday, lang: Lang) -> &'static str {
    match (day, lang) {
        (Weekday::Monday, Lang::It) => "lunedì",
        (Weekday::Tuesday, Lang::It) => "martedì",
        (Weekday::Wednesday, Lang::It) => "mercoledì",
        (Weekday::Thursday, Lang::It) => "giovedì",
        (Weekday::Friday, Lang::It) => "venerdì",
        (Weekday::Saturday, Lang::It) => "sabato",
        (Weekday::Sunday, Lang::It) => "domenica",
        (Weekday::Monday, Lang::En) => "Monday",
        (Weekday::Tuesday, Lang::En) => "Tuesday",
        (Weekday::Wednesday, Lang::En) => "Wednesday",
        (Weekday::Thursday, Lang::En) => "Thursday",
        (Weekday::Friday, Lang::En) => "Friday",
        (Weekday::Saturday, Lang::En) => "Saturday",
        (Weekday::Sunday, Lang::En) => "Sunday",
        (Weekday::Monday, Lang::De) => "Montag",
        (Weekday::Tuesday, Lang::De) => "Dienstag",
        (Weekday::Wednesday, Lang::De) => "Mittwoch",
        (Weekday::Thursday, Lang::De) => "Donnerstag",
        (Weekday::Friday, Lang::De) => "Freitag",
        (Weekday::Saturday, Lang::De) => "Samstag",
        (Weekday::Sunday, Lang::De) => "Sonntag",
    }
}

/// A day of Europe/Rome in words: `mercoledì 2 dicembre 2026`.
pub(super) fn day(instant: Timestamp, lang: Lang) -> String {
    let date = civil::date_of(instant);
    let months = MONTHS.get(place(lang)).and_then(|months| months.get(usize::try_from(date.month() - 1).ok()?));
    let (name, month) = (weekday(date.weekday(), lang), months.copied().unwrap_or_default());
    match lang {
        Lang::It | Lang::En => format!("{name} {} {month} {}", date.day(), date.year()),
        Lang::De => format!("{name}, {}. {month} {}", date.day(), date.year()),
    }
}

/// The time of day in Europe/Rome: `09:00`.
pub(super) fn hour(instant: Timestamp) -> String {
    civil::to_rome(instant).strftime("%H:%M").to_string()
}

/// Subject, text and HTML of a file, parted by lines of three hyphens.
pub(super) fn wording(file: &str) -> Wording {
    let mut parts = file.split("\n---\n").map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    Wording { subject: next(), text: next(), html: next() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_told_as_people_say_it() {
        let noon: Timestamp = "2026-12-02T11:00:00Z".parse().unwrap();
        assert_eq!(day(noon, Lang::It), "mercoledì 2 dicembre 2026");
        assert_eq!(day(noon, Lang::En), "Wednesday 2 December 2026");
        assert_eq!(day(noon, Lang::De), "Mittwoch, 2. Dezember 2026");
        assert_eq!(hour(noon), "12:00");
        // The day is that of Rome, not of Greenwich.
        let late: Timestamp = "2026-12-31T23:30:00Z".parse().unwrap();
        assert_eq!(day(late, Lang::It), "venerdì 1 gennaio 2027");
        assert_eq!(hour(late), "00:30");
    }
}
