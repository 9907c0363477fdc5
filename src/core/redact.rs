//! Masks credentials in free text: log lines, error messages, diffs, tool output that goes to a log.
//!
//! This recognises secrets by their form. Values whose place says that they are secret are masked by
//! [`crate::config::redact`], which knows keys.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::bytes::{Captures, Regex, RegexBuilder};

/// What stands in the place of a secret.
pub const MASK: &str = "[redacted]";

/// Shapes that are secret as a whole. Sources: the key formats the providers publish.
const WHOLE: &[&str] = &[
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)",
    r"\bsk-[A-Za-z0-9_-]{16,}",
    r"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}",
    r"\b(?:gh[opusr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,})",
    r"\b(?:xox[a-z]|xapp)-[A-Za-z0-9-]{10,}",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\bAIza[0-9A-Za-z_-]{30,}",
    r"\b(?:gsk_|xai-|hf_|npm_|pplx-|tvly-|r8_)[A-Za-z0-9_-]{16,}",
    r"\b(?:bot)?[0-9]{6,12}:[A-Za-z0-9_-]{30,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{6,}",
];

/// White space besides the ASCII kinds that people paste: no-break space and ideographic space.
const SPACE: &str = r"(?:\s|\xC2\xA0|\xE3\x80\x80)";

/// `name=value`, `"name": "value"`, `--name value`: groups name, separator, quote, value. `SPACE` stands for [`SPACE`].
const ASSIGNMENT: &str = r#"(?i)(?P<name>[a-z0-9_.-]*(?:token|secret|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|authorization|credential|cookie|signature))(?P<close>["']?)(?P<sep>SPACE*[:=]SPACE*|SPACE+)(?P<quote>["']?)(?P<word>(?:(?:bearer|basic|token|digest)\s+)?)(?P<value>[^\s"',;&})\]]{4,})"#;

/// The pattern works on bytes: secrets and the words before them are ASCII, and without Unicode's tables it takes a tenth
/// of the memory and of the time to compile, which every start of the gateway pays. A match begins and ends beside ASCII,
/// so it never splits a character.
static PATTERN: LazyLock<Regex> = LazyLock::new(|| compile(&pattern()));

/// The same without groups: what most texts have to pass, and all that is compiled until a secret turns up.
static PRESENCE: LazyLock<Regex> = LazyLock::new(|| compile(&without_groups(&pattern())));

fn pattern() -> String {
    let whole = WHOLE.join("|");
    let assignment = ASSIGNMENT.replace("SPACE", SPACE);
    format!(
        r"(?P<whole>{whole})|(?P<scheme>\b(?i:bearer|basic)\s+)(?P<credential>[A-Za-z0-9._~+/=-]{{8,}})|(?P<url>\b[A-Za-z][A-Za-z0-9+.-]*://)(?P<userinfo>[^\s/@?#]+)@|(?P<query>[?&](?i:key|sig|code|auth)=)(?P<argument>[^\s&#]{{6,}})|{assignment}"
    )
}

fn without_groups(pattern: &str) -> String {
    let mut parts = pattern.split("(?P<");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("(?:");
        text.push_str(part.split_once('>').map_or(part, |(_name, rest)| rest));
    }
    text
}

fn compile(pattern: &str) -> Regex {
    RegexBuilder::new(pattern).unicode(false).build().expect("the pattern is constant and a test compiles it")
}

/// The text with every recognised secret replaced by [`MASK`]; borrowed if there is none.
pub fn text(text: &str) -> Cow<'_, str> {
    // Every shape has at least eight characters.
    if text.len() < 8 || !PRESENCE.is_match(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let mut masked = String::new();
    let mut done = 0;
    for found in PATTERN.captures_iter(text.as_bytes()) {
        let range = found.get_match().range();
        masked.push_str(part(text, done..range.start));
        masked.push_str(&replacement(text, &found));
        done = range.end;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(part(text, done..text.len()));
    Cow::Owned(masked)
}

/// A part of the text; [`MASK`] where that would split a character.
fn part(text: &str, range: std::ops::Range<usize>) -> &str {
    text.get(range).unwrap_or(MASK)
}

fn replacement(text: &str, found: &Captures<'_>) -> String {
    let group = |name: &str| found.name(name).map(|group| part(text, group.range()));
    let all = part(text, found.get_match().range());
    if group("whole").is_some() {
        return MASK.into();
    }
    if let (Some(scheme), Some(credential)) = (group("scheme"), group("credential")) {
        // "Basic authentication" is prose.
        let secret = credential.len() >= 20 || credential.bytes().any(|byte| byte.is_ascii_digit());
        return if secret { format!("{scheme}{MASK}") } else { all.into() };
    }
    if let (Some(url), Some(userinfo)) = (group("url"), group("userinfo")) {
        // `ssh://git@host` names a person, `https://user:password@host` lets one in.
        let secret = (userinfo.contains(':') || userinfo.len() >= 16) && !is_placeholder(userinfo);
        return if secret { format!("{url}{MASK}@") } else { all.into() };
    }
    if let Some(query) = group("query") {
        return format!("{query}{MASK}");
    }
    let (Some(name), Some(close), Some(separator), Some(quote), Some(word), Some(value)) =
        (group("name"), group("close"), group("sep"), group("quote"), group("word"), group("value"))
    else {
        return all.into();
    };
    if is_assigned_secret(name, separator, &format!("{quote}{word}"), value) {
        format!("{name}{close}{separator}{quote}{word}{MASK}")
    } else {
        all.into()
    }
}

/// `token=abcd`, `"token": "abcd"` and `authorization: Bearer abcd` are assignments; `token: expected a string` and `--token needs a value` are prose.
fn is_assigned_secret(name: &str, separator: &str, opening: &str, value: &str) -> bool {
    if is_placeholder(value) || matches!(value, "null" | "true" | "false" | "undefined" | "none") {
        return false;
    }
    let mixed = value.bytes().any(|byte| byte.is_ascii_digit()) && value.len() >= 8;
    match separator.trim() {
        "=" => true,
        ":" => !opening.is_empty() || mixed,
        _ => name.starts_with('-') && mixed,
    }
}

fn is_placeholder(value: &str) -> bool {
    value.starts_with("${")
        || value.starts_with('$') && value[1..].bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        || value.contains("redacted")
        || value.contains("_REDACTED_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masked(input: &str) -> String {
        text(input).into_owned()
    }

    #[test]
    fn known_forms_are_masked() {
        let key = "Ab3".repeat(14);
        for secret in [
            format!("sk-{key}"),
            format!("sk-ant-api03-{key}"),
            format!("sk_live_{key}"),
            format!("ghp_{key}"),
            format!("github_pat_{key}"),
            "xoxb-123456789012-abcdefghij".into(),
            "AKIAABCDEFGHIJKLMNOP".into(),
            format!("AIza{key}"),
            format!("123456789:AA{key}"),
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl".into(),
            format!("-----BEGIN RSA PRIVATE KEY-----\n{key}\n-----END RSA PRIVATE KEY-----"),
        ] {
            assert_eq!(masked(&format!("before {secret} after")), "before [redacted] after", "{secret}");
        }
        assert_eq!(
            masked(&format!("https://api.telegram.org/bot123456789:AA{key}/getMe")),
            "https://api.telegram.org/[redacted]/getMe"
        );
    }

    #[test]
    fn assignments_headers_and_urls_keep_their_names() {
        insta::assert_snapshot!(masked("password=hunter2 next"), @"password=[redacted] next");
        insta::assert_snapshot!(masked(r#"{"apiKey":"abcdef","port":18789}"#), @r#"{"apiKey":"[redacted]","port":18789}"#);
        insta::assert_snapshot!(masked("OPENAI_API_KEY=abcdef"), @"OPENAI_API_KEY=[redacted]");
        insta::assert_snapshot!(masked("Authorization: Bearer abc123def456"), @"Authorization: Bearer [redacted]");
        insta::assert_snapshot!(masked("authorization: Basic dXNlcjpwYXNzd29yZA=="), @"authorization: Basic [redacted]");
        insta::assert_snapshot!(masked("https://bob:pa55@example.org/x"), @"https://[redacted]@example.org/x");
        insta::assert_snapshot!(masked("GET /v1?key=abcdefgh&alt=sse"), @"GET /v1?key=[redacted]&alt=sse");
        insta::assert_snapshot!(masked("Passwort/password:\u{a0}grün3äpfel, und weiter"), @"Passwort/password:\u{a0}[redacted], und weiter");
        insta::assert_snapshot!(masked("run --token a1b2c3d4e5 now"), @"run --token [redacted] now");
    }

    #[test]
    fn the_pattern_without_groups_is_the_same_pattern() {
        let plain = without_groups(&pattern());
        assert_eq!(compile(&plain).captures_len(), 1);
        assert_eq!(plain.matches('(').count(), pattern().matches('(').count());
    }

    #[test]
    fn prose_and_numbers_stay() {
        for harmless in [
            "",
            "a token is a secret",
            "gateway.auth.token: expected a string or a secret reference",
            "Basic authentication is off",
            "maxTokens: 128000, totalTokens=12345678",
            "ssh://git@example.org/repo",
            "token=${OPENCLAW_TOKEN}",
            "password=[redacted]",
            "12:30:45 request took 123456 ms",
            "https://example.org:8080/path?page=1",
        ] {
            assert!(
                matches!(text(harmless), Cow::Borrowed(_)) || masked(harmless) == harmless,
                "{harmless} -> {}",
                masked(harmless)
            );
        }
    }

    proptest! {
        #[test]
        fn masking_twice_changes_nothing_more(input in "[ -~\\n]{0,120}") {
            let once = masked(&input);
            prop_assert_eq!(masked(&once), once);
        }

        #[test]
        fn other_scripts_around_a_secret_stay_whole(before in "\\PC{0,20}", after in "\\PC{0,20}") {
            let masked = masked(&format!("{before} token=abcd1234 {after}"));
            let expected = format!("{} token=[redacted] {}", self::masked(&before), self::masked(&after));
            prop_assert!(masked == expected || masked.contains(MASK) && !masked.contains("abcd1234"), "{}", masked);
        }

        #[test]
        fn a_key_never_survives(before in "[ a-z]{0,20}", key in "[A-Za-z0-9]{24,40}", after in "[ a-z]{0,20}") {
            let secret = format!("sk-{key}");
            let line = format!("{before} {secret} {after}");
            let masked = masked(&line);
            prop_assert!(!masked.contains(&key));
        }
    }
}
