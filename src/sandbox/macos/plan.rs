//! From a policy and a command to one command line.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::profile::{canonical, profile};
use crate::sandbox::{CommandSpec, Guarantee, Guarantees, Limits, SandboxError, SandboxLevel, SandboxSpec, Workspace};

/// Part of every macOS; never looked for in a `PATH`.
const SANDBOX_EXEC: &str = "/usr/bin/sandbox-exec";
/// Descriptors that a careless parent may have left open.
const CLOSED: &str = "3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-";
/// Bytes in a block of `ulimit -f`.
const BLOCK: u64 = 512;

/// What is started, ready for `execve(2)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatbeltPlan {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, without the name of the program.
    pub arguments: Vec<OsString>,
    /// The whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub directory: PathBuf,
}

/// What the profile and the shell around the command are to give; see the table in the module's documentation.
pub fn claims(spec: &SandboxSpec) -> Guarantees {
    use Guarantee as G;
    let mut claims =
        Guarantees::of(&[G::FsWriteConfined, G::FsReadConfined, G::SignalsConfined, G::EnvClean, G::FsizeLimit]);
    if !spec.network || spec.level == SandboxLevel::Strict {
        claims.insert(G::NetDenied);
        claims.insert(G::UnixSocketsDenied);
    }
    claims
}

/// The script of the shell between `sandbox-exec` and the command. It holds numbers only; the command comes as its arguments. The bound of
/// a file's size is a promise; those of open files and processor time are set if the system lets them.
fn limits_script(limits: &Limits) -> String {
    format!(
        "ulimit -c 0 && ulimit -f {} || exit 126; ulimit -n {} 2>/dev/null; ulimit -t {} 2>/dev/null; exec {CLOSED}; exec \"$@\"",
        limits.file_bytes.div_ceil(BLOCK),
        limits.open_files,
        limits.cpu_seconds,
    )
}

/// The command line for a command. `scratch` is an empty directory made for it: its `HOME` and `TMPDIR`.
pub fn plan(spec: &SandboxSpec, command: &CommandSpec, scratch: &Path) -> Result<SeatbeltPlan, SandboxError> {
    let refused = |what: String| SandboxError::Spec { what, hint: "check the command".to_owned() };
    match command.argv.first() {
        None => return Err(refused("the command is empty".to_owned())),
        // The shell would take it for an option of `exec`.
        Some(name) if name.as_encoded_bytes().starts_with(b"-") => {
            return Err(refused(format!("the name of a program begins with a dash: {}", name.display())));
        }
        Some(_) => {}
    }
    if !command.cwd.components().all(|component| matches!(component, Component::Normal(_))) {
        return Err(refused(format!("{} is not a directory below the workspace", command.cwd.display())));
    }
    let profile = profile(spec, scratch)?;
    let mut arguments: Vec<OsString> = vec!["-p".into(), profile.text.into()];
    for (name, value) in profile.parameters {
        let mut definition = OsString::from(name);
        definition.push("=");
        definition.push(value);
        arguments.push("-D".into());
        arguments.push(definition);
    }
    arguments.extend(["/bin/sh".into(), "-c".into(), limits_script(&spec.limits).into(), "sh".into()]);
    arguments.extend(command.argv.iter().cloned());
    let scratch = canonical(scratch)?;
    let mut environment = command.env.clone();
    environment.retain(|(name, _)| name != "HOME" && name != "TMPDIR");
    environment.extend(["HOME", "TMPDIR"].map(|name| (name.into(), scratch.clone().into_os_string())));
    let directory = match &spec.workspace {
        Workspace::Host { path, .. } => canonical(path)?.join(&command.cwd),
        Workspace::Virtual => scratch,
    };
    Ok(SeatbeltPlan { program: SANDBOX_EXEC.into(), arguments, environment, directory })
}

#[cfg(test)]
pub(super) mod tests {
    use insta::assert_debug_snapshot;

    use super::*;
    use crate::sandbox::{Mount, Stdin};

    pub(in crate::sandbox::macos) fn spec() -> SandboxSpec {
        SandboxSpec {
            level: SandboxLevel::Relaxed,
            workspace: Workspace::Host {
                path: "/Users/me/work".into(),
                writable: true,
                protected: vec![".git/hooks".into(), "AGENTS.md".into()],
                hidden: Vec::new(),
            },
            mounts: vec![
                Mount { path: "/var/data".into(), writable: false },
                Mount { path: "/Users/me/cache".into(), writable: true },
            ],
            network: true,
            limits: Limits::default(),
            allow_missing: Guarantees::EMPTY,
            backend: None,
        }
    }

    fn command() -> CommandSpec {
        CommandSpec {
            argv: vec!["echo".into(), "-a b".into(), "$HOME".into()],
            cwd: "sub".into(),
            env: vec![("HOME".into(), "/tmp/home".into()), ("LANG".into(), "C".into())],
            stdin: Stdin::Null,
            timeout: None,
        }
    }

    #[test]
    fn the_command_line_is_whole() {
        let mut plan = plan(&spec(), &command(), Path::new("/tmp/scratch-1")).unwrap();
        assert_eq!(plan.arguments[0], "-p");
        plan.arguments.drain(..2);
        assert_debug_snapshot!(plan, @r#"
        SeatbeltPlan {
            program: "/usr/bin/sandbox-exec",
            arguments: [
                "-D",
                "WORKSPACE_0=/Users/me/work",
                "-D",
                "MOUNT_0=/private/var/data",
                "-D",
                "MOUNT_1=/Users/me/cache",
                "-D",
                "SCRATCH_0=/private/tmp/scratch-1",
                "-D",
                "ABOVE_0=/Users",
                "-D",
                "ABOVE_1=/Users/me",
                "-D",
                "ABOVE_2=/private",
                "-D",
                "ABOVE_3=/private/tmp",
                "-D",
                "ABOVE_4=/private/var",
                "-D",
                "PROTECTED_0=/Users/me/work/.git/hooks",
                "-D",
                "KEPT_0=/Users/me/work/.git",
                "-D",
                "PROTECTED_1=/Users/me/work/AGENTS.md",
                "/bin/sh",
                "-c",
                "ulimit -c 0 && ulimit -f 4194304 || exit 126; ulimit -n 4096 2>/dev/null; ulimit -t 3600 2>/dev/null; exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec \"$@\"",
                "sh",
                "echo",
                "-a b",
                "$HOME",
            ],
            environment: [
                (
                    "LANG",
                    "C",
                ),
                (
                    "HOME",
                    "/private/tmp/scratch-1",
                ),
                (
                    "TMPDIR",
                    "/private/tmp/scratch-1",
                ),
            ],
            directory: "/Users/me/work/sub",
        }
        "#);
    }

    #[test]
    fn commands_that_a_shell_would_misread_are_refused() {
        let refused = |change: fn(&mut CommandSpec)| {
            let mut command = command();
            change(&mut command);
            plan(&spec(), &command, Path::new("/tmp/s")).is_err()
        };
        assert!(!refused(|_| {}));
        assert!(refused(|command| command.argv.clear()));
        assert!(refused(|command| command.argv[0] = "-c".into()));
        assert!(refused(|command| command.cwd = "../elsewhere".into()));
        assert!(refused(|command| command.cwd = "/etc".into()));
    }

    #[test]
    fn claims_do_not_suffice_for_a_level_unless_that_is_configured() {
        let mut spec = spec();
        for level in [SandboxLevel::Relaxed, SandboxLevel::Strict] {
            spec.level = level;
            assert!(!level.required().without(claims(&spec)).is_empty(), "{level}");
        }
        assert!(claims(&spec).contains(Guarantee::NetDenied), "strict has no network");
        spec.level = SandboxLevel::Relaxed;
        assert!(!claims(&spec).contains(Guarantee::NetDenied) && !claims(&spec).contains(Guarantee::UnixSocketsDenied));
        assert!(!claims(&spec).contains(Guarantee::TreeKill), "a child may leave its process group");
    }
}
