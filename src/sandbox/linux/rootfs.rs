//! Carries out a mount plan in a fresh mount namespace: the new root, what is put into it, and the flags of every mount.
//!
//! Whoever owns a workspace may swap its directories for links while this runs. So sources and targets are opened without following links, and
//! mounted through `/proc/self/fd`; flags are set through a descriptor opened again after the mount, and the kernel refuses them on what is
//! not the root of a mount.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::mount::{MsFlags, mount};
use nix::unistd::{chdir, pivot_root};

use super::mountinfo::{self, Mounted};
use super::mounts::{INIT, OLD_ROOT, Step};
use super::setup::{At, StageFailure};

const NONE: Option<&str> = None;
/// Where the new root is put together. It ends up as `/`, so what the directory holds on the host is not lost from sight.
const PLACES: [&str; 4] = ["/tmp", "/run", "/mnt", "/usr"];
/// Size of the root itself: directories, links, and a few small files, or this program where it must be copied.
const ROOT_OPTIONS: &str = "mode=755,size=256m,nr_inodes=4096";
/// Links followed inside of the host's root, for system files that administrators may have moved.
const TRIES: usize = 64;

/// How a step's mount is to be flagged.
struct Wanted {
    path: PathBuf,
    writable: bool,
    device: bool,
}

/// The file of this program.
pub struct Program {
    path: PathBuf,
    file: File,
}

impl Program {
    /// Of the running process. After a change of root its path would lead elsewhere.
    pub fn of_this_process() -> std::io::Result<Self> {
        const LINK: &str = "/proc/self/exe";
        Ok(Self { path: std::fs::read_link(LINK)?, file: File::open(LINK)? })
    }
}

/// The new root, while it is being furnished.
struct Rootfs {
    root: OwnedFd,
    old: OwnedFd,
    wanted: Vec<Wanted>,
}

/// Makes a root of these steps and moves this process into it. `program` is for the supervisor. The host's root stays
/// at [`OLD_ROOT`] until the supervisor takes it away.
pub fn build(steps: &[Step], program: &Program) -> Result<(), StageFailure> {
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).at("private mounts")?;
    let place = PLACES.into_iter().find(|path| Path::new(path).is_dir());
    let place = place.ok_or_else(|| StageFailure::new("new root", format!("none of {PLACES:?} is a directory")))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), place, Some("tmpfs"), flags, Some(ROOT_OPTIONS)).at("new root")?;
    chdir(place).at("new root")?;
    std::fs::create_dir(&OLD_ROOT[1..]).at("new root")?;
    pivot_root(".", &OLD_ROOT[1..]).at("change of root")?;
    chdir("/").at("change of root")?;
    let open = |path: &str| OpenOptions::directory(path);
    let mut rootfs =
        Rootfs { root: open("/").at("new root")?, old: open(OLD_ROOT).at("new root")?, wanted: Vec::new() };
    for step in steps {
        rootfs
            .carry_out(step)
            .map_err(|error| StageFailure::new("mounts", format!("{}: {}", step.path().display(), error.desc())))?;
    }
    rootfs.program(program)?;
    rootfs.flags()?;
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | flags;
    mount(NONE, "/", NONE, read_only, NONE).at("read-only root")
}

/// Opening directories without reading them.
struct OpenOptions;

impl OpenOptions {
    fn directory(path: &str) -> std::io::Result<OwnedFd> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(File::options().read(true).custom_flags(flags.bits()).open(path)?.into())
    }
}

/// The path by which a mount finds exactly what was opened.
fn by_descriptor(fd: &OwnedFd) -> PathBuf {
    Path::new(OLD_ROOT).join("proc/self/fd").join(fd.as_raw_fd().to_string())
}

fn system(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

fn below(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// `openat2` for a mount's source or target.
fn open_path(root: impl AsFd, path: &Path, resolve: ResolveFlag) -> nix::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let how =
        OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(resolve | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let mut tries = 0;
    loop {
        match openat2(root.as_fd(), path, how) {
            // A rename somewhere in the file system came between.
            Err(Errno::EAGAIN) if tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

impl Rootfs {
    fn carry_out(&mut self, step: &Step) -> nix::Result<()> {
        match step {
            Step::Directory { path, mode } => directory(path, *mode),
            Step::Link { path, target } => {
                parents(path)?;
                std::os::unix::fs::symlink(target, path).map_err(|error| system(&error))
            }
            Step::Text { path, text } => std::fs::write(path, text).map_err(|error| system(&error)),
            Step::Memory { path, bytes, files, mode } => {
                directory(path, 0o755)?;
                let options = format!("mode={mode:o},size={bytes},nr_inodes={files}");
                let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
                mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some(options.as_str()))
            }
            Step::Bind { path, writable, optional, exact } => {
                let resolve = if *exact { ResolveFlag::RESOLVE_NO_SYMLINKS } else { ResolveFlag::RESOLVE_IN_ROOT };
                match open_path(&self.old, below(path), resolve) {
                    Ok(source) => self.bind(&source, path, *writable, false),
                    Err(Errno::ENOENT | Errno::EACCES | Errno::ELOOP | Errno::ENOTDIR) if *optional => Ok(()),
                    Err(error) => Err(error),
                }
            }
            Step::Device { path } => match open_path(&self.old, below(path), ResolveFlag::RESOLVE_NO_SYMLINKS) {
                Ok(source) => self.bind(&source, path, true, true),
                // Containers have no terminal device; `/dev/null` is not missing anywhere, and its lack shows at once.
                Err(Errno::ENOENT) => Ok(()),
                Err(error) => Err(error),
            },
            Step::Terminals => terminals(),
            Step::Mask { path } => self.mask(path),
            Step::Pin { path, writable } => {
                let target = self.open_inside(path)?;
                self.attach(&target, &target, path, *writable, false)
            }
        }
    }

    /// Opens what is at a path of the new root. A link on the way, which only an attacker could have put there, is an error.
    fn open_inside(&self, path: &Path) -> nix::Result<OwnedFd> {
        open_path(&self.root, below(path), ResolveFlag::RESOLVE_NO_SYMLINKS)
    }

    fn bind(&mut self, source: &OwnedFd, path: &Path, writable: bool, device: bool) -> nix::Result<()> {
        let target = match self.open_inside(path) {
            Ok(target) => target,
            Err(Errno::ENOENT) => {
                let kind = nix::sys::stat::fstat(source)?.st_mode & nix::libc::S_IFMT;
                if kind == nix::libc::S_IFDIR {
                    directory(path, 0o755)?;
                } else {
                    parents(path)?;
                    File::create_new(path).map_err(|error| system(&error))?;
                }
                self.open_inside(path)?
            }
            Err(error) => return Err(error),
        };
        self.attach(source, &target, path, writable, device)
    }

    /// Covers a directory by an empty one, and a file by a device that, like all devices there, cannot be opened.
    fn mask(&mut self, path: &Path) -> nix::Result<()> {
        let target = self.open_inside(path)?;
        let kind = nix::sys::stat::fstat(&target)?.st_mode & nix::libc::S_IFMT;
        if kind == nix::libc::S_IFDIR {
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
            mount(Some("tmpfs"), &by_descriptor(&target), Some("tmpfs"), flags, Some("mode=555,size=4k,nr_inodes=1"))?;
            self.wanted.push(Wanted { path: path.into(), writable: false, device: false });
            return Ok(());
        }
        let nothing = open_path(&self.old, Path::new("dev/null"), ResolveFlag::RESOLVE_NO_SYMLINKS)?;
        self.attach(&nothing, &target, path, false, false)
    }

    fn attach(
        &mut self,
        source: &OwnedFd,
        target: &OwnedFd,
        path: &Path,
        writable: bool,
        device: bool,
    ) -> nix::Result<()> {
        let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(&by_descriptor(source)), &by_descriptor(target), NONE, flags, NONE)?;
        self.wanted.push(Wanted { path: path.into(), writable, device });
        Ok(())
    }

    /// This program, where the supervisor is started from: its own file, or a copy where that file was replaced meanwhile.
    fn program(&mut self, program: &Program) -> Result<(), StageFailure> {
        const STAGE: &str = "supervisor program";
        let path = Path::new(INIT);
        let same = |found: &OwnedFd| match (nix::sys::stat::fstat(found), nix::sys::stat::fstat(&program.file)) {
            (Ok(found), Ok(own)) => (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino),
            _ => false,
        };
        // The open file belongs to the mounts of the host, which cannot be bound here; the same file by its path can.
        let source = open_path(&self.old, below(&program.path), ResolveFlag::RESOLVE_NO_SYMLINKS).ok().filter(same);
        if source.is_some_and(|source| self.bind(&source, path, false, false).is_ok()) {
            return Ok(());
        }
        let mut to = File::options().write(true).create(true).truncate(true).mode(0o555).open(path).at(STAGE)?;
        std::io::copy(&mut &program.file, &mut to).at(STAGE)?;
        to.set_permissions(std::fs::Permissions::from_mode(0o555)).at(STAGE)
    }

    /// Sets the flags of every mount at or below a bind. Flags that a mount has already are kept: the kernel lets nobody drop them here.
    fn flags(&self) -> Result<(), StageFailure> {
        let table = std::fs::read(Path::new(OLD_ROOT).join("proc/self/mountinfo")).at("list of mounts")?;
        for mounted in mountinfo::parse(&table) {
            let Some(wanted) = self.governing(&mounted) else { continue };
            let mut flags = mounted.flags | MsFlags::MS_NOSUID;
            flags.set(MsFlags::MS_NODEV, !wanted.device || mounted.flags.contains(MsFlags::MS_NODEV));
            flags.set(MsFlags::MS_RDONLY, !wanted.writable || mounted.flags.contains(MsFlags::MS_RDONLY));
            if flags == mounted.flags {
                continue;
            }
            self.set_flags(&mounted.path, flags).map_err(|error| {
                StageFailure::new("mount flags", format!("{}: {}", mounted.path.display(), error.desc()))
            })?;
        }
        Ok(())
    }

    /// The bind that a mount belongs to: the deepest one at or above it.
    fn governing(&self, mounted: &Mounted) -> Option<&Wanted> {
        self.wanted
            .iter()
            .filter(|wanted| mounted.path.starts_with(&wanted.path))
            .max_by_key(|wanted| wanted.path.as_os_str().as_bytes().len())
    }

    fn set_flags(&self, path: &Path, flags: MsFlags) -> nix::Result<()> {
        let target = self.open_inside(path)?;
        mount(NONE, &by_descriptor(&target), NONE, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags, NONE)
    }
}

/// Pseudo-terminals of this namespace alone. Where the kernel refuses them there are none, and programs that want one say so.
fn terminals() -> nix::Result<()> {
    directory(Path::new("/dev/pts"), 0o755)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    match mount(Some("devpts"), "/dev/pts", Some("devpts"), flags, Some("newinstance,ptmxmode=0666,mode=620")) {
        Ok(()) | Err(Errno::EPERM | Errno::ENODEV) => Ok(()),
        Err(error) => Err(error),
    }
}

fn parents(path: &Path) -> nix::Result<()> {
    path.parent().map_or(Ok(()), |parent| directory(parent, 0o755))
}

/// A directory with all that leads to it. One that is there already stays as it is.
fn directory(path: &Path, mode: u32) -> nix::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    parents(path)?;
    std::fs::DirBuilder::new().mode(mode).create(path).map_err(|error| system(&error))
}
