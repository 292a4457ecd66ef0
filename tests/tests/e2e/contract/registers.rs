//! What no operation makes: registrations that somebody has to look at, and daily registers.

use diesel::prelude::*;
use jiff::civil::date;
use kernel::Id;
use protocol::{
    connections::ConnectorKind,
    daily::{model::DailyRegister, store as daily},
    entries::store::{self as entries, Register},
    registrations::RegistrationState,
    schema::protocol_registrations as g,
};
use storage::types::Key;

use crate::{
    protocol::{paper, register},
    world::{Desk, World},
};

/// Registrations of an office that somebody has to look at.
pub(super) async fn to_be_reviewed(desk: &Desk, many: usize) -> Vec<String> {
    let (tenant, office) = (desk.world.tenant.clone(), desk.office.id);
    desk.world
        .write(move |tx| {
            let mut ids = Vec::new();
            for n in 0..many {
                let made = register(tx, &tenant, paper(office, &format!("In dubbio {n}")))?;
                ids.extend(made.registration.map(|row| row.id));
            }
            let keys: Vec<_> = ids.iter().copied().map(Key).collect();
            let planted = g::table.filter(g::tenant_id.eq(Key(tx.tenant()))).filter(g::id.eq_any(keys));
            diesel::update(planted)
                .set((
                    g::connector.eq(ConnectorKind::DocareaSoap),
                    g::state.eq(RegistrationState::NeedsReview),
                    g::in_doubt.eq(true),
                ))
                .execute(tx.conn())?;
            Ok(ids.iter().map(Id::to_string).collect())
        })
        .await
}

/// Daily registers of a Comune.
pub(super) async fn of_days(world: &World) -> Vec<String> {
    world
        .write(|tx| {
            let register = Register { aoo_code: "SPORTELLO".to_owned(), register_code: "RACC".to_owned() };
            entries::hold(tx, &register)?;
            let new = DailyRegister {
                id: tx.new_id(),
                aoo_code: register.aoo_code,
                register_code: register.register_code,
                day: date(2026, 1, 1),
                entries: 0,
                annulments: 0,
                first_number: None,
                last_number: None,
                csv_sha256: "00".repeat(32),
                xml_sha256: "00".repeat(32),
                created_at: tx.now(),
            };
            daily::insert(tx, &new, "number\r\n", "<registroGiornaliero/>")?;
            Ok(vec![new.id.to_string()])
        })
        .await
}
