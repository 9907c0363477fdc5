//! `read`: text by lines, images as images.

use std::io::{Cursor, Read as _};

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::lines::{HEAD, Lines, head, is_binary};
use super::support::{Failure, Job, Place, SOFT_LIMIT, clamp, count, human_size, lookup, run, spec};
use super::{Tool, ToolContext, ToolOutput, image};
use crate::fs::{FsError, OpenedReader};
use crate::providers::ToolSpec;
use crate::session::message::ContentBlock;

const DEFAULT_LINES: usize = 2000;
/// Bytes shown of one line.
const MAX_LINE: usize = 8 * 1024;
/// Bytes read to find the offset and to count the lines that follow.
const SCAN: u64 = 256 * 1024 * 1024;
/// Image bytes; in base64 that is the 5 MB that providers accept.
const MAX_IMAGE: u64 = 3_750_000;

/// The tool.
pub(super) struct Read {
    spec: ToolSpec,
}

impl Default for Read {
    fn default() -> Self {
        let properties = json!({
            "path": { "type": "string", "description": "File, relative to the workspace" },
            "offset": { "type": "integer", "description": "First line, from 1" },
            "limit": { "type": "integer", "description": "Most lines (default 2000)" },
        });
        let description = "Read a text file, or look at a PNG, JPEG, GIF or WebP image. Text stops at 2000 lines or 50 KB; \
            a note at the end then gives the offset to continue with.";
        Self { spec: spec("read", description, properties, &["path"]) }
    }
}

#[derive(Deserialize)]
struct Arguments {
    path: String,
    offset: Option<i64>,
    limit: Option<i64>,
}

impl Tool for Read {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, context: &'a ToolContext, arguments: Value) -> BoxFuture<'a, ToolOutput> {
        Box::pin(run(context, arguments, |job, arguments| read(job, &arguments)))
    }

    fn parallel(&self) -> bool {
        true
    }
}

fn read(job: &Job, arguments: &Arguments) -> Result<ToolOutput, Failure> {
    let place = job.locate(&arguments.path)?;
    let mut opened = place.files.open_for_read(&place.path).map_err(|error| lookup(&place, error))?;
    let first = head(&mut opened.reader, HEAD).map_err(|error| broken(&place, &error))?;
    if let Some(mime_type) = image::mime_type(&first) {
        return read_image(job, &place, mime_type, opened.size);
    }
    if is_binary(&first) {
        let text = format!("{place} is not text ({}, binary). Its content is not shown.", human_size(opened.size));
        return Ok(ToolOutput::text(text)
            .with_details(json!({ "path": place.to_string(), "bytes": opened.size, "binary": true })));
    }
    let offset = clamp(arguments.offset, 1, usize::MAX);
    let limit = clamp(arguments.limit, DEFAULT_LINES, usize::MAX);
    read_text(job, &place, opened, first, offset, limit)
}

fn read_image(job: &Job, place: &Place, mime_type: &str, size: u64) -> Result<ToolOutput, Failure> {
    let details = json!({ "path": place.to_string(), "bytes": size, "mimeType": mime_type });
    let what = format!("{place} is an image ({mime_type}, {})", human_size(size));
    if !job.images {
        return Ok(ToolOutput::text(format!("{what}. This model cannot see images.")).with_details(details));
    }
    let data = match place.files.read(&place.path, MAX_IMAGE) {
        Err(FsError::TooLarge { .. }) => {
            return Err(Failure::new(format!(
                "{what}, too large to be shown: the limit is {}.",
                human_size(MAX_IMAGE)
            )));
        }
        data => data?,
    };
    let encoded = data_encoding::BASE64.encode(&data);
    let mut output = ToolOutput::text(format!("{what}.")).with_details(details);
    output.content.push(ContentBlock::image(encoded, mime_type));
    Ok(output)
}

fn read_text(
    job: &Job,
    place: &Place,
    opened: OpenedReader,
    first: Vec<u8>,
    offset: usize,
    limit: usize,
) -> Result<ToolOutput, Failure> {
    let size = opened.size;
    let mut lines = Lines::new(Cursor::new(first).chain(opened.reader), MAX_LINE, SCAN, job.cancel.clone());
    let mut text = String::new();
    let (mut number, mut shown, mut cut, mut lossy, mut full) = (0_usize, 0_usize, 0_usize, false, false);
    while let Some(line) = lines.next_line().map_err(|error| broken(place, &error))? {
        number += 1;
        if number < offset || full {
            continue;
        }
        if shown == limit || (shown > 0 && text.len() + line.bytes.len() > SOFT_LIMIT) {
            full = true;
            continue;
        }
        let bytes =
            if number == 1 { line.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line.bytes) } else { &line.bytes };
        let decoded = if line.is_cut() { whole_characters(bytes) } else { String::from_utf8_lossy(bytes) };
        lossy |= matches!(decoded, std::borrow::Cow::Owned(_));
        text.push_str(&decoded);
        if line.is_cut() {
            text.push('…');
            cut += 1;
        }
        if line.terminated {
            text.push('\n');
        }
        shown += 1;
    }
    job.check()?;
    let counted = !lines.stopped();
    if shown == 0 && offset > 1 {
        let lines = count(number, "line", "lines");
        let text = if counted {
            format!("{place} has {lines}; offset {offset} is past its end.")
        } else {
            format!(
                "Line {offset} of {place} is too far into a very large file ({}); use grep to find the part.",
                human_size(size)
            )
        };
        return Err(Failure::new(text));
    }
    let last = offset - 1 + shown;
    let mut notes = Vec::new();
    if number == 0 {
        notes.push("The file is empty.".to_owned());
    }
    if full {
        let more =
            if counted { count(number - last, "more line", "more lines") } else { "More lines follow".to_owned() };
        notes.push(format!("{more}; continue with offset={}", last + 1));
    }
    if cut > 0 {
        notes.push(format!("{} longer than {} cut, marked …", count(cut, "line", "lines"), human_size(8 * 1024)));
    }
    if lossy {
        notes.push("Bytes that are not UTF-8 are shown as \u{fffd}".to_owned());
    }
    if !notes.is_empty() {
        if !text.is_empty() {
            text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
        }
        text.push_str(&notes.iter().map(|note| format!("[{note}]")).collect::<Vec<_>>().join("\n"));
    }
    Ok(ToolOutput::text(text).with_details(json!({
        "path": place.to_string(),
        "bytes": size,
        "lines": counted.then_some(number),
        "startLine": offset,
        "endLine": last,
        "truncated": full || cut > 0,
        "nextOffset": full.then_some(last + 1),
    })))
}

/// A beginning of a line, without the part of a character at its cut end.
fn whole_characters(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => String::from_utf8_lossy(&bytes[..error.valid_up_to()]),
        _ => String::from_utf8_lossy(bytes),
    }
}

fn broken(place: &Place, error: &std::io::Error) -> Failure {
    Failure::new(format!("{place} could not be read to its end: {error}."))
}
