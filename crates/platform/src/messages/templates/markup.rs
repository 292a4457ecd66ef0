//! The HTML that mail programs are sent: paragraphs, lists, links. Nothing that loads, runs or follows.

/// Elements that may be written. Images are not among them: a picture that is fetched tells that a mail was read.
const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "hr",
    "i",
    "li",
    "ol",
    "p",
    "small",
    "span",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
];

/// Why a piece of HTML may not be sent.
///
/// # Errors
/// What is wrong with it, naming the element or the attribute.
pub fn check(html: &str) -> Result<(), String> {
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, tail) = after.split_once('>').ok_or("a `<` without `>`; write `&lt;` for the sign itself")?;
        rest = tail;
        let inside = tag.strip_suffix('/').unwrap_or(tag);
        let is_end = inside.starts_with('/');
        let inside = inside.strip_prefix('/').unwrap_or(inside);
        let end = inside.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inside.len());
        let (name, attributes) = inside.split_at(end);
        if !ELEMENTS.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(format!("the element `{}` may not be used", shown(name)));
        }
        if is_end && !attributes.trim().is_empty() {
            return Err("an end tag has no attributes".to_owned());
        }
        check_attributes(attributes)?;
    }
    Ok(())
}

fn shown(name: &str) -> String {
    name.chars().take(20).collect()
}

fn check_attributes(attributes: &str) -> Result<(), String> {
    let mut rest = attributes.trim();
    while !rest.is_empty() {
        let unquoted = || "attributes are written name=\"value\"".to_owned();
        let (name, after) = rest.split_once('=').ok_or_else(unquoted)?;
        let (value, tail) = after.strip_prefix('"').and_then(|after| after.split_once('"')).ok_or_else(unquoted)?;
        rest = tail.trim();
        let allowed = match name {
            "href" => ["https://", "mailto:", "tel:"].iter().any(|scheme| value.starts_with(scheme)),
            "lang" => value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
            "scope" => ["row", "col"].contains(&value),
            _ => false,
        };
        if !allowed {
            return Err(format!("the attribute `{}` may not be used, or not with this value", shown(name)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_lists_and_links_are_sent() {
        for good in [
            "",
            "Solo testo &lt;b&gt;",
            "<p>Buongiorno<br>Anna<br/></p><ul><li><strong>Quando</strong>: domani</li></ul>",
            "<p lang=\"de\"><a href=\"https://www.comune.example/a?b=c\">Comune</a> <a href=\"tel:+39050\">tel</a></p>",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_loads_runs_or_follows_is_not() {
        for bad in [
            "<script>x</script>",
            "<img src=\"https://x.example/p.png\">",
            "<p onclick=\"x()\">",
            "<p style=\"background:url(x)\">",
            "<a href=\"javascript:x\">",
            "<a href='https://x.example'>",
            "<a href=https://x.example>",
            "<iframe>",
            "<!-- x -->",
            "<p",
            "</p class=\"x\">",
            "< p>",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
