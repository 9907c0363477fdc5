//! What can be wrong with a configuration, and how it is told.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::json5::{Span, SyntaxError};
use super::position::Position;
use crate::core::{Error, ErrorKind};

/// A file that was read while loading.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its text.
    pub(crate) text: String,
}

/// What sort of fault a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The text is no JSON5.
    Syntax,
    /// An `$include` cannot be followed.
    Include,
    /// A `${VAR}` has no value.
    MissingVariable,
    /// A key we use has a value we cannot use.
    Value,
    /// The file cannot be read at all.
    File,
}

/// One reason why a configuration cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Problem {
    /// Sort.
    pub(crate) fault: Fault,
    /// Key path, empty for the whole file.
    pub(crate) key: String,
    /// What is wrong, without the place.
    pub(crate) message: String,
    /// The file.
    pub(crate) file: PathBuf,
    /// Line and column, if the fault has a place.
    pub(crate) position: Option<Position>,
    /// What to do; `None` = a general hint.
    pub(crate) hint: Option<String>,
}

impl Problem {
    /// A fault of a whole file.
    pub(crate) fn file(fault: Fault, file: &Path, message: impl Into<String>) -> Self {
        Self { fault, key: String::new(), message: message.into(), file: file.to_owned(), position: None, hint: None }
    }

    /// A fault at a place.
    pub(crate) fn at(fault: Fault, files: &[SourceFile], span: Span, key: &str, message: impl Into<String>) -> Self {
        let file = files.get(span.file);
        Self {
            fault,
            key: key.to_owned(),
            message: message.into(),
            file: file.map(|file| file.path.clone()).unwrap_or_default(),
            position: file.map(|file| Position::of(&file.text, span.start)),
            hint: None,
        }
    }

    /// A text that does not parse.
    pub(crate) fn syntax(file: &SourceFile, error: SyntaxError) -> Self {
        Self {
            fault: Fault::Syntax,
            position: Some(Position::of(&file.text, error.at)),
            key: error.key,
            message: error.why,
            file: file.path.clone(),
            hint: None,
        }
    }

    /// With what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `openclaw.json:3:7`, or the path alone.
    fn place(&self) -> String {
        match self.position {
            Some(position) => format!("{}:{}:{}", self.file.display(), position.line, position.column),
            None => self.file.display().to_string(),
        }
    }

    fn headline(&self) -> String {
        let place = self.place();
        let near = if self.key.is_empty() { String::new() } else { format!(" (at `{}`)", self.key) };
        match self.fault {
            Fault::Syntax => format!("{place} is not valid JSON5{near}"),
            Fault::File => format!("{place} cannot be used"),
            Fault::Include => format!("{place} has an `$include` that cannot be followed{near}"),
            Fault::MissingVariable => format!("{place} needs an environment variable that is not set{near}"),
            Fault::Value => format!("{place} has a value that cannot be used{near}"),
        }
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "path": self.file,
            "key": self.key,
            "line": self.position.map(|position| position.line),
            "column": self.position.map(|position| position.column),
            "message": self.message,
        })
    }
}

/// One error for all problems: the first in words, all of them in `details.issues`.
/// `last_good` is the newest copy that may still work.
pub(crate) fn combine(problems: &[Problem], last_good: Option<&Path>) -> Error {
    let Some(first) = problems.first() else {
        return Error::internal("a configuration was refused without a reason");
    };
    let mut why = first.message.clone();
    if problems.len() > 1 {
        why = format!("{why} (and {} more)", problems.len() - 1);
    }
    let mut hint = first.hint.clone().unwrap_or_else(|| default_hint(first.fault).to_owned());
    if let Some(copy) = last_good {
        hint = format!("{hint} The last good copy is {}.", copy.display());
    }
    let mut details = first.to_json();
    if let Some(object) = details.as_object_mut() {
        object.remove("message");
        if let Some(copy) = last_good {
            object.insert("lastGood".into(), json!(copy));
        }
        object.insert("issues".into(), problems.iter().map(Problem::to_json).collect());
    }
    Error::new(ErrorKind::Config, first.headline()).why(why).hint(hint).details(details)
}

fn default_hint(fault: Fault) -> &'static str {
    match fault {
        Fault::Syntax => "Correct the text at that place.",
        Fault::Include => "Correct the `$include` or remove it.",
        Fault::MissingVariable => {
            "Set the variable in the environment, in `.env` beside the configuration, or under `env.vars`."
        }
        Fault::Value => "Correct the value, or remove the key to get the default.",
        Fault::File => "Check that the file exists and that you may read it.",
    }
}
