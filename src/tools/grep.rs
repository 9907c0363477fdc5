//! `grep`: lines by regular expression.

use std::collections::VecDeque;
use std::io::{Cursor, Read as _};

use futures_util::future::BoxFuture;
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ignore_rules::{PathGlob, notes, visit};
use super::lines::{HEAD, Lines, head, is_binary};
use super::support::{Failure, Job, Place, SOFT_LIMIT, clamp, count, human_size, lookup, run, spec, with_notes};
use super::{Tool, ToolContext, ToolOutput};
use crate::fs::{EntryKind, FsError, RelPath, WalkReport};
use crate::providers::ToolSpec;

const DEFAULT_MATCHES: usize = 100;
const MAX_MATCHES: usize = 2000;
const MAX_CONTEXT: usize = 20;
/// Bytes of one line that are searched.
const MAX_LINE: usize = 64 * 1024;
/// Bytes of one line that are shown.
const SHOWN: usize = 400;
/// Bytes searched of one file.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Bytes searched in all.
const MAX_TOTAL: u64 = 1024 * 1024 * 1024;
/// Memory for a compiled pattern, in bytes.
const PATTERN_SIZE: usize = 2 * 1024 * 1024;

/// The tool.
pub(super) struct Grep {
    spec: ToolSpec,
}

impl Default for Grep {
    fn default() -> Self {
        let properties = json!({
            "pattern": { "type": "string", "description": "Regular expression (Rust syntax)" },
            "path": { "type": "string", "description": "File or directory (default: the workspace)" },
            "glob": { "type": "string", "description": "Only files that match, for example *.rs" },
            "literal": { "type": "boolean", "description": "Take pattern as plain text" },
            "ignoreCase": { "type": "boolean" },
            "context": { "type": "integer", "description": "Lines before and after" },
            "limit": { "type": "integer", "description": "Most matching lines (default 100)" },
        });
        let description = "Search file contents line by line; results are path:line: text. \
            Leaves out binary files, .git and what .gitignore names.";
        Self { spec: spec("grep", description, properties, &["pattern"]) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    pattern: String,
    #[serde(default)]
    path: String,
    glob: Option<String>,
    #[serde(default)]
    literal: bool,
    #[serde(default)]
    ignore_case: bool,
    context: Option<i64>,
    limit: Option<i64>,
}

impl Tool for Grep {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, context: &'a ToolContext, arguments: Value) -> BoxFuture<'a, ToolOutput> {
        Box::pin(run(context, arguments, |job, arguments| grep(job, &arguments)))
    }

    fn parallel(&self) -> bool {
        true
    }
}

fn grep(job: &Job, arguments: &Arguments) -> Result<ToolOutput, Failure> {
    let place = job.locate(&arguments.path)?;
    let start = &place.path;
    let glob = arguments.glob.as_deref().filter(|glob| !glob.is_empty()).map(PathGlob::parse).transpose()?;
    let context = usize::try_from(arguments.context.unwrap_or(0).max(0)).unwrap_or(MAX_CONTEXT).min(MAX_CONTEXT);
    let mut search = Search {
        job,
        place: &place,
        regex: compile(arguments)?,
        context,
        limit: clamp(arguments.limit, DEFAULT_MATCHES, MAX_MATCHES),
        budget: MAX_TOTAL,
        found: Found::default(),
    };
    let report = if place.files.stat(start).map_err(|error| lookup(&place, error))?.kind == EntryKind::Directory {
        visit(job, &place, |entry| {
            if entry.entry.kind == EntryKind::File && glob.as_ref().is_none_or(|glob| glob.matches(&entry.path, start))
            {
                match search.file(&entry.path) {
                    // A file of a tree that cannot be opened (gone, no permission, protected) is counted, not fatal.
                    Err(Problem::File(_)) => search.found.unreadable += 1,
                    Err(Problem::Stop(failure)) => return Err(failure),
                    Ok(()) => {}
                }
            }
            Ok(!search.found.full && search.budget > 0)
        })?
    } else {
        match search.file(start) {
            Err(Problem::File(error)) => return Err(error.into()),
            Err(Problem::Stop(failure)) => return Err(failure),
            Ok(()) => {}
        }
        WalkReport::default()
    };
    Ok(search.found.output(arguments, &place, &report))
}

fn compile(arguments: &Arguments) -> Result<Regex, Failure> {
    let pattern = if arguments.literal { regex::escape(&arguments.pattern) } else { arguments.pattern.clone() };
    if pattern.is_empty() {
        return Err(Failure::new("The pattern is empty."));
    }
    if pattern.contains('\n') {
        return Err(Failure::new(
            "The pattern contains a line break, but lines are searched one at a time. Search for one of the lines.",
        ));
    }
    RegexBuilder::new(&pattern)
        .case_insensitive(arguments.ignore_case)
        .size_limit(PATTERN_SIZE)
        .dfa_size_limit(PATTERN_SIZE)
        .build()
        .map_err(|error| {
            Failure::new(format!(
                "The pattern is not valid: {error}\nSet literal to true to search for it as plain text."
            ))
        })
}

/// Why a file was not searched.
enum Problem {
    File(FsError),
    Stop(Failure),
}

struct Search<'a> {
    job: &'a Job,
    place: &'a Place,
    regex: Regex,
    context: usize,
    limit: usize,
    budget: u64,
    found: Found,
}

/// What came out.
#[derive(Default)]
struct Found {
    text: String,
    matches: usize,
    files: usize,
    searched: usize,
    binary: usize,
    unreadable: usize,
    cut_files: usize,
    full: bool,
}

impl Search<'_> {
    fn file(&mut self, path: &RelPath) -> Result<(), Problem> {
        let mut opened = self.place.files.open_for_read(path).map_err(Problem::File)?;
        let io = |error| Problem::File(FsError::Io { path: path.to_string(), source: error });
        let first = head(&mut opened.reader, HEAD).map_err(io)?;
        if is_binary(&first) {
            self.found.binary += 1;
            return Ok(());
        }
        self.found.searched += 1;
        let allowed = MAX_FILE.min(self.budget);
        let shown = self.place.show(path);
        self.budget = self.budget.saturating_sub(opened.size.min(allowed));
        let mut lines = Lines::new(Cursor::new(first).chain(opened.reader), MAX_LINE, allowed, self.job.cancel.clone());
        let mut before: VecDeque<(usize, Vec<u8>)> = VecDeque::new();
        let (mut number, mut after, mut any) = (0, 0, false);
        // Line number up to which this file's lines are in the text.
        let mut printed = None;
        while let Some(line) = lines.next_line().map_err(io)? {
            number += 1;
            let bytes = line.bytes.strip_suffix(b"\r").unwrap_or(&line.bytes);
            if let Some(hit) = self.regex.find(bytes) {
                if self.found.matches == self.limit || self.found.text.len() > SOFT_LIMIT {
                    self.found.full = true;
                    break;
                }
                let begins = before.front().map_or(number, |(first, _)| *first);
                if self.context > 0 && !self.found.text.is_empty() && printed != Some(begins - 1) {
                    self.found.text.push_str("--\n");
                }
                for (earlier, text) in before.drain(..) {
                    self.found.push(&shown, earlier, '-', &text, 0);
                }
                self.found.push(&shown, number, ':', bytes, hit.start());
                self.found.matches += 1;
                (any, after, printed) = (true, self.context, Some(number));
            } else if after > 0 {
                self.found.push(&shown, number, '-', bytes, 0);
                after -= 1;
                printed = Some(number);
            } else if self.context > 0 {
                if before.len() == self.context {
                    before.pop_front();
                }
                before.push_back((number, bytes.to_vec()));
            }
        }
        self.job.check().map_err(Problem::Stop)?;
        self.found.files += usize::from(any);
        self.found.cut_files += usize::from(lines.stopped());
        Ok(())
    }
}

impl Found {
    /// One line of output; of a long line, the part around `focus`.
    fn push(&mut self, path: &str, number: usize, mark: char, bytes: &[u8], focus: usize) {
        let line = String::from_utf8_lossy(bytes);
        let from = if bytes.len() <= SHOWN { 0 } else { line.floor_char_boundary(focus.saturating_sub(SHOWN / 4)) };
        let to = line.floor_char_boundary((from + SHOWN).min(line.len()));
        let (open, close) = (if from > 0 { "…" } else { "" }, if to < line.len() { "…" } else { "" });
        self.text.extend([&format!("{path}{mark}{number}{mark} "), open, &line[from..to], close, "\n"]);
    }

    fn output(self, arguments: &Arguments, place: &Place, report: &WalkReport) -> ToolOutput {
        let mut remarks = notes(report);
        if self.full {
            remarks.insert(
                0,
                format!(
                    "Stopped after {}; there are more. Narrow the pattern, path or glob",
                    count(self.matches, "match", "matches")
                ),
            );
        }
        if self.matches == 0 {
            remarks.insert(0, format!("No match in {}", count(self.searched, "file", "files")));
        }
        if self.binary > 0 && self.matches == 0 {
            remarks.push(format!("Binary files, not searched: {}", self.binary));
        }
        if self.unreadable > 0 {
            remarks.push(format!("Files that could not be read: {}", self.unreadable));
        }
        if self.cut_files > 0 && !self.full {
            remarks.push(format!("Files searched only in their first {}: {}", human_size(MAX_FILE), self.cut_files));
        }
        let details = json!({
            "path": place.to_string(),
            "pattern": arguments.pattern,
            "matches": self.matches,
            "files": self.files,
            "searched": self.searched,
            "truncated": self.full || self.cut_files > 0 || report.truncated,
        });
        ToolOutput::text(with_notes(self.text, &remarks)).with_details(details)
    }
}
