//! Patches in the envelope that models know: the pure part of `apply_patch`.
//!
//! ```text
//! *** Begin Patch
//! *** Add File: notes.txt
//! +first line
//! *** Update File: src/main.rs
//! *** Move to: src/app.rs
//! @@ fn main() {
//!      let total = 1;
//! -    print(total);
//! +    show(total);
//! *** Delete File: old.txt
//! *** End Patch
//! ```
//!
//! | file | job |
//! |---|---|
//! | `wrapper` | takes off what models put around a patch: here-documents, quotes |
//! | `parse` | text to [`Patch`] |
//! | `text` | a file as lines with their own endings |
//! | `seek` | finds the lines that a chunk names, in a bounded number of comparisons |
//! | `apply` | a file with its chunks made |
//! | `plan` | all sections in order on the files as they are, to one set of changes |
//! | `error` | what is wrong with a patch, for the model |
//!
//! Where the reference implementation guesses, a patch is refused here: lines to be added below an `@@` line are added there or not at
//! all, and never at the end of the file. Nothing of a patch is made unless all of it can be.

mod apply;
mod error;
mod parse;
mod plan;
mod seek;
mod text;
mod wrapper;

#[cfg(test)]
mod tests;

pub use error::PatchError;
pub use parse::parse;
pub(super) use plan::{Planned, plan};

/// A parsed patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// In the order of the text.
    pub sections: Vec<Section>,
}

/// What happens to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// As it is written in the patch.
    pub path: String,
    /// Line of the patch where it begins, from 1.
    pub line: usize,
    /// What happens.
    pub action: Action,
}

/// See [`Section`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The file has this content, whether it existed or not.
    Add {
        /// Each line ends with a line feed.
        content: String,
    },
    /// The file is removed.
    Delete,
    /// The file changes in places.
    Update {
        /// Its other name afterwards.
        move_to: Option<String>,
        /// From its beginning to its end.
        chunks: Vec<Chunk>,
    },
}

/// One place of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Line of the patch where it begins, from 1.
    pub line: usize,
    /// Lines that come before the place, each after the one before it.
    pub contexts: Vec<String>,
    /// The `@@` line had numbers in it, as those of unified diffs: they are not relied on.
    pub numbered: bool,
    /// What is there and what is to be there.
    pub lines: Vec<ChunkLine>,
    /// The place is the end of the file.
    pub end_of_file: bool,
}

/// A line of a [`Chunk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkLine {
    /// Is there and stays.
    Keep(String),
    /// Is there and goes.
    Remove(String),
    /// Comes.
    Add(String),
}

impl ChunkLine {
    /// The line as it has to be in the file before, if it has to.
    fn before(&self) -> Option<&str> {
        match self {
            Self::Keep(text) | Self::Remove(text) => Some(text),
            Self::Add(_) => None,
        }
    }
}
