//! `openclaw sandbox probe`.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::{Outcome, Stop};
use crate::cli::output::{Meaning, Output, clean};
use crate::runtime::explain::sandbox;
use crate::sandbox::{Backend, Probe, SandboxLevel};

/// Flags of `sandbox probe`.
#[derive(Debug, Args)]
#[command(after_help = "The exit code is 1 when the level cannot be had by any of them.")]
pub(super) struct ProbeArgs {
    /// none, relaxed or strict.
    #[arg(long, value_name = "LEVEL", default_value = "strict", value_parser = super::parse_level)]
    level: SandboxLevel,
    /// Only this one [default: all that this system has].
    #[arg(long, value_name = "NAME", value_parser = super::parse_backend)]
    backend: Option<Backend>,
}

/// Tries them out and prints what came of it.
pub(super) fn run(context: &Context, args: &ProbeArgs) -> Outcome {
    let config = context.config()?;
    let sandbox = sandbox(&context.paths, &config);
    let wanted = args.backend.map_or_else(|| Backend::of_this_system().to_vec(), |backend| vec![backend]);
    let probes: Vec<Probe> = super::runtime()?.block_on(async {
        let mut probes = Vec::new();
        for backend in wanted {
            probes.push(sandbox.probe(args.level, Some(backend)).await);
        }
        probes
    });
    let works = probes.iter().any(Probe::works);
    let value = json!({ "ok": works, "level": args.level, "probes": probes });
    context.out.data(&value, "probes", || {
        probes.iter().map(|probe| text(&context.out, probe)).collect::<Vec<_>>().join("\n\n")
    })?;
    if works { Ok(()) } else { Err(Stop::Code(1)) }
}

fn text(out: &Output, probe: &Probe) -> String {
    let verdict = match (&probe.problem, probe.works()) {
        (Some(problem), _) => out.paint(Meaning::Error, &format!("cannot be used: {}", clean(problem))),
        (None, true) => out.paint(Meaning::Ok, &format!("guarantees {}", probe.level)),
        (None, false) => out.paint(Meaning::Warn, &format!("lacks {} for {}", probe.missing, probe.level)),
    };
    let mut lines = vec![format!("{}  {verdict}", probe.backend.as_str())];
    if let Some(remedy) = &probe.remedy {
        lines.push(format!("  remedy   {}", clean(remedy)));
    }
    for note in &probe.notes {
        lines.push(format!("  note     {}", clean(note)));
    }
    if probe.problem.is_none() {
        lines.push(format!("  granted  {}", probe.granted));
    }
    for attempt in &probe.attempts {
        let word =
            if attempt.allowed { out.paint(Meaning::Warn, "allowed") } else { out.paint(Meaning::Dim, "denied ") };
        lines.push(format!("  {word}  {}", clean(&attempt.name)));
    }
    lines.join("\n")
}
