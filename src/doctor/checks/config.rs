//! `openclaw.json` and `.env`.

use serde_json::Value;

use crate::doctor::{Facts, Finding, Severity, files};

use super::state_dir::{quoted, shown};

pub(super) const VALID: &str = "config.valid";
pub(super) const WARNINGS: &str = "config.warnings";
pub(super) const MODE: &str = "config.mode";

/// It can be loaded.
pub(super) fn valid(facts: &Facts<'_>) -> Vec<Finding> {
    let Err(error) = &facts.config else { return Vec::new() };
    let target = crate::config::config_path(&facts.at.load);
    let mut finding = Finding::new(VALID, Severity::Error, shown(&target), error.to_string())
        .effect("the gateway does not start with it");
    if let Some(hint) = error.fix() {
        finding = finding.fix(hint, Some("openclaw config validate".to_owned()));
    }
    vec![finding]
}

/// Nothing in it looks like a mistake.
pub(super) fn warnings(facts: &Facts<'_>) -> Vec<Finding> {
    let Ok(config) = &facts.config else { return Vec::new() };
    config
        .warnings
        .iter()
        .map(|issue| {
            let place = issue.line.map(|line| format!(" (line {line})")).unwrap_or_default();
            let target = format!("{}{place}", issue.path);
            let mut finding = Finding::new(WARNINGS, Severity::Warning, target, issue.message.clone())
                .effect("the value is kept and has no effect");
            if let Some(name) = issue.suggestion.as_ref().filter(|name| !issue.message.contains(name.as_str())) {
                finding = finding.fix(format!("did you mean '{name}'?"), None);
            }
            finding
        })
        .collect()
}

/// Files with secrets are private.
pub(super) fn mode(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut look = |path: std::path::PathBuf, severity: Severity| {
        if let Ok(Some(found)) = files::look(&path)
            && !found.is_link
            && found.mode & 0o077 != 0
        {
            let what = if found.mode & 0o022 != 0 { "read or change" } else { "read" };
            findings.push(
                Finding::new(MODE, severity, shown(&path), format!("its mode is {:04o}", found.mode))
                    .effect(format!("other users of this machine may {what} it"))
                    .fix("its mode becomes 0600", Some(format!("chmod 600 {}", quoted(&path)))),
            );
        }
    };
    if let Ok(config) = &facts.config {
        let severity = if holds_secrets(&config.source) { Severity::Error } else { Severity::Warning };
        look(config.path.clone(), severity);
    }
    look(facts.at.paths.root.join(".env"), Severity::Error);
    findings
}

/// Redaction changes something exactly when there is a secret.
fn holds_secrets(source: &Value) -> bool {
    crate::config::redact(source) != *source
}
