//! Guessing what was meant by a misspelt word.

/// The known word nearest to what was written, if one is near enough to be meant.
#[must_use]
pub fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let limit = 1 + written.chars().count() / 4;
    known
        .iter()
        .map(|word| (distance(written, word), *word))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Insertions, deletions, replacements and swaps of neighbours from one word to the other; case costs nothing.
///
/// Words over 64 characters are as far as can be: no known word is near them.
fn distance(one: &str, other: &str) -> usize {
    let letters = |word: &str| word.chars().take(65).map(|c| c.to_ascii_lowercase()).collect::<Vec<_>>();
    let (one, other) = (letters(one), letters(other));
    if one.len() > 64 || other.len() > 64 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut cost = (row[j] + usize::from(a != b)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                cost = cost.min(before[j - 1] + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        let known = ["host", "port", "method", "path", "private", "tls", "name"];
        for (written, meant) in [
            ("hots", Some("host")),
            ("Host", Some("host")),
            ("hosts", Some("host")),
            ("methods", Some("method")),
            ("pirvate", Some("private")),
            ("tsl", Some("tls")),
            ("expression", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, &known), meant, "{written}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), &known), None);
    }
}
