//! State of OpenClaw versions that kept conversations in files.

use std::path::{Path, PathBuf};

use crate::doctor::{Facts, Finding, Severity, files};

use super::state_dir::shown;

pub(super) const PRESENT: &str = "legacy.present";

/// Entries looked at in each directory.
const MOST: usize = 2_000;

/// Conversations of earlier versions are mentioned.
pub(super) fn present(facts: &Facts<'_>) -> Vec<Finding> {
    let agents = facts.at.paths.root.join("agents");
    let mut directories: Vec<PathBuf> =
        files::entries(&agents, MOST).iter().map(|agent| agent.join("sessions")).collect();
    directories.push(facts.at.paths.root.join("sessions"));
    let (mut indexes, mut transcripts) = (0_usize, 0_usize);
    for path in directories.iter().flat_map(|directory| files::entries(directory, MOST)) {
        if path.file_name().is_some_and(|name| name == "sessions.json") {
            indexes += 1;
        } else if is_jsonl(&path) {
            transcripts += 1;
        }
    }
    if indexes + transcripts == 0 {
        return Vec::new();
    }
    vec![
        Finding::new(
            PRESENT,
            Severity::Info,
            shown(&facts.at.paths.root),
            format!("{indexes} session lists and {transcripts} transcripts of an earlier OpenClaw are here"),
        )
        .effect("this version leaves them untouched and does not show them; a later version imports them"),
    ]
}

fn is_jsonl(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jsonl")
}
