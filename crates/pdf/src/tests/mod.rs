//! The crate as its users see it: papers in, files out, read by another library.

use kernel::Lang;

use crate::{Block, Level, Paper, Symbol};

mod accessibility;
mod limits;
mod properties;
mod reader;
mod stability;
mod texts;

/// A paper with these blocks.
fn paper(blocks: Vec<Block>) -> Paper {
    Paper {
        language: Lang::It,
        title: "Ricevuta di presentazione".into(),
        author: "Comune di Bugliano".into(),
        letterhead: vec!["Ufficio relazioni con il pubblico".into()],
        footer: "Art. 18-bis L. 7 agosto 1990, n. 241".into(),
        at: "2027-03-28T10:15:30Z".parse().unwrap(),
        blocks,
    }
}

fn facts<const N: usize>(rows: [(&str, &str); N]) -> Block {
    Block::Facts(rows.into_iter().map(|(label, value)| (label.into(), value.into())).collect())
}

/// One of each block.
fn receipt() -> Paper {
    paper(vec![
        Block::Paragraph("Si attesta che l'istanza è stata presentata.".into()),
        Block::Heading(Level::One, "Istanza".into()),
        facts([("Protocollo", "2027/0001234"), ("Presentata da", "Zoë Đorđević-Łukasiewicz, Αθήνα, Софија")]),
        Block::Heading(Level::Two, "Allegati".into()),
        Block::List(vec!["planimetria.pdf".into(), "delega.pdf".into()]),
        Block::Code(Symbol {
            url: "https://servizi.comune.bugliano.pi.it/pratiche/K7M2-PQ4X".into(),
            alternative: "Codice QR con l'indirizzo della pratica".into(),
            caption: "Segua qui la sua pratica.".into(),
        }),
    ])
}
