//! The real binary: a gateway process on its own state directory.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::disk::Disk;
use super::{free_port, http, until, ws::Ws};

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_openclaw");

/// A state directory with a configuration.
pub(crate) struct Home {
    pub(crate) dir: TempDir,
    pub(crate) port: u16,
    /// A file system of its own over the directory, which only the program sees.
    pub(crate) disk: Option<Disk>,
}

/// How a gateway that should not start ended.
pub(crate) struct Refusal {
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
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
        Self { dir, port, disk: None }
    }

    /// [`Home::new`] on a file system of `size` (as `mount` takes it); `None` where the system permits no mounts.
    pub(crate) fn on_disk(size: &str, config: Value) -> Option<Self> {
        let mut home = Self::new(config);
        let text = std::fs::read(home.root().join("openclaw.json")).expect("the configuration");
        home.disk = Some(Disk::mount(home.root(), size)?);
        std::fs::write(home.seen().join("openclaw.json"), text).expect("a configuration");
        Some(home)
    }

    /// The state directory as this process reaches it; the program knows it as [`Home::root`].
    pub(crate) fn seen(&self) -> PathBuf {
        self.disk.as_ref().map_or_else(|| self.root().to_owned(), Disk::seen)
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.seen().join("workspace")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.seen().join("state/openclaw.sqlite")
    }

    /// The database and its log, copied to where SQLite can follow the path. The gateway must not run.
    pub(crate) fn copy_of_database(&self) -> (TempDir, PathBuf) {
        let copy = tempfile::tempdir().expect("a directory");
        for suffix in ["", "-wal"] {
            let mut from = self.database().into_os_string();
            from.push(suffix);
            if Path::new(&from).exists() {
                std::fs::copy(&from, copy.path().join(format!("openclaw.sqlite{suffix}"))).expect("a copy");
            }
        }
        let path = copy.path().join("openclaw.sqlite");
        (copy, path)
    }

    /// A command of the binary with nothing of this process's environment but `PATH`.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = match &self.disk {
            Some(disk) => disk.enter(BINARY),
            None => Command::new(BINARY),
        };
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
        self.spawn_into("gateway.out", more)
    }

    fn spawn_into(&self, output: &str, more: &[&str]) -> Child {
        let mut args = vec!["gateway", "run"];
        args.extend_from_slice(more);
        let log = std::fs::File::create(self.root().join(output)).expect("a log file");
        self.command(&args)
            .stdout(Stdio::from(log.try_clone().expect("a second handle")))
            .stderr(Stdio::from(log))
            .spawn()
            .expect("the gateway starts")
    }

    /// `gateway run` that must end by itself with an error.
    pub(crate) fn refused(&self, more: &[&str]) -> Refusal {
        let mut child = self.spawn_into("refused.out", more);
        let began = std::time::Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("the child can be asked") {
                break status;
            }
            if began.elapsed() > super::PATIENCE {
                child.kill().expect("it can be killed");
                break child.wait().expect("it is gone");
            }
            std::thread::park_timeout(std::time::Duration::from_millis(2));
        };
        let text = std::fs::read_to_string(self.root().join("refused.out")).expect("its output");
        Refusal { code: status.code(), text }
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
            // A connection may still have reached the gateway before this one, which ends without an answer.
            let asked = stream.is_ok().then(|| http::raw(port, &http::request("GET", "/ready", port, &[], b"")));
            asked.flatten().filter(|reply| reply.status == 200)
        });
        // There is none when the configuration names a token or password; the test knows it then.
        if let Ok(token) = std::fs::read_to_string(self.home.seen().join("state/gateway-token")) {
            token.trim().clone_into(&mut self.token);
        }
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

    /// One call and one turn that must go well: whatever came before did no harm.
    pub(crate) fn serves(&self) {
        assert_eq!(self.call("health", json!({}))["ok"], true);
        let outcome = self.turn("agent:main:still-there", "hello", &uuid::Uuid::now_v7().to_string());
        assert_eq!(outcome["status"], "ok", "{outcome}");
    }

    /// What it has printed since it was started.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(self.home.root().join("gateway.out")).expect("its output")
    }

    /// What people read in the log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.home.seen().join("logs/openclaw.log")).unwrap_or_default()
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
