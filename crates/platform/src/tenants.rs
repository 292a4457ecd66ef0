//! The Comuni of a deployment, and how a path finds its own.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use kernel::{Localized, Problem, holidays::HolidayCalendar};
use storage::{
    Db, Scope, TenantId, Tx,
    scope::PLATFORM,
    types::{At, Key},
};

use crate::{
    problems::NOT_FOUND,
    schema::tenants,
    settings::{TenantSettings, store as settings},
};

/// Slugs that the server keeps for itself.
pub const RESERVED_SLUGS: &[&str] = &["platform", "health", "docs", "metrics", "problems", "openapi"];

storage::text_enum! {
    /// Whether a tenant is served.
    pub enum TenantState {
        /// Served.
        Active = "active",
        /// Every call answers 503; the data is kept.
        Suspended = "suspended",
    }
}

/// A Comune, or the deployment itself.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = tenants)]
pub struct Tenant {
    /// Identifier.
    pub tenant_id: TenantId,
    /// The first segment of every path: the IPA code (`c_h501`) or a short name.
    pub slug: String,
    /// What the Comune is called.
    pub name: String,
    /// Month of the patron saint's day, 1 to 12.
    pub patron_month: Option<i64>,
    /// Day of the patron saint's day.
    pub patron_day: Option<i64>,
    /// The patron saint.
    pub patron_name: Option<String>,
    /// Whether it is served.
    pub state: TenantState,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Tenant {
    /// National holidays and the patron saint's day.
    pub fn holidays(&self) -> HolidayCalendar {
        let part = |n: Option<i64>| n.and_then(|n| i8::try_from(n).ok());
        match (part(self.patron_month), part(self.patron_day), &self.patron_name) {
            (Some(month), Some(day), name) => {
                let name = name.clone().unwrap_or_else(|| "Santo patrono".to_owned());
                HolidayCalendar::with_patron(month, day, Localized::italian(name))
            }
            _ => HolidayCalendar::national(),
        }
    }
}

/// Why a slug was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a slug has 2 to 63 characters of a–z, 0–9, `-` and `_`, starts with a letter and is none of: {RESERVED_SLUGS:?}"
)]
pub struct SlugError;

/// Checks a slug.
///
/// # Errors
/// When it could not stand in a path or is reserved.
pub fn check_slug(slug: &str) -> Result<(), SlugError> {
    let well_formed = (2..=63).contains(&slug.len())
        && slug.starts_with(|c: char| c.is_ascii_lowercase())
        && slug.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    if well_formed && !RESERVED_SLUGS.contains(&slug) { Ok(()) } else { Err(SlugError) }
}

/// Adds a tenant.
///
/// # Errors
/// When the slug is taken ([`storage::Failure::is_unique`]) or the database fails.
pub fn insert(tx: &mut Tx<'_>, tenant: &Tenant) -> storage::Result<()> {
    use tenants as t;
    diesel::insert_into(t::table)
        .values((
            t::tenant_id.eq(Key(tenant.tenant_id)),
            t::slug.eq(&tenant.slug),
            t::name.eq(&tenant.name),
            t::patron_month.eq(tenant.patron_month),
            t::patron_day.eq(tenant.patron_day),
            t::patron_name.eq(&tenant.patron_name),
            t::state.eq(tenant.state),
            t::created_at.eq(At(tenant.created_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Changes what a Comune is called and its patron saint's day.
///
/// # Errors
/// When the database fails.
pub fn update(tx: &mut Tx<'_>, tenant: &Tenant) -> storage::Result<()> {
    use tenants as t;
    diesel::update(t::table.filter(t::tenant_id.eq(Key(tx.tenant()))))
        .set((
            t::name.eq(&tenant.name),
            t::patron_month.eq(tenant.patron_month),
            t::patron_day.eq(tenant.patron_day),
            t::patron_name.eq(&tenant.patron_name),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// The tenant of a transaction.
///
/// # Errors
/// When the database fails.
pub fn own(tx: &mut Tx<'_>) -> storage::Result<Tenant> {
    let mine = tenants::table.filter(tenants::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.select(Tenant::as_select()).first(tx.conn())?)
}

/// The tenant of a slug.
///
/// # Errors
/// When the database fails.
pub fn by_slug(tx: &mut Tx<'_>, slug: &str) -> storage::Result<Option<Tenant>> {
    Ok(tenants::table.filter(tenants::slug.eq(slug)).select(Tenant::as_select()).first(tx.conn()).optional()?)
}

/// Every Comune, by slug.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut Tx<'_>) -> storage::Result<Vec<Tenant>> {
    Ok(tenants::table
        .filter(tenants::tenant_id.ne(Key(PLATFORM)))
        .order(tenants::slug)
        .select(Tenant::as_select())
        .load(tx.conn())?)
}

/// Makes the row that stands for the deployment itself, once.
///
/// # Errors
/// When the database fails.
pub async fn ensure_platform(db: &Db) -> Result<(), Problem> {
    db.write(&Scope::platform(), |tx| {
        if by_slug(tx, "platform")?.is_some() {
            return Ok(());
        }
        let tenant = Tenant {
            tenant_id: PLATFORM,
            slug: "platform".to_owned(),
            name: "Sportello".to_owned(),
            patron_month: None,
            patron_day: None,
            patron_name: None,
            state: TenantState::Active,
            created_at: tx.now(),
        };
        // Two gateways may start at once: whoever comes second finds the row there.
        match tx.savepoint(|tx| insert(tx, &tenant)) {
            Err(failure) if failure.is_unique("tenants", &["tenant_id"]) || failure.is_unique("tenants", &["slug"]) => {
                Ok(())
            }
            outcome => outcome,
        }
    })
    .await
}

/// How long a tenant found by its slug is remembered: every request needs it and it hardly ever changes.
const REMEMBERED: SignedDuration = SignedDuration::from_secs(10);

/// A tenant with what it has set for itself.
#[derive(Debug, Clone)]
pub struct Served {
    /// The Comune.
    pub tenant: Arc<Tenant>,
    /// Its settings; the defaults where it has set nothing.
    pub settings: Arc<TenantSettings>,
}

/// A tenant and when it was read.
type Remembered = (Timestamp, Served);

/// Finds tenants by slug, remembering them for a few seconds. Cheap to clone.
#[derive(Clone)]
pub struct TenantDirectory {
    db: Db,
    known: Arc<RwLock<HashMap<String, Remembered>>>,
}

impl fmt::Debug for TenantDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantDirectory")
    }
}

impl TenantDirectory {
    /// A directory over this database.
    pub fn new(db: Db) -> Self {
        Self { db, known: Arc::default() }
    }

    /// The tenant of a path.
    ///
    /// # Errors
    /// `not-found` when there is none.
    pub async fn find(&self, slug: &str) -> Result<Arc<Tenant>, Problem> {
        Ok(self.served(slug).await?.tenant)
    }

    /// The tenant of a path with its settings.
    ///
    /// # Errors
    /// `not-found` when there is none.
    pub async fn served(&self, slug: &str) -> Result<Served, Problem> {
        let unknown = || Problem::new(&NOT_FOUND).detail("no such Comune");
        // No row has such a slug, and not every text can be asked for: PostgreSQL refuses a NUL.
        check_slug(slug).map_err(|SlugError| unknown())?;
        let now = self.db.clock().now();
        if let Some(served) = self.remembered(slug, now) {
            return Ok(served);
        }
        let wanted = slug.to_owned();
        let found = self.db.read(&Scope::platform(), move |tx| by_slug(tx, &wanted)).await?;
        let tenant = found.map(Arc::new).ok_or_else(unknown)?;
        let stored = self.db.read(&Scope::system(tenant.tenant_id), settings::get).await?;
        let served = Served { tenant, settings: Arc::new(stored.settings) };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(slug.to_owned(), (now, served.clone()));
        Ok(served)
    }

    /// The tenant behind a slug, if a request has asked for it in the last seconds. Asks no database.
    pub fn served_lately(&self, slug: &str) -> Option<Served> {
        self.remembered(slug, self.db.clock().now())
    }

    /// Reads a tenant anew when it is asked for next: it was just changed here. Other gateways see the change
    /// within ten seconds.
    pub fn forget(&self, slug: &str) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(slug);
    }

    fn remembered(&self, slug: &str, now: Timestamp) -> Option<Served> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (since, served) = known.get(slug)?;
        (now.duration_since(*since) < REMEMBERED).then(|| served.clone())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Some Comune.
    pub(crate) fn tenant() -> Tenant {
        Tenant {
            tenant_id: TenantId::from_uuid(uuid::Uuid::from_u128(9)),
            slug: "bugliano".into(),
            name: "Bugliano".into(),
            patron_month: None,
            patron_day: None,
            patron_name: None,
            state: TenantState::Active,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_slug_stands_in_a_path_and_is_not_the_servers_own() {
        for good in ["bugliano", "c_h501", "san-gimignano2"] {
            assert_eq!(check_slug(good), Ok(()), "{good}");
        }
        for bad in ["", "a", "Bugliano", "1comune", "a/b", "platform", "health", "à"] {
            assert_eq!(check_slug(bad), Err(SlugError), "{bad}");
        }
    }
}
