//! A file as lines, each with the ending that it has.

/// A file's content, taken apart.
pub(super) struct Text<'a> {
    /// A byte order mark, which models do not see.
    pub(super) mark: &'static str,
    /// Lines without their endings.
    pub(super) lines: Vec<&'a str>,
    /// How they end; the last one may end with nothing.
    pub(super) endings: Vec<&'static str>,
    /// What most lines end with.
    pub(super) usual: &'static str,
}

impl<'a> Text<'a> {
    pub(super) fn new(content: &'a str) -> Self {
        let (mark, body) = match content.strip_prefix('\u{feff}') {
            Some(body) => ("\u{feff}", body),
            None => ("", content),
        };
        let (mut lines, mut endings) = (Vec::new(), Vec::new());
        let mut carriages = 0;
        for part in body.split_inclusive('\n') {
            let (line, ending) = match part.strip_suffix('\n') {
                None => (part, ""),
                Some(line) => match line.strip_suffix('\r') {
                    None => (line, "\n"),
                    Some(line) => {
                        carriages += 1;
                        (line, "\r\n")
                    }
                },
            };
            lines.push(line);
            endings.push(ending);
        }
        let usual = if carriages * 2 > lines.len() { "\r\n" } else { "\n" };
        // A single line without an ending decides nothing; neither does an empty file.
        Self { mark, lines, endings, usual }
    }
}
