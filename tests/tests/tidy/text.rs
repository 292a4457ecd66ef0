//! Rust text with nothing but its code.

/// The text with comments and the insides of literals blanked out; lines stay where they are.
pub(crate) fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut code = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let end = match at(i) {
            '/' if at(i + 1) == '/' => chars[i..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| i + n),
            '/' if at(i + 1) == '*' => end_of_comment(&chars, i),
            '"' => end_of_string(&chars, i),
            'r' if i == 0 || !is_word(at(i - 1)) || matches!(at(i - 1), 'b' | 'c') => end_of_raw(&chars, i),
            '\'' if at(i + 1) == '\\' => {
                chars[(i + 3).min(chars.len())..].iter().position(|c| *c == '\'').map_or(chars.len(), |n| i + n + 4)
            }
            '\'' if at(i + 2) == '\'' => i + 3,
            _ => i,
        };
        if end == i {
            code.push(at(i));
            i += 1;
        } else {
            code.extend(chars[i..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            i = end;
        }
    }
    code
}

/// The numbers of the lines on which `word` stands by itself: not as a part of a longer name.
pub(crate) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    for (place, _) in code.match_indices(word) {
        let before = code[..place].chars().next_back().filter(|_| word.starts_with(is_word));
        let after = code[place + word.len()..].chars().next().filter(|_| word.ends_with(is_word));
        if !before.is_some_and(is_word) && !after.is_some_and(is_word) {
            lines.push(code[..place].matches('\n').count() + 1);
        }
    }
    lines
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn end_of_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i < chars.len() {
        match chars.get(i..i + 2) {
            Some(['/', '*']) => (depth, i) = (depth + 1, i + 2),
            Some(['*', '/']) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn end_of_string(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

/// The end of `r#"…"#`; the start itself when it is a name that begins with r.
fn end_of_raw(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return start;
    }
    let closes =
        |i: usize| chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    (open + 1..chars.len()).find(|i| closes(*i)).map_or(chars.len(), |i| i + 1 + hashes)
}

#[test]
fn only_code_is_left() {
    let text = r##"
        let a = now(); // now()
        /* now() /* now() */ */ let b = "now() \" now()"; let c = r#"now() " "#; let d = '"'; let e = '\''; fn f<'a>() {}
        let g = now(); let h = not_now(); let i = '\u{e9}'; br"now()"; for_r"##;
    assert_eq!(lines_with(&code_of(text), "now("), [2, 4]);
    assert!(code_of(text).contains("fn f<'a>() {}"), "{}", code_of(text));
    assert!(code_of(text).ends_with("for_r"));
}
