//! What a person or program sees of a turn while it runs.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::cli::commands::models::OFFLINE_NOTE;
use crate::cli::context::Context;
use crate::cli::error::{Outcome, Stop};
use crate::cli::output::{Format, Meaning, Output, clean, duration, one_line, say};
use crate::cli::signals::Signal;
use crate::core::{Error, ErrorKind};

use super::ending::Ending;
use super::live::LiveOutput;

/// Longest argument or error shown beside a tool's name.
const MAX_DETAIL: usize = 72;

/// Prints the events of one run. Payloads have the shape of OpenClaw's `agent` event.
pub(super) struct Printer {
    out: Output,
    identity: Value,
    arguments: HashMap<String, String>,
    text: String,
    at_line_start: bool,
    told_offline: bool,
    steps: u64,
    tools: u64,
    live: LiveOutput,
}

impl Printer {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            out: context.out.clone(),
            identity: json!({}),
            arguments: HashMap::new(),
            text: String::new(),
            at_line_start: true,
            told_offline: false,
            steps: 0,
            tools: 0,
            live: LiveOutput::new(context.out.clone()),
        }
    }

    /// Something that does not stop the turn.
    pub(super) fn warn(&self, text: &str) {
        self.out.warn(text);
    }

    /// One event of the run.
    pub(super) fn event(&mut self, payload: &Value) -> Outcome {
        for name in ["runId", "sessionKey", "sessionId", "agentId"] {
            if let Some(value) = payload.get(name).filter(|value| !value.is_null()) {
                self.identity[name] = value.clone();
            }
        }
        if self.out.format() == Format::JsonLines {
            let mut line = json!({ "event": "agent" });
            if let (Value::Object(line), Value::Object(fields)) = (&mut line, payload) {
                // `eventSeq` counts what a connection got, which says nothing about the run.
                let of_run = fields.iter().filter(|(name, _)| name.as_str() != "eventSeq");
                line.extend(of_run.map(|(name, value)| (name.clone(), value.clone())));
            }
            self.out.json_line(&line)?;
        }
        let data = &payload["data"];
        match payload["stream"].as_str().unwrap_or_default() {
            "assistant" => self.delta(data["delta"].as_str().unwrap_or_default()),
            "tool" => {
                self.tool(data);
                Ok(())
            }
            "command_output" if data["phase"] == "delta" => {
                let field = |name: &str| data[name].as_str().unwrap_or_default();
                if self.out.is_text() && !self.out.is_quiet() {
                    self.leave_shared_line();
                    self.live.show(field("toolCallId"), field("source"), field("output"));
                }
                Ok(())
            }
            "lifecycle" if matches!(data["phase"].as_str(), Some("start" | "model")) => {
                if data["provider"] == "offline" && self.out.is_text() && !self.told_offline {
                    self.told_offline = true;
                    self.out.note(&self.out.paint_err(Meaning::Dim, OFFLINE_NOTE));
                }
                Ok(())
            }
            "usage" => {
                self.steps += 1;
                // Text after a tool call starts on a line of its own.
                if !self.at_line_start && !self.text.ends_with('\n') {
                    self.text.push('\n');
                    self.print("\n")?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn delta(&mut self, delta: &str) -> Outcome {
        self.text.push_str(delta);
        self.print(delta)
    }

    fn print(&mut self, text: &str) -> Outcome {
        if text.is_empty() || !self.out.is_text() {
            return Ok(());
        }
        self.live.end_line();
        self.at_line_start = text.ends_with('\n');
        if self.out.stdout_is_terminal() { self.out.raw(&clean(text)) } else { self.out.raw(text) }
    }

    fn tool(&mut self, data: &Value) {
        let id = data["toolCallId"].as_str().unwrap_or_default().to_owned();
        match data["phase"].as_str().unwrap_or_default() {
            "start" => {
                self.arguments.insert(id, argument(&data["args"]));
            }
            "result" => {
                self.tools += 1;
                let argument = self.arguments.remove(&id).unwrap_or_default();
                self.live.end(&id);
                if self.out.is_text() && !self.out.is_quiet() {
                    self.leave_shared_line();
                    say(&tool_line(&self.out, data, &argument));
                }
            }
            _ => {}
        }
    }

    /// A line on stderr in the middle of a line of text would break both.
    fn leave_shared_line(&mut self) {
        let shared = self.out.stdout_is_terminal() && self.out.stderr_is_terminal() && !self.at_line_start;
        if shared {
            say("");
            self.at_line_start = true;
        }
    }

    /// The end: what is missing of the text, the result object, the error.
    pub(super) fn finish(&mut self, ending: &Ending, started_at: i64, ended_at: i64) -> Outcome {
        match self.out.format() {
            Format::Text => {
                let missing = missing(&self.text, &ending.text);
                self.delta(&missing)?;
                self.end_line()?;
            }
            Format::Json if ending.status == "ok" => self.out.json(&self.result(ending, started_at, ended_at))?,
            Format::JsonLines if ending.status == "ok" => {
                let mut line = json!({ "event": "result" });
                if let (Value::Object(line), Value::Object(fields)) =
                    (&mut line, self.result(ending, started_at, ended_at))
                {
                    line.extend(fields);
                }
                self.out.json_line(&line)?;
            }
            Format::Json | Format::JsonLines => {}
        }
        ending.stop(self.details(&ending.text))
    }

    /// The run was aborted because a signal asked for it.
    pub(super) fn stopped(&mut self, signal: Signal) -> Outcome {
        self.end_line()?;
        if self.out.is_text() {
            self.out.note("stopped");
        } else {
            let error = Error::new(ErrorKind::Cancelled, "the reply was stopped")
                .why(format!("{} came; what the reply had so far is kept", signal.name()))
                .hint("send the message again, or ask the agent to go on")
                .details(self.details(""));
            self.out.error(&error)?;
        }
        Err(Stop::Signal(signal))
    }

    /// Ends a line of text that was begun, so that an error starts on one of its own.
    pub(super) fn end_line(&mut self) -> Outcome {
        if self.at_line_start { Ok(()) } else { self.print("\n") }
    }

    /// Which run it was, and what it said, for programs.
    fn details(&self, text: &str) -> Value {
        let mut details = self.identity.clone();
        details["text"] = if text.is_empty() { self.text.trim_end().into() } else { text.into() };
        details
    }

    fn result(&self, ending: &Ending, started_at: i64, ended_at: i64) -> Value {
        let text = if ending.text.is_empty() { self.text.trim_end() } else { &ending.text };
        let mut result = json!({
            "ok": true,
            "status": ending.status,
            "summary": "completed",
            "result": {
                "payloads": [{ "text": text, "mediaUrl": null }],
                "meta": {
                    "durationMs": ended_at.saturating_sub(started_at),
                    "stopReason": ending.stop_reason,
                    "toolCalls": self.tools,
                    "modelCalls": self.steps,
                    "agentMeta": {
                        "sessionId": self.identity["sessionId"], "provider": ending.provider,
                        "model": ending.model, "usage": ending.usage,
                    },
                },
            },
        });
        if let (Value::Object(result), Value::Object(identity)) = (&mut result, &self.identity) {
            result.extend(identity.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        result
    }
}

/// What the stream did not bring of the final text. The final text of a turn with tools may be only its last part.
fn missing(seen: &str, whole: &str) -> String {
    if seen.trim_end().ends_with(whole.trim_end()) {
        return String::new();
    }
    whole
        .strip_prefix(seen)
        .map_or_else(|| if seen.is_empty() { whole.to_owned() } else { format!("\n{whole}") }, ToOwned::to_owned)
}

/// `✓ read notes.txt  12 ms`.
fn tool_line(out: &Output, data: &Value, argument: &str) -> String {
    let good = data["isError"] != true;
    let name = one_line(data["name"].as_str().unwrap_or("tool"), 40);
    let mut rest = format!("{name} {argument}");
    if !good {
        let said = data.pointer("/result/content/0/text").and_then(Value::as_str).unwrap_or("failed");
        rest = format!("{} {}", rest.trim_end(), one_line(said, MAX_DETAIL));
    }
    if let Some(spent) = data["durationMs"].as_u64() {
        rest = format!("{}  {}", rest.trim_end(), duration(spent));
    }
    let mark = out.paint_err(if good { Meaning::Ok } else { Meaning::Error }, out.mark(good));
    format!("{mark} {}", out.paint_err(Meaning::Dim, rest.trim_end()))
}

/// The one argument that tells most.
fn argument(arguments: &Value) -> String {
    const TELLING: [&str; 8] = ["path", "file_path", "file", "pattern", "command", "query", "url", "name"];
    let Some(fields) = arguments.as_object().filter(|fields| !fields.is_empty()) else {
        return String::new();
    };
    let telling = TELLING.iter().find_map(|name| fields.get(*name)).and_then(Value::as_str);
    telling.map_or_else(|| one_line(&arguments.to_string(), MAX_DETAIL), |text| one_line(text, MAX_DETAIL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tool_lines_say_what_happened() {
        let out = Output::plain(Format::Text);
        let read = argument(&json!({"path": "notes.txt", "limit": 5}));
        let good = tool_line(&out, &json!({"name": "read", "isError": false, "durationMs": 12}), &read);
        assert_eq!(good, "+ read notes.txt  12 ms");
        let failed = json!({"name": "read", "isError": true, "durationMs": 3,
                            "result": {"content": [{"type": "text", "text": "no such file\nx"}]}});
        assert_eq!(tool_line(&out, &failed, "missing.txt"), "x read missing.txt no such file x  3 ms");
        assert_eq!(tool_line(&out, &json!({"name": "ls"}), ""), "+ ls");
    }

    #[test]
    fn unknown_arguments_are_shown_short() {
        assert_eq!(argument(&json!({})), "");
        assert_eq!(argument(&json!({"a": 1})), "{\"a\":1}");
        assert!(argument(&json!({"a": "x".repeat(500)})).chars().count() <= MAX_DETAIL);
    }

    #[test]
    fn text_is_printed_once() {
        assert_eq!(missing("hello", "hello"), "");
        assert_eq!(missing("Looking.\nTwo files.\n", "Two files."), "");
        assert_eq!(missing("hel", "hello"), "lo");
        assert_eq!(missing("", "hello"), "hello");
        assert_eq!(missing("", ""), "");
    }
}
