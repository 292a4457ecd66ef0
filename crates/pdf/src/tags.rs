//! The structure of a paper, for whoever hears it instead of seeing it.
//!
//! Layout knows the structure and the order of reading, but what is drawn gets its identifier only
//! on its page. So layout opens slots, and drawing fills them.

use krilla::tagging::{Identifier, Node, TagGroup, TagKind, TagTree};

/// A place in the structure: a paragraph, a cell, a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(usize);

/// The structure, growing.
#[derive(Default)]
pub(crate) struct Tags {
    slots: Vec<Open>,
    roots: Vec<Slot>,
}

struct Open {
    tag: TagKind,
    children: Vec<Child>,
}

enum Child {
    Slot(Slot),
    Drawn(Identifier),
}

impl Tags {
    /// Opens a slot at the top of the structure, after those that are there.
    pub(crate) fn root(&mut self, tag: impl Into<TagKind>) -> Slot {
        let slot = self.add(tag.into());
        self.roots.push(slot);
        slot
    }

    /// Opens a slot inside another, after what is in it.
    pub(crate) fn within(&mut self, parent: Slot, tag: impl Into<TagKind>) -> Slot {
        let slot = self.add(tag.into());
        self.push(parent, Child::Slot(slot));
        slot
    }

    /// Says that something drawn belongs into a slot, after what is in it.
    pub(crate) fn fill(&mut self, slot: Slot, drawn: Identifier) {
        self.push(slot, Child::Drawn(drawn));
    }

    /// Replaces a slot's tag by one that says where it is.
    pub(crate) fn retag(&mut self, slot: Slot, tag: impl Into<TagKind>) {
        if let Some(open) = self.slots.get_mut(slot.0) {
            open.tag = tag.into();
        }
    }

    /// The structure, complete.
    pub(crate) fn finish(self, lang: &str) -> TagTree {
        // A slot is opened after the one it is in: backwards, every child is finished before its parent.
        let mut finished: Vec<Option<TagGroup>> = self.slots.iter().map(|_| None).collect();
        for (at, open) in self.slots.into_iter().enumerate().rev() {
            let children = open.children.into_iter().filter_map(|child| match child {
                Child::Drawn(identifier) => Some(Node::Leaf(identifier)),
                Child::Slot(slot) => finished.get_mut(slot.0)?.take().map(Node::Group),
            });
            let group = TagGroup::with_children(open.tag, children.collect());
            if let Some(place) = finished.get_mut(at) {
                *place = Some(group);
            }
        }
        let mut tree = TagTree::new().with_lang(Some(lang.to_owned()));
        for slot in self.roots {
            if let Some(group) = finished.get_mut(slot.0).and_then(Option::take) {
                tree.push(group);
            }
        }
        tree
    }

    fn add(&mut self, tag: TagKind) -> Slot {
        self.slots.push(Open { tag, children: Vec::new() });
        Slot(self.slots.len() - 1)
    }

    fn push(&mut self, slot: Slot, child: Child) {
        if let Some(open) = self.slots.get_mut(slot.0) {
            open.children.push(child);
        }
    }
}
