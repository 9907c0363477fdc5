//! Which means are used for a policy on macOS: Seatbelt, or nothing but a process group.

use std::path::PathBuf;

use super::drive;
use super::plan::{SeatbeltPlan, claims, plan};
use crate::sandbox::child::SandboxedChild;
use crate::sandbox::projection::Projection;
use crate::sandbox::{
    Backend, CommandSpec, Guarantee, Guarantees, Limits, Probe, SandboxError, SandboxLevel, SandboxReport, SandboxSpec,
    Workspace,
};

const REMEDY: &str =
    "set agents.defaults.sandbox.allowMissing to what may be missing on macOS, or run the gateway on Linux";

/// The means of this system. There is nothing to remember of them.
#[derive(Debug)]
pub(in crate::sandbox) struct Backends;

/// A directory for the temporary files of one command.
struct Scratch(PathBuf);

impl Scratch {
    fn create() -> std::io::Result<Self> {
        let parent = std::env::temp_dir().canonicalize()?;
        Ok(Self(nix::unistd::mkdtemp(&parent.join("openclaw-sandbox-XXXXXX"))?))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // dropped: the system empties its directory for temporary files by itself
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl Backends {
    /// The program is not run again here.
    pub(in crate::sandbox) fn new(_program: Option<PathBuf>) -> Self {
        Self
    }

    /// Starts a command whose policy was checked.
    #[expect(clippy::unused_async, reason = "the same as on Linux, where the chain is waited for")]
    pub(in crate::sandbox) async fn start(
        &self,
        spec: SandboxSpec,
        command: CommandSpec,
        _projection: Option<Projection>,
    ) -> Result<SandboxedChild, SandboxError> {
        let backend = spec.backend.unwrap_or(Self::usual(spec.level));
        let granted = granted(&spec, backend);
        let missing = spec.level.required().without(granted);
        let refused = missing.without(spec.allow_missing);
        if !refused.is_empty() || !matches!(backend, Backend::Plain | Backend::Seatbelt) {
            return Err(SandboxError::Unavailable {
                level: spec.level,
                missing: refused,
                why: format!("{} cannot guarantee it on macOS", backend.as_str()),
                remedy: REMEDY.into(),
            });
        }
        let report = SandboxReport {
            level: spec.level,
            backend,
            granted,
            missing,
            notes: vec!["this backend has not been tried out by its authors".into()],
            tampered: Vec::new(),
        };
        let failed =
            |error: std::io::Error| SandboxError::Setup { stage: "scratch".into(), message: error.to_string() };
        let scratch = Scratch::create().map_err(failed)?;
        let (stdin, timeout) = (command.stdin, command.timeout);
        let plan =
            if backend == Backend::Seatbelt { plan(&spec, &command, &scratch.0)? } else { plain(&spec, command)? };
        drive::start(&plan, report, stdin, timeout, scratch)
    }

    fn usual(level: SandboxLevel) -> Backend {
        if level == SandboxLevel::None { Backend::Plain } else { Backend::Seatbelt }
    }

    /// What is claimed. Nothing is tried out.
    #[expect(clippy::unused_async, reason = "the same as on Linux, where the chain is run")]
    pub(in crate::sandbox) async fn probe(&self, level: SandboxLevel, backend: Option<Backend>) -> Probe {
        let backend = backend.unwrap_or(Self::usual(level));
        let spec = SandboxSpec {
            level,
            workspace: Workspace::Virtual,
            mounts: Vec::new(),
            network: level != SandboxLevel::Strict,
            limits: Limits::default(),
            allow_missing: Guarantees::EMPTY,
            backend: Some(backend),
        };
        let granted = granted(&spec, backend);
        let missing = level.required().without(granted);
        Probe {
            level,
            backend,
            granted,
            missing,
            notes: vec!["claimed, not tried out".into()],
            attempts: Vec::new(),
            problem: None,
            remedy: (!missing.is_empty()).then(|| REMEDY.into()),
        }
    }
}

fn granted(spec: &SandboxSpec, backend: Backend) -> Guarantees {
    match backend {
        Backend::Seatbelt => claims(spec),
        Backend::Plain => Guarantees::of(&[Guarantee::EnvClean]),
        _ => Guarantees::EMPTY,
    }
}

/// The command as it is.
fn plain(spec: &SandboxSpec, command: CommandSpec) -> Result<SeatbeltPlan, SandboxError> {
    let Workspace::Host { path, .. } = &spec.workspace else {
        return Err(SandboxError::Spec {
            what: "there is no private file system for virtual files on macOS".into(),
            hint: "use filesystem mode disk".into(),
        });
    };
    let CommandSpec { mut argv, cwd, env, .. } = command;
    if argv.is_empty() {
        return Err(SandboxError::Start {
            program: String::new(),
            message: "the command is empty".into(),
            not_found: true,
        });
    }
    let program = PathBuf::from(argv.remove(0));
    Ok(SeatbeltPlan { program, arguments: argv, environment: env, directory: path.join(cwd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Stdin;

    #[tokio::test]
    async fn what_is_not_claimed_is_refused_unless_it_may_be_missing() {
        let workspace = tempfile::tempdir().expect("a directory");
        let mut spec = SandboxSpec {
            level: SandboxLevel::None,
            workspace: Workspace::Host {
                path: workspace.path().into(),
                writable: true,
                protected: Vec::new(),
                hidden: Vec::new(),
            },
            mounts: Vec::new(),
            network: true,
            limits: Limits::default(),
            allow_missing: Guarantees::EMPTY,
            backend: None,
        };
        let command = CommandSpec {
            argv: vec!["true".into()],
            cwd: PathBuf::new(),
            env: vec![("PATH".into(), "/usr/bin:/bin".into())],
            stdin: Stdin::Null,
            timeout: None,
        };
        let backends = Backends::new(None);
        let refused = backends.start(spec.clone(), command.clone(), None).await.map(drop).unwrap_err();
        assert!(matches!(refused, SandboxError::Unavailable { .. }), "{refused}");
        assert!(!backends.probe(SandboxLevel::Strict, None).await.works());
        spec.allow_missing = Guarantees::of(&[Guarantee::TreeKill]);
        let mut child = backends.start(spec, command, None).await.unwrap();
        assert_eq!(child.report().missing, Guarantees::of(&[Guarantee::TreeKill]));
        assert!(matches!(child.event().await, Some(crate::sandbox::ChildEvent::Exited(exit)) if exit.success()));
    }
}
