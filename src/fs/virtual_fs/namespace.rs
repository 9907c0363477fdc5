//! Which trees an agent has.

use std::fmt;

use crate::core::RunId;
use crate::fs::FsError;
use crate::fs::rel_path::shorten;

/// Longest run id in a namespace, in bytes.
const MAX_RUN: usize = 512;

/// One of an agent's trees.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// The workspace of an agent whose files are all virtual.
    Workspace,
    /// Files beside the workspace that outlive a run.
    Scratch,
    /// Files of one run, deleted with it.
    Run(RunId),
}

impl Namespace {
    /// `workspace`, `scratch`, `run/<id>`.
    pub fn parse(text: &str) -> Result<Self, FsError> {
        let invalid = |why| FsError::InvalidPath { path: shorten(text), why };
        match text {
            "workspace" => Ok(Self::Workspace),
            "scratch" => Ok(Self::Scratch),
            _ => match text.strip_prefix("run/") {
                Some("") => Err(invalid("run/ needs the id of a run")),
                Some(id) if id.len() > MAX_RUN || id.chars().any(char::is_control) => {
                    Err(invalid("this is not the id of a run"))
                }
                Some(id) => Ok(Self::Run(RunId::from(id))),
                None => Err(invalid("a namespace is workspace, scratch or run/ID")),
            },
        }
    }

    /// What people and models call it.
    pub(super) fn described(&self) -> &'static str {
        match self {
            Self::Workspace => "the virtual workspace",
            Self::Scratch => "the scratch files",
            Self::Run(_) => "the files of the run",
        }
    }

    /// The absolute path that names its root: where a command sees the workspace, and `/` for what commands never see.
    pub(super) fn mount_point(&self) -> &'static str {
        match self {
            Self::Workspace => "/workspace",
            Self::Scratch | Self::Run(_) => "/",
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workspace => formatter.write_str("workspace"),
            Self::Scratch => formatter.write_str("scratch"),
            Self::Run(id) => write!(formatter, "run/{id}"),
        }
    }
}
