//! Whether a policy can be obeyed, before anything is started: real paths, nothing that would hand out what must not be handed out.

use std::path::{Component, Path, PathBuf};

use super::error::SandboxError;
use super::level::SandboxLevel;
use super::spec::{CommandSpec, Mount, SandboxSpec, Workspace};

/// Directories that a workspace or a writable mount cannot be, nor lie in: the kernel's.
const KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];
/// Directories that a workspace or a writable mount cannot be: programs and configuration of the system.
const SYSTEM: [&str; 12] =
    ["/", "/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/run", "/sbin", "/usr", "/var", "/home"];

fn refuse(what: String, hint: &str) -> SandboxError {
    SandboxError::Spec { what, hint: hint.to_owned() }
}

/// The policy with real paths in it. `forbidden` are real paths that no confined command may reach.
pub(super) fn spec(spec: &SandboxSpec, forbidden: &[PathBuf]) -> Result<SandboxSpec, SandboxError> {
    let mut checked = spec.clone();
    // Without confinement there is nothing that a path could open.
    let confined = spec.level != SandboxLevel::None;
    checked.network &= spec.level != SandboxLevel::Strict;
    if let Workspace::Host { path, writable, protected, hidden } = &mut checked.workspace {
        *path = real(path, "workspace")?;
        if !path.is_dir() {
            return Err(refuse(
                format!("the workspace {} is not a directory", path.display()),
                "set agents.defaults.workspace to a directory",
            ));
        }
        if confined {
            reachable(path, *writable, "workspace", forbidden)?;
        }
        if let Some(path) = protected.iter().chain(hidden.iter()).find(|path| !is_plain(path)) {
            return Err(refuse(
                format!("the protected path {} does not lie below the workspace", path.display()),
                "name protected paths relative to the workspace, without ..",
            ));
        }
    }
    for Mount { path, writable } in &mut checked.mounts {
        *path = real(path, "mount")?;
        if confined {
            reachable(path, *writable, "mount", forbidden)?;
        }
    }
    Ok(checked)
}

/// Whether a command can be asked for at all.
pub(super) fn command(command: &CommandSpec) -> Result<(), SandboxError> {
    if !command.cwd.as_os_str().is_empty() && !is_plain(&command.cwd) {
        return Err(refuse(
            format!("the working directory {} does not lie below the workspace", command.cwd.display()),
            "name it relative to the workspace, without ..",
        ));
    }
    let odd = |name: &[u8]| name.is_empty() || name.contains(&b'=') || name.contains(&0);
    if let Some((name, _)) = command.env.iter().find(|(name, _)| odd(name.as_encoded_bytes())) {
        return Err(refuse(
            format!("{} cannot be the name of a variable", name.display()),
            "names of variables are not empty and have no =",
        ));
    }
    Ok(())
}

/// Whether files can be projected: only into a workspace of the sandbox's own.
pub(super) fn projection(spec: &SandboxSpec, projected: bool) -> Result<(), SandboxError> {
    if projected && spec.workspace != Workspace::Virtual {
        return Err(refuse(
            "files cannot be projected into a directory of the host".into(),
            "use a virtual workspace, or no projection",
        ));
    }
    Ok(())
}

/// Whether it has nothing but names.
fn is_plain(path: &Path) -> bool {
    path.components().all(|component| matches!(component, Component::Normal(_) | Component::CurDir))
}

fn real(path: &Path, what: &str) -> Result<PathBuf, SandboxError> {
    if !path.is_absolute() {
        return Err(refuse(
            format!("the {what} {} is not an absolute path", path.display()),
            "write the path from / on, or from ~",
        ));
    }
    let real = path.canonicalize().map_err(|error| {
        refuse(format!("the {what} {}: {error}", path.display()), "create it, or correct the path in the configuration")
    })?;
    if real.to_str().is_none() {
        return Err(refuse(
            format!("the path of the {what} {} is not UTF-8", real.display()),
            "rename the directory; the system's own file names may be anything, the workspace's may not",
        ));
    }
    Ok(real)
}

/// Refuses what would put more into reach than a workspace or a mount may.
fn reachable(path: &Path, writable: bool, what: &str, forbidden: &[PathBuf]) -> Result<(), SandboxError> {
    let shown = path.display();
    let hint = "use a directory of its own, for example one below your home directory";
    if path == Path::new("/") || KERNEL.iter().any(|kernel| path.starts_with(kernel)) {
        return Err(refuse(format!("the {what} cannot be {shown}: it would put the whole system into reach"), hint));
    }
    if writable && SYSTEM.iter().any(|system| path == Path::new(system)) {
        return Err(refuse(format!("the {what} cannot be {shown}: that directory belongs to the system"), hint));
    }
    for secret in forbidden {
        let how = if path == secret {
            "is"
        } else if secret.starts_with(path) {
            "contains"
        } else if path.starts_with(secret) {
            "lies in"
        } else {
            continue;
        };
        let message = format!("the {what} {shown} {how} {}, which no command may reach", secret.display());
        return Err(refuse(message, hint));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{Guarantees, Limits};

    fn host(level: SandboxLevel, path: &Path) -> SandboxSpec {
        SandboxSpec {
            level,
            workspace: Workspace::Host {
                path: path.to_owned(),
                writable: true,
                protected: Vec::new(),
                hidden: Vec::new(),
            },
            mounts: Vec::new(),
            network: true,
            limits: Limits::default(),
            allow_missing: Guarantees::EMPTY,
            backend: None,
        }
    }

    fn what(result: Result<SandboxSpec, SandboxError>) -> String {
        match result {
            Err(SandboxError::Spec { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn workspaces_that_open_too_much_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let state = home.join(".openclaw/state");
        let fine = home.join(".openclaw/workspace");
        std::fs::create_dir_all(&state).unwrap();
        std::fs::create_dir_all(&fine).unwrap();
        std::fs::create_dir(state.join("inner")).unwrap();
        std::os::unix::fs::symlink(&state, home.join("link")).unwrap();
        std::fs::write(home.join("file"), "").unwrap();
        let forbidden = [state.clone()];
        let check = |path: &Path| spec(&host(SandboxLevel::Relaxed, path), &forbidden);
        assert!(check(&fine).is_ok());
        assert!(what(check(&home)).contains("contains"));
        assert!(what(check(&state)).contains(" is "));
        assert!(what(check(&state.join("inner"))).contains("lies in"));
        assert!(what(check(&home.join("link"))).contains(" is "), "a symbolic link is followed first");
        assert!(what(check(&home.join("file"))).contains("not a directory"));
        assert!(what(check(&home.join("missing"))).contains("No such file"));
        assert!(what(check(Path::new("relative"))).contains("not an absolute path"));
        for path in ["/", "/proc/self", "/usr", "/etc"] {
            assert!(matches!(check(Path::new(path)), Err(SandboxError::Spec { .. })), "{path}");
        }
        assert!(spec(&host(SandboxLevel::None, &home), &forbidden).is_ok(), "nothing is promised at this level");
    }

    #[test]
    fn strict_never_has_the_network_and_mounts_are_checked_like_workspaces() {
        let home = tempfile::tempdir().unwrap();
        let work = home.path().join("work");
        std::fs::create_dir(&work).unwrap();
        let mut asked = host(SandboxLevel::Strict, &work);
        assert!(!spec(&asked, &[]).unwrap().network);
        asked.mounts.push(Mount { path: "/usr".into(), writable: false });
        assert!(spec(&asked, &[]).is_ok());
        asked.mounts[0].writable = true;
        assert!(what(spec(&asked, &[])).contains("belongs to the system"));
        asked.mounts[0] = Mount { path: home.path().to_owned(), writable: false };
        let secret = work.canonicalize().unwrap().join("secret");
        asked.workspace = Workspace::Virtual;
        assert!(what(spec(&asked, &[secret])).contains("contains"));
    }

    #[test]
    fn commands_stay_below_the_workspace() {
        let mut asked = CommandSpec {
            argv: vec!["true".into()],
            cwd: "a/b".into(),
            env: vec![("A".into(), "b=c".into())],
            stdin: crate::sandbox::Stdin::Null,
            timeout: None,
        };
        assert!(command(&asked).is_ok());
        asked.env.push(("A=B".into(), "".into()));
        assert!(command(&asked).is_err());
        asked.env.clear();
        for cwd in ["..", "a/../..", "/tmp"] {
            asked.cwd = cwd.into();
            assert!(command(&asked).is_err(), "{cwd}");
        }
    }
}
