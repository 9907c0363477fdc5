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
    /// The command.
    pub(super) command: CommandSpec,
    /// Its directory as the command sees it.
    pub(super) cwd: PathBuf,
}

/// Notices what a command did to protected paths all the same: what does not exist cannot be made read-only.
#[derive(Clone)]
pub(super) struct Guard {
    files: Arc<HostCapabilityFs>,
    before: Arc<ProtectedScan>,
}

impl Guard {
    /// A remark for the report when there is more to protect than can be looked for.
    pub(super) fn remark(&self) -> Option<String> {
        self.before.truncated.then(|| "the workspace is too large to look for all protected files in it".to_owned())
    }

    /// What is different from before, one remark per path.
    pub(super) async fn tampered(&self) -> Vec<String> {
        let guard = self.clone();
        let looked = blocking(move || {
            let after = guard.files.protected_existing(ScanBounds::default())?;
            Ok(protected_changes(&guard.before, &after).iter().map(ToString::to_string).collect())
        });
        looked
            .await
            .unwrap_or_else(|failure| vec![format!("the protected files could not be checked: {}", failure.text())])
    }
}

/// Whether commands see the run's files.
fn sees_files(exec: &ExecContext, profile: &ExecProfile) -> bool {
    matches!(exec.files, ExecFiles::Virtual(_)) || profile.sees_workspace()
}

/// The workspace as commands see it.
pub(super) fn root(exec: &ExecContext, profile: &ExecProfile) -> PathBuf {
    match &exec.files {
        ExecFiles::Host(files) if profile.sees_workspace() => files.real_root().to_owned(),
        ExecFiles::Host(_) | ExecFiles::Virtual(_) => PathBuf::from(VIRTUAL_WORKSPACE),
    }
}

/// Prepares a request of a run.
pub(super) async fn prepare(exec: &ExecContext, profile: &ExecProfile, request: &Request) -> Result<Prepared, Failure> {
    let mut env = exec.environment().to_vec();
    environment::extend(&mut env, &request.env)?;
    let (files, workdir) = (exec.files.clone(), request.workdir.clone());
    let is_hidden = !sees_files(exec, profile);
    let cwd = blocking(move || match &files {
        _ if is_hidden && workdir.is_some() => Err(Failure::new(
            "workdir cannot be used: this agent's commands do not see the workspace (sandbox.workspaceAccess is none).",
        )),
        _ if is_hidden => Ok(RelPath::root()),
        ExecFiles::Host(files) => directory(files.as_ref(), workdir.as_deref()),
        ExecFiles::Virtual(files) => directory(files.as_ref(), workdir.as_deref()),
    })
    .await?;
    let root = root(exec, profile);
    let (relative, absolute) =
        if cwd.is_root() { (PathBuf::new(), root) } else { (cwd.as_str().into(), root.join(cwd.as_str())) };
    let command = CommandSpec {
        argv: request.argv.iter().map(Into::into).collect(),
        cwd: relative,
        env,
        // What may go on in the background may be written to there.
        stdin: if request.patience.is_some() { Stdin::Pipe } else { Stdin::Null },
        timeout: request.timeout(),
    };
    Ok(Prepared { command, cwd: absolute })
}

/// The policy for a command that starts at this moment, and who watches over what the policy cannot protect.
pub(super) async fn policy(exec: &ExecContext, profile: &ExecProfile) -> Result<(SandboxSpec, Option<Guard>), Failure> {
    let ExecFiles::Host(files) = &exec.files else { return Ok((profile.on_virtual_files(), None)) };
    if !profile.sees_workspace() {
        return Ok((profile.on_virtual_files(), None));
    }
    let files = Arc::clone(files);
    let guard = blocking(move || {
        let before = Arc::new(files.protected_existing(ScanBounds::default())?);
        Ok(Guard { files, before })
    })
    .await?;
    let (existing, secret) = (guard.before.existing.clone(), guard.before.secret.clone());
    let spec = profile.on_host(guard.files.real_root().to_owned(), existing, secret);
    Ok((spec, Some(guard)))
}

/// The directory a model asked for, which must exist in the workspace.
fn directory(files: &dyn AgentFiles, workdir: Option<&str>) -> Result<RelPath, Failure> {
    let Some(text) = workdir else { return Ok(RelPath::root()) };
    let path = files.resolve(text)?;
    if path.is_root() {
        return Ok(path);
    }
    match files.stat(&path)?.kind {
        EntryKind::Directory => Ok(path),
        _ => Err(Failure::new(format!(
            "workdir {path} is not a directory. Give a directory of the workspace, or leave it out."
        ))),
    }
}
