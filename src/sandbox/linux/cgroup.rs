//! Control groups: bounds for a command together with all that it starts. The gateway's side.
//!
//! Version 2 is used where a subtree is given to us: below the group of the gateway when its user owns it, or below the root as root.
//! Version 1 is used as root. What cannot be had is left to limits per process; the report says so.
//!
//! A group is named after the gateway's process and when that started, so that groups of a dead gateway can be told and removed.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::unistd::geteuid;

use super::mountinfo::{self, Mounted};
use crate::sandbox::{Guarantee, Guarantees, Limits};

const NAME: &str = "openclaw";
/// The outer stage and the supervisor are in the group too.
const STAGES: u64 = 2;

/// Where groups can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Base {
    /// One directory for both bounds.
    Unified(PathBuf),
    /// One directory per controller; either may be missing.
    Separate { pids: Option<PathBuf>, memory: Option<PathBuf> },
}

/// Makes groups.
#[derive(Debug)]
pub struct ControlGroups {
    base: Option<Base>,
    owner: String,
    counter: AtomicU64,
    leftover: Mutex<Vec<PathBuf>>,
}

impl ControlGroups {
    /// Looks for a place, and removes what dead gateways left there.
    pub fn find() -> Arc<Self> {
        let base = find_base();
        let groups = Self {
            owner: owner_of(std::process::id()).unwrap_or_default(),
            base,
            counter: AtomicU64::new(0),
            leftover: Mutex::new(Vec::new()),
        };
        groups.sweep();
        Arc::new(groups)
    }

    /// What they bound here.
    pub fn accounted(&self) -> Guarantees {
        let (pids, memory) = match &self.base {
            None => (false, false),
            Some(Base::Unified(_)) => (true, true),
            Some(Base::Separate { pids, memory }) => (pids.is_some(), memory.is_some()),
        };
        let both = [(pids, Guarantee::PidsLimit), (memory, Guarantee::MemLimit)];
        both.into_iter().filter(|(there, _)| *there).map(|(_, guarantee)| guarantee).collect()
    }

    /// A group with these bounds. `None` where there can be none.
    pub fn create(self: &Arc<Self>, limits: &Limits) -> io::Result<Option<ControlGroup>> {
        let Some(base) = &self.base else { return Ok(None) };
        self.retry_leftover();
        let name = format!("{}-{}", self.owner, self.counter.fetch_add(1, Ordering::Relaxed));
        let mut group = ControlGroup { groups: Arc::clone(self), directories: Vec::new(), memory: None };
        let processes = limits.processes.saturating_add(STAGES);
        match base {
            Base::Unified(base) => {
                let directory = group.add(base.join(&name))?;
                write(&directory, "pids.max", processes)?;
                write(&directory, "memory.max", limits.memory_bytes)?;
                // Kernels without swap accounting have no such file.
                if directory.join("memory.swap.max").exists() {
                    write(&directory, "memory.swap.max", 0)?;
                }
                group.memory = Some(directory.join("memory.events"));
            }
            Base::Separate { pids, memory } => {
                if let Some(base) = pids {
                    let directory = group.add(base.join(&name))?;
                    write(&directory, "pids.max", processes)?;
                }
                if let Some(base) = memory {
                    let directory = group.add(base.join(&name))?;
                    write(&directory, "memory.limit_in_bytes", limits.memory_bytes)?;
                    if directory.join("memory.memsw.limit_in_bytes").exists() {
                        write(&directory, "memory.memsw.limit_in_bytes", limits.memory_bytes)?;
                    }
                    group.memory = Some(directory.join("memory.oom_control"));
                }
            }
        }
        Ok(Some(group))
    }

    fn bases(&self) -> Vec<&Path> {
        match &self.base {
            None => Vec::new(),
            Some(Base::Unified(base)) => vec![base],
            Some(Base::Separate { pids, memory }) => pids.iter().chain(memory).map(PathBuf::as_path).collect(),
        }
    }

    /// Removes the groups of gateways that are gone. Those that still have processes stay.
    fn sweep(&self) {
        for base in self.bases() {
            let Ok(entries) = std::fs::read_dir(base) else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let owner = name.to_str().and_then(|name| name.rsplit_once('-')).map(|(owner, _)| owner);
                if owner.is_some_and(is_gone) {
                    // dropped: the next start tries again
                    drop(std::fs::remove_dir(entry.path()));
                }
            }
        }
    }

    fn retry_leftover(&self) {
        let mut leftover = self.leftover.lock().unwrap_or_else(PoisonError::into_inner);
        leftover.retain(|directory| removal_failed(directory));
    }
}

/// Whether a directory is still there after an attempt to remove it.
fn removal_failed(directory: &Path) -> bool {
    std::fs::remove_dir(directory).is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
}

/// One command's group.
#[derive(Debug)]
pub struct ControlGroup {
    groups: Arc<ControlGroups>,
    directories: Vec<PathBuf>,
    memory: Option<PathBuf>,
}

impl ControlGroup {
    fn add(&mut self, directory: PathBuf) -> io::Result<PathBuf> {
        std::fs::create_dir(&directory)?;
        self.directories.push(directory.clone());
        Ok(directory)
    }

    /// The directories that the outer stage joins.
    pub fn paths(&self) -> &[PathBuf] {
        &self.directories
    }

    /// Whether the kernel ended a process because the memory was used up.
    pub fn out_of_memory(&self) -> bool {
        self.memory.as_deref().is_some_and(|file| {
            std::fs::read_to_string(file).is_ok_and(|text| counter(&text, "oom_kill").is_some_and(|count| count > 0))
        })
    }

    /// Ends every process in it, where the kernel can do that in one step (version 2, Linux 5.14).
    pub fn kill(&self) -> io::Result<()> {
        for directory in &self.directories {
            match std::fs::File::options().write(true).open(directory.join("cgroup.kill")) {
                Ok(mut file) => io::Write::write_all(&mut file, b"1")?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        let mut leftover = self.groups.leftover.lock().unwrap_or_else(PoisonError::into_inner);
        // A process that ended a moment ago may still count: the next command tries again.
        leftover.extend(self.directories.drain(..).filter(|directory| removal_failed(directory)));
    }
}

impl Drop for ControlGroups {
    fn drop(&mut self) {
        self.retry_leftover();
    }
}

fn write(directory: &Path, file: &str, value: u64) -> io::Result<()> {
    std::fs::write(directory.join(file), value.to_string())
}

/// The number behind a word at the start of a line.
fn counter(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// A process and when it started: `123.456789`. `None` when it is gone.
fn owner_of(process: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let started = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?;
    Some(format!("{process}.{started}"))
}

/// Whether the gateway that made a group is not there any more. Names that are not ours say nothing.
fn is_gone(owner: &str) -> bool {
    let process = owner.split_once('.').and_then(|(process, _)| process.parse().ok());
    process.is_some_and(|process| owner_of(process).as_deref() != Some(owner))
}

fn find_base() -> Option<Base> {
    let mounts = mountinfo::parse(&std::fs::read("/proc/self/mountinfo").ok()?);
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let root = geteuid().is_root();
    let unified = mounts.iter().find(|mounted| mounted.kind == "cgroup2").and_then(|mounted| {
        let parent = if root { mounted.path.clone() } else { mounted.path.join(own_group(&own)?) };
        unified(&parent)
    });
    unified.map(Base::Unified).or_else(|| {
        let separate = |controller: &str| separate(mounts.iter(), controller).filter(|_| root);
        let (pids, memory) = (separate("pids"), separate("memory"));
        (pids.is_some() || memory.is_some()).then_some(Base::Separate { pids, memory })
    })
}

/// The group of this process in the version 2 hierarchy, relative to its mount.
fn own_group(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::/"))
}

/// A directory in which groups with both controllers can be made.
fn unified(parent: &Path) -> Option<PathBuf> {
    let controllers = std::fs::read_to_string(parent.join("cgroup.controllers")).ok()?;
    let has = |text: &str, name: &str| text.split_whitespace().any(|word| word == name);
    if !has(&controllers, "pids") || !has(&controllers, "memory") {
        return None;
    }
    delegate(parent).or_else(|| make_room(parent))?;
    let base = make(parent)?;
    delegate(&base)?;
    Some(base)
}

/// Moves this process, when it is alone in a group that its user owns, one level down: a group with processes cannot bound its children.
fn make_room(parent: &Path) -> Option<()> {
    if geteuid().is_root() || std::fs::metadata(parent).ok()?.uid() != geteuid().as_raw() {
        return None;
    }
    let room = parent.join(format!("{NAME}.gateway"));
    create(&room).ok()?;
    let own = std::process::id().to_string();
    std::fs::write(room.join("cgroup.procs"), &own).ok()?;
    delegate(parent).or_else(|| {
        // dropped: where this process stays makes no difference to it
        drop(std::fs::write(parent.join("cgroup.procs"), &own).and_then(|()| std::fs::remove_dir(&room)));
        None
    })
}

/// The directory for our groups.
fn make(parent: &Path) -> Option<PathBuf> {
    let base = parent.join(NAME);
    create(&base).ok()?;
    Some(base)
}

/// A directory that may be there already.
fn create(directory: &Path) -> io::Result<()> {
    match std::fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Hands both controllers to the groups below. The kernel refuses it where the group has processes of its own.
fn delegate(group: &Path) -> Option<()> {
    let control = group.join("cgroup.subtree_control");
    let has = std::fs::read_to_string(&control).ok()?;
    let all = ["pids", "memory"].iter().all(|wanted| has.split_whitespace().any(|word| word == *wanted));
    if !all {
        std::fs::write(&control, "+pids +memory").ok()?;
    }
    Some(())
}

/// A directory for groups of one version 1 controller.
fn separate<'a>(mut mounts: impl Iterator<Item = &'a Mounted>, controller: &str) -> Option<PathBuf> {
    let mounted = mounts
        .find(|mounted| mounted.kind == "cgroup" && mounted.options.split(',').any(|option| option == controller))?;
    make(&mounted.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_bound_and_vanish_where_they_can_be_made() {
        let groups = ControlGroups::find();
        let Some(group) = groups.create(&Limits::default()).unwrap() else {
            assert!(groups.accounted().is_empty());
            return;
        };
        let paths = group.paths().to_vec();
        assert!(!paths.is_empty() && !group.out_of_memory());
        if groups.accounted().contains(Guarantee::PidsLimit) {
            let text = std::fs::read_to_string(paths[0].join("pids.max")).unwrap();
            assert_eq!(text.trim(), (Limits::default().processes + STAGES).to_string());
        }
        group.kill().unwrap();
        drop(group);
        assert!(paths.iter().all(|path| !path.exists()));
    }

    #[test]
    fn groups_of_dead_gateways_are_told_by_name() {
        let own = owner_of(std::process::id()).unwrap();
        assert!(!is_gone(&own) && !is_gone("user.slice"));
        let process = std::process::id();
        assert!(is_gone(&format!("{process}.1")), "the same number, another process");
    }

    #[test]
    fn counters_are_read_by_their_whole_name() {
        let v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!((counter(v1, "oom_kill"), counter(v1, "missing")), (Some(3), None));
        assert_eq!(own_group("1:name=x:/a\n0::/user.slice/app\n"), Some("user.slice/app"));
    }
}
