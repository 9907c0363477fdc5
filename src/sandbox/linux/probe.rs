//! The role `__sandbox-probe`: runs as a command in a sandbox, tries what must not work there, and tells what did.
//!
//! The chain grants guarantees on what the kernel says about it. This is the other side: an allowed attempt disproves its guarantee.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::kill;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::{Pid, chroot, geteuid, getppid, sethostname};
use serde::{Deserialize, Serialize};

use super::status::Status;
use crate::sandbox::{Guarantee, Guarantees};

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What.
    pub name: String,
    /// The guarantee that it would break.
    pub against: String,
    /// Whether it worked.
    pub allowed: bool,
    /// The system's answer.
    pub detail: String,
}

/// What a probe found inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside {
    /// The own user id.
    pub user: u32,
    /// What the kernel says about the process; `None` where there is no `/proc` to ask.
    pub status: Option<Status>,
    /// Everything that was tried.
    pub attempts: Vec<Attempt>,
}

impl Inside {
    /// The guarantees that do not hold, whatever was granted.
    pub fn disproved(&self) -> Guarantees {
        let allowed = self.attempts.iter().filter(|attempt| attempt.allowed);
        allowed.filter_map(|attempt| Guarantee::parse(&attempt.against)).collect()
    }
}

type Try = fn() -> io::Result<()>;

/// Tried in this order. The last one gives up the own identity where that is possible.
const ATTEMPTS: [(&str, Guarantee, Try); 26] = [
    ("read the password hashes", Guarantee::FsReadConfined, || File::open("/etc/shadow").map(drop)),
    ("list the state of services", Guarantee::FsReadConfined, || std::fs::read_dir("/var/lib").map(drop)),
    ("list control groups", Guarantee::FsReadConfined, || std::fs::read_dir("/sys/fs/cgroup").map(drop)),
    ("read the kernel's memory", Guarantee::FsReadConfined, || File::open("/dev/mem").map(drop)),
    ("see a host file's attributes", Guarantee::MetadataConfined, || {
        std::fs::symlink_metadata("/etc/shadow").map(drop)
    }),
    ("create a file in /usr", Guarantee::FsWriteConfined, || create(Path::new("/usr/.openclaw-probe"))),
    ("create a file in /etc", Guarantee::FsWriteConfined, || create(Path::new("/etc/.openclaw-probe"))),
    ("write to the kernel's log", Guarantee::FsWriteConfined, || open_for_writing("/dev/kmsg")),
    ("set the core dump handler", Guarantee::FsWriteConfined, || open_for_writing("/proc/sys/kernel/core_pattern")),
    ("set the module loader", Guarantee::FsWriteConfined, || open_for_writing("/proc/sys/kernel/modprobe")),
    ("press the magic keys", Guarantee::FsWriteConfined, || open_for_writing("/proc/sysrq-trigger")),
    ("read the supervisor's environment", Guarantee::EnvClean, supervisor_environment),
    ("use an inherited file", Guarantee::EnvClean, inherited_file),
    ("see other processes", Guarantee::PidsHidden, other_processes),
    ("signal other processes", Guarantee::SignalsConfined, signal_others),
    ("take a file from the parent process", Guarantee::SignalsConfined, take_descriptor),
    ("open an Internet socket", Guarantee::NetDenied, || std::net::UdpSocket::bind("127.0.0.1:0").map(drop)),
    ("open an Internet port", Guarantee::NetDenied, || std::net::TcpListener::bind("127.0.0.1:0").map(drop)),
    ("open a Unix socket", Guarantee::UnixSocketsDenied, || std::os::unix::net::UnixDatagram::unbound().map(drop)),
    ("make a user namespace", Guarantee::Seccomp, || Ok(unshare(CloneFlags::CLONE_NEWUSER)?)),
    ("mark a program set-user-ID", Guarantee::Seccomp, set_user_id),
    ("make a device node", Guarantee::CapsEmpty, device_node),
    ("change the root directory", Guarantee::CapsEmpty, || Ok(chroot("/")?)),
    ("rename the machine", Guarantee::CapsEmpty, rename_machine),
    ("dump core", Guarantee::FsizeLimit, core_dump),
    ("become another user", Guarantee::CapsEmpty, || Ok(nix::unistd::setuid((geteuid().as_raw() + 1).into())?)),
];

fn create(path: &Path) -> io::Result<()> {
    File::create_new(path)?;
    std::fs::remove_file(path)
}

fn open_for_writing(path: &str) -> io::Result<()> {
    File::options().write(true).open(path).map(drop)
}

fn denied(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, what)
}

fn temporary(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!(".openclaw-probe-{}-{name}", std::process::id()))
}

fn supervisor_environment() -> io::Result<()> {
    let variables = std::fs::read(format!("/proc/{}/environ", getppid()))?;
    if variables.is_empty() { Err(denied("there is nothing in it")) } else { Ok(()) }
}

fn inherited_file() -> io::Result<()> {
    let listing = std::fs::read_dir("/proc/self/fd")?;
    let numbers = listing.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // One is the listing's own.
    if numbers.filter(|number| *number > 2).count() > 1 {
        Ok(())
    } else {
        Err(denied("only the three streams are open"))
    }
}

/// Looks for process numbers that are neither the first one, nor the own, nor the parent's.
fn other_processes() -> io::Result<()> {
    let known = [1, std::process::id(), getppid().as_raw().unsigned_abs()];
    let seen = (2..400).find(|number| !known.contains(number) && Path::new(&format!("/proc/{number}")).exists());
    if seen.is_some() { Ok(()) } else { Err(denied("there are no others")) }
}

/// The parent, unless it is the first process of a namespace, which takes no signals from inside; and whoever else there is.
fn signal_others() -> io::Result<()> {
    let own = std::process::id().cast_signed();
    let others =
        (2..400).filter(|number| *number != own).chain([getppid().as_raw()].into_iter().filter(|number| *number > 1));
    // Signal 0 asks for the permission only.
    let allowed = others.map(Pid::from_raw).find(|process| kill(*process, None).is_ok());
    if allowed.is_some() { Ok(()) } else { Err(denied("none can be signalled")) }
}

fn take_descriptor() -> io::Result<()> {
    use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
    let parent = Pid::from_raw(getppid().as_raw()).ok_or_else(|| denied("the parent is out of sight"))?;
    let parent = pidfd_open(parent, PidfdFlags::empty())?;
    pidfd_getfd(&parent, 0, PidfdGetfdFlags::empty())?;
    Ok(())
}

fn set_user_id() -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let path = temporary("set-id");
    let file = File::create_new(&path)?;
    let result = file.set_permissions(std::fs::Permissions::from_mode(0o4755));
    std::fs::remove_file(&path)?;
    result
}

fn device_node() -> io::Result<()> {
    let path = temporary("device");
    // The number of /dev/null.
    mknod(&path, SFlag::S_IFCHR, Mode::S_IRUSR, makedev(1, 3))?;
    std::fs::remove_file(&path)
}

fn rename_machine() -> io::Result<()> {
    let name = nix::unistd::gethostname()?;
    Ok(sethostname(name)?)
}

fn core_dump() -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_CORE)?;
    if soft > 0 || hard > 0 { Ok(()) } else { Err(denied("core files may have no size")) }
}

/// Tries everything.
pub fn look() -> Inside {
    let status = File::open("/proc/self/status").and_then(|mut file| Status::read(&mut file)).ok();
    let user = geteuid().as_raw();
    let attempts = ATTEMPTS
        .iter()
        .map(|(name, against, attempt)| {
            let result = attempt();
            Attempt {
                name: (*name).to_owned(),
                against: against.as_str().to_owned(),
                allowed: result.is_ok(),
                detail: result.map_or_else(|error| error.to_string(), |()| "it worked".to_owned()),
            }
        })
        .collect();
    Inside { user, status, attempts }
}

/// Plays the role: JSON [`Inside`] on standard output.
pub fn run() -> ExitCode {
    let written = serde_json::to_vec(&look()).map_err(io::Error::from).and_then(|json| io::stdout().write_all(&json));
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_attempts_disprove_guarantees() {
        let attempt = |against: Guarantee, allowed| Attempt {
            name: "x".into(),
            against: against.as_str().into(),
            allowed,
            detail: String::new(),
        };
        let attempts = vec![attempt(Guarantee::NetDenied, true), attempt(Guarantee::Seccomp, false)];
        let inside = Inside { user: 1000, status: None, attempts };
        assert_eq!(inside.disproved(), Guarantees::of(&[Guarantee::NetDenied]));
    }
}
