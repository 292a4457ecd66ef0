//! Filling templates, and what a Comune may write into its own.

use std::{collections::BTreeSet, io};

use kernel::Lang;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, filters, syntax::SyntaxConfig, value::Serde};
use serde_json::Value;

use super::markup;
use crate::messages::{
    composing::{Kind, Wording},
    rules::as_markdown,
};

/// How much a template may work: more than any letter needs, and little enough that none holds a server up.
const FUEL: u64 = 20_000;
/// The longest text that a template may make, in bytes.
const LONGEST: usize = 100_000;

/// A message as it is read.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// A whole HTML document.
    pub html: String,
    /// The text as Markdown, values escaped: for App IO.
    pub markdown: String,
}

kernel::redacted_debug!(Rendered);

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which of its parts: `subject`, `body`, `html`.
    pub part: &'static str,
    /// In which of its lines, from 1, where that is known.
    pub line: Option<usize>,
    /// What it is. Holds nothing of what was filled in.
    pub detail: String,
}

impl Fault {
    /// For people.
    pub fn text(&self) -> String {
        self.line.map_or_else(|| self.detail.clone(), |line| format!("line {line}: {}", self.detail))
    }
}

/// What is written before it is too much.
#[derive(Default)]
struct Page(Vec<u8>);

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > LONGEST {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Only what letters need: no files, no other templates, no functions, and no way to say that a value is markup.
fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(20);
    let escape = |name: &str| if name == "html" { AutoEscape::Html } else { AutoEscape::None };
    environment.set_auto_escape_callback(escape);
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    environment.add_filter("upper", filters::upper);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("join", filters::join);
    environment.add_filter("length", filters::length);
    environment
}

fn fault(part: &'static str, error: &minijinja::Error) -> Fault {
    let detail = match error.kind() {
        ErrorKind::SyntaxError => error.detail().map_or_else(|| "not a template".to_owned(), str::to_owned),
        ErrorKind::OutOfFuel => "too much work for one message".to_owned(),
        ErrorKind::WriteFailure => format!("longer than {LONGEST} bytes"),
        ErrorKind::UndefinedError => "a name that stands for nothing".to_owned(),
        ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => {
            "a filter, a test or a function that there is not".to_owned()
        }
        kind => kind.to_string(),
    };
    Fault { part, line: error.line(), detail }
}

fn fill(part: &'static str, source: &str, data: &Value) -> Result<String, Fault> {
    let environment = environment();
    let wrong = |error: minijinja::Error| fault(part, &error);
    let template = environment.template_from_named_str(part, source).map_err(wrong)?;
    let mut page = Page::default();
    let data = minijinja::Value::from(Serde(data));
    template.render_captured_to(data, &mut page).map_err(wrong)?;
    String::from_utf8(page.0).map_err(|_not_text| Fault { part, line: None, detail: "not text".to_owned() })
}

/// A wording with its variables filled in.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn render(wording: &Wording, lang: Lang, data: &Value) -> Result<Rendered, Fault> {
    let subject = fill("subject", &wording.subject, data)?;
    // A line break in it would be another header.
    let subject = subject.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let subject = subject.collect::<Vec<_>>().join(" ");
    let text = fill("body", &wording.text, data)?.trim().to_owned();
    let html = document(&subject, fill("html", &wording.html, data)?.trim(), lang);
    let markdown = fill("body", &wording.text, &escaped(data))?.trim().to_owned();
    Ok(Rendered { subject, text, html, markdown })
}

/// The data with every text such that Markdown shows it as it is.
fn escaped(data: &Value) -> Value {
    match data {
        Value::String(text) => as_markdown(text).into(),
        Value::Array(items) => items.iter().map(escaped).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), escaped(value))).collect(),
        other => other.clone(),
    }
}

/// A whole document around the words: it says its language, and leaves size and colours to who reads it.
fn document(subject: &str, inside: &str, lang: Lang) -> String {
    let title = subject.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n</head>\n\
         <body>\n{inside}\n</body>\n</html>\n",
        lang.tag()
    )
}

/// Everything that is wrong with a Comune's wording of a kind: what does not parse, names that stand for nothing,
/// markup that is not sent, and what App IO would not take as it is.
pub fn faults(kind: &Kind, lang: Lang, wording: &Wording) -> Vec<Fault> {
    let parts = [("subject", &wording.subject), ("body", &wording.text), ("html", &wording.html)];
    let mut found: Vec<Fault> = parts.iter().flat_map(|(part, source)| unknown_names(kind, part, source)).collect();
    if !found.is_empty() {
        return found;
    }
    let sample = (kind.sample)(lang);
    match render(wording, lang, &sample) {
        Err(fault) => found.push(fault),
        Ok(rendered) => {
            let mut bound = |part, text: &str, least: usize, most: usize| {
                let length = text.chars().count();
                if !(least..=most).contains(&length) {
                    let detail = format!("{length} characters with sample data; App IO takes {least} to {most}");
                    found.push(Fault { part, line: None, detail });
                }
            };
            bound("subject", &rendered.subject, 10, 120);
            bound("body", &rendered.markdown, 80, 10_000);
            let inside = fill("html", &wording.html, &sample);
            if let Err(detail) = inside.map_or(Ok(()), |inside| markup::check(&inside)) {
                found.push(Fault { part: "html", line: None, detail });
            }
        }
    }
    found
}

fn unknown_names(kind: &Kind, part: &'static str, source: &str) -> Vec<Fault> {
    let environment = environment();
    let template = match environment.template_from_named_str(part, source) {
        Ok(template) => template,
        Err(error) => return vec![fault(part, &error)],
    };
    let known: BTreeSet<&str> = kind.variables.iter().map(|variable| variable.name).collect();
    let mut strangers: Vec<String> = template.undeclared_variables(false).into_iter().collect();
    strangers.retain(|name| !known.contains(name.as_str()));
    strangers.sort_unstable();
    let fault = |name: &String| Fault {
        part,
        line: source.lines().position(|line| line.contains(name.as_str())).map(|at| at.saturating_add(1)),
        detail: format!("`{}` is no variable of {}", name.chars().take(40).collect::<String>(), kind.name),
    };
    strangers.iter().map(fault).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::messages::composing::Variable;

    const KIND: Kind = Kind {
        name: "thing.done",
        about: "",
        optional: false,
        variables: &[Variable { name: "name", about: "" }, Variable { name: "items", about: "" }],
        wording: |_| wording("", "", ""),
        sample: |_| json!({ "name": "Anna", "items": ["una", "due"] }),
    };

    fn wording(subject: &str, text: &str, html: &str) -> Wording {
        Wording { subject: subject.to_owned(), text: text.to_owned(), html: html.to_owned() }
    }

    const LONG: &str = "Un testo che basta ad App IO, che ne vuole almeno ottanta caratteri e non uno di meno.";

    #[test]
    fn values_are_text_in_each_form() {
        let data = json!({ "name": "<b>*A*</b>\r\nBcc: x@y.example", "items": [] });
        let rendered = render(&wording("Per {{ name }}", "Per {{ name }}", "<p>{{ name }}</p>"), Lang::De, &data);
        let Rendered { subject, text, html, markdown } = rendered.unwrap();
        assert_eq!(subject, "Per <b>*A*</b> Bcc: x@y.example");
        assert!(text.starts_with("Per <b>*A*</b>"));
        assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"de\">") && !html.contains("<b>"), "{html}");
        assert!(html.contains("<title>Per &lt;b&gt;*A*&lt;/b&gt; Bcc: x@y.example</title>"), "{html}");
        assert!(markdown.starts_with(r"Per \<b\>\*A\*\</b\>"), "{markdown}");
    }

    #[test]
    fn blocks_leave_no_empty_lines() {
        let text = "Portare:\n{% for item in items %}\n- {{ item }}\n{% endfor %}\n{% if items %}\nGrazie\n{% endif %}";
        let rendered = render(&wording("x", text, ""), Lang::It, &(KIND.sample)(Lang::It)).unwrap();
        assert_eq!(rendered.text, "Portare:\n- una\n- due\nGrazie");
    }

    #[test]
    fn a_fault_names_part_and_line() {
        let told = |wording: &Wording| {
            let found = faults(&KIND, Lang::It, wording).into_iter();
            found.map(|fault| (fault.part, fault.line)).collect::<Vec<_>>()
        };
        let fine = wording("Per {{ name }}, oggi", LONG, "<p>{{ items|join(', ') }}</p>");
        assert_eq!(told(&fine), []);
        for (subject, text, html, place) in [
            ("{{ name", LONG, "", ("subject", Some(1))),
            ("Per {{ name }}, oggi", "uno\n{{ nome }}", "", ("body", Some(2))),
            ("Per {{ name }}, oggi", LONG, "<p>\n\n{% if name %}", ("html", Some(3))),
            ("Per {{ name }}, oggi", LONG, "<img src=\"x\">", ("html", None)),
            ("Breve", LONG, "", ("subject", None)),
            ("Per {{ name }}, oggi", "Breve", "", ("body", None)),
            ("Per {{ name }}, oggi", "{{ range(9) }}", "", ("body", Some(1))),
            ("Per {{ name }}, oggi", "\n{{ name|safe }}", "", ("body", Some(2))),
            ("Per {{ name }}, oggi", "{% include 'x' %}", "", ("body", Some(1))),
            ("Per {{ name }}, oggi", "{{ items.x.y }}", "", ("body", Some(1))),
        ] {
            assert_eq!(told(&wording(subject, text, html)), [place], "{subject} {text} {html}");
        }
    }

    #[test]
    fn no_template_holds_a_server_up() {
        let nested = "{% for a in items %}".repeat(14) + "x" + &"{% endfor %}".repeat(14);
        let long = format!("{{% for a in items %}}{{{{ {:?} * 90000 }}}}{{% endfor %}}", "x");
        for text in [nested, long] {
            let found = render(&wording("x", &text, ""), Lang::It, &(KIND.sample)(Lang::It)).unwrap_err();
            assert!(found.detail.contains("too much") || found.detail.contains("longer"), "{found:?}");
        }
    }
}
