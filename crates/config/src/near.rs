//! The word that was probably meant.
//!
//! Not here: which words there are.

/// The candidate that differs by the fewest changed, added, missing or swapped letters, if those are few.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).clamp(1, 3);
    let measured = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate));
    measured
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Optimal string alignment distance, ignoring case and the difference of `-` and `_`.
fn distance(a: &str, b: &str) -> usize {
    // Words of a person's file; the bound only keeps a strange one from costing anything.
    let letters = |word: &str| -> Vec<char> {
        word.chars().take(64).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
    };
    let (a, b) = (letters(a), letters(b));
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["stanza_bytes", "burst_bytes", "idle_seconds", "key"];
        for (word, expected) in [
            ("stanza_byte", Some("stanza_bytes")),
            ("Stanza-Bytes", Some("stanza_bytes")),
            ("satnza_bytes", Some("stanza_bytes")),
            ("brust_bytes", Some("burst_bytes")),
            ("kye", Some("key")),
            ("kex", Some("key")),
            ("k", None),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
    }
}
