//! The directives of a message.

use serde_json::{Map, Value, json};

use crate::core::ProviderErrorClass;
use crate::session::message::StopReason;

/// Most repetitions of `repeat:`.
const MAX_REPEAT: usize = 100_000;

/// One thing the message asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Directive {
    /// Call a tool.
    Call { tool: String, arguments: Value },
    /// Run a command; the tool's schema decides how.
    Run(String),
    /// Reason.
    Think(String),
    /// Answer with exactly this.
    Say(String),
    /// End for that reason.
    Stop(StopReason),
    /// Fail like a provider.
    Fail(ProviderErrorClass),
    /// The line cannot be followed; the text says why.
    Malformed(String),
}

/// The directives in `message`, in order; empty when there are none.
pub(super) fn parse(message: &str) -> Vec<Directive> {
    let mut lines = message.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        found.extend(parse_line(line, &mut lines));
    }
    found
}

fn parse_line<'m>(line: &str, following: &mut impl Iterator<Item = &'m str>) -> Option<Directive> {
    let line = line.trim_start();
    if matches!(line.trim_end(), "ls" | "list") {
        return Some(call("ls", json!({})));
    }
    let (name, rest) = line.split_once(':')?;
    // One space belongs to the directive, further ones to `say:`'s text.
    let text = rest.strip_prefix(' ').unwrap_or(rest);
    let value = text.trim();
    Some(match name.to_ascii_lowercase().as_str() {
        "say" => Directive::Say(text.to_owned()),
        "think" => Directive::Think(value.to_owned()),
        "read" => with_path("read", value),
        "ls" | "list" if matches!(value, "" | ".") => call("ls", json!({})),
        "ls" | "list" => with_path("ls", value),
        "find" => with_pattern("find", value),
        "grep" => with_pattern("grep", value),
        "write" => write(value, following),
        "edit" => edit(value),
        "run" if value.is_empty() => Directive::Malformed("run: needs a command, as in `run: ls`.".into()),
        "run" => Directive::Run(value.to_owned()),
        "tool" => tool(value),
        "repeat" => repeat(value),
        "stop" => stop(value),
        "fail" => fail(value),
        _ => return None,
    })
}

fn call(tool: &str, arguments: Value) -> Directive {
    Directive::Call { tool: tool.to_owned(), arguments }
}

fn with_path(tool: &str, path: &str) -> Directive {
    if path.is_empty() {
        return Directive::Malformed(format!("{tool}: needs a path, as in `{tool}: notes.txt`."));
    }
    call(tool, json!({ "path": path }))
}

fn with_pattern(tool: &str, text: &str) -> Directive {
    let (pattern, path) = split_pattern(text);
    if pattern.is_empty() {
        return Directive::Malformed(format!("{tool}: needs a pattern, as in `{tool}: TODO in src`."));
    }
    let mut arguments = Map::new();
    arguments.insert("pattern".into(), pattern.into());
    if let Some(path) = path {
        arguments.insert("path".into(), path.into());
    }
    call(tool, Value::Object(arguments))
}

/// `PATTERN in PATH`, `"PATTERN" in PATH` or `PATTERN`.
fn split_pattern(text: &str) -> (&str, Option<&str>) {
    let path_of = |rest: &str, whole| if rest.is_empty() || rest.contains(char::is_whitespace) { None } else { whole };
    if let Some((pattern, rest)) = text.strip_prefix('"').and_then(|quoted| quoted.rsplit_once('"')) {
        let path = rest.trim().strip_prefix("in ").map(str::trim);
        if rest.trim().is_empty() || path.is_some() {
            return (pattern, path.and_then(|path| path_of(path, Some(path))));
        }
    }
    match text.rsplit_once(" in ") {
        Some((pattern, path)) if path_of(path.trim(), Some(path)).is_some() => (pattern.trim(), Some(path.trim())),
        _ => (text, None),
    }
}

fn write<'m>(value: &str, following: &mut impl Iterator<Item = &'m str>) -> Directive {
    let (path, text) = match value.split_once("<<<") {
        Some((path, text)) if !path.trim().is_empty() => (path.trim(), text),
        _ => return Directive::Malformed("write: needs a path and a text, as in `write: notes.txt <<< hello`.".into()),
    };
    let content = match text.strip_prefix(' ').unwrap_or(text) {
        "" => following.take_while(|line| line.trim_end() != ">>>").flat_map(|line| [line, "\n"]).collect(),
        text => text.to_owned(),
    };
    call("write", json!({ "path": path, "content": content }))
}

fn edit(value: &str) -> Directive {
    let parts = value.split_once("<<<").and_then(|(path, change)| Some((path.trim(), change.split_once("=>")?)));
    match parts {
        Some((path, (old, new))) if !path.is_empty() && !old.trim().is_empty() => {
            call("edit", json!({ "path": path, "edits": [{ "oldText": old.trim(), "newText": new.trim() }] }))
        }
        _ => Directive::Malformed(
            "edit: needs a path, an old and a new text, as in `edit: notes.txt <<< hello => good bye`.".into(),
        ),
    }
}

fn tool(value: &str) -> Directive {
    let (name, arguments) = value.split_once(char::is_whitespace).unwrap_or((value, "{}"));
    match serde_json::from_str::<Value>(arguments.trim()) {
        Ok(arguments @ Value::Object(_)) if !name.is_empty() => call(name, arguments),
        _ => Directive::Malformed(
            "tool: needs a name and a JSON object on one line, as in `tool: read {\"path\": \"notes.txt\"}`.".into(),
        ),
    }
}

fn repeat(value: &str) -> Directive {
    let (count, text) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
    match count.parse::<usize>() {
        Ok(count) if count <= MAX_REPEAT && !text.trim().is_empty() => {
            let budget = usize::try_from(super::MAX_TOKENS).unwrap_or(usize::MAX).saturating_mul(4);
            let text = text.trim();
            // Past the output limit the answer is cut anyway; one piece more makes that cut happen.
            let useful = count.min(budget / (text.len() + 1) + 2);
            Directive::Say(vec![text; useful].join(" "))
        }
        _ => Directive::Malformed(format!(
            "repeat: needs a number up to {MAX_REPEAT} and a text, as in `repeat: 3 hello`."
        )),
    }
}

fn stop(value: &str) -> Directive {
    match value {
        "length" => Directive::Stop(StopReason::Length),
        "refusal" => Directive::Stop(StopReason::Refusal),
        _ => Directive::Malformed("stop: knows `length` and `refusal`.".into()),
    }
}

fn fail(value: &str) -> Directive {
    ProviderErrorClass::named(value).map_or_else(
        || {
            let known: Vec<&str> = ProviderErrorClass::ALL.iter().map(|class| class.as_str()).collect();
            Directive::Malformed(format!("fail: knows {}.", known.join(", ")))
        },
        Directive::Fail,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(message: &str) -> String {
        parse(message)
            .iter()
            .map(|directive| match directive {
                Directive::Call { tool, arguments } => format!("{tool} {arguments}"),
                other => format!("{other:?}"),
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn each_form_is_read() {
        let message = r#"Please do this:
read: notes.txt
  Read:src/main.rs
ls
list
ls: src
ls: .
find: *.rs in src
grep: fn main
grep: "a in b" in src
grep: one in two three
edit: a.txt <<< old text => new text
run: ls -l
tool: read {"path":"a","offset":2}
tool: ls
think: hmm
say:  two spaces
repeat: 3 ha
stop: length
fail: rate_limit
not a directive: x"#;
        insta::assert_snapshot!(shown(message), @r#"
        read {"path":"notes.txt"}
        read {"path":"src/main.rs"}
        ls {}
        ls {}
        ls {"path":"src"}
        ls {}
        find {"pattern":"*.rs","path":"src"}
        grep {"pattern":"fn main"}
        grep {"pattern":"a in b","path":"src"}
        grep {"pattern":"one in two three"}
        edit {"path":"a.txt","edits":[{"oldText":"old text","newText":"new text"}]}
        Run("ls -l")
        read {"path":"a","offset":2}
        ls {}
        Think("hmm")
        Say(" two spaces")
        Say("ha ha ha")
        Stop(Length)
        Fail(RateLimit)
        "#);
    }

    #[test]
    fn a_written_text_may_span_lines_which_are_not_directives() {
        let message = "write: a.txt <<< one line\nwrite: b.txt <<<\nread: not-me\n\n  indented\n>>>\nls: after";
        insta::assert_snapshot!(shown(message), @r#"
        write {"path":"a.txt","content":"one line"}
        write {"path":"b.txt","content":"read: not-me\n\n  indented\n"}
        ls {"path":"after"}
        "#);
    }

    #[test]
    fn what_cannot_be_followed_says_why() {
        let message = "read:\nwrite: a\nwrite: <<< x\nedit: a <<< b\nrun:\ntool: x {\ntool: x [1]\nrepeat: 1000000 x\nrepeat: 2\nstop: now\nfail: x\ngrep:";
        insta::assert_snapshot!(shown(message), @r#"
        Malformed("read: needs a path, as in `read: notes.txt`.")
        Malformed("write: needs a path and a text, as in `write: notes.txt <<< hello`.")
        Malformed("write: needs a path and a text, as in `write: notes.txt <<< hello`.")
        Malformed("edit: needs a path, an old and a new text, as in `edit: notes.txt <<< hello => good bye`.")
        Malformed("run: needs a command, as in `run: ls`.")
        Malformed("tool: needs a name and a JSON object on one line, as in `tool: read {\"path\": \"notes.txt\"}`.")
        Malformed("tool: needs a name and a JSON object on one line, as in `tool: read {\"path\": \"notes.txt\"}`.")
        Malformed("repeat: needs a number up to 100000 and a text, as in `repeat: 3 hello`.")
        Malformed("repeat: needs a number up to 100000 and a text, as in `repeat: 3 hello`.")
        Malformed("stop: knows `length` and `refusal`.")
        Malformed("fail: knows auth, rate_limit, overloaded, context_overflow, invalid_request, model_not_found, network, timeout, protocol, cancelled.")
        Malformed("grep: needs a pattern, as in `grep: TODO in src`.")
        "#);
    }

    #[test]
    fn ordinary_text_has_no_directives() {
        for text in ["", "hello", "the list: of things", "time: 10:30", "https://example.org", "Please read: it"] {
            assert_eq!(parse(text), [], "{text}");
        }
    }
}
