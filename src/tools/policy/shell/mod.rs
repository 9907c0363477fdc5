//! What a line of shell is made of, as far as that can be said without running it.
//!
//! The reader knows simple commands of literal words, joined by `&&`, `||`, `;`, `|` and line ends. Everything else in the language
//! (expansions, substitutions, compound commands, here-documents, background jobs, files that are written) makes the line
//! [`Opaque`]: what it runs cannot be read from its text. The same text must mean the same to `sh`, `dash` and `bash`; where they
//! differ, the line is opaque too.

mod reader;

pub(super) use reader::{is_deceptive, read};

/// Longest line that is looked at, in bytes.
pub(super) const MAX_BYTES: usize = 16 * 1024;
/// Most commands of one line.
pub(super) const MAX_COMMANDS: usize = 64;

/// A word as the program gets it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Without quotes and backslashes.
    pub(super) text: String,
    /// The shell puts file names or the home directory in its place.
    pub(super) expands: bool,
    /// Begins with an unquoted `*`, `?` or `[`: what it becomes may begin with `-`.
    pub(super) starts_with_glob: bool,
}

/// Where a command's standard input comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Input {
    /// What the whole line has.
    #[default]
    Inherited,
    /// The command before it.
    Pipe,
    /// A file.
    File,
}

/// A program or builtin with its arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Simple {
    /// At least one.
    pub(super) words: Vec<Word>,
    /// Standard input.
    pub(super) input: Input,
}

/// Why a line cannot be read: completes "the command …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opaque(pub(super) &'static str);
