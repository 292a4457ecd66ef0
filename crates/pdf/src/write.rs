//! The file.

use jiff::tz::TimeZone;
use krilla::{
    Document, SerializeSettings,
    action::{Action, LinkAction},
    annotation::{Annotation, LinkAnnotation, Target},
    color::rgb,
    configure::{Accessibility, Archival, ConfigurationBuilder},
    geom::{PathBuilder, Point, Rect},
    metadata::{DateTime, Metadata, TextDirection},
    num::NormalizedF32,
    page::PageSettings,
    paint::{Fill, FillRule},
    surface::Surface,
    tagging::{Artifact, ArtifactType, BBox, ContentTag, SpanTag, Tag},
};

use crate::{
    Paper, PdfError,
    fonts::{Ink, Style, Typeface},
    layout::{BODY, FOOT, FOOTER, Layout, Mark, PAGE},
    lines::{Line, break_lines, single},
    outline::{Entry, outline},
    pages::{Placed, paginate},
    tags::{Slot, Tags},
};

/// # Errors
/// [`PdfError::Writer`]
pub(crate) fn write(paper: &Paper, layout: Layout) -> Result<Vec<u8>, PdfError> {
    let configuration = ConfigurationBuilder::new()
        .with_accessibility_validator(Accessibility::UA1)
        .with_archival_validator(Archival::A2_A)
        .finish()
        .map_err(|error| PdfError::Writer(format!("{error:?}")))?;
    let settings = SerializeSettings { configuration, ..SerializeSettings::default() };
    let mut document = Document::new_with(settings);
    document.set_metadata(metadata(paper, &layout));

    let Layout { strips, mut tags, footer, .. } = layout;
    let pages = paginate(strips);
    let foot = Foot::of(&footer, pages.len())?;
    let mut entries = Vec::new();
    for (number, placed) in pages.into_iter().enumerate() {
        let settings = PageSettings::from_wh(PAGE.0, PAGE.1).ok_or_else(|| PdfError::Writer("page".to_owned()))?;
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        let mut links = Vec::new();
        for Placed { top, strip } in placed {
            if let Some((rank, text)) = strip.entry {
                entries.push(Entry { rank, text, page: number, x: BODY.left, y: top });
            }
            for mark in strip.marks {
                links.extend(draw(&mut surface, &mut tags, mark, top, number)?);
            }
        }
        foot.draw(&mut surface, number + 1)?;
        surface.finish();
        for (slot, rect, url) in links {
            let target = Target::Action(Action::Link(LinkAction::new(url.clone())));
            let link = Annotation::new_link(LinkAnnotation::new(rect, target), Some(url));
            tags.fill(slot, page.add_tagged_annotation(link));
        }
        page.finish();
    }
    document.set_outline(outline(entries));
    document.set_tag_tree(tags.finish(paper.language.tag()));
    document.finish().map_err(|error| PdfError::Writer(format!("{error:?}")))
}

fn metadata(paper: &Paper, layout: &Layout) -> Metadata {
    let identity: String = paper.identity().iter().map(|byte| format!("{byte:02x}")).collect();
    let at = paper.at.to_zoned(TimeZone::UTC);
    // Before the year 0 there were no papers.
    let date = DateTime::new(u16::try_from(at.year()).unwrap_or_default())
        .month(at.month().unsigned_abs())
        .day(at.day().unsigned_abs())
        .hour(at.hour().unsigned_abs())
        .minute(at.minute().unsigned_abs())
        .second(at.second().unsigned_abs())
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    let mut metadata = Metadata::new()
        .title(layout.title.clone())
        .language(paper.language.tag().to_owned())
        .creator("Sportello".to_owned())
        .creation_date(date)
        .text_direction(TextDirection::LeftToRight)
        .document_id(identity);
    if !layout.author.is_empty() {
        metadata = metadata.authors(vec![layout.author.clone()]);
    }
    metadata
}

/// Where a link is on its page, and where it leads.
type Link = (Slot, Rect, String);

/// Draws one mark of a strip whose upper edge is at `top`.
fn draw(
    surface: &mut Surface<'_>,
    tags: &mut Tags,
    mark: Mark,
    top: f32,
    page: usize,
) -> Result<Option<Link>, PdfError> {
    match mark {
        Mark::Text { x, y, line, style, slot, link } => {
            if line.glyphs.is_empty() {
                return Ok(None);
            }
            let drawn = surface.start_tagged(ContentTag::Span(SpanTag::empty()));
            letters(surface, x, top + y, &line, &style)?;
            surface.end_tagged();
            tags.fill(slot, drawn);
            let rect = Rect::from_xywh(x, top + y - style.baseline(), line.width, style.leading);
            Ok(link.zip(rect).map(|(url, rect)| (slot, rect, url)))
        }
        Mark::Rule { y } => {
            surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)));
            rule(surface, top + y);
            surface.end_tagged();
            Ok(None)
        }
        Mark::Symbol { x, y, side, modules, slot, alternative } => {
            let drawn = surface.start_tagged(ContentTag::Other);
            if let Some(path) = modules.path(x, top + y, side) {
                surface.set_fill(Some(fill(Ink::Text)));
                surface.draw_path(&path);
            }
            surface.end_tagged();
            tags.fill(slot, drawn);
            let place = Rect::from_xywh(x, top + y, side, side).map(|rect| BBox::new(page, rect));
            tags.retag(slot, Tag::Figure(Some(alternative)).with_bbox(place));
            Ok(None)
        }
    }
}

fn letters(surface: &mut Surface<'_>, x: f32, y: f32, line: &Line, style: &Style) -> Result<(), PdfError> {
    let font = Typeface::of(style.weight)?.font();
    surface.set_fill(Some(fill(style.ink)));
    surface.draw_glyphs(Point::from_xy(x, y), &line.glyphs, font, &line.text, style.size, false);
    Ok(())
}

/// A rule of half a point across the body.
fn rule(surface: &mut Surface<'_>, y: f32) {
    let mut path = PathBuilder::new();
    if let Some(rect) = Rect::from_xywh(BODY.left, y - 0.25, BODY.width, 0.5) {
        path.push_rect(rect);
    }
    if let Some(path) = path.finish() {
        surface.set_fill(Some(fill(Ink::Rule)));
        surface.draw_path(&path);
    }
}

fn fill(ink: Ink) -> Fill {
    let color = match ink {
        Ink::Text => rgb::Color::new(0, 0, 0),
        Ink::Aside => rgb::Color::new(0x45, 0x45, 0x45),
        Ink::Link => rgb::Color::new(0x00, 0x3d, 0x80),
        Ink::Rule => rgb::Color::new(0xa6, 0xa6, 0xa6),
    };
    Fill { paint: color.into(), opacity: NormalizedF32::ONE, rule: FillRule::NonZero }
}

/// What is at the foot of every page: the caller's text to the left, at most two lines of it, and the
/// page's number of all pages to the right.
struct Foot {
    lines: Vec<Line>,
    pages: usize,
}

impl Foot {
    fn of(text: &str, pages: usize) -> Result<Self, PdfError> {
        let mut lines = break_lines(text, &FOOT, BODY.width - 60.0)?;
        lines.truncate(2);
        Ok(Self { lines, pages })
    }

    fn draw(&self, surface: &mut Surface<'_>, page: usize) -> Result<(), PdfError> {
        surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Footer)));
        rule(surface, FOOTER - 14.0);
        let mut y = FOOTER;
        for line in self.lines.iter().filter(|line| !line.glyphs.is_empty()) {
            letters(surface, BODY.left, y, line, &FOOT)?;
            y += FOOT.leading;
        }
        surface.end_tagged();
        surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::PageNumber)));
        let number = single(&format!("{page}/{}", self.pages), &FOOT)?;
        letters(surface, BODY.left + BODY.width - number.width, FOOTER, &number, &FOOT)?;
        surface.end_tagged();
        Ok(())
    }
}
