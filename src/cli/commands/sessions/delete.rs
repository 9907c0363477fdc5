//! `openclaw sessions delete`: by the gateway if one runs, else here.

use std::io::{BufRead as _, IsTerminal as _};

use clap::Args;
use serde_json::json;

use crate::cli::client::{ConnectArgs, RpcClient, Target};
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::one_line;
use crate::core::{Error, ErrorKind, Result};
use crate::state::{Access, OpenOptions, SessionEntry, Store};

use super::lookup;

/// Flags of `sessions delete`.
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// Session key or id, or the beginning of one.
    #[arg(value_name = "KEY")]
    key: String,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Keep the events; only the conversation leaves the lists.
    #[arg(long)]
    keep_transcript: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Deletes a conversation.
pub(crate) fn run(context: &Context, args: &DeleteArgs) -> Outcome {
    let config = context.config().ok(); // dropped: deleting needs no configuration, only a reachable gateway or the file
    let target = Target::resolve(context, &args.connect, config.as_ref())?;
    let explicit = target.explicit;
    let client = RpcClient::new(target, args.connect.patience(), &context.out);
    // A gateway that a person named has a database of its own, so what the key means is its to say.
    let entry = if explicit { described(&client, &args.key)? } else { lookup::find(context, &args.key)?.1 };
    confirm(context, args, &entry)?;
    let params = json!({ "key": entry.key, "agentId": entry.agent_id, "deleteTranscript": !args.keep_transcript });
    let deleted = match client.call("sessions.delete", &params) {
        Ok(answer) => answer["deleted"].as_bool().unwrap_or(true),
        Err(error) if error.kind() == ErrorKind::Unreachable && !explicit => delete_here(context, args, &entry)?,
        Err(error) => return Err(error.into()),
    };
    if !deleted {
        return Err(Error::not_found(format!("the session '{}' is gone already", entry.key)).into());
    }
    let fields = json!({ "key": entry.key, "sessionId": entry.session_id, "deleted": true });
    context.out.done(fields, &format!("deleted {}", one_line(entry.key.as_str(), 200)))
}

/// The conversation of another gateway, by its whole key.
fn described(client: &RpcClient, key: &str) -> Result<SessionEntry> {
    let mut answer = client.call("sessions.describe", &json!({ "key": key }))?;
    let row = answer["session"].take();
    let (key, agent) = (row["key"].as_str().unwrap_or(key).to_owned(), row["agentId"].as_str().map(ToOwned::to_owned));
    let mut entry: SessionEntry = serde_json::from_value(row).map_err(|error| {
        Error::new(ErrorKind::Unavailable, "the gateway describes the session in a form that is not understood")
            .hint("is it of another version? openclaw gateway status")
            .source(error)
    })?;
    entry.key = key.into();
    if let Some(agent) = agent {
        entry.agent_id = agent.into();
    }
    Ok(entry)
}

fn delete_here(context: &Context, args: &DeleteArgs, entry: &SessionEntry) -> Result<bool> {
    let store = Store::open(&context.paths, &OpenOptions { durability_full: false, access: Access::Write })?;
    let (agent, key, transcript) = (entry.agent_id.clone(), entry.key.clone(), !args.keep_transcript);
    let deleted = store.write_blocking(move |write| write.delete_session(&agent, &key, transcript));
    store.close_blocking()?;
    deleted
}

/// Asks on a terminal; elsewhere `--yes` is needed.
fn confirm(context: &Context, args: &DeleteArgs, entry: &SessionEntry) -> Result<()> {
    if args.yes {
        return Ok(());
    }
    let name = one_line(entry.key.as_str(), 200);
    if !std::io::stdin().is_terminal() || !context.out.stderr_is_terminal() || !context.out.is_text() {
        return Err(Error::user(format!("deleting '{name}' needs a confirmation"))
            .why("this is not a terminal, so nobody can be asked")
            .hint("add --yes"));
    }
    crate::cli::output::say(&format!("Delete {name} with its transcript? This cannot be undone. [y/N]"));
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Error::user("cannot read the answer").hint("add --yes").source(error))?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Cancelled, "nothing was deleted")
        .why("the answer was not yes")
        .hint("add --yes to skip the question"))
}
