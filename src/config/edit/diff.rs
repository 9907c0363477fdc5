//! Unified diffs and the list of changed paths.

use serde_json::Value;

use super::super::path::join;

/// Lines of context around a change.
const CONTEXT: usize = 3;
/// Above this many cells the middle part is shown as one replacement instead of being compared line by line.
const MAX_CELLS: usize = 4_000_000;

enum Line<'t> {
    Same(&'t str),
    Removed(&'t str),
    Added(&'t str),
}

/// The unified diff of two texts; empty if they are equal.
pub(super) fn unified(name: &str, before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let lines = compare(&old, &new);
    let changes: Vec<usize> = (0..lines.len()).filter(|&at| !matches!(lines[at], Line::Same(_))).collect();
    let Some(&first) = changes.first() else { return String::new() };
    let mut hunks = vec![(first, first)];
    for &at in &changes[1..] {
        match hunks.last_mut() {
            Some(hunk) if at - hunk.1 <= 2 * CONTEXT => hunk.1 = at,
            _ => hunks.push((at, at)),
        }
    }
    let mut text = format!("--- {name}\n+++ {name}\n");
    for (from, to) in hunks {
        hunk(&lines, from.saturating_sub(CONTEXT), (to + CONTEXT + 1).min(lines.len()), &mut text);
    }
    text
}

fn hunk(lines: &[Line<'_>], from: usize, to: usize, text: &mut String) {
    let olds = |range: &[Line<'_>]| range.iter().filter(|line| !matches!(line, Line::Added(_))).count();
    let news = |range: &[Line<'_>]| range.iter().filter(|line| !matches!(line, Line::Removed(_))).count();
    let (before, inside) = (&lines[..from], &lines[from..to]);
    let start = |before: usize, count: usize| if count == 0 { before } else { before + 1 };
    let (old_count, new_count) = (olds(inside), news(inside));
    let (old_start, new_start) = (start(olds(before), old_count), start(news(before), new_count));
    text.extend([format!("@@ -{old_start},{old_count} +{new_start},{new_count} @@\n")]);
    for line in inside {
        let (mark, line) = match line {
            Line::Same(line) => (' ', line),
            Line::Removed(line) => ('-', line),
            Line::Added(line) => ('+', line),
        };
        text.push(mark);
        text.push_str(line);
        text.push('\n');
    }
}

fn compare<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Line<'t>> {
    let head = old.iter().zip(new).take_while(|(left, right)| left == right).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(left, right)| left == right).count();
    let mut lines: Vec<Line<'t>> = old[..head].iter().map(|line| Line::Same(line)).collect();
    middle(&old_rest[..old_rest.len() - tail], &new_rest[..new_rest.len() - tail], &mut lines);
    lines.extend(old[old.len() - tail..].iter().map(|line| Line::Same(line)));
    lines
}

/// Longest common subsequence by the usual table.
fn middle<'t>(old: &[&'t str], new: &[&'t str], lines: &mut Vec<Line<'t>>) {
    let width = new.len() + 1;
    if (old.len() + 1).saturating_mul(width) > MAX_CELLS {
        lines.extend(old.iter().map(|line| Line::Removed(line)));
        lines.extend(new.iter().map(|line| Line::Added(line)));
        return;
    }
    let mut table = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            table[i * width + j] = if old[i] == new[j] {
                table[(i + 1) * width + j + 1] + 1
            } else {
                table[(i + 1) * width + j].max(table[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(Line::Same(old[i]));
            i += 1;
            j += 1;
        } else if j == new.len() || (i < old.len() && table[(i + 1) * width + j] >= table[i * width + j + 1]) {
            lines.push(Line::Removed(old[i]));
            i += 1;
        } else {
            lines.push(Line::Added(new[j]));
            j += 1;
        }
    }
}

/// Paths whose value differs. A list whose length changed is one path.
pub(super) fn changed_paths(before: &Value, after: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    walk(Some(before), Some(after), "", &mut paths);
    paths
}

fn walk(before: Option<&Value>, after: Option<&Value>, path: &str, paths: &mut Vec<String>) {
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            for (key, value) in new {
                walk(old.get(key), Some(value), &join(path, key), paths);
            }
            for (key, value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
                walk(Some(value), None, &join(path, key), paths);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                walk(Some(old), Some(new), &format!("{path}[{index}]"), paths);
            }
        }
        (None, Some(Value::Object(new))) if !new.is_empty() => {
            for (key, value) in new {
                walk(None, Some(value), &join(path, key), paths);
            }
        }
        _ if before == after => {}
        _ => paths.push(path.to_owned()),
    }
}
