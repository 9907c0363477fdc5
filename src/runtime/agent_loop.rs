//! The agent loop: ask the model, run the tools it calls, until it stops.
//!
//! One transaction per step. A crash between two steps leaves a transcript that `session::repair` turns into a valid
//! context; an abort keeps what the model had said. The loop ends with exactly one outcome, made durable in the same
//! transaction as the last events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::breaker::{Breaker, Verdict};
use super::host::{Billed, RunHost, Step};
use super::prepared::PreparedAgentRun;
use super::types::{RunEventBody, RunOutcome, RunStatus};
use crate::core::{Error, ErrorKind, EventId, ProviderErrorClass, Result, ToolCallId};
use crate::providers::{
    Delta, ModelAnswer, ModelInfo, ModelRequest, ModelStream, ProviderError, ThinkingLevel, ToolSpec,
};
use crate::session::Event;
use crate::session::event::{AgentResponse, EventBody, ToolCalled, ToolResult};
use crate::session::message::{ChatMessage, ContentBlock, Context, StopReason, Usage, plain_text};
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
}

/// Runs a turn to its end. An `Err` means that the outcome itself could not be made durable.
pub async fn run(prepared: &PreparedAgentRun, start: Start, host: &dyn RunHost, stop: &Stop) -> Result<RunOutcome> {
    let mut turn = Turn {
        prepared,
        host,
        stop,
        last_event: prepared.message_event_id.clone(),
        outcome: RunOutcome {
            run_id: prepared.run_id.clone(),
            status: RunStatus::Ok,
            text: String::new(),
            stop_reason: None,
            error: None,
            usage: Usage::default(),
            provider: String::new(),
            model: String::new(),
            started_at: start.started_at,
            ended_at: start.started_at,
            steps: 0,
            tool_calls: 0,
        },
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
    Tools(Vec<(ToolCallId, String, Value)>),
    Done(Box<RunOutcome>),
}

struct Turn<'a> {
    prepared: &'a PreparedAgentRun,
    host: &'a dyn RunHost,
    stop: &'a Stop,
    last_event: EventId,
    outcome: RunOutcome,
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
        answer.finish();
        let ModelAnswer { content, response_id, model: reported, .. } = answer;
        let text = plain_text(&content);
        if !text.is_empty() {
            self.outcome.text = text;
        }
        self.outcome.stop_reason = Some(stop_reason);
        let error = self.explain(failure.as_ref());
        let calls: Vec<(ToolCallId, String, Value)> = if failure.is_none() {
            content
                .iter()
                .filter_map(ContentBlock::as_tool_call)
                .map(|(id, name, arguments)| (id.clone(), name.to_owned(), arguments.clone()))
                .collect()
        } else {
            Vec::new()
        };
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
            Some(error) => Some(self.end(self.status_of(&error), Some(error))),
            None if calls.is_empty() => Some(self.end(RunStatus::Ok, None)),
            None => self.limit(&calls).map(|error| self.end(RunStatus::Error, Some(error))),
        };
        if let Some(outcome) = ended {
            step.outcome = Some(outcome.clone());
            self.host.commit(step).await?;
            return Ok(Next::Done(Box::new(outcome)));
        }
        for (id, name, arguments) in &calls {
            self.push(
                &mut step,
                EventBody::ToolCalled(ToolCalled {
                    tool_call_id: id.clone(),
                    tool: name.clone(),
                    params: arguments.clone(),
                    policy: None,
                    extra: Map::new(),
                }),
            );
        }
        self.host.commit(step).await?;
        self.context.push(Arc::new(ChatMessage::Assistant {
            content,
            provider: model.as_ref().map(|info| info.provider.clone()),
            model: model.as_ref().map(|info| info.id.clone()),
        }));
        Ok(Next::Tools(calls))
    }

    /// The error that ends the run instead of running these calls, if a limit is reached.
    fn limit(&self, calls: &[(ToolCallId, String, Value)]) -> Option<Error> {
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
            Failure::Stopped => self.stopped(),
        })
    }

    fn stopped(&self) -> Error {
        match self.stop.cause() {
            StopCause::Abort => Error::new(ErrorKind::Cancelled, "the run was stopped on request"),
            StopCause::Deadline => Error::new(
                ErrorKind::Timeout,
                format!("the run was stopped after its limit of {}", seconds(self.prepared.timeout_ms)),
            )
            .hint("raise agents.defaults.timeoutSeconds, or pass --timeout"),
            StopCause::Shutdown => {
                Error::new(ErrorKind::Unavailable, "the gateway was stopped while the run was in progress")
                    .hint("send the message again")
            }
        }
    }

    fn status_of(&self, error: &Error) -> RunStatus {
        match error.kind() {
            ErrorKind::Cancelled | ErrorKind::Provider(ProviderErrorClass::Cancelled) => RunStatus::Aborted,
            ErrorKind::Unavailable if self.stop.token().is_cancelled() => RunStatus::Interrupted,
            _ => RunStatus::Error,
        }
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
    async fn run_tools(&mut self, calls: Vec<(ToolCallId, String, Value)>) -> Result<Option<RunOutcome>> {
        self.outcome.tool_calls += u32::try_from(calls.len()).unwrap_or(u32::MAX);
        let verdict = self.breaker.check(calls.iter().map(|(_, name, arguments)| (name.as_str(), arguments)));
        let mut outputs = Vec::with_capacity(calls.len());
        let mut rest = calls.as_slice();
        while let Some(((id, name, arguments), tail)) = rest.split_first() {
            let group = 1 + if self.host.tool_is_parallel(name) {
                tail.iter().take_while(|(_, name, _)| self.host.tool_is_parallel(name)).count()
            } else {
                0
            };
            if group == 1 {
                let done = self.one_tool(verdict, id, name, arguments).await;
                self.record(id, name, &done).await?;
                outputs.push(done.output);
            } else {
                let batch = &rest[..group];
                let mut running = futures_util::stream::FuturesOrdered::new();
                for (id, name, arguments) in batch {
                    running.push_back(self.one_tool(verdict, id, name, arguments));
                }
                let finished: Vec<Finished> = running.collect().await;
                for ((id, name, _), done) in batch.iter().zip(finished) {
                    self.record(id, name, &done).await?;
                    outputs.push(done.output);
                }
            }
            rest = &rest[group..];
        }
        if verdict == Verdict::Run {
            self.breaker.results(outputs.iter());
        }
        let error = if self.stop.token().is_cancelled() {
            self.outcome.stop_reason = Some(StopReason::Aborted);
            Some(self.stopped())
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
        let status = self.status_of(&error);
        let outcome = self.end(status, Some(error));
        self.host.commit(Step { outcome: Some(outcome.clone()), ..Step::default() }).await?;
        Ok(Some(outcome))
    }

    async fn one_tool(&self, verdict: Verdict, id: &ToolCallId, name: &str, arguments: &Value) -> Finished {
        self.host.emit(RunEventBody::ToolStart {
            tool_call_id: id.to_string(),
            name: name.to_owned(),
            arguments: arguments.clone(),
        });
        let began = Instant::now();
        let output = match verdict {
            Verdict::Run if self.stop.token().is_cancelled() => {
                ToolOutput::error("Not run: the turn was stopped before this call.")
            }
            Verdict::Run => self.host.tool(id, name, arguments.clone()).await,
            Verdict::Warn(times) | Verdict::Stop(times) => ToolOutput::error(format!(
                "Not run: you have made exactly this call {times} times in a row and its result did not change. \
                 Do something else, or answer with what you have."
            )),
        };
        let duration_ms = millis(began.elapsed());
        self.host.emit(RunEventBody::ToolEnd {
            tool_call_id: id.to_string(),
            name: name.to_owned(),
            is_error: output.is_error,
            content: output.content.clone(),
            details: output.details.clone(),
            duration_ms,
        });
        Finished { output, duration_ms }
    }

    async fn record(&mut self, id: &ToolCallId, name: &str, done: &Finished) -> Result<()> {
        let mut step = Step::default();
        self.push(
            &mut step,
            EventBody::ToolResult(ToolResult {
                tool_call_id: id.clone(),
                tool: name.to_owned(),
                content: done.output.content.clone(),
                success: !done.output.is_error,
                duration_ms: Some(done.duration_ms),
                details: done.output.details.clone(),
                sandbox: None,
                extra: Map::new(),
            }),
        );
        self.host.commit(step).await?;
        let mut content = done.output.content.clone();
        if content.is_empty() {
            content.push(ContentBlock::text("(no output)"));
        }
        self.context.push(Arc::new(ChatMessage::ToolResult {
            tool_call_id: id.clone(),
            tool_name: name.to_owned(),
            content,
            is_error: done.output.is_error,
        }));
        Ok(())
    }
}

struct Finished {
    output: ToolOutput,
    duration_ms: u64,
}

/// `90 s`, `0.15 s`.
fn seconds(ms: u64) -> String {
    let fraction = format!("{:03}", ms % 1000);
    match fraction.trim_end_matches('0') {
        "" => format!("{} s", ms / 1000),
        fraction => format!("{}.{fraction} s", ms / 1000),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The outcome of a run that failed before its first model call.
pub(super) fn failed_before_start(prepared: &PreparedAgentRun, error: &Error, at: i64) -> RunOutcome {
    RunOutcome {
        run_id: prepared.run_id.clone(),
        status: if error.kind() == ErrorKind::Cancelled { RunStatus::Aborted } else { RunStatus::Error },
        text: String::new(),
        stop_reason: Some(if error.kind() == ErrorKind::Cancelled { StopReason::Aborted } else { StopReason::Error }),
        error: Some(error.to_json()),
        usage: Usage::default(),
        provider: String::new(),
        model: String::new(),
        started_at: at,
        ended_at: at,
        steps: 0,
        tool_calls: 0,
    }
}

/// The transcript's record of a turn that ended without an answer.
pub(super) fn failure_event(prepared: &PreparedAgentRun, outcome: &RunOutcome, ts: i64) -> Event {
    let message =
        outcome.error.as_ref().and_then(|error| error["message"].as_str()).unwrap_or("the run ended without an answer");
    Event {
        id: EventId::generate(),
        parent_id: Some(prepared.message_event_id.clone()),
        ts,
        run_id: Some(prepared.run_id.clone()),
        body: EventBody::AgentResponse(AgentResponse {
            content: Vec::new(),
            model: None,
            provider: None,
            api: None,
            usage: None,
            stop_reason: outcome.stop_reason,
            response_id: None,
            error: Some(message.to_owned()),
            extra: Map::from_iter([("runStatus".to_owned(), json!(outcome.status.as_str()))]),
        }),
        extra: Map::new(),
    }
}
