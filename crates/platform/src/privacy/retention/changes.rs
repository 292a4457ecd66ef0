//! What making, changing and taking out a rule consist of.

use kernel::Problem;
use storage::Tx;

use super::{
    model::{NewRetentionRule, RetentionRule, RetentionRuleId, RetentionRulePatch},
    rules, store,
};
use crate::{
    changes::{Done, state, tell},
    http::not_found,
    privacy::Holdings,
    problems::INVALID_BODY,
};

/// Makes a rule.
///
/// # Errors
/// `invalid-body` for what is not for this kind, for a service that there is not and for records that have a rule; or
/// when the database fails.
pub fn create(tx: &mut Tx<'_>, holdings: &Holdings, new: &NewRetentionRule) -> storage::Result<RetentionRule> {
    let NewRetentionRule { record_kind, service_id, action, after_days } = new.clone();
    let (id, created_at) = (tx.new_id(), tx.now());
    let rule = RetentionRule { id, record_kind, service_id, action, after_days, version: 1, created_at };
    rules::check(&rule)?;
    if let Some(service) = service_id {
        let known = match holdings.of(record_kind) {
            Some(holding) => holding.has_service(tx, record_kind, service)?,
            None => false,
        };
        if !known {
            let words = "no such service";
            return Err(Problem::new(&INVALID_BODY).field("/service_id", "unknown-reference", words).into());
        }
    }
    match tx.savepoint(|tx| store::insert(tx, &rule)) {
        Err(failure) if failure.is_unique("retention_rules", &["tenant_id", "record_kind", "service_id"]) => {
            let pointer = if service_id.is_some() { "/service_id" } else { "/record_kind" };
            return Err(Problem::new(&INVALID_BODY)
                .field(pointer, "taken", "these records have a rule already")
                .into());
        }
        outcome => outcome?,
    }
    tell_of(tx, "retention_rule.created", None, Some(&rule))?;
    Ok(rule)
}

/// Changes a rule. `check` is asked about its version first.
///
/// # Errors
/// `not-found`, what `check` refuses, `invalid-body` for what is not for this kind, or when the database fails.
pub fn change(
    tx: &mut Tx<'_>,
    id: RetentionRuleId,
    patch: &RetentionRulePatch,
    check: impl Fn(i64) -> Result<(), Problem>,
) -> storage::Result<RetentionRule> {
    let before = store::get(tx, id)?.ok_or_else(not_found)?;
    check(before.version)?;
    let after = RetentionRule {
        action: patch.action.unwrap_or(before.action),
        after_days: patch.after_days.unwrap_or(before.after_days),
        version: before.version.saturating_add(1),
        ..before.clone()
    };
    rules::check(&after)?;
    store::update(tx, &after)?;
    tell_of(tx, "retention_rule.updated", Some(&before), Some(&after))?;
    Ok(after)
}

/// Takes a rule out: its records have the general one again, or the default.
///
/// # Errors
/// `not-found`, what `check` refuses, or when the database fails.
pub fn remove(tx: &mut Tx<'_>, id: RetentionRuleId, check: impl Fn(i64) -> Result<(), Problem>) -> storage::Result<()> {
    let rule = store::get(tx, id)?.ok_or_else(not_found)?;
    check(rule.version)?;
    store::delete(tx, &rule)?;
    tell_of(tx, "retention_rule.deleted", Some(&rule), None)
}

fn tell_of(
    tx: &mut Tx<'_>,
    action: &str,
    before: Option<&RetentionRule>,
    after: Option<&RetentionRule>,
) -> storage::Result<()> {
    let Some(rule) = after.or(before) else { return Ok(()) };
    let version = after.map_or_else(|| rule.version.saturating_add(1), |rule| rule.version);
    let body = |rule: &RetentionRule| {
        let RetentionRule { record_kind, service_id, action, after_days, .. } = *rule;
        state(rule.id, rule.version, &NewRetentionRule { record_kind, service_id, action, after_days })
    };
    let (before, after) = (before.map(body).transpose()?, after.map(body).transpose()?);
    tell(tx, Done { action, kind: "retention_rule", subject: rule.id, version, before, after })
}
