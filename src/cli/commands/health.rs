//! `openclaw health`.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::client::{ConnectArgs, RpcClient, Target};
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Meaning, clean};

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
    let word = if good { context.out.paint(Meaning::Ok, "ok") } else { context.out.paint(Meaning::Error, "fail") };
    let mut lines = vec![format!("{word}  gateway at {}", client.target().url())];
    if let Some(fields) = health.as_object() {
        for (name, value) in fields.iter().filter(|(name, _)| name.as_str() != "ok") {
            match value {
                Value::Object(_) | Value::Array(_) if verbose => lines.push(format!("{name}: {value:#}")),
                Value::Object(_) | Value::Array(_) | Value::Null => {}
                Value::String(text) => lines.push(format!("{name}: {text}")),
                other => lines.push(format!("{name}: {other}")),
            }
        }
    }
    clean_lines(&lines, context)
}

/// Values come from the gateway; only the first line carries our own colour.
fn clean_lines(lines: &[String], _context: &Context) -> String {
    let mut out = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        out.push(if index == 0 { line.clone() } else { clean(line) });
    }
    out.join("\n")
}
