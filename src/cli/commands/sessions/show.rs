//! `openclaw sessions show`.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Meaning, Output, absolute, clean, clock_time, duration, one_line};
use crate::core::{Result, now_ms};
use crate::session::EventBody;
use crate::session::message::{ContentBlock, plain_text};
use crate::session::projection::message_json;
use crate::state::{SessionEntry, StoredEvent};

use super::{list, lookup};

/// Flags of `sessions show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Session key or id, or the beginning of one.
    #[arg(value_name = "KEY")]
    key: String,
    /// Most events, counted from the end.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
    /// Times in UTC.
    #[arg(long)]
    utc: bool,
}

/// Prints a conversation.
pub(crate) fn run(context: &Context, args: &ShowArgs) -> Outcome {
    let (store, entry) = lookup::find(context, &args.key)?;
    let (agent, session, limit) = (entry.agent_id.clone(), entry.session_id.clone(), args.limit);
    let events = store.read_blocking(move |read| read.events_tail(&agent, &session, None, limit))?;
    if context.out.is_text() {
        return context.out.line(&text(context, &entry, &events, args.utc));
    }
    let messages: Vec<_> = events.iter().filter_map(|stored| message_json(&stored.event, stored.seq)).collect();
    let value = json!({ "session": list::row(&entry, now_ms())?, "messages": messages });
    context.out.data(&value, "messages", String::new)
}

fn text(context: &Context, entry: &SessionEntry, events: &[StoredEvent], utc: bool) -> String {
    let out = &context.out;
    let mut lines = vec![format!(
        "{}  {}",
        out.paint(Meaning::Accent, &clean(entry.key.as_str())),
        out.paint(
            Meaning::Dim,
            &format!("{}  updated {}", clean(entry.session_id.as_str()), absolute(entry.updated_at, utc))
        )
    )];
    if let Some(title) = entry.label.as_ref().or(entry.derived_title.as_ref()) {
        lines.push(one_line(title, 100));
    }
    for stored in events {
        lines.extend(event_lines(out, stored, utc));
    }
    lines.join("\n")
}

fn event_lines(out: &Output, stored: &StoredEvent, utc: bool) -> Vec<String> {
    let at = out.paint(Meaning::Dim, &clock_time(stored.event.ts, utc));
    let said = |who: &str, content: &[ContentBlock]| {
        vec![String::new(), format!("{}  {at}", out.paint(Meaning::Accent, who)), clean(&plain_text(content))]
    };
    match &stored.event.body {
        EventBody::MessageReceived(message) => said("You", &message.content),
        EventBody::AgentResponse(answer) => {
            let mut lines =
                if plain_text(&answer.content).is_empty() { Vec::new() } else { said("Assistant", &answer.content) };
            if let Some(error) = &answer.error {
                lines.push(format!("{} {}", out.paint(Meaning::Error, "error:"), clean(error)));
            }
            lines
        }
        EventBody::ToolResult(result) => {
            let meaning = if result.success { Meaning::Ok } else { Meaning::Error };
            let spent = result.duration_ms.map(duration).unwrap_or_default();
            vec![format!("{} {}  {spent}", out.paint(meaning, out.mark(result.success)), one_line(&result.tool, 64))]
        }
        EventBody::SessionEnded(end) => vec![out.paint(Meaning::Dim, &format!("ended: {}", one_line(&end.reason, 64)))],
        EventBody::SessionStarted(_)
        | EventBody::ToolCalled(_)
        | EventBody::MessageSent(_)
        | EventBody::StateChanged(_) => Vec::new(),
    }
}

/// Every event of a conversation in order.
pub(super) fn all_events(store: &crate::state::Store, entry: &SessionEntry) -> Result<Vec<StoredEvent>> {
    let mut events: Vec<StoredEvent> = Vec::new();
    store.read_blocking(|read| {
        read.each_event(&entry.agent_id, &entry.session_id, |event| {
            events.push(event);
            true
        })
    })?;
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Format;
    use crate::session::Event;
    use serde_json::Value;
    use std::sync::Arc;

    fn stored(seq: i64, kind: &str, data: &Value) -> StoredEvent {
        let event: Event = serde_json::from_value(json!({
            "id": seq.to_string(), "parentId": null, "ts": 47_911_000, "kind": kind, "data": data,
        }))
        .expect("an event");
        StoredEvent { seq, event: Arc::new(event) }
    }

    #[test]
    fn a_conversation_reads_like_one() {
        let text = |words: &str| json!([{"type": "text", "text": words}]);
        let events = [
            stored(1, "SessionStarted", &json!({})),
            stored(2, "MessageReceived", &json!({"content": text("list the files")})),
            stored(
                3,
                "AgentResponse",
                &json!({"content": [{"type": "toolCall", "id": "c", "name": "ls", "arguments": {}}]}),
            ),
            stored(
                4,
                "ToolResult",
                &json!({"toolCallId": "c", "tool": "ls", "content": [], "success": true, "durationMs": 3}),
            ),
            stored(5, "AgentResponse", &json!({"content": text("Two files.\u{1b}[2J")})),
        ];
        let out = Output::plain(Format::Text);
        let lines: Vec<String> = events.iter().flat_map(|event| event_lines(&out, event, true)).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        You  13:18:31Z
        list the files
        + ls  3 ms

        Assistant  13:18:31Z
        Two files.�[2J
        ");
    }
}
