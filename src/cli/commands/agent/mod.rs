//! `openclaw agent`: one turn, by the gateway or in this process.

mod ending;
mod live;
mod local;
mod message;
mod printer;
mod question;
mod remote;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::client::{ConnectArgs, Target};
use crate::cli::context::Context;
use crate::cli::error::{Outcome, Stop};
use crate::core::{Error, ErrorKind, FilesystemMode, Result};
use crate::providers::ThinkingLevel;
use crate::runtime::modes;

/// Flags of `agent`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  openclaw agent -m \"list the files here\"
  git diff | openclaw agent --message-file - --session-key review
  openclaw agent -m \"hello\" --json")]
pub(crate) struct AgentArgs {
    /// What to say; - reads it from stdin.
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    message: Option<String>,
    /// Read what to say from FILE (UTF-8, at most 4 MiB); - is stdin.
    #[arg(long, value_name = "FILE", conflicts_with = "message")]
    message_file: Option<PathBuf>,
    /// Which agent [default: the default agent].
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    #[arg(long, value_name = "KEY", help = "Continue this conversation: agent:<id>:<key>, or only <key>")]
    session_key: Option<String>,
    /// Continue the conversation with this id of your own choice.
    #[arg(long, value_name = "ID", conflicts_with = "session_key")]
    session_id: Option<String>,
    /// Model for this message: provider/model, an alias, or a model id.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// off, minimal, low, medium or high.
    #[arg(long, value_name = "LEVEL")]
    thinking: Option<String>,
    /// Seconds for the reply [default: the agent's timeoutSeconds, else 600].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: Option<u64>,
    /// Files, if narrower than the agent's: disk, vfs-scratch or vfs-only.
    #[arg(long, value_name = "MODE")]
    fs_mode: Option<String>,
    /// Keep what the model is sent and answers (openclaw artifacts).
    #[arg(long)]
    trajectory: bool,
    /// Run the turn in this process even if a gateway could.
    #[arg(long)]
    local: bool,
    /// Gateway to talk to; default: the one of this machine.
    #[arg(long, value_name = "URL", conflicts_with = "local")]
    url: Option<String>,
    /// Gateway token.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Gateway password, where it uses one.
    #[arg(long, value_name = "PASSWORD", conflicts_with = "token")]
    password: Option<String>,
    /// Name of the channel the message came by, kept with it.
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// Recipient on a channel (refused: this version has no channels).
    #[arg(short, long, value_name = "NUMBER", hide = true)]
    to: Option<String>,
    /// Send the reply to the channel (refused: this version has no channels).
    #[arg(long, hide = true)]
    deliver: bool,
}

/// A turn as asked for.
pub(super) struct Turn {
    message: String,
    agent: Option<String>,
    session_key: Option<String>,
    session_id: Option<String>,
    model: Option<String>,
    thinking: Option<ThinkingLevel>,
    filesystem_mode: Option<FilesystemMode>,
    trajectory: Option<bool>,
    timeout: Option<Duration>,
    channel: String,
    id: crate::core::RunId,
}

/// Runs the turn.
pub(crate) fn run(context: &Context, args: AgentArgs) -> Outcome {
    let local = args.local;
    let connect = ConnectArgs {
        url: args.url.clone(),
        token: args.token.clone(),
        password: args.password.clone(),
        ..ConnectArgs::default()
    };
    let turn = turn(context, args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::Internal, "cannot start the network runtime").source(error))?;
    if local {
        return runtime.block_on(local::run(context, &turn));
    }
    let config = context.config();
    let target = Target::resolve(context, &connect, config.as_ref().ok())?;
    let explicit = target.explicit;
    match runtime.block_on(remote::run(context, &target, connect.patience(), &turn)) {
        Err(remote::Failed::NotConnected(error)) if error.kind() == ErrorKind::Unreachable && !explicit => {
            context.out.note("no gateway is running: running here");
            runtime.block_on(local::run(context, &turn))
        }
        Err(remote::Failed::NotConnected(error)) if error.kind() == ErrorKind::Timeout => {
            Err(error.hint("openclaw doctor says who holds the port; --local runs the turn in this process").into())
        }
        Err(remote::Failed::NotConnected(error)) => Err(Stop::Error(error)),
        Err(remote::Failed::Stopped(stop)) => Err(stop),
        Ok(()) => Ok(()),
    }
}

fn turn(context: &Context, args: AgentArgs) -> Result<Turn> {
    if args.deliver || args.to.is_some() {
        let flag = if args.deliver { "--deliver" } else { "--to" };
        return Err(Error::user(format!("{flag} cannot be used"))
            .why("this version has no channels to deliver to")
            .hint("leave it out; --session-key names the conversation"));
    }
    let thinking = match &args.thinking {
        None => None,
        Some(text) => Some(ThinkingLevel::parse(text).ok_or_else(|| {
            Error::user(format!("'{text}' is not a thinking level"))
                .why("the levels are off, minimal, low, medium and high")
                .hint("--thinking medium")
        })?),
    };
    let filesystem_mode = args.fs_mode.as_deref().map(modes::parse).transpose()?;
    Ok(Turn {
        message: message::read(context, args.message, args.message_file.as_deref())?,
        agent: args.agent,
        session_key: args.session_key,
        session_id: args.session_id,
        model: args.model,
        thinking,
        filesystem_mode,
        trajectory: args.trajectory.then_some(true),
        timeout: args.timeout.map(Duration::from_secs),
        channel: args.channel.unwrap_or_else(|| "cli".to_owned()),
        id: crate::core::RunId::generate(),
    })
}

impl Turn {
    /// The session key: as given, or the one OpenClaw derives from `--session-id`.
    fn key(&self) -> Option<String> {
        self.session_key.clone().or_else(|| self.session_id.as_ref().map(|id| format!("explicit:{id}")))
    }
}
