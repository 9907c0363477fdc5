//! The real binary: a gateway process on its own state directory.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{free_port, http, until, ws::Ws};

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_openclaw");

/// A state directory with a configuration.
pub(crate) struct Home {
    pub(crate) dir: TempDir,
    pub(crate) port: u16,
}

impl Home {
    /// A fresh directory; `config` gets the port and `discoverLocal: false` (other servers on the machine are none of a test's business).
    pub(crate) fn new(mut config: Value) -> Self {
        let port = free_port();
        let dir = tempfile::tempdir().expect("a directory");
        config["gateway"]["port"] = json!(port);
        if config["models"].get("discoverLocal").is_none() {
            config["models"]["discoverLocal"] = json!(false);
        }
        std::fs::write(dir.path().join("openclaw.json"), config.to_string()).expect("a configuration");
        Self { dir, port }
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.root().join("workspace")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root().join("state/openclaw.sqlite")
    }

    /// A command of the binary with nothing of this process's environment but `PATH`.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root())
            .env("OPENCLAW_STATE_DIR", self.root())
            .env("OPENCLAW_CONFIG_PATH", self.root().join("openclaw.json"))
            .current_dir(self.root())
            .stdin(Stdio::null());
        // Coverage builds write their profile where this says.
        if let Some(file) = std::env::var_os("LLVM_PROFILE_FILE") {
            command.env("LLVM_PROFILE_FILE", file);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary starts")
    }

    /// Starts the gateway and waits until it answers.
    pub(crate) fn start(self) -> Gateway {
        let child = self.spawn(&[]);
        let mut gateway = Gateway { home: self, child: Some(child), token: String::new() };
        gateway.wait_ready();
        gateway
    }

    pub(crate) fn spawn(&self, more: &[&str]) -> Child {
        let mut args = vec!["gateway", "run"];
        args.extend_from_slice(more);
        let log = std::fs::File::create(self.root().join("gateway.out")).expect("a log file");
        self.command(&args)
            .stdout(Stdio::from(log.try_clone().expect("a second handle")))
            .stderr(Stdio::from(log))
            .spawn()
            .expect("the gateway starts")
    }
}

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) home: Home,
    pub(crate) child: Option<Child>,
    pub(crate) token: String,
}

impl Gateway {
    pub(crate) fn port(&self) -> u16 {
        self.home.port
    }

    pub(crate) fn wait_ready(&mut self) {
        let port = self.port();
        until("the gateway answers", || {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait().expect("the child can be asked")
            {
                let text = std::fs::read_to_string(self.home.root().join("gateway.out")).unwrap_or_default();
                panic!("the gateway ended with {status}: {text}");
            }
            let stream = std::net::TcpStream::connect(("127.0.0.1", port));
            stream.is_ok().then(|| http::get(port, "/ready")).filter(|reply| reply.status == 200)
        });
        self.token =
            std::fs::read_to_string(self.home.root().join("state/gateway-token")).expect("a token").trim().to_owned();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// POST /rpc with the token; the whole response object.
    pub(crate) fn request(&self, method: &str, params: &Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        self.post(body.as_bytes()).json()
    }

    /// POST /rpc that must succeed.
    pub(crate) fn call(&self, method: &str, params: Value) -> Value {
        let response = self.request(method, &params);
        assert!(response.get("error").is_none(), "{method}: {response}");
        response["result"].clone()
    }

    pub(crate) fn post(&self, body: &[u8]) -> http::Reply {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        http::raw(self.port(), &http::request("POST", "/rpc", self.port(), &headers, body)).expect("an answer")
    }

    pub(crate) fn ws(&self) -> Ws {
        Ws::connect(self.port(), &self.token)
    }

    /// Runs a turn over HTTP and waits for its end.
    pub(crate) fn turn(&self, session: &str, message: &str, key: &str) -> Value {
        let accepted = self.call("agent", json!({"sessionKey": session, "message": message, "idempotencyKey": key}));
        assert_eq!(accepted["runId"], key);
        self.call("agent.wait", json!({"runId": key, "timeoutMs": 30_000}))
    }

    /// SIGTERM; returns the exit status.
    pub(crate) fn stop(&mut self) -> std::process::ExitStatus {
        let mut child = self.child.take().expect("it runs");
        signal(child.id(), nix::sys::signal::Signal::SIGTERM);
        child.wait().expect("it ends")
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it is gone");
    }

    pub(crate) fn restart(&mut self) {
        assert!(self.child.is_none(), "stop it first");
        self.child = Some(self.home.spawn(&[]));
        self.wait_ready();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // dropped: it may have ended by itself
            drop(child.kill());
            drop(child.wait());
        }
    }
}

pub(crate) fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).expect("a pid"));
    nix::sys::signal::kill(pid, signal).expect("the process is ours");
}
