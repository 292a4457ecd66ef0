//! Texts arrive whole: in another library's extraction, across lines and pages.

use lopdf::Document;

use super::{facts, paper, reader::read, receipt};
use crate::{Block, render};

#[test]
fn another_library_extracts_the_words() {
    let document = Document::load_mem(&render(&receipt()).unwrap()).unwrap();
    let text = document.extract_text(&[1]).unwrap();
    for words in [
        "Comune di Bugliano",
        "Ricevuta di presentazione",
        "Si attesta che l'istanza è stata presentata.",
        "Zoë Đorđević-Łukasiewicz, Αθήνα, Софија",
        "delega.pdf",
        "https://servizi.comune.bugliano.pi.it/pratiche/K7M2-PQ4X",
        "1/1",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
}

#[test]
fn european_names_are_real_text() {
    let names = "Àâäåæçéèêëíìîïñóòôöøúùûüÿ ßŒœ ĀāĂăĄąĆćČčĎďĐđĒēĖėĘęĚě ĞğĢģĦħĪīĮįİı ĶķĹĺĽľŁłŃńŇňŐőŔŕŘř ŚśŞşŠšȘșȚțŤťŪūŮůŰűŲų ŴŵŶŷŹźŻżŽž Ấấ ệ ọ ữ ẞ ñ “virgolette” «basse» – — … € § °";
    let greek = "Αλέξανδρος Παπαδόπουλος ἀρχή";
    let cyrillic = "Ђорђе Љубичић Щербаков Київ Їжак";
    let ligatures = "ufficio affluenza fiscale";
    let texts = [names, greek, cyrillic, ligatures];
    let structure = read(&paper(texts.map(|text| Block::Paragraph(text.into())).to_vec())).structure();
    assert_eq!(&structure.texts("P")[2..], texts);
}

#[test]
fn decomposed_letters_arrive_composed() {
    let structure = read(&paper(vec![facts([("Citta\u{300}", "Perche\u{301}")])])).structure();
    assert_eq!((structure.texts("TH"), structure.texts("TD")), (vec!["Città"], vec!["Perché"]));
}

#[test]
fn a_character_that_the_font_has_not_is_replaced() {
    let structure = read(&paper(vec![Block::Paragraph("Wu 吴 محمد 😀\u{0}\u{7} fine".into())])).structure();
    assert_eq!(structure.texts("P")[2], "Wu \u{fffd} \u{fffd}\u{fffd}\u{fffd}\u{fffd} \u{fffd} fine");
}

#[test]
fn long_names_wrap_and_none_is_lost() {
    let long = "Wolfeschlegelsteinhausenbergerdorff".repeat(20);
    let kept = long.chars().take(500).chain(['…']).collect::<String>();
    let many = "Maria Immacolata Concetta ".repeat(40);
    let read = read(&paper(vec![facts([(&long, &many), ("Nome", &long)])]));
    assert_eq!(read.pages(), 1);
    let structure = read.structure();
    assert_eq!(structure.texts("TH"), [kept.as_str(), "Nome"]);
    assert_eq!(structure.texts("TD"), [many.trim_end(), &long]);
}

#[test]
fn lines_that_were_typed_stay_lines() {
    let structure =
        read(&paper(vec![Block::Paragraph("Via Roma 1\r\n56030 Bugliano\r\n\r\nItalia".into())])).structure();
    assert_eq!(structure.texts("P")[2], "Via Roma 1 56030 Bugliano Italia");
    let bytes = render(&paper(vec![Block::Paragraph("Via Roma 1\n56030 Bugliano".into())])).unwrap();
    let text = Document::load_mem(&bytes).unwrap().extract_text(&[1]).unwrap();
    assert!(text.lines().any(|line| line.trim_end() == "Via Roma 1"), "{text}");
}

#[test]
fn a_thousand_rows_are_there_once_each() {
    let row = |n: usize| (format!("riga {n}."), "valore ".repeat(n % 40));
    let blocks = (0..100).map(|block| Block::Facts((0..10).map(|n| row(block * 10 + n)).collect()));
    let read = read(&paper(blocks.collect()));
    assert!(read.pages() > 20, "{}", read.pages());
    let heads: Vec<String> = (0..1000).map(|n| format!("riga {n}.")).collect();
    assert_eq!(read.structure().texts("TH"), heads);
    // By pages too: each is on one page only.
    let pages: Vec<u32> = (1..).take(read.pages()).collect();
    let text = read.document.extract_text(&pages).unwrap();
    for head in &heads {
        assert_eq!(text.lines().filter(|line| line.trim_end() == head).count(), 1, "{head}");
    }
}

#[test]
fn a_row_is_torn_only_if_no_page_holds_it() {
    let text = "parola ".repeat(2_500);
    let read = read(&paper(vec![facts([("prima", "x"), ("lunga", &text), ("dopo", "y")])]));
    assert!(read.pages() > 3);
    let structure = read.structure();
    assert_eq!(structure.texts("TD"), ["x", text.trim_end(), "y"]);
    assert_eq!(structure.texts("TH"), ["prima", "lunga", "dopo"]);
}
