//! Which strip of a paper comes on which page.

use crate::layout::{BODY, Strip};

/// A strip and where it is.
pub(crate) struct Placed {
    /// From the page's upper edge to the strip's, in points.
    pub(crate) top: f32,
    pub(crate) strip: Strip,
}

/// Fills page after page. Strips that hold on to their next one stay on one page with it, as long as
/// a page can hold them all. There always is a page.
pub(crate) fn paginate(strips: Vec<Strip>) -> Vec<Vec<Placed>> {
    let mut pages = Vec::new();
    let mut page = Page::default();
    let mut group = Vec::new();
    for strip in strips {
        let more = strip.with_next;
        group.push(strip);
        if !more {
            place(&mut pages, &mut page, std::mem::take(&mut group));
        }
    }
    place(&mut pages, &mut page, group);
    pages.push(page.placed);
    pages
}

#[derive(Default)]
struct Page {
    /// How much of the body is taken, in points.
    used: f32,
    placed: Vec<Placed>,
}

fn place(pages: &mut Vec<Vec<Placed>>, page: &mut Page, group: Vec<Strip>) {
    let height: f32 = group.iter().map(|strip| strip.before + strip.height).sum();
    turn_unless_fits(pages, page, height);
    for strip in group {
        // Only a group higher than a page is torn here.
        turn_unless_fits(pages, page, strip.before + strip.height);
        // No space at the top of a page: it separates from nothing.
        let before = if page.placed.is_empty() { 0.0 } else { strip.before };
        page.placed.push(Placed { top: BODY.top + page.used + before, strip });
        if let Some(placed) = page.placed.last() {
            page.used += before + placed.strip.height;
        }
    }
}

fn turn_unless_fits(pages: &mut Vec<Vec<Placed>>, page: &mut Page, height: f32) {
    if page.used + height > BODY.height && !page.placed.is_empty() {
        pages.push(std::mem::take(page).placed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(height: f32, with_next: bool) -> Strip {
        Strip { before: 10.0, height, with_next, marks: Vec::new(), entry: None }
    }

    fn counts(strips: Vec<Strip>) -> Vec<usize> {
        paginate(strips).iter().map(Vec::len).collect()
    }

    #[test]
    fn what_does_not_fit_comes_on_the_next_page() {
        assert_eq!(counts(Vec::new()), [0]);
        assert_eq!(counts(vec![strip(BODY.height, false)]), [1]);
        assert_eq!(counts(vec![strip(BODY.height / 2.0, false), strip(BODY.height / 2.0, false)]), [1, 1]);
        assert_eq!(counts(vec![strip(BODY.height / 3.0, false), strip(BODY.height / 3.0, false)]), [2]);
    }

    #[test]
    fn a_heading_goes_with_what_follows() {
        let third = BODY.height / 3.0;
        let strips = vec![strip(third, false), strip(third, false), strip(20.0, true), strip(third, false)];
        assert_eq!(counts(strips), [2, 2]);
    }

    #[test]
    fn a_group_higher_than_a_page_is_torn() {
        let strips = (0..100).map(|_| strip(BODY.height / 4.0, true)).collect();
        let counts = counts(strips);
        assert_eq!(counts.iter().sum::<usize>(), 100);
        assert!(counts.iter().all(|count| *count <= 4), "{counts:?}");
    }
}
