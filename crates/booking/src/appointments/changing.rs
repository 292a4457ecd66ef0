//! What every change of an appointment has in common: whose it is, which version, once per key, and the answer.

use std::{future::Future, pin::Pin};

use actix_web::{Error, FromRequest, HttpRequest, dev::Payload, web::Data};
use platform::{
    access::{Caller, policy},
    http::{Answer, IdPath, IfMatch, Language, MaybeIdempotencyKey},
    idempotency::{self, InFlight},
};
use storage::{Db, Tx};

use super::{find::find_for, model::Appointment, views::Reader};

type Parts = (Caller, Language, IdPath<Appointment>, MaybeIdempotencyKey, IfMatch, Data<Db>, Data<InFlight>);

/// A request to change the appointment that its path names.
#[derive(Debug)]
pub(super) struct Changing {
    pub(super) caller: Caller,
    pub(super) lang: Language,
    pub(super) id: IdPath<Appointment>,
    key: MaybeIdempotencyKey,
    if_match: IfMatch,
    pub(super) db: Data<Db>,
    in_flight: Data<InFlight>,
}

impl FromRequest for Changing {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let parts = Parts::from_request(req, payload);
        Box::pin(async move {
            let (caller, lang, id, key, if_match, db, in_flight) = parts.await?;
            Ok(Self { caller, lang, id, key, if_match, db, in_flight })
        })
    }
}

impl Changing {
    /// Makes the change, when this caller may make it and means the version there is, and answers with what has
    /// become of the appointment. `digest` is that of the body; `manage_token` opens it to who holds it.
    pub(super) async fn make(
        &self,
        wish: policy::Wish,
        manage_token: Option<String>,
        digest: &str,
        mut change: impl FnMut(&mut Tx<'_>, &Caller, Appointment) -> storage::Result<Appointment> + Send + 'static,
    ) -> Answer {
        let (who, lang, id, if_match) = (self.caller.clone(), self.lang.0, self.id.0, self.if_match.clone());
        idempotency::once(&self.db, &self.in_flight, &self.caller, self.key.0.as_ref(), digest, move |tx| {
            let token = manage_token.as_deref();
            let appointment = find_for(tx, &who, id, wish, token)?;
            if_match.check(appointment.version, policy::must_match_version(&who))?;
            let changed = change(tx, &who, appointment)?;
            Reader { caller: &who, lang, holds_token: token.is_some() }.reply(tx, changed)?.written_down(tx)
        })
        .await
    }
}
