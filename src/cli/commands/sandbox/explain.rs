//! `openclaw sandbox explain`.

use clap::Args;
use serde_json::Value;

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Meaning, Output, bytes, clean};
use crate::core::{AgentId, Error};
use crate::runtime::explain::{Subject, sandbox};
use crate::session::key;

/// Flags of `sandbox explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Which agent [default: the default agent].
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// The agent of this conversation.
    #[arg(long, value_name = "KEY", conflicts_with = "agent")]
    session: Option<String>,
}

/// Puts everything together, tries the sandbox out, prints it.
pub(super) fn run(context: &Context, args: &ExplainArgs) -> Outcome {
    let config = context.config()?;
    let default = &config.view.default_agent().id;
    let wanted = match (&args.agent, &args.session) {
        (Some(agent), _) => AgentId::from(agent.as_str()),
        (None, Some(session)) => {
            let key = key::canonical(session, default, &config.view.main_key).map_err(Error::from)?;
            key.agent().unwrap_or_else(|| default.clone())
        }
        (None, None) => default.clone(),
    };
    let agent = config
        .view
        .agent(&wanted)
        .ok_or_else(|| Error::not_found(format!("no agent {wanted}")).hint("openclaw agents list"))?;
    let subject = Subject { config: &config, agent, paths: &context.paths };
    let sandbox = sandbox(&context.paths, &config);
    let posture = super::runtime()?.block_on(subject.posture(&sandbox));
    let explained = subject.explain(&posture)?;
    context.out.data(&explained, "", || text(&context.out, &explained))
}

fn text(out: &Output, explained: &Value) -> String {
    let field = |name: &str| clean(explained[name].as_str().unwrap_or_default());
    let mut lines = Vec::new();
    let mut line = |name: &str, text: String| lines.push(format!("{name:<13} {text}"));
    line("agent", field("agentId"));
    line("files", field("filesystemMode"));
    let verdict = if explained["works"] == true {
        out.paint(Meaning::Ok, &format!("{} by {}", field("level"), field("backend")))
    } else {
        out.paint(Meaning::Error, &format!("{}: not available here, so commands do not run", field("level")))
    };
    line("sandbox", verdict);
    for (name, key) in [("problem", "problem"), ("remedy", "remedy")] {
        if explained[key].is_string() {
            line(name, field(key));
        }
    }
    let workspace = &explained["workspace"];
    let shown = |value: &Value| clean(value.as_str().unwrap_or_default());
    line(
        "workspace",
        format!("{} ({}, {})", shown(&workspace["path"]), shown(&workspace["kind"]), shown(&workspace["access"])),
    );
    for mount in list(&explained["mounts"]) {
        line("mount", format!("{} ({})", shown(&mount["path"]), shown(&mount["access"])));
    }
    line("protected", join(&explained["protected"]["existing"], "nothing that exists"));
    line("private", join(&explained["private"], "nothing"));
    line("network", if explained["network"] == true { "granted" } else { "denied" }.to_owned());
    let limits = &explained["limits"];
    let size = |name: &str| bytes(limits[name].as_u64().unwrap_or_default());
    line(
        "limits",
        format!(
            "{} memory, {} processes, files of {}, {} in /tmp, {} s of processor, {} s in all",
            size("memoryBytes"),
            limits["processes"],
            size("fileBytes"),
            size("tmpBytes"),
            limits["cpuSeconds"],
            explained["timeoutSeconds"],
        ),
    );
    line("environment", join(&explained["environment"], "nothing"));
    for (name, key) in [("tools run", "run"), ("tools ask", "ask"), ("tools never", "never")] {
        line(name, join(&explained["tools"][key], "none"));
    }
    lines.push(String::new());
    for guarantee in list(&explained["guarantees"]) {
        lines.push(guarantee_line(out, guarantee));
    }
    for note in list(&explained["notes"]) {
        lines.push(out.paint(Meaning::Dim, &format!("note: {}", shown(note))));
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

/// `✓ net_denied           No connection of any kind leaves the command.`
pub(super) fn guarantee_line(out: &Output, guarantee: &Value) -> String {
    let is = |name: &str| guarantee[name] == true;
    let name = guarantee["name"].as_str().unwrap_or_default();
    let mark = match (is("granted"), is("required")) {
        (true, _) => out.paint(Meaning::Ok, out.mark(true)),
        (false, true) => out.paint(Meaning::Error, out.mark(false)),
        (false, false) => out.paint(Meaning::Dim, "-"),
    };
    let remark = match (is("granted"), is("required"), is("mayBeMissing")) {
        (false, true, true) => "  (missing, and allowed to be)",
        (false, true, false) => "  (missing)",
        (false, false, _) => "  (not asked for)",
        (true, ..) => "",
    };
    format!("{mark} {name:<20} {}{remark}", guarantee["summary"].as_str().unwrap_or_default())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn join(value: &Value, nothing: &str) -> String {
    let names: Vec<String> = list(value).filter_map(Value::as_str).map(clean).collect();
    if names.is_empty() { nothing.to_owned() } else { names.join(", ") }
}
