//! `/me`: who the caller is and what they may do.

use actix_web::{get, web::Data};
use jiff::Timestamp;
use kernel::{Lang, TaxCode, civil};
use serde::Serialize;
use storage::{Db, Tx};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    assurance::Assurance,
    caller::{Caller, CallerKind},
    integration::Integration,
    keys::{ApiKey, KeyScope},
    permissions::{self, Ability, Permission},
    staff::{self, StaffMember, StaffRole},
};
use crate::{
    directory::{OfficeId, store as directory},
    http::{Answer, Language, Link, Reply},
};

// They name people.
kernel::redacted_debug!(Me);
kernel::redacted_debug!(CitizenView);
kernel::redacted_debug!(StaffView);

storage::text_enum! {
    /// What kind of caller somebody is.
    pub enum CallerWord {
        /// Nobody said who they are.
        Anonymous = "anonymous",
        /// A person who came through the identity provider.
        Citizen = "citizen",
        /// Somebody who works for the Comune; `staff.role` says as what.
        Staff = "staff",
        /// A device of one office.
        Device = "device",
        /// Another system.
        Integration = "integration",
        /// Whoever runs the installation.
        Platform = "platform",
    }
}

/// The caller, as they may know themselves.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "kind": "staff", "id": "staff:01980000-0000-7000-8000-000000000040",
    "tenant": { "slug": "bugliano", "name": "Comune di Bugliano" },
    "citizen": null,
    "staff": { "display_name": "Olga Sportello", "role": "operator", "central": false,
        "offices": [{ "id": "01980000-0000-7000-8000-000000000002", "slug": "anagrafe", "name": "Ufficio anagrafe" }] },
    "key": null,
    "permissions": [{ "name": "appointments.read", "reach": "offices", "office_ids": ["01980000-0000-7000-8000-000000000002"] }],
    "links": []
}))]
pub struct Me {
    /// What kind of caller this is.
    pub kind: CallerWord,
    /// Stands for the caller in events and in the audit; names nobody.
    #[schema(max_length = 100)]
    pub id: String,
    /// The Comune called.
    pub tenant: TenantReference,
    /// A citizen: what their token says.
    pub citizen: Option<CitizenView>,
    /// Somebody who works here: as what.
    pub staff: Option<StaffView>,
    /// A program: its key, without the secret, or the client that it is at PDND.
    pub key: Option<KeyView>,
    /// What the caller may do. What is not named they may not.
    #[schema(max_items = 100)]
    pub permissions: Vec<Permission>,
    /// Where to go on from here.
    #[schema(max_items = 20)]
    pub links: Vec<Link>,
}

/// A Comune.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TenantReference {
    /// The first segment of its paths.
    #[schema(max_length = 63)]
    pub slug: String,
    /// What it is called.
    #[schema(max_length = 200)]
    pub name: String,
}

/// What a citizen's token says.
#[derive(Serialize, ToSchema)]
pub struct CitizenView {
    /// Given name, when the identity provider told it.
    #[schema(max_length = 200)]
    pub given_name: Option<String>,
    /// Family name, when the identity provider told it.
    #[schema(max_length = 200)]
    pub family_name: Option<String>,
    /// Codice fiscale.
    pub tax_code: TaxCode,
    /// E-mail address, when the identity provider told it.
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// How sure the identity provider is that it is them.
    pub assurance: Assurance,
    /// What the Comune asks of citizens for what is theirs; below it they do what anybody may.
    pub minimum_assurance: Assurance,
}

/// Somebody who works for the Comune.
#[derive(Serialize, ToSchema)]
pub struct StaffView {
    /// What colleagues call them.
    #[schema(max_length = 200)]
    pub display_name: String,
    /// Role.
    pub role: StaffRole,
    /// Whether one of the offices is the URP, which sees what every office sees.
    pub central: bool,
    /// Their offices.
    #[schema(max_items = 100)]
    pub offices: Vec<StaffOffice>,
}

/// An office, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct StaffOffice {
    /// Identifier.
    pub id: OfficeId,
    /// Short name.
    #[schema(max_length = 63)]
    pub slug: String,
    /// What people call it, in the language asked for.
    #[schema(max_length = 200)]
    pub name: String,
}

/// A program's key, or the client that it is at PDND.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// The public half, as logs and lists show it, or the client's id at PDND.
    #[schema(max_length = 50)]
    pub handle: String,
    /// What people call it.
    #[schema(max_length = 200)]
    pub label: String,
    /// What an integration may do.
    #[schema(max_items = 20)]
    pub scopes: Vec<KeyScope>,
    /// The office of a device.
    pub office: Option<StaffOffice>,
    /// Past this instant it does not answer, or the voucher is not accepted; null: it does not end by itself.
    #[serde(with = "civil::rfc3339::option")]
    pub expires_at: Option<Timestamp>,
}

/// Who the caller is
///
/// And what they may do: a stable list of named abilities, each with how far it reaches. For every kind of caller,
/// also for those who did not say who they are. Personal data is what the caller's own token or entry says.
#[utoipa::path(tag = "me", security((), ("bearer" = [])), responses(
    (status = 200, description = "The caller", body = Me),
))]
#[get("/me")]
async fn show_me(caller: Caller, lang: Language, db: Data<Db>) -> Answer {
    let who = caller.clone();
    let me = db.read(&caller, move |tx| me(tx, &who, lang.0)).await?;
    Reply::ok(me)
}

fn me(tx: &mut Tx<'_>, caller: &Caller, lang: Lang) -> storage::Result<Me> {
    let permissions = permissions::of(caller);
    let mut me = Me {
        kind: CallerWord::Anonymous,
        id: caller.actor().as_str().to_owned(),
        tenant: TenantReference { slug: caller.tenant.slug.clone(), name: caller.tenant.name.clone() },
        citizen: None,
        staff: None,
        key: None,
        links: links(caller, &permissions),
        permissions,
    };
    match &caller.kind {
        CallerKind::Anonymous => {}
        CallerKind::Citizen(citizen) => {
            me.kind = CallerWord::Citizen;
            me.citizen = Some(CitizenView {
                given_name: citizen.given_name.clone(),
                family_name: citizen.family_name.clone(),
                tax_code: citizen.tax_code.clone(),
                email: citizen.email.clone(),
                assurance: citizen.assurance,
                minimum_assurance: caller.settings().identity.minimum(),
            });
        }
        CallerKind::Staff(member) => {
            me.kind = CallerWord::Staff;
            me.staff = Some(staff_view(tx, member, lang)?);
        }
        CallerKind::Device(key) => (me.kind, me.key) = (CallerWord::Device, Some(key_view(tx, key, lang)?)),
        CallerKind::Integration(system) => (me.kind, me.key) = (CallerWord::Integration, Some(system_view(system))),
        CallerKind::Platform(key) => (me.kind, me.key) = (CallerWord::Platform, Some(key_view(tx, key, lang)?)),
    }
    Ok(me)
}

fn staff_view(tx: &mut Tx<'_>, member: &StaffMember, lang: Lang) -> storage::Result<StaffView> {
    Ok(StaffView {
        display_name: staff::names(tx, &[member.id])?.remove(&member.id).unwrap_or_default(),
        role: member.role,
        central: member.central,
        offices: office_names(tx, &member.offices, lang)?,
    })
}

fn key_view(tx: &mut Tx<'_>, key: &ApiKey, lang: Lang) -> storage::Result<KeyView> {
    Ok(KeyView {
        handle: key.handle.clone(),
        label: key.label.clone(),
        scopes: key.scopes.0.clone(),
        office: office_names(tx, key.office_id.as_slice(), lang)?.pop(),
        expires_at: key.expires_at,
    })
}

fn system_view(system: &Integration) -> KeyView {
    KeyView {
        handle: system.handle.clone(),
        label: system.label.clone(),
        scopes: system.scopes.clone(),
        office: None,
        expires_at: system.expires_at,
    }
}

fn office_names(tx: &mut Tx<'_>, ids: &[OfficeId], lang: Lang) -> storage::Result<Vec<StaffOffice>> {
    let named = |office: crate::directory::Office| StaffOffice {
        id: office.id,
        name: office.name.0.text(lang).to_owned(),
        slug: office.slug,
    };
    Ok(directory::offices_with_places(tx, ids)?.into_iter().map(|(office, _)| named(office)).collect())
}

fn links(caller: &Caller, permissions: &[Permission]) -> Vec<Link> {
    let may = |name| permissions.iter().any(|permission| permission.name == name);
    let places = [
        ("settings", "settings", true),
        ("appointments", "me/appointments", caller.citizen().is_ok()),
        ("staff-members", "staff-members", may(Ability::Administration)),
        ("audit-entries", "audit-entries", may(Ability::Administration)),
    ];
    let link = |(rel, path, _): (&str, &str, bool)| Link {
        rel: rel.to_owned(),
        method: "GET".to_owned(),
        href: format!("/{}/v1/{path}", caller.tenant.slug),
    };
    places.into_iter().filter(|(_, _, open)| *open).map(link).collect()
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show_me);
}
