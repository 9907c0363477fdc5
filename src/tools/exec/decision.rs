//! Whether a command may run: the one place where `exec` asks.

use std::path::PathBuf;

use super::context::ExecContext;
use super::prepare::{Prepared, root};
use super::profile::ExecProfile;
use super::request::Request;
use crate::tools::ToolContext;
use crate::tools::policy::{ExecRequest, authorize};
use crate::tools::support::Failure;

/// Fails unless the command may run; waits for a person where the settings ask for one.
pub(super) async fn decide(
    context: &ToolContext,
    exec: &ExecContext,
    profile: &ExecProfile,
    request: &Request,
    prepared: &Prepared,
) -> Result<(), Failure> {
    let mut writable = vec![root(exec, profile), PathBuf::from("/tmp")];
    writable.extend(profile.mounts().iter().filter(|mount| mount.writable).map(|mount| mount.path.clone()));
    let question = ExecRequest {
        tool: "exec".to_owned(),
        command: request.command.clone(),
        shell: request.shell.clone(),
        cwd: prepared.cwd.clone(),
        env: prepared.command.env.clone(),
        level: profile.level(),
        writable,
    };
    authorize(context, &exec.tools, &question).await.map(drop).map_err(Failure::new)
}
