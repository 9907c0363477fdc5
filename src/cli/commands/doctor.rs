//! `openclaw doctor`: runs the checks and prints what they found.

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::{Outcome, Stop};
use crate::cli::output::{Meaning, clean, duration, quantity};
use crate::cli::suggest;
use crate::core::Error;
use crate::doctor::{self, Finding, Report, Severity};
use crate::runtime::explain;

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Only report, ask nothing (checks never ask; accepted for scripts).
    #[arg(long)]
    lint: bool,
    /// Run only this check (repeatable).
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
    /// Leave this check out (repeatable).
    #[arg(long, value_name = "ID")]
    skip: Vec<String>,
    /// Leave out findings below this severity: info, warning or error.
    #[arg(long, value_name = "LEVEL", value_enum, hide_possible_values = true)]
    severity_min: Option<SeverityArg>,
    /// Ask nothing (checks never ask; accepted for scripts).
    #[arg(long)]
    non_interactive: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SeverityArg {
    Info,
    Warning,
    Error,
}

/// Runs the checks; exit code 1 if one found an error.
pub(crate) fn run(context: &Context, args: &DoctorArgs) -> Outcome {
    let known: Vec<&str> = doctor::check_ids().collect();
    for wanted in args.only.iter().chain(&args.skip) {
        if !known.contains(&wanted.as_str()) {
            return Err(Error::not_found(format!("no check named '{wanted}'"))
                .why(format!("the checks are: {}", known.join(", ")))
                .hint(suggest::hint(wanted, known.iter().copied(), "openclaw doctor --json lists them"))
                .into());
        }
    }
    let least = match args.severity_min {
        None | Some(SeverityArg::Info) => Severity::Info,
        Some(SeverityArg::Warning) => Severity::Warning,
        Some(SeverityArg::Error) => Severity::Error,
    };
    let config = context.config().ok(); // dropped: a check says what is wrong with it
    let surroundings = doctor::Surroundings {
        sandbox: config.as_ref().map(|config| explain::sandbox(&context.paths, config)),
        paths: context.paths.clone(),
        load: context.load.clone(),
        port: context.port(None, config.as_ref())?,
        log_file: context.log_file(config.as_ref()),
    };
    let mut report = doctor::run(&surroundings, |id| {
        (args.only.is_empty() || args.only.iter().any(|only| only == id)) && !args.skip.iter().any(|skip| skip == id)
    });
    let failed = report.has_errors();
    report.findings.retain(|finding| finding.severity >= least);
    let value = json!({
        "ok": !failed, "checks": report.checks, "durationMs": report.duration_ms, "findings": report.findings,
    });
    context.out.data(&value, "findings", || text(context, &report))?;
    if failed { Err(Stop::Code(1)) } else { Ok(()) }
}

fn text(context: &Context, report: &Report) -> String {
    let out = &context.out;
    let mut lines = Vec::new();
    for finding in &report.findings {
        lines.extend(finding_lines(finding, |meaning, text| out.paint(meaning, text)));
    }
    let count = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let spent = duration(report.duration_ms);
    lines.push(if errors + warnings == 0 {
        let passed = match report.checks.len() {
            1 => "the check passes".to_owned(),
            many => format!("all {many} checks pass"),
        };
        out.paint(Meaning::Ok, &format!("ok    {passed} ({spent})"))
    } else {
        let checks = quantity(report.checks.len(), "check", "checks");
        let (errors, warnings) = (quantity(errors, "error", "errors"), quantity(warnings, "warning", "warnings"));
        format!("{errors}, {warnings} in {checks} ({spent})")
    });
    lines.join("\n")
}

fn finding_lines(finding: &Finding, paint: impl Fn(Meaning, &str) -> String) -> Vec<String> {
    let (word, meaning) = match finding.severity {
        Severity::Error => ("fail ", Meaning::Error),
        Severity::Warning => ("warn ", Meaning::Warn),
        Severity::Info => ("info ", Meaning::Dim),
    };
    let mut lines = vec![
        format!("{} {}  {}", paint(meaning, word), finding.id, clean(&finding.target)),
        format!("      {}", clean(&finding.evidence)),
    ];
    if !finding.effect.is_empty() {
        lines.push(format!("      effect: {}", clean(&finding.effect)));
    }
    if let Some(fix) = &finding.fix {
        lines.push(format!("      fix: {}", clean(&fix.preview)));
        if let Some(command) = &fix.command {
            lines.push(format!("           {}", paint(Meaning::Accent, &clean(command))));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Fix;
    use serde_json::Value;

    #[test]
    fn a_finding_says_what_why_and_what_to_do() {
        let finding = Finding {
            id: "token.mode",
            severity: Severity::Warning,
            target: "/s/state/gateway-token".to_owned(),
            evidence: "mode is 0644".to_owned(),
            effect: "other users can read it".to_owned(),
            fix: Some(Fix {
                preview: "mode becomes 0600".to_owned(),
                command: Some("chmod 600 /s/state/gateway-token".to_owned()),
            }),
        };
        insta::assert_snapshot!(finding_lines(&finding, |_, text| text.to_owned()).join("\n"), @"
        warn  token.mode  /s/state/gateway-token
              mode is 0644
              effect: other users can read it
              fix: mode becomes 0600
                   chmod 600 /s/state/gateway-token
        ");
        let value: Value = serde_json::to_value(&finding).expect("findings are JSON");
        assert_eq!(value["severity"], "warning");
        assert_eq!(value["fix"]["command"], "chmod 600 /s/state/gateway-token");
    }
}
