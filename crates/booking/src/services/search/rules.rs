//! Which services a search may mean, the best first.

use kernel::{Lang, Localized};

use super::words::{likeness, stem, words};
use crate::services::AppointmentServiceId;

/// A service and the words it is known by.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) id: AppointmentServiceId,
    pub(super) name: Localized,
    pub(super) description: Option<Localized>,
    /// In any language.
    pub(super) keywords: Vec<String>,
}

/// How much a word counts by where it stands.
const NAME: i64 = 12;
const NAME_ELSEWHERE: i64 = 10;
const KEYWORD: i64 = 11;
const DESCRIPTION: i64 = 4;
/// What a name adds that is all about what was asked.
const WHOLE: i64 = 4_000;

/// A text's stems, and how much each counts.
struct Text {
    stems: Vec<Vec<char>>,
    weight: i64,
    /// Whether it says the whole of what a service is, so that it counts how much of it was asked for.
    title: bool,
}

/// The services that the words may mean, the best first; equals in the order in which they were made.
///
/// A service is meant when at least half of the words are like one of its own.
pub(super) fn rank(candidates: &[Candidate], asked: &[String], lang: Lang) -> Vec<AppointmentServiceId> {
    let asked: Vec<_> = asked.iter().map(|word| stem(word)).collect();
    let mut found: Vec<(i64, AppointmentServiceId)> = candidates
        .iter()
        .map(|candidate| (score(&texts(candidate, lang), &asked), candidate.id))
        .filter(|(score, _)| *score > 0)
        .collect();
    found.sort_by_key(|(score, id)| (std::cmp::Reverse(*score), *id));
    found.into_iter().map(|(_, id)| id).collect()
}

fn texts(candidate: &Candidate, lang: Lang) -> Vec<Text> {
    let text = |words_of: &str, weight, title| Text {
        stems: words(words_of).iter().map(|word| stem(word)).collect(),
        weight,
        title,
    };
    let languages = |localized: &Localized| -> Vec<(Lang, String)> {
        let mut all = vec![(Lang::It, localized.it.clone())];
        all.extend(localized.en.clone().map(|text| (Lang::En, text)));
        all.extend(localized.de.clone().map(|text| (Lang::De, text)));
        all
    };
    let mut texts = Vec::new();
    for (of, name) in languages(&candidate.name) {
        texts.push(text(&name, if of == lang { NAME } else { NAME_ELSEWHERE }, true));
    }
    for (_, description) in candidate.description.iter().flat_map(languages) {
        texts.push(text(&description, DESCRIPTION, false));
    }
    texts.extend(candidate.keywords.iter().map(|keyword| text(keyword, KEYWORD, true)));
    texts
}

fn score(texts: &[Text], asked: &[Vec<char>]) -> i64 {
    let best = |word: &Vec<char>| {
        let of_text = |text: &Text| text.stems.iter().map(|known| likeness(word, known) * text.weight).max();
        texts.iter().filter_map(of_text).max().unwrap_or(0)
    };
    let scores: Vec<i64> = asked.iter().map(best).collect();
    let hits = scores.iter().filter(|score| **score > 0).count();
    if hits == 0 || hits * 2 < asked.len() {
        return 0;
    }
    // A title that is all about what was asked is better than one where the same words are among others.
    let whole = texts.iter().filter(|text| text.title).map(|text| coverage(&text.stems, asked)).max().unwrap_or(0);
    scores.iter().sum::<i64>().saturating_add(whole * WHOLE / 1000)
}

/// How much of a title was asked for, by its words: 0 to 1000.
fn coverage(title: &[Vec<char>], asked: &[Vec<char>]) -> i64 {
    let count = i64::try_from(title.len()).unwrap_or(i64::MAX).max(1);
    let best = |known: &Vec<char>| asked.iter().map(|word| likeness(word, known)).max().unwrap_or(0);
    title.iter().map(best).sum::<i64>() / count
}

#[cfg(test)]
mod tests {
    use kernel::Id;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn candidate(n: u128, name: &str, keywords: &[&str]) -> Candidate {
        Candidate {
            id: Id::from_uuid(Uuid::from_u128(n)),
            name: Localized::italian(name),
            description: None,
            keywords: keywords.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    fn comune() -> Vec<Candidate> {
        vec![
            candidate(1, "Carta d'identità elettronica", &["CIE", "carta identità", "documento"]),
            candidate(2, "Cambio di residenza", &["trasloco", "nuovo indirizzo"]),
            candidate(3, "Certificati anagrafici", &["certificato di nascita", "stato di famiglia"]),
            candidate(4, "Dichiarazione di nascita", &["è nato un figlio"]),
            candidate(5, "TARI: attivazione, variazione, cessazione", &["rifiuti", "spazzatura"]),
            candidate(6, "IMU: calcolo e chiarimenti", &["casa"]),
        ]
    }

    fn first(asked: &str) -> Option<u128> {
        rank(&comune(), &words(asked), Lang::It).first().map(|id| id.uuid().as_u128())
    }

    #[test]
    fn what_people_write_finds_what_they_mean() {
        for (asked, meant) in [
            ("carta d'identità", 1),
            ("carta didentita", 1),
            ("CARTA IDENTITA", 1),
            ("cie", 1),
            ("ho perso il documento", 1),
            ("resideza", 2),
            ("cambio residenze", 2),
            ("trasloco", 2),
            ("certificatto nascita", 3),
            ("dichiarazione nascita", 4),
            ("tari", 5),
            ("spazatura", 5),
            ("imu", 6),
        ] {
            assert_eq!(first(asked), Some(meant), "{asked}");
        }
        assert_eq!(first("passaporto"), None);
        assert_eq!(first("zzz xxx tari"), None);
    }

    #[test]
    fn every_language_is_searched_and_the_readers_own_counts_more() {
        let mut known = comune();
        known[0].name.en = Some("Identity card".into());
        known[1].name.de = Some("Wohnsitzwechsel".into());
        let first = |asked: &str| rank(&known, &words(asked), Lang::It).first().map(|id| id.uuid().as_u128());
        assert_eq!(first("identity cards"), Some(1));
        assert_eq!(first("Wohnsitzwechsel"), Some(2));
    }

    proptest! {
        #[test]
        fn any_text_can_be_asked(text in "\\PC{0,100}") {
            let found = rank(&comune(), &words(&text), Lang::It);
            prop_assert!(found.len() <= comune().len());
        }

        #[test]
        fn the_order_of_the_list_does_not_matter(seed in 0_usize..720) {
            let mut shuffled = comune();
            let mut seed = seed;
            for left in (1..shuffled.len()).rev() {
                shuffled.swap(left, seed % (left + 1));
                seed /= left + 1;
            }
            let asked = words("certificato di nascita");
            prop_assert_eq!(rank(&shuffled, &asked, Lang::It), rank(&comune(), &asked, Lang::It));
        }

        #[test]
        fn one_slip_in_a_long_word_loses_nothing(place in 1_usize..9, letter in proptest::char::range('a', 'z')) {
            let mut word: Vec<char> = "residenza".chars().collect();
            word[place - 1] = letter;
            let word: String = word.into_iter().collect();
            prop_assert!(rank(&comune(), &words(&word), Lang::It).iter().any(|id| id.uuid().as_u128() == 2), "{}", word);
        }
    }
}
