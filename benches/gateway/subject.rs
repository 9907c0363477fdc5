//! The programs that are measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::options::Options;

/// Whose program it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Ours,
    /// The TypeScript OpenClaw.
    Node,
    Zeroclaw,
}

/// One program.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) label: String,
    pub(crate) version: String,
    pub(crate) binary: PathBuf,
    pub(crate) kind: Kind,
    /// Holds what was installed for this run.
    pub(crate) path_prefix: Option<PathBuf>,
}

impl Subject {
    pub(crate) fn is_ours(&self) -> bool {
        self.kind == Kind::Ours
    }

    /// A command of it with nothing of this process's environment but `PATH`.
    pub(crate) fn command(&self, root: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        let path = std::env::var("PATH").unwrap_or_default();
        let path = match &self.path_prefix {
            Some(prefix) => format!("{}:{path}", prefix.display()),
            None => path,
        };
        command.env_clear().env("PATH", path).env("HOME", root).current_dir(root);
        command
    }

    fn detect(binary: PathBuf, path_prefix: Option<PathBuf>) -> Result<Self, String> {
        let mut subject = Self { label: String::new(), version: String::new(), binary, kind: Kind::Ours, path_prefix };
        let output = subject
            .command(&std::env::temp_dir())
            .arg("--version")
            .output()
            .map_err(|error| format!("{} cannot be run: {error}", subject.binary.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        subject.kind = match text.as_str() {
            ours if ours.starts_with("openclaw ") => Kind::Ours,
            zeroclaw if zeroclaw.starts_with("zeroclaw") => Kind::Zeroclaw,
            node if node.to_ascii_lowercase().contains("openclaw") || node.starts_with("20") => Kind::Node,
            other => return Err(format!("{} is no program this knows: {other:?}", subject.binary.display())),
        };
        subject.label = match subject.kind {
            Kind::Ours => subject.binary.file_name().map_or_else(String::new, |name| name.to_string_lossy().into()),
            Kind::Node => "OpenClaw".to_owned(),
            Kind::Zeroclaw => "zeroclaw".to_owned(),
        };
        subject.version = text;
        Ok(subject)
    }
}

/// Ours first, then the peers.
pub(crate) fn all(options: &Options) -> Result<Vec<Subject>, String> {
    let own = options.binary.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_openclaw").into());
    let own = std::fs::canonicalize(&own).map_err(|error| format!("{}: {error}", own.display()))?;
    let mut subjects = vec![Subject::detect(own, None)?];
    for peer in &options.peers {
        subjects.push(if peer.as_os_str() == "npm" {
            install(options)?
        } else {
            let path = std::fs::canonicalize(peer).map_err(|error| format!("{}: {error}", peer.display()))?;
            Subject::detect(path, None)?
        });
    }
    if !options.alone {
        for name in ["zeroclaw", "openclaw"] {
            let Some(path) = on_path(name) else { continue };
            let known = subjects.iter().any(|subject| subject.binary == path);
            // An installed build of ours is no peer unless it is asked for.
            match Subject::detect(path, None) {
                Ok(peer) if !known && !peer.is_ours() => subjects.push(peer),
                Ok(_) => {}
                Err(problem) => eprintln!("left out: {problem}"),
            }
        }
    }
    Ok(subjects)
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// `openclaw` from npm with the Node it needs, below the temporary directory; the folder stays for the next run.
fn install(options: &Options) -> Result<Subject, String> {
    let folder = options.directory.clone().unwrap_or_else(std::env::temp_dir).join("openclaw-bench-npm");
    let bin = folder.join("node_modules/.bin");
    if !bin.join("openclaw").exists() {
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        eprintln!("… npm install openclaw node@24 into {}", folder.display());
        let status = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--loglevel=error", "openclaw", "node@24", "--prefix"])
            .arg(&folder)
            .status()
            .map_err(|error| format!("npm cannot be run: {error}"))?;
        if !status.success() {
            return Err(format!("npm install ended with {status}"));
        }
    }
    Subject::detect(bin.join("openclaw"), Some(bin))
}
