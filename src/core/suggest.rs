//! "Did you mean …?"

/// The candidate nearest to `word`, if it is near enough to be a slip: at most a third of the word's letters (and at least
/// one) differ. Letter case counts less than letters: a candidate that differs in case only is always near.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = word.to_lowercase().chars().collect();
    let bound = (wanted.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        if candidate == word || letters.len().abs_diff(wanted.len()) > bound {
            continue;
        }
        let distance = distance(&wanted, &letters);
        if distance <= bound && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Edits between two words: insert, delete, replace, swap of neighbours (optimal string alignment).
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (row, &a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &b) in right.iter().enumerate() {
            let replace = previous[column] + usize::from(a != b);
            let mut least = replace.min(previous[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && a == right[column - 1] && left[row - 1] == b {
                least = least.min(before[column - 1] + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut previous, current);
    }
    previous[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_ignores_other_words() {
        let keys = ["port", "bind", "auth", "controlUi", "remote"];
        assert_eq!(did_you_mean("prot", keys), Some("port"));
        assert_eq!(did_you_mean("contolUI", keys), Some("controlUi"));
        assert_eq!(did_you_mean("PORT", keys), Some("port"));
        assert_eq!(did_you_mean("telegram", keys), None);
        assert_eq!(did_you_mean("x", keys), None);
        assert_eq!(did_you_mean("port", ["port"]), None, "the word itself is no suggestion");
    }

    #[test]
    fn distance_is_symmetric_and_zero_only_for_equals() {
        let words = ["", "a", "ab", "ba", "gateway", "gatweay"];
        for left in words {
            for right in words {
                let (l, r): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
                assert_eq!(distance(&l, &r), distance(&r, &l));
                assert_eq!(distance(&l, &r) == 0, left == right);
            }
        }
        assert_eq!(distance(&['a', 'b'], &['b', 'a']), 1);
    }
}
