//! A small file system that can fill up or turn read-only. It is mounted in a namespace of its own, so the machine does
//! not see it and it ends with the process that holds it, however the tests end.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The mount and its holder.
pub(crate) struct Disk {
    holder: Child,
    at: PathBuf,
}

impl Disk {
    /// Mounts an empty tmpfs over `at`; `None`, with a line that says why, where the system does not permit it.
    pub(crate) fn mount(at: &Path, size: &str) -> Option<Self> {
        let script = r#"mount -t tmpfs -o "size=$2,mode=700" tmpfs "$1" && echo mounted && exec cat"#;
        let holder = Command::new("unshare")
            .args(["--map-root-user", "--mount", "--propagation", "private", "sh", "-c", script, "sh"])
            .arg(at)
            .arg(size)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut holder = match holder {
            Ok(holder) => holder,
            Err(error) => {
                skip(&format!("unshare: {error}"));
                return None;
            }
        };
        let mut line = String::new();
        BufReader::new(holder.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("the pipe can be read");
        if line.trim() == "mounted" {
            return Some(Self { holder, at: at.to_owned() });
        }
        let mut why = String::new();
        holder.stderr.take().expect("a pipe").read_to_string(&mut why).expect("the pipe can be read");
        holder.wait().expect("it has ended");
        skip(why.trim());
        None
    }

    /// The directory as a process outside the namespace reaches it.
    pub(crate) fn seen(&self) -> PathBuf {
        let below = self.at.strip_prefix("/").expect("an absolute path");
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(below)
    }

    /// A command of `program` that sees the file system.
    pub(crate) fn enter(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.holder.id().to_string(), "--user", "--preserve-credentials", "--mount", "--"])
            .arg(program);
        command
    }

    /// Makes the file system read-only, or writable again. Nothing on it may be open for writing.
    pub(crate) fn set_read_only(&self, read_only: bool) {
        let options = if read_only { "remount,ro" } else { "remount,rw" };
        let done = self.enter("mount").args(["-o", options]).arg(&self.at).output().expect("nsenter starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Writes until nothing fits any more.
    pub(crate) fn fill(&self) {
        let mut file = std::fs::File::create(self.ballast()).expect("a file");
        for size in [65_536, 4096, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    /// Gives one page back; false when none is left to give.
    pub(crate) fn free_a_page(&self) -> bool {
        let file = std::fs::OpenOptions::new().write(true).open(self.ballast()).expect("the file is there");
        let length = file.metadata().expect("its size").len();
        file.set_len(length.saturating_sub(4096)).expect("it can shrink");
        length > 0
    }

    /// Gives the space back.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.ballast()).expect("the file is there");
    }

    fn ballast(&self) -> PathBuf {
        self.seen().join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // dropped: without it the mount is gone anyway
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

fn skip(why: &str) {
    eprintln!("skipped: this needs a mount namespace ({why})");
}
