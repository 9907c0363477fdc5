//! `agents.list[]` and `agents.entries{}` to one list with the defaults merged in.

use std::path::Path;

use super::AgentConfig;
use super::build::Reader;
use super::build_tools;
use super::error::{Fault, Problem, SourceFile};
use super::json5::Node;
use super::path::join;
use crate::core::AgentId;
use crate::core::limits::MAX_STEPS;

/// Seconds a run may take when nothing is said.
const DEFAULT_TIMEOUT: u64 = 600;
/// `timeoutSeconds: 0`: no limit, which is a week here so that nothing runs for ever.
const NO_TIMEOUT: u64 = 7 * 24 * 3600;

/// All agents, never none; exactly one is the default.
pub(super) fn agents(
    section: Reader<'_>,
    tools: Reader<'_>,
    home: Option<&Path>,
    files: &[SourceFile],
) -> Result<Vec<AgentConfig>, Vec<Problem>> {
    let defaults = section.at("defaults");
    let mut problems = Vec::new();
    let mut agents: Vec<AgentConfig> = Vec::new();
    for (path, written, node) in written(section) {
        let id = canonical_id(&written);
        if written.trim().is_empty() {
            let message = "an agent needs an `id` with at least one letter or digit";
            problems.push(Problem::at(Fault::Value, files, node.span, &path, message));
        } else if agents.iter().any(|agent| agent.id.as_str() == id) {
            problems.push(Problem::at(
                Fault::Value,
                files,
                node.span,
                &path,
                format!("there is another agent with the id `{id}`"),
            ));
        } else {
            agents.push(agent(id.as_str().into(), Reader(Some(node)), defaults, tools, home));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if agents.is_empty() {
        agents.push(agent("main".into(), Reader(None), defaults, tools, home));
    }
    let chosen = agents.iter().position(|agent| agent.is_default).unwrap_or(0);
    for (index, agent) in agents.iter_mut().enumerate() {
        agent.is_default = index == chosen;
        if agent.is_default && agent.workspace.is_none() {
            agent.workspace = defaults.at("workspace").path(home);
        }
    }
    Ok(agents)
}

/// Path and node of `agents.defaults` and of every agent.
pub(super) fn sections(section: Reader<'_>) -> Vec<(String, &Node)> {
    let defaults = section.at("defaults").0.map(|node| ("agents.defaults".to_owned(), node));
    defaults.into_iter().chain(written(section).into_iter().map(|(path, _, node)| (path, node))).collect()
}

/// Path, id as written and node of every agent in either form.
fn written(section: Reader<'_>) -> Vec<(String, String, &Node)> {
    let list = section.at("list").0.map_or(&[][..], Node::elements);
    let entries = section.at("entries").0.map_or(&[][..], Node::members);
    let listed = list.iter().enumerate().map(|(index, node)| {
        (format!("agents.list[{index}]"), Reader(Some(node)).at("id").text().unwrap_or_default(), node)
    });
    let named = entries.iter().map(|member| (join("agents.entries", &member.key), member.key.clone(), &member.value));
    listed.chain(named).collect()
}

/// The id as session keys have it: `[a-z0-9][a-z0-9_-]{0,63}`; other runs of characters become one dash.
pub(super) fn canonical_id(written: &str) -> String {
    let mut id = String::new();
    for character in written.trim().to_lowercase().chars() {
        if character.is_ascii_alphanumeric() || matches!(character, '_' | '-') {
            id.push(character);
        } else if !id.ends_with('-') {
            id.push('-');
        }
    }
    let id: String = id.trim_matches('-').trim_start_matches('_').chars().take(64).collect();
    if id.is_empty() { "main".into() } else { id }
}

fn agent(id: AgentId, node: Reader<'_>, defaults: Reader<'_>, tools: Reader<'_>, home: Option<&Path>) -> AgentConfig {
    let either = |key: &str| if node.at(key).0.is_some() { node.at(key) } else { defaults.at(key) };
    let (tools_allow, tools_deny) = build_tools::allow_and_deny(tools, node.at("tools"));
    let (model, fallbacks) = models(node.at("model"), defaults.at("model"));
    AgentConfig {
        id,
        is_default: node.at("default").bool().unwrap_or(false),
        name: node.at("name").text(),
        workspace: node.at("workspace").path(home),
        model,
        fallbacks,
        thinking: either("thinkingDefault").text(),
        timeout_seconds: match either("timeoutSeconds").whole() {
            Some(0) => NO_TIMEOUT,
            Some(seconds) => seconds.min(NO_TIMEOUT),
            None => DEFAULT_TIMEOUT,
        },
        max_steps: either("maxSteps").whole().and_then(|steps| u32::try_from(steps).ok()).unwrap_or(MAX_STEPS), // dropped: validation bounds it
        identity: node.at("identity").value(),
        tools_allow,
        tools_deny,
        tools: build_tools::tools(tools, node.at("tools"), home),
        sandbox: build_tools::sandbox(defaults.at("sandbox"), node.at("sandbox"), home),
        filesystem_mode: build_tools::filesystem_mode(defaults, node),
    }
}

/// Model and fallbacks. An agent that names only a model keeps the default fallbacks; an agent's own list, even an empty
/// one, replaces them.
fn models(own: Reader<'_>, default: Reader<'_>) -> (Option<String>, Vec<String>) {
    let primary =
        |model: Reader<'_>| model.text().or_else(|| model.at("primary").text()).filter(|name| !name.trim().is_empty());
    let fallbacks = if own.at("fallbacks").0.is_some() { own } else { default };
    (primary(own).or_else(|| primary(default)), fallbacks.at("fallbacks").list())
}
