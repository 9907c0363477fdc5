//! Where text goes: data on stdout, talk on stderr, in the format the caller asked for.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::{Value, json};

use crate::cli::args::Globals;
use crate::cli::error::{Outcome, error_object, three_parts};
use crate::core::Error;

use super::style::{Meaning, colour};
use super::table::{Drawing, Table};

/// Format of stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One object.
    Json,
    /// One object per line.
    JsonLines,
}

/// stdout and stderr of one command.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent property of a stream or a flag")]
pub(crate) struct Output {
    format: Format,
    quiet: bool,
    plain: bool,
    wide: bool,
    colour_out: bool,
    colour_err: bool,
    terminal_out: bool,
    terminal_err: bool,
    ascii: bool,
}

impl Output {
    /// As flags, environment and the kind of stdout and stderr ask for.
    pub(crate) fn for_process(globals: &Globals) -> Self {
        let env = |name: &str| std::env::var(name).ok();
        let refused = globals.no_color || globals.plain;
        let terminal_out = io::stdout().is_terminal();
        let terminal_err = io::stderr().is_terminal();
        let format = match (globals.json, globals.jsonl) {
            (true, _) => Format::Json,
            (_, true) => Format::JsonLines,
            _ => Format::Text,
        };
        let locale =
            ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| env(name).filter(|text| !text.is_empty()));
        Self {
            format,
            quiet: globals.quiet,
            plain: globals.plain,
            wide: globals.wide,
            colour_out: colour(env, refused, terminal_out),
            colour_err: colour(env, refused, terminal_err),
            terminal_out,
            terminal_err,
            ascii: env("TERM").is_some_and(|term| term == "linux")
                || locale.is_some_and(|locale| matches!(locale.as_str(), "C" | "POSIX")),
        }
    }

    /// Neither colour nor terminal.
    pub(crate) fn plain(format: Format) -> Self {
        Self {
            format,
            quiet: false,
            plain: true,
            wide: false,
            colour_out: false,
            colour_err: false,
            terminal_out: false,
            terminal_err: false,
            ascii: false,
        }
    }

    /// Format of stdout.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether stdout is for a person.
    pub(crate) fn is_text(&self) -> bool {
        self.format == Format::Text
    }

    /// Whether `--plain` was given.
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Whether stdout is a terminal.
    pub(crate) fn stdout_is_terminal(&self) -> bool {
        self.terminal_out
    }

    /// Whether stderr is a terminal.
    pub(crate) fn stderr_is_terminal(&self) -> bool {
        self.terminal_err
    }

    /// Whether talk is wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// The sign of success and of failure.
    pub(crate) fn mark(&self, good: bool) -> &'static str {
        match (good, self.ascii || self.plain) {
            (true, false) => "✓",
            (false, false) => "✗",
            (true, true) => "+",
            (false, true) => "x",
        }
    }

    /// The text in the colour of its meaning, for stdout.
    pub(crate) fn paint(&self, meaning: Meaning, text: &str) -> String {
        meaning.paint(text, self.colour_out)
    }

    /// The text in the colour of its meaning, for stderr.
    pub(crate) fn paint_err(&self, meaning: Meaning, text: &str) -> String {
        meaning.paint(text, self.colour_err)
    }

    /// A line on stdout.
    #[expect(clippy::unused_self, reason = "stdout belongs to the output, so that every line goes through it")]
    pub(crate) fn line(&self, text: &str) -> Outcome {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")?;
        Ok(())
    }

    /// Text on stdout as it is, at once.
    #[expect(clippy::unused_self, reason = "stdout belongs to the output, so that every line goes through it")]
    pub(crate) fn raw(&self, text: &str) -> Outcome {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(())
    }

    /// Bytes on stdout as they are, at once.
    #[expect(clippy::unused_self, reason = "stdout belongs to the output, so that everything goes through it")]
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Outcome {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()?;
        Ok(())
    }

    /// Data: the object, or its list (`rows`) one object per line, or the text, by format.
    pub(crate) fn data(&self, value: &Value, rows: &str, text: impl FnOnce() -> String) -> Outcome {
        match self.format {
            Format::Json => self.json(value),
            Format::JsonLines => match value.get(rows).and_then(Value::as_array) {
                Some(list) => list.iter().try_for_each(|row| self.json_line(row)),
                None => self.json_line(value),
            },
            Format::Text => self.line(&text()),
        }
    }

    /// One value that has no form for people: indented, or on one line with `--jsonl`.
    pub(crate) fn object(&self, value: &Value) -> Outcome {
        if self.format == Format::JsonLines { self.json_line(value) } else { self.json(value) }
    }

    /// One object, indented.
    pub(crate) fn json(&self, value: &Value) -> Outcome {
        self.line(&format!("{value:#}"))
    }

    /// One object on one line, at once.
    pub(crate) fn json_line(&self, value: &Value) -> Outcome {
        self.raw(&format!("{value}\n"))
    }

    /// A table as this stdout wants it.
    pub(crate) fn table(&self, table: &Table) -> String {
        let width = if self.wide || !self.terminal_out { None } else { terminal_width() };
        table.draw(Drawing { width, colour: self.colour_out, tabs: self.plain || !self.terminal_out })
    }

    /// Talk: a line on stderr unless `--quiet`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// A warning on stderr unless `--quiet`.
    pub(crate) fn warn(&self, text: &str) {
        self.note(&format!("{} {text}", self.paint_err(Meaning::Warn, "warning:")));
    }

    /// An error: three lines on stderr, or the error object on stdout.
    pub(crate) fn error(&self, error: &Error) -> Outcome {
        match self.format {
            Format::Json => self.json(&error_object(error)),
            Format::JsonLines => self.json_line(&error_object(error)),
            Format::Text => {
                let text = super::text::clean(&three_parts(error));
                let text = match text.strip_prefix("error:") {
                    Some(rest) => format!("{}{rest}", self.paint_err(Meaning::Error, "error:")),
                    None => text,
                };
                say(&text);
                Ok(())
            }
        }
    }

    /// The answer of a command that did something: `{ok: true, …}` or a line.
    pub(crate) fn done(&self, fields: Value, text: &str) -> Outcome {
        if self.is_text() {
            return if self.quiet { Ok(()) } else { self.line(text) };
        }
        let mut object = json!({ "ok": true });
        if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
            object.extend(fields);
        }
        self.data(&object, "", String::new)
    }
}

/// A line on stderr. Nobody can be told that stderr is closed, so that failure ends here.
pub(crate) fn say(text: &str) {
    let mut err = io::stderr().lock();
    if err.write_all(text.as_bytes()).and_then(|()| err.write_all(b"\n")).is_err() {
        // dropped: stderr is closed or full, and there is no other place for talk
    }
}

/// Text on stderr as it is, at once; as with [`say`], its failure ends here.
pub(crate) fn say_part(text: &str) {
    let mut err = io::stderr().lock();
    if err.write_all(text.as_bytes()).and_then(|()| err.flush()).is_err() {
        // dropped: stderr is closed or full, and there is no other place for talk
    }
}

fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0)
}
