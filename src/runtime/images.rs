//! Images for models that take none: words in their place, so that one image does not end a conversation.

use std::sync::Arc;

use crate::session::ContentBlock;
use crate::session::message::{ChatMessage, Context, KnownBlock};

/// Replaces every image by a note; messages without one stay shared.
pub(super) fn describe(messages: &mut Context) {
    for message in messages {
        let (ChatMessage::User { content }
        | ChatMessage::Assistant { content, .. }
        | ChatMessage::ToolResult { content, .. }) = message.as_ref();
        if !content.iter().any(is_image) {
            continue;
        }
        let (ChatMessage::User { content }
        | ChatMessage::Assistant { content, .. }
        | ChatMessage::ToolResult { content, .. }) = Arc::make_mut(message);
        content.iter_mut().for_each(replace);
    }
}

fn is_image(block: &ContentBlock) -> bool {
    matches!(block, ContentBlock::Known(KnownBlock::Image { .. }))
}

fn replace(block: &mut ContentBlock) {
    if let ContentBlock::Known(KnownBlock::Image { mime_type, .. }) = block {
        *block = ContentBlock::text(format!("[image ({mime_type}) left out: this model cannot see images]"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_become_words_and_the_rest_stays_shared() {
        let plain = Arc::new(ChatMessage::User { content: vec![ContentBlock::text("hi")] });
        let content = vec![ContentBlock::text("look"), ContentBlock::image("AAAA", "image/png")];
        let seen = Arc::new(ChatMessage::User { content });
        let mut messages = vec![Arc::clone(&plain), Arc::clone(&seen)];
        describe(&mut messages);
        assert!(Arc::ptr_eq(&messages[0], &plain));
        let ChatMessage::User { content } = messages[1].as_ref() else { unreachable!("it was one") };
        assert_eq!(content[0], ContentBlock::text("look"));
        assert_eq!(content[1], ContentBlock::text("[image (image/png) left out: this model cannot see images]"));
        assert!(
            matches!(seen.as_ref(), ChatMessage::User { content } if is_image(&content[1])),
            "the transcript keeps it"
        );
    }
}
