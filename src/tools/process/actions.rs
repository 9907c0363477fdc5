//! What the actions of `process` do.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::super::ToolOutput;
use super::super::exec::ending;
use super::super::support::{Failure, SOFT_LIMIT, clamp, count, with_notes};
use super::session::ProcessEnd;
use super::{ProcessControl, ProcessOwner, ProcessRegistry, ProcessSession};
use crate::core::now_ms;

/// The actions, in the order in which they are listed.
pub(super) const NAMES: [&str; 8] = ["list", "poll", "log", "write", "close", "signal", "kill", "remove"];

/// Lines of `log` unless asked otherwise.
const LOG_LINES: usize = 200;
/// Longest time that `poll` waits.
const MAX_WAIT: Duration = Duration::from_secs(120);
/// How long `kill` and `remove` wait for the end that they have caused.
const KILL_WAIT: Duration = Duration::from_secs(5);
/// Most text of a command in a list, in bytes.
const SHOWN_COMMAND: usize = 200;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    action: String,
    session_id: Option<String>,
    data: Option<String>,
    offset: Option<i64>,
    limit: Option<i64>,
    timeout_ms: Option<i64>,
}

/// Carries out a call.
pub(super) async fn run(
    registry: &ProcessRegistry,
    owner: &ProcessOwner,
    arguments: Value,
    cancel: &CancellationToken,
) -> Result<ToolOutput, Failure> {
    let given: Arguments = serde_json::from_value(arguments)
        .map_err(|error| Failure::new(format!("The arguments could not be used: {error}.")))?;
    let action = given.action.as_str();
    if action == "list" {
        return Ok(list(registry, owner));
    }
    if !NAMES.contains(&action) {
        return Err(Failure::new(format!("There is no action {action:?}. Known: {}.", NAMES.join(", "))));
    }
    let session = find(registry, owner, given.session_id.as_deref())?;
    match action {
        "poll" => Ok(poll(&session, &given, cancel).await),
        "log" => Ok(log(&session, &given)),
        "write" => {
            let data = given.data.ok_or_else(|| Failure::new("write needs data: the text for standard input."))?;
            let bytes = data.len();
            running(&session)?.write(data.into_bytes()).await.map_err(unreachable_session)?;
            Ok(about(&session, format!("Wrote {bytes} bytes to {}.", session.id)))
        }
        "close" => {
            running(&session)?.close().map_err(unreachable_session)?;
            Ok(about(&session, format!("Closed the standard input of {}.", session.id)))
        }
        "signal" => {
            let signal = parse_signal(given.data.as_deref().unwrap_or("SIGINT"))?;
            running(&session)?.signal(signal as i32).map_err(unreachable_session)?;
            Ok(about(&session, format!("Sent {signal} to {}.", session.id)))
        }
        "kill" => {
            kill(&session).await;
            Ok(about(&session, state_line(&session)))
        }
        _ => {
            kill(&session).await;
            registry.remove(&session);
            Ok(ToolOutput::text(format!("Removed {}.", session.id)).with_details(json!({ "sessionId": session.id })))
        }
    }
}

fn find(
    registry: &ProcessRegistry,
    owner: &ProcessOwner,
    id: Option<&str>,
) -> Result<std::sync::Arc<ProcessSession>, Failure> {
    let known = registry.list(owner);
    let names = known.iter().map(|session| session.id.as_str()).collect::<Vec<_>>().join(", ");
    let names = if names.is_empty() { "none" } else { &names };
    let Some(id) = id else {
        // With one session there is nothing to choose.
        return match known.as_slice() {
            [only] => Ok(std::sync::Arc::clone(only)),
            _ => Err(Failure::new(format!("Which session? Give sessionId; known: {names}."))),
        };
    };
    registry
        .get(owner, id)
        .ok_or_else(|| Failure::new(format!("There is no background session {id:?}; known: {names}.")))
}

fn running(session: &ProcessSession) -> Result<&dyn ProcessControl, Failure> {
    match &session.control {
        Some(control) if session.is_running() => Ok(control.as_ref()),
        _ => Err(Failure::new(format!("{} No input or signal can reach it any more.", state_line(session)))),
    }
}

fn unreachable_session(error: std::io::Error) -> Failure {
    Failure::new(format!("The command could not be reached: {error}. It may just have ended; poll it."))
}

fn parse_signal(text: &str) -> Result<Signal, Failure> {
    let upper = text.trim().to_ascii_uppercase();
    let by_number = upper.parse::<i32>().ok().and_then(|number| Signal::try_from(number).ok());
    let long = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    by_number.or_else(|| long.parse().ok()).ok_or_else(|| {
        Failure::new(format!(
            "{text:?} is not a signal. Give a name in data, for example SIGINT, SIGTERM, SIGHUP, SIGUSR1."
        ))
    })
}

async fn kill(session: &ProcessSession) {
    if let Some(control) = session.control.as_ref().filter(|_| session.is_running()) {
        control.kill();
        session.wait(KILL_WAIT, |state| state.end.is_some()).await;
    }
}

fn list(registry: &ProcessRegistry, owner: &ProcessOwner) -> ToolOutput {
    let sessions = registry.list(owner);
    let details: Vec<Value> = sessions.iter().map(|session| details(session)).collect();
    let text = if sessions.is_empty() {
        "No background sessions.".to_owned()
    } else {
        let line = |session: &std::sync::Arc<ProcessSession>| {
            format!("{}  {}  {}", session.id, state_word(session), shown(&session.command))
        };
        sessions.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    ToolOutput::text(text).with_details(json!({ "sessions": details }))
}

async fn poll(session: &ProcessSession, given: &Arguments, cancel: &CancellationToken) -> ToolOutput {
    let position = match given.offset {
        Some(offset) => u64::try_from(offset).unwrap_or(0),
        None => session.state().polled,
    };
    let wait = Duration::from_millis(u64::try_from(given.timeout_ms.unwrap_or(0)).unwrap_or(0)).min(MAX_WAIT);
    if !wait.is_zero() {
        tokio::select! {
            _news = session.wait(wait, |state| state.end.is_some() || state.log.end() > position) => {}
            () = cancel.cancelled() => {}
        }
    }
    let (part, ended) = {
        let mut state = session.state();
        let part = state.log.from(position, SOFT_LIMIT - 1024);
        state.polled = part.next;
        (part, state.end.is_some())
    };
    let mut notes = Vec::new();
    if part.lost > 0 {
        notes.push(format!("{} bytes before this are not kept any more", part.lost));
    }
    if part.more {
        notes.push("more output is there already; poll again".to_owned());
    }
    let is_empty = part.text.is_empty();
    notes.push(if is_empty && !ended { "running, no new output".to_owned() } else { state_word(session) });
    let mut text = part.text;
    if !is_empty && !text.ends_with('\n') {
        text.push('\n');
    }
    let mut details = details(session);
    details["offset"] = part.next.into();
    details["more"] = part.more.into();
    finished(session, ToolOutput::text(with_notes(text, &notes)).with_details(details))
}

fn log(session: &ProcessSession, given: &Arguments) -> ToolOutput {
    let limit = clamp(given.limit, LOG_LINES, 5000);
    let first = given.offset.map(|first| usize::try_from(first.max(1)).unwrap_or(1));
    let (mut text, first, total, is_cut) = {
        let state = session.state();
        let (text, first, total) = state.log.lines(first, limit);
        (text, first, total, state.log.is_cut())
    };
    let shown = text.lines().count();
    if text.len() > SOFT_LIMIT - 1024 {
        text.drain(..text.ceil_char_boundary(text.len() - (SOFT_LIMIT - 1024)));
        text.insert(0, '…');
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let kept = if is_cut { " kept" } else { "" };
    let last = first + shown.saturating_sub(1);
    let lines = count(total, "line", "lines");
    let note = if shown == 0 { format!("{lines}{kept}") } else { format!("lines {first} to {last} of {lines}{kept}") };
    let text = with_notes(text, &[note, state_word(session)]);
    finished(session, ToolOutput::text(text).with_details(details(session)))
}

/// The report belongs to the result that tells of the end.
fn finished(session: &ProcessSession, mut output: ToolOutput) -> ToolOutput {
    if !session.is_running() {
        output.sandbox.clone_from(&session.state().report);
    }
    output
}

fn about(session: &ProcessSession, text: String) -> ToolOutput {
    finished(session, ToolOutput::text(text).with_details(details(session)))
}

fn state_line(session: &ProcessSession) -> String {
    format!("{}: {}.", session.id, state_word(session))
}

fn state_word(session: &ProcessSession) -> String {
    match &session.state().end {
        None => "running".to_owned(),
        Some(ProcessEnd::Exited(exit)) => ending::line(exit, session.timeout),
        Some(ProcessEnd::Failed(why)) => format!("its sandbox failed: {why}"),
        Some(ProcessEnd::GatewayStopped) => {
            "ended with the gateway, which was restarted since; its output is gone".to_owned()
        }
    }
}

fn shown(command: &str) -> String {
    let line = command.lines().next().unwrap_or_default();
    let cut = &line[..line.floor_char_boundary(SHOWN_COMMAND)];
    if cut.len() < command.len() { format!("{cut}…") } else { cut.to_owned() }
}

fn details(session: &ProcessSession) -> Value {
    let state = session.state();
    let mut details = json!({
        "sessionId": session.id,
        "command": session.command,
        "cwd": session.cwd,
        "startedAt": session.started_at,
        "runtimeMs": now_ms() - session.started_at,
        "status": "running",
        "offset": state.log.end(),
    });
    if let Some(end) = &state.end {
        details["status"] = match end {
            ProcessEnd::Exited(exit) if exit.success() => "completed",
            ProcessEnd::Exited(_) | ProcessEnd::Failed(_) => "failed",
            ProcessEnd::GatewayStopped => "lost",
        }
        .into();
        if let ProcessEnd::Exited(exit) = end {
            details["exit"] = ending::details(exit);
            details["runtimeMs"] = exit.duration_ms.into();
        }
    }
    details
}
