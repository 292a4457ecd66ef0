//! Public holidays (festività nazionali) and the patron saint's day of a Comune.
//!
//! L. 260/1949 with its changes: L. 54/1977 (five holidays abolished, 2 June and 4 November moved
//! to a Sunday), DPR 792/1985 (Epiphany back; 29 June in Rome only), L. 336/2000 (2 June back),
//! DL 5/2011 (17 March, that year only, as for the centenary of 1961), L. 151/2025 (4 October from
//! 2026). Sundays, which the law lists too, are left to whoever asks: an office that opens on
//! Sundays does so all the same.

use std::ops::RangeInclusive;

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};

use crate::Localized;

/// A day on which public offices are closed by law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    /// The day.
    pub date: Date,
    /// What is celebrated.
    pub name: Localized,
}

/// The day a holiday falls on, in a year given.
#[derive(Debug, Clone, Copy)]
enum Day {
    /// Month and day.
    On(i8, i8),
    /// Days after Easter Sunday.
    Easter(i64),
    /// The first Sunday of this month.
    FirstSunday(i8),
}

/// A holiday with the years it was, or is, one.
#[derive(Debug)]
struct Rule {
    day: Day,
    years: RangeInclusive<i16>,
    it: &'static str,
    en: &'static str,
    de: &'static str,
}

/// The first whole year under L. 260/1949.
const LAW: i16 = 1950;
/// Still a holiday.
const OPEN: i16 = i16::MAX;

const fn rule(day: Day, years: RangeInclusive<i16>, it: &'static str, en: &'static str, de: &'static str) -> Rule {
    Rule { day, years, it, en, de }
}

static RULES: [Rule; 23] = [
    rule(Day::On(1, 1), LAW..=OPEN, "Capodanno", "New Year's Day", "Neujahr"),
    rule(Day::On(1, 6), LAW..=1977, "Epifania", "Epiphany", "Dreikönigstag"),
    rule(Day::On(1, 6), 1986..=OPEN, "Epifania", "Epiphany", "Dreikönigstag"),
    rule(Day::On(3, 17), 1961..=1961, "Unità d'Italia", "Unification of Italy", "Einigung Italiens"),
    rule(Day::On(3, 17), 2011..=2011, "Unità d'Italia", "Unification of Italy", "Einigung Italiens"),
    rule(Day::On(3, 19), LAW..=1976, "San Giuseppe", "Saint Joseph's Day", "Josefstag"),
    rule(Day::Easter(0), LAW..=OPEN, "Pasqua", "Easter Sunday", "Ostersonntag"),
    rule(Day::Easter(1), LAW..=OPEN, "Lunedì dell'Angelo", "Easter Monday", "Ostermontag"),
    rule(Day::On(4, 25), LAW..=OPEN, "Festa della Liberazione", "Liberation Day", "Tag der Befreiung"),
    rule(Day::On(5, 1), LAW..=OPEN, "Festa del Lavoro", "Labour Day", "Tag der Arbeit"),
    rule(Day::Easter(39), LAW..=1976, "Ascensione", "Ascension Day", "Christi Himmelfahrt"),
    rule(Day::Easter(60), LAW..=1976, "Corpus Domini", "Corpus Christi", "Fronleichnam"),
    rule(Day::On(6, 2), LAW..=1976, "Festa della Repubblica", "Republic Day", "Tag der Republik"),
    rule(Day::FirstSunday(6), 1977..=2000, "Festa della Repubblica", "Republic Day", "Tag der Republik"),
    rule(Day::On(6, 2), 2001..=OPEN, "Festa della Repubblica", "Republic Day", "Tag der Republik"),
    rule(Day::On(6, 29), LAW..=1976, "Santi Pietro e Paolo", "Saints Peter and Paul", "Peter und Paul"),
    rule(Day::On(8, 15), LAW..=OPEN, "Assunzione di Maria", "Assumption of Mary", "Mariä Himmelfahrt"),
    rule(Day::On(10, 4), 2026..=OPEN, "San Francesco d'Assisi", "Saint Francis of Assisi", "Franz von Assisi"),
    rule(Day::On(11, 1), LAW..=OPEN, "Ognissanti", "All Saints' Day", "Allerheiligen"),
    // From 1977 it is remembered on a Sunday (since 2024 again on 4 November), and no office closes for it.
    rule(Day::On(11, 4), LAW..=1976, "Unità nazionale", "National Unity Day", "Tag der nationalen Einheit"),
    rule(Day::On(12, 8), LAW..=OPEN, "Immacolata Concezione", "Immaculate Conception", "Mariä Empfängnis"),
    rule(Day::On(12, 25), LAW..=OPEN, "Natale", "Christmas Day", "Weihnachten"),
    rule(Day::On(12, 26), LAW..=OPEN, "Santo Stefano", "Saint Stephen's Day", "Stephanstag"),
];

impl Rule {
    fn in_year(&self, year: i16) -> Option<Date> {
        if !self.years.contains(&year) {
            return None;
        }
        match self.day {
            Day::On(month, day) => Date::new(year, month, day).ok(),
            Day::Easter(days) => easter(year).checked_add(days.days()).ok(),
            Day::FirstSunday(month) => Date::new(year, month, 1).ok()?.nth_weekday_of_month(1, Weekday::Sunday).ok(),
        }
    }

    fn name(&self) -> Localized {
        Localized { it: self.it.to_owned(), en: Some(self.en.to_owned()), de: Some(self.de.to_owned()) }
    }
}

/// Easter Sunday of this year, from 1583 on (Gregorian calendar; the "anonymous" computus).
///
/// A year that [`Date`] cannot hold gives its last day.
pub fn easter(year: i16) -> Date {
    let year_number = i64::from(year);
    let (century, of_century) = (year_number / 100, year_number % 100);
    let golden = year_number % 19;
    let corrected = century - century / 4 - (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + corrected + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4) % 7;
    let late = (golden + 11 * epact + 22 * weekday) / 451;
    let after_22_march = epact + weekday - 7 * late;
    Date::new(year, 3, 22).map_or(Date::MAX, |earliest| earliest.saturating_add(after_22_march.days()))
}

/// The national holidays of a year, in order; none before 1950, the first whole year under the law.
///
/// Two of them may fall on one day, as Easter Monday and 25 April did in 2011.
pub fn national(year: i16) -> Vec<Holiday> {
    let mut holidays: Vec<Holiday> =
        RULES.iter().filter_map(|rule| rule.in_year(year).map(|date| Holiday { date, name: rule.name() })).collect();
    holidays.sort_by_key(|holiday| holiday.date);
    holidays
}

/// The holidays of one Comune: the national ones, its patron saint's day (santo patrono), and the days on
/// which it has decided to be closed.
///
/// It answers whether offices are closed. It does not move legal deadlines, on which the patron
/// saint has no bearing (Cass. lav. 17079/2007), but for 29 June in Rome (DPR 792/1985).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolidayCalendar {
    patron: Option<(i8, i8)>,
    patron_name: Localized,
    closures: Vec<Holiday>,
}

impl HolidayCalendar {
    /// The national holidays alone.
    pub fn national() -> Self {
        Self { patron: None, patron_name: Localized::italian(String::new()), closures: Vec::new() }
    }

    /// With a patron saint's day: the month (1–12), the day (1–31) and whom it celebrates.
    ///
    /// In a year that lacks the day, as most lack 29 February, it is not celebrated.
    pub const fn with_patron(month: i8, day: i8, name: Localized) -> Self {
        Self { patron: Some((month, day)), patron_name: name, closures: Vec::new() }
    }

    /// With days on which the Comune has decided to be closed, besides those it has already.
    #[must_use]
    pub fn and_closed(mut self, days: impl IntoIterator<Item = Holiday>) -> Self {
        self.closures.extend(days);
        self
    }

    /// Whether this day is one of the holidays. A Sunday is none for being a Sunday.
    pub fn is_holiday(&self, date: Date) -> bool {
        self.patron == Some((date.month(), date.day()))
            || self.closures.iter().any(|closure| closure.date == date)
            || RULES.iter().any(|rule| rule.in_year(date.year()) == Some(date))
    }

    /// The holidays of a year, in order. A patron saint's day that falls on a national holiday
    /// comes after it, and a closure after both.
    pub fn of_year(&self, year: i16) -> Vec<Holiday> {
        let mut holidays = national(year);
        if let Some(date) = self.patron.and_then(|(month, day)| Date::new(year, month, day).ok()) {
            holidays.push(Holiday { date, name: self.patron_name.clone() });
        }
        holidays.extend(self.closures.iter().filter(|closure| closure.date.year() == year).cloned());
        holidays.sort_by_key(|holiday| holiday.date);
        holidays
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::Lang;

    fn dates(year: i16) -> Vec<(i8, i8)> {
        let holidays = national(year);
        assert!(holidays.iter().all(|holiday| holiday.date.year() == year));
        holidays.iter().map(|holiday| (holiday.date.month(), holiday.date.day())).collect()
    }

    #[test]
    fn easter_falls_on_the_days_it_fell_on() {
        for (year, month, day) in [
            (1818, 3, 22), // the earliest there is
            (1943, 4, 25), // the latest there is
            (1954, 4, 18), // both exceptions of the computus: Gauss's own formula gave 25
            (1961, 4, 2),
            (1976, 4, 18),
            (1981, 4, 19), // and 26 here
            (2000, 4, 23),
            (2008, 3, 23),
            (2011, 4, 24),
            (2016, 3, 27),
            (2019, 4, 21),
            (2024, 3, 31),
            (2025, 4, 20),
            (2026, 4, 5),
            (2027, 3, 28),
            (2028, 4, 16),
            (2029, 4, 1),
            (2030, 4, 21),
            (2031, 4, 13),
            (2038, 4, 25),
            (2049, 4, 18),
            (2076, 4, 19),
            (2285, 3, 22),
        ] {
            assert_eq!(easter(year), date(year, month, day));
        }
    }

    #[test]
    fn easter_is_a_sunday_between_22_march_and_25_april() {
        for year in 1583..=9999 {
            let easter = easter(year);
            assert_eq!(easter.weekday(), Weekday::Sunday, "{year}");
            assert!(easter >= date(year, 3, 22) && easter <= date(year, 4, 25), "{year}");
        }
    }

    #[test]
    fn a_year_out_of_range_does_not_panic() {
        assert_eq!(easter(i16::MAX), Date::MAX);
        assert!(national(i16::MAX).iter().all(|holiday| holiday.date.year() == 9999));
        assert_eq!(easter(i16::MIN), Date::MAX);
        assert!(national(i16::MIN).is_empty());
    }

    #[test]
    fn a_year_of_today_has_its_thirteen_holidays_in_order() {
        let expected = [
            (1, 1),
            (1, 6),
            (3, 28),
            (3, 29),
            (4, 25),
            (5, 1),
            (6, 2),
            (8, 15),
            (10, 4),
            (11, 1),
            (12, 8),
            (12, 25),
            (12, 26),
        ];
        assert_eq!(dates(2027), expected);
    }

    #[test]
    fn saint_francis_is_celebrated_from_2026() {
        assert!(!dates(2025).contains(&(10, 4)));
        assert!(dates(2026).contains(&(10, 4)));
        assert_eq!((dates(2025).len(), dates(2026).len()), (12, 13));
    }

    #[test]
    fn epiphany_was_a_working_day_from_1978_to_1985() {
        for year in 1950..=2040 {
            assert_eq!(dates(year).contains(&(1, 6)), !(1978..=1985).contains(&year), "{year}");
        }
    }

    #[test]
    fn the_republic_was_celebrated_on_a_sunday_from_1977_to_2000() {
        for year in 1950..=2040 {
            if (1977..=2000).contains(&year) {
                let name = |holiday: &&Holiday| holiday.name.it == "Festa della Repubblica";
                let day = national(year).iter().find(name).unwrap().date;
                assert!(day.month() == 6 && day.day() <= 7 && day.weekday() == Weekday::Sunday, "{day}");
            } else {
                assert!(dates(year).contains(&(6, 2)), "{year}");
            }
        }
    }

    #[test]
    fn the_law_of_1977_abolished_five_holidays_and_moved_two() {
        assert_eq!(dates(1976).len(), 17);
        for day in [(1, 6), (3, 19), (5, 27), (6, 17), (6, 29), (6, 2), (11, 4)] {
            assert!(dates(1976).contains(&day), "{day:?}");
        }
        assert_eq!(
            dates(1978),
            [(1, 1), (3, 26), (3, 27), (4, 25), (5, 1), (6, 4), (8, 15), (11, 1), (12, 8), (12, 25), (12, 26)]
        );
    }

    #[test]
    fn the_unity_of_italy_is_celebrated_every_fifty_years_by_a_law_of_its_own() {
        let years: Vec<i16> = (1950..=2100).filter(|year| dates(*year).contains(&(3, 17))).collect();
        assert_eq!(years, [1961, 2011]);
    }

    #[test]
    fn no_holiday_is_told_of_before_the_law() {
        assert!(national(1949).is_empty());
        assert!(!national(1950).is_empty());
    }

    #[test]
    fn two_holidays_may_fall_on_one_day() {
        let names: Vec<String> = national(2011)
            .into_iter()
            .filter(|holiday| holiday.date == date(2011, 4, 25))
            .map(|holiday| holiday.name.it)
            .collect();
        assert_eq!(names, ["Lunedì dell'Angelo", "Festa della Liberazione"]);
    }

    #[test]
    fn every_holiday_has_its_three_names() {
        for year in 1950..=2040 {
            for Holiday { name, .. } in national(year) {
                assert!(!name.it.is_empty());
                assert_ne!(name.text(Lang::En), name.it);
                assert_ne!(name.text(Lang::De), name.it);
            }
        }
    }

    #[test]
    fn the_calendar_and_the_list_agree() {
        let calendar = HolidayCalendar::with_patron(6, 24, Localized::italian("San Giovanni Battista"));
        for year in [1949, 1976, 1985, 2000, 2011, 2027, 2028] {
            let listed = calendar.of_year(year);
            assert!(listed.is_sorted_by_key(|holiday| holiday.date));
            let mut day = date(year, 1, 1);
            while day.year() == year {
                assert_eq!(calendar.is_holiday(day), listed.iter().any(|holiday| holiday.date == day), "{day}");
                day = day.tomorrow().unwrap();
            }
        }
    }

    #[test]
    fn the_patron_saint_is_a_holiday_of_the_comune_only() {
        let bugliano = HolidayCalendar::with_patron(6, 24, Localized::italian("San Giovanni Battista"));
        assert!(bugliano.is_holiday(date(2027, 6, 24)));
        assert!(!HolidayCalendar::national().is_holiday(date(2027, 6, 24)));
        assert_eq!(bugliano.of_year(2027).len(), 14);
        let patron = bugliano.of_year(2027).into_iter().find(|h| h.date == date(2027, 6, 24)).unwrap();
        assert_eq!(patron.name.text(Lang::De), "San Giovanni Battista");
        assert_eq!(HolidayCalendar::national().of_year(2027), national(2027));
    }

    #[test]
    fn a_patron_on_29_february_is_celebrated_in_leap_years() {
        let calendar = HolidayCalendar::with_patron(2, 29, Localized::italian("Sant'Augusto"));
        assert_eq!(calendar.of_year(2027).len(), 13);
        assert_eq!(calendar.of_year(2028).len(), 14);
        assert!(calendar.is_holiday(date(2028, 2, 29)));
        assert!(!calendar.is_holiday(date(2027, 2, 28)) && !calendar.is_holiday(date(2027, 3, 1)));
    }

    #[test]
    fn a_patron_on_a_national_holiday_is_named_beside_it() {
        let calendar = HolidayCalendar::with_patron(10, 4, Localized::italian("San Petronio"));
        let names: Vec<String> = calendar
            .of_year(2026)
            .into_iter()
            .filter(|holiday| holiday.date == date(2026, 10, 4))
            .map(|holiday| holiday.name.it)
            .collect();
        assert_eq!(names, ["San Francesco d'Assisi", "San Petronio"]);
    }

    #[test]
    fn a_sunday_is_no_holiday_by_itself() {
        let calendar = HolidayCalendar::national();
        assert!(!calendar.is_holiday(date(2027, 10, 31)));
        assert!(calendar.is_holiday(date(2027, 3, 28)));
    }

    #[test]
    fn a_comune_may_close_on_days_of_its_own() {
        let closure = Holiday { date: date(2027, 8, 13), name: Localized::italian("Chiusura estiva") };
        let calendar = HolidayCalendar::with_patron(9, 8, Localized::italian("Natività")).and_closed([closure.clone()]);
        assert!(calendar.is_holiday(closure.date) && calendar.is_holiday(date(2027, 9, 8)));
        assert!(!calendar.is_holiday(date(2028, 8, 13)), "this once");
        assert!(calendar.of_year(2027).contains(&closure) && !calendar.of_year(2028).contains(&closure));
        assert!(calendar.of_year(2027).is_sorted_by_key(|holiday| holiday.date));
    }
}
