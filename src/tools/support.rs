//! What the tools share: blocking work, failures as text, bounds on what a model is shown.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::replace::likeness;
use super::scratch::{self, ScratchFiles};
use super::{ToolContext, ToolOutput};
use crate::core::Error;
use crate::core::limits::MAX_TOOL_RESULT_BYTES;
use crate::fs::{AgentFiles, FsError, RelPath};
use crate::providers::ToolSpec;
use crate::sandbox::SandboxError;
use crate::session::message::{ContentBlock, KnownBlock};

/// Text a tool itself aims for, in bytes: below the hard bound, so that notes fit.
pub(super) const SOFT_LIMIT: usize = 50 * 1024;

/// A tool could not do what was asked; the text is for the model.
#[derive(Debug)]
pub(super) struct Failure {
    text: String,
    details: Option<Value>,
}

impl Failure {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), details: None }
    }

    /// What the model is told.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn cancelled() -> Self {
        Self { text: "Cancelled before it was done.".to_owned(), details: Some(json!({ "reason": "cancelled" })) }
    }
}

impl From<FsError> for Failure {
    fn from(error: FsError) -> Self {
        let details = json!({ "path": error.path(), "reason": error.code() });
        Self { text: format!("{error}. {}.", error.hint()), details: Some(details) }
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        let error = Error::from(error);
        let mut text = format!("The command was not run: {}.", error.message());
        for more in [error.reason().as_deref(), error.fix()].into_iter().flatten() {
            text.extend([" ", more, "."]);
        }
        Self { text, details: error.data().cloned() }
    }
}

impl From<Failure> for ToolOutput {
    fn from(failure: Failure) -> Self {
        let mut output = ToolOutput::error(failure.text);
        output.details = failure.details;
        output
    }
}

/// A failure at a place; when nothing is there, with names beside it that look alike.
pub(super) fn lookup(place: &Place, error: FsError) -> Failure {
    /// Thousandths of agreement that make a name worth mentioning.
    const ALIKE: usize = 600;
    let missing = matches!(error, FsError::NotFound { .. });
    let mut failure = Failure::from(error);
    let Some(parent) = place.path.parent().filter(|_| missing) else { return failure };
    // Without the directory there is nothing to suggest; the failure itself is already being reported.
    let Ok(listing) = place.files.list_bounded(&parent, 2000) else { return failure };
    let wanted = place.path.name().to_lowercase();
    let mut alike: Vec<(usize, String)> = listing
        .entries
        .into_iter()
        .filter(|entry| !entry.lossy_name)
        .map(|entry| (likeness(&wanted, &entry.name.to_lowercase()), entry.name))
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    alike.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    let whole = |name: String| parent.join(&name).map_or(name, |path| place.show(&path));
    let names: Vec<String> = alike.into_iter().take(3).map(|(_, name)| whole(name)).collect();
    if !names.is_empty() {
        failure.text = format!("{place} does not exist. Similar: {}.", names.join(", "));
    }
    failure
}

/// The text with remarks in brackets, one a line, after it.
pub(super) fn with_notes(mut text: String, notes: &[String]) -> String {
    for note in notes {
        text.extend(["[", note, "]\n"]);
    }
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

/// Everything blocking work needs.
pub(super) struct Job {
    workspace: Option<Arc<dyn AgentFiles>>,
    scratch: Option<Arc<dyn AgentFiles>>,
    pub(super) cancel: CancellationToken,
    pub(super) images: bool,
}

impl Job {
    pub(super) fn new(context: &ToolContext) -> Self {
        let scratch = context.files.scratch.clone().map(|files| Arc::new(ScratchFiles(files)) as Arc<dyn AgentFiles>);
        let workspace = context.files.workspace.clone();
        Self { workspace, scratch, cancel: context.cancel.clone(), images: context.images }
    }

    /// Ends the work when the run was aborted.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.cancel.is_cancelled() { Err(Failure::cancelled()) } else { Ok(()) }
    }

    /// What a path from a model names: in the workspace, or with `scratch:/` before it among the scratch files. The only way to files.
    pub(super) fn locate(&self, text: &str) -> Result<Place, Failure> {
        let (files, text, prefix) = match scratch::strip(text) {
            Some(text) => (&self.scratch, text, scratch::PREFIX),
            None => (&self.workspace, text, ""),
        };
        let Some(files) = files.clone() else {
            return Err(Failure::new(if prefix.is_empty() {
                "This run has no files."
            } else {
                "This run has no scratch files. Use a path in the workspace."
            }));
        };
        let path = files.resolve(text)?;
        Ok(Place { files, path, prefix })
    }
}

/// A path on one of the file systems of a run.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) files: Arc<dyn AgentFiles>,
    pub(super) path: RelPath,
    prefix: &'static str,
}

impl Place {
    /// Another path of the same file system, for people and models.
    pub(super) fn show(&self, path: &RelPath) -> String {
        let shown = if self.prefix.is_empty() { path.display() } else { path.as_str() };
        format!("{}{shown}", self.prefix)
    }

    /// Whether both are on the same file system.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.prefix == other.prefix
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.show(&self.path))
    }
}

/// Parses the validated arguments and runs `work` on a thread that may block.
pub(super) async fn run<A, F>(context: &ToolContext, arguments: Value, work: F) -> ToolOutput
where
    A: DeserializeOwned + Send + 'static,
    F: FnOnce(&Job, A) -> Result<ToolOutput, Failure> + Send + 'static,
{
    let arguments: A = match serde_json::from_value(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return ToolOutput::error(format!("The arguments could not be used: {error}.")),
    };
    let job = Job::new(context);
    let work = blocking(move || {
        job.check()?;
        work(&job, arguments)
    });
    work.await.unwrap_or_else(ToolOutput::from)
}

/// Runs work that blocks on files or the database.
pub(super) async fn blocking<T, F>(work: F) -> Result<T, Failure>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Failure> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Failure::new("The program is shutting down; the tool did not run.")),
    }
}

/// A tool's description with its schema.
pub(super) fn spec(name: &str, description: &str, properties: Value, required: &[&str]) -> ToolSpec {
    let mut parameters =
        json!({ "type": "object", "properties": null, "required": required, "additionalProperties": false });
    parameters["properties"] = properties;
    ToolSpec { name: name.to_owned(), description: description.to_owned(), parameters }
}

/// Cuts each text block to the hard bound; the last resort behind the tools' own limits.
pub(super) fn bound(mut output: ToolOutput) -> ToolOutput {
    for block in &mut output.content {
        if let ContentBlock::Known(KnownBlock::Text { text, .. }) = block
            && text.len() > MAX_TOOL_RESULT_BYTES
        {
            let note = format!("\n[Cut: {} bytes in all. Ask for a smaller part.]", text.len());
            text.truncate(text.floor_char_boundary(MAX_TOOL_RESULT_BYTES - note.len()));
            text.push_str(&note);
        }
    }
    output
}

/// `text` cut to `max` bytes at a character, with a mark.
pub(super) fn cut(text: &str, max: usize) -> std::borrow::Cow<'_, str> {
    if text.len() <= max {
        return text.into();
    }
    let kept = &text[..text.floor_char_boundary(max)];
    format!("{kept}… [cut, {} bytes in all]", text.len()).into()
}

/// A size for people.
pub(super) fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths, in integers: exact enough for people, and the same on every machine.
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `1 file`, `2 files`.
pub(super) fn count(number: usize, noun: &str, plural: &str) -> String {
    format!("{number} {}", if number == 1 { noun } else { plural })
}

/// An optional count from a model, brought into `1..=max`.
pub(super) fn clamp(given: Option<i64>, default: usize, max: usize) -> usize {
    given.map_or(default, |given| usize::try_from(given.max(1)).unwrap_or(max).min(max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_read_well() {
        let sizes: Vec<String> = [0, 1023, 1024, 1536, 10 << 20, 5 << 40].into_iter().map(human_size).collect();
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KB", "1.5 KB", "10.0 MB", "5.0 TB"]);
        assert_eq!(
            (count(1, "entry", "entries"), count(0, "entry", "entries")),
            ("1 entry".into(), "0 entries".into())
        );
        assert_eq!((clamp(None, 5, 9), clamp(Some(-3), 5, 9), clamp(Some(99), 5, 9)), (5, 1, 9));
    }

    #[test]
    fn text_is_bounded_at_a_character() {
        let output = bound(ToolOutput::text("é".repeat(MAX_TOOL_RESULT_BYTES)));
        let text = output.content[0].as_text().unwrap();
        assert!(text.len() <= MAX_TOOL_RESULT_BYTES && text.ends_with("Ask for a smaller part.]"), "{}", text.len());
        assert_eq!(cut("aé", 2), "a… [cut, 3 bytes in all]");
    }
}
