//! Configuration without its secrets, for people and clients.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use super::json5::{Kind, Node, parse};
use super::path::join;
use super::substitute;
use crate::secrets::Environment;

/// What stands in the place of a secret; OpenClaw's clients send it back for values they leave alone.
pub const SENTINEL: &str = "__OPENCLAW_REDACTED__";

/// What a diff shows for a secret that has another value than before.
const CHANGED: &str = "__OPENCLAW_REDACTED_CHANGED__";

/// Shorter values of variables are too likely to stand in a text by chance.
const MIN_SECRET: usize = 6;

/// Headers that are never secret.
const PLAIN_HEADERS: &[&str] = &[
    "accept",
    "content-type",
    "user-agent",
    "anthropic-version",
    "anthropic-beta",
    "openai-beta",
    "http-referer",
    "referer",
    "x-title",
];

/// Where a value stands, as far as secrecy goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Its own text decides.
    Open,
    /// Its key says that it is secret.
    Secret,
    /// A map of headers or variables: every value is secret.
    Secrets,
}

/// Redacted copy: every secret string or number becomes [`SENTINEL`]. `${VAR}` alone and secret references stay visible.
pub fn redact(value: &Value) -> Value {
    redact_in(value, Place::Open)
}

/// Like [`redact`], and masks every string that holds the value of a variable whose name says that it is secret, whatever
/// key it stands at.
pub(super) fn redact_values(value: &Value, env: &Environment) -> Value {
    let secret = |name: &str| is_secret_key(name) || name.to_uppercase().ends_with("KEY");
    let hidden: Vec<&str> = env
        .vars
        .iter()
        .filter(|(name, value)| secret(name) && value.len() >= MIN_SECRET)
        .map(|(_, value)| value.as_str())
        .collect();
    let mut redacted = redact(value);
    mask_values(&mut redacted, &hidden);
    redacted
}

fn mask_values(value: &mut Value, hidden: &[&str]) {
    match value {
        Value::String(text) if hidden.iter().any(|secret| text.contains(secret)) => *value = SENTINEL.into(),
        Value::Array(elements) => elements.iter_mut().for_each(|element| mask_values(element, hidden)),
        Value::Object(members) => members.values_mut().for_each(|member| mask_values(member, hidden)),
        _ => {}
    }
}

/// The text of a configuration file with the same values masked in place; everything else byte for byte. A text that does
/// not parse is masked by the names before its colons and the forms of secrets.
pub fn redact_raw(raw: &str) -> String {
    redact_raw_since(raw, "")
}

/// Like [`redact_raw`], with a different mark for secrets that `before` has with another value.
pub(super) fn redact_raw_since(raw: &str, before: &str) -> String {
    let Ok(parsed) = parse(raw, 0) else { return mask_broken(raw) };
    let old = parse(before, 0).map(|old| secrets_of(&old.root)).unwrap_or_default();
    let mut text = raw.to_owned();
    for secret in secrets_of(&parsed.root).into_iter().rev() {
        let quote = if raw[secret.start..].starts_with('\'') { '\'' } else { '"' };
        let value = &raw[secret.start..secret.end];
        let changed = old.iter().any(|old| old.path == secret.path && before[old.start..old.end] != *value);
        let mark = if changed { CHANGED } else { SENTINEL };
        text.replace_range(secret.start..secret.end, &format!("{quote}{mark}{quote}"));
    }
    mask_comments(&text)
}

/// Last words of keys whose values are secret, in small letters and without separators.
const SECRET_ENDS: &[&str] = &[
    "token",
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "secret",
    "secretkey",
    "accesskey",
    "accesskeyid",
    "privatekey",
    "privatekeypem",
    "signingkey",
    "encryptionkey",
    "authkey",
    "credential",
    "credentials",
    "authorization",
    "cookie",
    "cookies",
    "connectionstring",
    "webhookurl",
    "bearer",
    "vapidkey",
    "identitydata",
];
/// Keys of OAuth credentials, secret only as whole names.
const SECRET_NAMES: &[&str] = &["refresh", "access"];

/// Whether a key's value is secret by the key's name.
pub fn is_secret_key(key: &str) -> bool {
    let name: String = key.chars().filter(|character| character.is_alphanumeric()).collect::<String>().to_lowercase();
    SECRET_NAMES.contains(&name.as_str()) || SECRET_ENDS.iter().any(|end| name.ends_with(end))
}

fn below(place: Place, key: &str) -> Place {
    match (place, key.to_lowercase().as_str()) {
        (Place::Secrets, name) if PLAIN_HEADERS.contains(&name) => Place::Open,
        (Place::Secrets, "vars") => Place::Secrets,
        (Place::Secrets, "shellenv") => Place::Open,
        (Place::Secrets, _) => Place::Secret,
        (_, "headers" | "env") => Place::Secrets,
        _ if is_secret_key(key) => Place::Secret,
        (Place::Secret, _) => Place::Secret,
        (Place::Open, _) => Place::Open,
    }
}

/// `{source, provider?, id}`: names a secret, holds none.
fn is_reference(names: &[&str]) -> bool {
    names.contains(&"source")
        && names.contains(&"id")
        && names.iter().all(|name| matches!(*name, "source" | "provider" | "id"))
}

fn is_secret_text(text: &str, place: Place) -> bool {
    if text.is_empty() || substitute::is_token(text) {
        return false;
    }
    place == Place::Secret || crate::core::redact::text(text) != text
}

fn redact_in(value: &Value, place: Place) -> Value {
    match value {
        Value::String(text) if is_secret_text(text, place) => SENTINEL.into(),
        Value::Number(_) if place == Place::Secret => SENTINEL.into(),
        Value::Array(elements) => elements.iter().map(|element| redact_in(element, place)).collect(),
        Value::Object(members) => {
            let names: Vec<&str> = members.keys().map(String::as_str).collect();
            if is_reference(&names) {
                return value.clone();
            }
            let redacted = members.iter().map(|(key, member)| (key.clone(), redact_in(member, below(place, key))));
            Value::Object(redacted.collect())
        }
        other => other.clone(),
    }
}

/// A secret value in a text.
struct Found {
    path: String,
    start: usize,
    end: usize,
}

/// Secret values in the order of the text.
fn secrets_of(root: &Node) -> Vec<Found> {
    let mut found = Vec::new();
    collect(root, Place::Open, "", &mut found);
    found
}

fn collect(node: &Node, place: Place, path: &str, found: &mut Vec<Found>) {
    let mut add = || found.push(Found { path: path.to_owned(), start: node.span.start, end: node.span.end });
    match &node.kind {
        Kind::String(text) if is_secret_text(text, place) => add(),
        Kind::Number(_) if place == Place::Secret => add(),
        Kind::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                collect(element, place, &format!("{path}[{index}]"), found);
            }
        }
        Kind::Object(members) => {
            let names: Vec<&str> = members.iter().map(|member| member.key.as_str()).collect();
            if !is_reference(&names) {
                for member in members {
                    collect(&member.value, below(place, &member.key), &join(path, &member.key), found);
                }
            }
        }
        _ => {}
    }
}

/// `name: "text"` in a text that does not parse.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"([A-Za-z0-9_$-]+)(["']?\s*:\s*)("(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)"#)
        .expect("the pattern is constant and a test compiles it")
});

/// Where a map begins whose values are all secret.
static SECRETS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\b(?i:headers|env|vars)["']?\s*:\s*\{"#).expect("the pattern is constant and a test compiles it")
});

/// Masks what stands behind secret names, between the braces of maps of secrets and, since the braces of a broken text may
/// mislead, behind names in capitals.
fn mask_broken(raw: &str) -> String {
    let maps: Vec<(usize, usize)> =
        SECRETS.find_iter(raw).map(|found| (found.end(), closing(raw, found.end()))).collect();
    let masked = NAMED.replace_all(raw, |found: &Captures<'_>| {
        let (name, value) = (&found[1], &found[3]);
        let at = found.get(0).map_or(0, |whole| whole.start());
        let capitals = name.len() > 1 && !name.contains(|character: char| character.is_ascii_lowercase());
        let secret = capitals || is_secret_key(name) || maps.iter().any(|(start, end)| (*start..*end).contains(&at));
        if secret && !substitute::is_token(value.trim_matches(['"', '\''])) {
            format!("{name}{}\"{SENTINEL}\"", &found[2])
        } else {
            found[0].to_owned()
        }
    });
    crate::core::redact::text(&masked).into_owned()
}

/// Masks secrets in comments, where people leave old keys. Text between the values only, so that the result still parses.
fn mask_comments(text: &str) -> String {
    map_comments(text, |comment| crate::core::redact::text(comment).into_owned())
}

/// Puts back what [`redact_raw`] masked in the comments of `current`, in a text that a client made from the masked one:
/// a comment line that is still as it was shown gets its old text.
pub(super) fn restore_comments(text: &str, current: &str) -> String {
    let mut masked: Vec<(String, String)> = Vec::new();
    map_comments(current, |comment| {
        for line in comment.lines().map(comment_line) {
            let shown = crate::core::redact::text(line);
            if shown != line {
                masked.push((shown.into_owned(), line.to_owned()));
            }
        }
        String::new()
    });
    if masked.is_empty() {
        return text.to_owned();
    }
    map_comments(text, |comment| {
        let lines = comment.split_inclusive('\n').map(|line| {
            let shown = comment_line(line);
            match masked.iter().position(|(mask, _)| mask == shown) {
                Some(found) => line.replace(shown, &masked.remove(found).1),
                None => line.to_owned(),
            }
        });
        lines.collect()
    })
}

/// The end of a map that begins before `start`: its brace, as far as braces count in a text that does not parse.
fn closing(raw: &str, start: usize) -> usize {
    let mut depth = 1_usize;
    for (at, character) in raw[start..].char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return start + at;
        }
    }
    raw.len()
}

/// A line between two values without the punctuation before its comment.
fn comment_line(line: &str) -> &str {
    line.trim_end().trim_start_matches(|character: char| character.is_whitespace() || ",:{}[]".contains(character))
}

/// The text with everything between its keys and scalars replaced by what `change` makes of it; unchanged if it does not parse.
fn map_comments(text: &str, mut change: impl FnMut(&str) -> String) -> String {
    let mut result = String::new();
    let mut at = 0;
    let Ok(parsed) = parse(text, 0) else { return text.to_owned() };
    let mut values = Vec::new();
    leaves(&parsed.root, &mut values);
    for (start, end) in values {
        result.push_str(&change(&text[at..start]));
        result.push_str(&text[start..end]);
        at = end;
    }
    result.push_str(&change(&text[at..]));
    result
}

/// Byte ranges of keys and scalars.
fn leaves(node: &Node, spans: &mut Vec<(usize, usize)>) {
    match &node.kind {
        Kind::Array(elements) => elements.iter().for_each(|element| leaves(element, spans)),
        Kind::Object(members) => {
            for member in members {
                spans.push((member.key_span.start, member.key_span.end));
                leaves(&member.value, spans);
            }
        }
        _ => spans.push((node.span.start, node.span.end)),
    }
}
