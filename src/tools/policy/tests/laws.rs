use proptest::prelude::*;

use super::support::{decision, everything, policy};
use crate::tools::policy::{Decision, shell};

/// Pieces that commands are made of, the dangerous ones often.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z]{1,5}",
        3 => prop::sample::select(vec![
            "ls", "sh", "bash", "-c", "env", "git", "find", "-exec", "python3", "sed", "awk", "tar", "id", "cat", "./x", "/bin/sh", "cd",
        ]).prop_map(str::to_owned),
        4 => prop::sample::select(vec![
            " ", " ", " ", "\t", "\n", ";", "&", "&&", "|", "||", "$", "$(", ")", "(", "`", "'", "\"", "\\", "{", "}", "*", "?", "[", "]", "~",
            "<", ">", ">>", "<<", "2>&1", "#", "!", "=", "$X", "${X}", "\\\n",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

fn line() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 2_000 }))]

    /// There is a decision about everything, and the same one each time.
    #[test]
    fn decisions_are_total_and_repeatable(line in prop_oneof![line(), any::<String>()]) {
        let open = everything();
        prop_assert_eq!(decision(&open, &line), decision(&open, &line));
        let closed = decision(&policy(&[]), &line);
        // With an empty list only builtins are allowed.
        if let Decision::Allow { used } = closed {
            prop_assert!(used.is_empty());
        }
    }

    /// A listed program in front does not carry what a metacharacter brings after it.
    #[test]
    fn no_unquoted_metacharacter_is_allowed_by_what_stands_before_it(
        tail in line(),
        meta in prop::sample::select(vec!["$", "`", "(", ")", "{", "}", "&", ">", "<<", "<(", "\u{0}", "\r", "\u{202e}"]),
        after in "[a-z]{0,4}",
    ) {
        let line = format!("ls {meta}{after}");
        let asks = |line: &str| !matches!(decision(&everything(), line), Decision::Allow { .. });
        prop_assert!(asks(&line), "{}", line);
        // Whatever follows, it stays that way.
        let longer = format!("{line} {tail}");
        prop_assert!(asks(&longer), "{}", longer);
    }

    /// Every part of a line that is allowed would have been allowed alone.
    #[test]
    fn an_allowed_line_has_only_allowed_parts(line in line()) {
        let listed = policy(&["ls", "cat", "git", "find"]);
        if let Decision::Allow { .. } = decision(&listed, &line) {
            for command in shell::read(&line).expect("an allowed line was read") {
                let name = command.words[0].text.as_str();
                let builtins = ["echo", "printf", "true", "false", ":", "pwd", "test", "[", "cd", "exit"];
                prop_assert!(["ls", "cat", "git", "find"].contains(&name) || builtins.contains(&name), "{}: {}", line, name);
                prop_assert!(!command.words.iter().any(|word| word.text == "-exec"));
            }
        }
    }

    /// Single quotes make anything one harmless argument (control characters aside).
    #[test]
    fn quoted_text_is_an_argument(text in "[ -&(-~]{0,40}") {
        let line = format!("cat -- '{text}'");
        let words = shell::read(&line).expect("quoted").remove(0).words;
        prop_assert_eq!(&words[2].text, &text);
        prop_assert_eq!(words.len(), 3);
    }
}
