//! `openclaw gateway status`.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::client::{ConnectArgs, RpcClient, Target};
use crate::cli::context::Context;
use crate::cli::error::{Outcome, Stop};
use crate::cli::output::{Meaning, duration, one_line};

/// Flags of `gateway status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Do not ask the gateway; only say where it would be.
    #[arg(long)]
    no_probe: bool,
    /// Fail (exit code 5) if the gateway does not answer.
    #[arg(long, conflicts_with = "no_probe")]
    require_rpc: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Asks and prints.
pub(crate) fn run(context: &Context, args: &StatusArgs) -> Outcome {
    let loaded = context.config();
    let target = Target::resolve(context, &args.connect, loaded.as_ref().ok())?;
    let has_secret = target.secret.is_some();
    let client = RpcClient::new(target, args.connect.patience(), &context.out);
    let probe = (!args.no_probe).then(|| client.call("status", &json!({})));
    let mut value = json!({
        "url": client.target().url(),
        "stateDir": context.paths.root,
        "configPath": context.config_path(),
        "logFile": context.log_file(loaded.as_ref().ok()),
        "hasSecret": has_secret,
        "configValid": loaded.is_ok(),
    });
    match &probe {
        None => {}
        Some(Ok(answer)) => {
            let found =
                |paths: &[&str]| paths.iter().find_map(|path| answer.pointer(path)).cloned().unwrap_or_default();
            value["rpc"] = json!({
                "ok": true,
                "version": found(&["/runtimeVersion"]),
                "uptimeMs": found(&["/uptimeMs"]),
                "pid": found(&["/pid"]),
            });
        }
        Some(Err(error)) => value["rpc"] = json!({ "ok": false, "error": error.to_json() }),
    }
    context.out.data(&value, "", || text(context, &value))?;
    match probe {
        Some(Err(error)) if args.require_rpc => {
            if context.out.is_text() {
                Err(error.into())
            } else {
                Err(Stop::Code(error.kind().exit_code()))
            }
        }
        _ => Ok(()),
    }
}

fn text(context: &Context, value: &Value) -> String {
    let out = &context.out;
    let shown = |name: &str| one_line(value[name].as_str().unwrap_or_default(), 300);
    let rpc = &value["rpc"];
    let state = if rpc.is_null() {
        "not asked".to_owned()
    } else if rpc["ok"] == true {
        let mut line = out.paint(Meaning::Ok, "running");
        if let Some(version) = rpc["version"].as_str() {
            line.push_str("  ");
            line.push_str(&one_line(version, 40));
        }
        if let Some(uptime) = rpc["uptimeMs"].as_u64() {
            line.push_str("  up ");
            line.push_str(&duration(uptime));
        }
        line
    } else {
        let message = one_line(rpc["error"]["message"].as_str().unwrap_or_default(), 200);
        format!("{}  {message}", out.paint(Meaning::Error, "not running"))
    };
    let mut lines = vec![
        format!("gateway   {state}"),
        format!("url       {}", shown("url")),
        format!(
            "config    {}{}",
            shown("configPath"),
            if value["configValid"] == true { "" } else { "  (broken: openclaw config validate)" }
        ),
        format!("state     {}", shown("stateDir")),
        format!("log       {}", shown("logFile")),
    ];
    if rpc["ok"] == false {
        lines.push(format!("fix       {}", out.paint(Meaning::Accent, "openclaw gateway run")));
    }
    lines.join("\n")
}
