//! How much memory an event takes, about. What counts are texts, images and arguments.

use serde_json::Value;

use crate::session::message::{ContentBlock, KnownBlock};
use crate::session::{Event, EventBody};

/// Bytes of an event besides its content: ids, the place in the projection, the message made of it.
const ENVELOPE: usize = 1024;

/// Bytes of one event, about.
pub(super) fn weight(event: &Event) -> usize {
    let content = match &event.body {
        EventBody::MessageReceived(data) => blocks(&data.content) + data.attachments.iter().map(value).sum::<usize>(),
        EventBody::AgentResponse(data) => blocks(&data.content),
        EventBody::ToolResult(data) => blocks(&data.content) + data.details.as_ref().map_or(0, value),
        EventBody::MessageSent(data) => blocks(&data.content),
        EventBody::ToolCalled(data) => value(&data.params),
        EventBody::StateChanged(data) => value(&data.value),
        EventBody::SessionStarted(_) | EventBody::SessionEnded(_) => 0,
    };
    ENVELOPE + content
}

fn blocks(content: &[ContentBlock]) -> usize {
    // Twice: the message for the model is a copy.
    content.iter().map(block).sum::<usize>() * 2
}

fn block(block: &ContentBlock) -> usize {
    match block {
        ContentBlock::Known(KnownBlock::Text { text, .. }) => text.len(),
        ContentBlock::Known(KnownBlock::Thinking { thinking, signature, .. }) => {
            thinking.len() + signature.as_ref().map_or(0, String::len)
        }
        ContentBlock::Known(KnownBlock::ToolCall { arguments, .. }) => value(arguments),
        ContentBlock::Known(KnownBlock::Image { data, .. }) => data.len(),
        ContentBlock::Other(other) => value(other),
    }
}

fn value(json: &Value) -> usize {
    const NODE: usize = 32;
    NODE + match json {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(value).sum(),
        Value::Object(map) => map.iter().map(|(key, member)| key.len() + value(member)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::MessageReceived;

    #[test]
    fn an_image_weighs_what_its_data_weighs() {
        let with = |content| Event::new(None, 0, None, MessageReceived { content, ..MessageReceived::default() });
        let small = weight(&with(vec![ContentBlock::text("hello")]));
        let large = weight(&with(vec![ContentBlock::image("x".repeat(1_000_000), "image/png")]));
        assert!(small < 2_000 && large > 1_000_000, "{small} {large}");
    }
}
