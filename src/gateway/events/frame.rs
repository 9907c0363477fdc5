//! Notifications, serialised once and shared by every connection that gets them.

use std::sync::Arc;

use serde_json::{Value, json};

/// A notification without its last member and braces: `{"jsonrpc":…,"params":{…`.
#[derive(Debug)]
pub(crate) struct EventFrame {
    head: Box<str>,
    /// Set for text deltas.
    delta: Option<Delta>,
}

/// The parts of a delta, so that two can become one: `head` ends inside the text's JSON string.
#[derive(Debug)]
struct Delta {
    /// Same for all deltas that may be joined: event and run.
    stream: Box<str>,
    /// JSON-escaped text; escaped texts join to an escaped text.
    text: Box<str>,
    /// From the closing quote on.
    tail: Box<str>,
}

impl EventFrame {
    /// `params` must be an object.
    pub(crate) fn new(method: &str, params: &Value) -> Arc<Self> {
        let mut head = format!("{{\"jsonrpc\":\"2.0\",\"method\":{},\"params\":{params}", Value::from(method));
        if head.ends_with('}') {
            head.pop();
        }
        Arc::new(Self { head: head.into(), delta: None })
    }

    /// A text delta. `before` are the members up to the text, `field` is the text's name inside `wrap` (a name and the members
    /// before the text there) or at the top, `after` are the members behind it, which the newest delta of a joined one provides.
    pub(crate) fn delta(
        method: &str,
        run: &str,
        before: &Value,
        wrap: Option<(&str, &Value)>,
        field: &str,
        text: &str,
        after: &Value,
    ) -> Arc<Self> {
        let open = opened(before);
        let wrapped =
            wrap.map_or(String::new(), |(name, members)| format!("{}:{}", Value::from(name), opened(members)));
        let head = format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":{},\"params\":{open}{wrapped}{}:\"",
            Value::from(method),
            Value::from(field)
        );
        let escaped = json!(text).to_string();
        let text = escaped.get(1..escaped.len() - 1).unwrap_or_default();
        let rest = after.to_string();
        let rest = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        let tail = format!("\"{},{rest}", if wrap.is_some() { "}" } else { "" });
        Arc::new(Self {
            head: head.into(),
            delta: Some(Delta { stream: format!("{method} {run}").into(), text: text.into(), tail: tail.into() }),
        })
    }

    /// What may be joined with what; `None` for everything but deltas.
    pub(super) fn stream(&self) -> Option<&str> {
        self.delta.as_ref().map(|delta| &*delta.stream)
    }

    /// The escaped text of a delta.
    pub(super) fn text(&self) -> &str {
        self.delta.as_ref().map_or("", |delta| &delta.text)
    }

    /// Bytes it will take, about.
    pub(super) fn size(&self) -> usize {
        self.head.len() + self.delta.as_ref().map_or(0, |delta| delta.text.len() + delta.tail.len()) + 32
    }

    /// The whole notification. `more` is escaped text joined to a delta, `tail` the newest delta's end.
    pub(super) fn render(&self, more: &str, newest: &EventFrame, event_seq: u64) -> String {
        let mut text = String::with_capacity(self.size() + more.len());
        text.push_str(&self.head);
        if let Some(delta) = &self.delta {
            text.push_str(&delta.text);
            text.push_str(more);
            text.push_str(newest.delta.as_ref().map_or(&*delta.tail, |newest| &*newest.tail));
        }
        if !text.ends_with('{') {
            text.push(',');
        }
        text.push_str("\"eventSeq\":");
        text.push_str(&event_seq.to_string());
        text.push_str("}}");
        text
    }
}

/// An object's JSON up to where its next member goes.
fn opened(object: &Value) -> String {
    let mut text = object.to_string();
    text.pop();
    if text.len() > 1 {
        text.push(',');
    }
    text
}
