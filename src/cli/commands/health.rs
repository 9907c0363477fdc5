//! `openclaw health`.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::client::{ConnectArgs, RpcClient, Target};
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Meaning, clean, count, duration, one_line};

/// Flags of `health`.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    /// Print every field.
    #[arg(long, visible_alias = "debug")]
    verbose: bool,
}

/// Asks the gateway.
pub(crate) fn run(context: &Context, args: &HealthArgs) -> Outcome {
    let config = context.config().ok(); // dropped: a gateway can be asked with a broken configuration too
    let target = Target::resolve(context, &args.connect, config.as_ref())?;
    let client = RpcClient::new(target, args.connect.patience(), &context.out);
    let health = client.call("health", &if args.verbose { json!({ "probe": true }) } else { json!({}) })?;
    context.out.data(&health, "", || text(context, &client, &health, args.verbose))
}

fn text(context: &Context, client: &RpcClient, health: &Value, verbose: bool) -> String {
    let good = health.get("ok").and_then(Value::as_bool).unwrap_or(false);
    let (word, meaning) = if good { ("ok", Meaning::Ok) } else { ("fail", Meaning::Error) };
    let spent = health["durationMs"].as_u64().unwrap_or_default();
    let mut lines = vec![format!(
        "{}  gateway at {}  {}",
        context.out.paint(meaning, word),
        client.target().url(),
        duration(spent)
    )];
    if !good {
        lines.push("it is stopping, or cannot work; openclaw logs says more".to_owned());
    }
    let agents = health["agents"].as_array().map_or(&[][..], Vec::as_slice);
    let names: Vec<&str> = agents.iter().filter_map(|agent| agent["agentId"].as_str()).collect();
    lines.push(format!("agents    {}", one_line(&names.join(", "), 100)));
    lines.push(format!("sessions  {}", count(health["sessions"]["count"].as_u64().unwrap_or_default())));
    if verbose {
        let known = ["ok", "ts", "durationMs", "defaultAgentId", "agents"];
        let others = health.as_object().into_iter().flatten().filter(|(name, _)| !known.contains(&name.as_str()));
        lines.extend(others.map(|(name, value)| clean(&format!("{name}: {value:#}"))));
    }
    lines.join("\n")
}
