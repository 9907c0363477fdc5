//! Which tree a call means.

use crate::config::Config;
use crate::core::{Error, FilesystemMode, Result};
use crate::fs::{AgentFiles, Moment, Namespace, RelPath, VfsLimits, VirtualAgentFs};
use crate::gateway::methods::args::Args;
use crate::session::key::parse_agent_id;
use crate::state::Store;

/// The tree. An agent that is not configured any more can still be looked at while it has files.
pub(super) fn tree(store: Store, config: &Config, args: &Args) -> Result<VirtualAgentFs> {
    let agent = match args.text("agentId") {
        Some(text) => parse_agent_id(text).map_err(Error::from)?,
        None => config.default_agent().id.clone(),
    };
    let known = config.agent(&agent);
    if known.is_none() {
        let wanted = agent.clone();
        if store.read_blocking(move |tx| tx.vfs_totals(&wanted))?.revision == 0 {
            return Err(Error::not_found(format!("there is no agent {agent}")).hint("openclaw agents lists them"));
        }
    }
    let namespace = match args.text("namespace") {
        Some(text) => Namespace::parse(text)?,
        None if known.is_some_and(|agent| agent.filesystem_mode == FilesystemMode::VfsOnly) => Namespace::Workspace,
        None => Namespace::Scratch,
    };
    let limits = known.map_or_else(VfsLimits::default, |agent| VfsLimits::from(&agent.tools.vfs));
    Ok(VirtualAgentFs::new(store, agent, namespace, limits))
}

/// A path parameter; the root if it is missing.
pub(super) fn path(files: &VirtualAgentFs, args: &Args, name: &str) -> Result<RelPath> {
    Ok(files.resolve(args.text(name).unwrap_or_default())?)
}

/// A moment parameter; now if it is missing.
pub(super) fn moment(args: &Args, name: &str) -> Result<Moment> {
    Ok(match (args.integer(name), args.text(name)) {
        (Some(revision), _) => Moment::Revision(revision),
        (None, Some(text)) => Moment::parse(text)?,
        (None, None) => Moment::Now,
    })
}
