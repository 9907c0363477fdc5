//! `openclaw config get`.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Format, clean};
use crate::config;
use crate::core::suggest::did_you_mean;
use crate::core::{Error, Result};

/// Flags of `config get`.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    #[arg(value_name = "PATH", help = "Path like gateway.port or agents.list[0].id; none = everything")]
    path: Option<String>,
}

/// Prints a value.
pub(crate) fn run(context: &Context, args: &GetArgs) -> Outcome {
    let loaded = context.config()?;
    let shown = config::redact(&loaded.resolved);
    let value = match &args.path {
        None => &shown,
        Some(path) => config::get(&shown, path)?.ok_or_else(|| unknown(&shown, path))?,
    };
    match context.out.format() {
        Format::Json => context.out.json(value),
        Format::JsonLines => context.out.json_line(&json!({ "path": args.path, "value": value })),
        Format::Text => context.out.line(&match value {
            Value::String(text) if context.out.stdout_is_terminal() => clean(text),
            Value::String(text) => text.clone(),
            other => format!("{other:#}"),
        }),
    }
}

/// NotFound with the nearest key beside the missing one.
fn unknown(root: &Value, path: &str) -> Error {
    let (parent, last) = path.rsplit_once('.').unwrap_or(("", path));
    let siblings: Result<Option<&Value>> = if parent.is_empty() { Ok(Some(root)) } else { config::get(root, parent) };
    let schema = config::schema();
    let known =
        parent.split('.').filter(|name| !name.is_empty()).try_fold(&schema, |at, name| at["properties"].get(name));
    let known = known.and_then(|at| at["properties"].as_object());
    let written = match &siblings {
        Ok(Some(Value::Object(fields))) => Some(fields),
        // dropped: only the suggestion is lost
        _ => None,
    };
    let names: Vec<&str> =
        written.into_iter().chain(known).flat_map(|fields| fields.keys().map(String::as_str)).collect();
    Error::not_found(format!("the configuration has no value at '{path}'"))
        .why("it is not set, so its default applies")
        .hint(did_you_mean(last, names.iter().copied()).map_or_else(
            || "openclaw config schema lists what can be set".to_owned(),
            |name| {
                format!(
                    "did you mean '{}{name}'?",
                    if parent.is_empty() { String::new() } else { format!("{parent}.") }
                )
            },
        ))
}
