//! How often one caller, and one address, may ask. Each gateway counts for itself, in memory.

use std::{
    cell::Cell,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};
use kernel::Problem;
use platform::{
    access::{Caller, CallerKind},
    http::Refused,
    problems::RATE_LIMITED,
};
use storage::TenantId;

use super::address::{Proxies, counted};
use crate::config::Config;

/// After so many requests keys are swept, whatever the clock says: what is kept is bounded by this, plus those who
/// are calling now.
const SWEEP_AFTER: u32 = 100_000;

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    /// An address, of IPv6 the network.
    Address(IpAddr),
    /// A caller of a Comune, by pseudonym or handle.
    Caller(TenantId, String),
}

/// Where a caller stands: how many requests in a row are let through after a pause, how many are left of
/// them, and in how many seconds that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    limit: u32,
    remaining: u32,
    reset: u32,
}

impl Standing {
    /// Tells it (draft-ietf-httpapi-ratelimit-headers-03).
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        for (name, number) in
            [("ratelimit-limit", self.limit), ("ratelimit-remaining", self.remaining), ("ratelimit-reset", self.reset)]
        {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(number));
        }
    }
}

/// Where the standing of a request is kept until its answer is written: also one that no handler has seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told(Rc<Cell<Option<Standing>>>);

impl Told {
    /// The place of this request.
    pub(crate) fn place(req: &ServiceRequest) -> Self {
        req.extensions_mut().get_or_insert_with(Self::default).clone()
    }

    /// The tightest of the limits that were met.
    pub(crate) fn standing(&self) -> Option<Standing> {
        self.0.get()
    }

    fn note(&self, standing: Standing) {
        let tighter = self.0.get().is_none_or(|known| standing.remaining < known.remaining);
        if tighter {
            self.0.set(Some(standing));
        }
    }
}

/// One limit, for all whom it concerns.
#[derive(Debug)]
struct Limit {
    name: &'static str,
    burst: u32,
    interval: Duration,
    keys: RateLimiter<Who, DefaultKeyedStateStore<Who>, DefaultClock, StateInformationMiddleware>,
    since_sweep: AtomicU32,
}

impl Limit {
    fn new(name: &'static str, per_minute: NonZeroU32, burst: NonZeroU32) -> Self {
        let quota = Quota::per_minute(per_minute).allow_burst(burst);
        let keys: DefaultKeyedRateLimiter<Who> = RateLimiter::keyed(quota);
        Self {
            name,
            burst: burst.get(),
            interval: quota.replenish_interval(),
            keys: keys.with_middleware(),
            since_sweep: AtomicU32::new(0),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// `rate-limited` when it is one too many.
    fn count(&self, who: &Who, told: &Told) -> Result<(), Problem> {
        if self.since_sweep.fetch_add(1, Ordering::Relaxed) >= SWEEP_AFTER {
            self.sweep();
        }
        match self.keys.check_key(who) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let reset = seconds(self.interval.saturating_mul(self.burst.saturating_sub(remaining)));
                told.note(Standing { limit: self.burst, remaining, reset });
                Ok(())
            }
            Err(refused) => {
                // At least a second, or whoever waits as told comes back too early.
                let reset = seconds(refused.wait_time_from(DefaultClock::default().now())).max(1);
                told.note(Standing { limit: self.burst, remaining: 0, reset });
                metrics::counter!("sportello_rate_limited_total", "limit" => self.name).increment(1);
                Err(Problem::new(&RATE_LIMITED).detail(format!("the limit `{}`", self.name)).retry_after(reset))
            }
        }
    }

    /// Forgets those who have not called for so long that they start afresh anyway.
    fn sweep(&self) {
        self.since_sweep.store(0, Ordering::Relaxed);
        self.keys.retain_recent();
        self.keys.shrink_to_fit();
    }
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u32 {
    let whole = u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    whole.saturating_add(u32::from(duration.subsec_nanos() > 0))
}

/// Every limit of this gateway. Shared by all workers.
#[derive(Debug)]
pub(crate) struct Limits {
    proxies: Proxies,
    address: Limit,
    anonymous: Limit,
    anonymous_write: Limit,
    citizen: Limit,
    staff: Limit,
    device: Limit,
    integration: Limit,
    platform: Limit,
}

impl Limits {
    /// The limits of the settings.
    pub(crate) fn new(config: &Config) -> Self {
        let of = &config.limits;
        Self {
            proxies: Proxies::new(config),
            address: Limit::new("address", of.address_per_minute, of.address_burst),
            anonymous: Limit::new("anonymous", of.anonymous_per_minute, of.anonymous_burst),
            anonymous_write: Limit::new("anonymous_write", of.anonymous_write_per_minute, of.anonymous_write_burst),
            citizen: Limit::new("citizen", of.citizen_per_minute, of.citizen_burst),
            staff: Limit::new("staff", of.staff_per_minute, of.staff_burst),
            device: Limit::new("device", of.device_per_minute, of.device_burst),
            integration: Limit::new("integration", of.integration_per_minute, of.integration_burst),
            platform: Limit::new("platform", of.platform_per_minute, of.platform_burst),
        }
    }

    /// Forgets, in every limit, those who have not called for a while.
    pub(crate) fn sweep(&self) {
        for limit in [
            &self.address,
            &self.anonymous,
            &self.anonymous_write,
            &self.citizen,
            &self.staff,
            &self.device,
            &self.integration,
            &self.platform,
        ] {
            limit.sweep();
        }
    }

    fn count_caller(&self, caller: &Caller, address: &Who, method: &Method, told: &Told) -> Result<(), Problem> {
        let limit = match &caller.kind {
            CallerKind::Anonymous => {
                // Taking times that nobody comes for and guessing codes is what costs a Comune; reading is cheap.
                if ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
                    self.anonymous_write.count(address, told)?;
                }
                return self.anonymous.count(address, told);
            }
            CallerKind::Citizen(_) => &self.citizen,
            CallerKind::Staff(_) => &self.staff,
            CallerKind::Device(_) => &self.device,
            CallerKind::Integration(_) => &self.integration,
            CallerKind::Platform(_) => &self.platform,
        };
        limit.count(&Who::Caller(caller.tenant.tenant_id, caller.actor().as_str().to_owned()), told)
    }
}

/// What is asked for by those who watch over the service, and never refused.
fn is_exempt(path: &str) -> bool {
    path.starts_with("/health/") || path == "/metrics"
}

/// Counts a request by its address, once.
///
/// # Errors
/// `rate-limited` when it is one too many.
pub(crate) fn count_once(req: &ServiceRequest) -> Result<(), Problem> {
    let Some(limits) = req.app_data::<Data<Limits>>().cloned() else { return Ok(()) };
    if is_exempt(req.path()) {
        return Ok(());
    }
    if let Some(Counted(outcome)) = req.extensions().get::<Counted>() {
        return outcome.clone();
    }
    let peer = req.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let address = Who::Address(counted(limits.proxies.client(peer, req.headers())));
    let outcome = limits.address.count(&address, &Told::place(req));
    req.extensions_mut().insert(address);
    req.extensions_mut().insert(Counted(outcome.clone()));
    outcome
}

/// What counting a request by its address came to.
#[derive(Debug)]
struct Counted(Result<(), Problem>);

/// Counts every request by its address, before anything is done for it: checking a token costs too.
pub(crate) async fn count_address(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    count_once(&req).map_err(Refused)?;
    next.call(req).await
}

/// Counts the requests of a caller who is known, or of an address without a token.
pub(crate) async fn count_caller(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let outcome = {
        let held = req.extensions();
        match (req.app_data::<Data<Limits>>(), held.get::<Caller>(), held.get::<Who>(), held.get::<Told>()) {
            (Some(limits), Some(caller), Some(address), Some(told)) => {
                limits.count_caller(caller, address, req.method(), told)
            }
            _ => {
                tracing::error!("a route of a Comune was wired without limits");
                Err(Problem::new(&storage::problems::INTERNAL_ERROR))
            }
        }
    };
    outcome.map_err(Refused)?;
    next.call(req).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(per_minute: u32, burst: u32) -> Limit {
        Limit::new("address", NonZeroU32::new(per_minute).unwrap(), NonZeroU32::new(burst).unwrap())
    }

    fn address(last: u8) -> Who {
        Who::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    fn standing(limit: &Limit, who: &Who) -> (Result<(), Problem>, Standing) {
        let told = Told::default();
        let outcome = limit.count(who, &told);
        (outcome, told.standing().unwrap())
    }

    #[test]
    fn so_many_at_once_and_not_one_more() {
        let limit = limit(1, 3);
        for remaining in [2, 1, 0] {
            let (outcome, standing) = standing(&limit, &address(1));
            assert!(outcome.is_ok());
            assert_eq!(standing, Standing { limit: 3, remaining, reset: 60 * (3 - remaining) });
        }
        let (outcome, refused) = standing(&limit, &address(1));
        let problem = outcome.unwrap_err();
        assert_eq!((problem.kind.slug, problem.retry_after), ("rate-limited", Some(refused.reset)));
        assert_eq!((refused.remaining, refused.reset), (0, 60));
        assert!(standing(&limit, &address(2)).0.is_ok(), "another address has a limit of its own");
    }

    #[test]
    fn whoever_stays_away_is_forgotten() {
        let limit = limit(60_000, 5);
        for last in 0..200 {
            assert!(limit.count(&address(last), &Told::default()).is_ok());
        }
        // A thousand a second: after a few milliseconds everybody starts afresh.
        std::thread::sleep(Duration::from_millis(50));
        limit.sweep();
        assert_eq!(limit.keys.len(), 0);
    }

    #[test]
    fn keys_are_swept_before_they_are_too_many() {
        let limit = limit(u32::MAX, 1);
        limit.since_sweep.store(SWEEP_AFTER, Ordering::Relaxed);
        limit.count(&address(1), &Told::default()).unwrap();
        assert_eq!(limit.since_sweep.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_tightest_limit_is_told() {
        let told = Told::default();
        for remaining in [7, 3, 5] {
            told.note(Standing { limit: 10, remaining, reset: 1 });
        }
        assert_eq!(told.standing().unwrap().remaining, 3);
    }

    #[test]
    fn whoever_watches_is_never_refused() {
        assert!(["/health/live", "/health/ready", "/metrics"].into_iter().all(is_exempt));
        assert!(!["/healthy", "/bugliano/v1/status", "/metrics/x", "/openapi.json"].into_iter().any(is_exempt));
    }
}
