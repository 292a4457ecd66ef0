//! Civil time: what the clocks of Italy (Europe/Rome) show, and the instants it stands for.
//!
//! Opening hours are local times; what is stored and compared are instants. The two agree except
//! twice a year: on the last Sunday of March the hour from 2 to 3 does not exist, on the last
//! Sunday of October it happens twice (directive 2000/84/EC).

use std::sync::LazyLock;

use jiff::{
    Timestamp, Zoned,
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase},
};

/// Why a text is no instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InstantError {
    /// Not an RFC 3339 date-time, or one without its offset.
    #[error("expected an RFC 3339 date-time with its offset, such as 2027-03-29T09:00:00+02:00")]
    Malformed,
    /// A local time that the clocks of Italy skip in spring.
    #[error("this local time does not exist: the clocks of Italy go forward over it")]
    DoesNotExist,
}

static ROME: LazyLock<TimeZone> = LazyLock::new(|| bundled().unwrap_or_else(|_| rule_since_1996()));

// The database inside the binary, not the machine's: the same answers on every server and in every test.
fn bundled() -> Result<TimeZone, jiff::Error> {
    TimeZoneDatabase::bundled().get("Europe/Rome")
}

// Never used, as a test shows. It agrees with the database on every day since 1996.
fn rule_since_1996() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap_or(TimeZone::UTC)
}

/// The time zone of Italy, from the time zone database in the binary. Cheap to call.
pub fn rome() -> TimeZone {
    ROME.clone()
}

/// The instant at which the clocks of Italy show `time` on `date`.
///
/// A time skipped in spring is read as if the clocks had not moved yet (02:30 becomes 03:30); of a
/// time that happens twice in autumn, the first is meant. Where a skipped time should be refused
/// instead, ask [`is_in_gap`] first. Saturates at the ends of [`Timestamp`].
pub fn at(date: Date, time: Time) -> Timestamp {
    let end = if date.year() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    ROME.to_ambiguous_timestamp(date.to_datetime(time)).compatible().unwrap_or(end)
}

/// The date in Italy at this instant.
pub fn date_of(instant: Timestamp) -> Date {
    to_rome(instant).date()
}

/// What calendar and clocks in Italy show at this instant.
pub fn to_rome(instant: Timestamp) -> Zoned {
    instant.to_zoned(rome())
}

/// The instant as the interface writes it: RFC 3339 with Italy's offset, in whole seconds (a
/// fraction is cut off), such as `2027-03-28T09:00:00+02:00`.
pub fn format_rfc3339(instant: Timestamp) -> String {
    to_rome(instant).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The first instant of this date in Italy, and the first of the next: 24 hours apart, but 23 in
/// spring and 25 in autumn when the clocks move.
pub fn day_bounds(date: Date) -> (Timestamp, Timestamp) {
    let start = at(date, Time::midnight());
    let end = date.tomorrow().map_or(Timestamp::MAX, |next| at(next, Time::midnight()));
    (start, end)
}

/// Whether the clocks of Italy skip this local time.
pub fn is_in_gap(local: DateTime) -> bool {
    matches!(ROME.to_ambiguous_timestamp(local).offset(), AmbiguousOffset::Gap { .. })
}

/// Reads an instant that a client computed.
///
/// RFC 3339 with its offset, which is mandatory. A text such as `2027-03-28T02:30:00+01:00` is an
/// instant by the letter, but nobody in Italy sees that hour on a clock: whoever sends it has
/// added hours to a local time without knowing of the change, and would be given 03:30. Therefore
/// a skipped local time with an offset other than zero is refused; in UTC every instant exists.
///
/// # Errors
/// [`InstantError::Malformed`] or [`InstantError::DoesNotExist`].
pub fn parse_instant(text: &str) -> Result<Timestamp, InstantError> {
    let (instant, local) = read(text).ok_or(InstantError::Malformed)?;
    if local.is_some_and(is_in_gap) { Err(InstantError::DoesNotExist) } else { Ok(instant) }
}

/// The instant; and the local time, when the text states it at an offset other than zero.
///
/// jiff reads much more than RFC 3339 (basic format, zones in brackets, offsets without minutes),
/// so the form is checked here and the values there.
fn read(text: &str) -> Option<(Timestamp, Option<DateTime>)> {
    let (local, rest) = text.split_at_checked(19)?;
    if !has_form(local, "dddd-dd-ddTdd:dd:dd") {
        return None;
    }
    let offset = match rest.strip_prefix('.') {
        Some(fraction) => {
            let offset = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if offset.len() == fraction.len() {
                return None;
            }
            offset
        }
        None => rest,
    };
    let local = if offset.eq_ignore_ascii_case("Z") {
        None
    } else {
        let hours = offset.strip_prefix(['+', '-']).filter(|hours| has_form(hours, "dd:dd"))?;
        // Read as a time of day, 25:00 and 01:75 fall out.
        let hours = hours.parse::<Time>().ok()?;
        if hours == Time::midnight() { None } else { Some(local.parse().ok()?) }
    };
    Some((text.parse().ok()?, local))
}

/// Whether `text` has this form: `d` stands for a digit, letters match in either case.
fn has_form(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            _ => byte.eq_ignore_ascii_case(&form),
        })
}

/// For `#[serde(with = "kernel::civil::rfc3339")]` on a [`Timestamp`]: written as
/// [`format_rfc3339`] does, read from any RFC 3339 text.
///
/// Where a client names an appointment's time, take a text and read it with [`parse_instant`]:
/// here a skipped local time passes.
pub mod rfc3339 {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::{InstantError, format_rfc3339, read};

    /// Writes the instant with Italy's offset.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(instant: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_rfc3339(*instant))
    }

    /// Reads an instant with any offset.
    ///
    /// # Errors
    /// When the text is not RFC 3339.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        instant(&String::deserialize(deserializer)?)
    }

    fn instant<E: Error>(text: &str) -> Result<Timestamp, E> {
        read(text).map(|(instant, _)| instant).ok_or_else(|| E::custom(InstantError::Malformed))
    }

    /// The same for an `Option<Timestamp>`. Add `#[serde(default)]` where the field may be absent.
    pub mod option {
        use jiff::Timestamp;
        use serde::{Deserialize, Deserializer, Serializer};

        /// Writes the instant with Italy's offset, or null.
        ///
        /// # Errors
        /// Those of the serializer.
        pub fn serialize<S: Serializer>(instant: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
            match instant {
                Some(instant) => super::serialize(instant, serializer),
                None => serializer.serialize_none(),
            }
        }

        /// Reads an instant with any offset, or null.
        ///
        /// # Errors
        /// When the text is not RFC 3339.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
            Option::<String>::deserialize(deserializer)?.map(|text| super::instant(&text)).transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{
        SignedDuration, ToSpan,
        civil::{date, time},
    };
    use serde::{Deserialize, Serialize};

    use super::*;

    /// The clocks go from 02:00 to 03:00.
    const SPRING: Date = date(2027, 3, 28);
    /// The clocks go from 03:00 back to 02:00.
    const AUTUMN: Date = date(2027, 10, 31);

    fn ts(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn hours(of: Date) -> i64 {
        let (start, end) = day_bounds(of);
        end.duration_since(start).as_hours()
    }

    #[test]
    fn the_database_in_the_binary_knows_rome() {
        assert_eq!(bundled().unwrap(), rome());
        assert_eq!(rome().iana_name(), Some("Europe/Rome"));
    }

    #[test]
    fn the_fallback_agrees_with_the_database() {
        let fallback = rule_since_1996();
        let mut instant = ts("1996-01-01T00:00:00Z");
        while instant < ts("2040-01-01T00:00:00Z") {
            assert_eq!(fallback.to_offset(instant), rome().to_offset(instant), "{instant}");
            instant += SignedDuration::from_hours(1);
        }
    }

    #[test]
    fn a_local_time_is_an_hour_or_two_ahead_of_utc() {
        assert_eq!(at(date(2027, 1, 15), time(9, 0, 0, 0)), ts("2027-01-15T08:00:00Z"));
        assert_eq!(at(date(2027, 7, 15), time(9, 0, 0, 0)), ts("2027-07-15T07:00:00Z"));
    }

    #[test]
    fn a_skipped_time_moves_on_and_a_doubled_one_is_the_first() {
        assert_eq!(at(SPRING, time(1, 59, 59, 0)), ts("2027-03-28T00:59:59Z"));
        assert_eq!(at(SPRING, time(2, 0, 0, 0)), ts("2027-03-28T01:00:00Z"));
        assert_eq!(at(SPRING, time(2, 30, 0, 0)), ts("2027-03-28T01:30:00Z"));
        assert_eq!(at(SPRING, time(2, 30, 0, 0)), at(SPRING, time(3, 30, 0, 0)));
        assert_eq!(at(SPRING, time(3, 0, 0, 0)), ts("2027-03-28T01:00:00Z"));

        assert_eq!(at(AUTUMN, time(1, 59, 59, 0)), ts("2027-10-30T23:59:59Z"));
        assert_eq!(at(AUTUMN, time(2, 0, 0, 0)), ts("2027-10-31T00:00:00Z"));
        assert_eq!(at(AUTUMN, time(2, 30, 0, 0)), ts("2027-10-31T00:30:00Z"));
        assert_eq!(at(AUTUMN, time(3, 0, 0, 0)), ts("2027-10-31T02:00:00Z"));
    }

    #[test]
    fn the_date_changes_at_midnight_in_italy_not_in_utc() {
        assert_eq!(date_of(ts("2026-12-31T22:59:59Z")), date(2026, 12, 31));
        assert_eq!(date_of(ts("2026-12-31T23:00:00Z")), date(2027, 1, 1));
        assert_eq!(date_of(ts("2027-07-15T21:59:59Z")), date(2027, 7, 15));
        assert_eq!(date_of(ts("2027-07-15T22:00:00Z")), date(2027, 7, 16));
        assert_eq!(date_of(ts("2026-03-28T23:30:00Z")), date(2026, 3, 29));
    }

    #[test]
    fn days_have_24_hours_but_for_two() {
        assert_eq!(day_bounds(date(2027, 3, 27)), (ts("2027-03-26T23:00:00Z"), ts("2027-03-27T23:00:00Z")));
        assert_eq!(day_bounds(SPRING), (ts("2027-03-27T23:00:00Z"), ts("2027-03-28T22:00:00Z")));
        assert_eq!(day_bounds(AUTUMN), (ts("2027-10-30T22:00:00Z"), ts("2027-10-31T23:00:00Z")));
        let mut day = date(2027, 1, 1);
        while day.year() == 2027 {
            let expected = if day == SPRING {
                23
            } else if day == AUTUMN {
                25
            } else {
                24
            };
            assert_eq!(hours(day), expected, "{day}");
            day = day.checked_add(1.day()).unwrap();
        }
    }

    #[test]
    fn every_day_starts_where_the_one_before_ends() {
        let mut day = date(1965, 1, 1);
        while day.year() < 2040 {
            let (start, end) = day_bounds(day);
            assert_eq!(date_of(start), day);
            assert_eq!(date_of(end - SignedDuration::from_nanos(1)), day);
            day = day.tomorrow().unwrap();
            assert_eq!(end, day_bounds(day).0);
        }
    }

    #[test]
    fn in_1966_the_clocks_moved_at_midnight_and_the_day_began_at_one() {
        let (start, _) = day_bounds(date(1966, 5, 22));
        assert_eq!(to_rome(start).time(), time(1, 0, 0, 0));
        assert_eq!(hours(date(1966, 5, 22)), 23);
    }

    #[test]
    fn the_ends_of_the_calendar_do_not_panic() {
        assert_eq!(day_bounds(Date::MAX), (Timestamp::MAX, Timestamp::MAX));
        assert_eq!(at(Date::MIN, Time::MIN), Timestamp::MIN);
        assert_eq!(day_bounds(Date::MIN), (Timestamp::MIN, Timestamp::MIN));
        assert!(!is_in_gap(DateTime::MAX) && !is_in_gap(DateTime::MIN));
        assert!(!format_rfc3339(Timestamp::MAX).is_empty() && !format_rfc3339(Timestamp::MIN).is_empty());
    }

    #[test]
    fn only_the_spring_hour_is_skipped() {
        assert!(!is_in_gap(SPRING.at(1, 59, 59, 999_999_999)));
        assert!(is_in_gap(SPRING.at(2, 0, 0, 0)));
        assert!(is_in_gap(SPRING.at(2, 59, 59, 999_999_999)));
        assert!(!is_in_gap(SPRING.at(3, 0, 0, 0)));
        assert!(!is_in_gap(AUTUMN.at(2, 30, 0, 0)));
        assert!(!is_in_gap(date(2027, 3, 27).at(2, 30, 0, 0)));
    }

    #[test]
    fn instants_are_written_with_the_offset_of_their_own_day() {
        assert_eq!(format_rfc3339(ts("2027-03-28T07:00:00Z")), "2027-03-28T09:00:00+02:00");
        assert_eq!(format_rfc3339(ts("2027-03-28T00:59:59Z")), "2027-03-28T01:59:59+01:00");
        assert_eq!(format_rfc3339(ts("2027-03-28T01:00:00Z")), "2027-03-28T03:00:00+02:00");
        assert_eq!(format_rfc3339(ts("2027-10-31T00:30:00Z")), "2027-10-31T02:30:00+02:00");
        assert_eq!(format_rfc3339(ts("2027-10-31T01:30:00Z")), "2027-10-31T02:30:00+01:00");
        assert_eq!(format_rfc3339(ts("2027-01-15T08:00:00.999999Z")), "2027-01-15T09:00:00+01:00");
        assert_eq!(format_rfc3339(ts("1969-12-31T22:59:59.5Z")), "1969-12-31T23:59:59+01:00");
    }

    #[test]
    fn what_is_written_reads_back() {
        for day in [SPRING, AUTUMN] {
            let (start, end) = day_bounds(day);
            let mut instant = start;
            while instant < end {
                assert_eq!(parse_instant(&format_rfc3339(instant)), Ok(instant));
                instant += SignedDuration::from_mins(15);
            }
        }
    }

    #[test]
    fn every_rfc_3339_form_is_read() {
        let nine = ts("2027-03-29T07:00:00Z");
        for text in [
            "2027-03-29T09:00:00+02:00",
            "2027-03-29T07:00:00Z",
            "2027-03-29t07:00:00z",
            "2027-03-29T07:00:00+00:00",
            "2027-03-29T07:00:00-00:00",
            "2027-03-29T07:00:00.000Z",
            "2027-03-29T09:00:00.0+02:00",
            "2027-03-29T03:00:00-04:00",
            "2027-03-29T12:30:00+05:30",
        ] {
            assert_eq!(parse_instant(text), Ok(nine), "{text}");
        }
        assert_eq!(parse_instant("2027-03-29T07:00:00.123456Z"), Ok(ts("2027-03-29T07:00:00.123456Z")));
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in [
            "",
            "tomorrow",
            "2027-03-29",
            "2027-03-29T09:00:00",
            "2027-03-29T09:00+02:00",
            "2027-03-29 09:00:00+02:00",
            "20270329T090000Z",
            "2027-03-29T09:00:00+02",
            "2027-03-29T09:00:00+0200",
            "2027-03-29T09:00:00+02:00[Europe/Rome]",
            "2027-03-29T09:00:00[Europe/Rome]",
            "2027-03-29T09:00:00+02:00:00",
            "2027-03-29T09:00:00+25:00",
            "2027-03-29T09:00:00+01:75",
            "2027-03-29T09:00:00.Z",
            "2027-03-29T09:00:00,5Z",
            "2027-03-29T09:00:00ZZ",
            " 2027-03-29T09:00:00Z",
            "2027-02-29T09:00:00Z",
            "2027-13-01T09:00:00Z",
            "2027-03-29T24:00:00Z",
            "2027-03-29T09:60:00Z",
            "+002027-03-29T09:00:00Z",
            "2027-03-29T09:00:0\u{e9}Z",
            "9999-12-31T23:59:59-12:00",
        ] {
            assert_eq!(parse_instant(text), Err(InstantError::Malformed), "{text}");
        }
    }

    #[test]
    fn a_naively_computed_time_in_the_spring_gap_does_not_exist() {
        for text in [
            "2027-03-28T02:00:00+01:00",
            "2027-03-28T02:30:00+01:00",
            "2027-03-28T02:30:00+02:00",
            "2027-03-28T02:59:59.999+02:00",
        ] {
            assert_eq!(parse_instant(text), Err(InstantError::DoesNotExist), "{text}");
        }
        // UTC is nobody's wall clock, and the hours beside the gap exist.
        for text in [
            "2027-03-28T02:30:00Z",
            "2027-03-28T02:30:00+00:00",
            "2027-03-28T01:59:59+01:00",
            "2027-03-28T03:00:00+02:00",
            "2027-10-31T02:30:00+01:00",
            "2027-10-31T02:30:00+02:00",
        ] {
            assert_eq!(parse_instant(text), Ok(ts(text)), "{text}");
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Event {
        #[serde(with = "rfc3339")]
        at: Timestamp,
        #[serde(default, with = "rfc3339::option")]
        until: Option<Timestamp>,
    }

    #[test]
    fn json_carries_the_local_time_and_takes_any_offset() {
        let event = Event { at: ts("2027-03-28T01:30:00Z"), until: None };
        let json = r#"{"at":"2027-03-28T03:30:00+02:00","until":null}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
        assert_eq!(serde_json::from_str::<Event>(json).unwrap(), event);
        assert_eq!(serde_json::from_str::<Event>(r#"{"at":"2027-03-28T01:30:00Z"}"#).unwrap(), event);
        assert_eq!(serde_json::from_str::<Event>(r#"{"at":"2027-03-28T02:30:00+01:00"}"#).unwrap(), event);

        let event = Event { at: event.at, until: Some(ts("2027-03-28T02:00:00Z")) };
        let json = r#"{"at":"2027-03-28T03:30:00+02:00","until":"2027-03-28T04:00:00+02:00"}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
        assert_eq!(serde_json::from_str::<Event>(json).unwrap(), event);
    }

    #[test]
    fn json_without_an_offset_is_refused_with_the_expected_form() {
        for json in [r#"{"at":"2027-03-28T03:30:00"}"#, r#"{"at":"2027-03-28T01:30:00Z","until":"2027-03-28"}"#] {
            let error = serde_json::from_str::<Event>(json).unwrap_err().to_string();
            assert!(error.contains("expected an RFC 3339 date-time with its offset"), "{error}");
        }
    }
}
