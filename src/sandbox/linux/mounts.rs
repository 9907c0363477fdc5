//! Which files a command sees: a plan, as data.
//!
//! The root is an empty memory file system. The plan names what is put into it, parents before children. Our own namespaces and bubblewrap
//! carry out the same plan, and the Landlock rules repeat it. Nothing here touches a file.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::landlock::PathRules;
use super::setup::StageFailure;
use super::system::SystemFacts;
use crate::sandbox::{Limits, Mount, VIRTUAL_WORKSPACE, Workspace};

/// Home directory of commands, in the private `/tmp`.
pub const HOME: &str = "/tmp/home";
/// This program, as long as the supervisor needs it.
pub const INIT: &str = "/.init";
/// The host's files, until the supervisor has taken them away.
pub const OLD_ROOT: &str = "/.old";

/// Devices without state.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Trees of the kernel and of the sandbox itself, where nothing of the host may be put.
const RESERVED: [&str; 5] = ["/proc", "/sys", "/dev", INIT, OLD_ROOT];

/// One thing in the new root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An empty directory.
    Directory {
        /// Where.
        path: PathBuf,
        /// Permissions.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Where.
        path: PathBuf,
        /// To what.
        target: PathBuf,
    },
    /// A small file of ours.
    Text {
        /// Where.
        path: PathBuf,
        /// Its content.
        text: String,
    },
    /// A private memory file system.
    Memory {
        /// Where.
        path: PathBuf,
        /// Bytes it may hold.
        bytes: u64,
        /// Files it may hold.
        files: u64,
        /// Permissions of its root.
        mode: u32,
    },
    /// A directory or file of the host, at its own path.
    Bind {
        /// Where, inside and outside.
        path: PathBuf,
        /// Whether it can be written.
        writable: bool,
        /// Left out when the host has it not; else that is a failure.
        optional: bool,
        /// Symbolic links in the path are refused: somebody else may have put them there.
        exact: bool,
    },
    /// A device node of the host.
    Device {
        /// Where, inside and outside.
        path: PathBuf,
    },
    /// Pseudo-terminals of its own, at `/dev/pts`.
    Terminals,
    /// Nothing, in the place of a file or directory that is there already.
    Mask {
        /// Which.
        path: PathBuf,
    },
    /// A path that is there already, bound onto itself, so that it is a mount point and cannot be renamed or removed.
    Pin {
        /// Which.
        path: PathBuf,
        /// Whether it can be written.
        writable: bool,
    },
}

impl Step {
    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Directory { path, .. }
            | Self::Link { path, .. }
            | Self::Text { path, .. }
            | Self::Memory { path, .. }
            | Self::Bind { path, .. }
            | Self::Device { path }
            | Self::Mask { path }
            | Self::Pin { path, .. } => path,
            Self::Terminals => Path::new("/dev/pts"),
        }
    }
}

/// What of the policy decides about files.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// What the command works in.
    pub workspace: &'a Workspace,
    /// Further host directories and files.
    pub mounts: &'a [Mount],
    /// Sizes of memory file systems.
    pub limits: &'a Limits,
    /// Whether names of the network are looked up.
    pub network: bool,
}

impl View<'_> {
    /// The directory the command works in.
    pub fn directory(&self) -> &Path {
        match self.workspace {
            Workspace::Host { path, .. } => path,
            Workspace::Virtual => Path::new(VIRTUAL_WORKSPACE),
        }
    }

    /// Everything that is put into the new root, parents first.
    pub fn plan(&self, facts: &SystemFacts) -> Result<Vec<Step>, StageFailure> {
        let mut steps = self.system(facts);
        let memory = |path: &str, mode| Step::Memory {
            path: path.into(),
            bytes: self.limits.tmp_bytes,
            files: self.limits.tmp_files,
            mode,
        };
        steps.push(memory("/tmp", 0o1777));
        steps.push(Step::Directory { path: HOME.into(), mode: 0o700 });
        if *self.workspace == Workspace::Virtual {
            steps.push(memory(VIRTUAL_WORKSPACE, 0o755));
        }
        let mut host: Vec<(&Path, bool)> = self.mounts.iter().map(|mount| (&*mount.path, mount.writable)).collect();
        if let Workspace::Host { path, writable, .. } = self.workspace {
            host.push((path, *writable));
        }
        host.sort_by_key(|(path, _)| path.components().count());
        for (path, writable) in host {
            bindable(path)?;
            steps.push(Step::Bind { path: path.into(), writable, optional: false, exact: true });
        }
        steps.extend(self.pins()?);
        if let Workspace::Host { path: workspace, hidden, .. } = self.workspace {
            hidden.iter().try_for_each(|path| below_workspace(path))?;
            steps.extend(hidden.iter().map(|path| Step::Mask { path: workspace.join(path) }));
        }
        Ok(steps)
    }

    /// Programs, libraries, and the few files of `/etc` that they need.
    fn system(&self, facts: &SystemFacts) -> Vec<Step> {
        let bind = |path: &Path| Step::Bind { path: path.into(), writable: false, optional: true, exact: false };
        let directory = |path: &str| Step::Directory { path: path.into(), mode: 0o755 };
        let mut steps: Vec<Step> = facts.directories.iter().map(|path| bind(path)).collect();
        let links = facts.links.iter();
        steps.extend(links.map(|(path, target)| Step::Link { path: path.clone(), target: target.clone() }));
        steps.push(directory("/etc"));
        let texts = facts.texts(self.network).into_iter();
        steps.extend(texts.map(|(path, text)| Step::Text { path: path.into(), text }));
        steps.extend(facts.settings.iter().map(|path| bind(path)));
        steps.extend([directory("/var"), directory("/run"), directory("/proc"), directory("/dev")]);
        steps.push(Step::Link { path: "/var/tmp".into(), target: "/tmp".into() });
        let devices = DEVICES.iter().map(|name| Step::Device { path: Path::new("/dev").join(name) });
        steps.extend(devices);
        steps.push(Step::Terminals);
        let links =
            [("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")];
        steps.extend(
            links.map(|(name, target)| Step::Link { path: Path::new("/dev").join(name), target: target.into() }),
        );
        steps.push(Step::Memory {
            path: "/dev/shm".into(),
            bytes: self.limits.tmp_bytes,
            files: self.limits.tmp_files,
            mode: 0o1777,
        });
        steps
    }

    /// Protected paths read-only; the directories on the way to them stay where they are. The path of a mount point cannot change.
    fn pins(&self) -> Result<Vec<Step>, StageFailure> {
        let Workspace::Host { path: workspace, writable: true, protected, .. } = self.workspace else {
            return Ok(Vec::new());
        };
        let mut ancestors = BTreeSet::new();
        let mut last = BTreeSet::new();
        for relative in protected {
            below_workspace(relative)?;
            last.insert(relative.as_path());
            ancestors.extend(relative.ancestors().skip(1).filter(|ancestor| !ancestor.as_os_str().is_empty()));
        }
        // What lies below a read-only path is read-only and stays: it needs no mount of its own.
        let covered = |path: &Path| path.ancestors().skip(1).any(|above| last.contains(above));
        let mut pins: Vec<(&Path, bool)> = last.iter().map(|path| (*path, false)).collect();
        pins.extend(ancestors.iter().filter(|path| !last.contains(*path)).map(|path| (*path, true)));
        pins.retain(|(path, _)| !covered(path));
        pins.sort_by_key(|(path, _)| (path.components().count(), *path));
        Ok(pins.into_iter().map(|(path, writable)| Step::Pin { path: workspace.join(path), writable }).collect())
    }

    /// The same as Landlock rules, inside of the new root.
    pub fn rules_inside(&self) -> PathRules {
        let mut write: Vec<PathBuf> = vec!["/tmp".into(), "/dev/shm".into()];
        if *self.workspace == Workspace::Virtual {
            write.push(VIRTUAL_WORKSPACE.into());
        }
        write.extend(self.writable_host());
        PathRules { read: vec!["/".into()], write, devices: vec!["/dev".into()] }
    }

    /// Landlock rules where the host's own root is in sight: an allow list. `private` is the directory for temporary files.
    pub fn rules_on_host(&self, facts: &SystemFacts, private: &Path, program: &Path) -> PathRules {
        let mut read: Vec<PathBuf> = facts.directories.clone();
        read.extend(facts.settings.iter().cloned());
        read.extend(facts.plain_settings(self.network).into_iter().map(PathBuf::from));
        read.extend(self.mounts.iter().map(|mount| mount.path.clone()));
        read.push(program.into());
        if let Workspace::Host { path, .. } = self.workspace {
            read.push(path.clone());
        }
        let mut write = self.writable_host();
        write.push(private.into());
        let devices = DEVICES.iter().map(|name| Path::new("/dev").join(name)).collect();
        PathRules { read, write, devices }
    }

    fn writable_host(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> =
            self.mounts.iter().filter(|mount| mount.writable).map(|mount| mount.path.clone()).collect();
        if let Workspace::Host { path, writable: true, .. } = self.workspace {
            paths.push(path.clone());
        }
        paths
    }
}

fn below_workspace(relative: &Path) -> Result<(), StageFailure> {
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if plain && !relative.as_os_str().is_empty() {
        return Ok(());
    }
    let text = format!("{} is not a plain path below the workspace", relative.display());
    Err(StageFailure::new("protected paths", text))
}

/// Whether a host path can be put into the new root at its own place.
fn bindable(path: &Path) -> Result<(), StageFailure> {
    let refuse = |why: &str| Err(StageFailure::new("mounts", format!("{} {why}", path.display())));
    let mut parts = path.components();
    if parts.next() != Some(Component::RootDir) {
        return refuse("is not absolute");
    }
    if !parts.all(|part| matches!(part, Component::Normal(_))) {
        return refuse("has parts other than names");
    }
    if path == Path::new("/") {
        return refuse("is the whole file system");
    }
    let shared_memory = path.starts_with("/dev/shm") && path != Path::new("/dev/shm");
    if !shared_memory && RESERVED.iter().any(|reserved| path.starts_with(reserved)) {
        return refuse("is a place of the kernel or of the sandbox itself");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> SystemFacts {
        SystemFacts {
            directories: vec!["/usr".into()],
            links: vec![("/bin".into(), "usr/bin".into())],
            settings: vec!["/etc/ssl/certs".into()],
            ..SystemFacts::default()
        }
    }

    fn host(protected: &[&str]) -> Workspace {
        let protected = protected.iter().map(PathBuf::from).collect();
        Workspace::Host { path: "/srv/work".into(), writable: true, protected, hidden: Vec::new() }
    }

    fn plan(workspace: &Workspace, mounts: &[Mount]) -> Result<Vec<Step>, StageFailure> {
        View { workspace, mounts, limits: &Limits::default(), network: false }.plan(&facts())
    }

    #[test]
    fn parents_come_before_children() {
        let mounts = [
            Mount { path: "/srv/work/sub".into(), writable: false },
            Mount { path: "/tmp/cache".into(), writable: true },
            Mount { path: "/srv".into(), writable: false },
        ];
        let steps = plan(&host(&[".git/hooks"]), &mounts).unwrap();
        let at = |path: &str| {
            steps.iter().position(|step| step.path() == Path::new(path)).unwrap_or_else(|| panic!("{path} is missing"))
        };
        assert!(at("/srv") < at("/srv/work") && at("/srv/work") < at("/srv/work/sub"));
        assert!(at("/tmp") < at("/tmp/cache") && at("/srv/work") < at("/srv/work/.git"));
        assert!(at("/srv/work/.git") < at("/srv/work/.git/hooks"));
    }

    #[test]
    fn protected_paths_are_pinned_with_all_that_leads_to_them() {
        let steps = plan(&host(&[".git/hooks", ".git/config", "a/b/c", "a/b", ".git/hooks/pre-commit"]), &[]).unwrap();
        let pins: Vec<(String, bool)> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Pin { path, writable } => Some((path.display().to_string(), *writable)),
                _ => None,
            })
            .collect();
        let expected = [
            ("/srv/work/.git", true),
            ("/srv/work/a", true),
            ("/srv/work/.git/config", false),
            ("/srv/work/.git/hooks", false),
            ("/srv/work/a/b", false),
        ];
        assert_eq!(pins, expected.map(|(path, writable)| (path.to_owned(), writable)));
        assert!(plan(&host(&["../x"]), &[]).is_err() && plan(&host(&["/x"]), &[]).is_err());
        assert!(plan(&host(&[""]), &[]).is_err());
    }

    #[test]
    fn places_of_the_kernel_and_of_the_sandbox_are_refused() {
        for path in ["/", "relative", "/proc/sys", "/dev", "/dev/shm", "/sys/fs", "/.old/etc", "/a/../etc"] {
            let mounts = [Mount { path: path.into(), writable: true }];
            assert!(plan(&Workspace::Virtual, &mounts).is_err(), "{path}");
        }
        for path in ["/dev/shm/work", "/procedures", "/data"] {
            let mounts = [Mount { path: path.into(), writable: true }];
            assert!(plan(&Workspace::Virtual, &mounts).is_ok(), "{path}");
        }
    }

    #[test]
    fn only_what_is_writable_is_granted_for_writing() {
        let mounts = [Mount { path: "/ro".into(), writable: false }, Mount { path: "/rw".into(), writable: true }];
        let workspace = host(&[]);
        let view = View { workspace: &workspace, mounts: &mounts, limits: &Limits::default(), network: false };
        let inside = view.rules_inside();
        assert_eq!(inside.write, ["/tmp", "/dev/shm", "/rw", "/srv/work"].map(PathBuf::from));
        let outside = view.rules_on_host(&facts(), Path::new("/tmp/private"), Path::new("/bin/self"));
        assert!(outside.read.contains(&"/ro".into()) && !outside.read.contains(&"/".into()));
        assert_eq!(outside.write, ["/rw", "/srv/work", "/tmp/private"].map(PathBuf::from));
        let locked = Workspace::Host {
            path: "/srv/work".into(),
            writable: false,
            protected: vec!["x".into()],
            hidden: Vec::new(),
        };
        let view = View { workspace: &locked, ..view };
        assert!(view.pins().unwrap().is_empty() && !view.rules_inside().write.contains(&"/srv/work".into()));
    }
}
