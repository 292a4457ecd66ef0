//! How debts go from one state to the next, what may be asked for, and when the provider is asked. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, civil::Date};
use kernel::{Problem, civil};
use platform::problems::{INVALID_BODY, INVALID_TRANSITION};

use super::model::{Debt, MOST_CENTS, NewPayment, Payer, PaymentState, PaymentTime, Task};
use crate::ports::Settlement;

/// What happens to a debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// It was decided that it is owed.
    Released,
    /// The provider has it.
    Published,
    /// The pay page was opened.
    Started,
    /// It was paid in full.
    Paid,
    /// Its date has passed.
    DatePassed,
    /// It is no longer owed.
    Cancelled,
}

/// What the state is afterwards; nothing where it cannot happen in this state. Money that arrives is never denied,
/// however late.
pub const fn next(state: PaymentState, happening: Happening) -> Option<PaymentState> {
    use Happening as H;
    use PaymentState as S;
    match (state, happening) {
        (S::Draft, H::Released) => Some(S::AwaitingPublication),
        (S::AwaitingPublication, H::Published) => Some(S::Payable),
        (S::Payable | S::Started, H::Started) => Some(S::Started),
        (S::AwaitingPublication | S::Payable | S::Started | S::Expired | S::Cancelled, H::Paid) => Some(S::Paid),
        (S::AwaitingPublication | S::Payable | S::Started, H::DatePassed) => Some(S::Expired),
        (S::Draft | S::AwaitingPublication | S::Payable | S::Started | S::Expired, H::Cancelled) => Some(S::Cancelled),
        _ => None,
    }
}

/// The same, as a refusal that says what else can be done.
///
/// # Errors
/// `invalid-transition`.
pub fn must(state: PaymentState, happening: Happening) -> Result<PaymentState, Problem> {
    next(state, happening).ok_or_else(|| not_now(state))
}

/// A refusal of something that this state does not allow.
pub fn not_now(state: PaymentState) -> Problem {
    let steps = [
        (Happening::Released, "publication"),
        (Happening::Started, "checkout"),
        (Happening::Cancelled, "cancellation"),
    ];
    let allowed: Vec<&str> =
        steps.iter().filter(|(step, _)| next(state, *step).is_some()).map(|(_, name)| *name).collect();
    Problem::new(&INVALID_TRANSITION).with("current_state", state.as_str()).with("allowed", allowed)
}

/// Whether the provider knows of debts in this state.
pub const fn is_out(state: PaymentState) -> bool {
    matches!(state, PaymentState::Payable | PaymentState::Started)
}

/// What is done at once about a debt that was released already; nothing where it is still to be, or is over.
pub const fn hurried(debt: &Debt) -> Option<Task> {
    match debt.state {
        PaymentState::AwaitingPublication if !debt.publication_failed => Some(Task::Publish),
        PaymentState::Payable | PaymentState::Started => Some(Task::Check),
        _ => None,
    }
}

/// The state a debt begins in.
pub const fn first(when: PaymentTime) -> PaymentState {
    match when {
        PaymentTime::Before => PaymentState::AwaitingPublication,
        PaymentTime::AfterApproval => PaymentState::Draft,
    }
}

/// What a payment that the provider tells of comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The debt is paid; late, where its date had passed or it had been called off.
    Paid {
        /// Whether it was late.
        late: bool,
    },
    /// Something else was paid than is owed: somebody must look at it.
    WrongAmount,
}

/// Judges what was paid. Without a time of the provider's own it was paid now.
pub fn judge(debt: &Debt, settlement: &Settlement, now: Timestamp) -> Verdict {
    if settlement.amount_cents != debt.total_cents {
        return Verdict::WrongAmount;
    }
    let over = matches!(debt.state, PaymentState::Cancelled);
    // A debt that was taken to be expired may have been paid in time: the provider's clock says.
    let late = settlement.paid_at.unwrap_or(now) >= debt.due_at;
    Verdict::Paid { late: over || late }
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How long until the provider is asked again about a debt that can be paid, by how often it was asked, in seconds.
const OPEN: [i64; 10] =
    [MINUTE, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR, DAY];
/// The same while somebody is on the pay page, who comes back and wants to know.
const STARTED: [i64; 8] = [5, 10, 20, MINUTE, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR];
/// The same of one that is over: money may still be on its way.
const OVER: [i64; 8] = [HOUR, 6 * HOUR, DAY, 2 * DAY, 4 * DAY, 7 * DAY, 14 * DAY, 30 * DAY];
/// How long until something that failed is tried again, in seconds.
const FAILED: [i64; 8] = [2, 10, 30, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR];

fn step(waits: &[i64], times: i64) -> Option<i64> {
    waits.get(usize::try_from(times).ok()?).copied()
}

fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(now)
}

/// What is to be done about a debt in this state, and when, after so many checks; nothing where all is done. A debt
/// that can be paid is looked at when its date passes, if not before.
pub fn plan(debt: &Debt, checks: i64, now: Timestamp) -> Option<(Task, Timestamp)> {
    let last = |waits: &[i64]| step(waits, checks).or_else(|| waits.last().copied()).unwrap_or(DAY);
    match debt.state {
        PaymentState::Draft | PaymentState::Paid => None,
        PaymentState::AwaitingPublication if debt.publication_failed => Some((Task::Check, debt.due_at)),
        PaymentState::AwaitingPublication => Some((Task::Publish, now)),
        PaymentState::Payable => Some((Task::Check, after(now, last(&OPEN)).min(debt.due_at.max(now)))),
        PaymentState::Started => Some((Task::Check, after(now, last(&STARTED)).min(debt.due_at.max(now)))),
        // What never was with the provider cannot be paid there.
        PaymentState::Expired | PaymentState::Cancelled if debt.published_at.is_none() => None,
        PaymentState::Expired | PaymentState::Cancelled => {
            step(&OVER, checks).map(|wait| (Task::Check, after(now, wait)))
        }
    }
}

/// When something that failed is tried again, after so many attempts; as late as the provider asked for, up to a day.
pub fn again(attempts: i64, asked: Option<Duration>, now: Timestamp) -> Timestamp {
    let wait = step(&FAILED, attempts.saturating_sub(1)).or_else(|| FAILED.last().copied()).unwrap_or(DAY);
    let asked = asked.map_or(0, |asked| i64::try_from(asked.as_secs()).unwrap_or(DAY)).min(DAY);
    after(now, wait.max(asked))
}

/// The end of a day in Italy: until then what is due on it can be paid.
pub fn end_of(day: Date) -> Timestamp {
    civil::day_bounds(day).1
}

/// The day that ends then.
pub fn last_day(end: Timestamp) -> Date {
    civil::date_of(end.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(end))
}

/// How far ahead something can be due, in days.
const FURTHEST_DAYS: i64 = 3660;

/// The sum of the lines.
///
/// # Errors
/// `invalid-body` for what no notice can say, naming the member.
pub fn check(new: &NewPayment, now: Timestamp) -> Result<i64, Problem> {
    let refuse = |pointer: &str, code: &'static str, words: &str| {
        Err(Problem::new(&INVALID_BODY).field(pointer.to_owned(), code, words.to_owned()))
    };
    let today = civil::date_of(now);
    if new.due_on < today {
        return refuse("/due_on", "not-after", "not before today");
    }
    if new.due_on > today.saturating_add(jiff::Span::new().try_days(FURTHEST_DAYS).unwrap_or_default()) {
        return refuse("/due_on", "too-far", "at most ten years ahead");
    }
    let Payer { given_name, family_name, legal_name, .. } = &new.payer;
    match (legal_name, given_name, family_name) {
        (None, Some(_), Some(_)) | (Some(_), None, None) => {}
        (None, None, _) => return refuse("/payer/given_name", "incomplete", "a person has both names"),
        (None, _, None) => return refuse("/payer/family_name", "incomplete", "a person has both names"),
        (Some(_), ..) => {
            return refuse("/payer/legal_name", "not-for-this-kind", "an organisation has one name, a person two");
        }
    }
    let total = new.lines.iter().fold(0_i64, |sum, line| sum.saturating_add(line.amount.amount_cents));
    if total > MOST_CENTS {
        return refuse("/lines", "too-many", "the sum does not fit into a notice");
    }
    Ok(total)
}

/// The whole name of who pays.
pub fn full_name(given_name: Option<&str>, family_name: Option<&str>, legal_name: Option<&str>) -> String {
    match legal_name {
        Some(name) => name.to_owned(),
        None => [given_name, family_name].into_iter().flatten().collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use kernel::Id;
    use uuid::Uuid;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn debt(state: PaymentState) -> Debt {
        Debt {
            id: Id::from_uuid(Uuid::from_u128(1)),
            subject_kind: "payment".to_owned(),
            subject_id: Id::from_uuid(Uuid::from_u128(1)),
            office_id: Id::from_uuid(Uuid::from_u128(2)),
            owner: "citizen:a".to_owned(),
            person_key: "a".to_owned(),
            description: "Diritti".to_owned(),
            total_cents: 1600,
            due_at: at("2027-01-31T23:00:00Z"),
            due_when: PaymentTime::Before,
            creditor: "01199250158".to_owned(),
            notice_number: "302000000000000184".to_owned(),
            iuv: "02000000000000184".to_owned(),
            state,
            paid_late: false,
            amount_mismatch: false,
            publication_failed: false,
            published_at: Some(at("2026-11-29T10:00:00Z")),
            paid_at: None,
            paid_cents: None,
            receipt_reference: None,
            access_hash: None,
            version: 1,
            created_at: at("2026-11-29T10:00:00Z"),
            updated_at: at("2026-11-29T10:00:00Z"),
        }
    }

    #[test]
    fn the_machine_is_this_table() {
        use Happening as H;
        use PaymentState as S;
        let all = [H::Released, H::Published, H::Started, H::Paid, H::DatePassed, H::Cancelled];
        let table: [(S, [Option<S>; 6]); 7] = [
            (S::Draft, [Some(S::AwaitingPublication), None, None, None, None, Some(S::Cancelled)]),
            (
                S::AwaitingPublication,
                [None, Some(S::Payable), None, Some(S::Paid), Some(S::Expired), Some(S::Cancelled)],
            ),
            (S::Payable, [None, None, Some(S::Started), Some(S::Paid), Some(S::Expired), Some(S::Cancelled)]),
            (S::Started, [None, None, Some(S::Started), Some(S::Paid), Some(S::Expired), Some(S::Cancelled)]),
            (S::Paid, [None; 6]),
            (S::Expired, [None, None, None, Some(S::Paid), None, Some(S::Cancelled)]),
            (S::Cancelled, [None, None, None, Some(S::Paid), None, None]),
        ];
        assert_eq!(table.map(|(state, _)| state).as_slice(), S::ALL);
        for (state, expected) in table {
            assert_eq!(all.map(|happening| next(state, happening)), expected, "{state:?}");
        }
    }

    #[test]
    fn a_refusal_says_what_can_be_done_instead() {
        let problem = must(PaymentState::Paid, Happening::Cancelled).unwrap_err();
        assert_eq!(problem.kind.slug, "invalid-transition");
        let allowed = |state| not_now(state).extensions["allowed"].clone();
        assert_eq!(allowed(PaymentState::Payable), serde_json::json!(["checkout", "cancellation"]));
        assert_eq!(allowed(PaymentState::Paid), serde_json::json!([]));
    }

    #[test]
    fn what_is_paid_is_judged_by_amount_and_by_the_providers_clock() {
        let paid =
            |cents, paid_at: Option<&str>| Settlement { amount_cents: cents, paid_at: paid_at.map(at), receipt: None };
        let before = at("2027-01-31T22:59:59Z");
        let past = at("2027-02-03T10:00:00Z");
        for (state, settlement, now, verdict) in [
            (PaymentState::Payable, paid(1600, None), before, Verdict::Paid { late: false }),
            (PaymentState::Payable, paid(1600, None), past, Verdict::Paid { late: true }),
            (PaymentState::Expired, paid(1600, Some("2027-01-31T22:00:00Z")), past, Verdict::Paid { late: false }),
            (PaymentState::Expired, paid(1600, Some("2027-01-31T23:00:00Z")), past, Verdict::Paid { late: true }),
            (PaymentState::Cancelled, paid(1600, Some("2027-01-01T22:00:00Z")), past, Verdict::Paid { late: true }),
            (PaymentState::Payable, paid(1599, None), before, Verdict::WrongAmount),
            (PaymentState::Payable, paid(1601, None), before, Verdict::WrongAmount),
        ] {
            assert_eq!(judge(&debt(state), &settlement, now), verdict, "{state:?} {settlement:?}");
        }
    }

    #[test]
    fn the_provider_is_asked_ever_less_often_and_when_the_date_passes() {
        let now = at("2026-12-01T10:00:00Z");
        let wait =
            |debt: &Debt, checks| plan(debt, checks, now).map(|(task, at)| (task, at.duration_since(now).as_secs()));
        let open = debt(PaymentState::Payable);
        let waits: Vec<i64> = (0..12).map(|checks| wait(&open, checks).unwrap().1).collect();
        assert!(waits.is_sorted(), "{waits:?}");
        assert_eq!((waits[0], waits[11]), (60, DAY));
        assert_eq!(wait(&debt(PaymentState::Started), 0), Some((Task::Check, 5)));
        let soon = Debt { due_at: at("2026-12-01T10:00:30Z"), ..open };
        assert_eq!(wait(&soon, 9), Some((Task::Check, 30)));
        assert_eq!(wait(&debt(PaymentState::AwaitingPublication), 0), Some((Task::Publish, 0)));
        assert_eq!(wait(&debt(PaymentState::Paid), 0), None);
        assert_eq!(wait(&debt(PaymentState::Expired), 0), Some((Task::Check, HOUR)));
        assert_eq!(wait(&debt(PaymentState::Expired), 8), None, "two months later nothing comes any more");
        assert_eq!(wait(&Debt { published_at: None, ..debt(PaymentState::Expired) }, 0), None);
    }

    #[test]
    fn what_failed_waits_longer_each_time_and_as_long_as_was_asked() {
        let now = at("2026-12-01T10:00:00Z");
        let wait = |attempts, asked: Option<u64>| {
            again(attempts, asked.map(Duration::from_secs), now).duration_since(now).as_secs()
        };
        assert_eq!([1, 2, 3, 8, 90].map(|attempts| wait(attempts, None)), [2, 10, 30, 6 * HOUR, 6 * HOUR]);
        assert_eq!(wait(1, Some(120)), 120);
        assert_eq!(wait(1, Some(u64::MAX)), DAY);
    }

    #[test]
    fn a_day_ends_at_midnight_in_italy() {
        let day = "2027-01-31".parse().unwrap();
        assert_eq!(end_of(day), at("2027-01-31T23:00:00Z"));
        assert_eq!(last_day(end_of(day)), day);
    }
}
