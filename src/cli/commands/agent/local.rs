//! A turn in this process, when no gateway runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::cli::commands::{agents, files};
use crate::cli::context::Context;
use crate::cli::error::{Outcome, Stop};
use crate::cli::signals::{Signal, Signals};
use crate::config::LoadedConfig;
use crate::core::{Error, ErrorKind, FilesystemMode, Result, RunId, now_ms};
use crate::gateway;
use crate::providers::ProviderRegistry;
use crate::runtime::approvals::shape;
use crate::runtime::{AcceptedStatus, RunEvent, RunEventBody, RunOutcome, Runtime, RuntimeEvent, TurnRequest, modes};
use crate::session::ContentBlock;
use crate::state::{Access, ApprovalRow, OpenOptions, Store};

use super::Turn;
use super::ending::Ending;
use super::printer::Printer;
use super::question::Questions;

/// How long the run may take to wind up after Ctrl-C.
const ABORT: Duration = Duration::from_secs(3);

/// Opens the state, runs the turn, closes the state.
pub(super) async fn run(context: &Context, turn: &Turn) -> Outcome {
    let config = Arc::new(context.config()?);
    let mut signals = Signals::listen()?;
    let store = Store::open(
        &context.paths,
        &OpenOptions { durability_full: config.view.durability_full, access: Access::Write },
    )
    .map_err(in_use)?;
    let result = with_store(context, config, store.clone(), turn, &mut signals).await;
    let closed = store.close().await;
    result?;
    Ok(closed?)
}

async fn with_store(
    context: &Context,
    config: Arc<LoadedConfig>,
    store: Store,
    turn: &Turn,
    signals: &mut Signals,
) -> Outcome {
    for agent in &config.view.agents {
        if modes::of_agent(&config, agent)? != FilesystemMode::VfsOnly {
            files::make_directory(&agents::workspace(agent, &context.paths))?;
        }
    }
    let providers = ProviderRegistry::build(&config.view, &config.env)?;
    if config.view.discover_local && turn.model.is_none() && providers.default_model().info.provider == "offline" {
        let _found = providers.discover_local().await;
    }
    let runtime = Runtime::start(store, context.paths.clone(), config, providers).await?;
    let result = one_turn(context, &runtime, turn, signals).await;
    let shut = runtime.shutdown(ABORT).await;
    result?;
    Ok(shut?)
}

async fn one_turn(context: &Context, runtime: &Runtime, turn: &Turn, signals: &mut Signals) -> Outcome {
    let (key, agent) = runtime.session_key(turn.key().as_deref(), turn.agent.as_deref())?;
    let mut events = runtime.subscribe();
    let started_at = now_ms();
    let accepted = runtime
        .submit(TurnRequest {
            session_key: Some(key.to_string()),
            session_id: None,
            agent_id: Some(agent.to_string()),
            content: vec![ContentBlock::text(turn.message.clone())],
            idempotency_key: Some(turn.id.to_string()),
            model: turn.model.clone(),
            thinking: turn.thinking.map(|level| level.as_str().to_owned()),
            timeout: turn.timeout,
            channel: turn.channel.clone(),
            extra_system_prompt: None,
            filesystem_mode: turn.filesystem_mode,
            trajectory: turn.trajectory,
        })
        .await?;
    let mut printer = Printer::new(context);
    let mut questions = Questions::new(&context.out);
    if let AcceptedStatus::Finished(outcome) = &accepted.status {
        return printer.finish(&Ending::of_run(outcome), started_at, outcome.ended_at);
    }
    let mut stopped_by: Option<Signal> = None;
    loop {
        let next = tokio::select! {
            next = next(&mut events, &accepted.run_id, runtime) => next,
            (id, answer) = questions.answer() => {
                if let Err(error) = runtime.resolve_approval(&id, answer, "openclaw agent", None).await {
                    printer.warn(&error.to_string());
                }
                continue;
            }
            signal = signals.next() => {
                if stopped_by.is_some() {
                    printer.end_line()?;
                    return Err(Stop::Signal(signal));
                }
                stopped_by = Some(signal);
                runtime.abort(&key, Some(&accepted.run_id));
                continue;
            }
        };
        let outcome = match next {
            Ok(Next::Event(event)) => {
                printer.event(&gateway::agent_payload(&event))?;
                match &event.body {
                    RunEventBody::Ended { outcome } => Arc::clone(outcome),
                    _ => continue,
                }
            }
            Ok(Next::Asked(approval)) => {
                printer.end_line()?;
                questions.asked(&shape::approval(&approval));
                continue;
            }
            Ok(Next::Decided(approval)) => {
                questions.decided(&shape::approval(&approval));
                continue;
            }
            Ok(Next::End(outcome)) => outcome,
            Err(error) => {
                printer.end_line()?;
                return Err(error.into());
            }
        };
        return match stopped_by {
            Some(signal) => printer.stopped(signal),
            None => printer.finish(&Ending::of_run(&outcome), started_at, outcome.ended_at),
        };
    }
}

enum Next {
    Event(Arc<RunEvent>),
    /// A person is asked.
    Asked(Arc<ApprovalRow>),
    /// That was decided.
    Decided(Arc<ApprovalRow>),
    /// The end, without its event.
    End(Arc<RunOutcome>),
}

/// The next event of a run; its end alone if the events ended first.
async fn next(events: &mut Receiver<Arc<RuntimeEvent>>, run: &RunId, runtime: &Runtime) -> Result<Next> {
    loop {
        match events.recv().await {
            Ok(event) => match &*event {
                RuntimeEvent::Run(event) if event.run_id == *run => return Ok(Next::Event(Arc::clone(event))),
                RuntimeEvent::ApprovalRequested { approval } if approval.run_id.as_ref() == Some(run) => {
                    return Ok(Next::Asked(Arc::clone(approval)));
                }
                RuntimeEvent::ApprovalResolved { approval } if approval.run_id.as_ref() == Some(run) => {
                    return Ok(Next::Decided(Arc::clone(approval)));
                }
                _ => {}
            },
            // Deltas may get lost when the terminal is slow; the end brings the whole text.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => {
                return match runtime.wait(run, Some(ABORT)).await? {
                    Some(outcome) => Ok(Next::End(Arc::new(outcome))),
                    None => Err(Error::internal("the run's events ended before the run")),
                };
            }
        }
    }
}

/// The lock's error, for somebody who wanted a reply.
fn in_use(error: Error) -> Error {
    if error.kind() != ErrorKind::Conflict {
        return error;
    }
    let why = error.reason().unwrap_or_else(|| error.message().to_owned());
    Error::new(ErrorKind::Conflict, "the turn cannot run here: another process uses the state directory")
        .why(why)
        .hint("if that is a gateway on another port, pass --url ws://127.0.0.1:PORT; else wait for it to end")
}
