//! The receipt as people hold it: a PDF, the same bytes for the same receipt and language.

use jiff::civil::Date;
use kernel::{Lang, civil};
use pdf::{Block, Level, Paper, Symbol};

use super::model::{Receipt, Silence};
use crate::entries::{DocumentRef, Party, PartyRole, Whole, rules};

/// The words of a receipt in one language.
struct Words {
    title: &'static str,
    law: &'static str,
    number: &'static str,
    mark: &'static str,
    registered: &'static str,
    arrived: &'static str,
    subject: &'static str,
    sender: &'static str,
    office: &'static str,
    contacts: &'static str,
    answer: &'static str,
    answers: &'static str,
    due: &'static str,
    no_term: &'static str,
    silence: &'static str,
    assent: &'static str,
    refusal: &'static str,
    remedy: &'static str,
    files: &'static str,
    verify: &'static str,
    code: &'static str,
    alternative: &'static str,
    general: &'static str,
}

const IT: Words = Words {
    title: "Ricevuta di presentazione",
    law: "Si attesta che è stato presentato e registrato quanto segue (legge 7 agosto 1990, n. 241, articolo 18-bis).",
    number: "Numero di protocollo",
    mark: "Segnatura",
    registered: "Registrato il",
    arrived: "Pervenuto il",
    subject: "Oggetto",
    sender: "Presentato da",
    office: "Ufficio competente",
    contacts: "Contatti",
    answer: "Risposta",
    answers: "Responsabile del procedimento",
    due: "Termine per la risposta",
    no_term: "nessun termine indicato alla presentazione",
    silence: "In caso di silenzio",
    assent: "entro il termine, quanto chiesto si intende accolto",
    refusal: "entro il termine, quanto chiesto si intende respinto",
    remedy: "Rimedi in caso di inerzia",
    files: "Documenti presentati",
    verify: "Verifica",
    code: "Codice di verifica",
    alternative: "Codice QR con l'indirizzo per verificare questa ricevuta",
    general: "Verificando il codice si legge anche se la registrazione è stata annullata e, dove il Comune lo assegna \
              in un secondo momento, il numero del protocollo generale.",
};

const EN: Words = Words {
    title: "Receipt of filing",
    law: "This confirms that what follows was filed and registered (Italian law no. 241 of 7 August 1990, article 18-bis).",
    number: "Protocol number",
    mark: "Mark",
    registered: "Registered on",
    arrived: "Arrived on",
    subject: "Subject",
    sender: "Filed by",
    office: "Office in charge",
    contacts: "Contacts",
    answer: "Answer",
    answers: "Who answers",
    due: "To be answered by",
    no_term: "no term was named at filing",
    silence: "Without an answer",
    assent: "by that day, what was asked for counts as granted",
    refusal: "by that day, what was asked for counts as refused",
    remedy: "What can be done about inaction",
    files: "Documents filed",
    verify: "Verification",
    code: "Verification code",
    alternative: "QR code with the address at which this receipt is verified",
    general: "Verifying the code also tells whether the entry was annulled and, where the Comune gives one later, the \
              number in the general protocol.",
};

const DE: Words = Words {
    title: "Empfangsbestätigung",
    law: "Es wird bestätigt, dass Folgendes eingereicht und registriert wurde (Gesetz vom 7. August 1990, Nr. 241, \
          Artikel 18-bis).",
    number: "Protokollnummer",
    mark: "Protokollvermerk",
    registered: "Registriert am",
    arrived: "Eingegangen am",
    subject: "Gegenstand",
    sender: "Eingereicht von",
    office: "Zuständiges Amt",
    contacts: "Kontakt",
    answer: "Antwort",
    answers: "Verfahrensverantwortliche Person",
    due: "Frist für die Antwort",
    no_term: "bei der Einreichung wurde keine Frist angegeben",
    silence: "Bei Stillschweigen",
    assent: "innerhalb der Frist gilt das Beantragte als genehmigt",
    refusal: "innerhalb der Frist gilt das Beantragte als abgelehnt",
    remedy: "Rechtsbehelfe bei Untätigkeit",
    files: "Eingereichte Dokumente",
    verify: "Überprüfung",
    code: "Prüfcode",
    alternative: "QR-Code mit der Adresse, unter der diese Bestätigung überprüft wird",
    general: "Die Überprüfung zeigt auch, ob die Registrierung annulliert wurde, und die Nummer im allgemeinen \
              Protokoll, wo die Gemeinde sie erst später vergibt.",
};

/// The receipt of an entry, on paper.
pub fn paper(receipt: &Receipt, whole: &Whole, lang: Lang) -> Paper {
    let words = match lang {
        Lang::It => &IT,
        Lang::En => &EN,
        Lang::De => &DE,
    };
    let entry = &whole.entry;
    let display = rules::display(entry.number, entry.year);
    let mut blocks = vec![
        Block::Paragraph(words.law.to_owned()),
        Block::Facts(filed(receipt, whole, words, lang)),
        Block::Heading(Level::One, words.answer.to_owned()),
        Block::Facts(answer(receipt, words, lang)),
    ];
    if !entry.documents.0.is_empty() {
        blocks.push(Block::Heading(Level::One, words.files.to_owned()));
        blocks.push(Block::List(entry.documents.0.iter().map(file).collect()));
    }
    blocks.push(Block::Heading(Level::One, words.verify.to_owned()));
    blocks.push(Block::Code(Symbol {
        url: receipt.verification_url.clone().unwrap_or_else(|| receipt.code.clone()),
        alternative: words.alternative.to_owned(),
        caption: format!("{}: {}", words.code, receipt.code),
    }));
    blocks.push(Block::Paragraph(words.general.to_owned()));
    let office = receipt.office.0.text(lang);
    Paper {
        language: lang,
        title: words.title.to_owned(),
        author: receipt.comune.clone(),
        letterhead: vec![office.to_owned()],
        footer: format!("{} {display} · {}", words.number, receipt.code),
        at: receipt.issued_at,
        blocks,
    }
}

fn filed(receipt: &Receipt, whole: &Whole, words: &Words, lang: Lang) -> Vec<(String, String)> {
    let Whole { entry, parties } = whole;
    let local = civil::to_rome(entry.registered_at);
    let at = format!("{} {}", day(local.date(), lang), local.strftime("%H:%M"));
    let senders = parties.iter().filter(|party| party.role == PartyRole::Sender).map(name);
    let contacts: Vec<_> = [&receipt.office_email, &receipt.office_phone].into_iter().flatten().cloned().collect();
    let rows = [
        (words.number, Some(rules::display(entry.number, entry.year))),
        (words.mark, Some(rules::mark(entry))),
        (words.registered, Some(at)),
        (words.arrived, entry.received_on.map(|date| day(date, lang))),
        (words.subject, Some(entry.subject.clone())),
        (words.sender, Some(senders.collect::<Vec<_>>().join(", "))),
        (words.office, Some(receipt.office.0.text(lang).to_owned())),
        (words.contacts, (!contacts.is_empty()).then(|| contacts.join(", "))),
    ];
    told(rows)
}

fn answer(receipt: &Receipt, words: &Words, lang: Lang) -> Vec<(String, String)> {
    let silence = receipt.silence.map(|silence| match silence {
        Silence::Assent => words.assent,
        Silence::Refusal => words.refusal,
    });
    let office = receipt.office.0.text(lang);
    told([
        (words.answers, Some(receipt.responsible.clone().unwrap_or_else(|| office.to_owned()))),
        (words.due, Some(receipt.due_on.map_or_else(|| words.no_term.to_owned(), |date| day(date, lang)))),
        (words.silence, silence.map(str::to_owned)),
        (words.remedy, receipt.remedy.clone()),
    ])
}

fn told<const N: usize>(rows: [(&str, Option<String>); N]) -> Vec<(String, String)> {
    rows.into_iter().filter_map(|(label, value)| value.map(|value| (label.to_owned(), value))).collect()
}

fn day(date: Date, lang: Lang) -> String {
    let form = match lang {
        Lang::It => "%d/%m/%Y",
        Lang::En => "%-d %B %Y",
        Lang::De => "%d.%m.%Y",
    };
    date.strftime(form).to_string()
}

fn name(party: &Party) -> String {
    match (&party.given_name, &party.family_name, &party.denomination) {
        (Some(given), Some(family), _) => format!("{given} {family}"),
        (.., Some(denomination)) => denomination.clone(),
        (given, family, None) => given.as_ref().or(family.as_ref()).cloned().unwrap_or_default(),
    }
}

fn file(document: &DocumentRef) -> String {
    let DocumentRef { file_name, sha256, size_bytes, .. } = document;
    format!("{file_name} ({size_bytes} byte), SHA-256 {sha256}")
}
