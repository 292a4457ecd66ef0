//! From counts to figures.

use std::collections::BTreeMap;

use super::model::Figures;
use crate::appointments::AppointmentState;

/// Who called an appointment off, as far as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CalledOffBy {
    Citizens,
    Staff,
    Others,
}

/// What is added up.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    booked: i64,
    open: i64,
    kept: i64,
    no_shows: i64,
    by_citizens: i64,
    by_staff: i64,
    by_others: i64,
    /// How many had so many hours between booking and visit.
    leads: BTreeMap<i64, i64>,
}

impl Tally {
    /// Adds `count` appointments that are alike.
    pub(super) fn add(&mut self, state: AppointmentState, by: CalledOffBy, lead_hours: i64, count: i64) {
        self.booked += count;
        let part = match (state, by) {
            (AppointmentState::Completed, _) => &mut self.kept,
            (AppointmentState::NoShow, _) => &mut self.no_shows,
            (AppointmentState::Cancelled, CalledOffBy::Citizens) => &mut self.by_citizens,
            (AppointmentState::Cancelled, CalledOffBy::Staff) => &mut self.by_staff,
            (AppointmentState::Cancelled, CalledOffBy::Others) => &mut self.by_others,
            _ => &mut self.open,
        };
        *part += count;
        *self.leads.entry(lead_hours).or_default() += count;
    }

    /// Adds all of another.
    pub(super) fn join(&mut self, other: &Self) {
        self.booked += other.booked;
        self.open += other.open;
        self.kept += other.kept;
        self.no_shows += other.no_shows;
        self.by_citizens += other.by_citizens;
        self.by_staff += other.by_staff;
        self.by_others += other.by_others;
        for (lead, count) in &other.leads {
            *self.leads.entry(*lead).or_default() += count;
        }
    }

    /// The figures.
    pub(super) fn figures(&self) -> Figures {
        Figures {
            booked: self.booked,
            open: self.open,
            kept: self.kept,
            no_shows: self.no_shows,
            cancelled_by_citizens: self.by_citizens,
            cancelled_by_staff: self.by_staff,
            cancelled_by_others: self.by_others,
            lead_hours_median: median(&self.leads),
            lead_hours_mean: mean(&self.leads),
        }
    }
}

/// The least value that half of them do not exceed.
fn median(counts: &BTreeMap<i64, i64>) -> Option<i64> {
    let all: i64 = counts.values().sum();
    let mut passed = 0;
    counts.iter().find_map(|(value, count)| {
        passed += count;
        (passed * 2 >= all).then_some(*value)
    })
}

/// The average, cut to a whole number.
fn mean(counts: &BTreeMap<i64, i64>) -> Option<i64> {
    let all: i64 = counts.values().sum();
    counts.iter().map(|(value, count)| value.saturating_mul(*count)).sum::<i64>().checked_div(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_appointment_is_in_one_part() {
        let mut tally = Tally::default();
        for state in [
            AppointmentState::Confirmed,
            AppointmentState::CheckedIn,
            AppointmentState::Serving,
            AppointmentState::Completed,
            AppointmentState::NoShow,
        ] {
            tally.add(state, CalledOffBy::Others, 24, 1);
        }
        for by in [CalledOffBy::Citizens, CalledOffBy::Staff, CalledOffBy::Others] {
            tally.add(AppointmentState::Cancelled, by, 48, 2);
        }
        let figures = tally.figures();
        assert_eq!((figures.booked, figures.open, figures.kept, figures.no_shows), (11, 3, 1, 1));
        assert_eq!((figures.cancelled_by_citizens, figures.cancelled_by_staff, figures.cancelled_by_others), (2, 2, 2));
        assert_eq!((figures.lead_hours_median, figures.lead_hours_mean), (Some(48), Some(37)));
        assert_eq!(Tally::default().figures().lead_hours_median, None);
        assert_eq!(Tally::default().figures().lead_hours_mean, None);
    }

    proptest! {
        #[test]
        fn the_median_is_that_of_the_sorted_list(mut values in proptest::collection::vec(0_i64..50, 1..60)) {
            let mut counts = BTreeMap::new();
            for value in &values {
                *counts.entry(*value).or_default() += 1;
            }
            values.sort_unstable();
            prop_assert_eq!(median(&counts), Some(values[(values.len() - 1) / 2]));
        }
    }
}
