//! Did you mean …?

/// The candidate closest to what was written, if it is close enough to be meant.
pub(super) fn nearest<'c>(written: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    if written.len() > 64 {
        return None;
    }
    let folded = written.to_lowercase();
    candidates
        .map(|candidate| (distance(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours between two short texts.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let width = right.len() + 1;
    let mut rows = vec![0_usize; (left.len() + 1) * width];
    for row in 0..=left.len() {
        rows[row * width] = row;
    }
    for (column, cell) in rows.iter_mut().take(width).enumerate() {
        *cell = column;
    }
    for row in 1..=left.len() {
        for column in 1..width {
            let same = left[row - 1] == right[column - 1];
            let above = rows[(row - 1) * width + column] + 1;
            let before = rows[row * width + column - 1] + 1;
            let mut best = above.min(before).min(rows[(row - 1) * width + column - 1] + usize::from(!same));
            if row > 1 && column > 1 && left[row - 1] == right[column - 2] && left[row - 2] == right[column - 1] {
                best = best.min(rows[(row - 2) * width + column - 2] + 1);
            }
            rows[row * width + column] = best;
        }
    }
    rows.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let names = ["sessionKey", "agentId", "limit", "offset"];
        let near = |written| nearest(written, names.into_iter());
        assert_eq!(near("sessionkey"), Some("sessionKey"));
        assert_eq!(near("session_key"), Some("sessionKey"));
        assert_eq!(near("agnetId"), Some("agentId"));
        assert_eq!(near("limti"), Some("limit"));
        assert_eq!(near("colour"), None);
        assert_eq!(near(&"x".repeat(10_000)), None);
    }
}
