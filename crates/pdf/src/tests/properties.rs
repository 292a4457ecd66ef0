//! Whatever people write, there is a file.

use std::time::{Duration, Instant};

use kernel::Lang;
use lopdf::Document;
use proptest::{collection::vec, prelude::*};

use crate::{Block, Level, Paper, Symbol, render};

/// Any characters, and those that have tripped up text engines.
fn text() -> impl Strategy<Value = String> {
    let nasty = prop_oneof![
        Just('\u{0}'),
        Just('\n'),
        Just('\r'),
        Just(' '),
        Just('\u{301}'),
        Just('\u{200d}'),
        Just('\u{202e}'),
        Just('\u{a0}'),
        Just('\u{fffe}'),
        Just('\u{fffd}'),
        Just('\u{e000}'),
        Just('\u{94d}'),
        Just('\u{5d0}'),
        Just('f'),
        Just('i'),
        Just('ǆ'),
        Just('\u{345}'),
        Just('\u{25cc}'),
        Just('\u{1f468}'),
    ];
    // What the font has is rare among all characters, and its rules are where surprises are.
    let known = prop_oneof![
        prop::char::range(' ', '\u{52f}'),
        prop::char::range('\u{1ab0}', '\u{2fff}'),
        prop::char::range('\u{a640}', '\u{abff}'),
        prop::char::range('\u{fb00}', '\u{ffff}'),
    ];
    let c = prop_oneof![2 => any::<char>(), 3 => nasty, 5 => known];
    vec(c, 0..120).prop_map(|characters| characters.into_iter().collect())
}

fn block() -> impl Strategy<Value = Block> {
    prop_oneof![
        (prop_oneof![Just(Level::One), Just(Level::Two), Just(Level::Three)], text())
            .prop_map(|(level, text)| Block::Heading(level, text)),
        text().prop_map(Block::Paragraph),
        vec((text(), text()), 0..4).prop_map(Block::Facts),
        vec(text(), 0..4).prop_map(Block::List),
        (text(), text(), text())
            .prop_map(|(url, alternative, caption)| { Block::Code(Symbol { url, alternative, caption }) }),
        text().prop_map(|text| {
            let url = format!("https://a.it/{text}");
            Block::Code(Symbol { url, alternative: text.clone(), caption: text })
        }),
    ]
}

fn paper() -> impl Strategy<Value = Paper> {
    let words = (text(), text(), vec(text(), 0..3), text());
    (words, any::<i32>(), vec(block(), 0..8)).prop_map(|((title, author, letterhead, footer), second, blocks)| Paper {
        language: Lang::En,
        title,
        author,
        letterhead,
        footer,
        at: jiff::Timestamp::from_second(second.into()).unwrap(),
        blocks,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gives_a_file_and_always_the_same(paper in paper()) {
        let bytes = render(&paper).unwrap();
        prop_assert_eq!(&bytes, &render(&paper).unwrap());
        let document = Document::load_mem(&bytes).unwrap();
        let pages: Vec<u32> = document.get_pages().into_keys().collect();
        prop_assert!(!pages.is_empty());
        prop_assert!(document.extract_text(&pages).is_ok());
    }
}

#[test]
fn a_text_made_to_be_slow_is_not() {
    let start = Instant::now();
    for text in [
        "\u{301}",
        "a\u{301}",
        "fi",
        "\u{202e}a",
        " ",
        "\n",
        "\n\n",
        "a ",
        "\u{94d}",
        "\u{a0}",
        "漢",
        "\u{1f468}\u{200d}",
    ] {
        let long = text.repeat(200_000);
        let symbol = Symbol { url: long.clone(), alternative: long.clone(), caption: long.clone() };
        render(&Paper {
            language: Lang::It,
            title: long.clone(),
            author: long.clone(),
            letterhead: vec![long.clone()],
            footer: long.clone(),
            at: jiff::Timestamp::UNIX_EPOCH,
            blocks: vec![
                Block::Heading(Level::One, long.clone()),
                Block::Paragraph(long.clone()),
                Block::Facts(vec![(long.clone(), long.clone())]),
                Block::Code(symbol),
                Block::List(vec![long]),
            ],
        })
        .unwrap();
    }
    // A debug build on a busy machine takes a second or two; something quadratic takes minutes.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}
