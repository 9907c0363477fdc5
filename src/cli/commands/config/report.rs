//! What an edit did, for people and for programs.

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Meaning, clean};
use crate::config::EditOutcome;
use crate::core::Error;

/// Prints an edit's outcome.
pub(super) fn outcome(context: &Context, edit: &EditOutcome) -> Outcome {
    let value = serde_json::to_value(edit)
        .map_err(|error| Error::internal("the outcome of an edit cannot be written as JSON").source(error))?;
    for issue in &edit.warnings {
        context.out.warn(&clean(&format!("{}: {}", issue.path, issue.message)));
    }
    let changed = edit.changed_paths.join(", ");
    let text = match (edit.dry_run, edit.changed_paths.is_empty()) {
        (_, true) => "nothing to change".to_owned(),
        (true, false) => {
            format!("{}\nwould change {changed} in {} (dry run)", diff(context, &edit.diff), edit.path.display())
        }
        (false, false) => format!("changed {changed} in {}", edit.path.display()),
    };
    context.out.done(value, &text)
}

/// Added lines green, removed ones red.
fn diff(context: &Context, diff: &str) -> String {
    clean(diff.trim_end())
        .lines()
        .map(|line| match line.chars().next() {
            Some('+') => context.out.paint(Meaning::Ok, line),
            Some('-') => context.out.paint(Meaning::Error, line),
            Some('@') => context.out.paint(Meaning::Dim, line),
            _ => line.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("\n")
}
