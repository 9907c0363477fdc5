//! The primitive changes of a text: replace a value, insert an item, remove an item.

use serde_json::Value;

use super::super::json5::{
    Node, Quote, Style, is_line_terminator, print_key, print_value, skip_trivia, skip_trivia_on_line,
};
use super::items::{Item, items};

/// The text with the value of `node` replaced.
pub(super) fn replace(text: &str, root: &Node, node: &Node, value: &Value) -> String {
    let mut style = style_of(text, root);
    // The habits of the replaced value go before those of the file.
    if text[node.span.start..].starts_with('\'') {
        style.strings = Quote::Single;
    } else if text[node.span.start..].starts_with('"') {
        style.strings = Quote::Double;
    }
    let margin = margin(text, node.span.start);
    let printed = print_value(value, &style, margin);
    format!("{}{printed}{}", &text[..node.span.start], &text[node.span.end..])
}

/// The text with one more item at the end of `parent`: a member with a key, an element without.
pub(super) fn insert(text: &str, root: &Node, parent: &Node, key: Option<&str>, value: &Value) -> String {
    let mut style = style_of(text, root);
    let existing = items(parent);
    if let Some(first) = existing.first()
        && key.is_some()
    {
        style.keys = quote_at(text, first.start);
    }
    let outer = margin(text, parent.span.start);
    let close = parent.span.end - 1;
    let Some(last) = existing.last() else {
        let inner = format!("{outer}{}", style.indent);
        let item = item_text(key, value, &style, &inner);
        let comma = if style.trailing_comma { "," } else { "" };
        let content = text[parent.span.start + 1..close].trim_end();
        let newline = style.newline;
        return format!(
            "{}{content}{newline}{inner}{item}{comma}{newline}{outer}{}",
            &text[..=parent.span.start],
            &text[close..]
        );
    };
    let comma = comma_after(text, last.end);
    if !own_line(text, existing[0].start) {
        let item = item_text(key, value, &style, outer);
        return format!("{}, {item}{}", &text[..last.end], &text[last.end..]);
    }
    let inner = margin(text, last.start);
    let inner = if own_line(text, last.start) { inner } else { margin(text, existing[0].start) };
    let item = item_text(key, value, &style, inner);
    let after = comma.map_or(last.end, |at| at + 1);
    let line_end = skip_trivia_on_line(text, after);
    let line_end = text[..line_end].trim_end_matches([' ', '\t']).len().max(after);
    let (before_comma, trailing) = if comma.is_some() { ("", ",") } else { (",", "") };
    format!(
        "{}{before_comma}{}{}{inner}{item}{trailing}{}",
        &text[..last.end],
        &text[last.end..line_end],
        style.newline,
        &text[line_end..]
    )
}

/// The text without item number `index` of `parent`, with its comma and the comments that belong to it.
pub(super) fn remove(text: &str, parent: &Node, index: usize) -> String {
    let all = items(parent);
    let Some(&item) = all.get(index) else { return text.to_owned() };
    let previous = index.checked_sub(1).and_then(|before| all.get(before));
    let is_last = index + 1 == all.len();
    let comma = comma_after(text, item.end);
    let own = own_line(text, item.start);
    let (start, end) =
        if own { lines_of(text, item, comma, previous, parent) } else { inline_range(text, item, comma) };
    let mut result = String::with_capacity(text.len());
    match (is_last && comma.is_none(), previous) {
        // The comma before the last item goes with it, or strict JSON would become JSON5.
        (true, Some(previous)) => {
            let before = comma_after(text, previous.end).unwrap_or(previous.end);
            let after = (before + 1).min(start);
            result.push_str(&text[..before]);
            result.push_str(if own { &text[after..start] } else { text[after..start].trim_end() });
        }
        _ => result.push_str(&text[..start]),
    }
    result.push_str(&text[end..]);
    if all.len() == 1 { tidy_empty(&result, parent.span.start) } else { result }
}

/// `{ \n }` left by the last item becomes `{}`; comments stay.
fn tidy_empty(text: &str, open: usize) -> String {
    let inside = &text[open + 1..];
    let blank = inside.len() - inside.trim_start().len();
    if inside[blank..].starts_with(['}', ']']) {
        format!("{}{}", &text[..=open], &inside[blank..])
    } else {
        text.to_owned()
    }
}

fn inline_range(text: &str, item: Item, comma: Option<usize>) -> (usize, usize) {
    let Some(comma) = comma else { return (item.start, item.end) };
    let tail = &text[comma + 1..];
    let blanks = tail.len() - tail.trim_start_matches([' ', '\t']).len();
    (item.start, comma + 1 + blanks)
}

/// The lines of an item that starts its own line: comment lines right above it, itself, the comment behind it.
fn lines_of(text: &str, item: Item, comma: Option<usize>, previous: Option<&Item>, parent: &Node) -> (usize, usize) {
    let floor = previous.map_or(parent.span.start + 1, |previous| {
        let after = comma_after(text, previous.end).map_or(previous.end, |at| at + 1);
        skip_trivia_on_line(text, after)
    });
    let mut start = line_start(text, item.start);
    while start > floor {
        let above = line_start(text, start - 1);
        let line = text[above..start].trim();
        let comment = line.starts_with("//") || (line.starts_with("/*") && line.find("*/") == Some(line.len() - 2));
        if !comment || above < floor {
            break;
        }
        start = above;
    }
    let after = comma.map_or(item.end, |at| at + 1);
    let behind = skip_trivia_on_line(text, after);
    let rest = &text[behind..];
    let newline = if rest.starts_with("\r\n") {
        2
    } else {
        rest.chars().next().filter(|&first| is_line_terminator(first)).map_or(0, char::len_utf8)
    };
    if newline == 0 {
        // Another item or the bracket follows on this line: only the item itself goes.
        return inline_range(text, item, comma);
    }
    // Begin behind the line above, not with the blank lines or comments that are its own.
    (start.max(floor), behind + newline)
}

/// Position of the comma after a value, comments between them passed.
fn comma_after(text: &str, end: usize) -> Option<usize> {
    let at = skip_trivia(text, end).unwrap_or(end);
    text[at..].starts_with(',').then_some(at)
}

fn item_text(key: Option<&str>, value: &Value, style: &Style, margin: &str) -> String {
    let printed = print_value(value, style, margin);
    match key {
        Some(key) => format!("{}: {printed}", print_key(key, style.keys)),
        None => printed,
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at]
        .rfind(['\n', '\r', '\u{2028}', '\u{2029}'])
        .map_or(0, |end| end + text[end..].chars().next().map_or(1, char::len_utf8))
}

/// Whether only white space stands before this byte on its line, and the line is not the first of the text.
fn own_line(text: &str, at: usize) -> bool {
    let start = line_start(text, at);
    start > 0 && text[start..at].trim().is_empty()
}

/// The white space at the start of the line.
fn margin(text: &str, at: usize) -> &str {
    let start = line_start(text, at);
    let line = &text[start..at];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

fn quote_at(text: &str, at: usize) -> Quote {
    match text[at..].chars().next() {
        Some('"') => Quote::Double,
        Some('\'') => Quote::Single,
        _ => Quote::None,
    }
}

/// The habits of the file: what its first items do.
fn style_of(text: &str, root: &Node) -> Style {
    let mut style = Style::default();
    if text.contains("\r\n") {
        style.newline = "\r\n";
    }
    let outer = items(root);
    if let Some(first) = outer.first() {
        let indent = margin(text, first.start);
        if own_line(text, first.start) && !indent.is_empty() {
            indent.clone_into(&mut style.indent);
        }
        style.keys = quote_at(text, first.start);
    }
    if let Some(last) = outer.last() {
        style.trailing_comma = comma_after(text, last.end).is_some();
    }
    if let Some(at) = first_string(root) {
        style.strings = quote_at(text, at);
    }
    style
}

fn first_string(node: &Node) -> Option<usize> {
    if node.as_str().is_some() {
        return Some(node.span.start);
    }
    node.elements().iter().chain(node.members().iter().map(|member| &member.value)).find_map(first_string)
}
