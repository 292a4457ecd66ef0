//! How much a paper holds.

use super::{facts, paper, reader::read};
use crate::{Block, MAX_CHARACTERS, MAX_LINE, MAX_PARTS, MAX_SYMBOL, MAX_TEXT, PdfError, Symbol, render};

#[test]
fn a_text_beyond_its_limit_is_cut() {
    let (line, text) = ("a".repeat(MAX_LINE + 1), "b ".repeat(MAX_TEXT));
    let structure = read(&paper(vec![facts([(&line, &text)])])).structure();
    assert_eq!(structure.texts("TH")[0].chars().count(), MAX_LINE + 1);
    assert!(structure.texts("TH")[0].ends_with("a…"));
    assert!(structure.texts("TD")[0].ends_with('…'));
}

#[test]
fn a_paper_beyond_its_limits_is_refused() {
    let block = Block::Paragraph("x".into());
    // The letterhead's line counts too.
    assert!(render(&paper(vec![block.clone(); MAX_PARTS - 1])).is_ok());
    assert_eq!(render(&paper(vec![block; MAX_PARTS])), Err(PdfError::TooManyParts(MAX_PARTS + 1)));
    let long = Block::Paragraph("x".repeat(MAX_TEXT * 2));
    let error = render(&paper(vec![long; MAX_CHARACTERS / MAX_TEXT])).unwrap_err();
    assert!(matches!(error, PdfError::TooMuchText(count) if count > MAX_CHARACTERS), "{error}");
}

#[test]
fn a_paper_without_anything_is_still_one() {
    let mut paper = paper(Vec::new());
    (paper.title, paper.author, paper.footer) = (String::new(), "\u{0}".into(), String::new());
    paper.letterhead.clear();
    let structure = read(&paper).structure();
    assert_eq!(structure.texts("H1"), ["—"]);
    paper.author = "Comune".into();
    assert_eq!(read(&paper).structure().texts("H1"), ["Comune"]);
}

#[test]
fn blocks_without_text_leave_no_trace() {
    let empty = Symbol { url: String::new(), alternative: String::new(), caption: String::new() };
    let blocks = vec![
        Block::Paragraph(" \n ".into()),
        Block::List(vec!["\u{feff}".into()]),
        Block::List(Vec::new()),
        Block::Facts(Vec::new()),
        Block::Code(empty),
    ];
    let structure = read(&paper(blocks)).structure();
    assert_eq!(structure.children.len(), 3);
}

#[test]
fn an_address_too_long_for_a_code_stands_in_letters() {
    let url = format!("https://a.it/{}", "x".repeat(MAX_SYMBOL));
    let symbol = Symbol { url: url.clone(), alternative: "codice".into(), caption: "Qui:".into() };
    let structure = read(&paper(vec![Block::Code(symbol)])).structure();
    assert!(structure.all("Figure").is_empty());
    assert_eq!(structure.texts("Link"), [url.as_str()]);
}
