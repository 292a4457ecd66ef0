//! What stands where: a paper as strips that are stacked on pages, and its structure.

use std::num::NonZeroU16;

use krilla::tagging::{ListNumbering, TableHeaderScope, Tag};

use crate::{
    Block, Level, MAX_LINE, MAX_TEXT, MAX_URL, Paper, PdfError, Symbol,
    code::Modules,
    fonts::{Ink, Repertoire, Style, Weight},
    lines::{Line, break_lines},
    tags::{Slot, Tags},
};

/// A4, in points (ISO 216).
pub(crate) const PAGE: (f32, f32) = (595.28, 841.89);

/// Where a page's body is: 22 mm from the left and right edges, 20 mm from the upper one, 30 mm from
/// the lower one, with the footer in between.
pub(crate) const BODY: Body = Body { left: 62.36, top: 56.7, width: 470.56, height: 700.15 };
/// The footer's first baseline, 20 mm above the page's lower edge.
pub(crate) const FOOTER: f32 = 785.2;

pub(crate) struct Body {
    pub(crate) left: f32,
    pub(crate) top: f32,
    pub(crate) width: f32,
    pub(crate) height: f32,
}

const ISSUER: Style = Style { weight: Weight::Bold, size: 13.0, leading: 18.0, ink: Ink::Text };
const OFFICE: Style = Style { weight: Weight::Regular, size: 9.0, leading: 12.5, ink: Ink::Aside };
const TITLE: Style = Style { weight: Weight::Bold, size: 17.0, leading: 23.0, ink: Ink::Text };
const HEADINGS: [Style; 3] = [
    Style { weight: Weight::Bold, size: 13.0, leading: 18.0, ink: Ink::Text },
    Style { weight: Weight::Bold, size: 11.5, leading: 16.0, ink: Ink::Text },
    Style { weight: Weight::Bold, size: 10.0, leading: 14.5, ink: Ink::Text },
];
const TEXT: Style = Style { weight: Weight::Regular, size: 10.0, leading: 14.5, ink: Ink::Text };
const LABEL: Style = Style { ink: Ink::Aside, ..TEXT };
const ADDRESS: Style = Style { size: 9.0, leading: 13.0, ink: Ink::Link, ..TEXT };
pub(crate) const FOOT: Style = Style { weight: Weight::Regular, size: 8.0, leading: 11.0, ink: Ink::Aside };

/// The first column of facts, and the gap to the second.
const LABELS: f32 = 150.0;
const GUTTER: f32 = 12.0;
/// Above and below the text of a row.
const CELL: f32 = 4.0;
/// From a list's edge to its text.
const INDENT: f32 = 16.0;
/// A code with its quiet zone, 42 mm: the longest address gets modules of more than half a millimetre.
const SYMBOL: f32 = 119.0;

/// A part of the paper that no page break divides, as wide as the body.
pub(crate) struct Strip {
    /// White space above it, unless it is at the top of a page. All measures in points.
    pub(crate) before: f32,
    pub(crate) height: f32,
    /// Whether it must not be the last of its page.
    pub(crate) with_next: bool,
    pub(crate) marks: Vec<Mark>,
    /// Rank and text of the outline's entry that leads here.
    pub(crate) entry: Option<(u16, String)>,
}

/// Something to draw. `x` counts from the page's left edge, `y` from the strip's upper one.
pub(crate) enum Mark {
    /// A line of text, with its baseline at `y`.
    Text { x: f32, y: f32, line: Line, style: Style, slot: Slot, link: Option<String> },
    /// A thin rule across the body. It means nothing.
    Rule { y: f32 },
    /// A QR code in a square.
    Symbol { x: f32, y: f32, side: f32, modules: Modules, slot: Slot, alternative: String },
}

/// A paper, laid out.
pub(crate) struct Layout {
    pub(crate) strips: Vec<Strip>,
    pub(crate) tags: Tags,
    /// Title, author and footer, as they reach the paper.
    pub(crate) title: String,
    pub(crate) author: String,
    pub(crate) footer: String,
}

/// # Errors
/// [`PdfError::Font`]
pub(crate) fn lay_out(paper: &Paper) -> Result<Layout, PdfError> {
    let known = Repertoire::new()?;
    let author = known.line(&paper.author, MAX_LINE);
    // A document needs a title, but a receipt is not to fail for want of one.
    let title = [known.line(&paper.title, MAX_LINE), author.clone()].into_iter().find(|text| !text.is_empty());
    let title = title.unwrap_or_else(|| "—".to_owned());
    let footer = known.line(&paper.footer, MAX_LINE);
    let mut setter = Setter { known, strips: Vec::new(), tags: Tags::default(), rank: 0 };
    setter.letterhead(&author, &paper.letterhead)?;
    setter.heading(1, title.clone(), TITLE, 20.0)?;
    for block in &paper.blocks {
        match block {
            Block::Heading(level, text) => {
                let text = setter.known.line(text, MAX_LINE);
                let (rank, style, before) = match level {
                    Level::One => (2, HEADINGS[0], 16.0),
                    Level::Two => (3, HEADINGS[1], 12.0),
                    Level::Three => (4, HEADINGS[2], 10.0),
                };
                if !text.is_empty() {
                    setter.heading(rank, text, style, before)?;
                }
            }
            Block::Paragraph(text) => setter.paragraph(text)?,
            Block::Facts(rows) => setter.facts(rows)?,
            Block::List(items) => setter.list(items)?,
            Block::Code(symbol) => setter.code(symbol)?,
        }
    }
    let Setter { strips, tags, .. } = setter;
    Ok(Layout { strips, tags, title, author, footer })
}

struct Setter {
    known: Repertoire,
    strips: Vec<Strip>,
    tags: Tags,
    /// The last heading's, 0 before the title.
    rank: u16,
}

impl Setter {
    fn letterhead(&mut self, author: &str, lines: &[String]) -> Result<(), PdfError> {
        let more = lines.iter().map(|line| (self.known.line(line, MAX_LINE), OFFICE));
        let all: Vec<_> = std::iter::once((author.to_owned(), ISSUER)).chain(more).collect();
        for (text, style) in all.into_iter().filter(|(text, _)| !text.is_empty()) {
            let slot = self.tags.root(Tag::P);
            self.lines(&text, &style, slot, BODY.left, BODY.width, 0.0)?;
        }
        if !self.strips.is_empty() {
            let marks = vec![Mark::Rule { y: 6.0 }];
            self.strips.push(Strip { before: 0.0, height: 7.0, with_next: false, marks, entry: None });
        }
        Ok(())
    }

    fn heading(&mut self, rank: u16, text: String, style: Style, before: f32) -> Result<(), PdfError> {
        let rank = rank.min(self.rank + 1);
        self.rank = rank;
        let level = NonZeroU16::new(rank).unwrap_or(NonZeroU16::MIN);
        let slot = self.tags.root(Tag::Hn(level, Some(text.clone())));
        let from = self.strips.len();
        self.lines(&text, &style, slot, BODY.left, BODY.width, before)?;
        for strip in self.strips.iter_mut().skip(from) {
            strip.with_next = true;
        }
        if let Some(first) = self.strips.get_mut(from) {
            first.entry = Some((rank, text));
        }
        Ok(())
    }

    fn paragraph(&mut self, text: &str) -> Result<(), PdfError> {
        let text = self.known.lines(text, MAX_TEXT);
        if text.is_empty() {
            return Ok(());
        }
        let slot = self.tags.root(Tag::P);
        self.lines(&text, &TEXT, slot, BODY.left, BODY.width, 7.0)
    }

    fn list(&mut self, items: &[String]) -> Result<(), PdfError> {
        let items: Vec<_> = items.iter().map(|item| self.known.lines(item, MAX_TEXT)).collect();
        let mut items = items.into_iter().filter(|item| !item.is_empty()).peekable();
        if items.peek().is_none() {
            return Ok(());
        }
        let list = self.tags.root(Tag::L(ListNumbering::Disc));
        for (at, item) in items.enumerate() {
            let entry = self.tags.within(list, Tag::LI);
            let bullet = self.tags.within(entry, Tag::Lbl);
            let body = self.tags.within(entry, Tag::LBody);
            let from = self.strips.len();
            let before = if at == 0 { 7.0 } else { 3.0 };
            self.lines(&item, &TEXT, body, BODY.left + INDENT, BODY.width - INDENT, before)?;
            let line = crate::lines::single("•", &TEXT)?;
            if let Some(first) = self.strips.get_mut(from) {
                let x = BODY.left + 4.0;
                first.marks.insert(0, text_mark(x, TEXT.baseline(), line, TEXT, bullet));
            }
        }
        Ok(())
    }

    fn facts(&mut self, rows: &[(String, String)]) -> Result<(), PdfError> {
        let rows =
            rows.iter().map(|(label, value)| (self.known.line(label, MAX_LINE), self.known.lines(value, MAX_TEXT)));
        let rows: Vec<_> = rows.filter(|(label, value)| !(label.is_empty() && value.is_empty())).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let table = self.tags.root(Tag::Table);
        for (at, (label, value)) in rows.into_iter().enumerate() {
            let row = self.tags.within(table, Tag::TR);
            let head = self.tags.within(row, Tag::TH(TableHeaderScope::Row));
            let cell = self.tags.within(row, Tag::TD);
            let left = break_lines(&or_dash(label), &LABEL, LABELS)?;
            let right = BODY.left + LABELS + GUTTER;
            let lines = break_lines(&or_dash(value), &TEXT, BODY.width - LABELS - GUTTER)?;
            let left = left.into_iter().map(|line| (BODY.left, line, LABEL, head));
            let lines = lines.into_iter().map(|line| (right, line, TEXT, cell));
            self.row(left.collect(), lines.collect(), if at == 0 { 9.0 } else { 0.0 });
        }
        Ok(())
    }

    /// A row is one strip, unless it is higher than a page: then every line is.
    fn row(&mut self, labels: Vec<Cell>, values: Vec<Cell>, before: f32) {
        let count = labels.len().max(values.len());
        let whole = count < LINES_OF_A_PAGE;
        let (mut labels, mut values) = (labels.into_iter(), values.into_iter());
        let mut heads = Vec::new();
        let mut marks = vec![Mark::Rule { y: 0.0 }];
        let (mut y, mut before) = (CELL, before);
        for at in 0..count {
            let mark = |(x, line, style, slot): Cell| text_mark(x, y + TEXT.baseline(), line, style, slot);
            // The whole label is read before the value, so it is drawn before it too.
            heads.extend(labels.next().map(mark));
            marks.extend(values.next().map(mark));
            y += TEXT.leading;
            let last = at + 1 == count;
            if last {
                y += CELL;
                marks.push(Mark::Rule { y });
            }
            if last || !whole {
                let marks = std::mem::take(&mut heads).into_iter().chain(std::mem::take(&mut marks)).collect();
                self.strips.push(Strip { before, height: y, with_next: false, marks, entry: None });
                (y, before) = (0.0, 0.0);
            }
        }
    }

    fn code(&mut self, symbol: &Symbol) -> Result<(), PdfError> {
        let caption = self.known.line(&symbol.caption, MAX_LINE);
        let shown = self.known.line(&symbol.url, MAX_URL);
        if shown.is_empty() {
            return self.paragraph(&symbol.caption);
        }
        let alternative = [self.known.line(&symbol.alternative, MAX_LINE), caption.clone(), shown.clone()];
        let alternative = alternative.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        let link = shown.starts_with("https://") || shown.starts_with("http://");
        let link = (link && shown == symbol.url).then_some(shown.clone());
        let Some(modules) = Modules::of(&symbol.url) else {
            self.paragraph(&symbol.caption)?;
            let slot = self.address(link.is_some());
            let from = self.strips.len();
            self.lines(&shown, &ADDRESS, slot, BODY.left, BODY.width, 3.0)?;
            let marks = self.strips.iter_mut().skip(from).flat_map(|strip| strip.marks.iter_mut());
            marks.for_each(|mark| lead(mark, link.as_ref()));
            return Ok(());
        };
        let slot = self.tags.root(Tag::Figure(Some(alternative.clone())));
        // The quiet zone may lie in the margin: what one sees is flush with the text above.
        let left = BODY.left - modules.quiet(SYMBOL);
        let mut marks = vec![Mark::Symbol { x: left, y: 0.0, side: SYMBOL, modules, slot, alternative }];
        let x = BODY.left + SYMBOL;
        // About as high as the code's dark modules.
        let mut y = 10.0;
        let width = BODY.width - SYMBOL;
        if !caption.is_empty() {
            let slot = self.tags.root(Tag::P);
            for line in break_lines(&caption, &TEXT, width)? {
                marks.push(text_mark(x, y + TEXT.baseline(), line, TEXT, slot));
                y += TEXT.leading;
            }
            y += 4.0;
        }
        let slot = self.address(link.is_some());
        for line in break_lines(&shown, &ADDRESS, width)? {
            let mut mark = text_mark(x, y + ADDRESS.baseline(), line, ADDRESS, slot);
            lead(&mut mark, link.as_ref());
            marks.push(mark);
            y += ADDRESS.leading;
        }
        let height = y.max(SYMBOL);
        self.strips.push(Strip { before: 12.0, height, with_next: false, marks, entry: None });
        Ok(())
    }

    /// The slot of an address in letters.
    fn address(&mut self, link: bool) -> Slot {
        let paragraph = self.tags.root(Tag::P);
        if link { self.tags.within(paragraph, Tag::Link) } else { paragraph }
    }

    /// Lines of a text, each a strip; neither the first nor the last is alone on a page.
    fn lines(
        &mut self,
        text: &str,
        style: &Style,
        slot: Slot,
        x: f32,
        width: f32,
        before: f32,
    ) -> Result<(), PdfError> {
        let lines = break_lines(text, style, width)?;
        let count = lines.len();
        for (at, line) in lines.into_iter().enumerate() {
            self.strips.push(Strip {
                before: if at == 0 { before } else { 0.0 },
                height: style.leading,
                with_next: at + 1 < count && (at == 0 || at + 2 == count),
                marks: vec![text_mark(x, style.baseline(), line, *style, slot)],
                entry: None,
            });
        }
        Ok(())
    }
}

/// Where a line of a cell starts, the line, its style, and the cell.
type Cell = (f32, Line, Style, Slot);

/// Lines of a row that surely fit on a page.
const LINES_OF_A_PAGE: usize = 47;

fn text_mark(x: f32, y: f32, line: Line, style: Style, slot: Slot) -> Mark {
    Mark::Text { x, y, line, style, slot, link: None }
}

/// Makes a line of text lead to an address.
fn lead(mark: &mut Mark, url: Option<&String>) {
    if let Mark::Text { link, .. } = mark {
        *link = url.cloned();
    }
}

/// An empty cell would be no cell, and its row would lack a column.
fn or_dash(text: String) -> String {
    if text.is_empty() { "—".to_owned() } else { text }
}
