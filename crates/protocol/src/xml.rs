//! Writing XML: elements, attributes and texts, and nothing that XML 1.0 has no sign for.

/// A document that is being written.
#[derive(Debug)]
pub struct Xml(String);

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            // XML 1.0, production 2: what is left out there has no way to be written.
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

impl Xml {
    /// An empty document in UTF-8.
    pub fn new() -> Self {
        Self("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned())
    }

    /// Nothing yet, to be put into another document.
    pub const fn part() -> Self {
        Self(String::new())
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.0.push('<');
        self.0.push_str(name);
        for (name, value) in attributes {
            self.0.push_str(&format!(" {name}=\"{}\"", escaped(value)));
        }
    }

    /// An element with a text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.text_with(name, &[], text);
    }

    /// An element with a text, where there is one.
    pub fn maybe(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// An element with attributes and a text.
    pub fn text_with(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.open(name, attributes);
        self.0.push_str(&format!(">{}</{name}>", escaped(text)));
    }

    /// An element with others in it.
    pub fn within(&mut self, name: &str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut Self)) {
        self.open(name, attributes);
        self.0.push('>');
        inside(self);
        self.0.push_str(&format!("</{name}>"));
    }

    /// The document.
    pub fn end(self) -> String {
        self.0
    }
}

impl Default for Xml {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_its_element() {
        let mut xml = Xml::part();
        xml.within("a", &[("b", "\"><c>")], |xml| {
            xml.text("d", "</d>&\u{1}");
            xml.maybe("e", None);
        });
        assert_eq!(xml.end(), "<a b=\"&quot;&gt;&lt;c&gt;\"><d>&lt;/d&gt;&amp;\u{fffd}</d></a>");
    }
}
