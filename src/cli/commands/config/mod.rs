//! `openclaw config`.

mod batch;
mod get;
mod patch;
mod report;
mod secret_provider;
mod set;
mod unset;
mod validate;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::Outcome;

/// Flags of `config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print the path of the configuration file.
    File,
    /// Print one value, or all of them; secrets are hidden.
    Get(get::GetArgs),
    /// Set one value or several.
    Set(Box<set::SetArgs>),
    /// Remove one value.
    Unset(unset::UnsetArgs),
    /// Merge a JSON5 object into the configuration; null removes.
    Patch(patch::PatchArgs),
    /// Check the configuration.
    Validate,
    /// Print the JSON Schema of openclaw.json.
    Schema,
}

/// Runs a subcommand.
pub(crate) fn run(context: &Context, args: ConfigArgs) -> Outcome {
    match args.command {
        ConfigCommand::File => file(context),
        ConfigCommand::Get(args) => get::run(context, &args),
        ConfigCommand::Set(args) => set::run(context, &args),
        ConfigCommand::Unset(args) => unset::run(context, &args),
        ConfigCommand::Patch(args) => patch::run(context, &args),
        ConfigCommand::Validate => validate::run(context),
        ConfigCommand::Schema => context.out.object(&crate::config::schema()),
    }
}

/// The path, also while the file is broken.
fn file(context: &Context) -> Outcome {
    let path = context.config_path();
    context.out.data(&json!({ "path": path, "exists": path.exists() }), "", || path.display().to_string())
}
