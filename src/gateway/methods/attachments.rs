//! Files sent with a message: images become image blocks, text becomes text blocks, everything else is refused.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::core::{Error, ErrorKind, Result, limits};
use crate::session::ContentBlock;

/// Most files of one message.
pub(super) const MAX_ATTACHMENTS: usize = 20;
/// Largest image after decoding, bytes (OpenClaw's `policy.attachments.maxImageBytes`).
const MAX_IMAGE_BYTES: usize = 6_291_456;

/// The blocks of a message: its text, then its files in order.
pub(super) fn content(message: &str, attachments: &[Value]) -> Result<Vec<ContentBlock>> {
    let mut blocks = Vec::with_capacity(1 + attachments.len());
    if !message.trim().is_empty() {
        blocks.push(ContentBlock::text(message));
    }
    for (index, attachment) in attachments.iter().enumerate() {
        blocks.push(block(index, attachment)?);
    }
    if blocks.is_empty() {
        return Err(Error::user("the message is empty").hint("send text, an attachment, or both"));
    }
    Ok(blocks)
}

fn block(index: usize, attachment: &Value) -> Result<ContentBlock> {
    let text = |name: &str| attachment.get(name).and_then(Value::as_str).unwrap_or_default();
    let file_name = text("fileName").chars().filter(|c| !c.is_control()).take(255).collect::<String>();
    let label = if file_name.is_empty() { format!("number {}", index + 1) } else { format!("{file_name:?}") };
    let refuse = |kind: ErrorKind, why: String, hint: &str| {
        Err(Error::new(kind, format!("the attachment {label} is refused"))
            .why(why)
            .hint(hint)
            .details(json!({"index": index, "fileName": file_name})))
    };
    let encoded = text("content");
    let encoded = match encoded.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((_, data)) => data,
        None => encoded,
    };
    if encoded.is_empty() {
        return refuse(ErrorKind::User, "it has no content".into(), "put the file's bytes into \"content\" as base64");
    }
    if encoded.len() / 4 * 3 > limits::MAX_ATTACHMENT_BYTES + 3 {
        let why = format!("it is larger than {} bytes", limits::MAX_ATTACHMENT_BYTES);
        return refuse(ErrorKind::TooLarge, why, "send a smaller file");
    }
    let bytes = match BASE64.decode(encoded.as_bytes()) {
        Ok(bytes) => bytes,
        Err(error) => {
            return refuse(
                ErrorKind::User,
                format!("its content is not base64: {error}"),
                "use the standard alphabet with padding",
            );
        }
    };
    if let Some(mime) = image_type(&bytes) {
        if bytes.len() > MAX_IMAGE_BYTES {
            let why = format!("images may have at most {MAX_IMAGE_BYTES} bytes; it has {}", bytes.len());
            return refuse(ErrorKind::TooLarge, why, "send a smaller image");
        }
        return Ok(ContentBlock::image(encoded, mime));
    }
    match String::from_utf8(bytes) {
        Ok(content) if content.len() > limits::MAX_MESSAGE_BYTES => {
            let why = format!("text files may have at most {} bytes", limits::MAX_MESSAGE_BYTES);
            refuse(ErrorKind::TooLarge, why, "put the file into the agent's workspace and name it in the message")
        }
        Ok(content) if !content.contains('\0') => {
            let title = if file_name.is_empty() { "attachment".to_owned() } else { file_name };
            Ok(ContentBlock::text(format!("File {title}:\n\n{content}")))
        }
        _ => refuse(
            ErrorKind::User,
            "it is neither an image (PNG, JPEG, GIF, WebP) nor UTF-8 text".into(),
            "put the file into the agent's workspace and name it in the message",
        ),
    }
}

/// The image type by its first bytes; what the sender claims does not count.
fn image_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Some("image/png"),
        [0xFF, 0xD8, 0xFF, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: &[u8]) -> Value {
        json!({"type": "file", "mimeType": "image/png", "fileName": name, "content": BASE64.encode(bytes)})
    }

    #[test]
    fn images_by_magic_and_text_by_encoding() {
        let png = b"\x89PNG\r\n\x1a\nrest";
        let blocks = content("look", &[file("a.png", png), file("note.txt", "grüße".as_bytes())]).unwrap();
        assert_eq!(blocks[0], ContentBlock::text("look"));
        assert_eq!(blocks[1], ContentBlock::image(BASE64.encode(png), "image/png"));
        assert_eq!(blocks[2], ContentBlock::text("File note.txt:\n\ngrüße"));
        assert_eq!(image_type(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(image_type(b"GIF89a"), Some("image/gif"));
        assert_eq!(image_type(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        let data_url = json!({"content": format!("data:image/png;base64,{}", BASE64.encode(png))});
        assert_eq!(content("", &[data_url]).unwrap().len(), 1);
    }

    #[test]
    fn what_is_refused_says_why() {
        for (attachment, kind) in [
            (file("x.zip", b"PK\x03\x04\0\0"), ErrorKind::User),
            (file("x.bin", b"\xff\xfe\xfd"), ErrorKind::User),
            (json!({"fileName": "a", "content": "***"}), ErrorKind::User),
            (json!({"fileName": "a"}), ErrorKind::User),
            (json!({"content": "A".repeat(limits::MAX_ATTACHMENT_BYTES / 3 * 4 + 8)}), ErrorKind::TooLarge),
        ] {
            let error = content("text", &[attachment]).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.reason().is_some() && error.fix().is_some());
        }
        let mut huge = b"\x89PNG\r\n\x1a\n".to_vec();
        huge.resize(MAX_IMAGE_BYTES + 1, 0);
        assert_eq!(content("", &[file("big.png", &huge)]).unwrap_err().kind(), ErrorKind::TooLarge);
        assert!(content(" \n", &[]).is_err());
    }
}
