//! The command line as a person or a script uses it: what came out, and how it ended.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use super::gateway::{BINARY, Home};
use super::{PATIENCE, free_port};

/// A finished command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
    root: PathBuf,
}

impl Ran {
    /// Runs the command to its end.
    pub(crate) fn of(command: &mut Command, root: &Path) -> Self {
        let output = command.output().expect("the binary starts");
        Self {
            code: output.status.code().expect("it ends by itself"),
            out: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
            err: String::from_utf8(output.stderr).expect("UTF-8 on stderr"),
            root: root.to_owned(),
        }
    }

    /// stdout, which must be one JSON object and nothing else.
    pub(crate) fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert!(value.is_object(), "{self:?}");
        value
    }

    /// stdout, one JSON object a line.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    /// The three parts on stderr with paths, ports and process ids replaced; stdout must be empty.
    pub(crate) fn error(&self) -> String {
        assert_eq!(self.out, "", "{self:?}");
        self.redact(&self.err)
    }

    /// stdout with paths, ports, ids and durations replaced.
    pub(crate) fn text(&self) -> String {
        self.redact(&self.out)
    }

    fn redact(&self, text: &str) -> String {
        let text = text.replace(&self.root.display().to_string(), "[ROOT]");
        let mut text = text.trim_end().to_owned();
        for (pattern, with) in [
            (r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]"),
            (r"port \d{4,5}", "port [PORT]"),
            (r"process \d+", "process [PID]"),
            (r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f-]{17}\b", "[ID]"),
            (r"\b\d+(\.\d+)? m?s\b", "[TIME]"),
            (r"\b\d+(\.\d+)? [kM]?B\b", "[SIZE]"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ?", "[DATE]"),
        ] {
            let pattern = regex::Regex::new(pattern).expect("a pattern");
            text = pattern.replace_all(&text, with).into_owned();
        }
        text
    }
}

impl Home {
    /// Runs a command to its end.
    pub(crate) fn cli(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.command(args), self.root())
    }

    /// The same with text on stdin.
    pub(crate) fn cli_with_input(&self, args: &[&str], input: &str) -> Ran {
        let path = self.root().join("stdin.txt");
        std::fs::write(&path, input).expect("the input");
        let file = std::fs::File::open(&path).expect("the input again");
        Ran::of(self.command(args).stdin(Stdio::from(file)), self.root())
    }

    /// The same with one more environment variable.
    pub(crate) fn cli_with_env(&self, args: &[&str], name: &str, value: &str) -> Ran {
        Ran::of(self.command(args).env(name, value), self.root())
    }
}

/// A machine on which the program was never started: a home directory, a port of its own, and nothing else.
pub(crate) struct Bare {
    pub(crate) dir: TempDir,
    pub(crate) port: u16,
}

impl Bare {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory"), port: free_port() }
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn state_root(&self) -> PathBuf {
        self.root().join(".openclaw")
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root())
            .env("OPENCLAW_GATEWAY_PORT", self.port.to_string())
            // A model server of the machine the tests run on is none of their business.
            .env("OLLAMA_HOST", "127.0.0.1:1")
            .current_dir(self.root())
            .stdin(Stdio::null());
        if let Some(file) = std::env::var_os("LLVM_PROFILE_FILE") {
            command.env("LLVM_PROFILE_FILE", file);
        }
        command
    }

    pub(crate) fn cli(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.command(args), self.root())
    }
}

/// A command that still runs, with both streams as they come.
pub(crate) struct Running {
    pub(crate) child: Child,
    out: Receiver<Vec<u8>>,
    err: Receiver<Vec<u8>>,
    pub(crate) seen_out: String,
    pub(crate) seen_err: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let out = reader(child.stdout.take());
        let err = reader(child.stderr.take());
        Self { child, out, err, seen_out: String::new(), seen_err: String::new() }
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        super::gateway::signal(self.child.id(), signal);
    }

    /// Blocks until stdout has that text.
    pub(crate) fn wait_out(&mut self, text: &str) {
        wait(&self.out, &mut self.seen_out, text);
    }

    /// Blocks until stderr has that text.
    pub(crate) fn wait_err(&mut self, text: &str) {
        wait(&self.err, &mut self.seen_err, text);
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the child can be asked").is_none()
    }

    /// Waits for the end and reads the rest.
    pub(crate) fn end(mut self) -> Ran {
        let status = self.child.wait().expect("it ends");
        self.seen_out.extend(self.out.iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
        self.seen_err.extend(self.err.iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
        Ran {
            code: status.code().expect("no signal ends it unheard"),
            out: std::mem::take(&mut self.seen_out),
            err: std::mem::take(&mut self.seen_err),
            root: PathBuf::from("/no/root"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // dropped: it may have ended by itself
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn wait(stream: &Receiver<Vec<u8>>, seen: &mut String, text: &str) {
    let began = Instant::now();
    while !seen.contains(text) {
        let left = PATIENCE.checked_sub(began.elapsed()).unwrap_or_default();
        match stream.recv_timeout(left) {
            Ok(bytes) => seen.push_str(&String::from_utf8_lossy(&bytes)),
            Err(RecvTimeoutError::Timeout) => panic!("'{text}' did not come; this did: {seen}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the stream ended without '{text}': {seen}"),
        }
    }
}

trait Stream: Read + Send + 'static {}
impl Stream for ChildStdout {}
impl Stream for ChildStderr {}

/// Hands over what comes, as it comes.
fn reader(stream: Option<impl Stream>) -> Receiver<Vec<u8>> {
    let mut stream = BufReader::new(stream.expect("it is a pipe"));
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        loop {
            let bytes = match stream.fill_buf() {
                Ok(bytes) if !bytes.is_empty() => bytes.to_vec(),
                _ => return,
            };
            stream.consume(bytes.len());
            if sender.send(bytes).is_err() {
                return;
            }
        }
    });
    receiver
}
