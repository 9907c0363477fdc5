//! A third party's server as a child process.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::install::say;
use crate::support::http;

/// LiteLLM imports for 6 s on an idle machine, for several times that beside a build.
const LONGEST_START: Duration = Duration::from_mins(3);

/// A server that ends with this value.
pub(super) struct Server {
    name: &'static str,
    pub(super) port: u16,
    child: Child,
    home: TempDir,
}

impl Server {
    /// Starts `command` in `home`, its output in a file there.
    pub(super) fn spawn(name: &'static str, port: u16, home: TempDir, mut command: Command) -> Self {
        let log = std::fs::File::create(home.path().join("output.txt")).expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone().expect("a second handle")))
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name, port, child, home }
    }

    /// Waits until `path` answers 200.
    pub(super) fn wait_ready(&mut self, path: &str) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be asked") {
                panic!("{} ended with {status}: {}", self.name, self.output());
            }
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() && self.get(path).0 == 200 {
                return;
            }
            assert!(began.elapsed() < LONGEST_START, "{} is not ready: {}", self.name, self.output());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// The status and body of a GET. Asked as HTTP/1.0, which has no chunks to take apart.
    pub(super) fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port);
        http::raw(self.port, request.as_bytes()).map_or((0, Vec::new()), |reply| (reply.status, reply.body))
    }

    /// What it has printed.
    pub(super) fn output(&self) -> String {
        let path: PathBuf = self.home.path().join("output.txt");
        std::fs::read(path).map_or_else(|error| error.to_string(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("--- output of {} ---\n{}", self.name, self.output()));
        }
        // dropped: it may have ended by itself
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
