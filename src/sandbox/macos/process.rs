//! Starts a plan in a process group of its own, and kills the group. Plain Unix: what it is told to start makes the difference.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::plan::SeatbeltPlan;
use crate::sandbox::SandboxError;

/// A command that runs. Dropping it kills its process group; a child that has left the group is not found again.
#[derive(Debug)]
pub struct SeatbeltChild {
    child: Child,
    group: Pid,
}

/// Starts `plan` with the three streams as given.
pub fn spawn(plan: &SeatbeltPlan, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Result<SeatbeltChild, SandboxError> {
    let failed = |error: &dyn std::fmt::Display, not_found| SandboxError::Start {
        program: plan.program.display().to_string(),
        message: error.to_string(),
        not_found,
    };
    let child = Command::new(&plan.program)
        .args(&plan.arguments)
        .env_clear()
        .envs(plan.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&plan.directory)
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0)
        .spawn()
        .map_err(|error| failed(&error, error.kind() == io::ErrorKind::NotFound))?;
    let group = i32::try_from(child.id()).map_err(|error| failed(&error, false))?;
    Ok(SeatbeltChild { child, group: Pid::from_raw(group) })
}

impl SeatbeltChild {
    /// The process, for its streams and for waiting.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Signals everything that is still in the group. It is no error when nothing is.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match killpg(self.group, signal) {
            // macOS says EPERM when all that is left of a group are zombies.
            Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for SeatbeltChild {
    fn drop(&mut self) {
        // The leader is reaped last: as long as it is not, its number cannot be another group's.
        if let Err(error) = self.signal(Signal::SIGKILL) {
            tracing::warn!(%error, group = %self.group, "a process group could not be killed");
        }
        if let Err(error) = self.child.wait() {
            tracing::warn!(%error, "a command could not be waited for");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::Path;

    use super::super::plan::{plan, tests::spec};
    use super::*;
    use crate::sandbox::{CommandSpec, Stdin, Workspace};

    /// The plan of a shell command, with `env -- ` in the place of `sandbox-exec -p PROFILE -D ..`: what is behind runs for real.
    fn without_seatbelt(directory: &Path, script: &str) -> SeatbeltPlan {
        let mut spec = spec();
        spec.workspace =
            Workspace::Host { path: directory.to_owned(), writable: true, protected: Vec::new(), hidden: Vec::new() };
        let command = CommandSpec {
            argv: vec!["sh".into(), "-c".into(), script.into()],
            cwd: "".into(),
            env: vec![("PATH".into(), "/usr/bin:/bin".into())],
            stdin: Stdin::Null,
            timeout: None,
        };
        let mut plan = plan(&spec, &command, directory).unwrap();
        let shell = plan.arguments.iter().position(|argument| argument == "/bin/sh").unwrap();
        plan.arguments.drain(..shell);
        plan.program = "/usr/bin/env".into();
        plan.directory = directory.to_owned();
        plan
    }

    #[test]
    fn limits_environment_and_the_group_are_as_planned() {
        let directory = tempfile::tempdir().unwrap();
        let script =
            "env | sort | grep -v -e ^PWD= -e ^_= -e ^SHLVL=; ulimit -f; ulimit -c; echo ready; sleep 1000 & wait";
        let plan = without_seatbelt(directory.path(), script);
        let mut running = spawn(&plan, Stdio::null(), Stdio::piped(), Stdio::inherit()).unwrap();
        let mut stdout = running.child().stdout.take().unwrap();
        let mut text = String::new();
        while !text.ends_with("ready\n") {
            let mut byte = [0];
            assert_eq!(stdout.read(&mut byte).unwrap(), 1, "{text}");
            text.push(char::from(byte[0]));
        }
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("HOME=/") && lines[1] == "PATH=/usr/bin:/bin" && lines[2].starts_with("TMPDIR=/"));
        assert_eq!(lines[3..], ["4194304", "0", "ready"], "{lines:?}");
        drop(running);
        // The pipe ends when its last writer is dead: the background process held it too.
        assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_missing_program_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let mut plan = without_seatbelt(directory.path(), "true");
        plan.program = "/nonexistent/sandbox-exec".into();
        let outcome = spawn(&plan, Stdio::null(), Stdio::null(), Stdio::null());
        assert!(matches!(outcome, Err(SandboxError::Start { not_found: true, .. })), "{outcome:?}");
    }
}
