//! A turn by the gateway, over WebSocket.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::cli::client::{Connection, Incoming, Target};
use crate::cli::context::Context;
use crate::cli::error::{Outcome, Stop};
use crate::cli::signals::{Signal, Signals};
use crate::core::{Error, ErrorKind, now_ms};

use super::Turn;
use super::ending::Ending;
use super::printer::Printer;
use super::question::Questions;

/// How long the last event may come after the answer of `agent.wait`.
const LAST_EVENT: Duration = Duration::from_millis(500);
/// How long an abort may take before we leave.
const ABORT: Duration = Duration::from_secs(3);
/// Longer than any run.
const FOREVER: Duration = Duration::from_hours(24 * 366);
/// How much longer than the run's own time limit we wait.
const MARGIN: Duration = Duration::from_secs(15);

/// Why there is no reply.
pub(super) enum Failed {
    /// The gateway never saw the message.
    NotConnected(Error),
    /// Anything later.
    Stopped(Stop),
}

impl<E: Into<Stop>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Stopped(error.into())
    }
}

/// Sends the message and prints what comes back.
pub(super) async fn run(context: &Context, target: &Target, patience: Duration, turn: &Turn) -> Result<(), Failed> {
    let mut signals = Signals::listen()?;
    let mut connection = tokio::select! {
        connection = Connection::open(target, patience, &context.out) => connection.map_err(Failed::NotConnected)?,
        signal = signals.next() => return Err(Failed::Stopped(Stop::Signal(signal))),
    };
    let asked = connection.send("agent", &parameters(turn)).await?;
    let mut exchange = Exchange {
        printer: Printer::new(context),
        questions: Questions::new(&context.out),
        answering: Vec::new(),
        asked,
        waiting: None,
        accepted: None,
        fallback: None,
        stopped_by: None,
        started_at: now_ms(),
        deadline: Instant::now() + turn.timeout.map_or(FOREVER, |limit| limit + MARGIN),
    };
    let result = exchange.run(&mut connection, turn, &mut signals).await;
    if result.is_err() {
        exchange.printer.end_line()?;
    }
    Ok(result?)
}

fn parameters(turn: &Turn) -> Value {
    let mut params = json!({
        "message": turn.message, "idempotencyKey": turn.id, "deliver": false, "channel": turn.channel,
    });
    let optional = [
        ("agentId", turn.agent.clone()),
        ("sessionKey", turn.key()),
        ("model", turn.model.clone()),
        ("thinking", turn.thinking.map(|level| level.as_str().to_owned())),
        ("filesystemMode", turn.filesystem_mode.map(|mode| mode.as_str().to_owned())),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            params[name] = value.into();
        }
    }
    if let Some(keep) = turn.trajectory {
        params["trajectory"] = keep.into();
    }
    if let Some(limit) = turn.timeout {
        params["timeout"] = limit.as_secs().into();
    }
    params
}

struct Exchange {
    printer: Printer,
    questions: Questions,
    /// Calls that decide a question.
    answering: Vec<u64>,
    asked: u64,
    waiting: Option<u64>,
    accepted: Option<Value>,
    /// The end as `agent.wait` tells it, in case the last event does not come.
    fallback: Option<Ending>,
    stopped_by: Option<Signal>,
    started_at: i64,
    deadline: Instant,
}

impl Exchange {
    async fn run(&mut self, connection: &mut Connection, turn: &Turn, signals: &mut Signals) -> Outcome {
        loop {
            let incoming = tokio::select! {
                incoming = connection.next() => incoming?,
                signal = signals.next() => {
                    self.stop(connection, signal).await?;
                    continue;
                }
                (id, answer) = self.questions.answer() => {
                    let params = json!({"id": id, "decision": answer.as_str(), "reviewer": "openclaw agent"});
                    self.answering.push(connection.send("exec.approval.resolve", &params).await?);
                    continue;
                }
                () = sleep_until(self.deadline) => return self.late(turn),
            };
            let ending = match incoming {
                Incoming::Event { name, payload } => self.event(&name, &payload, turn)?,
                Incoming::Response { id, result } => self.response(id, result, connection).await?,
            };
            if let Some(ending) = ending {
                return self.end(&ending);
            }
        }
    }

    fn event(&mut self, name: &str, payload: &Value, turn: &Turn) -> Outcome<Option<Ending>> {
        if payload["runId"] != turn.id.as_str() {
            return Ok(None);
        }
        match name {
            "agent" => self.printer.event(payload)?,
            "chat" => return Ok(Ending::of_chat(payload)),
            "exec.approval.requested" => {
                self.printer.end_line()?;
                self.questions.asked(payload);
            }
            "exec.approval.resolved" => self.questions.decided(payload),
            _ => {}
        }
        Ok(None)
    }

    async fn response(
        &mut self,
        id: u64,
        result: Result<Value, Error>,
        connection: &mut Connection,
    ) -> Outcome<Option<Ending>> {
        if id == self.asked {
            let accepted = result?;
            if let Some(ending) = Ending::of_answer(&accepted) {
                return Ok(Some(ending));
            }
            let wait = json!({ "runId": accepted["runId"], "timeoutMs": 24 * 3_600_000_u64 });
            self.waiting = Some(connection.send("agent.wait", &wait).await?);
            self.accepted = Some(accepted);
            if self.stopped_by.is_some() {
                self.abort(connection).await?;
            }
        } else if let Some(place) = self.answering.iter().position(|answering| *answering == id) {
            self.answering.swap_remove(place);
            if let Err(error) = result {
                self.printer.warn(&error.to_string());
            }
        } else if Some(id) == self.waiting
            && let Ok(answer) = result
            && let Some(ending) = Ending::of_answer(&answer)
        {
            self.fallback = Some(ending);
            self.deadline = self.deadline.min(Instant::now() + LAST_EVENT);
        }
        Ok(None)
    }

    /// First signal: the run is aborted and its end awaited. Second: we leave at once.
    async fn stop(&mut self, connection: &mut Connection, signal: Signal) -> Outcome {
        if self.stopped_by.is_some() {
            return Err(Stop::Signal(signal));
        }
        self.stopped_by = Some(signal);
        self.deadline = Instant::now() + ABORT;
        self.abort(connection).await
    }

    async fn abort(&mut self, connection: &mut Connection) -> Outcome {
        if let Some(accepted) = &self.accepted {
            let params = json!({ "sessionKey": accepted["sessionKey"], "runId": accepted["runId"] });
            connection.send("chat.abort", &params).await?;
        }
        Ok(())
    }

    fn end(&mut self, ending: &Ending) -> Outcome {
        if let Some(signal) = self.stopped_by {
            return self.printer.stopped(signal);
        }
        self.printer.finish(ending, self.started_at, now_ms())
    }

    /// The deadline passed.
    fn late(&mut self, turn: &Turn) -> Outcome {
        if let Some(ending) = self.fallback.take() {
            return self.end(&ending);
        }
        if let Some(signal) = self.stopped_by {
            return self.printer.stopped(signal);
        }
        let limit = turn.timeout.unwrap_or_default().as_secs();
        Err(Error::new(ErrorKind::Timeout, format!("no complete reply within {limit} s"))
            .why("the gateway did not report the end of the run in time")
            .hint("use a larger --timeout (seconds); openclaw sessions show has what came so far")
            .into())
    }
}

#[cfg(test)]
mod tests;
