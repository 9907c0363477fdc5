//! `${VAR}` in string values.

use std::sync::LazyLock;

use regex::Regex;

use super::MAX_FINDINGS;
use super::error::{Fault, Problem, SourceFile};
use super::json5::{Kind, Node};
use super::path::{Segment, render};
use crate::secrets::Environment;

/// `${NAME}` and the escape `$${NAME}`; lower-case names are text like any other.
static TOKEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$?\$\{([A-Z_][A-Z0-9_]*)\}").expect("the pattern is constant and tests compile it"));

/// Whether the text holds a variable or its escape.
pub(super) fn has_token(text: &str) -> bool {
    text.contains("${") && TOKEN.is_match(text)
}

/// Whether the text is one variable and nothing else.
pub(super) fn is_token(text: &str) -> bool {
    text.starts_with("${") && TOKEN.find(text).is_some_and(|found| found.len() == text.len())
}

/// The text with its variables replaced; `Err` names the first one that is unset or empty.
pub(super) fn text(text: &str, env: &Environment) -> Result<String, String> {
    if !text.contains("${") {
        return Ok(text.to_owned());
    }
    let mut result = String::with_capacity(text.len());
    let mut from = 0;
    for found in TOKEN.captures_iter(text) {
        let Some(token) = found.get(0) else { continue };
        result.push_str(&text[from..token.start()]);
        from = token.end();
        if let Some(escaped) = token.as_str().strip_prefix("$$") {
            result.push('$');
            result.push_str(escaped);
        } else {
            result.push_str(env.get(&found[1]).ok_or_else(|| found[1].to_owned())?);
        }
    }
    result.push_str(&text[from..]);
    Ok(result)
}

/// Replaces the variables of every string under `node`; what is missing stays as written and is reported.
pub(super) fn tree(node: &mut Node, env: &Environment, files: &[SourceFile], problems: &mut Vec<Problem>) {
    walk(node, env, files, &mut Vec::new(), problems);
}

fn walk(
    node: &mut Node,
    env: &Environment,
    files: &[SourceFile],
    path: &mut Vec<Segment>,
    problems: &mut Vec<Problem>,
) {
    let span = node.span;
    match &mut node.kind {
        Kind::String(string) => match text(string, env) {
            Ok(value) => *string = value,
            // Enough are told; the string stays as it is like the others.
            Err(_) if problems.len() >= MAX_FINDINGS => {}
            Err(name) => {
                let key = render(path);
                problems.push(
                    Problem::at(Fault::MissingVariable, files, span, &key, format!("the variable {name} is unset or empty"))
                        .hint(format!(
                            "Set {name} in the environment, in the `.env` of the state directory or under `env.vars`; write $${{{name}}} if the text itself is meant."
                        )),
                );
            }
        },
        Kind::Array(elements) => {
            for (index, element) in elements.iter_mut().enumerate() {
                path.push(Segment::Index(index));
                walk(element, env, files, path, problems);
                path.pop();
            }
        }
        Kind::Object(members) => {
            for member in members {
                path.push(Segment::Key(member.key.clone()));
                walk(&mut member.value, env, files, path, problems);
                path.pop();
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_escapes_and_leaves_the_rest() {
        let vars = [
            ("A".to_owned(), "1".to_owned()),
            ("B_2".to_owned(), "two".to_owned()),
            ("EMPTY".to_owned(), String::new()),
        ];
        let env = Environment { vars: vars.into() };
        assert_eq!(text("x ${A}-${B_2} y", &env), Ok("x 1-two y".into()));
        assert_eq!(text("$${A} ${lower} ${A:-d} $A ${}", &env), Ok("${A} ${lower} ${A:-d} $A ${}".into()));
        assert_eq!(text("${A}${NOPE}", &env), Err("NOPE".into()));
        assert_eq!(text("${EMPTY}", &env), Err("EMPTY".into()));
        assert!(is_token("${A}") && !is_token("$${A}") && !is_token("x${A}"));
    }
}
