//! `openclaw models`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Cell, Column, Meaning, Table, count};
use crate::cli::suggest;
use crate::core::{Error, ErrorKind, Result};
use crate::providers::{ModelInfo, ProviderRegistry};

/// Flags of `models`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    command: Option<ModelsCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// List the models at hand (what `openclaw models` alone does).
    List(ListArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Also those without a key.
    #[arg(long)]
    all: bool,
    /// Only of this provider.
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// Only those on this machine.
    #[arg(long)]
    local: bool,
}

/// Lists the models.
pub(crate) fn run(context: &Context, args: ModelsArgs) -> Outcome {
    let args = match args.command {
        Some(ModelsCommand::List(list)) => list,
        None => args.list,
    };
    let config = context.config()?;
    let registry = ProviderRegistry::build(&config.view, &config.env)?;
    if config.view.discover_local {
        discover(&registry)?;
    }
    let default = registry.default_model().info.reference();
    let models = registry.models();
    if let Some(wanted) = &args.provider
        && !models.iter().any(|model| model.provider == *wanted)
    {
        let names = models.iter().map(|model| model.provider.as_str());
        return Err(Error::not_found(format!("no provider named '{wanted}'"))
            .why("it is neither configured nor known from the environment")
            .hint(suggest::hint(wanted, names, "openclaw models list --all"))
            .into());
    }
    let chosen: Vec<&ModelInfo> = models
        .iter()
        .filter(|model| args.provider.as_ref().is_none_or(|wanted| model.provider == *wanted))
        .filter(|model| !args.local || model.local)
        .filter(|model| args.all || args.provider.is_some() || model.available)
        .collect();
    let rows: Vec<Value> = chosen.iter().map(|model| row(model, &default)).collect::<Result<_>>()?;
    let hidden = models.len() - chosen.len();
    if context.out.is_text() && context.out.is_plain() {
        return chosen.iter().try_for_each(|model| context.out.line(&model.reference()));
    }
    let value = json!({ "count": rows.len(), "default": default, "models": rows });
    context.out.data(&value, "models", || table(context, &chosen, &default))?;
    if context.out.is_text() {
        if hidden > 0 && !args.all {
            context.out.note(&format!("{hidden} more without a key or not chosen: openclaw models list --all"));
        }
        if default == "offline/offline" {
            context.out.note(OFFLINE_NOTE);
        }
    }
    Ok(())
}

/// What a person should know while the built-in model answers.
pub(crate) const OFFLINE_NOTE: &str = "offline model: not a language model; set ANTHROPIC_API_KEY or OPENAI_API_KEY, \
     configure models.providers, or start Ollama for real answers";

/// Looks for model servers on loopback.
fn discover(registry: &ProviderRegistry) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::Internal, "cannot start the network runtime").source(error))?;
    let _found = runtime.block_on(registry.discover_local());
    Ok(())
}

fn row(model: &ModelInfo, default: &str) -> Result<Value> {
    let mut row = serde_json::to_value(model)
        .map_err(|error| Error::internal("a model cannot be written as JSON").source(error))?;
    row["key"] = model.reference().into();
    row["isDefault"] = (model.reference() == default).into();
    Ok(row)
}

fn table(context: &Context, models: &[&ModelInfo], default: &str) -> String {
    let mut table = Table::new([
        Column::new("MODEL").id(),
        Column::new("KEY"),
        Column::new("DEFAULT"),
        Column::new("CONTEXT").right().optional(1),
        Column::new("INPUT").optional(2),
        Column::new("API").optional(3),
        Column::new("NAME").text().optional(4),
    ]);
    for model in models {
        let key = if model.available {
            Cell::new(if model.local { "local" } else { "ok" }).meaning(Meaning::Ok)
        } else {
            Cell::new("missing").meaning(Meaning::Warn)
        };
        table.row([
            Cell::new(model.reference()),
            key,
            Cell::new(if model.reference() == default { "yes" } else { "" }),
            Cell::new(count(model.context_window)),
            Cell::new(model.input.join("+")),
            Cell::new(&model.api),
            Cell::new(&model.name),
        ]);
    }
    context.out.table(&table)
}
