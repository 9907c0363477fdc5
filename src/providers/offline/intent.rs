//! Short plain requests in English, recognised by a small table of words.

use serde_json::{Map, Value};

/// Longer messages are not guessed at, in bytes.
const MAX_BYTES: usize = 300;

/// What a plain message seems to want.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Intent {
    /// A greeting.
    Greeting,
    /// Thanks or good-bye.
    Courtesy,
    /// What can you do?
    Help,
    /// Call this tool.
    Call { tool: &'static str, arguments: Value },
}

const GREETINGS: &[&str] = &["hello", "hi", "hey", "hallo", "howdy", "greetings", "yo", "moin", "servus"];
const DAYTIMES: &[&str] = &["morning", "afternoon", "evening", "day"];
const COURTESIES: &[&str] = &["thanks", "thank", "bye", "goodbye", "cheers"];
const SHOW: &[&str] = &["list", "ls", "show", "display", "see", "give", "print", "what", "what's", "which"];
const FILES: &[&str] = &[
    "file",
    "files",
    "folder",
    "folders",
    "directory",
    "directories",
    "dir",
    "contents",
    "content",
    "workspace",
    "everything",
    "here",
];
const READ: &[&str] = &["read", "open", "cat", "view", "show", "print", "display"];
const SEARCH: &[&str] = &["search", "grep", "look"];
/// Words between a verb and what it is about.
const FILLERS: &[&str] = &[
    "a",
    "all",
    "an",
    "any",
    "called",
    "containing",
    "contents",
    "file",
    "files",
    "folder",
    "directory",
    "for",
    "from",
    "in",
    "inside",
    "into",
    "me",
    "matching",
    "mentioning",
    "named",
    "of",
    "the",
    "text",
    "up",
    "with",
    "word",
];
/// Words that mean the place where the agent already is.
const HERE: &[&str] = &["here", "it", "this", "that", "workspace", "current", "my", "our", "your", "there"];
/// Words after which a place is named.
const IN: &[&str] = &["in", "inside", "under", "within", "of"];

/// Recognises `message`, or not.
pub(super) fn recognise(message: &str) -> Option<Intent> {
    let message = message.trim();
    if message.is_empty() || message.len() > MAX_BYTES || message.lines().count() > 2 {
        return None;
    }
    let words: Vec<&str> = message.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return None;
    }
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    search(&words, &lower)
        .or_else(|| read(&words, &lower))
        .or_else(|| list(&words, &lower))
        .or_else(|| small_talk(&lower))
}

/// A word without quotes around it and sentence marks after it; leading dots belong to paths.
fn bare(word: &str) -> &str {
    let quotes = ['"', '\'', '`', '“', '”', '‘', '’', '(', ')', '«', '»'];
    word.trim_matches(quotes).trim_end_matches(['.', ',', '!', '?', ';', ':']).trim_matches(quotes)
}

fn is_one_of(word: &str, table: &[&str]) -> bool {
    table.contains(&word)
}

fn small_talk(lower: &[String]) -> Option<Intent> {
    let first = lower.first()?.as_str();
    let second = lower.get(1).map_or("", String::as_str);
    if lower.len() <= 4 && (is_one_of(first, GREETINGS) || (first == "good" && is_one_of(second, DAYTIMES))) {
        return Some(Intent::Greeting);
    }
    if lower.len() <= 4 && is_one_of(first, COURTESIES) {
        return Some(Intent::Courtesy);
    }
    let asks_for_help = first == "help" && lower.len() <= 2;
    let text = lower.join(" ");
    (asks_for_help || text.contains("what can you do") || text.contains("who are you") || text.contains("what are you"))
        .then_some(Intent::Help)
}

/// `search for X [in PATH]`, `grep X`, `look for X`, `find X`, `find files named X`.
fn search(words: &[&str], lower: &[String]) -> Option<Intent> {
    let verb = lower.iter().take(4).position(|word| is_one_of(word, SEARCH) || word == "find")?;
    if lower[verb] == "look" && lower.get(verb + 1).is_none_or(|next| next != "for") {
        return None;
    }
    let is_file_search = lower[verb] == "find" || lower[verb..].iter().any(|word| word == "named" || word == "called");
    let from = verb + 1 + lower[verb + 1..].iter().take_while(|word| is_one_of(word, FILLERS)).count();
    let at = (from + 1..words.len()).rev().find(|at| is_one_of(&lower[*at], IN));
    let about = words.get(from..at.unwrap_or(words.len()))?;
    let here = about.iter().rev().take_while(|word| is_one_of(&word.to_lowercase(), HERE)).count();
    let pattern = about[..about.len() - here].join(" ");
    if pattern.is_empty() {
        return None;
    }
    let looks_like_a_name = pattern.contains(['*', '.', '/', '?']) && !pattern.contains(' ');
    let tool = if is_file_search && looks_like_a_name { "find" } else { "grep" };
    let mut arguments = Map::new();
    arguments.insert("pattern".into(), pattern.into());
    if let Some(path) = at.and_then(|at| place(&words[at + 1..])) {
        arguments.insert("path".into(), path.into());
    }
    Some(Intent::Call { tool, arguments: Value::Object(arguments) })
}

/// `read X`, `open the file X`, `show me X.txt`, `what is in X.txt`.
fn read(words: &[&str], lower: &[String]) -> Option<Intent> {
    let reads = lower.iter().take(4).any(|word| is_one_of(word, READ)) || lower[0].starts_with("what");
    if !reads {
        return None;
    }
    let named = words.iter().rposition(|word| looks_like_a_file(word));
    let after_verb = || {
        let verb = lower.iter().take(4).position(|word| matches!(word.as_str(), "read" | "open" | "cat"))?;
        let at = verb + 1 + lower[verb + 1..].iter().take_while(|word| is_one_of(word, FILLERS)).count();
        (at + 1 == words.len() && !is_one_of(&lower[at], FILES) && !is_one_of(&lower[at], HERE)).then_some(at)
    };
    let path = words[named.or_else(after_verb)?];
    Some(Intent::Call { tool: "read", arguments: Map::from_iter([("path".to_owned(), path.into())]).into() })
}

/// `list the files here`, `show me the files in src`, `what is in this folder`, `ls src`.
fn list(words: &[&str], lower: &[String]) -> Option<Intent> {
    let shows = lower.iter().take(4).any(|word| is_one_of(word, SHOW));
    let files = lower.iter().any(|word| is_one_of(word, FILES));
    let bare_ls = lower[0] == "ls" && words.len() <= 2;
    if !(bare_ls || shows && files) {
        return None;
    }
    let at = if bare_ls { Some(0) } else { lower.iter().rposition(|word| is_one_of(word, IN)) };
    let path = at.and_then(|at| place(&words[at + 1..]));
    let arguments = path.map(|path| ("path".to_owned(), Value::from(path))).into_iter().collect::<Map<_, _>>();
    Some(Intent::Call { tool: "ls", arguments: arguments.into() })
}

/// The path that follows `in`; `None` for words that mean the current place.
fn place<'w>(words: &[&'w str]) -> Option<&'w str> {
    let word = words
        .iter()
        .find(|word| !matches!(word.to_lowercase().as_str(), "the" | "folder" | "directory" | "file" | "files"))?;
    (!is_one_of(&word.to_lowercase(), HERE) && *word != ".").then_some(*word)
}

/// `notes.txt`, `src/main.rs`, `.env`, but not `e.g`, `1.5` or a bare word.
fn looks_like_a_file(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or(word);
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let plausible = (1..=8).contains(&extension.len()) && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    plausible
        && extension.bytes().any(|b| b.is_ascii_alphabetic())
        && (stem.len() > 1 || word.contains('/') || stem.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(message: &str) -> String {
        match recognise(message) {
            Some(Intent::Call { tool, arguments }) => format!("{tool} {arguments}"),
            Some(other) => format!("{other:?}"),
            None => "-".into(),
        }
    }

    #[test]
    fn plain_requests_are_recognised() {
        let messages = [
            "list the files here",
            "List files",
            "show me the files",
            "Please list all files in src.",
            "ls",
            "ls src",
            "what files are there?",
            "What's in this folder?",
            "what is in the src directory",
            "show the contents of docs/",
            "can you list the files in the current directory?",
            "List everything in the workspace",
            "read README.md",
            "Read the file notes",
            "open src/main.rs please",
            "show me notes.txt.",
            "what is in `notes.txt`?",
            "cat .env",
            "search for TODO",
            "search for TODO in src",
            "grep main in the src folder",
            "look for \"hello world\"",
            "find *.rs",
            "find all files named main.rs",
            "find TODO",
            "please search for fn main here",
            "hey, list files",
        ];
        let table: Vec<String> = messages.iter().map(|message| format!("{message} → {}", shown(message))).collect();
        insta::assert_snapshot!(table.join("\n"), @r#"
        list the files here → ls {}
        List files → ls {}
        show me the files → ls {}
        Please list all files in src. → ls {"path":"src"}
        ls → ls {}
        ls src → ls {"path":"src"}
        what files are there? → ls {}
        What's in this folder? → ls {}
        what is in the src directory → ls {"path":"src"}
        show the contents of docs/ → ls {"path":"docs/"}
        can you list the files in the current directory? → ls {}
        List everything in the workspace → ls {}
        read README.md → read {"path":"README.md"}
        Read the file notes → read {"path":"notes"}
        open src/main.rs please → read {"path":"src/main.rs"}
        show me notes.txt. → read {"path":"notes.txt"}
        what is in `notes.txt`? → read {"path":"notes.txt"}
        cat .env → read {"path":".env"}
        search for TODO → grep {"pattern":"TODO"}
        search for TODO in src → grep {"pattern":"TODO","path":"src"}
        grep main in the src folder → grep {"pattern":"main","path":"src"}
        look for "hello world" → grep {"pattern":"hello world"}
        find *.rs → find {"pattern":"*.rs"}
        find all files named main.rs → find {"pattern":"main.rs"}
        find TODO → grep {"pattern":"TODO"}
        please search for fn main here → grep {"pattern":"fn main"}
        hey, list files → ls {}
        "#);
    }

    #[test]
    fn small_talk_is_recognised_and_other_text_is_not() {
        for message in ["hello", "Hi!", "hey there", "Good morning!", "hello, how are you?"] {
            assert_eq!(recognise(message), Some(Intent::Greeting), "{message}");
        }
        assert_eq!(recognise("thank you!"), Some(Intent::Courtesy));
        assert_eq!(recognise("help"), Some(Intent::Help));
        assert_eq!(recognise("What can you do for me?"), Some(Intent::Help));
        for message in [
            "",
            "why is the sky blue?",
            "read",
            "search",
            "look at that",
            "open it",
            "the price is 1.5",
            "write a poem",
        ] {
            assert_eq!(recognise(message), None, "{message}");
        }
        assert_eq!(recognise(&"list files ".repeat(40)), None, "long texts are not guessed at");
    }

    proptest! {
        #[test]
        fn never_fails(message in "\\PC{0,60}", words in proptest::collection::vec("(list|read|find|look|for|in|the|ls|\\.|a\\.b|é)", 0..8)) {
            prop_assert_eq!(recognise(&message), recognise(&message));
            prop_assert_eq!(shown(&words.join(" ")), shown(&words.join("  ")));
        }
    }
}
