//! `openclaw config validate`.

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Meaning, clean};
use crate::config::ConfigIssue;

/// Checks the configuration; a broken one is the error of the load itself, with exit code 8.
pub(crate) fn run(context: &Context) -> Outcome {
    let loaded = context.config()?;
    let value = json!({
        "ok": true, "valid": true, "path": loaded.path, "exists": loaded.exists, "hash": loaded.hash,
        "issues": [], "warnings": loaded.warnings,
    });
    context.out.data(&value, "warnings", || {
        let mut lines: Vec<String> = loaded
            .warnings
            .iter()
            .map(|issue| format!("{} {}", context.out.paint(Meaning::Warn, "warn"), warning(issue)))
            .collect();
        let state = if loaded.exists { "valid" } else { "there is no file, so the defaults apply" };
        lines.push(format!("{}   {}: {state}", context.out.paint(Meaning::Ok, "ok"), loaded.path.display()));
        lines.join("\n")
    })
}

/// `3:5 gatway: unknown key (did you mean 'gateway'?)`.
fn warning(issue: &ConfigIssue) -> String {
    let place = match (issue.line, issue.column) {
        (Some(line), Some(column)) => format!("{line}:{column} "),
        (Some(line), None) => format!("{line} "),
        _ => String::new(),
    };
    let suggestion = match &issue.suggestion {
        Some(name) if !issue.message.contains(name.as_str()) => format!(" (did you mean '{name}'?)"),
        _ => String::new(),
    };
    clean(&format!("{place}{}: {}{suggestion}", issue.path, issue.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_names_place_key_and_suggestion() {
        let issue = ConfigIssue {
            path: "gatway".into(),
            message: "unknown key".into(),
            suggestion: Some("gateway".into()),
            line: Some(3),
            column: Some(5),
        };
        assert_eq!(warning(&issue), "3:5 gatway: unknown key (did you mean 'gateway'?)");
    }
}
