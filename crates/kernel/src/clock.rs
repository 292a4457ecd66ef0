//! "Now" is an argument, never a call: rules receive it, transactions read it once.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

/// The only source of the current instant.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The current instant, in whole microseconds: what both databases keep exactly.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        to_micros(Timestamp::now())
    }
}

/// A clock that stands still until it is moved, for tests.
#[derive(Debug)]
pub struct TestClock(Mutex<Timestamp>);

impl TestClock {
    /// A clock showing `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Mutex::new(to_micros(now)))
    }

    /// Moves the clock forward (or back, with a negative duration).
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(by).unwrap_or(*now);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn to_micros(instant: Timestamp) -> Timestamp {
    // Truncating cannot leave the range of Timestamp.
    Timestamp::from_microsecond(instant.as_microsecond()).unwrap_or(instant)
}
