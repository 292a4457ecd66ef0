//! How debts go from one state to the next, what may be asked for, and when the provider is asked. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, civil::Date};
use kernel::{Problem, civil};
use platform::{
    http::bad_query,
    problems::{INVALID_BODY, INVALID_TRANSITION},
};

use super::model::{Debt, MOST_CENTS, NewPayment, Payer, PaymentState, PaymentTime, Subject, Task};
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

/// Whether it can be paid at this instant, or will be once the provider has been told. By the clock, and not by whether
/// somebody has noted yet that its date has passed.
pub fn is_payable(debt: &Debt, now: Timestamp) -> bool {
    let waits = debt.state == PaymentState::AwaitingPublication && !debt.publication_failed;
    (waits || is_out(debt.state)) && debt.due_at > now
}

/// Whether the provider has it, and it can be paid at this instant.
///
/// # Errors
/// `invalid-transition`.
pub fn must_be_payable(debt: &Debt, now: Timestamp) -> Result<(), Problem> {
    if is_out(debt.state) && debt.due_at > now {
        return Ok(());
    }
    Err(not_now(if is_out(debt.state) { PaymentState::Expired } else { debt.state }))
}

/// Whether the provider takes no such position, and may be asked again.
pub fn is_refused(debt: &Debt) -> bool {
    debt.publication_failed && debt.state == PaymentState::AwaitingPublication
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

/// Where the first list goes on after all of the second: so many steps before the same step, at two hours.
const AFTER_STARTED: i64 = 3;

fn step(waits: &[i64], times: i64) -> Option<i64> {
    waits.get(usize::try_from(times).ok()?).copied()
}

fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(now)
}

/// What is to be done about a debt in this state, and when, after so many checks; nothing where all is done. A debt
/// that can be paid is looked at when its date passes, if not before.
pub fn plan(debt: &Debt, checks: i64, now: Timestamp) -> Option<(Task, Timestamp)> {
    let open = |times| step(&OPEN, times).unwrap_or(DAY);
    // Whoever was on the pay page that long has gone: it is asked about as if nobody had been there.
    let started = || step(&STARTED, checks).unwrap_or_else(|| open(checks.saturating_sub(AFTER_STARTED)));
    match debt.state {
        PaymentState::Draft | PaymentState::Paid => None,
        PaymentState::AwaitingPublication if debt.publication_failed => Some((Task::Check, debt.due_at)),
        PaymentState::AwaitingPublication => Some((Task::Publish, now)),
        PaymentState::Payable => Some((Task::Check, after(now, open(checks)).min(debt.due_at.max(now)))),
        PaymentState::Started => Some((Task::Check, after(now, started()).min(debt.due_at.max(now)))),
        // What the provider never was told of cannot be paid there.
        PaymentState::Expired | PaymentState::Cancelled if debt.tried_at.is_none() => None,
        PaymentState::Expired | PaymentState::Cancelled => {
            step(&OVER, checks).map(|wait| (Task::Check, after(now, wait)))
        }
    }
}

/// What is to be done next about a debt that the provider had its word on: it may still have one paid that is over.
pub fn plan_after(debt: &Debt, is_open_there: bool, checks: i64, now: Timestamp) -> Option<(Task, Timestamp)> {
    match debt.state {
        PaymentState::Expired | PaymentState::Cancelled if is_open_there => Some((Task::Withdraw, now)),
        _ => plan(debt, checks, now),
    }
}

/// When something that failed so many times is tried again; as late as the provider asked for, up to a day.
pub fn again(failures: i64, asked: Option<Duration>, now: Timestamp) -> Timestamp {
    let wait = step(&FAILED, failures.saturating_sub(1)).or_else(|| FAILED.last().copied()).unwrap_or(DAY);
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

/// The longest name that fits into a printed notice, in characters.
const LONGEST_NAME: usize = 70;
/// What revenue stamps cost that are paid so: for instances and acts, and for receipts (d.P.R. 642/1972, tariffa, art. 3
/// and 13).
const STAMPS: [i64; 2] = [1600, 200];

/// Why a day is none on which something can be due.
fn wrong_day(due_on: Date, now: Timestamp) -> Option<(&'static str, &'static str)> {
    let today = civil::date_of(now);
    if due_on < today {
        return Some(("not-after", "not before today"));
    }
    let furthest = today.saturating_add(jiff::Span::new().try_days(FURTHEST_DAYS).unwrap_or_default());
    (due_on > furthest).then_some(("too-far", "at most ten years ahead"))
}

/// Until when a debt can be paid that is to be paid from now on.
///
/// # Errors
/// `invalid-query` where its date has passed and no other was given, or another that cannot be meant.
pub fn due_from_now(debt: &Debt, due_on: Option<Date>, now: Timestamp) -> Result<Timestamp, Problem> {
    let Some(day) = due_on else {
        if debt.due_at > now {
            return Ok(debt.due_at);
        }
        return Err(bad_query("due_on", "required", "the day it was due on has passed: say another"));
    };
    match wrong_day(day, now) {
        Some((code, words)) => Err(bad_query("due_on", code, words)),
        None => Ok(end_of(day)),
    }
}

/// Whether something is asked for by itself. What other parts of the product ask for they ask for in the product:
/// nobody outside of it pretends to their cases.
///
/// # Errors
/// `invalid-body`.
pub fn by_hand(subject: Option<&Subject>) -> Result<(), Problem> {
    if subject.is_none_or(|subject| subject.kind == OWN_KIND) {
        return Ok(());
    }
    Err(Problem::new(&INVALID_BODY).field("/subject/kind", "not-for-this-kind", "payment"))
}

/// The kind of what is asked for by itself.
pub const OWN_KIND: &str = "payment";

/// The sum of the lines.
///
/// # Errors
/// `invalid-body` for what no notice can say, naming the member.
pub fn check(new: &NewPayment, now: Timestamp) -> Result<i64, Problem> {
    let refuse = |pointer: &str, code: &'static str, words: &str| {
        Err(Problem::new(&INVALID_BODY).field(pointer.to_owned(), code, words.to_owned()))
    };
    if let Some((code, words)) = wrong_day(new.due_on, now) {
        return refuse("/due_on", code, words);
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
    let name = full_name(given_name.as_deref(), family_name.as_deref(), legal_name.as_deref());
    if name.chars().count() > LONGEST_NAME {
        return refuse("/payer/family_name", "too-many", "both names together have 70 characters at most");
    }
    for (at, line) in new.lines.iter().enumerate() {
        if line.stamp.is_some() && !STAMPS.contains(&line.amount.amount_cents) {
            let pointer = format!("/lines/{at}/amount/amount_cents");
            return refuse(&pointer, "not-for-this-kind", "a revenue stamp is of 1600 or 200 cents");
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
            tried_at: Some(at("2026-11-29T10:00:00Z")),
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
        let started = debt(PaymentState::Started);
        let waits: Vec<i64> = (0..14).map(|checks| wait(&started, checks).unwrap().1).collect();
        assert!(waits.is_sorted(), "{waits:?}");
        assert_eq!((waits[0], waits[7], waits[8], waits[13]), (5, HOUR, 2 * HOUR, DAY));
        let soon = Debt { due_at: at("2026-12-01T10:00:30Z"), ..open };
        assert_eq!(wait(&soon, 9), Some((Task::Check, 30)));
        assert_eq!(wait(&debt(PaymentState::AwaitingPublication), 0), Some((Task::Publish, 0)));
        assert_eq!(wait(&debt(PaymentState::Paid), 0), None);
        assert_eq!(wait(&debt(PaymentState::Expired), 0), Some((Task::Check, HOUR)));
        assert_eq!(wait(&debt(PaymentState::Expired), 8), None, "two months later nothing comes any more");
        let never = Debt { tried_at: None, published_at: None, ..debt(PaymentState::Expired) };
        assert_eq!(wait(&never, 0), None);
        let perhaps = Debt { published_at: None, ..debt(PaymentState::Cancelled) };
        assert_eq!(wait(&perhaps, 0), Some((Task::Check, HOUR)), "the answer to its creation may have got lost");
    }

    #[test]
    fn what_is_over_and_still_open_there_is_withdrawn() {
        let now = at("2027-03-01T10:00:00Z");
        for state in [PaymentState::Expired, PaymentState::Cancelled] {
            assert_eq!(plan_after(&debt(state), true, 3, now), Some((Task::Withdraw, now)), "{state:?}");
            assert_eq!(plan_after(&debt(state), false, 3, now), plan(&debt(state), 3, now), "{state:?}");
        }
        assert_eq!(plan_after(&debt(PaymentState::Paid), true, 0, now), None);
    }

    #[test]
    fn what_is_released_after_its_date_needs_another() {
        let (draft, past) = (debt(PaymentState::Draft), at("2027-02-03T10:00:00Z"));
        let day = |text: &str| Some(text.parse().unwrap());
        assert_eq!(due_from_now(&draft, None, at("2027-01-31T22:59:59Z")).unwrap(), draft.due_at);
        assert_eq!(due_from_now(&draft, day("2027-02-28"), past).unwrap(), at("2027-02-28T23:00:00Z"));
        for (due_on, code) in [(None, "required"), (day("2027-02-02"), "not-after"), (day("2047-02-02"), "too-far")] {
            let problem = due_from_now(&draft, due_on, past).unwrap_err();
            let field = problem.errors.first().unwrap();
            assert_eq!((field.pointer.as_str(), &*field.code), ("?due_on", code));
        }
    }

    #[test]
    fn nobody_pretends_to_the_case_of_another_part() {
        let of = |kind: &str| Subject { kind: kind.to_owned(), id: Id::from_uuid(Uuid::from_u128(1)) };
        assert!(by_hand(None).is_ok() && by_hand(Some(&of("payment"))).is_ok());
        assert_eq!(by_hand(Some(&of("appointment"))).unwrap_err().errors.first().unwrap().pointer, "/subject/kind");
    }

    fn asked(cents: i64, given_name: &str) -> NewPayment {
        serde_json::from_value(serde_json::json!({
            "office_id": Uuid::from_u128(2), "description": "Istanza", "due_on": "2027-01-31", "when": "before",
            "payer": { "given_name": given_name, "family_name": "P".repeat(60), "tax_code": "PRVNNA80A41Z998F" },
            "lines": [{
                "description": "Bollo", "taxonomy_code": "9/0301116TS/",
                "amount": { "amount_cents": cents, "currency": "EUR" },
                "stamp": { "document_digest": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "province": "PI" },
            }],
        }))
        .unwrap()
    }

    #[test]
    fn stamps_cost_what_they_cost_and_names_fit_into_a_notice() {
        let now = at("2026-12-01T10:00:00Z");
        let pointer =
            |new: &NewPayment| check(new, now).map_err(|problem| problem.errors.first().unwrap().pointer.clone());
        assert_eq!((pointer(&asked(1600, "Anna")), pointer(&asked(200, "Anna Rita"))), (Ok(1600), Ok(200)));
        assert_eq!(pointer(&asked(1601, "Anna")), Err("/lines/0/amount/amount_cents".to_owned()));
        assert_eq!(pointer(&asked(1600, "Anna Maria")), Err("/payer/family_name".to_owned()));
    }

    #[test]
    fn what_failed_waits_longer_each_time_and_as_long_as_was_asked() {
        let now = at("2026-12-01T10:00:00Z");
        let wait = |failures, asked: Option<u64>| {
            again(failures, asked.map(Duration::from_secs), now).duration_since(now).as_secs()
        };
        assert_eq!([1, 2, 3, 8, 90].map(|failures| wait(failures, None)), [2, 10, 30, 6 * HOUR, 6 * HOUR]);
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
