//! Values to text, in the style of the text around them.

use serde_json::Value;

use super::scan::is_identifier;

/// How strings or keys are quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quote {
    /// `"…"`
    Double,
    /// `'…'`
    Single,
    /// No quotes where the key is a plain name, else double ones.
    None,
}

/// The habits of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Style {
    /// One level of indentation.
    pub(crate) indent: String,
    /// `\n` or `\r\n`.
    pub(crate) newline: &'static str,
    /// Quotes around keys.
    pub(crate) keys: Quote,
    /// Quotes around strings.
    pub(crate) strings: Quote,
    /// A comma after the last item.
    pub(crate) trailing_comma: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { indent: "  ".into(), newline: "\n", keys: Quote::Double, strings: Quote::Double, trailing_comma: false }
    }
}

/// The value's text; lines after the first are indented by `margin`.
pub(crate) fn print_value(value: &Value, style: &Style, margin: &str) -> String {
    let mut text = String::new();
    write_value(&mut text, value, style, margin);
    text
}

/// The key's text with the quotes of the style.
pub(crate) fn print_key(key: &str, quote: Quote) -> String {
    if quote == Quote::None && is_identifier(key) { key.to_owned() } else { quoted(key, quote) }
}

fn write_value(text: &mut String, value: &Value, style: &Style, margin: &str) {
    match value {
        Value::String(string) => text.push_str(&quoted(string, style.strings)),
        Value::Array(items) if !items.is_empty() => {
            let items = items.iter().map(|item| (None, item)).collect::<Vec<_>>();
            write_items(text, ('[', ']'), &items, style, margin);
        }
        Value::Object(members) if !members.is_empty() => {
            let items = members.iter().map(|(key, item)| (Some(key), item)).collect::<Vec<_>>();
            write_items(text, ('{', '}'), &items, style, margin);
        }
        scalar_or_empty => text.push_str(&scalar_or_empty.to_string()),
    }
}

fn write_items(
    text: &mut String,
    brackets: (char, char),
    items: &[(Option<&String>, &Value)],
    style: &Style,
    margin: &str,
) {
    let inner = format!("{margin}{}", style.indent);
    text.push(brackets.0);
    for (index, (key, item)) in items.iter().enumerate() {
        text.push_str(style.newline);
        text.push_str(&inner);
        if let Some(key) = key {
            text.push_str(&print_key(key, style.keys));
            text.push_str(": ");
        }
        write_value(text, item, style, &inner);
        if index + 1 < items.len() || style.trailing_comma {
            text.push(',');
        }
    }
    text.push_str(style.newline);
    text.push_str(margin);
    text.push(brackets.1);
}

fn quoted(string: &str, quote: Quote) -> String {
    let double = Value::from(string).to_string();
    if quote != Quote::Single || string.contains('\'') {
        return double;
    }
    let inner = &double[1..double.len() - 1];
    format!("'{}'", inner.replace("\\\"", "\""))
}
