//! Systems that speak DOCAREA: three SOAP calls, `login`, `inserimento` of a file, `protocollazione` of a segnatura.
//!
//! It knows no key and cannot look up: once the last call has left and no answer came, somebody has to look. Each file
//! that is kept here is inserted; where some are not, a sheet is too, which lists all of them with their digests.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use futures_util::future::BoxFuture;
use kernel::civil;
use protocol::{
    Xml,
    entries::{Direction, DocumentRef, Party, PartyKind, PartyRole, rules},
    ports::{Capability, ProtocolConnector, ProtocolError, Receipt, Submission, Target},
};
use reqwest::{StatusCode, header};

use super::{
    Clients, UNREACHABLE, body, failure, line,
    soap::{self, Attachment},
};

/// The name of the sheet.
const SHEET: &str = "registrazione.txt";

/// Speaks DOCAREA.
#[derive(Debug)]
pub struct DocareaSoap {
    clients: Clients,
    /// How long all that comes before `protocollazione` may take.
    preparing: Duration,
}

type Texts = BTreeMap<String, String>;

impl DocareaSoap {
    /// A connector that waits so long for each answer, connecting included.
    ///
    /// # Errors
    ///
    /// The HTTP client could not be set up.
    pub fn new(time_out: Duration) -> Result<Self, reqwest::Error> {
        Ok(Self { clients: Clients::new(time_out)?, preparing: time_out.saturating_mul(2) })
    }

    async fn call(
        &self,
        target: &Target,
        method: &str,
        (media_type, content): (String, Vec<u8>),
    ) -> Result<Texts, ProtocolError> {
        let request = self.clients.of(target).post(&target.base_url);
        let request = request.header(header::CONTENT_TYPE, media_type);
        let request = request.header("SOAPAction", format!("\"http://tempuri.org/{method}\"")).body(content);
        let mut answer = request.send().await.map_err(|error| failure(&error))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(ProtocolError::Retryable("not-let-in")),
            StatusCode::NOT_FOUND => return Err(ProtocolError::Permanent("no-such-address")),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                return Err(ProtocolError::Retryable("busy"));
            }
            status if status.is_redirection() => return Err(ProtocolError::Permanent("redirected")),
            _ => return Err(ProtocolError::UnknownOutcome("server-error")),
        }
        let bytes = body(&mut answer).await?;
        soap::texts(&bytes).ok_or(ProtocolError::UnknownOutcome("unreadable"))
    }

    async fn registered(&self, target: &Target, mut what: Submission) -> Result<Receipt, ProtocolError> {
        let boundary = format!("sportello-{}", what.key);
        // Nothing is registered by what comes before the last call, however it ends.
        let prepared = tokio::time::timeout(self.preparing, self.inserted(target, &what, &boundary)).await;
        let prepared = prepared.map_err(|_late| ProtocolError::Retryable("timed-out"))?.map_err(harmless)?;

        let register = soap::envelope("protocollazione", &arguments(target, &prepared.token));
        what.contents.clear();
        let segnatura = segnatura(&what, &prepared.files);
        let file = Attachment { name: "segnatura.xml", media_type: "text/xml", content: segnatura.as_bytes() };
        let registered = self.call(target, "protocollazione", soap::related(&boundary, &register, &file)).await;
        receipt(&registered.map_err(doubtful)?)
    }

    /// Logs in and inserts the files.
    async fn inserted(&self, target: &Target, what: &Submission, boundary: &str) -> Result<Prepared, ProtocolError> {
        let login = soap::envelope(
            "login",
            &[
                ("strCodEnte", target.entity_code.as_deref().unwrap_or_default()),
                ("strUserName", target.username.as_deref().unwrap_or_default()),
                ("strPassword", target.credential.as_deref().unwrap_or_default()),
            ],
        );
        let plain = ("text/xml; charset=UTF-8".to_owned(), login.into_bytes());
        let session = self.call(target, "login", plain).await?;
        let token = told(&session, "strDST").filter(|_| succeeded(&session));
        let token = token.ok_or(ProtocolError::Retryable("not-let-in"))?.to_owned();
        let insert = soap::envelope("inserimento", &arguments(target, &token));
        let (own, sheet) = (&what.whole.entry.documents.0, sheet(what));
        let kept =
            own.iter().filter_map(|file| Some((file.file_name.as_str(), &*file.media_type, what.content(file)?)));
        let kept: Vec<_> =
            kept.map(|(name, media_type, bytes)| Attachment { name, media_type, content: bytes }).collect();
        let lacks_some = kept.len() < own.len();
        let listing = Attachment { name: SHEET, media_type: "text/plain; charset=UTF-8", content: sheet.as_bytes() };
        let mut files = Vec::new();
        for file in kept.into_iter().chain(lacks_some.then_some(listing)) {
            let inserted = self.call(target, "inserimento", soap::related(boundary, &insert, &file)).await?;
            let id = told(&inserted, "lngDocID").filter(|id| *id != "0" && succeeded(&inserted));
            let id = id.ok_or(ProtocolError::Retryable("document-refused"))?.to_owned();
            files.push(Inserted { id, name: file.name.to_owned() });
        }
        Ok(Prepared { token, files })
    }
}

/// What `protocollazione` refers to.
struct Prepared {
    /// The session.
    token: String,
    /// The files, the principal one first.
    files: Vec<Inserted>,
}

/// A file, as the system knows it.
struct Inserted {
    id: String,
    name: String,
}

fn arguments<'a>(target: &'a Target, token: &'a str) -> [(&'a str, &'a str); 2] {
    [("strUserName", target.username.as_deref().unwrap_or_default()), ("strDST", token)]
}

impl ProtocolConnector for DocareaSoap {
    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Register, Capability::Contents]
    }

    fn register<'a>(&'a self, target: &'a Target, what: Submission) -> BoxFuture<'a, Result<Receipt, ProtocolError>> {
        Box::pin(self.registered(target, what))
    }

    fn find_by_key<'a>(&'a self, _: &'a Target, _: &'a str) -> BoxFuture<'a, Result<Option<Receipt>, ProtocolError>> {
        Box::pin(async { Err(ProtocolError::Permanent("cannot-look-up")) })
    }
}

/// What went wrong where nothing could be registered yet.
fn harmless(error: ProtocolError) -> ProtocolError {
    match error {
        ProtocolError::UnknownOutcome(why) => ProtocolError::Retryable(why),
        other => other,
    }
}

/// What went wrong with the last call. Whoever is busy or does not let in may be a machine before the system, which has
/// registered it all the same: the system itself says what it did in an answer of its own.
fn doubtful(error: ProtocolError) -> ProtocolError {
    match error {
        ProtocolError::Retryable(UNREACHABLE) => error,
        ProtocolError::Retryable(why) => ProtocolError::UnknownOutcome(why),
        other => other,
    }
}

fn told<'a>(texts: &'a Texts, name: &str) -> Option<&'a str> {
    texts.get(name).map(String::as_str).filter(|text| !text.is_empty())
}

/// Whether an answer says that it went well: an error number of 0.
fn succeeded(texts: &Texts) -> bool {
    told(texts, "lngErrNumber").is_some_and(|number| number == "0")
}

fn receipt(texts: &Texts) -> Result<Receipt, ProtocolError> {
    match told(texts, "lngErrNumber") {
        Some("0") => {}
        // The system itself says that nothing was registered.
        Some(number) if number.parse::<i64>().is_ok() => return Err(ProtocolError::Permanent("refused")),
        _ => return Err(ProtocolError::UnknownOutcome("unreadable")),
    }
    let number = told(texts, "lngNumPG").and_then(|text| line(text, 50)).filter(|number| number != "0");
    let year = told(texts, "lngAnnoPG").and_then(|text| text.parse().ok()).filter(|year| (1900..=2200).contains(year));
    let (Some(number), Some(year)) = (number, year) else { return Err(ProtocolError::UnknownOutcome("unreadable")) };
    Ok(Receipt { register: None, number, year, registered_at: None, reference: None })
}

/// What stands in the place of files that are not kept here.
fn sheet(what: &Submission) -> String {
    let entry = &what.whole.entry;
    let mut text = format!(
        "{}\r\nRegistrazione {} del {}\r\nOggetto: {}\r\nUfficio: {}\r\n",
        what.comune,
        rules::mark(entry),
        civil::format_rfc3339(entry.registered_at),
        entry.subject,
        what.office,
    );
    for DocumentRef { file_name, media_type, sha256, size_bytes, .. } in &entry.documents.0 {
        // Writing to a string does not fail.
        let _ = write!(text, "File: {file_name} ({media_type}, {size_bytes} byte, SHA-256 {sha256})\r\n");
    }
    text
}

/// The segnatura of DOCAREA, which is older than AgID's and another.
fn segnatura(what: &Submission, files: &[Inserted]) -> String {
    let entry = &what.whole.entry;
    let flow = match entry.direction {
        Direction::Inbound => "E",
        Direction::Outbound => "U",
        Direction::Internal => "I",
    };
    let of = |role| what.whole.parties.iter().filter(move |party| party.role == role);
    let mut xml = Xml::new();
    xml.within("Segnatura", &[], |xml| {
        xml.within("Intestazione", &[], |xml| {
            xml.text("Oggetto", &entry.subject);
            xml.within("Identificatore", &[], |xml| {
                xml.text("CodiceAmministrazione", &entry.ipa_code);
                xml.text("CodiceAOO", &entry.aoo_code);
                xml.text("NumeroRegistrazione", "0");
                xml.text("DataRegistrazione", "0");
                xml.text("Flusso", flow);
            });
            for (name, role) in [("Mittente", PartyRole::Sender), ("Destinatario", PartyRole::Recipient)] {
                let mut named = false;
                for party in of(role) {
                    named = true;
                    xml.within(name, &[], |xml| write_party(xml, party));
                }
                if !named {
                    xml.within(name, &[], |xml| own(xml, what));
                }
            }
            if let Some(classification) = &entry.classification {
                xml.within("Classifica", &[], |xml| {
                    xml.text("CodiceAmministrazione", &entry.ipa_code);
                    xml.text("CodiceAOO", &entry.aoo_code);
                    xml.text("CodiceTitolario", classification);
                });
            }
        });
        xml.within("Descrizione", &[], |xml| {
            let describe = |xml: &mut Xml, Inserted { id, name }: &Inserted, kind: &str| {
                xml.within("Documento", &[("id", id), ("nome", name)], |xml| {
                    xml.text("DescrizioneDocumento", &rules::mark(entry));
                    xml.text("TipoDocumento", kind);
                });
            };
            let Some((principal, others)) = files.split_first() else { return };
            describe(xml, principal, "Principale");
            if !others.is_empty() {
                xml.within("Allegati", &[], |xml| others.iter().for_each(|file| describe(xml, file, "Allegato")));
            }
        });
        xml.within("ApplicativoProtocollo", &[("nome", "Sportello")], |xml| {
            for (name, value) in [("chiave", what.key.as_str()), ("uo", what.office.as_str())] {
                xml.text_with("Parametro", &[("nome", name), ("valore", value)], "");
            }
        });
    });
    xml.end()
}

fn own(xml: &mut Xml, what: &Submission) {
    let entry = &what.whole.entry;
    xml.within("Amministrazione", &[], |xml| {
        xml.text("Denominazione", &what.comune);
        xml.text("CodiceAmministrazione", &entry.ipa_code);
    });
    xml.within("AOO", &[], |xml| xml.text("CodiceAOO", &entry.aoo_code));
}

fn write_party(xml: &mut Xml, party: &Party) {
    match party.kind {
        PartyKind::Person => {
            let id = party.tax_code.as_ref().map(kernel::TaxCode::as_str).unwrap_or_default();
            xml.within("Persona", &[("id", id)], |xml| {
                xml.text("Nome", party.given_name.as_deref().unwrap_or_default());
                xml.text("Cognome", party.family_name.as_deref().unwrap_or_default());
                xml.text("CodiceFiscale", id);
            });
        }
        PartyKind::Organisation => {
            let id = party.vat_number.as_deref().unwrap_or_default();
            xml.within("Persona", &[("id", id)], |xml| {
                xml.text("Denominazione", party.denomination.as_deref().unwrap_or_default());
                xml.text("CodiceFiscale", id);
            });
        }
        PartyKind::Administration => xml.within("Amministrazione", &[], |xml| {
            xml.text("Denominazione", party.denomination.as_deref().unwrap_or_default());
            xml.text("CodiceAmministrazione", party.ipa_code.as_deref().unwrap_or_default());
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn who_is_busy_with_the_last_call_may_have_done_it() {
        for why in ["busy", "not-let-in"] {
            assert_eq!(doubtful(ProtocolError::Retryable(why)), ProtocolError::UnknownOutcome(why));
        }
        // No connection was made: nothing has left.
        let unreachable = ProtocolError::Retryable(UNREACHABLE);
        assert_eq!(doubtful(unreachable.clone()), unreachable);
    }

    #[test]
    fn only_what_the_system_says_itself_is_believed() {
        let good = [("lngErrNumber", "0"), ("lngNumPG", "42"), ("lngAnnoPG", "2026")];
        let read = receipt(&texts(&good)).unwrap();
        assert_eq!((read.number.as_str(), read.year), ("42", 2026));
        assert_eq!(receipt(&texts(&[("lngErrNumber", "-12")])), Err(ProtocolError::Permanent("refused")));
        for unclear in [&[("lngNumPG", "42")][..], &[("lngErrNumber", "0"), ("lngNumPG", "0"), ("lngAnnoPG", "2026")]] {
            assert_eq!(receipt(&texts(unclear)), Err(ProtocolError::UnknownOutcome("unreadable")), "{unclear:?}");
        }
    }
}
