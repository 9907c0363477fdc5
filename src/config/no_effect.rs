//! Keys of OpenClaw that load but mean nothing here, where a person might believe they do: each is told with the key that counts.

use super::build::Reader;
use super::build_agents::sections;
use super::error::SourceFile;
use super::json5::{Kind, Node};
use super::path::join;
use super::position::Position;
use super::table_tools::BACKENDS;
use super::{ConfigIssue, MAX_FINDINGS, issue};

/// Warns about every such key.
pub(super) fn check(root: &Node, files: &[SourceFile], warnings: &mut Vec<ConfigIssue>) {
    let mut warn = |path: String, node: &Node, message: String| {
        if warnings.len() < MAX_FINDINGS {
            let place = files.get(node.span.file).map(|file| Position::of(&file.text, node.span.start));
            let (line, column) = (place.map(|place| place.line), place.map(|place| place.column));
            warnings.push(ConfigIssue { line, column, ..issue(&path, message) });
        }
    };
    if let Some(tools) = root.get("tools") {
        exec("tools", tools, &mut warn);
    }
    for (path, section) in sections(Reader(root.get("agents"))) {
        if let Some(tools) = section.get("tools") {
            exec(&join(&path, "tools"), tools, &mut warn);
        }
        if let Some(sandbox) = section.get("sandbox") {
            self::sandbox(&join(&path, "sandbox"), sandbox, &mut warn);
        }
    }
}

fn exec(path: &str, tools: &Node, warn: &mut impl FnMut(String, &Node, String)) {
    let host = tools.get("exec").and_then(|exec| exec.get("host"));
    if let Some(host) = host.filter(|host| host.as_str() == Some("node")) {
        let message = "commands run on this machine only: `node` has no effect".to_owned();
        warn(format!("{path}.exec.host"), host, message);
    }
}

fn sandbox(path: &str, sandbox: &Node, warn: &mut impl FnMut(String, &Node, String)) {
    if let Some(mode) = sandbox.get("mode") {
        let message = match mode.as_str() {
            Some("off") => format!(
                "`off` does not switch the sandbox off here: commands are confined as `{path}.level` says (`none` is the one that confines nothing)"
            ),
            _ => format!("has no effect here: the commands of every session are confined as `{path}.level` says"),
        };
        warn(format!("{path}.mode"), mode, message);
    }
    if let Some(backend) = sandbox.get("backend")
        && backend.as_str().is_some_and(|name| !BACKENDS.contains(&name))
    {
        let message = format!(
            "is no backend here and has no effect; the best that works is chosen, or one of {}",
            BACKENDS.join(", ")
        );
        warn(format!("{path}.backend"), backend, message);
    }
    for (key, counts) in [
        ("docker", "`mounts`, `network` and `limits` beside it"),
        ("ssh", "`level` and `backend` beside it"),
        ("browser", "nothing: there is no browser in the sandbox"),
        ("workspaceRoot", "`workspace` of the agent and `workspaceAccess` beside it"),
    ] {
        if let Some(node) = sandbox.get(key).filter(|node| !is_off(node)) {
            warn(
                format!("{path}.{key}"),
                node,
                format!("is OpenClaw's and has no effect here; what counts is {counts}"),
            );
        }
    }
}

/// Empty, or says itself that it is switched off.
fn is_off(node: &Node) -> bool {
    (node.is_object() && node.members().is_empty())
        || node.get("enabled").is_some_and(|enabled| matches!(enabled.kind, Kind::Bool(false)))
}
