//! Outputs that were too long for a result, kept in the scratch files.

use std::sync::Arc;

use crate::core::ToolCallId;
use crate::fs::{AgentFiles, FsError, RelPath, WriteOptions};
use crate::tools::support::{Failure, blocking};

/// Directory in the scratch files.
const DIRECTORY: &str = "exec";
/// Logs kept; the oldest go first.
const KEPT: usize = 20;
/// Entries of the directory that are looked at.
const LOOKED_AT: usize = 1000;

/// Stores a log and gives back what the model can read it by.
pub(super) async fn store(scratch: &Arc<dyn AgentFiles>, call: &ToolCallId, log: Vec<u8>) -> Result<String, Failure> {
    let (scratch, name) = (Arc::clone(scratch), file_name(call));
    blocking(move || {
        let directory = RelPath::parse(DIRECTORY)?;
        make_room(scratch.as_ref(), &directory)?;
        let path = directory.join(&name)?;
        let options = WriteOptions { create_parents: true, ..WriteOptions::default() };
        scratch.write_with(&path, &log, &options)?;
        Ok(format!("scratch:/{path}"))
    })
    .await
}

/// Removes the oldest logs, so that commands that write much do not fill the scratch files.
fn make_room(scratch: &dyn AgentFiles, directory: &RelPath) -> Result<(), FsError> {
    let mut entries = match scratch.list_bounded(directory, LOOKED_AT) {
        Ok(listing) => listing.entries,
        Err(FsError::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    entries.retain(|entry| entry.name.ends_with(".log"));
    entries.sort_by_key(|entry| entry.modified_ms);
    let excess = (entries.len() + 1).saturating_sub(KEPT);
    for entry in entries.into_iter().take(excess) {
        scratch.remove_file(&directory.join(&entry.name)?)?;
    }
    Ok(())
}

/// Ids come from models: only plain characters are used of them.
fn file_name(call: &ToolCallId) -> String {
    let plain = |character: char| if character.is_ascii_alphanumeric() || character == '-' { character } else { '_' };
    let name: String = call.as_str().chars().take(64).map(plain).collect();
    format!("{name}.log")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::HostCapabilityFs;

    #[tokio::test]
    async fn logs_are_kept_and_the_oldest_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let scratch: Arc<dyn AgentFiles> = Arc::new(HostCapabilityFs::open(dir.path()).unwrap());
        let first = store(&scratch, &"call/../1".into(), b"one".to_vec()).await.unwrap();
        assert_eq!(first, "scratch:/exec/call____1.log");
        assert_eq!(scratch.read(&RelPath::parse("exec/call____1.log").unwrap(), 9).unwrap(), b"one");
        for number in 0..2 * KEPT {
            store(&scratch, &format!("n{number}").into(), b"x".to_vec()).await.unwrap();
        }
        let left = scratch.list_bounded(&RelPath::parse("exec").unwrap(), 1000).unwrap().entries;
        assert_eq!(left.len(), KEPT);
        assert!(left.iter().any(|entry| entry.name == format!("n{}.log", 2 * KEPT - 1)));
    }
}
