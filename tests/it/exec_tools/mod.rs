//! `exec` and `process` through a real gateway: the model is scripted, everything else is real.

mod background;
mod foreground;
mod virtual_files;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, completions};
use crate::support::until;

/// A gateway whose model does as the test says.
pub(crate) struct Bench {
    pub(crate) provider: FakeProvider,
    pub(crate) gateway: Gateway,
    turns: usize,
}

/// A result of a tool as the transcript has it.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) text: String,
    pub(crate) details: Value,
    pub(crate) is_error: bool,
}

impl Bench {
    /// `settings` go over the configuration; `environment` is what the gateway has besides the usual.
    pub(crate) fn with(settings: &Value, environment: &[(&str, &str)]) -> Self {
        let provider = FakeProvider::start();
        // What ends every turn once its call has been made, or was not.
        provider.always(completions::text(&["done"]));
        let mut config = provider.config("openai-completions");
        merge(&mut config, settings);
        let home = Home::new(config);
        let log = std::fs::File::create(home.root().join("gateway.out")).expect("a log file");
        let child = home
            .command(&["gateway", "run"])
            .envs(environment.iter().copied())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the gateway starts");
        let mut gateway = Gateway { home, child: Some(child), token: String::new() };
        gateway.wait_ready();
        Self { provider, gateway, turns: 0 }
    }

    pub(crate) fn new() -> Self {
        Self::with(&json!({}), &[])
    }

    /// In mode `vfs-only`.
    pub(crate) fn on_virtual_files() -> Self {
        Self::with(&json!({"agents": {"defaults": {"filesystemMode": "vfs-only"}}}), &[])
    }

    /// Runs a turn in which the model makes one call, and gives its result.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Done {
        let run = self.script(tool, arguments);
        let outcome = self.gateway.turn("main", "do it", &run);
        assert_eq!(outcome["status"], "ok", "{outcome}");
        self.last()
    }

    pub(crate) fn exec(&mut self, command: &str) -> Done {
        self.call("exec", json!({"command": command}))
    }

    /// Prepares a turn with one call; gives the run's id.
    pub(crate) fn script(&mut self, tool: &str, arguments: Value) -> String {
        self.turns += 1;
        self.provider.push(completions::tools(&[(&format!("call_{}", self.turns), tool, arguments)]));
        format!("run-{}-{}", self.gateway.port(), self.turns)
    }

    /// Starts a turn with one call over a socket, without waiting for its end.
    pub(crate) fn begin(&mut self, tool: &str, arguments: Value) -> (crate::support::ws::Ws, String) {
        let run = self.script(tool, arguments);
        let mut ws = self.gateway.ws();
        ws.call("chat.send", json!({"sessionKey": "main", "message": "do it", "idempotencyKey": run}));
        (ws, run)
    }

    /// The newest tool result of the main session.
    pub(crate) fn last(&self) -> Done {
        let history = self.gateway.call("chat.history", json!({"sessionKey": "main"}));
        let messages = history["messages"].as_array().expect("messages");
        let result = messages.iter().rev().find(|message| message["role"] == "toolResult").expect("a tool result");
        Done {
            text: result["content"][0]["text"].as_str().unwrap_or_default().to_owned(),
            details: result["details"].clone(),
            is_error: result["isError"] == true,
        }
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.gateway.home.workspace()
    }

    /// A number that no other test's processes have among their arguments.
    pub(crate) fn marker(&self) -> String {
        format!("86{}", self.gateway.port())
    }
}

/// Processes of this machine that have `argument` as one of their arguments.
pub(crate) fn processes_with(argument: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc") {
        let Some(pid) = entry.ok().and_then(|entry| entry.file_name().to_str()?.parse().ok()) else { continue };
        // Those that end meanwhile are none.
        let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) else { continue };
        if line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes()) {
            found.push(pid);
        }
    }
    found
}

pub(crate) fn until_running(argument: &str) {
    until("the command runs", || (!processes_with(argument).is_empty()).then_some(()));
}

pub(crate) fn until_gone(argument: &str) {
    until("the command is gone", || processes_with(argument).is_empty().then_some(()));
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => into.clone_from(from),
    }
}
