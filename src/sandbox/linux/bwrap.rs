//! bubblewrap as the maker of the namespaces: which program, which version, and its arguments.
//!
//! bubblewrap before 0.12 follows links below a bind that an attacker can write when it makes mount points there (CVE-2026-87766). It is used
//! only when the configuration asks for bubblewrap, and never with a destination below a writable bind. A set-user-ID bubblewrap is never used:
//! it would do with root's rights what it is told here.

use std::ffi::{OsStr, OsString};
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::mounts::{INIT, Step, View};
use super::namespaces::INSIDE_ID;
use super::setup::{At, StageFailure, StageSetup};
use super::system::SystemFacts;

/// Where it may be. Never `PATH`: a workspace could be in it.
const PLACES: [&str; 4] = ["/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap", "/run/current-system/sw/bin/bwrap"];
/// The first version that makes mount points safely.
const SAFE: (u32, u32) = (0, 12);
const STAGE: &str = "bubblewrap";

/// A bubblewrap that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bubblewrap {
    /// The program.
    pub path: PathBuf,
    /// Major and minor version.
    pub version: (u32, u32),
}

/// Looks for bubblewrap. The error says why none can be used.
pub fn find() -> Result<Bubblewrap, String> {
    find_in(PLACES.iter().map(Path::new))
}

fn find_in<'a>(places: impl Iterator<Item = &'a Path>) -> Result<Bubblewrap, String> {
    for path in places {
        let Ok(found) = std::fs::metadata(path) else { continue };
        acceptable(path, found.uid(), found.mode())?;
        let output = Command::new(path).arg("--version").env_clear().stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("{} does not run: {error}", path.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = version(&text).ok_or_else(|| format!("{} tells no version", path.display()))?;
        return Ok(Bubblewrap { path: path.into(), version });
    }
    Err("bubblewrap is not installed".to_owned())
}

/// Only what the administrator installed, and nobody else can change, is run.
fn acceptable(path: &Path, owner: u32, mode: u32) -> Result<(), String> {
    if mode & 0o6000 != 0 {
        return Err(format!("{} is set-user-ID or set-group-ID, which is not used", path.display()));
    }
    if owner != 0 || mode & 0o022 != 0 {
        return Err(format!("{} can be changed by others than root", path.display()));
    }
    Ok(())
}

/// `bubblewrap 0.8.0`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().rsplit(' ').next()?.split('.').map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

impl Bubblewrap {
    /// Whether it may be used for this policy. `asked`: the configuration names bubblewrap. The error says why not.
    pub fn usable(&self, view: View<'_>, asked: bool) -> Result<(), String> {
        if self.version >= SAFE {
            return Ok(());
        }
        let (major, minor) = self.version;
        if !asked {
            return Err(format!("bubblewrap {major}.{minor} is older than 0.12 and not asked for"));
        }
        let steps = view.plan(&SystemFacts::default()).map_err(|failure| failure.to_string())?;
        match below_writable(&steps) {
            Some(path) => {
                let path = path.display();
                Err(format!("bubblewrap {major}.{minor} cannot safely mount {path} below a writable directory"))
            }
            None => Ok(()),
        }
    }
}

/// A destination below a directory that commands can write.
fn below_writable(steps: &[Step]) -> Option<&Path> {
    let mut writable: Vec<&Path> = Vec::new();
    for step in steps {
        if let Step::Mask { path } = step {
            return Some(path);
        }
        if let Step::Bind { path, writable: can_write, .. } | Step::Pin { path, writable: can_write } = step {
            if writable.iter().any(|above| path.starts_with(above)) {
                return Some(path);
            }
            if *can_write {
                writable.push(path);
            }
        }
    }
    None
}

/// Namespaces and what belongs to them.
fn namespace_flags(network: bool) -> Vec<OsString> {
    let mut flags: Vec<OsString> = [
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--disable-userns",
        "--die-with-parent",
        "--new-session",
        "--as-pid-1",
        "--clearenv",
        "--hostname",
        "sandbox",
        "--cap-drop",
        "ALL",
    ]
    .map(OsString::from)
    .into();
    if !network {
        flags.push("--unshare-net".into());
    }
    for name in ["--uid", "--gid"] {
        flags.extend([name.into(), INSIDE_ID.to_string().into()]);
    }
    flags
}

/// All arguments. `text` gives the number of a descriptor that a text can be read from.
fn arguments(
    steps: &[Step],
    network: bool,
    program: &Path,
    mut text: impl FnMut(&str) -> Result<i32, StageFailure>,
) -> Result<Vec<OsString>, StageFailure> {
    let mut list = namespace_flags(network);
    let mut add = |words: &[&OsStr]| list.extend(words.iter().map(OsString::from));
    let word = OsStr::new;
    for (flag, path) in [("--proc", "/proc"), ("--dev", "/dev")] {
        add(&[word(flag), word(path)]);
    }
    for path in super::proc::READ_ONLY {
        add(&[word("--ro-bind-try"), word(path), word(path)]);
    }
    for path in super::proc::HIDDEN_FILES {
        if Path::new(path).exists() {
            add(&[word("--ro-bind-try"), word("/dev/null"), word(path)]);
        }
    }
    for path in super::proc::HIDDEN_TREES {
        if Path::new(path).exists() {
            add(&[word("--tmpfs"), word(path), word("--remount-ro"), word(path)]);
        }
    }
    for step in steps {
        let path = step.path().as_os_str();
        // bubblewrap makes these itself.
        if step.path().starts_with("/dev") && step.path() != Path::new("/dev/shm") || path == "/proc" {
            continue;
        }
        match step {
            Step::Directory { mode, .. } => {
                add(&[word("--perms"), word(&format!("{mode:04o}")), word("--dir"), path]);
            }
            Step::Link { target, .. } => add(&[word("--symlink"), target.as_os_str(), path]),
            Step::Text { text: content, .. } => {
                let number = text(content)?.to_string();
                add(&[word("--perms"), word("0444"), word("--file"), word(&number), path]);
            }
            Step::Memory { bytes, mode, .. } => {
                let (mode, bytes) = (format!("{mode:04o}"), bytes.to_string());
                add(&[word("--perms"), word(&mode), word("--size"), word(&bytes), word("--tmpfs"), path]);
            }
            Step::Bind { writable, optional, .. } => {
                let flag = match (writable, optional) {
                    (true, false) => "--bind",
                    (true, true) => "--bind-try",
                    (false, false) => "--ro-bind",
                    (false, true) => "--ro-bind-try",
                };
                add(&[word(flag), path, path]);
            }
            Step::Pin { writable, .. } => add(&[word(if *writable { "--bind" } else { "--ro-bind" }), path, path]),
            // Asked here and not in the plan, which looks at no file.
            Step::Mask { path: hidden } if hidden.is_dir() => {
                add(&[word("--perms"), word("0555"), word("--tmpfs"), path]);
            }
            Step::Mask { .. } => add(&[word("--ro-bind"), word("/dev/null"), path]),
            Step::Device { .. } | Step::Terminals => {}
        }
    }
    add(&[
        word("--ro-bind"),
        program.as_os_str(),
        word(INIT),
        word("--remount-ro"),
        word("/"),
        word("--chdir"),
        word("/"),
    ]);
    add(&[word("--"), word(INIT), word("__sandbox-supervisor")]);
    Ok(list)
}

/// Replaces this process by bubblewrap, which starts the supervisor. Comes back only with a failure.
pub fn become_it(setup: &StageSetup) -> StageFailure {
    match prepare(setup) {
        Ok((mut command, texts)) => {
            let error = command.exec();
            // Kept open until here: bubblewrap reads them.
            drop(texts);
            StageFailure::new(STAGE, error)
        }
        Err(failure) => failure,
    }
}

fn prepare(setup: &StageSetup) -> Result<(Command, Vec<OwnedFd>), StageFailure> {
    let bubblewrap = setup.bubblewrap.as_deref().ok_or_else(|| StageFailure::new(STAGE, "no program was named"))?;
    let program = std::fs::read_link("/proc/self/exe").at(STAGE)?;
    let view =
        View { workspace: &setup.workspace, mounts: &setup.mounts, limits: &setup.limits, network: setup.network };
    let steps = view.plan(&SystemFacts::read())?;
    let mut texts = Vec::new();
    let list = arguments(&steps, setup.network, &program, |content| {
        // Without close-on-exec: bubblewrap is to have it.
        let mut file = std::fs::File::from(memfd_create(c"text", MFdFlags::empty()).at(STAGE)?);
        file.write_all(content.as_bytes()).at(STAGE)?;
        file.rewind().at(STAGE)?;
        let fd = OwnedFd::from(file);
        let number = fd.as_raw_fd();
        texts.push(fd);
        Ok(number)
    })?;
    let mut command = Command::new(bubblewrap);
    // Its environment would be seen inside as that of the first process.
    command.args(list).env_clear();
    Ok((command, texts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{Limits, Mount, Workspace};

    fn view<'a>(workspace: &'a Workspace, mounts: &'a [Mount], limits: &'a Limits) -> View<'a> {
        View { workspace, mounts, limits, network: false }
    }

    #[test]
    fn old_versions_are_used_only_when_asked_for_and_never_below_a_writable_directory() {
        let old = Bubblewrap { path: "/usr/bin/bwrap".into(), version: (0, 8) };
        let limits = Limits::default();
        let plain = Workspace::Host { path: "/w".into(), writable: true, protected: Vec::new(), hidden: Vec::new() };
        let protected =
            Workspace::Host { path: "/w".into(), writable: true, protected: vec![".git".into()], hidden: Vec::new() };
        assert!(old.usable(view(&plain, &[], &limits), true).is_ok());
        assert!(old.usable(view(&plain, &[], &limits), false).is_err());
        assert!(old.usable(view(&protected, &[], &limits), true).is_err());
        let below = [Mount { path: "/w/data".into(), writable: false }];
        assert!(old.usable(view(&plain, &below, &limits), true).is_err());
        let safe = Bubblewrap { version: (0, 12), ..old };
        assert!(safe.usable(view(&protected, &below, &limits), false).is_ok());
    }

    #[test]
    fn only_what_root_installed_is_run() {
        let path = Path::new("/usr/bin/bwrap");
        assert!(acceptable(path, 0, 0o100_755).is_ok());
        assert!(acceptable(path, 0, 0o104_755).is_err() && acceptable(path, 0, 0o100_775).is_err());
        assert!(acceptable(path, 1000, 0o100_755).is_err());
        assert_eq!(version("bubblewrap 0.12.1\n"), Some((0, 12)));
        assert_eq!(version("something else"), None);
        assert!(find_in([Path::new("/does/not/exist")].into_iter()).unwrap_err().contains("not installed"));
    }

    #[test]
    fn arguments_are_the_plan() {
        let workspace =
            Workspace::Host { path: "/w".into(), writable: true, protected: vec![".git".into()], hidden: Vec::new() };
        let limits = Limits::default();
        let steps = view(&workspace, &[], &limits).plan(&SystemFacts::default()).unwrap();
        let list = arguments(&steps, false, Path::new("/opt/self"), |_| Ok(7)).unwrap();
        let text = list.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        for part in [
            "--unshare-net",
            "--disable-userns",
            "--cap-drop ALL",
            "--as-pid-1",
            "--clearenv",
            "--uid 1000 --gid 1000",
            "--perms 0444 --file 7 /etc/passwd",
            "--bind /w /w --ro-bind /w/.git /w/.git",
            "--ro-bind-try /proc/sys /proc/sys",
            "--perms 1777 --size 1073741824 --tmpfs /tmp",
            "--ro-bind /opt/self /.init --remount-ro / --chdir /",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(text.ends_with("-- /.init __sandbox-supervisor"));
        let with_network = arguments(&steps, true, Path::new("/opt/self"), |_| Ok(7)).unwrap();
        assert!(!with_network.contains(&"--unshare-net".into()));
    }
}
