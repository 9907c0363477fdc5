//! What models put around a patch out of habit with shells.

/// The patch without a byte order mark, a code fence, a here-document or quotes around it, and the number of lines before it.
pub(super) fn unwrap(text: &str) -> (usize, &str) {
    let whole = text;
    let mut text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
    // A fence around a command around a here-document is the most there can be.
    for _ in 0..3 {
        let inner = fenced(text).or_else(|| here_document(text)).or_else(|| quoted(text));
        match inner {
            Some(inner) => text = inner.trim(),
            None => break,
        }
    }
    // `text` is a part of `whole`.
    let before = text.as_ptr().addr().saturating_sub(whole.as_ptr().addr()).min(whole.len());
    (memchr::memchr_iter(b'\n', &whole.as_bytes()[..before]).count(), text)
}

/// Between lines of three backquotes.
fn fenced(text: &str) -> Option<&str> {
    let (first, rest) = text.strip_prefix("```")?.split_once('\n')?;
    let is_language = first.trim().chars().all(|character| character.is_ascii_alphanumeric());
    let (body, last) = rest.rsplit_once('\n')?;
    (is_language && last.trim() == "```").then_some(body)
}

/// `apply_patch <<'EOF'` … `EOF`, with or without the command and the quotes.
fn here_document(text: &str) -> Option<&str> {
    let (first, rest) = text.split_once('\n')?;
    let redirection = after_command(first.trim()).strip_prefix("<<")?.trim_start_matches('-').trim();
    let word = unquote(redirection).unwrap_or(redirection);
    let is_word =
        !word.is_empty() && word.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    let (body, last) = rest.rsplit_once('\n')?;
    (is_word && last.trim() == word).then_some(body)
}

/// `apply_patch "…"`, with or without the command.
fn quoted(text: &str) -> Option<&str> {
    unquote(after_command(text))
}

fn after_command(text: &str) -> &str {
    ["apply_patch", "applypatch"]
        .iter()
        .find_map(|command| {
            text.strip_prefix(command).or_else(|| text.strip_prefix('"')?.strip_prefix(command)?.strip_prefix('"'))
        })
        .filter(|rest| rest.starts_with(char::is_whitespace) || rest.starts_with("<<"))
        .unwrap_or(text)
        .trim_start()
}

fn unquote(text: &str) -> Option<&str> {
    ['"', '\''].iter().find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_come_off_and_lines_are_counted() {
        let patch = "*** Begin Patch\n*** End Patch";
        for (text, before) in [
            (patch.to_owned(), 0),
            (format!("\u{feff}\n\n{patch}\n  "), 2),
            (format!("<<EOF\n{patch}\nEOF"), 1),
            (format!("<<'EOF'\n{patch}\nEOF\n"), 1),
            (format!("<<-\"PATCH\"\n{patch}\nPATCH"), 1),
            (format!("apply_patch <<'EOF'\n{patch}\nEOF"), 1),
            (format!("\"apply_patch\" <<'EOF'\n{patch}\nEOF"), 1),
            (format!("applypatch<<EOF\n{patch}\nEOF"), 1),
            (format!("apply_patch '{patch}'"), 0),
            (format!("\"{patch}\n\""), 0),
            (format!("```diff\n{patch}\n```"), 1),
            (format!("```\napply_patch <<'EOF'\n{patch}\nEOF\n```"), 2),
        ] {
            assert_eq!(unwrap(&text), (before, patch), "{text}");
        }
    }

    #[test]
    fn what_is_no_wrapper_stays() {
        for text in ["apply_patches x", "<<EOF\nx\nOTHER", "'x", "<<\nx\n", "cd /x && apply_patch <<'EOF'\nx\nEOF", ""]
        {
            assert_eq!(unwrap(text).1, text.trim(), "{text}");
        }
    }
}
