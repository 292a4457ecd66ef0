//! Writing iCalendar (RFC 5545).

use icalendar::{Calendar, Component, Event, EventLike, Property};
use jiff::Timestamp;
use kernel::civil;

/// What of it a calendar program shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The same for as long as the appointment lives.
    pub uid: String,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// Counts changes, from 0.
    pub sequence: i64,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// One line.
    pub summary: String,
    /// More of it.
    pub description: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// WGS 84 latitude and longitude, in millionths of a degree.
    pub position: Option<(i64, i64)>,
    /// Whether it was called off.
    pub cancelled: bool,
}

/// The zone as RFC 5545 wants it told. The rule is that of Directive 2000/84/EC; a program that knows the name
/// takes its own.
const ZONE: &str = "BEGIN:VTIMEZONE\r\nTZID:Europe/Rome\r\n\
BEGIN:DAYLIGHT\r\nDTSTART:19960331T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\n\
TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nTZNAME:CEST\r\nEND:DAYLIGHT\r\n\
BEGIN:STANDARD\r\nDTSTART:19961027T030000\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\n\
TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nTZNAME:CET\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";

/// A calendar of these entries, the same bytes for the same entries.
pub fn calendar(name: &str, entries: &[Entry]) -> String {
    let mut calendar = Calendar::empty();
    calendar.append_property(("VERSION", "2.0"));
    calendar.append_property(("PRODID", "-//Sportello//Appointments//IT"));
    calendar.append_property(("CALSCALE", "GREGORIAN"));
    calendar.append_property(("METHOD", "PUBLISH"));
    calendar.append_property(("NAME", name));
    for entry in entries {
        calendar.push(event(entry));
    }
    let text = calendar.to_string();
    // The library would stamp the zone with the time of writing, which is neither wanted nor repeatable.
    let at = text.find("BEGIN:VEVENT").or_else(|| text.find("END:VCALENDAR")).unwrap_or(text.len());
    let (head, rest) = text.split_at(at);
    format!("{head}{ZONE}{rest}")
}

fn event(entry: &Entry) -> Event {
    let mut event = Event::with_uid(&entry.uid);
    event.append_property(("DTSTAMP", utc(entry.changed_at).as_str()));
    event.append_property(("LAST-MODIFIED", utc(entry.changed_at).as_str()));
    event.append_property(("SEQUENCE", entry.sequence.to_string().as_str()));
    event.append_property(moment("DTSTART", entry.starts_at));
    event.append_property(moment("DTEND", entry.ends_at));
    event.append_property(("STATUS", if entry.cancelled { "CANCELLED" } else { "CONFIRMED" }));
    event.summary(&entry.summary);
    if let Some(description) = &entry.description {
        event.description(description);
    }
    if let Some(location) = &entry.location {
        event.location(location);
    }
    if let Some((latitude, longitude)) = entry.position {
        event.append_property(("GEO", format!("{};{}", degrees(latitude), degrees(longitude)).as_str()));
    }
    event.done()
}

/// An instant on the clocks of Europe/Rome. One that the autumn change repeats is told in UTC: a local time
/// there always means the first of the two (RFC 5545 §3.3.5).
fn moment(name: &str, instant: Timestamp) -> Property {
    let local = civil::to_rome(instant);
    if civil::rome().to_ambiguous_timestamp(local.datetime()).is_ambiguous() {
        return Property::new(name, utc(instant));
    }
    let mut property = Property::new(name, local.strftime("%Y%m%dT%H%M%S").to_string());
    property.add_parameter("TZID", "Europe/Rome");
    property
}

fn utc(instant: Timestamp) -> String {
    instant.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn degrees(millionths: i64) -> String {
    let sign = if millionths < 0 { "-" } else { "" };
    let whole = millionths.unsigned_abs();
    format!("{sign}{}.{:06}", whole / 1_000_000, whole % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(starts_at: &str) -> Entry {
        let starts_at: Timestamp = starts_at.parse().unwrap();
        Entry {
            uid: "0198@bugliano.sportello".to_owned(),
            changed_at: "2026-11-01T10:00:00Z".parse().unwrap(),
            sequence: 2,
            starts_at,
            ends_at: starts_at + jiff::SignedDuration::from_mins(20),
            summary: "Carta d'identità; ritiro, consegna: Ufficio anagrafe del Comune, al primo piano del palazzo"
                .to_owned(),
            description: Some("Portare:\n- la carta vecchia".to_owned()),
            location: None,
            position: Some((43_512_345, -10_000_012)),
            cancelled: false,
        }
    }

    #[test]
    fn lines_end_and_fold_as_they_must_and_text_is_escaped() {
        let text = calendar("Anagrafe", &[entry("2026-12-02T08:00:00Z")]);
        assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"));
        assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')), "{text}");
        let unfolded = text.replace("\r\n ", "");
        for line in [
            "DTSTART;TZID=Europe/Rome:20261202T090000",
            "DTEND;TZID=Europe/Rome:20261202T092000",
            "DTSTAMP:20261101T100000Z",
            "SEQUENCE:2",
            "UID:0198@bugliano.sportello",
            "STATUS:CONFIRMED",
            "GEO:43.512345;-10.000012",
            "DESCRIPTION:Portare:\\n- la carta vecchia",
            "SUMMARY:Carta d'identità\\; ritiro\\, consegna: Ufficio anagrafe del Comune\\, al primo piano del palazzo",
        ] {
            assert!(unfolded.split("\r\n").any(|found| found == line), "{line} is not in\n{unfolded}");
        }
        assert_eq!(text.matches("DTSTAMP").count(), 1, "the zone has none");
        assert_eq!(text, calendar("Anagrafe", &[entry("2026-12-02T08:00:00Z")]), "the same bytes");
    }

    #[test]
    fn an_hour_that_comes_twice_is_told_in_utc() {
        // 31 October 2027, 02:30 on the clocks, twice.
        for (instant, line) in
            [("2027-10-31T00:30:00Z", "DTSTART:20271031T003000Z"), ("2027-10-31T01:30:00Z", "DTSTART:20271031T013000Z")]
        {
            assert!(calendar("x", &[entry(instant)]).contains(line));
        }
    }

    #[test]
    fn a_calendar_without_entries_is_still_one() {
        let text = calendar("x", &[]);
        assert!(text.contains("BEGIN:VTIMEZONE") && text.ends_with("END:VTIMEZONE\r\nEND:VCALENDAR\r\n"));
    }
}
