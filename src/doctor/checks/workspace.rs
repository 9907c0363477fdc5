//! The agents' workspaces.

use std::path::PathBuf;

use crate::config::AgentConfig;
use crate::doctor::files::{self, is_writable};
use crate::doctor::{Facts, Finding, Severity};

use super::state_dir::{quoted, shown};

pub(super) const WRITABLE: &str = "workspace.writable";

/// Each exists and can be written.
pub(super) fn writable(facts: &Facts<'_>) -> Vec<Finding> {
    let Ok(config) = &facts.config else { return Vec::new() };
    config.view.agents.iter().filter_map(|agent| look(facts, agent)).collect()
}

fn look(facts: &Facts<'_>, agent: &AgentConfig) -> Option<Finding> {
    let path = directory(facts, agent);
    let finding = |severity, evidence: &str| {
        Finding::new(WRITABLE, severity, shown(&path), format!("agent {}: {evidence}", agent.id))
    };
    match files::look(&path) {
        Ok(None) => {
            Some(finding(Severity::Info, "the workspace does not exist yet").effect("the first start makes it"))
        }
        Ok(Some(found)) if !found.is_directory && !path.is_dir() => Some(
            finding(Severity::Error, "the workspace is not a directory")
                .effect("its file tools cannot work")
                .fix("name another directory in the agent's workspace setting", None),
        ),
        Ok(Some(_)) if !is_writable(&path) => Some(
            finding(Severity::Warning, "this user cannot write to the workspace")
                .effect("its file tools can only read")
                .fix("make it writable", Some(format!("chmod u+rwx {}", quoted(&path)))),
        ),
        Ok(Some(_)) => None,
        Err(error) => Some(finding(Severity::Error, &format!("the workspace cannot be looked at: {error}"))),
    }
}

fn directory(facts: &Facts<'_>, agent: &AgentConfig) -> PathBuf {
    match &agent.workspace {
        Some(path) => path.clone(),
        None if agent.is_default => facts.at.paths.default_workspace(),
        None => facts.at.paths.root.join(format!("workspace-{}", agent.id)),
    }
}
