//! A runtime in a directory of its own, and a model that says what a test tells it to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::config::{self, LoadOptions};
use crate::core::{AgentId, ProviderErrorClass, RunId, SessionId, SessionKey, ToolCallId};
use crate::providers::registry::RegistryOptions;
use crate::providers::{Delta, ModelRequest, ModelStream, Provider, ProviderError, ProviderRegistry};
use crate::runtime::{Accepted, RunOutcome, Runtime, RuntimeEvent, TurnRequest};
use crate::session::message::{ChatMessage, plain_text};
use crate::session::{ContentBlock, Event, SessionState, StopReason, Usage};
use crate::state::{OpenOptions, RunRow, StatePaths, Store, StoredEvent};

/// Longest time a test waits for something that must happen.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// A place in a script where the model waits for the test.
#[derive(Clone)]
pub(super) struct Gate {
    reached: Arc<Semaphore>,
    opened: Arc<Semaphore>,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self { reached: Arc::new(Semaphore::new(0)), opened: Arc::new(Semaphore::new(0)) }
    }

    /// Resolves when the model has come to the gate.
    pub(super) async fn reached(&self) {
        soon(self.reached.acquire()).await.expect("never closed").forget();
    }

    /// Lets everybody through, from here on.
    pub(super) fn open(&self) {
        self.opened.add_permits(1_000);
    }

    async fn pass(&self) {
        self.reached.add_permits(1);
        self.opened.acquire().await.expect("never closed").forget();
    }
}

/// What the scripted model does next.
pub(super) enum Piece {
    Say(Delta),
    /// Fails; as the first piece, before the stream begins.
    Fail(ProviderError),
    Wait(Gate),
    Panic,
}

/// A model that answers from a script, and "fine" when the script is at its end.
#[derive(Default)]
pub(super) struct Scripted {
    script: Mutex<VecDeque<Vec<Piece>>>,
    requests: Mutex<Vec<ModelRequest>>,
}

impl Scripted {
    pub(super) fn then(&self, answer: Vec<Piece>) -> &Self {
        self.script.lock().expect("a lock").push_back(answer);
        self
    }

    pub(super) fn requests(&self) -> Vec<ModelRequest> {
        self.requests.lock().expect("a lock").clone()
    }

    /// The texts of the messages of the last request: `role: text`.
    pub(super) fn last_context(&self) -> Vec<String> {
        let requests = self.requests();
        let last = requests.last().expect("a request");
        last.messages.iter().map(|message| shown(message)).collect()
    }
}

fn shown(message: &ChatMessage) -> String {
    match message {
        ChatMessage::User { content } => format!("user: {}", plain_text(content)),
        ChatMessage::Assistant { content, .. } => {
            let calls: Vec<String> =
                content.iter().filter_map(|block| block.as_tool_call().map(|call| format!("[{}]", call.1))).collect();
            format!("assistant: {}{}", plain_text(content), calls.concat())
        }
        ChatMessage::ToolResult { tool_name, content, .. } => format!("{tool_name}: {}", plain_text(content)),
    }
}

impl Provider for Scripted {
    fn id(&self) -> &'static str {
        "fake"
    }

    fn stream(&self, request: ModelRequest) -> BoxFuture<'_, Result<ModelStream, ProviderError>> {
        self.requests.lock().expect("a lock").push(request);
        let mut answer = self.script.lock().expect("a lock").pop_front().unwrap_or_else(|| say("fine"));
        async move {
            if matches!(answer.first(), Some(Piece::Fail(_)))
                && let Piece::Fail(error) = answer.remove(0)
            {
                return Err(error);
            }
            let pieces = futures_util::stream::unfold(answer.into_iter(), |mut rest| async move {
                loop {
                    match rest.next()? {
                        Piece::Say(delta) => return Some((Ok(delta), rest)),
                        Piece::Fail(error) => return Some((Err(error), rest)),
                        Piece::Wait(gate) => gate.pass().await,
                        Piece::Panic => std::panic::panic_any("the provider has a bug"),
                    }
                }
            });
            Ok(Box::pin(pieces) as ModelStream)
        }
        .boxed()
    }
}

pub(super) fn text(text: &str) -> Piece {
    Piece::Say(Delta::Text { index: 0, text: text.to_owned() })
}

pub(super) fn done(stop_reason: StopReason) -> Piece {
    Piece::Say(Delta::Done { stop_reason })
}

pub(super) fn used(input: u64, output: u64) -> Piece {
    Piece::Say(Delta::Usage(Usage { input, output, total_tokens: input + output, ..Usage::default() }))
}

/// A whole answer of text.
pub(super) fn say(reply: &str) -> Vec<Piece> {
    vec![text(reply), used(10, 5), done(StopReason::Stop)]
}

/// A text whose end waits for the test.
pub(super) fn say_slowly(begin: &str, gate: &Gate, end: &str) -> Vec<Piece> {
    vec![text(begin), Piece::Wait(gate.clone()), text(end), used(10, 5), done(StopReason::Stop)]
}

/// The pieces of one tool call.
pub(super) fn call(index: usize, id: &str, name: &str, arguments: &str) -> Vec<Piece> {
    vec![
        Piece::Say(Delta::ToolCallStart { index, id: ToolCallId::from(id), name: name.to_owned() }),
        Piece::Say(Delta::ToolCallArguments { index, json: arguments.to_owned() }),
    ]
}

/// A whole answer of one tool call.
pub(super) fn call_tool(id: &str, name: &str, arguments: &Value) -> Vec<Piece> {
    let mut answer = call(0, id, name, &arguments.to_string());
    answer.extend([used(10, 5), done(StopReason::ToolUse)]);
    answer
}

pub(super) fn failure(class: ProviderErrorClass, started: bool) -> ProviderError {
    ProviderError {
        class,
        provider: "fake".to_owned(),
        message: "it is broken".to_owned(),
        status: None,
        retry_after: None,
        started,
    }
}

/// A runtime with a directory and a model of its own.
pub(super) struct Bench {
    pub(super) runtime: Runtime,
    pub(super) dir: tempfile::TempDir,
    /// Answers for `fake/plain` (text only) and `fake/eyes` (images too).
    pub(super) model: Arc<Scripted>,
    /// Answers for `spare/plain`.
    pub(super) spare: Arc<Scripted>,
}

impl Bench {
    /// With the scripted model.
    pub(super) async fn scripted() -> Self {
        Self::configured(json!({"defaults": {"model": "fake/plain"}})).await
    }

    /// With the built-in offline model.
    pub(super) async fn offline() -> Self {
        Self::configured(json!({"defaults": {"model": "offline/offline"}})).await
    }

    /// With this section `agents`.
    pub(super) async fn configured(agents: Value) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let provider = |models: Value| json!({"baseUrl": "http://127.0.0.1:9/v1", "apiKey": "k", "models": models});
        let text = json!({
            "agents": agents,
            "models": {"discoverLocal": false, "providers": {
                "fake": provider(json!([
                    {"id": "plain", "reasoning": true, "input": ["text"], "cost": {"input": 1, "output": 2}},
                    {"id": "eyes", "input": ["text", "image"]},
                ])),
                "spare": provider(json!([{"id": "plain", "input": ["text"]}])),
            }},
        });
        std::fs::write(dir.path().join("openclaw.json"), text.to_string()).expect("a configuration");
        Self::open(dir).await
    }

    async fn open(dir: tempfile::TempDir) -> Self {
        let (model, spare) = (Arc::new(Scripted::default()), Arc::new(Scripted::default()));
        let runtime = start(&dir, &model, &spare).await.expect("the runtime starts");
        Self { runtime, dir, model, spare }
    }

    /// Closes the store as a process does that ends, without a word to its runs, and starts again.
    pub(super) async fn restart(self) -> Self {
        let Self { runtime, dir, .. } = self;
        runtime.store().close().await.expect("it closes");
        drop(runtime);
        Self::open(dir).await
    }

    pub(super) async fn submit(&self, text: &str, key: &str) -> Accepted {
        self.runtime.submit(message(text, key)).await.expect("it is taken")
    }

    pub(super) async fn ended(&self, run: &str) -> RunOutcome {
        soon(self.runtime.wait(&RunId::from(run), None)).await.expect("it is known").expect("no time-out")
    }

    /// Sends a message and waits for the end.
    pub(super) async fn turn(&self, text: &str, key: &str) -> RunOutcome {
        self.submit(text, key).await;
        self.ended(key).await
    }

    pub(super) fn row(&self, run: &str) -> RunRow {
        let run = RunId::from(run);
        self.runtime.store().read_blocking(|tx| tx.run(&run)).expect("readable").expect("stored")
    }

    /// The stored events of the transcript that the main session points at.
    pub(super) fn stored(&self) -> Vec<StoredEvent> {
        let session = self.session_id();
        self.runtime.store().read_blocking(|tx| tx.events(&agent(), &session, 0, 10_000)).expect("readable")
    }

    pub(super) fn events(&self) -> Vec<Arc<Event>> {
        self.stored().into_iter().map(|stored| stored.event).collect()
    }

    pub(super) fn session_id(&self) -> SessionId {
        self.entry().session_id
    }

    pub(super) fn entry(&self) -> crate::state::SessionEntry {
        let (agent, key) = (agent(), main_key());
        self.runtime.store().read_blocking(|tx| tx.session(&agent, &key)).expect("readable").expect("a session")
    }

    pub(super) async fn state(&self) -> SessionState {
        self.runtime.state_at(&agent(), &self.session_id(), None).await.expect("a state")
    }

    /// The texts on the path to the tip: `role: text`.
    pub(super) async fn conversation(&self) -> Vec<String> {
        self.state().await.context().iter().map(|message| shown(message)).collect()
    }

    /// Every event follows the one before it.
    pub(super) fn assert_linear(&self) {
        let events = self.events();
        for pair in events.windows(2) {
            assert_eq!(
                pair[1].parent_id.as_ref(),
                Some(&pair[0].id),
                "{} does not follow {}:\n{}",
                pair[1].body.kind(),
                pair[0].body.kind(),
                events.iter().map(|event| format!("{event:?}")).collect::<Vec<_>>().join("\n")
            );
        }
    }
}

async fn start(dir: &tempfile::TempDir, model: &Arc<Scripted>, spare: &Arc<Scripted>) -> crate::core::Result<Runtime> {
    let paths = StatePaths::new(dir.path());
    let options = LoadOptions {
        process_env: BTreeMap::new(),
        cwd: dir.path().to_owned(),
        state_root: dir.path().to_owned(),
        config_path: Some(dir.path().join("openclaw.json")),
    };
    let config = Arc::new(config::load(&options).expect("the configuration loads"));
    let (model, spare) = (Arc::clone(model), Arc::clone(spare));
    let registry = RegistryOptions {
        connector: Some(Arc::new(move |_api, endpoint| {
            let chosen = if endpoint.provider == "spare" { &spare } else { &model };
            Ok(Arc::clone(chosen) as Arc<dyn Provider>)
        })),
        ..RegistryOptions::default()
    };
    let providers = ProviderRegistry::build_with(&config.view, &config.env, registry);
    let store = Store::open(&paths, &OpenOptions::default())?;
    Runtime::start(store, paths, config, providers).await
}

pub(super) fn agent() -> AgentId {
    AgentId::from("main")
}

pub(super) fn main_key() -> SessionKey {
    SessionKey::from("agent:main:main")
}

pub(super) fn message(text: &str, key: &str) -> TurnRequest {
    TurnRequest {
        content: vec![ContentBlock::text(text)],
        idempotency_key: Some(key.to_owned()),
        channel: "test".to_owned(),
        ..TurnRequest::default()
    }
}

/// Fails the test instead of hanging it.
pub(super) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(SOON, future).await.expect("it happens in time")
}

/// What a subscriber has got so far, in short: `started text end appended changed …`.
pub(super) fn told(events: &mut tokio::sync::broadcast::Receiver<Arc<RuntimeEvent>>) -> Vec<String> {
    use crate::runtime::RunEventBody as Body;
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        told.push(match &*event {
            RuntimeEvent::Run(event) => match &event.body {
                Body::Started => "started".to_owned(),
                Body::Model { provider, .. } => format!("model {provider}"),
                Body::Text { delta } => format!("text {delta}"),
                Body::Thinking { .. } => "thinking".to_owned(),
                Body::ToolStart { name, .. } => format!("tool {name}"),
                Body::ToolProgress { name, text, .. } => format!("tool {name} says {text}"),
                Body::ToolEnd { name, .. } => format!("tool {name} end"),
                Body::Usage { .. } => "usage".to_owned(),
                Body::Ended { outcome } => format!("ended {}", outcome.status.as_str()),
            },
            RuntimeEvent::Appended { events, .. } => {
                let kinds: Vec<&str> = events.iter().map(|stored| stored.event.body.kind()).collect();
                format!("appended {}", kinds.join("+"))
            }
            RuntimeEvent::SessionChanged { reason, .. } => format!("changed {reason}"),
            RuntimeEvent::ApprovalRequested { .. } => "approval requested".to_owned(),
            RuntimeEvent::ApprovalResolved { approval } => format!("approval {}", approval.status.as_str()),
            RuntimeEvent::ConfigChanged { .. } => "config".to_owned(),
        });
    }
    told
}
