//! What whoever does not see a paper is told of it.

use lopdf::Object;

use super::{facts, paper, reader::read, receipt};
use crate::{Block, Level, Symbol, render};

#[test]
fn a_file_says_which_standards_it_keeps_to() {
    // The XMP packet is not compressed, so that programs that know no PDF find it.
    let bytes = render(&receipt()).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for mark in ["<pdfuaid:part>1<", "<pdfaid:part>2<", "<pdfaid:conformance>A<"] {
        assert!(text.contains(mark), "{mark}");
    }
}

#[test]
fn a_title_is_no_markup() {
    let mut paper = receipt();
    paper.title = "Bar & <Grill> \"]]>".into();
    let bytes = render(&paper).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let xmp = text.split("<?xpacket").nth(1).unwrap();
    assert!(xmp.contains("Bar &amp; &lt;Grill"), "{xmp}");
    assert!(!xmp.contains("<Grill"), "{xmp}");
    assert_eq!(read(&paper).outline()[0], paper.title);
}

#[test]
fn a_file_has_title_language_author_and_date() {
    let read = read(&receipt());
    let catalog = read.document.catalog().unwrap();
    assert_eq!(catalog.get(b"Lang").unwrap().as_str().unwrap(), b"it");
    assert_eq!(read.dictionary(catalog.get(b"MarkInfo").unwrap()).get(b"Marked").unwrap(), &Object::Boolean(true));
    let preferences = read.dictionary(catalog.get(b"ViewerPreferences").unwrap());
    assert_eq!(preferences.get(b"DisplayDocTitle").unwrap(), &Object::Boolean(true));
    let info = read.dictionary(read.document.trailer.get(b"Info").unwrap());
    let text = |key: &[u8]| lopdf::decode_text_string(info.get(key).unwrap()).unwrap();
    assert_eq!(text(b"Title"), "Ricevuta di presentazione");
    assert_eq!(text(b"Author"), "Comune di Bugliano");
    assert!(text(b"CreationDate").starts_with("D:20270328101530"), "{}", text(b"CreationDate"));
}

#[test]
fn the_structure_holds_everything_in_reading_order() {
    let structure = read(&receipt()).structure();
    assert_eq!(structure.kind, "Document");
    let kinds: Vec<&str> = structure.children.iter().map(|child| child.kind.as_str()).collect();
    assert_eq!(kinds, ["P", "P", "H1", "P", "H2", "Table", "H3", "L", "Figure", "P", "P"]);
    assert_eq!(structure.texts("H1"), ["Ricevuta di presentazione"]);
    assert_eq!(structure.texts("H2"), ["Istanza"]);
    assert_eq!(structure.texts("LBody"), ["planimetria.pdf", "delega.pdf"]);
    assert_eq!(structure.texts("Lbl"), ["•", "•"]);
    assert_eq!(
        structure.texts("P"),
        [
            "Comune di Bugliano",
            "Ufficio relazioni con il pubblico",
            "Si attesta che l'istanza è stata presentata.",
            "Segua qui la sua pratica.",
            "https://servizi.comune.bugliano.pi.it/pratiche/K7M2-PQ4X",
        ]
    );
}

#[test]
fn facts_are_a_table_whose_rows_have_heads() {
    let structure = read(&receipt()).structure();
    let rows = structure.all("TR");
    assert_eq!(rows.len(), 2);
    for row in &rows {
        let kinds: Vec<&str> = row.children.iter().map(|cell| cell.kind.as_str()).collect();
        assert_eq!(kinds, ["TH", "TD"]);
        assert_eq!(row.children[0].scope.as_deref(), Some("Row"));
    }
    assert_eq!(structure.texts("TH"), ["Protocollo", "Presentata da"]);
    assert_eq!(structure.texts("TD"), ["2027/0001234", "Zoë Đorđević-Łukasiewicz, Αθήνα, Софија"]);
}

#[test]
fn an_empty_cell_shows_a_dash_and_an_empty_row_nothing() {
    let structure = read(&paper(vec![facts([("Note", " "), ("", ""), ("\u{200b}", "x")])])).structure();
    assert_eq!(structure.texts("TH"), ["Note", "—"]);
    assert_eq!(structure.texts("TD"), ["—", "x"]);
}

#[test]
fn a_code_has_words_and_its_address_is_a_link() {
    let structure = read(&receipt()).structure();
    let figure = structure.all("Figure")[0];
    assert_eq!(figure.alternative.as_deref(), Some("Codice QR con l'indirizzo della pratica"));
    assert!(figure.boxed);
    let link = structure.all("Link")[0];
    assert!(link.annotated);
    assert_eq!(link.text, "https://servizi.comune.bugliano.pi.it/pratiche/K7M2-PQ4X");
}

#[test]
fn a_code_without_words_borrows_its_caption_or_its_address() {
    let alternative = |caption: &str| {
        let symbol = Symbol { url: "https://a.it".into(), alternative: " ".into(), caption: caption.into() };
        let structure = read(&paper(vec![Block::Code(symbol)])).structure();
        structure.all("Figure")[0].alternative.clone().unwrap()
    };
    assert_eq!(alternative("Qui"), "Qui");
    assert_eq!(alternative(""), "https://a.it");
}

#[test]
fn only_addresses_of_the_web_are_links() {
    for url in ["javascript:alert(1)", "file:///etc/passwd", "K7M2-PQ4X"] {
        let symbol = Symbol { url: url.into(), alternative: "codice".into(), caption: String::new() };
        let structure = read(&paper(vec![Block::Code(symbol)])).structure();
        assert_eq!(structure.all("Link").len(), 0, "{url}");
        assert_eq!(structure.all("Figure").len(), 1, "{url}");
        assert_eq!(*structure.texts("P").last().unwrap(), url);
    }
}

#[test]
fn headings_skip_no_level_and_lead_the_outline() {
    let heading = |level, text: &str| Block::Heading(level, text.into());
    let paper = paper(vec![
        heading(Level::Three, "a"),
        heading(Level::Three, "b"),
        heading(Level::One, "c"),
        heading(Level::Two, "d"),
        heading(Level::Three, "e"),
        heading(Level::Two, "f"),
        heading(Level::One, " "),
    ]);
    let read = read(&paper);
    let structure = read.structure();
    let headings: Vec<String> = structure
        .children
        .iter()
        .filter(|child| child.kind.starts_with('H'))
        .map(|heading| format!("{} {}", heading.kind, heading.text))
        .collect();
    assert_eq!(headings, ["H1 Ricevuta di presentazione", "H2 a", "H3 b", "H2 c", "H3 d", "H4 e", "H3 f"]);
    assert_eq!(read.outline(), ["Ricevuta di presentazione", " a", "  b", " c", "  d", "   e", "  f"]);
}

#[test]
fn footer_and_page_numbers_are_not_read_out() {
    let read = read(&paper((0..100).map(|n| Block::Paragraph(format!("paragrafo {n}"))).collect()));
    assert_eq!(read.pages(), 4);
    let pages: Vec<String> = (1..=4).map(|n| format!("Art. 18-bis L. 7 agosto 1990, n. 241{n}/4")).collect();
    assert_eq!(read.artifacts, pages);
    assert!(!read.structure().text.contains("18-bis"));
}
