//! `sportello tenant`: the Comuni of a deployment.

use clap::Subcommand;
use platform::{
    audit::{self, Change},
    settings::rules::parse_month_and_day,
    tenants::{self, Tenant, TenantState},
};
use serde_json::json;
use storage::{Db, Scope};

use super::{CliError, Needs};
use crate::terminal::say;

#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Add a Comune.
    Add {
        /// First segment of its paths, best its IPA code: c_h501
        slug: String,
        /// What it is called: "Comune di Bugliano"
        name: String,
        /// The patron saint's day, MM-DD.
        #[arg(long, value_name = "MM-DD")]
        patron_day: Option<String>,
        /// The patron saint.
        #[arg(long, requires = "patron_day")]
        patron_name: Option<String>,
    },
    /// List them.
    List,
}

impl TenantCommand {
    /// Listing changes nothing.
    pub(super) const fn needs(&self) -> Needs {
        if matches!(self, Self::List) { Needs::Reading } else { Needs::Secret }
    }
}

pub(super) async fn run(db: &Db, command: TenantCommand) -> Result<(), CliError> {
    match command {
        TenantCommand::Add { slug, name, patron_day, patron_name } => {
            tenants::check_slug(&slug).map_err(|error| CliError::Refused(error.to_string()))?;
            let (patron_month, patron_day) = match patron_day.as_deref().map(parse_month_and_day) {
                None => (None, None),
                Some(Some((month, day))) => (Some(month), Some(day)),
                Some(None) => return Err(CliError::Refused("--patron-day is a month and a day, MM-DD".to_owned())),
            };
            let said = format!("added {slug}");
            db.write(&Scope::platform(), move |tx| {
                let tenant = Tenant {
                    tenant_id: tx.new_id(),
                    slug: slug.clone(),
                    name: name.clone(),
                    patron_month,
                    patron_day,
                    patron_name: patron_name.clone(),
                    state: TenantState::Active,
                    created_at: tx.now(),
                };
                match tx.savepoint(|tx| tenants::insert(tx, &tenant)) {
                    Err(failure) if failure.is_unique("tenants", &["slug"]) => return Ok(false),
                    outcome => outcome?,
                }
                // In the chain of the deployment: the Comune has none yet.
                let after = json!({ "slug": tenant.slug, "name": tenant.name });
                let (action, subject) = ("tenant.added", tenant.tenant_id);
                let change = Change { action, subject_kind: "tenant", subject, before: None, after: Some(&after) };
                audit::record(tx, change).map(|()| true)
            })
            .await?
            .then_some(())
            .ok_or_else(|| CliError::Refused("this slug is taken".to_owned()))?;
            say(&said);
        }
        TenantCommand::List => {
            for tenant in db.read(&Scope::platform(), tenants::list).await? {
                say(&format!("{}\t{}\t{}", tenant.slug, tenant.state.as_str(), tenant.name));
            }
        }
    }
    Ok(())
}
