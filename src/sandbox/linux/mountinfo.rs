//! The kernel's list of mounts, `/proc/self/mountinfo` (proc_pid_mountinfo(5)).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use nix::mount::MsFlags;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Where, as this process sees it.
    pub path: PathBuf,
    /// Flags of this mount, without those about access times: these are kept when none is given.
    pub flags: MsFlags,
    /// Type of the file system.
    pub kind: String,
    /// Options of the file system, which tell the controllers of control groups.
    pub options: String,
}

/// All mounts in the list, in the order in which they were made.
pub fn parse(table: &[u8]) -> Vec<Mounted> {
    table.split(|byte| *byte == b'\n').filter_map(line).collect()
}

fn line(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|byte| *byte == b' ');
    let path = fields.nth(4)?;
    let options = fields.next()?;
    let mut behind = fields.skip_while(|field| *field != b"-").skip(1);
    let kind = behind.next()?;
    let superblock = behind.nth(1).unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let flags = text(options).split(',').fold(MsFlags::empty(), |flags, option| flags | flag(option));
    let path = PathBuf::from(OsString::from_vec(unescape(path)));
    Some(Mounted { path, flags, kind: text(kind), options: text(superblock) })
}

fn flag(option: &str) -> MsFlags {
    match option {
        "ro" => MsFlags::MS_RDONLY,
        "nosuid" => MsFlags::MS_NOSUID,
        "nodev" => MsFlags::MS_NODEV,
        "noexec" => MsFlags::MS_NOEXEC,
        _ => MsFlags::empty(),
    }
}

/// Blanks, tabs, newlines and backslashes of a path stand there as three octal digits.
fn unescape(path: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, tail)) = rest.split_first() {
        let octal = (*first == b'\\')
            .then(|| tail.get(..3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(byte) = octal {
            plain.push(byte);
            rest = &tail[3..];
        } else {
            plain.push(*first);
            rest = tail;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_and_without_optional_fields_are_read() {
        let table =
            b"36 35 98:0 /mnt1 /mnt/a\\040b rw,nosuid,noexec,noatime master:1 - ext4 /dev/root rw,errors=continue\n\
            40 35 0:5 / /sys/fs/cgroup/pids ro,relatime - cgroup cgroup rw,pids\n";
        let mounts = parse(table);
        assert_eq!(mounts.len(), 2);
        assert_eq!(mounts[0].path, PathBuf::from("/mnt/a b"));
        assert_eq!(mounts[0].flags, MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC);
        assert_eq!((mounts[1].kind.as_str(), mounts[1].options.as_str()), ("cgroup", "rw,pids"));
        assert!(mounts[1].flags.contains(MsFlags::MS_RDONLY));
    }

    #[test]
    fn the_own_list_has_a_root() {
        let mounts = parse(&std::fs::read("/proc/self/mountinfo").unwrap());
        assert!(mounts.iter().any(|mounted| mounted.path == std::path::Path::new("/")));
    }
}
