//! What is wrong with a patch. The texts are for the model: what, where, what to do.

/// A patch that is not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// There is nothing in it.
    #[error("The patch is empty. It needs at least one *** Add File:, *** Update File: or *** Delete File: section")]
    Empty,
    /// It does not begin as it must.
    #[error("The first line of the patch must be '*** Begin Patch', not {found:?}")]
    NoBegin {
        /// The first line.
        found: String,
    },
    /// It does not end as it must.
    #[error("The last line of the patch must be '*** End Patch', not {found:?}. Send the whole patch")]
    NoEnd {
        /// The last line.
        found: String,
    },
    /// A line does not belong where it is.
    #[error("Line {line} of the patch is not understood: {found:?}. {expected}")]
    Line {
        /// From 1.
        line: usize,
        /// The line.
        found: String,
        /// What may be there.
        expected: &'static str,
    },
    /// A section for a file has no name or no content.
    #[error("Line {line} of the patch: {what}")]
    Section {
        /// From 1.
        line: usize,
        /// What is missing.
        what: String,
    },
    /// The lines that a chunk names are not in the file.
    #[error("{path} was not changed: the chunk at line {line} of the patch does not fit. {why}")]
    Chunk {
        /// The file.
        path: String,
        /// Line of the patch, from 1.
        line: usize,
        /// What is not there.
        why: String,
    },
}

/// A line for a message, shortened.
pub(super) fn shown(line: &str) -> String {
    const SHOWN: usize = 120;
    if line.len() <= SHOWN { line.to_owned() } else { format!("{}…", &line[..line.floor_char_boundary(SHOWN)]) }
}
