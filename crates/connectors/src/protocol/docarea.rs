//! Systems that speak DOCAREA: three SOAP calls, `login`, `inserimento` of a file, `protocollazione` of a segnatura.
//!
//! It knows no key and cannot look up: once the third call has left and no answer came, somebody has to look.
//! The files themselves are not handed on. In their place goes a sheet that lists them with their digests.

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
    Clients, body, failure, line,
    soap::{self, Attachment},
};

/// The name of the sheet.
const SHEET: &str = "registrazione.txt";

/// Speaks DOCAREA.
#[derive(Debug)]
pub struct DocareaSoap(Clients);

type Texts = BTreeMap<String, String>;

impl DocareaSoap {
    /// A connector that waits so long for each answer, connecting included.
    ///
    /// # Errors
    ///
    /// The HTTP client could not be set up.
    pub fn new(time_out: Duration) -> Result<Self, reqwest::Error> {
        Clients::new(time_out).map(Self)
    }

    async fn call(
        &self,
        target: &Target,
        method: &str,
        (media_type, content): (String, String),
    ) -> Result<Texts, ProtocolError> {
        let request = self.0.of(target).post(&target.base_url);
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

    async fn registered(&self, target: &Target, what: &Submission) -> Result<Receipt, ProtocolError> {
        let user = target.username.as_deref().unwrap_or_default();
        let plain = |envelope| ("text/xml; charset=UTF-8".to_owned(), envelope);
        let boundary = format!("sportello-{}", what.key);
        // Nothing is registered by the first two calls, however they end.
        let login = soap::envelope(
            "login",
            &[
                ("strCodEnte", target.entity_code.as_deref().unwrap_or_default()),
                ("strUserName", user),
                ("strPassword", target.credential.as_deref().unwrap_or_default()),
            ],
        );
        let session = self.call(target, "login", plain(login)).await.map_err(harmless)?;
        let token = told(&session, "strDST").filter(|_| succeeded(&session));
        let token = token.ok_or(ProtocolError::Retryable("not-let-in"))?;
        let arguments = [("strUserName", user), ("strDST", token)];

        let (insert, sheet) = (soap::envelope("inserimento", &arguments), sheet(what));
        let file = Attachment { name: SHEET, media_type: "text/plain", content: &sheet };
        let inserted = self.call(target, "inserimento", soap::related(&boundary, &insert, &file)).await;
        let inserted = inserted.map_err(harmless)?;
        let document = told(&inserted, "lngDocID").filter(|id| *id != "0" && succeeded(&inserted));
        let document = document.ok_or(ProtocolError::Retryable("document-refused"))?;

        let (register, segnatura) = (soap::envelope("protocollazione", &arguments), segnatura(what, document));
        let file = Attachment { name: "segnatura.xml", media_type: "text/xml", content: &segnatura };
        let registered = self.call(target, "protocollazione", soap::related(&boundary, &register, &file)).await?;
        receipt(&registered)
    }
}

impl ProtocolConnector for DocareaSoap {
    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Register]
    }

    fn register<'a>(
        &'a self,
        target: &'a Target,
        what: &'a Submission,
    ) -> BoxFuture<'a, Result<Receipt, ProtocolError>> {
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

/// What stands in the place of the files.
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
    for DocumentRef { file_name, media_type, sha256, size_bytes } in &entry.documents.0 {
        // Writing to a string does not fail.
        let _ = write!(text, "File: {file_name} ({media_type}, {size_bytes} byte, SHA-256 {sha256})\r\n");
    }
    text
}

/// The segnatura of DOCAREA, which is older than AgID's and another.
fn segnatura(what: &Submission, document: &str) -> String {
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
            xml.within("Documento", &[("id", document), ("nome", SHEET)], |xml| {
                xml.text("DescrizioneDocumento", &rules::mark(entry));
                xml.text("TipoDocumento", "Principale");
            });
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
