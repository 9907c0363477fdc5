//! `openclaw artifacts export`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::commands::files;
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::bytes;
use crate::core::Error;
use crate::runtime::artifact_content;

/// Flags of `artifacts export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Artifact id, or the beginning of one.
    #[arg(value_name = "ID")]
    id: String,
    /// File to write instead of stdout.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Exports one artifact.
pub(super) fn run(context: &Context, args: &ExportArgs) -> Outcome {
    let (store, entry) = super::find(context, &args.id)?;
    let content = store.read_blocking(|tx| artifact_content(tx, &entry))?;
    let Some(path) = &args.output else {
        let binary = std::str::from_utf8(&content).is_err();
        if binary && context.out.stdout_is_terminal() {
            return Err(Error::user("the artifact is not text, and stdout is a terminal")
                .hint(format!("openclaw artifacts export {} -o FILE", args.id))
                .into());
        }
        let mut out = std::io::stdout().lock();
        out.write_all(&content)?;
        return Ok(out.flush()?);
    };
    let written = files::write_bytes(path, &context.load.cwd, &content)?;
    let (size, shown) = (content.len(), written.display().to_string());
    let said = bytes(u64::try_from(size).unwrap_or(u64::MAX));
    context.out.done(json!({ "path": shown, "bytes": size }), &format!("wrote {said} to {shown}"))
}
