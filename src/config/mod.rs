//! Line 1: `openclaw.json`: loading, the typed view of what we use, validation, surgical edits.
//!
//! | file | job |
//! |---|---|
//! | `json5/` | reader that keeps places, printer |
//! | `loader.rs` | the pipeline from text to [`LoadedConfig`] |
//! | `include.rs`, `merge.rs`, `environment.rs`, `dotenv.rs`, `substitute.rs` | its stages |
//! | `table.rs`, `table_tools.rs`, `table_type.rs` | the keys we use: drives `validate.rs`, `schema.rs`, `known.rs`; `check_tools.rs` checks what a table cannot say |
//! | `known.rs`, `known_keys.txt`, `no_effect.rs` | keys OpenClaw knows; those whose meaning is another one here |
//! | `build.rs`, `build_agents.rs`, `build_tools.rs`, `view.rs`, `view_tools.rs` | the typed view |
//! | `redact.rs` | the configuration without its secrets |
//! | `edit/` | changes to the file |
//! | `path.rs`, `position.rs`, `error.rs`, `files.rs` | addresses, places, errors, bounded reads |
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use openclaw::config::{LoadOptions, load};
//!
//! # fn main() -> openclaw::core::Result<()> {
//! # let directory = tempfile::tempdir().expect("a temporary directory");
//! # let root = directory.path().to_owned();
//! std::fs::write(root.join("openclaw.json"), "{agents: {defaults: {maxSteps: 7}}, // JSON5\n}").expect("writable");
//! let options = LoadOptions { process_env: BTreeMap::new(), cwd: root.clone(), state_root: root, config_path: None };
//! let config = load(&options)?;
//! assert_eq!(config.view.default_agent().max_steps, 7);
//! assert!(config.warnings.is_empty());
//! # Ok(())
//! # }
//! ```

mod build;
mod build_agents;
mod build_tools;
mod check_tools;
mod dotenv;
mod edit;
mod environment;
mod error;
mod files;
mod include;
mod json5;
mod known;
mod loader;
mod lookup;
mod merge;
mod no_effect;
pub(crate) mod path;
mod position;
mod redact;
mod schema;
mod substitute;
mod table;

mod table_tools;
mod table_type;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_tools;
mod validate;
pub mod view;
mod view_tools;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

pub(crate) use build::DEFAULTS_KEY as SECRET_DEFAULTS_KEY;
pub use edit::{edit, mark_last_good, patch, replace};
pub use redact::{SENTINEL, is_secret_key, redact, redact_raw};
pub use schema::{schema, ui_hints};
pub use view::*;
pub use view_tools::*;

use crate::core::{Error, ErrorKind, Result};
use crate::secrets::Environment;

/// One finding about a configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigIssue {
    /// Key path, empty for the whole file.
    pub path: String,
    /// What was found.
    pub message: String,
    /// The key path that was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

/// A configuration as loaded from disk.
#[derive(Clone)]
pub struct LoadedConfig {
    /// The file.
    pub path: PathBuf,
    /// Whether there is one.
    pub exists: bool,
    /// Its text, empty if there is none.
    pub raw: String,
    /// As written, before includes and variables.
    pub source: Value,
    /// After includes and `${VAR}`.
    pub resolved: Value,
    /// Findings that do not stop anything.
    pub warnings: Vec<ConfigIssue>,
    /// `sha256:` over the raw bytes of the file and its includes.
    pub hash: String,
    /// What this program uses, with defaults.
    pub view: Arc<Config>,
    /// The environment the configuration was read with.
    pub env: Environment,
}

impl std::fmt::Debug for LoadedConfig {
    /// Names the file and its hash; the content may hold secrets.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LoadedConfig")
            .field("path", &self.path)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// Inputs of a load, so tests need no process environment.
#[derive(Clone, Default)]
pub struct LoadOptions {
    /// The variables of this process.
    pub process_env: BTreeMap<String, String>,
    /// Working directory, for `./.env`; empty = none is read.
    pub cwd: PathBuf,
    /// State directory, for `.env` and the default place of the file.
    pub state_root: PathBuf,
    /// The file; `None` = `OPENCLAW_CONFIG_PATH`, else `openclaw.json` in the state directory.
    pub config_path: Option<PathBuf>,
}

/// `OPENCLAW_STATE_DIR`, else `~/.openclaw-<profile>`, else `~/.openclaw`.
pub fn state_root(env: &BTreeMap<String, String>, profile: Option<&str>) -> Result<PathBuf> {
    loader::state_root(env, profile)
}

/// The file that [`load`] reads with these options, whether or not it exists.
pub fn config_path(options: &LoadOptions) -> PathBuf {
    loader::config_path(options)
}

/// Loads (a missing file is the empty configuration). The error is of kind `Config`; its details are
/// `{path, key, line, column, lastGood?, issues[]}` with every problem in `issues`.
pub fn load(options: &LoadOptions) -> Result<LoadedConfig> {
    loader::run(options)?.finish()
}

/// What a file holds, whether or not it can be used: for `config.get` and `config validate` on a broken file.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// The file.
    pub path: PathBuf,
    /// Whether there is one.
    pub exists: bool,
    /// Its text with secrets masked.
    pub raw: String,
    /// Whether [`load`] accepts it.
    pub valid: bool,
    /// As written, secrets masked; empty if the text does not parse.
    pub source: Value,
    /// Why it cannot be used.
    pub issues: Vec<ConfigIssue>,
    /// Findings that do not stop anything.
    pub warnings: Vec<ConfigIssue>,
    /// As [`LoadedConfig::hash`]; usable as the `base_hash` of an edit.
    pub hash: String,
}

/// Like [`load`], for people who want to see what is wrong. An error only if the file cannot be read at all.
pub fn inspect(options: &LoadOptions) -> Result<Inspection> {
    let found = loader::run(options)?;
    let issues = found.problems.iter().map(|problem| ConfigIssue {
        line: problem.position.map(|place| place.line),
        column: problem.position.map(|place| place.column),
        ..issue(&problem.key, problem.message.as_str())
    });
    Ok(Inspection {
        issues: issues.collect(),
        valid: found.problems.is_empty(),
        raw: redact_raw(&found.raw),
        source: found.own.as_ref().map_or_else(|| serde_json::json!({}), |own| redact(&own.to_value())),
        path: found.path,
        exists: found.exists,
        warnings: found.warnings,
        hash: found.hash,
    })
}

/// [`LoadedConfig::resolved`] for clients: redacted, and without the values that secret-looking variables were replaced by.
pub fn redact_resolved(loaded: &LoadedConfig) -> Value {
    redact::redact_values(&loaded.resolved, &loaded.env)
}

/// One edit by dot/bracket path.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Makes the value at the path this one; missing parents are made, `[]` appends.
    Set {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Removes the value; nothing happens if there is none.
    Unset {
        /// Where.
        path: String,
    },
    /// Merges an object into the one at the path: objects merge, everything else replaces, `null` removes.
    Merge {
        /// Where; empty = the whole file.
        path: String,
        /// What.
        value: Value,
    },
}

/// What an edit did, or would do.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EditOutcome {
    /// The file.
    pub path: PathBuf,
    /// Key paths whose value differs afterwards.
    pub changed_paths: Vec<String>,
    /// Hash after the edit, as in [`LoadedConfig::hash`].
    pub hash: String,
    /// Nothing was written.
    pub dry_run: bool,
    /// Findings about the result.
    pub warnings: Vec<ConfigIssue>,
    /// Unified diff with secrets masked; empty if nothing changes.
    pub diff: String,
}

/// Value at a dot/bracket path; the empty path is the whole value.
pub fn get<'v>(value: &'v Value, path: &str) -> Result<Option<&'v Value>> {
    Ok(path::value_at(value, &path::parse(path)?))
}

/// A JSON5 text as a value, for `config set`, `config patch` and other JSON5 a person types.
pub fn parse_json5(text: &str) -> Result<Value> {
    let parsed = json5::parse(text, 0).map_err(|error| {
        let place = position::Position::of(text, error.at);
        Error::user(format!("this is not valid JSON5 at line {}, column {}", place.line, place.column))
            .why(error.why)
            .hint("Write for example `{gateway: {port: 18790}}`.")
            .details(serde_json::json!({"line": place.line, "column": place.column, "key": error.key}))
    })?;
    match parsed.not_finite.first() {
        Some((key, _)) => Err(Error::new(ErrorKind::User, "`Infinity` and `NaN` cannot be stored in a configuration")
            .details(serde_json::json!({"key": key}))),
        None => Ok(parsed.root.to_value()),
    }
}

/// Most findings of one sort that are collected: a file full of mistakes must not take minutes to describe.
const MAX_FINDINGS: usize = 200;

fn issue(path: &str, message: impl Into<String>) -> ConfigIssue {
    ConfigIssue { path: path.to_owned(), message: message.into(), suggestion: None, line: None, column: None }
}

/// Warnings about what a parsed file says twice or cannot say.
fn parse_warnings(parsed: &json5::Parsed, files: &[error::SourceFile], warnings: &mut Vec<ConfigIssue>) {
    let duplicate = "this key stands twice in one object; the later value is used";
    let not_finite = "JSON has no `Infinity` or `NaN`; the value is read as null";
    let found = parsed.duplicates.iter().map(|found| (found, duplicate));
    let found = found.chain(parsed.not_finite.iter().map(|found| (found, not_finite)));
    for ((path, span), message) in found.take(MAX_FINDINGS) {
        let place = files.get(span.file).map(|file| position::Position::of(&file.text, span.start));
        warnings.push(ConfigIssue {
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            ..issue(path, message)
        });
    }
}
