//! As much SOAP 1.1 as DOCAREA needs: an envelope, one attachment, and the texts of an answer.

use std::collections::BTreeMap;

use protocol::Xml;
use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};

/// The deepest an answer may be nested.
const DEEPEST: usize = 32;
/// The most elements an answer may have.
const MOST: usize = 1000;

/// An envelope around a call.
pub(super) fn envelope(method: &str, arguments: &[(&str, &str)]) -> String {
    let mut xml = Xml::new();
    xml.within("soap:Envelope", &[("xmlns:soap", "http://schemas.xmlsoap.org/soap/envelope/")], |xml| {
        xml.within("soap:Body", &[], |xml| {
            xml.within(method, &[("xmlns", "http://tempuri.org/")], |xml| {
                for (name, value) in arguments {
                    xml.text(name, value);
                }
            });
        });
    });
    xml.end()
}

/// A file beside an envelope.
#[derive(Debug)]
pub(super) struct Attachment<'a> {
    /// What it is called.
    pub(super) name: &'a str,
    /// Its media type.
    pub(super) media_type: &'a str,
    /// What is in it.
    pub(super) content: &'a [u8],
}

/// Envelope and attachment as `multipart/related` (SOAP Messages with Attachments). The boundary must not be in them.
pub(super) fn related(boundary: &str, envelope: &str, attachment: &Attachment<'_>) -> (String, Vec<u8>) {
    let Attachment { name, media_type, content } = attachment;
    // A header holds ASCII, and no sign that would end the name; the segnatura has it as it is.
    let plain = |c: char| if c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' ' { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    let media = format!("multipart/related; type=\"text/xml\"; start=\"<envelope>\"; boundary=\"{boundary}\"");
    let before = format!(
        "--{boundary}\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n\
         Content-ID: <envelope>\r\n\r\n{envelope}\r\n--{boundary}\r\nContent-Type: {media_type}\r\n\
         Content-Transfer-Encoding: binary\r\nContent-ID: <attachment>\r\n\
         Content-Disposition: attachment; name=\"{name}\"; filename=\"{name}\"\r\n\r\n"
    );
    let after = format!("\r\n--{boundary}--\r\n");
    (media, [before.as_bytes(), content, after.as_bytes()].concat())
}

/// The texts of an answer, by the local names of their elements; of two of a name, the first. Nothing for what is no
/// well-formed answer, is too deep or too long, or declares a document type, which SOAP forbids. What is no UTF-8 is
/// read as far as it goes: all that is looked at is ASCII.
pub(super) fn texts(answer: &[u8]) -> Option<BTreeMap<String, String>> {
    let text = String::from_utf8_lossy(answer);
    let mut reader = Reader::from_str(first_part(&text));
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut open: Vec<(String, String)> = Vec::new();
    let mut elements = 0_usize;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                elements = elements.checked_add(1).filter(|n| *n <= MOST)?;
                if open.len() >= DEEPEST {
                    return None;
                }
                let name = std::str::from_utf8(start.local_name().into_inner()).ok()?.to_owned();
                open.push((name, String::new()));
            }
            Event::End(_) => {
                let (name, text) = open.pop()?;
                found.entry(name).or_insert_with(|| text.trim().to_owned());
            }
            Event::Text(text) => {
                if let Some((_, so_far)) = open.last_mut() {
                    so_far.push_str(&text.xml10_content().ok()?);
                }
            }
            Event::CData(text) => {
                if let Some((_, so_far)) = open.last_mut() {
                    so_far.push_str(&text.xml10_content().ok()?);
                }
            }
            Event::GeneralRef(reference) => {
                let name = reference.xml10_content().ok()?;
                let meant = match reference.resolve_char_ref().ok()? {
                    Some(c) => c.to_string(),
                    None => resolve_predefined_entity(&name)?.to_owned(),
                };
                if let Some((_, so_far)) = open.last_mut() {
                    so_far.push_str(&meant);
                }
            }
            Event::DocType(_) => return None,
            Event::Eof => return (open.is_empty() && !found.is_empty()).then_some(found),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

/// The envelope of an answer that came with parts.
fn first_part(text: &str) -> &str {
    if !text.starts_with("--") {
        return text;
    }
    let after = text.split_once("\r\n\r\n").map_or("", |(_, rest)| rest);
    after.split_once("\r\n--").map_or(after, |(part, _)| part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_holds_what_it_is_given() {
        let envelope = envelope("login", &[("strPassword", "a<b&c")]);
        assert!(envelope.ends_with(
            "<soap:Body><login xmlns=\"http://tempuri.org/\"><strPassword>a&lt;b&amp;c</strPassword></login>\
             </soap:Body></soap:Envelope>"
        ));
        assert_eq!(texts(envelope.as_bytes()).unwrap()["strPassword"], "a<b&c");
    }

    #[test]
    fn answers_are_read_with_and_without_parts() {
        let answer = "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"x\"><s:Body><r><lngNumPG> 42 </lngNumPG>\
                      <strErrString/><strDST><![CDATA[a&b]]></strDST></r></s:Body></s:Envelope>";
        let parts = format!("--b\r\nContent-Type: text/xml\r\n\r\n{answer}\r\n--b--\r\n");
        for text in [answer, &parts] {
            let found = texts(text.as_bytes()).unwrap();
            assert_eq!((found["lngNumPG"].as_str(), found["strDST"].as_str()), ("42", "a&b"));
        }
    }

    #[test]
    fn an_answer_in_another_encoding_is_read() {
        let answer = b"<r><lngErrNumber>-1</lngErrNumber><strErrString>quantit\xe0</strErrString></r>";
        assert_eq!(texts(answer).unwrap()["lngErrNumber"], "-1");
    }

    #[test]
    fn what_is_no_answer_is_not_read() {
        let deep = format!("{}{}", "<a>".repeat(40), "</a>".repeat(40));
        let many = format!("<r>{}</r>", "<a>1</a>".repeat(1001));
        for text in [
            "",
            "plain",
            "<a><b></a>",
            "<a>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<a>&unknown;</a>",
            deep.as_str(),
            many.as_str(),
        ] {
            assert_eq!(texts(text.as_bytes()), None, "{}", text.get(..40).unwrap_or(text));
        }
    }
}
