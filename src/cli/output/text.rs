//! Small text forms: safe for a terminal, short, counted.

/// Text that came from a model, a file or a peer, with control characters made visible, so that it cannot steer
/// the terminal. Line feeds and tabs stay.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\t' => character,
            character if character.is_control() => '\u{fffd}',
            // Direction overrides and isolates can make text read as something else (CVE-2021-42574).
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            character => character,
        })
        .collect()
}

/// The text on one line, safe for a terminal, at most `limit` characters with `…` at the cut.
pub(crate) fn one_line(text: &str, limit: usize) -> String {
    let joined = clean(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    if joined.chars().count() <= limit {
        return joined;
    }
    let mut cut: String = joined.chars().take(limit.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// `1,204`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 run`, `2 runs`.
pub(crate) fn quantity(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(u64::try_from(number).unwrap_or(u64::MAX)), if number == 1 { one } else { many })
}

/// `412 B`, `1.4 kB`, `23 MB`: decimal units, as disks are sold and as `ls --si` prints.
pub(crate) fn bytes(size: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    for (unit, factor) in UNITS {
        if size >= factor {
            let tenths = size / (factor / 10);
            return if tenths < 100 {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            } else {
                format!("{} {unit}", tenths / 10)
            };
        }
    }
    format!("{size} B")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_204), "1,204");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(quantity(1, "run", "runs"), "1 run");
        assert_eq!(quantity(1_000, "run", "runs"), "1,000 runs");
        assert_eq!(bytes(412), "412 B");
        assert_eq!(bytes(1_449), "1.4 kB");
        assert_eq!(bytes(23_400_000), "23 MB");
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\n\tc\u{202e}"), "a\u{fffd}[2Jb\n\tc\u{fffd}");
        assert_eq!(one_line("a\r\nb  c", 10), "a b c");
        assert_eq!(one_line("abcdef", 4), "abc…");
    }

    proptest! {
        #[test]
        fn one_line_is_short_and_has_no_control_character(text in any::<String>(), limit in 1usize..40) {
            let line = one_line(&text, limit);
            prop_assert!(line.chars().count() <= limit);
            prop_assert!(!line.chars().any(char::is_control));
        }
    }
}
