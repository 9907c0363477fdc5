//! `openclaw status`: at most 15 lines, alerts first, with or without a running gateway.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::client::{ConnectArgs, RpcClient, Target};
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Meaning, bytes, count, duration, one_line, relative};
use crate::config::LoadedConfig;
use crate::core::{Error, ErrorKind, Result, now_ms};
use crate::providers::ProviderRegistry;
use crate::state::{SessionQuery, StoreHealth};

/// A write-ahead log above this is worth a word.
const LARGE_WAL: u64 = 256 * 1024 * 1024;
/// Conversations shown.
const RECENT: usize = 3;
/// Alerts shown; the rest is counted.
const MAX_ALERTS: usize = 4;

/// Flags of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    /// Also the gateway's own full answer (with --json).
    #[arg(long)]
    all: bool,
}

/// What is known, from the gateway and from disk.
struct Facts {
    alerts: Vec<String>,
    gateway: Value,
    agents: Value,
    sessions: Value,
    model: Value,
    sandbox: Value,
    store: Option<StoreHealth>,
}

/// Looks and prints.
pub(crate) fn run(context: &Context, args: &StatusArgs) -> Outcome {
    let config = context.config();
    let mut facts = Facts {
        alerts: Vec::new(),
        gateway: Value::Null,
        agents: Value::Null,
        sessions: json!({ "count": 0, "recent": [] }),
        model: Value::Null,
        sandbox: Value::Null,
        store: None,
    };
    if let Err(error) = &config {
        facts.alerts.push(format!("{}  (openclaw config validate)", one_line(&error.to_string(), 160)));
    }
    let config = config.ok(); // dropped: it is an alert already
    if let Some(config) = &config {
        let warnings = config.warnings.len();
        if warnings > 0 {
            facts.alerts.push(format!("{warnings} warnings in the configuration  (openclaw config validate)"));
        }
    }
    ask_gateway(context, args, config.as_ref(), &mut facts)?;
    look_at_disk(context, config.as_ref(), &mut facts);
    let value = json!({
        "ok": facts.alerts.is_empty(), "version": env!("CARGO_PKG_VERSION"), "alerts": facts.alerts,
        "gateway": facts.gateway, "agents": facts.agents, "sessions": facts.sessions, "model": facts.model,
        "sandbox": facts.sandbox, "store": facts.store, "stateDir": context.paths.root,
    });
    context.out.data(&value, "", || text(context, &facts))
}

fn ask_gateway(context: &Context, args: &StatusArgs, config: Option<&LoadedConfig>, facts: &mut Facts) -> Result<()> {
    let target = Target::resolve(context, &args.connect, config)?;
    let client = RpcClient::new(target, args.connect.patience(), &context.out);
    let url = client.target().url();
    match client.call("status", &json!({})) {
        Ok(answer) => {
            facts.gateway = json!({
                "reachable": true, "url": url,
                "version": first(&answer, &["/runtimeVersion"]),
                "uptimeMs": first(&answer, &["/uptimeMs"]),
                "activeRuns": first(&answer, &["/runs/active", "/tasks/active"]),
                "connections": first(&answer, &["/gateway/connections/open"]),
                "pid": first(&answer, &["/pid"]),
            });
            facts.model = default_model(&answer);
            facts.sandbox = answer["sandbox"].clone();
            facts.alerts.extend(unconfined(&answer["sandbox"]));
            if args.all {
                facts.gateway["status"] = answer;
            }
        }
        Err(error) => {
            if error.kind() != ErrorKind::Unreachable || client.target().explicit {
                facts.alerts.push(one_line(&error.to_string(), 160));
            }
            facts.gateway = json!({ "reachable": false, "url": url, "error": error.to_json() });
        }
    }
    Ok(())
}

fn look_at_disk(context: &Context, config: Option<&LoadedConfig>, facts: &mut Facts) {
    if let Some(config) = config {
        facts.agents = config
            .view
            .agents
            .iter()
            .map(|agent| json!({ "id": agent.id, "isDefault": agent.is_default, "model": agent.model }))
            .collect();
        if facts.model.is_null() {
            match ProviderRegistry::build(&config.view, &config.env) {
                Ok(registry) => facts.model = registry.default_model().info.reference().into(),
                Err(error) => facts.alerts.push(one_line(&error.to_string(), 160)),
            }
        }
    }
    match read_store(context) {
        Ok(Some((health, sessions))) => {
            if health.wal_bytes > LARGE_WAL {
                facts.alerts.push(format!("the write-ahead log has {}  (openclaw doctor)", bytes(health.wal_bytes)));
            }
            facts.sessions = sessions;
            facts.store = Some(health);
        }
        Ok(None) => {}
        Err(error) => facts.alerts.push(format!("{}  (openclaw doctor)", one_line(&error.to_string(), 160))),
    }
}

fn read_store(context: &Context) -> Result<Option<(StoreHealth, Value)>, Error> {
    let Some(store) = context.store()? else { return Ok(None) };
    let query = SessionQuery { archived: Some(false), limit: RECENT, ..SessionQuery::default() };
    let page = store.read_blocking(|read| read.sessions(&query))?;
    let recent: Vec<Value> = page
        .entries
        .iter()
        .map(|entry| {
            json!({
                "key": entry.key, "agentId": entry.agent_id, "sessionId": entry.session_id,
                "updatedAt": entry.updated_at, "status": entry.status,
                "title": entry.label.as_ref().or(entry.derived_title.as_ref()),
            })
        })
        .collect();
    Ok(Some((store.health()?, json!({ "count": page.total, "recent": recent }))))
}

/// Agents whose commands cannot run.
fn unconfined(postures: &Value) -> Option<String> {
    let names: Vec<&str> = postures
        .as_array()?
        .iter()
        .filter(|posture| posture["works"] == false)
        .filter_map(|posture| posture["agentId"].as_str())
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "commands of {} cannot run: the sandbox is not available  (openclaw sandbox explain)",
            one_line(&names.join(", "), 80)
        )
    })
}

/// `provider/model` of sessions that chose none.
fn default_model(answer: &Value) -> Value {
    let defaults = &answer["sessions"]["defaults"];
    match (defaults["modelProvider"].as_str(), defaults["model"].as_str()) {
        (Some(provider), Some(model)) => format!("{provider}/{model}").into(),
        (None, Some(model)) => model.into(),
        _ => Value::Null,
    }
}

fn first(value: &Value, paths: &[&str]) -> Value {
    paths.iter().find_map(|path| value.pointer(path).filter(|found| !found.is_null())).cloned().unwrap_or_default()
}

fn text(context: &Context, facts: &Facts) -> String {
    let out = &context.out;
    let mut lines = Vec::new();
    for alert in facts.alerts.iter().take(MAX_ALERTS) {
        lines.push(format!("{}     {alert}", out.paint(Meaning::Warn, "alert")));
    }
    if facts.alerts.len() > MAX_ALERTS {
        lines.push(format!("          {} more alerts: openclaw doctor", facts.alerts.len() - MAX_ALERTS));
    }
    lines.push(format!("gateway   {}", gateway_line(context, &facts.gateway)));
    if let Some(agents) = facts.agents.as_array() {
        let names: Vec<&str> = agents.iter().filter_map(|agent| agent["id"].as_str()).collect();
        lines.push(format!("agents    {}", one_line(&names.join(", "), 100)));
    }
    let model = facts.model.as_str().unwrap_or("unknown");
    let note = if model.starts_with("offline") {
        "  (not a language model: set ANTHROPIC_API_KEY or OPENAI_API_KEY)"
    } else {
        ""
    };
    lines.push(format!("model     {}{note}", one_line(model, 80)));
    lines.push(format!(
        "sessions  {}  (openclaw sessions)",
        count(facts.sessions["count"].as_u64().unwrap_or_default())
    ));
    let now = now_ms();
    for session in facts.sessions["recent"].as_array().into_iter().flatten() {
        let updated = session["updatedAt"].as_i64().unwrap_or_default();
        lines.push(format!(
            "          {}  {}  {}",
            one_line(session["key"].as_str().unwrap_or_default(), 48),
            out.paint(Meaning::Dim, &relative(now, updated)),
            one_line(session["title"].as_str().unwrap_or_default(), 48),
        ));
    }
    lines.push(match &facts.store {
        Some(store) => format!(
            "store     {}  wal {}  {}",
            bytes(store.database_bytes),
            bytes(store.wal_bytes),
            out.paint(Meaning::Dim, &store.path.display().to_string())
        ),
        None => {
            format!("store     none yet  {}", out.paint(Meaning::Dim, &context.paths.database().display().to_string()))
        }
    });
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

fn gateway_line(context: &Context, gateway: &Value) -> String {
    let url = one_line(gateway["url"].as_str().unwrap_or_default(), 100);
    if gateway["reachable"] != true {
        let unreachable = gateway["error"]["code"] == ErrorKind::Unreachable.as_str();
        let (state, next) = if unreachable {
            ("not running", "start: openclaw gateway run")
        } else {
            ("not usable", "why: openclaw gateway status")
        };
        return format!("{}  {url}  ({next})", context.out.paint(Meaning::Warn, state));
    }
    let mut line = format!("{}  {url}", context.out.paint(Meaning::Ok, "running"));
    if let Some(version) = gateway["version"].as_str() {
        line.push_str("  ");
        line.push_str(&one_line(version, 40));
    }
    if let Some(uptime) = gateway["uptimeMs"].as_u64() {
        line.push_str("  up ");
        line.push_str(&duration(uptime));
    }
    if let Some(runs) = gateway["activeRuns"].as_u64().filter(|runs| *runs > 0) {
        line.push_str("  working on ");
        line.push_str(&count(runs));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Globals;
    use crate::cli::output::{Format, Output};
    use crate::config::LoadOptions;
    use crate::state::StatePaths;

    fn context() -> Context {
        Context {
            globals: Globals::default(),
            paths: StatePaths::new("/s"),
            load: LoadOptions::default(),
            out: Output::plain(Format::Text),
        }
    }

    #[test]
    fn a_bare_machine_is_told_what_to_do() {
        let facts = Facts {
            alerts: Vec::new(),
            gateway: json!({"reachable": false, "url": "ws://127.0.0.1:18789", "error": {"code": "unreachable"}}),
            agents: json!([{"id": "main"}]),
            sessions: json!({"count": 0, "recent": []}),
            model: json!("offline/offline"),
            sandbox: Value::Null,
            store: None,
        };
        insta::assert_snapshot!(text(&context(), &facts), @"
        gateway   not running  ws://127.0.0.1:18789  (start: openclaw gateway run)
        agents    main
        model     offline/offline  (not a language model: set ANTHROPIC_API_KEY or OPENAI_API_KEY)
        sessions  0  (openclaw sessions)
        store     none yet  /s/state/openclaw.sqlite
        ");
    }

    #[test]
    fn a_busy_machine_stays_within_fifteen_lines() {
        let recent: Vec<Value> = (0..3)
            .map(|n| json!({"key": format!("agent:main:{n}"), "updatedAt": now_ms(), "title": "t\u{1b}[2J"}))
            .collect();
        let facts = Facts {
            alerts: (0..9).map(|n| format!("alert {n}")).collect(),
            gateway: json!({"reachable": true, "url": "ws://127.0.0.1:18789", "version": "0.1.0", "uptimeMs": 61_000, "activeRuns": 2}),
            agents: json!([{"id": "main"}, {"id": "research"}]),
            sessions: json!({"count": 1204, "recent": recent}),
            model: json!("anthropic/claude"),
            sandbox: Value::Null,
            store: Some(StoreHealth {
                path: "/s/state/openclaw.sqlite".into(),
                database_bytes: 1_400_000,
                wal_bytes: 12,
                schema_version: 1,
                sqlite_version: "3.51.3".into(),
                journal_mode: "wal".into(),
                free_bytes: None,
            }),
        };
        let text = text(&context(), &facts);
        assert!(text.lines().count() <= 15, "{text}");
        insta::assert_snapshot!(text, @"
        alert     alert 0
        alert     alert 1
        alert     alert 2
        alert     alert 3
                  5 more alerts: openclaw doctor
        gateway   running  ws://127.0.0.1:18789  0.1.0  up 1m 1s  working on 2
        agents    main, research
        model     anthropic/claude
        sessions  1,204  (openclaw sessions)
                  agent:main:0  just now  t�[2J
                  agent:main:1  just now  t�[2J
                  agent:main:2  just now  t�[2J
        store     1.4 MB  wal 12 B  /s/state/openclaw.sqlite
        ");
    }
}
