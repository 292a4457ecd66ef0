//! Reads a file back, the way a screen reader does: through its structure.

use std::collections::BTreeMap;

use lopdf::{Dictionary, Document, Object, ObjectId, decode_text_string};

use crate::{Paper, render};

/// A file, read.
pub(super) struct Read {
    pub(super) document: Document,
    /// The text of every marked content, by its page and number.
    marked: BTreeMap<(ObjectId, i64), String>,
    /// The text of every page that is not marked as content: page numbers and the like.
    pub(super) artifacts: Vec<String>,
}

/// An element of the structure.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) kind: String,
    /// Its text and that of all within it.
    pub(super) text: String,
    pub(super) alternative: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) children: Vec<Element>,
    /// Whether it has an annotation, as a link must.
    pub(super) annotated: bool,
    pub(super) boxed: bool,
}

impl Element {
    /// All elements of a kind within this one, in reading order.
    pub(super) fn all(&self, kind: &str) -> Vec<&Element> {
        let mut found = Vec::new();
        for child in &self.children {
            if child.kind == kind {
                found.push(child);
            }
            found.extend(child.all(kind));
        }
        found
    }

    /// The texts of all elements of a kind.
    pub(super) fn texts(&self, kind: &str) -> Vec<&str> {
        self.all(kind).into_iter().map(|element| element.text.as_str()).collect()
    }
}

pub(super) fn read(paper: &Paper) -> Read {
    let document = Document::load_mem(&render(paper).unwrap()).unwrap();
    let mut read = Read { document: Document::new(), marked: BTreeMap::new(), artifacts: Vec::new() };
    for page in document.get_pages().into_values() {
        let fonts = document.get_page_fonts(page).unwrap_or_default();
        let content = document.get_and_decode_page_content(page).unwrap();
        let mut encoding = None;
        // What is open, the innermost last: the number of marked content, if it has one, and whether
        // its text was told already, instead of what its glyphs say.
        let mut open: Vec<(Option<i64>, bool)> = Vec::new();
        let mut artifacts = String::new();
        for operation in &content.operations {
            let operands = &operation.operands;
            match operation.operator.as_str() {
                "BMC" => open.push((None, false)),
                "BDC" => {
                    let property = |key: &[u8]| operands[1].as_dict().ok().and_then(|all| all.get(key).ok());
                    let actual = property(b"ActualText").map(|text| decode_text_string(text).unwrap());
                    open.push((property(b"MCID").and_then(|number| number.as_i64().ok()), actual.is_some()));
                    read.tell(page, &open, &actual.unwrap_or_default(), &mut artifacts);
                }
                "EMC" => drop(open.pop()),
                "Tf" => {
                    let font = fonts[operands[0].as_name().unwrap()];
                    encoding = Some(font.get_font_encoding(&document).unwrap());
                }
                "Tj" | "TJ" => {
                    let strings = match &operands[0] {
                        Object::Array(strings) => strings.clone(),
                        string => vec![string.clone()],
                    };
                    for bytes in strings.iter().filter_map(|string| string.as_str().ok()) {
                        let text = Document::decode_text(encoding.as_ref().unwrap(), bytes).unwrap();
                        if !open.iter().any(|(_, told)| *told) {
                            read.tell(page, &open, &text, &mut artifacts);
                        }
                    }
                }
                _ => {}
            }
        }
        read.artifacts.push(artifacts);
    }
    read.document = document;
    read
}

impl Read {
    fn tell(&mut self, page: ObjectId, open: &[(Option<i64>, bool)], text: &str, artifacts: &mut String) {
        match open.iter().rev().find_map(|(number, _)| *number) {
            Some(number) => self.marked.entry((page, number)).or_default().push_str(text),
            None => artifacts.push_str(text),
        }
    }

    /// The structure, from its root element.
    pub(super) fn structure(&self) -> Element {
        let root = self.dictionary(self.document.catalog().unwrap().get(b"StructTreeRoot").unwrap());
        let mut element = Element::default();
        self.children(root, None, &mut element);
        element.children.remove(0)
    }

    pub(super) fn pages(&self) -> usize {
        self.document.get_pages().len()
    }

    /// The texts of the outline, indented by their depth.
    pub(super) fn outline(&self) -> Vec<String> {
        let root = self.dictionary(self.document.catalog().unwrap().get(b"Outlines").unwrap());
        let mut found = Vec::new();
        self.entries(root, 0, &mut found);
        found
    }

    fn entries(&self, parent: &Dictionary, depth: usize, found: &mut Vec<String>) {
        let mut next = parent.get(b"First").ok();
        while let Some(entry) = next.map(|entry| self.dictionary(entry)) {
            let title = decode_text_string(entry.get(b"Title").unwrap()).unwrap();
            found.push(format!("{}{title}", " ".repeat(depth)));
            self.entries(entry, depth + 1, found);
            next = entry.get(b"Next").ok();
        }
    }

    fn element(&self, element: &Dictionary, page: Option<ObjectId>) -> Element {
        let page = element.get(b"Pg").and_then(Object::as_reference).ok().or(page);
        let mut read = Element {
            kind: String::from_utf8_lossy(element.get(b"S").unwrap().as_name().unwrap()).into_owned(),
            alternative: element.get(b"Alt").ok().map(|text| decode_text_string(text).unwrap()),
            ..Element::default()
        };
        for attributes in self.list(element.get(b"A").ok()) {
            let attributes = self.dictionary(attributes);
            let scope = attributes.get(b"Scope").and_then(Object::as_name).ok();
            read.scope = scope.map(|scope| String::from_utf8_lossy(scope).into_owned()).or(read.scope);
            read.boxed |= attributes.has(b"BBox");
        }
        self.children(element, page, &mut read);
        read
    }

    fn children(&self, parent: &Dictionary, page: Option<ObjectId>, into: &mut Element) {
        for child in self.list(parent.get(b"K").ok()) {
            let number = match child {
                Object::Integer(number) => Some((page.unwrap(), *number)),
                other => {
                    let child = self.dictionary(other);
                    match child.get(b"Type").and_then(Object::as_name).ok() {
                        Some(b"MCR") => {
                            let page = child.get(b"Pg").and_then(Object::as_reference).ok().or(page);
                            Some((page.unwrap(), child.get(b"MCID").unwrap().as_i64().unwrap()))
                        }
                        Some(b"OBJR") => {
                            into.annotated = true;
                            None
                        }
                        _ => {
                            let child = self.element(child, page);
                            into.text.push_str(&child.text);
                            into.children.push(child);
                            None
                        }
                    }
                }
            };
            if let Some(text) = number.and_then(|number| self.marked.get(&number)) {
                into.text.push_str(text);
            }
        }
    }

    pub(super) fn dictionary<'a>(&'a self, object: &'a Object) -> &'a Dictionary {
        self.document.dereference(object).unwrap().1.as_dict().unwrap()
    }

    /// What may be one object or a list of them.
    fn list<'a>(&'a self, object: Option<&'a Object>) -> Vec<&'a Object> {
        match object.map(|object| self.document.dereference(object).unwrap().1) {
            None => Vec::new(),
            Some(Object::Array(objects)) => objects.iter().collect(),
            Some(object) => vec![object],
        }
    }
}
