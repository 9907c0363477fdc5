//! A program's state directory and its gateway process.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::process;
use crate::subject::{Kind, Subject};

/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_mins(2);
/// For callers of a peer's gateway; ours makes its own.
const TOKEN: &str = "bench-token-0123456789abcdef0123456789abcdef";

/// A directory of its own, with a configuration that names the benchmark's model server.
pub(crate) struct Home {
    directory: TempDir,
    subject: Subject,
    pub(crate) port: u16,
}

impl Home {
    pub(crate) fn new(parent: &Path, subject: &Subject, provider: u16) -> Result<Self, String> {
        let directory = TempDir::with_prefix_in("openclaw-bench-", parent).map_err(|error| error.to_string())?;
        let port = free_port()?;
        if subject.kind != Kind::Zeroclaw {
            let mut config = json!({
                "gateway": {"port": port},
                "models": {"providers": {"bench": {
                    "baseUrl": format!("http://127.0.0.1:{provider}/v1"), "apiKey": "sk-bench", "api": "openai-completions",
                    "models": [{"id": "instant", "name": "Instant", "input": ["text"], "contextWindow": 2_000_000, "maxTokens": 4096}],
                }}},
                "agents": {"defaults": {"model": {"primary": "bench/instant"}}},
            });
            if subject.is_ours() {
                config["models"]["discoverLocal"] = false.into();
            } else {
                config["gateway"]["mode"] = "local".into();
                config["gateway"]["auth"] = json!({"mode": "token", "token": TOKEN});
                config["agents"]["defaults"]["skipBootstrap"] = true.into();
            }
            std::fs::write(directory.path().join("openclaw.json"), config.to_string())
                .map_err(|error| error.to_string())?;
        }
        Ok(Self { directory, subject: subject.clone(), port })
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    /// Files below `state/`, a template's in place of ours.
    pub(crate) fn fill(&self, template: &Path) -> Result<(), String> {
        let state = self.root().join("state");
        std::fs::create_dir_all(&state).map_err(|error| error.to_string())?;
        std::fs::copy(template, state.join("openclaw.sqlite")).map_err(|error| error.to_string())?;
        Ok(())
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.subject.command(self.root());
        command
            .args(args)
            .env("OPENCLAW_STATE_DIR", self.root())
            .env("OPENCLAW_CONFIG_PATH", self.root().join("openclaw.json"));
        if self.subject.kind == Kind::Node {
            command.env("OPENCLAW_GATEWAY_TOKEN", TOKEN).env("OPENCLAW_HOME", self.root());
        }
        command
    }

    /// Starts the gateway; also gives the time from spawn to the first answer.
    pub(crate) fn start(&self) -> Result<(Gateway<'_>, Duration), String> {
        let port = self.port.to_string();
        let args: &[&str] = match self.subject.kind {
            Kind::Ours => &["gateway", "run"],
            Kind::Node => &["gateway", "run", "--port", &port],
            Kind::Zeroclaw => &["gateway", "--host", "127.0.0.1", "--port", &port],
        };
        let path = if self.subject.is_ours() { "/ready" } else { "/health" };
        let output = self.root().join("gateway.out");
        let log = std::fs::File::create(&output).map_err(|error| error.to_string())?;
        let mut command = self.command(args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let began = Instant::now();
        let child = command.spawn().map_err(|error| error.to_string())?;
        let mut gateway = Gateway { home: self, child, token: String::new() };
        while !answers(self.port, path) {
            let ended = gateway.child.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || began.elapsed() > PATIENCE {
                let text = std::fs::read_to_string(&output).unwrap_or_default();
                return Err(format!("the gateway does not answer: {}", text.trim()));
            }
            std::thread::park_timeout(Duration::from_micros(100));
        }
        let took = began.elapsed();
        gateway.token = match self.subject.kind {
            Kind::Ours => std::fs::read_to_string(self.root().join("state/gateway-token"))
                .map_err(|error| format!("no gateway token: {error}"))?
                .trim()
                .to_owned(),
            _ => TOKEN.to_owned(),
        };
        Ok((gateway, took))
    }

    /// Bytes of all files below the directory, without what this benchmark put there.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let (mut all, mut logs) = (0, 0);
        let mut folders = vec![self.root().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path: PathBuf = entry.path();
                let Ok(meta) = entry.metadata() else { continue };
                if meta.is_dir() {
                    folders.push(path);
                } else if path.file_name().is_some_and(|name| name != "gateway.out" && name != "openclaw.json") {
                    all += meta.len();
                    if path.parent().is_some_and(|parent| parent.ends_with("logs")) {
                        logs += meta.len();
                    }
                }
            }
        }
        (all, logs)
    }
}

/// A running gateway; killed when dropped.
pub(crate) struct Gateway<'h> {
    pub(crate) home: &'h Home,
    child: Child,
    pub(crate) token: String,
}

impl Gateway<'_> {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn port(&self) -> u16 {
        self.home.port
    }

    /// Ends it in order.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        process::stop(&mut self.child)
    }
}

impl Drop for Gateway<'_> {
    fn drop(&mut self) {
        // dropped: it may have ended already
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn answers(port: u16, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_end(&mut answer).is_ok()
        && answer.starts_with(b"HTTP/1.1 200")
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}
