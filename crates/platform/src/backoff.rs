//! How long to wait before something that failed is tried again.

use std::time::Duration;

/// The wait after so many attempts (1: after the first), `spread` per cent more or less by lot, so that what failed
/// together is not tried together; `None` once there are no more.
pub fn wait(waits: &[Duration], attempts: i64, spread: u32, lot: u8) -> Option<Duration> {
    let done = usize::try_from(attempts).ok()?.checked_sub(1)?;
    let more = u32::from(lot).saturating_mul(spread.saturating_mul(2)).saturating_div(255);
    let percent = 100_u32.saturating_sub(spread).saturating_add(more);
    waits.get(done)?.saturating_mul(percent).checked_div(100)
}

/// The same wait, or as long as whoever refused it asked to be left alone, up to the longest that is heeded.
pub fn heeded(wait: Duration, asked: Option<Duration>, longest: Duration) -> Duration {
    wait.max(asked.unwrap_or_default().min(longest))
}
