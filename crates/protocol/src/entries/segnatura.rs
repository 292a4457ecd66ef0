//! The segnatura of an entry, after AgID's schema 3.0.0 (segnatura_protocollo.xsd of AgID/protocollo-comunicazione-aoo;
//! Linee guida sul documento informatico, allegato 6), whose attributes are in its namespace as its elements are.
//!
//! It is a template: the schema wants it signed with the administration's seal, which this server has not. Whoever
//! signs adds `ds:Signature` as its last element.

use base64::{Engine, engine::general_purpose::STANDARD};
use kernel::civil;

use super::model::{Direction, DocumentRef, Entry, Party, PartyKind, PartyRole, Whole};
use crate::xml::Xml;

const NAMESPACE: &str = "http://www.agid.gov.it/protocollo/";

/// The segnatura, unsigned. `first` is the entry of an emergency register that has its ordinary number here, `comune`
/// what the Comune is called.
pub fn write(whole: &Whole, first: Option<&Entry>, comune: &str) -> String {
    let Whole { entry, parties } = whole;
    let own = |xml: &mut Xml| {
        xml.within("prot:Amministrazione", &[], |xml| {
            xml.text("prot:DenominazioneAmministrazione", comune);
            xml.text("prot:CodiceIPAAmministrazione", &entry.ipa_code);
            xml.text("prot:CodiceIPAAOO", &entry.aoo_code);
        });
    };
    let of = |role| parties.iter().filter(move |party| party.role == role);
    let mut xml = Xml::new();
    let root = [("xmlns:prot", NAMESPACE), ("prot:versione", "3.0.0"), ("prot:lang", "it")];
    xml.within("prot:SegnaturaInformatica", &root, |xml| {
        xml.within("prot:Intestazione", &[], |xml| {
            xml.within("prot:Identificatore", &[], |xml| identify(xml, entry));
            if let Some(first) = first {
                xml.within("prot:PrimaRegistrazione", &[], |xml| identify(xml, first));
            }
            xml.text("prot:Oggetto", &entry.subject);
            let classification = entry.classification.as_deref().unwrap_or("non classificato");
            xml.within("prot:Classifica", &[], |xml| {
                xml.text("prot:Denominazione", classification);
                xml.text("prot:CodiceFlat", classification);
            });
            xml.maybe("prot:Riservato", entry.confidential.then_some("true"));
        });
        xml.within("prot:Descrizione", &[], |xml| {
            xml.within("prot:Mittente", &[], |xml| match of(PartyRole::Sender).next() {
                Some(sender) if entry.direction == Direction::Inbound => party(xml, sender),
                _ => own(xml),
            });
            let mut recipients = 0_usize;
            for recipient in of(PartyRole::Recipient) {
                xml.within("prot:Destinatario", &RECEIVED, |xml| party(xml, recipient));
                recipients = recipients.saturating_add(1);
            }
            if recipients == 0 {
                xml.within("prot:Destinatario", &RECEIVED, own);
            }
            for (n, file) in entry.documents.0.iter().enumerate() {
                document(xml, if n == 0 { "prot:DocumentoPrimario" } else { "prot:Allegato" }, file);
            }
        });
    });
    xml.end()
}

// Nobody here would take the confirmation that the schema asks for by default.
const RECEIVED: [(&str, &str); 2] = [("prot:confermaRicezione", "false"), ("prot:perConoscenza", "false")];

fn identify(xml: &mut Xml, entry: &Entry) {
    let local = civil::to_rome(entry.registered_at);
    xml.text("prot:CodiceAmministrazione", &entry.ipa_code);
    xml.text("prot:CodiceAOO", &entry.aoo_code);
    xml.text("prot:CodiceRegistro", &entry.register_code);
    xml.text("prot:NumeroRegistrazione", &format!("{:07}", entry.number));
    xml.text("prot:DataRegistrazione", &local.strftime("%Y-%m-%d").to_string());
    xml.text("prot:OraRegistrazione", &local.strftime("%H:%M:%S").to_string());
}

fn party(xml: &mut Xml, party: &Party) {
    let contacts = |xml: &mut Xml, name: &str| {
        if let Some(email) = &party.email {
            xml.within(name, &[], |xml| xml.text_with("prot:IndirizzoTelematico", &[("prot:tipo", "smtp")], email));
        }
    };
    match party.kind {
        PartyKind::Person => xml.within("prot:PersonaFisica", &[], |xml| {
            xml.text("prot:Nome", party.given_name.as_deref().unwrap_or_default());
            xml.text("prot:Cognome", party.family_name.as_deref().unwrap_or_default());
            // The schema knows the one of sixteen signs, and not the numeric one that is given provisionally.
            let tax_code = party.tax_code.as_ref().map(kernel::TaxCode::as_str);
            xml.maybe("prot:CodiceFiscale", tax_code.filter(|code| code.len() == 16));
            contacts(xml, "prot:Contatti");
        }),
        PartyKind::Organisation => xml.within("prot:PersonaGiuridica", &[], |xml| {
            xml.text("prot:Denominazione", party.denomination.as_deref().unwrap_or_default());
            xml.maybe("prot:PIVAoCF", party.vat_number.as_deref());
            contacts(xml, "prot:ContattiPersonaGiuridica");
        }),
        PartyKind::Administration => xml.within("prot:Amministrazione", &[], |xml| {
            xml.text("prot:DenominazioneAmministrazione", party.denomination.as_deref().unwrap_or_default());
            xml.text("prot:CodiceIPAAmministrazione", party.ipa_code.as_deref().unwrap_or_default());
            contacts(xml, "prot:ContattiAmministrazione");
        }),
    }
}

fn document(xml: &mut Xml, name: &str, file: &DocumentRef) {
    let digest = STANDARD.encode(hex::decode(&file.sha256).unwrap_or_default());
    xml.within(name, &[("prot:nomeFile", &file.file_name), ("prot:mimeType", &file.media_type)], |xml| {
        xml.text_with("prot:Impronta", &[("prot:algoritmo", "SHA-256")], &digest);
    });
}
