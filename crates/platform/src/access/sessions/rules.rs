//! What is decided about passwords, sessions and those who try to get in.

use jiff::{SignedDuration, Timestamp};

use crate::access::staff::StaffRole;

/// How long an access token answers.
pub const ACCESS_LIFE: SignedDuration = SignedDuration::from_mins(15);
/// How long a refresh token waits for its use.
pub const IDLE_LIFE: SignedDuration = SignedDuration::from_hours(12);
/// How long a session lasts, however often it is refreshed.
pub const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long the code answers with which a password is set.
pub const ENROLMENT_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// How many recovery codes there are.
pub const RECOVERY_CODES: usize = 10;

/// Failures that lock an account, and within which time.
const FAILURES: i64 = 5;
const WITHIN: SignedDuration = SignedDuration::from_mins(15);
/// How long the first lock lasts; each further one twice as long, up to the longest.
const LOCK: SignedDuration = SignedDuration::from_mins(15);
const LONGEST_LOCK: SignedDuration = SignedDuration::from_hours(1);

/// What is remembered of those who tried to get into an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lockout {
    /// Attempts that failed, or are being looked at.
    pub failures: i64,
    /// Since when they are counted.
    pub failing_since: Option<Timestamp>,
    /// Until when nobody gets in.
    pub locked_until: Option<Timestamp>,
    /// How often it was locked since somebody got in last.
    pub locks: i64,
}

impl Lockout {
    /// Whether nobody gets in at `now`.
    pub fn is_locked(&self, now: Timestamp) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }

    /// With one more attempt. It is counted before it is looked at, so that many at once are no more than one by one.
    #[must_use]
    pub fn with_attempt(self, now: Timestamp) -> Self {
        let old = self.failing_since.is_none_or(|since| now.duration_since(since) >= WITHIN);
        let (failures, since) =
            if old { (1, now) } else { (self.failures.saturating_add(1), self.failing_since.unwrap_or(now)) };
        if failures < FAILURES {
            return Self { failures, failing_since: Some(since), ..self };
        }
        let doubled = (0..self.locks).take(8).fold(LOCK, |lock, _| lock.saturating_add(lock));
        let until = now.saturating_add(doubled.min(LONGEST_LOCK)).unwrap_or(now);
        Self { failures: 0, failing_since: None, locked_until: Some(until), locks: self.locks.saturating_add(1) }
    }

    /// Without the attempt that turned `before` into `after`: it was no failure, and no success either.
    #[must_use]
    pub fn without_attempt(self, before: Self, after: Self) -> Self {
        // Others may have tried meanwhile: theirs stay counted.
        if self == after { before } else { Self { failures: self.failures.saturating_sub(1).max(0), ..self } }
    }
}

/// When the refresh token of a session runs out: when it waits too long, and with the session at the latest.
pub fn refresh_until(now: Timestamp, ends_at: Timestamp) -> Timestamp {
    now.saturating_add(IDLE_LIFE).unwrap_or(now).min(ends_at)
}

/// When an access token runs out, with the session at the latest.
pub fn access_until(now: Timestamp, ends_at: Timestamp) -> Timestamp {
    now.saturating_add(ACCESS_LIFE).unwrap_or(now).min(ends_at)
}

/// Whether somebody gets no session before they have one-time codes.
pub fn must_enrol_totp(role: StaffRole, has_totp: bool, required_for_admins: bool) -> bool {
    role == StaffRole::Admin && required_for_admins && !has_totp
}

/// Whether a new password is none: it says what everybody knows.
pub fn repeats_username(password: &str, username: &str) -> bool {
    password.to_lowercase() == username.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    fn tried(lockout: Lockout, minutes: impl IntoIterator<Item = i64>) -> Lockout {
        minutes.into_iter().fold(lockout, |lockout, minute| lockout.with_attempt(at(minute)))
    }

    #[test]
    fn five_failures_within_a_quarter_lock_for_longer_each_time() {
        let mut lockout = tried(Lockout::default(), 0..4);
        assert!(!lockout.is_locked(at(4)));
        let mut start = 4;
        for minutes in [15, 30, 60, 60, 60] {
            // The fifth.
            lockout = tried(lockout, [start]);
            assert!(lockout.is_locked(at(start)) && lockout.is_locked(at(start + minutes - 1)), "{minutes}");
            assert!(!lockout.is_locked(at(start + minutes)), "{minutes}");
            start += minutes;
            lockout = tried(lockout, [start; 4]);
            assert!(!lockout.is_locked(at(start)), "{minutes}");
        }
    }

    #[test]
    fn failures_far_apart_lock_nobody() {
        let lockout = tried(Lockout::default(), (0..5).map(|n| n * 3));
        assert!(lockout.locked_until.is_some());
        let lockout = tried(Lockout::default(), (0..20).map(|n| n * 4));
        assert_eq!(lockout.locked_until, None, "after a quarter of an hour they are counted anew");
    }

    #[test]
    fn an_attempt_that_was_no_failure_is_taken_back_and_others_stay() {
        let before = tried(Lockout::default(), 0..4);
        let after = before.with_attempt(at(4));
        assert!(after.is_locked(at(4)));
        assert_eq!(after.without_attempt(before, after), before);
        let before = tried(Lockout::default(), 0..2);
        let after = before.with_attempt(at(2));
        let others = after.with_attempt(at(2));
        assert_eq!(others.without_attempt(before, after).failures, 3);
    }

    #[test]
    fn tokens_run_out_with_their_session() {
        let ends_at = at(10);
        assert_eq!(access_until(at(0), ends_at), ends_at);
        assert_eq!(access_until(at(0), at(60)), at(15));
        assert_eq!(refresh_until(at(0), at(60)), at(60));
        assert_eq!(refresh_until(at(0), at(60 * 24)), at(60 * 12));
    }

    #[test]
    fn admins_need_codes_where_that_is_asked() {
        assert!(must_enrol_totp(StaffRole::Admin, false, true));
        assert!(!must_enrol_totp(StaffRole::Admin, true, true));
        assert!(!must_enrol_totp(StaffRole::Admin, false, false));
        assert!(!must_enrol_totp(StaffRole::Manager, false, true));
        assert!(repeats_username("O.Sportello.Bugliano", "o.sportello.bugliano"));
    }
}
