//! The agent loop: ask the model, run the tools it calls, until it stops.
//!
//! One transaction per step. A crash between two steps leaves a transcript that `session::repair` turns into a valid
//! context; an abort keeps what the model had said. The loop ends with exactly one outcome, made durable in the same
//! transaction as the last events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use serde_json::Map;
use tokio_util::sync::CancellationToken;

use super::artifacts;
use super::breaker::{Breaker, Verdict};
use super::calls::{self, Call, CallIds};
use super::host::{Billed, RunHost, Step};
use super::prepared::PreparedAgentRun;
use super::types::{RunEventBody, RunOutcome, RunStatus};
use crate::core::{Error, ErrorKind, EventId, ProviderErrorClass, Result};
use crate::providers::{
    Delta, ModelAnswer, ModelInfo, ModelRequest, ModelStream, ProviderError, ThinkingLevel, ToolSpec,
};
use crate::session::Event;
use crate::session::event::{AgentResponse, EventBody, ToolCalled, ToolResult};
use crate::session::message::{ChatMessage, Context, StopReason, plain_text};
use crate::session::repair;
use crate::tools::ToolOutput;

/// Most bytes of consecutive deltas joined into one event for subscribers.
const MAX_COALESCED_BYTES: usize = 8 * 1024;

/// What a run starts from, besides its [`PreparedAgentRun`].
pub struct Start {
    /// System prompt.
    pub system: String,
    /// Conversation up to and including the user message; repaired.
    pub context: Context,
    /// Tools on offer.
    pub tools: Arc<[ToolSpec]>,
    /// Reasoning effort.
    pub thinking: ThinkingLevel,
    /// Unix milliseconds.
    pub started_at: i64,
}

/// Why a run is being ended from outside; the cancel token alone does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// A person asked for it.
    Abort,
    /// The run's wall time is used up.
    Deadline,
    /// The gateway is going down.
    Shutdown,
}

/// Ends a run: the token wakes it, the cause explains it.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    cause: Arc<std::sync::OnceLock<StopCause>>,
}

impl Stop {
    /// Asks the run to end; the first cause counts.
    pub fn request(&self, cause: StopCause) {
        self.cause.get_or_init(|| cause);
        self.token.cancel();
    }

    /// The token that tools and streams watch.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    fn cause(&self) -> StopCause {
        self.cause.get().copied().unwrap_or(StopCause::Abort)
    }

    /// What to tell whoever waits for a run that was stopped.
    pub(super) fn error(&self, prepared: &PreparedAgentRun) -> Error {
        match self.cause() {
            StopCause::Abort => Error::new(ErrorKind::Cancelled, "the run was stopped on request"),
            StopCause::Deadline => Error::new(
                ErrorKind::Timeout,
                format!("the run was stopped after its limit of {}", seconds(prepared.timeout_ms)),
            )
            .hint("raise agents.defaults.timeoutSeconds, or pass --timeout"),
            StopCause::Shutdown => {
                Error::new(ErrorKind::Unavailable, "the gateway was stopped while the run was in progress")
                    .hint("send the message again")
            }
        }
    }

    /// How a run ends that ends with this error.
    pub(super) fn status_of(&self, error: &Error) -> RunStatus {
        match error.kind() {
            ErrorKind::Cancelled | ErrorKind::Provider(ProviderErrorClass::Cancelled) => RunStatus::Aborted,
            ErrorKind::Unavailable if self.token.is_cancelled() && self.cause() == StopCause::Shutdown => {
                RunStatus::Interrupted
            }
            _ => RunStatus::Error,
        }
    }
}

/// `90 s`, `0.15 s`.
fn seconds(ms: u64) -> String {
    let fraction = format!("{:03}", ms % 1000);
    match fraction.trim_end_matches('0') {
        "" => format!("{} s", ms / 1000),
        fraction => format!("{}.{fraction} s", ms / 1000),
    }
}

/// Runs a turn to its end. An `Err` means that the outcome itself could not be made durable.
pub async fn run(prepared: &PreparedAgentRun, start: Start, host: &dyn RunHost, stop: &Stop) -> Result<RunOutcome> {
    let mut turn = Turn {
        prepared,
        host,
        stop,
        last_event: prepared.message_event_id.clone(),
        outcome: RunOutcome::of(prepared.run_id.clone(), start.started_at),
        ids: CallIds::of(&start.context),
        context: start.context,
        attempt: 0,
        breaker: Breaker::default(),
    };
    host.emit(RunEventBody::Started);
    loop {
        let request = ModelRequest {
            model: String::new(),
            system: start.system.clone(),
            messages: turn.context.clone(),
            tools: Arc::clone(&start.tools),
            max_tokens: None,
            thinking: start.thinking,
            temperature: None,
            session: Some(prepared.session_id.to_string()),
        };
        let called = turn.call_model(request).await;
        match turn.settle(called).await? {
            Next::Tools(calls) => {
                if let Some(outcome) = turn.run_tools(calls).await? {
                    return Ok(outcome);
                }
            }
            Next::Done(outcome) => return Ok(*outcome),
        }
    }
}

/// A model call that has come to its end, well or badly.
struct Called {
    model: Option<ModelInfo>,
    answer: ModelAnswer,
    failure: Option<Failure>,
    duration: Duration,
}

enum Failure {
    Provider(ProviderError),
    Stopped,
}

enum Next {
    Tools(Vec<Call>),
    Done(Box<RunOutcome>),
}

struct Turn<'a> {
    prepared: &'a PreparedAgentRun,
    host: &'a dyn RunHost,
    stop: &'a Stop,
    last_event: EventId,
    outcome: RunOutcome,
    ids: CallIds,
    context: Context,
    attempt: usize,
    breaker: Breaker,
}

impl Turn<'_> {
    /// Calls the model, moving on to the next candidate when the provider's own fault kept it from answering at all.
    async fn call_model(&mut self, mut request: ModelRequest) -> Called {
        let began = Instant::now();
        loop {
            let model = self.host.candidate(self.attempt);
            if let Some(info) = &model {
                self.host.emit(RunEventBody::Model { provider: info.provider.clone(), model: info.id.clone() });
            }
            let mut answer = ModelAnswer::default();
            // The conversation may be long; it is copied only for the sake of another candidate.
            let is_last = self.host.candidate(self.attempt + 1).is_none();
            let attempt = if is_last { std::mem::take(&mut request) } else { request.clone() };
            let failure = self.stream(attempt, &mut answer).await.err();
            if let Some(Failure::Provider(error)) = &failure
                && error.class.is_provider_side()
                && !error.started
                && answer.content.is_empty()
                && !is_last
            {
                tracing::warn!(run = %self.prepared.run_id, error = %error, "model failed before it answered; trying the next one");
                self.attempt += 1;
                continue;
            }
            return Called { model, answer, failure, duration: began.elapsed() };
        }
    }

    async fn stream(&self, request: ModelRequest, answer: &mut ModelAnswer) -> std::result::Result<(), Failure> {
        let token = self.stop.token();
        let mut stream: ModelStream = tokio::select! {
            biased;
            () = token.cancelled() => return Err(Failure::Stopped),
            started = self.host.model(self.attempt, request) => started.map_err(Failure::Provider)?,
        };
        let mut pending: Option<RunEventBody> = None;
        loop {
            // What is already there is joined into one event; only an empty pipe flushes.
            let next = if let Some(next) = stream.next().now_or_never() {
                next
            } else {
                self.flush(&mut pending);
                tokio::select! {
                    biased;
                    () = token.cancelled() => return Err(Failure::Stopped),
                    next = stream.next() => next,
                }
            };
            if token.is_cancelled() {
                self.flush(&mut pending);
                return Err(Failure::Stopped);
            }
            let delta = match next {
                Some(Ok(delta)) => delta,
                Some(Err(error)) => {
                    self.flush(&mut pending);
                    return Err(Failure::Provider(error));
                }
                None => {
                    self.flush(&mut pending);
                    return if answer.stop_reason.is_some() { Ok(()) } else { Err(Failure::Provider(self.cut())) };
                }
            };
            answer.apply(&delta);
            match delta {
                Delta::Text { text, .. } => self.join(&mut pending, text, false),
                Delta::Thinking { text, .. } => self.join(&mut pending, text, true),
                _ => {}
            }
        }
    }

    fn flush(&self, pending: &mut Option<RunEventBody>) {
        if let Some(body) = pending.take() {
            self.host.emit(body);
        }
    }

    fn join(&self, pending: &mut Option<RunEventBody>, text: String, thinking: bool) {
        match (pending.as_mut(), thinking) {
            (Some(RunEventBody::Text { delta }), false) | (Some(RunEventBody::Thinking { delta }), true) => {
                delta.push_str(&text);
                if delta.len() >= MAX_COALESCED_BYTES {
                    self.flush(pending);
                }
            }
            _ => {
                self.flush(pending);
                *pending = Some(if thinking {
                    RunEventBody::Thinking { delta: text }
                } else {
                    RunEventBody::Text { delta: text }
                });
            }
        }
    }

    fn cut(&self) -> ProviderError {
        ProviderError {
            class: ProviderErrorClass::Network,
            provider: self.host.candidate(self.attempt).map(|info| info.provider).unwrap_or_default(),
            message: "the answer ended before it was complete".to_owned(),
            status: None,
            retry_after: None,
            started: true,
        }
    }

    /// Records the answer and decides how to go on.
    async fn settle(&mut self, called: Called) -> Result<Next> {
        let Called { model, mut answer, failure, duration } = called;
        self.outcome.steps += 1;
        let usage = answer.usage;
        self.outcome.usage.add(&usage);
        if let Some(info) = &model {
            self.outcome.provider.clone_from(&info.provider);
            self.outcome.model.clone_from(&info.id);
        }
        let stop_reason = match &failure {
            None => answer.stop_reason.unwrap_or(StopReason::Stop),
            Some(Failure::Stopped) => StopReason::Aborted,
            Some(Failure::Provider(error)) if error.class == ProviderErrorClass::Cancelled => StopReason::Aborted,
            Some(Failure::Provider(_)) => StopReason::Error,
        };
        let mut calls = calls::finish(&mut answer, &mut self.ids);
        if failure.is_some() {
            calls.clear();
        }
        let ModelAnswer { content, response_id, model: reported, .. } = answer;
        let text = plain_text(&content);
        if !text.is_empty() {
            self.outcome.text = text;
        }
        self.outcome.stop_reason = Some(stop_reason);
        let error = self.explain(failure.as_ref()).or_else(|| self.nothing(&calls, stop_reason));
        let mut extra = Map::new();
        if let (Some(reported), Some(info)) = (reported, &model)
            && reported != info.id
        {
            extra.insert("responseModel".into(), reported.into());
        }
        let mut step = Step::default();
        self.push(
            &mut step,
            EventBody::AgentResponse(AgentResponse {
                content: content.clone(),
                model: model.as_ref().map(|info| info.id.clone()),
                provider: model.as_ref().map(|info| info.provider.clone()),
                api: model.as_ref().map(|info| info.api.clone()),
                usage: (usage.total_tokens > 0).then_some(usage),
                stop_reason: Some(stop_reason),
                response_id,
                error: error.as_ref().map(ToString::to_string),
                extra,
            }),
        );
        if let Some(info) = &model
            && usage.total_tokens > 0
        {
            self.host.emit(RunEventBody::Usage { usage });
            step.billed = Some(Billed {
                provider: info.provider.clone(),
                model: info.id.clone(),
                usage,
                duration_ms: millis(duration),
            });
        }
        let ended = match error {
            Some(error) => Some(self.end(self.stop.status_of(&error), Some(error))),
            None if calls.is_empty() => Some(self.end(RunStatus::Ok, None)),
            None => self.limit(&calls).map(|error| self.end(RunStatus::Error, Some(error))),
        };
        if let Some(outcome) = ended {
            step.outcome = Some(outcome.clone());
            self.host.commit(step).await?;
            return Ok(Next::Done(Box::new(outcome)));
        }
        for call in &calls {
            self.push(
                &mut step,
                EventBody::ToolCalled(ToolCalled {
                    tool_call_id: call.id.clone(),
                    tool: call.name.clone(),
                    params: call.arguments.clone(),
                    policy: None,
                    extra: Map::new(),
                }),
            );
        }
        self.host.commit(step).await?;
        self.remember(ChatMessage::Assistant {
            content,
            provider: model.as_ref().map(|info| info.provider.clone()),
            model: model.as_ref().map(|info| info.id.clone()),
        });
        Ok(Next::Tools(calls))
    }

    /// Adds a message to the context in the form in which it will be read from the transcript later.
    fn remember(&mut self, message: ChatMessage) {
        self.context.extend(repair::clean(Arc::new(message)));
    }

    /// The error of a run that would end without a word.
    fn nothing(&self, calls: &[Call], stop_reason: StopReason) -> Option<Error> {
        if !calls.is_empty() || self.outcome.tool_calls > 0 || !self.outcome.text.trim().is_empty() {
            return None;
        }
        Some(match stop_reason {
            StopReason::Length => Error::new(
                ErrorKind::Provider(ProviderErrorClass::Protocol),
                "the model reached its output limit before it said anything",
            )
            .hint("choose a lower thinking level, or raise the model's maxTokens"),
            StopReason::Refusal => Error::new(ErrorKind::Policy, "the model declined to answer")
                .hint("rephrase the request, or try another model"),
            _ => Error::new(ErrorKind::Provider(ProviderErrorClass::Protocol), "the model's answer was empty")
                .hint("send the message again, or try another model"),
        })
    }

    /// The error that ends the run instead of running these calls, if a limit is reached.
    fn limit(&self, calls: &[Call]) -> Option<Error> {
        (self.outcome.steps >= self.prepared.max_steps).then(|| {
            Error::new(
                ErrorKind::Policy,
                format!("the run reached its limit of {} model calls", self.prepared.max_steps),
            )
            .why(format!("the model still wanted to run {} tool call(s)", calls.len()))
            .hint("send another message to go on, or raise agents.defaults.maxSteps")
        })
    }

    fn explain(&self, failure: Option<&Failure>) -> Option<Error> {
        Some(match failure? {
            Failure::Provider(error) => Error::from(error.clone()),
            Failure::Stopped => self.stop.error(self.prepared),
        })
    }

    fn end(&mut self, status: RunStatus, error: Option<Error>) -> RunOutcome {
        self.outcome.status = status;
        self.outcome.error = error.map(|error| error.to_json());
        self.outcome.ended_at = self.host.now();
        self.outcome.clone()
    }

    fn push(&mut self, step: &mut Step, body: EventBody) {
        let id = EventId::generate();
        step.events.push(Event {
            id: id.clone(),
            parent_id: Some(std::mem::replace(&mut self.last_event, id)),
            ts: self.host.now(),
            run_id: Some(self.prepared.run_id.clone()),
            body,
            extra: Map::new(),
        });
    }

    /// Runs a step's calls: those that may, side by side; each result is committed when it is there, in call order.
    async fn run_tools(&mut self, calls: Vec<Call>) -> Result<Option<RunOutcome>> {
        self.outcome.tool_calls += u32::try_from(calls.len()).unwrap_or(u32::MAX);
        let verdict = self.breaker.check(calls.iter().map(|call| (call.name.as_str(), &call.arguments)));
        let mut outputs = Vec::with_capacity(calls.len());
        let mut rest = calls.as_slice();
        while let Some((call, tail)) = rest.split_first() {
            let group = 1 + if self.host.tool_is_parallel(&call.name) {
                tail.iter().take_while(|call| self.host.tool_is_parallel(&call.name)).count()
            } else {
                0
            };
            let batch = &rest[..group];
            let mut running = futures_util::stream::FuturesOrdered::new();
            for call in batch {
                running.push_back(self.one_tool(verdict, call));
            }
            let finished: Vec<Finished> = running.collect().await;
            for (call, done) in batch.iter().zip(finished) {
                self.record(call, &done).await?;
                outputs.push(done.output);
            }
            rest = &rest[group..];
        }
        if verdict == Verdict::Run {
            self.breaker.results(outputs.iter());
        }
        let error = if self.stop.token().is_cancelled() {
            self.outcome.stop_reason = Some(StopReason::Aborted);
            Some(self.stop.error(self.prepared))
        } else if let Verdict::Stop(times) = verdict {
            self.outcome.stop_reason = Some(StopReason::Error);
            Some(
                Error::new(
                    ErrorKind::Policy,
                    format!("the run was ended: the model repeated the same tool calls {times} times"),
                )
                .hint("rephrase the request, or try another model"),
            )
        } else {
            None
        };
        let Some(error) = error else { return Ok(None) };
        let status = self.stop.status_of(&error);
        let outcome = self.end(status, Some(error));
        self.host.commit(Step { outcome: Some(outcome.clone()), ..Step::default() }).await?;
        Ok(Some(outcome))
    }

    async fn one_tool(&self, verdict: Verdict, call: &Call) -> Finished {
        let Call { id, name, arguments, is_cut } = call;
        self.host.emit(RunEventBody::ToolStart {
            tool_call_id: id.to_string(),
            name: name.clone(),
            arguments: arguments.clone(),
        });
        let began = Instant::now();
        let output = match verdict {
            _ if self.stop.token().is_cancelled() => {
                ToolOutput::error("Not run: the turn was stopped before this call.")
            }
            _ if *is_cut => ToolOutput::error(
                "Not run: your answer reached the output limit and this call was cut off. \
                 Make it again with less in it, in several calls if need be.",
            ),
            Verdict::Run => self.host.tool(id, name, arguments.clone()).await,
            Verdict::Warn(times) | Verdict::Stop(times) => ToolOutput::error(format!(
                "Not run: you have made exactly this call {times} times in a row and its result did not change. \
                 Do something else, or answer with what you have."
            )),
        };
        let duration_ms = millis(began.elapsed());
        self.host.emit(RunEventBody::ToolEnd {
            tool_call_id: id.to_string(),
            name: name.clone(),
            is_error: output.is_error,
            content: output.content.clone(),
            details: output.details.clone(),
            duration_ms,
        });
        Finished { output, duration_ms }
    }

    async fn record(&mut self, call: &Call, done: &Finished) -> Result<()> {
        let mut step = Step::default();
        self.push(
            &mut step,
            EventBody::ToolResult(ToolResult {
                tool_call_id: call.id.clone(),
                tool: call.name.clone(),
                content: done.output.content.clone(),
                success: !done.output.is_error,
                duration_ms: Some(done.duration_ms),
                details: done.output.details.clone(),
                sandbox: done.output.sandbox.as_ref().and_then(|report| serde_json::to_value(report).ok()),
                extra: Map::new(),
            }),
        );
        step.staged.artifacts = artifacts::media(&self.prepared.run_id, &call.id, &call.name, &done.output);
        self.host.commit(step).await?;
        self.remember(ChatMessage::ToolResult {
            tool_call_id: call.id.clone(),
            tool_name: repair::legal_name(&call.name).into_owned(),
            content: done.output.content.clone(),
            is_error: done.output.is_error,
        });
        Ok(())
    }
}

struct Finished {
    output: ToolOutput,
    duration_ms: u64,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
