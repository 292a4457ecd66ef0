//! Words as they are compared: without case, accents and endings, and by how far apart they are.

/// The longest search or text that is looked at, in words.
const MOST_WORDS: usize = 200;

/// Words that say nothing about a need, in the three languages; what an elision leaves too.
const EMPTY: &[&str] = &[
    "a", "ad", "agli", "ai", "al", "alla", "alle", "allo", "all", "con", "d", "da", "dal", "dalla", "de", "degli",
    "dei", "del", "dell", "della", "delle", "dello", "di", "e", "ed", "gli", "ha", "ho", "i", "il", "in", "l", "la",
    "le", "lo", "mi", "mia", "mio", "nel", "nella", "o", "per", "si", "su", "sul", "sulla", "un", "una", "uno",
    "vorrei", "devo", "fare", "my", "the", "of", "to", "for", "and", "an", "or", "at", "want", "der", "die", "das",
    "den", "des", "ein", "eine", "und", "oder", "fur", "im", "zu", "ich",
];

/// The words of a text that say something, folded.
pub(super) fn words(text: &str) -> Vec<String> {
    let folded: String = text.chars().flat_map(char::to_lowercase).flat_map(fold).collect();
    folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !EMPTY.contains(word))
        .take(MOST_WORDS)
        .map(str::to_owned)
        .collect()
}

/// A lower-case letter without its accent. Marks that follow their letter (decomposed texts) are left out.
fn fold(c: char) -> impl Iterator<Item = char> {
    let plain: &[char] = match c {
        'à' | 'á' | 'â' | 'ä' | 'ã' | 'å' => &['a'],
        'è' | 'é' | 'ê' | 'ë' => &['e'],
        'ì' | 'í' | 'î' | 'ï' => &['i'],
        'ò' | 'ó' | 'ô' | 'ö' | 'õ' => &['o'],
        'ù' | 'ú' | 'û' | 'ü' => &['u'],
        'ç' => &['c'],
        'ñ' => &['n'],
        'ß' => &['s', 's'],
        '\u{300}'..='\u{36f}' => &[],
        other => return Folded::One(Some(other)),
    };
    Folded::Some(plain.iter())
}

enum Folded {
    One(Option<char>),
    Some(std::slice::Iter<'static, char>),
}

impl Iterator for Folded {
    type Item = char;
    fn next(&mut self) -> Option<char> {
        match self {
            Self::One(c) => c.take(),
            Self::Some(rest) => rest.next().copied(),
        }
    }
}

/// A word without the ending that its plural changes: `certificat` for `certificato` and `certificati`,
/// `card` for `cards`. Never less than three letters.
pub(super) fn stem(word: &str) -> Vec<char> {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() > 4 && letters.ends_with(&['s']) && !letters.ends_with(&['s', 's']) {
        letters.pop();
    }
    for _ in 0..2 {
        if letters.len() > 3 && letters.last().is_some_and(|last| "aeio".contains(*last)) {
            letters.pop();
        }
    }
    // `banca`, `banche`.
    if letters.len() > 3 && (letters.ends_with(&['c', 'h']) || letters.ends_with(&['g', 'h'])) {
        letters.pop();
    }
    letters
}

/// How alike two stems are: 1000 the same, 0 nothing in common.
pub(super) fn likeness(asked: &[char], known: &[char]) -> i64 {
    if asked == known {
        return 1000;
    }
    if asked.len() >= 3 && known.starts_with(asked) {
        return 850;
    }
    let slips: usize = match asked.len().max(known.len()) {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    };
    if asked.len().abs_diff(known.len()) > slips || slips == 0 {
        return 0;
    }
    match distance(asked, known) {
        1 if slips >= 1 => 700,
        2 if slips >= 2 => 500,
        _ => 0,
    }
}

/// How many letters must be added, dropped, changed or swapped with their neighbour to make one of the other
/// (optimal string alignment).
pub(super) fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
    for (i, letter) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in b.iter().enumerate() {
            let changed = at(&above, j) + usize::from(letter != other);
            let mut least = changed.min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(other) && b.get(j - 1) == Some(letter);
            if swapped {
                least = least.min(at(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    at(&above, b.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn like(asked: &str, known: &str) -> i64 {
        likeness(&stem(asked), &stem(known))
    }

    #[test]
    fn words_are_folded_and_empty_ones_left_out() {
        assert_eq!(words("Carta d'Identità"), ["carta", "identita"]);
        assert_eq!(words("il CAMBIO di residenza!"), ["cambio", "residenza"]);
        assert_eq!(words("identita\u{300}"), ["identita"]);
        assert_eq!(words("Müllgebühr, Straße"), ["mullgebuhr", "strasse"]);
        assert!(words("di la , -").is_empty());
    }

    #[test]
    fn plurals_and_slips_are_near_and_other_words_far() {
        for (asked, known) in [("certificati", "certificato"), ("cards", "card"), ("uffici", "ufficio")] {
            assert_eq!(like(asked, known), 1000, "{asked}");
        }
        for (asked, known) in [
            ("resideza", "residenza"),
            ("didentita", "identita"),
            ("certificatto", "certificati"),
            ("nacsita", "nascita"),
        ] {
            assert!(like(asked, known) > 0, "{asked}");
        }
        for (asked, known) in [("imu", "tari"), ("carta", "nascita"), ("spid", "cie"), ("tari", "imu")] {
            assert_eq!(like(asked, known), 0, "{asked}");
        }
    }

    /// The definition, written out.
    fn slow(a: &[char], b: &[char]) -> usize {
        match (a, b) {
            ([], rest) | (rest, []) => rest.len(),
            ([.., x], [.., y]) => {
                let (shorter_a, shorter_b) = (&a[..a.len() - 1], &b[..b.len() - 1]);
                let mut least = (slow(shorter_a, b) + 1)
                    .min(slow(a, shorter_b) + 1)
                    .min(slow(shorter_a, shorter_b) + usize::from(x != y));
                if a.len() > 1 && b.len() > 1 && a[a.len() - 2] == *y && b[b.len() - 2] == *x {
                    least = least.min(slow(&a[..a.len() - 2], &b[..b.len() - 2]) + 1);
                }
                least
            }
        }
    }

    proptest! {
        #[test]
        fn the_distance_is_its_definition(a in "[abc]{0,5}", b in "[abc]{0,5}") {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            prop_assert_eq!(distance(&a, &b), slow(&a, &b));
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
        }

        #[test]
        fn folding_twice_changes_nothing_more(text in "\\PC{0,40}") {
            let once = words(&text);
            prop_assert_eq!(&words(&once.join(" ")), &once);
        }

        #[test]
        fn a_word_is_most_like_itself(word in "[a-zà-ü]{1,15}") {
            prop_assert_eq!(like(&word, &word), 1000);
        }
    }
}
