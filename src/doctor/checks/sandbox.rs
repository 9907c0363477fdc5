//! What confines the commands of agents, tried out.

use crate::config::AgentConfig;
use crate::core::{Error, ErrorKind, Result};
use crate::doctor::files;
use crate::doctor::{Facts, Finding, Severity};
use crate::runtime::explain::{Posture, Subject};
use crate::sandbox::{Backend, Guarantee, Guarantees, Sandbox, SandboxLevel};

pub(super) const AVAILABLE: &str = "sandbox.available";
pub(super) const SETTINGS: &str = "sandbox.settings";
pub(super) const BACKENDS: &str = "sandbox.backends";

/// Where distributions put bubblewrap.
const BUBBLEWRAP: [&str; 3] = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"];
const EXPLAIN: &str = "openclaw sandbox explain";

/// Every agent's commands can run.
pub(super) fn available(facts: &Facts<'_>) -> Vec<Finding> {
    let postures = match tried(facts) {
        Ok(postures) => postures,
        Err(error) => return vec![Finding::new(AVAILABLE, Severity::Warning, "sandbox", error.to_string())],
    };
    postures.into_iter().flat_map(|(agent, posture)| of_agent(agent, &posture)).collect()
}

fn of_agent(agent: &AgentConfig, posture: &Posture) -> Vec<Finding> {
    let target = format!("agent {}", agent.id);
    let probe = match &posture.probe {
        Ok(probe) => probe,
        Err(error) => {
            return vec![
                Finding::new(AVAILABLE, Severity::Warning, target, error.clone())
                    .effect("its commands are refused")
                    .fix("correct its sandbox settings", Some(EXPLAIN.to_owned())),
            ];
        }
    };
    if !posture.works {
        let why = probe.problem.clone().unwrap_or_else(|| format!("missing: {}", probe.missing));
        let remedy = probe.remedy.clone().unwrap_or_else(|| "see what was tried".to_owned());
        let evidence = format!("the sandbox level {} is not available here: {why}", probe.level);
        return vec![
            Finding::new(AVAILABLE, Severity::Warning, target, evidence)
                .effect("its commands are refused; the other tools work")
                .fix(remedy, Some("openclaw sandbox probe".to_owned())),
        ];
    }
    let notes = probe.notes.iter().map(|note| Finding::new(AVAILABLE, Severity::Info, target.clone(), note.clone()));
    notes.collect()
}

/// No agent is confined less than it could be without somebody having been told.
pub(super) fn settings(facts: &Facts<'_>) -> Vec<Finding> {
    let Ok(config) = &facts.config else { return Vec::new() };
    let mut findings = Vec::new();
    for agent in &config.view.agents {
        let target = format!("agent {}", agent.id);
        match agent.sandbox.level.as_deref().and_then(SandboxLevel::parse) {
            Some(SandboxLevel::None) => findings.push(
                Finding::new(SETTINGS, Severity::Warning, target.clone(), "its sandbox level is none")
                    .effect("its commands can do everything that you can")
                    .fix("set sandbox.level to strict or relaxed", Some(EXPLAIN.to_owned())),
            ),
            Some(SandboxLevel::Relaxed) => findings.push(
                Finding::new(SETTINGS, Severity::Info, target.clone(), "its sandbox level is relaxed")
                    .effect("its commands can use the network, unless sandbox.network is false"),
            ),
            Some(SandboxLevel::Strict) | None => {}
        }
        let allowed: Guarantees =
            agent.sandbox.allow_missing.iter().filter_map(|name| Guarantee::parse(name)).collect();
        if !allowed.is_empty() {
            findings.push(
                Finding::new(SETTINGS, Severity::Warning, target, format!("sandbox.allowMissing has {allowed}"))
                    .effect("its commands run without these where they cannot be had")
                    .fix("remove what is not needed on this machine", Some(EXPLAIN.to_owned())),
            );
        }
    }
    findings
}

/// What is installed for the sandbox can be used.
pub(super) fn backends(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(sandbox) = &facts.at.sandbox else { return Vec::new() };
    let is_there = |path: &&&str| matches!(files::look(std::path::Path::new(path)), Ok(Some(_)));
    let Some(path) = BUBBLEWRAP.iter().find(is_there) else { return Vec::new() };
    let probe = match block_on(sandbox.probe(SandboxLevel::Strict, Some(Backend::Bubblewrap))) {
        Ok(probe) => probe,
        Err(error) => return vec![Finding::new(BACKENDS, Severity::Warning, *path, error.to_string())],
    };
    let Some(problem) = probe.problem else { return Vec::new() };
    let finding = Finding::new(BACKENDS, Severity::Info, *path, format!("bubblewrap is not used: {problem}"))
        .effect("the sandbox makes its namespaces itself, where the system lets it");
    vec![match probe.remedy {
        Some(remedy) => finding.fix(remedy, None),
        None => finding,
    }]
}

fn tried<'f>(facts: &'f Facts<'_>) -> Result<Vec<(&'f AgentConfig, Posture)>> {
    let (Ok(config), Some(sandbox)) = (&facts.config, &facts.at.sandbox) else { return Ok(Vec::new()) };
    block_on(postures(config, facts, sandbox))
}

async fn postures<'f>(
    config: &'f crate::config::LoadedConfig,
    facts: &Facts<'_>,
    sandbox: &Sandbox,
) -> Vec<(&'f AgentConfig, Posture)> {
    let mut found = Vec::new();
    for agent in &config.view.agents {
        let subject = Subject { config, agent, paths: &facts.at.paths };
        found.push((agent, subject.posture(sandbox).await));
    }
    found
}

fn block_on<F: Future>(work: F) -> Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::Internal, "the sandbox could not be tried out").source(error))?;
    Ok(runtime.block_on(work))
}
