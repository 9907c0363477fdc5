//! `openclaw config set`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::commands::files;
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::config::{self, Edit, LoadedConfig};
use crate::core::{Error, ErrorKind, Result, limits};

use super::secret_provider::ProviderArgs;
use super::{batch, report};

/// Maps and lists whose other entries a plain `set` must not drop by accident.
const PROTECTED: [&str; 8] = [
    "agents.defaults.models",
    "agents.entries",
    "agents.list",
    "auth.profiles",
    "channels",
    "models.providers",
    "plugins.entries",
    "secrets.providers",
];

/// Examples, and the flags that few need, which are hidden above so that the help fits a screen.
const MORE_HELP: &str = "Examples:
  openclaw config set gateway.port 19001 --dry-run
  openclaw config set agents.defaults.model.primary anthropic/claude-sonnet-4-5
  openclaw config set models.providers.openai.apiKey --ref-source env --ref-id OPENAI_API_KEY

Only if the file has that value there: --expect-current-json JSON, or none: --expect-current-absent
Secret reference: --ref-source env|file|exec --ref-id ID [--ref-provider ALIAS]
Secret provider (what ends in … can be repeated): --provider-source env --provider-allowlist VAR…
  file  --provider-path PATH --provider-mode MODE --provider-max-bytes N --provider-timeout-ms MS
  exec  --provider-command PATH --provider-arg ARG… --provider-env KEY=VALUE…
        --provider-pass-env VAR… --provider-trusted-dir PATH… --provider-json-only
        --provider-no-output-timeout-ms MS --provider-max-output-bytes N --provider-timeout-ms MS";

/// Flags of `config set`.
#[derive(Debug, Args)]
#[command(after_help = MORE_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent flag of the command line")]
pub(crate) struct SetArgs {
    #[arg(
        value_name = "PATH",
        help = "Path like gateway.port or agents.list[0].id",
        required_unless_present_any = ["batch_json", "batch_file"]
    )]
    path: Option<String>,
    /// JSON5 value; what is not JSON5 is taken as text.
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    value: Option<String>,
    /// The value must be JSON.
    #[arg(long)]
    strict_json: bool,
    /// Check and show the change, write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Merge an object into what is there.
    #[arg(long)]
    merge: bool,
    /// Let a map or list be replaced although entries get lost.
    #[arg(long, conflicts_with = "merge")]
    replace: bool,
    /// Set several: JSON list of {path, value}.
    #[arg(long, value_name = "JSON", conflicts_with_all = ["path", "value", "batch_file"])]
    batch_json: Option<String>,
    /// The same from a file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "value"])]
    batch_file: Option<PathBuf>,
    /// Write only if the value in the file is exactly this JSON.
    #[arg(long, value_name = "JSON", conflicts_with = "expect_current_absent", hide = true)]
    expect_current_json: Option<String>,
    /// Write only if the file has no value there.
    #[arg(long, hide = true)]
    expect_current_absent: bool,
    /// Secret reference: env, file or exec.
    #[arg(long, value_name = "SOURCE", requires = "ref_id", value_parser = ["env", "file", "exec"], hide = true)]
    ref_source: Option<String>,
    /// Secret reference: provider alias [default: default].
    #[arg(long, value_name = "ALIAS", requires = "ref_source", hide = true)]
    ref_provider: Option<String>,
    /// Secret reference: id within the provider.
    #[arg(long, value_name = "ID", requires = "ref_source", hide = true)]
    ref_id: Option<String>,
    #[command(flatten)]
    provider: ProviderArgs,
}

/// Sets values.
pub(crate) fn run(context: &Context, args: &SetArgs) -> Outcome {
    let edits = edits(context, args)?;
    let loaded = context.config()?;
    check_expectation(&loaded, args, &edits)?;
    if !args.replace {
        edits.iter().try_for_each(|edit| check_loss(&loaded.source, edit))?;
    }
    // With an expectation the file must still be the one it was checked against.
    let expects = args.expect_current_json.is_some() || args.expect_current_absent;
    let base = (expects && loaded.exists).then_some(loaded.hash.as_str());
    let outcome = config::edit(&context.load, &edits, base, args.dry_run)?;
    report::outcome(context, &outcome)
}

fn edits(context: &Context, args: &SetArgs) -> Result<Vec<Edit>> {
    if let Some(text) = &args.batch_json {
        return batch::parse(text, args.merge);
    }
    if let Some(path) = &args.batch_file {
        let text = files::read_text(path, &context.load.cwd, limits::MAX_CONFIG_BYTES, "batch")?;
        return batch::parse(&text, args.merge);
    }
    let path = args.path.clone().unwrap_or_default();
    let reference = args.ref_source.as_ref().map(|source| {
        json!({
            "source": source,
            "provider": args.ref_provider.as_deref().unwrap_or("default"),
            "id": args.ref_id.as_deref().unwrap_or_default(),
        })
    });
    let value = match (&args.value, reference, args.provider.value()?) {
        (Some(text), None, None) => parse_value(text, args.strict_json || context.globals.json)?,
        (None, Some(value), None) | (None, None, Some(value)) => value,
        (None, None, None) => {
            return Err(Error::user(format!("no value for '{path}'"))
                .why("a value, --ref-source or --provider-source says what to write")
                .hint(format!("openclaw config set {path} VALUE")));
        }
        _ => {
            return Err(Error::user("more than one value is given")
                .why("a value, --ref-source and --provider-source exclude one another")
                .hint("keep one of them"));
        }
    };
    Ok(vec![if args.merge { Edit::Merge { path, value } } else { Edit::Set { path, value } }])
}

/// JSON5, else text; with `strict` JSON only.
fn parse_value(text: &str, strict: bool) -> Result<Value> {
    if strict {
        return serde_json::from_str(text).map_err(|error| {
            Error::user(format!("the value is not JSON: {text}"))
                .why(error.to_string())
                .hint("quote text as '\"text\"', or leave --strict-json and --json out")
        });
    }
    Ok(config::parse_json5(text).unwrap_or_else(|_not_json5| Value::String(text.to_owned())))
}

fn check_expectation(loaded: &LoadedConfig, args: &SetArgs, edits: &[Edit]) -> Result<()> {
    let expected = match (&args.expect_current_json, args.expect_current_absent) {
        (Some(text), _) => Some(parse_value(text, true)?),
        (None, true) => None,
        (None, false) => return Ok(()),
    };
    for edit in edits {
        let (Edit::Set { path, .. } | Edit::Merge { path, .. } | Edit::Unset { path }) = edit;
        let current = config::get(&loaded.source, path)?;
        if current != expected.as_ref() {
            let state = if current.is_some() { "has another value" } else { "is absent" };
            return Err(Error::new(ErrorKind::Conflict, format!("'{path}' {state}, so nothing was written"))
                .why("the expectation given with --expect-current-* does not hold")
                .hint(format!("openclaw config get {path}")));
        }
    }
    Ok(())
}

/// A plain set of a protected map that would lose entries is refused.
fn check_loss(source: &Value, edit: &Edit) -> Result<()> {
    let Edit::Set { path, value } = edit else { return Ok(()) };
    if !PROTECTED.contains(&path.as_str()) {
        return Ok(());
    }
    let lost = match (config::get(source, path)?, value) {
        (Some(Value::Object(old)), Value::Object(fresh)) => {
            old.keys().filter(|key| !fresh.contains_key(*key)).cloned().collect()
        }
        (Some(Value::Object(old)), _) => old.keys().cloned().collect(),
        (Some(Value::Array(old)), Value::Array(fresh)) if old.len() > fresh.len() => {
            vec![format!("{} entries", old.len() - fresh.len())]
        }
        _ => Vec::new(),
    };
    if lost.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Policy, format!("setting '{path}' would drop {}", lost.join(", ")))
        .why("the value given does not contain them")
        .hint("add --merge to keep them, or --replace to drop them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json5_or_text() {
        assert_eq!(parse_value("19001", false).expect("a number"), json!(19001));
        assert_eq!(parse_value("{a: 'b',}", false).expect("JSON5"), json!({"a": "b"}));
        assert_eq!(parse_value("hello world", false).expect("text"), json!("hello world"));
        assert_eq!(parse_value("\"x\"", true).expect("JSON"), json!("x"));
        assert!(parse_value("hello", true).is_err());
    }
}
