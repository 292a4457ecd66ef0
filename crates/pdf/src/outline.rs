//! The outline: the title and the headings, to jump to.

use krilla::{
    destination::XyzDestination,
    geom::Point,
    outline::{Outline, OutlineNode},
};

/// An entry, once its page is known. Ranks start at 1, the title's.
pub(crate) struct Entry {
    pub(crate) rank: u16,
    pub(crate) text: String,
    pub(crate) page: usize,
    /// From the page's upper left corner, in points.
    pub(crate) x: f32,
    pub(crate) y: f32,
}

/// Entries in reading order as a tree. A rank is at most one more than the one before it.
pub(crate) fn outline(entries: Vec<Entry>) -> Outline {
    let mut outline = Outline::new();
    // The entries that may still get children, from the top: each inside the one before it.
    let mut open: Vec<(u16, OutlineNode)> = Vec::new();
    for entry in entries {
        close(&mut open, &mut outline, entry.rank);
        let place = XyzDestination::new(entry.page, Point::from_xy(entry.x, entry.y));
        open.push((entry.rank, OutlineNode::new(entry.text, place).with_open(true)));
    }
    close(&mut open, &mut outline, 0);
    outline
}

/// Hands every open entry of this rank or below it to the one it is in.
fn close(open: &mut Vec<(u16, OutlineNode)>, outline: &mut Outline, rank: u16) {
    while let Some((_, node)) = open.pop_if(|(last, _)| *last >= rank) {
        match open.last_mut() {
            Some((_, parent)) => parent.push_child(node),
            None => outline.push_child(node),
        }
    }
}
