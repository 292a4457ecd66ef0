//! What rules may say, and what they come to.

use jiff::{Span, Timestamp};
use kernel::{Problem, civil};

use super::model::{Disposal, RecordKind, RetentionAction, RetentionRule, Services, Step};
use crate::problems::INVALID_BODY;

/// How long entries of the access log are kept at least, in days: six months, as those about system administrators
/// are (Garante per la protezione dei dati personali, 27 November 2008).
pub const SHORTEST_ACCESS_DAYS: i64 = 183;

/// What becomes of records of a kind without a rule: two years, then they are nobody's any more. Payments are part of
/// the accounts, which are kept for ten (articolo 2220 del codice civile).
pub const fn default_of(kind: RecordKind) -> (RetentionAction, i64) {
    match kind {
        RecordKind::Appointment => (RetentionAction::Anonymise, 730),
        RecordKind::DataAccessEntry => (RetentionAction::Delete, 730),
        RecordKind::Payment => (RetentionAction::Anonymise, 3653),
    }
}

/// How records of a kind are disposed of. An appointment is part of what an office did, which is counted.
const fn disposal_of(kind: RecordKind) -> RetentionAction {
    match kind {
        RecordKind::Appointment | RecordKind::Payment => RetentionAction::Anonymise,
        RecordKind::DataAccessEntry => RetentionAction::Delete,
    }
}

/// Checks what a rule says against the kind of records it is for.
///
/// # Errors
/// `invalid-body`, naming the member.
pub fn check(rule: &RetentionRule) -> Result<(), Problem> {
    let refuse = |pointer: &str, words: &str| {
        Err(Problem::new(&INVALID_BODY).field(pointer.to_owned(), "not-for-this-kind", words.to_owned()))
    };
    if rule.action != RetentionAction::Hold && rule.action != disposal_of(rule.record_kind) {
        return refuse(
            "/action",
            "appointments and payments are anonymised or held, entries of the access log deleted or held",
        );
    }
    if rule.record_kind == RecordKind::Payment && rule.service_id.is_some() {
        return refuse("/service_id", "payments are of no service");
    }
    if rule.record_kind == RecordKind::DataAccessEntry {
        if rule.service_id.is_some() {
            return refuse("/service_id", "entries of the access log are of no service");
        }
        if rule.after_days < SHORTEST_ACCESS_DAYS {
            return refuse("/after_days", "the access log is kept 183 days at least");
        }
    }
    Ok(())
}

/// What is to be done, by the rules of a Comune and by the defaults of these kinds. Where all records of a kind are
/// held, a rule for one service does not let them go.
pub fn plan(rules: &[RetentionRule], kinds: &[RecordKind]) -> Vec<Step> {
    let mut steps = Vec::new();
    for kind in kinds {
        let of_kind = || rules.iter().filter(|rule| rule.record_kind == *kind);
        let general = of_kind().find(|rule| rule.service_id.is_none());
        let (action, after_days) = general.map_or_else(|| default_of(*kind), |rule| (rule.action, rule.after_days));
        let mut named: Vec<_> = of_kind().filter_map(|rule| rule.service_id.map(|service| (service, rule))).collect();
        named.sort_by_key(|(service, _)| *service);
        steps.push(Step {
            rule_id: general.map(|rule| rule.id),
            record_kind: *kind,
            services: Services::AllBut(named.iter().map(|(service, _)| *service).collect()),
            action,
            after_days,
        });
        steps.extend(named.into_iter().map(|(service, rule)| Step {
            rule_id: Some(rule.id),
            record_kind: *kind,
            services: Services::One(service),
            action: if action == RetentionAction::Hold { action } else { rule.action },
            after_days: rule.after_days,
        }));
    }
    steps
}

/// Before which instant records are due: so many whole days have passed since the day they are about.
pub fn due_before(now: Timestamp, after_days: i64) -> Timestamp {
    let span = Span::new().try_days(after_days).unwrap_or_default();
    civil::day_bounds(civil::date_of(now).saturating_sub(span)).0
}

/// How an action disposes of a record; `None` when it keeps it.
pub const fn disposal(action: RetentionAction) -> Option<Disposal> {
    match action {
        RetentionAction::Anonymise => Some(Disposal::Anonymise),
        RetentionAction::Delete => Some(Disposal::Delete),
        RetentionAction::Hold => None,
    }
}

#[cfg(test)]
mod tests {
    use kernel::Id;
    use uuid::Uuid;

    use super::*;

    fn rule(kind: RecordKind, service: Option<u128>, action: RetentionAction, after_days: i64) -> RetentionRule {
        RetentionRule {
            id: Id::from_uuid(Uuid::from_u128(service.unwrap_or(99))),
            record_kind: kind,
            service_id: service.map(|n| Id::from_uuid(Uuid::from_u128(n))),
            action,
            after_days,
            version: 1,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn each_kind_is_disposed_of_in_its_way() {
        use RecordKind::{Appointment, DataAccessEntry, Payment};
        use RetentionAction::{Anonymise, Delete, Hold};
        for (wanted, pointer) in [
            (rule(Appointment, None, Anonymise, 30), None),
            (rule(Appointment, Some(1), Hold, 30), None),
            (rule(Appointment, None, Delete, 30), Some("/action")),
            (rule(Payment, None, Anonymise, 30), None),
            (rule(Payment, None, Delete, 30), Some("/action")),
            (rule(Payment, Some(1), Anonymise, 30), Some("/service_id")),
            (rule(DataAccessEntry, None, Delete, 183), None),
            (rule(DataAccessEntry, None, Hold, 183), None),
            (rule(DataAccessEntry, None, Anonymise, 183), Some("/action")),
            (rule(DataAccessEntry, None, Delete, 182), Some("/after_days")),
            (rule(DataAccessEntry, Some(1), Delete, 183), Some("/service_id")),
        ] {
            let refused = check(&wanted).err();
            let found = refused.as_ref().and_then(|problem| problem.errors.first()).map(|error| error.pointer.as_str());
            assert_eq!(found, pointer, "{wanted:?}");
        }
    }

    #[test]
    fn a_kind_without_rules_has_its_default() {
        let steps = plan(&[], RecordKind::ALL);
        let told: Vec<_> = steps.iter().map(|step| (step.record_kind, step.action, step.after_days)).collect();
        assert_eq!(
            told,
            [
                (RecordKind::Appointment, RetentionAction::Anonymise, 730),
                (RecordKind::DataAccessEntry, RetentionAction::Delete, 730),
                (RecordKind::Payment, RetentionAction::Anonymise, 3653),
            ]
        );
        assert!(steps.iter().all(|step| step.rule_id.is_none() && step.services == Services::AllBut(Vec::new())));
    }

    #[test]
    fn a_service_with_a_rule_of_its_own_is_left_out_of_the_general_one() {
        let own = rule(RecordKind::Appointment, Some(1), RetentionAction::Hold, 60);
        let steps = plan(std::slice::from_ref(&own), &[RecordKind::Appointment]);
        let [general, of_service] = steps.as_slice() else { panic!("{steps:?}") };
        assert_eq!(general.services, Services::AllBut(vec![own.service_id.unwrap()]));
        assert_eq!((general.action, general.rule_id), (RetentionAction::Anonymise, None));
        assert_eq!(of_service.services, Services::One(own.service_id.unwrap()));
        assert_eq!((of_service.action, of_service.after_days), (RetentionAction::Hold, 60));
    }

    #[test]
    fn what_is_held_as_a_whole_no_service_lets_go() {
        let rules = [
            rule(RecordKind::Appointment, None, RetentionAction::Hold, 30),
            rule(RecordKind::Appointment, Some(1), RetentionAction::Anonymise, 30),
        ];
        assert!(plan(&rules, &[RecordKind::Appointment]).iter().all(|step| step.action == RetentionAction::Hold));
    }

    #[test]
    fn days_are_whole_and_those_of_rome() {
        // Half past midnight in Rome is still the day before in UTC.
        for (now, before) in [
            ("2026-11-27T23:30:00Z", "2026-10-28T23:00:00Z"),
            ("2026-11-27T22:30:00Z", "2026-10-27T23:00:00Z"),
            // The clocks were changed in between.
            ("2026-11-20T12:00:00Z", "2026-10-19T22:00:00Z"),
        ] {
            let (days, now): (i64, Timestamp) = (if now.contains("T12") { 31 } else { 30 }, now.parse().unwrap());
            assert_eq!(due_before(now, days), before.parse::<Timestamp>().unwrap(), "{now}");
        }
    }
}
