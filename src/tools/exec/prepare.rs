//! From a request to what the sandbox is given: directory, environment, policy. Blocks on files, starts nothing.

use std::path::PathBuf;
use std::sync::Arc;

use super::context::{ExecContext, ExecFiles};
use super::environment;
use super::profile::ExecProfile;
use super::request::Request;
use crate::fs::{AgentFiles, EntryKind, HostCapabilityFs, ProtectedScan, RelPath, ScanBounds, protected_changes};
use crate::sandbox::{CommandSpec, SandboxSpec, Stdin, VIRTUAL_WORKSPACE};
use crate::tools::support::{Failure, blocking};

/// A command that is ready to be decided about.
pub(super) struct Prepared {
    /// The policy.
    pub(super) spec: SandboxSpec,
    /// The command.
    pub(super) command: CommandSpec,
    /// Its directory, relative to the workspace.
    pub(super) cwd: RelPath,
    /// The same as the command sees it.
    pub(super) absolute_cwd: PathBuf,
    /// The protected paths of a host workspace before it runs.
    pub(super) guard: Option<Guard>,
    /// Remarks for the report.
    pub(super) notes: Vec<String>,
}

/// Notices what a command did to protected paths all the same: what does not exist cannot be made read-only.
#[derive(Clone)]
pub(super) struct Guard {
    files: Arc<HostCapabilityFs>,
    before: Arc<ProtectedScan>,
}

impl Guard {
    /// What is different from before, one remark per path.
    pub(super) async fn tampered(&self) -> Vec<String> {
        let guard = self.clone();
        let looked = blocking(move || {
            let after = guard.files.protected_existing(ScanBounds::default())?;
            Ok(protected_changes(&guard.before, &after).iter().map(ToString::to_string).collect())
        });
        looked.await.unwrap_or_else(|failure| vec![format!("the protected files could not be checked: {}", failure.text())])
    }
}

/// Prepares a request of a run.
pub(super) async fn prepare(exec: &ExecContext, profile: &ExecProfile, request: &Request) -> Result<Prepared, Failure> {
    let mut env = exec.environment().to_vec();
    environment::extend(&mut env, &request.env)?;
    let (files, workdir) = (exec.files.clone(), request.workdir.clone());
    let place = blocking(move || look(&files, workdir.as_deref())).await?;
    let mut notes = Vec::new();
    let (spec, root) = match &place.guard {
        Some(guard) => {
            if guard.before.truncated {
                notes.push("the workspace is too large to look for all protected files in it".to_owned());
            }
            let root = guard.files.real_root().to_owned();
            (profile.on_host(root.clone(), guard.before.existing.clone()), root)
        }
        None => (profile.on_virtual_files(), PathBuf::from(VIRTUAL_WORKSPACE)),
    };
    let cwd = place.cwd;
    let relative = PathBuf::from(if cwd.is_root() { "" } else { cwd.as_str() });
    let command = CommandSpec {
        argv: request.argv.iter().map(Into::into).collect(),
        cwd: relative.clone(),
        env,
        // What may go on in the background may be written to there.
        stdin: if request.patience.is_some() { Stdin::Pipe } else { Stdin::Null },
        timeout: request.timeout(),
    };
    let absolute_cwd = if cwd.is_root() { root } else { root.join(relative) };
    Ok(Prepared { spec, command, cwd, absolute_cwd, guard: place.guard, notes })
}

struct Place {
    cwd: RelPath,
    guard: Option<Guard>,
}

fn look(files: &ExecFiles, workdir: Option<&str>) -> Result<Place, Failure> {
    match files {
        ExecFiles::Host(files) => {
            let cwd = directory(files.as_ref(), workdir)?;
            let before = files.protected_existing(ScanBounds::default())?;
            Ok(Place { cwd, guard: Some(Guard { files: Arc::clone(files), before: Arc::new(before) }) })
        }
        ExecFiles::Virtual(files) => Ok(Place { cwd: directory(files.as_ref(), workdir)?, guard: None }),
    }
}

/// The directory a model asked for, which must exist in the workspace.
fn directory(files: &dyn AgentFiles, workdir: Option<&str>) -> Result<RelPath, Failure> {
    let Some(text) = workdir else { return Ok(RelPath::root()) };
    // Models write the directory as commands show it to them.
    let text = match text.strip_prefix(VIRTUAL_WORKSPACE) {
        Some("" | "/") if !is_below_root(files, text) => ".",
        Some(rest) if rest.starts_with('/') && !is_below_root(files, text) => &rest[1..],
        _ => text,
    };
    let path = files.resolve(text)?;
    if path.is_root() {
        return Ok(path);
    }
    match files.stat(&path)?.kind {
        EntryKind::Directory => Ok(path),
        _ => Err(Failure::new(format!("workdir {path} is not a directory. Give a directory of the workspace, or leave it out."))),
    }
}

fn is_below_root(files: &dyn AgentFiles, text: &str) -> bool {
    files.resolve(text).is_ok()
}
