//! The segnatura of an entry, in the fields of AgID's schema 3.0.0 (Linee guida sul documento informatico, allegato 6).
//!
//! It is a template: the schema wants it signed with the administration's seal, which this server has not. Whoever signs
//! adds `ds:Signature` as its last element.

use base64::{Engine, engine::general_purpose::STANDARD};
use kernel::civil;

use super::model::{Direction, DocumentRef, Party, PartyKind, PartyRole, Whole};
use crate::xml::Xml;

const NAMESPACE: &str = "http://www.agid.gov.it/protocollo/";

/// The segnatura, unsigned. `comune` is what the Comune is called.
pub fn write(whole: &Whole, comune: &str) -> String {
    let Whole { entry, parties } = whole;
    let local = civil::to_rome(entry.registered_at);
    let own = |xml: &mut Xml| {
        xml.within("prot:Amministrazione", &[], |xml| {
            xml.text("prot:DenominazioneAmministrazione", comune);
            xml.text("prot:CodiceIPAAmministrazione", &entry.ipa_code);
            xml.text("prot:DenominazioneAOO", &entry.aoo_code);
            xml.text("prot:CodiceIPAAOO", &entry.aoo_code);
        });
    };
    let of = |role| parties.iter().filter(move |party| party.role == role);
    let mut xml = Xml::new();
    let root = [("xmlns:prot", NAMESPACE), ("prot:versione", "3.0.0"), ("prot:lang", "it")];
    xml.within("prot:SegnaturaInformatica", &root, |xml| {
        xml.within("prot:Intestazione", &[], |xml| {
            xml.within("prot:Identificatore", &[], |xml| {
                xml.text("prot:CodiceAmministrazione", &entry.ipa_code);
                xml.text("prot:CodiceAOO", &entry.aoo_code);
                xml.text("prot:CodiceRegistro", &entry.register_code);
                xml.text("prot:NumeroRegistrazione", &format!("{:07}", entry.number));
                xml.text("prot:DataRegistrazione", &local.strftime("%Y-%m-%d").to_string());
                xml.text("prot:OraRegistrazione", &local.strftime("%H:%M:%S").to_string());
            });
            xml.text("prot:Oggetto", &entry.subject);
            let classification = entry.classification.as_deref().unwrap_or("non classificato");
            xml.within("prot:Classifica", &[], |xml| {
                xml.text("prot:Denominazione", classification);
                xml.text("prot:CodiceFlat", classification);
            });
            xml.maybe("prot:Riservato", entry.confidential.then_some("riservato"));
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

const RECEIVED: [(&str, &str); 2] = [("confermaRicezione", "false"), ("perConoscenza", "false")];

fn party(xml: &mut Xml, party: &Party) {
    let contacts = |xml: &mut Xml, name: &str| {
        if let Some(email) = &party.email {
            xml.within(name, &[], |xml| xml.text_with("prot:IndirizzoTelematico", &[("tipo", "smtp")], email));
        }
    };
    match party.kind {
        PartyKind::Person => xml.within("prot:PersonaFisica", &[], |xml| {
            xml.text("prot:Nome", party.given_name.as_deref().unwrap_or_default());
            xml.text("prot:Cognome", party.family_name.as_deref().unwrap_or_default());
            xml.maybe("prot:CodiceFiscale", party.tax_code.as_ref().map(kernel::TaxCode::as_str));
            contacts(xml, "prot:Contatti");
        }),
        PartyKind::Organisation => xml.within("prot:PersonaGiuridica", &[], |xml| {
            xml.text("prot:Denominazione", party.denomination.as_deref().unwrap_or_default());
            xml.maybe("prot:CodiceFiscale_PartitaIva", party.vat_number.as_deref());
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
    xml.within(name, &[("nomeFile", &file.file_name), ("mimeType", &file.media_type)], |xml| {
        xml.text_with("prot:Impronta", &[("algoritmo", "SHA-256")], &digest);
    });
}
