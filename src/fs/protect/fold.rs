//! Names as lax file systems compare them.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// A name such that two names some file system takes for one are equal: without case, without the difference between composed,
/// decomposed and compatibility characters, without characters that HFS+ ignores, without the dots and spaces that Windows drops at the
/// end and without an NTFS stream. Used to refuse only, so names that come out equal by chance do no harm.
pub(super) fn fold(name: &str) -> String {
    let folded = if name.is_ascii() {
        name.to_ascii_lowercase()
    } else {
        let upper: String = DecomposingNormalizerBorrowed::new_nfkd()
            .normalize(name)
            .chars()
            .filter(|&character| !is_ignored(character))
            // Upper case first: it joins letters that have no lower case of their own (ſ and s, ß and ss).
            .flat_map(char::to_uppercase)
            .collect();
        DecomposingNormalizerBorrowed::new_nfkd().normalize(&upper.to_lowercase()).into_owned()
    };
    let without_stream = match folded.split_once(':') {
        Some((before, _)) if !before.is_empty() => before,
        _ => &folded,
    };
    match without_stream.trim_end_matches(['.', ' ']) {
        // The short name that Windows gives to `.git`.
        "git~1" => ".git".to_owned(),
        "" => folded,
        trimmed => trimmed.to_owned(),
    }
}

/// Characters that HFS+ skips when it compares names.
fn is_ignored(character: char) -> bool {
    matches!(character, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_some_file_system_takes_for_one_are_equal() {
        for (left, right) in [
            (".git", ".GIT"),
            (".git", ".g\u{200c}it"),
            (".git", ".git. ."),
            (".git", ".git::$INDEX_ALLOCATION"),
            (".git", "GIT~1"),
            (".git", "\u{feff}.git"),
            ("hooks", "hoo\u{212a}s"),
            (".ssh", ".\u{17f}sh"),
            ("caf\u{e9}", "CAFE\u{301}"),
            ("stra\u{df}e", "STRASSE"),
            ("\u{fb01}le", "file"),
            ("\u{ac00}", "\u{1100}\u{1161}"),
        ] {
            assert_eq!(fold(left), fold(right), "{left:?} {right:?}");
        }
        for (left, right) in [(".git", "git"), (".git", ".gitx"), ("a", "b"), ("...", ".git"), (":x", ":y")] {
            assert_ne!(fold(left), fold(right), "{left:?} {right:?}");
        }
    }

    proptest! {
        #[test]
        fn folding_again_changes_nothing_and_case_does_not_matter(name in "\\PC{1,12}") {
            let once = fold(&name);
            prop_assert_eq!(fold(&once), once.clone());
            prop_assert_eq!(fold(&name.to_uppercase()), once);
        }
    }
}
