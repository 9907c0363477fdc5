//! What a check found.

use serde::Serialize;

/// How bad it is; later is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Works, but needs a look.
    Warning,
    /// Something does not work.
    Error,
}

/// How to put it right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What would change, in a sentence.
    pub preview: String,
    /// A command that does it, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// One thing that a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's id, stable: `config.valid`.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: a path, an address, a key of the configuration.
    pub target: String,
    /// What was seen.
    pub evidence: String,
    /// What follows from it; empty when the evidence says it.
    pub effect: String,
    /// How to put it right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

impl Finding {
    /// A finding without effect and fix.
    pub(super) fn new(
        id: &'static str,
        severity: Severity,
        target: impl Into<String>,
        evidence: impl Into<String>,
    ) -> Self {
        Self { id, severity, target: target.into(), evidence: evidence.into(), effect: String::new(), fix: None }
    }

    /// Adds what follows from it.
    pub(super) fn effect(mut self, effect: impl Into<String>) -> Self {
        self.effect = effect.into();
        self
    }

    /// Adds how to put it right.
    pub(super) fn fix(mut self, preview: impl Into<String>, command: Option<String>) -> Self {
        self.fix = Some(Fix { preview: preview.into(), command });
        self
    }
}

/// What all checks found.
#[derive(Debug, Clone)]
pub struct Report {
    /// Ids of the checks that ran.
    pub checks: Vec<&'static str>,
    /// What they found, worst first.
    pub findings: Vec<Finding>,
    /// Milliseconds it took.
    pub duration_ms: u64,
}

impl Report {
    /// Whether something does not work.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}
