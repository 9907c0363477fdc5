//! `openclaw gateway status`.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::client::{ConnectArgs, RpcClient, Target};
use crate::cli::context::Context;
use crate::cli::error::{Outcome, Stop, error_object};
use crate::cli::output::{Meaning, duration, one_line};
use crate::core::ErrorKind;

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
    let config_path = context.config_path();
    let client = RpcClient::new(target, args.connect.patience(), &context.out);
    let probe = (!args.no_probe).then(|| client.call("status", &json!({})));
    let mut value = json!({
        "ok": true,
        "url": client.target().url(),
        "stateDir": context.paths.root,
        "configPath": config_path,
        "configExists": config_path.exists(),
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
        Some(Err(error)) => {
            value["rpc"] = json!({ "ok": false, "error": error.to_json() });
            if args.require_rpc {
                value["ok"] = false.into();
                value["error"] = error_object(error)["error"].take();
            }
        }
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
        let word = if is_unreachable(&rpc["error"]) { "not running" } else { "not usable" };
        format!("{}  {message}", out.paint(Meaning::Error, word))
    };
    let mut lines = vec![
        format!("gateway   {state}"),
        format!("url       {}", shown("url")),
        format!("config    {}{}", shown("configPath"), config_note(value)),
        format!("state     {}", shown("stateDir")),
        format!("log       {}", shown("logFile")),
    ];
    if rpc["ok"] == false {
        let fix = one_line(rpc["error"]["hint"].as_str().unwrap_or("openclaw gateway run"), 200);
        lines.push(format!("fix       {}", out.paint(Meaning::Accent, &fix)));
    }
    lines.join("\n")
}

fn config_note(value: &Value) -> &'static str {
    if value["configValid"] != true {
        "  (broken: openclaw config validate)"
    } else if value["configExists"] != true {
        "  (not there: defaults apply)"
    } else {
        ""
    }
}

/// Whether the error of a probe means that nothing listens.
fn is_unreachable(error: &Value) -> bool {
    error["code"] == ErrorKind::Unreachable.as_str()
}
