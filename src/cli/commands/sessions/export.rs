//! `openclaw sessions export`: the whole conversation as JSONL, JSON or Markdown.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::cli::commands::files;
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Format, absolute};
use crate::core::{Error, Result, now_ms};
use crate::session::EventBody;
use crate::session::message::plain_text;
use crate::state::{SessionEntry, StoredEvent};

use super::{list, lookup, show};

/// Flags of `sessions export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Session key or id, or the beginning of one.
    #[arg(value_name = "KEY")]
    key: String,
    /// jsonl (nothing lost), json (one object), markdown [default: jsonl].
    #[arg(long, value_enum, hide_possible_values = true)]
    format: Option<ExportFormat>,
    /// File to write instead of stdout.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// One event per line, nothing lost.
    Jsonl,
    /// One object with the session and its events.
    Json,
    /// What was said, for reading.
    Markdown,
}

/// Exports a conversation.
pub(crate) fn run(context: &Context, args: &ExportArgs) -> Outcome {
    let (store, entry) = lookup::find(context, &args.key)?;
    let events = show::all_events(&store, &entry)?;
    // On stdout `--json` means one object; a file gets the form that loses nothing.
    let one_object = context.out.format() == Format::Json && args.output.is_none();
    let usual = if one_object { ExportFormat::Json } else { ExportFormat::Jsonl };
    let text = match args.format.unwrap_or(usual) {
        ExportFormat::Jsonl => jsonl(&events)?,
        ExportFormat::Json => {
            let events: Vec<Value> = events.iter().map(event_json).collect::<Result<_>>()?;
            format!("{:#}\n", json!({ "session": list::row(&entry, now_ms())?, "events": events }))
        }
        ExportFormat::Markdown => markdown(&entry, &events),
    };
    let Some(path) = &args.output else { return context.out.raw(&text) };
    let written = files::write_text(path, &context.load.cwd, &text)?;
    let (count, shown) = (events.len(), written.display().to_string());
    context.out.done(json!({ "path": shown, "events": count }), &format!("wrote {count} events to {shown}"))
}

fn event_json(stored: &StoredEvent) -> Result<Value> {
    serde_json::to_value(stored.event.as_ref())
        .map_err(|error| Error::internal(format!("event {} cannot be written as JSON", stored.event.id)).source(error))
}

fn jsonl(events: &[StoredEvent]) -> Result<String> {
    let mut text = String::new();
    for stored in events {
        text.push_str(&event_json(stored)?.to_string());
        text.push('\n');
    }
    Ok(text)
}

fn markdown(entry: &SessionEntry, events: &[StoredEvent]) -> String {
    let title = entry.label.as_deref().or(entry.derived_title.as_deref()).unwrap_or(entry.key.as_str());
    let mut text = format!("# {title}\n\nSession `{}`, id `{}`.\n", entry.key, entry.session_id);
    for stored in events {
        let at = absolute(stored.event.ts, true);
        let section = match &stored.event.body {
            EventBody::MessageReceived(message) => format!("\n## You, {at}\n\n{}\n", plain_text(&message.content)),
            EventBody::AgentResponse(answer) => {
                let said = plain_text(&answer.content);
                if said.is_empty() { String::new() } else { format!("\n## Assistant, {at}\n\n{said}\n") }
            }
            EventBody::ToolCalled(call) => format!("\n- `{}` `{}`\n", call.tool, call.params),
            EventBody::ToolResult(result) if !result.success => {
                format!("  - failed: {}\n", plain_text(&result.content).lines().next().unwrap_or_default())
            }
            _ => String::new(),
        };
        // Writing to a String cannot fail.
        write!(text, "{section}").unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Event;
    use std::sync::Arc;

    fn sample() -> Vec<StoredEvent> {
        let raw = [
            json!({"id": "1", "parentId": null, "ts": 0, "kind": "MessageReceived",
                   "data": {"content": [{"type": "text", "text": "hello"}], "foreign": 1}, "alien": true}),
            json!({"id": "2", "parentId": "1", "ts": 1000, "kind": "AgentResponse",
                   "data": {"content": [{"type": "text", "text": "hi"}]}}),
        ];
        (1..)
            .zip(raw)
            .map(|(seq, value)| {
                let event: Event = serde_json::from_value(value).expect("an event");
                StoredEvent { seq, event: Arc::new(event) }
            })
            .collect()
    }

    #[test]
    fn jsonl_loses_nothing() {
        let text = jsonl(&sample()).expect("JSON");
        let back: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
        let events: Vec<Event> = sample().iter().map(|stored| stored.event.as_ref().clone()).collect();
        assert_eq!(back, events);
        assert!(text.contains("\"foreign\":1") && text.contains("\"alien\":true"));
    }

    #[test]
    fn markdown_reads_like_a_conversation() {
        let mut entry: SessionEntry = serde_json::from_value(json!({"sessionId": "0197"})).expect("an entry");
        entry.key = "agent:main:main".into();
        insta::assert_snapshot!(markdown(&entry, &sample()), @"
        # agent:main:main

        Session `agent:main:main`, id `0197`.

        ## You, 1970-01-01 00:00:00Z

        hello

        ## Assistant, 1970-01-01 00:00:01Z

        hi
        ");
    }
}
