//! The single-step probes, and what has to come of each.

use super::place::{CANARY, Place};

/// What may come of a probe at a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Denied,
    Allowed,
}

use Expected::{Allowed, Denied};

/// One probe.
pub(super) struct Row {
    /// In the attack list.
    pub(super) number: &'static str,
    pub(super) probe: String,
    pub(super) strict: Expected,
    pub(super) relaxed: Expected,
    /// Why the probe cannot succeed on this machine even without a sandbox.
    pub(super) no_control: Option<&'static str>,
}

const CONTAINER: &str = "the virtual machine's root lacks the right, or the kernel was built without it";

/// All probes against this place.
pub(super) fn rows(place: &Place) -> Vec<Row> {
    let home = place.home().display();
    let workspace = place.workspace();
    let workspace = workspace.display();
    let us = std::process::id();
    let tcp = place.tcp.local_addr().expect("an address").port();
    let tcp6 = place.tcp6.as_ref().map(|server| server.local_addr().expect("an address").port());
    let udp = place.udp.local_addr().expect("an address").port();
    let mut rows = Vec::new();
    let mut denied = |number: &'static str, probe: String| {
        rows.push(Row { number, probe, strict: Denied, relaxed: Denied, no_control: None });
    };
    for path in ["/etc/shadow", "/root/.profile", "/var/log/dpkg.log", "/boot"] {
        denied("A1", format!("read|{path}"));
    }
    for name in ["secret", ".ssh/id_rsa", "state/state/openclaw.sqlite", "state/openclaw.json", "other-workspace/notes"]
    {
        denied("A1", format!("read|{home}/{name}"));
    }
    denied("A1", format!("list|{home}/other-workspace"));
    denied("A1", format!("stat|{home}/secret"));
    for path in ["/usr/attacked", "/etc/attacked", "/var/spool/cron/attacked", "/opt/attacked", "/attacked"] {
        denied("A2", format!("create|{path}"));
    }
    for name in [".bashrc", ".profile", ".config/autostart/x.desktop", ".ssh/authorized_keys"] {
        denied("A2", format!("append|{home}/{name}"));
    }
    for name in ["openclaw.sqlite", "openclaw.sqlite-wal"] {
        denied("A3", format!("write|{home}/state/state/{name}"));
        denied("A3", format!("chmod|{home}/state/state/{name}"));
        denied("A3", format!("utime|{home}/state/state/{name}"));
        denied("A3", format!("setxattr|{home}/state/state/{name}"));
        denied("A3", format!("chown|{home}/state/state/{name}"));
        denied("A3", format!("link|{home}/state/state/{name}|{workspace}/{name}"));
    }
    denied("A3", format!("create|{home}/state/state/openclaw.sqlite-journal"));
    denied("A7", format!("environ|{CANARY}"));
    denied("A7", format!("contains|/proc/1/environ|{CANARY}"));
    denied("A8", format!("contains|/proc/{us}/cmdline|it-"));
    denied("A8", format!("read|/proc/{us}/mem"));
    denied("A8", format!("list|/proc/{us}/fd"));
    denied("A9", format!("read|/proc/self/root{home}/secret"));
    denied("A9", "read|/proc/self/cwd/../secret".into());
    denied("A9", format!("read|/proc/thread-self/root{home}/secret"));
    denied("A10", "descriptors".into());
    denied("A12", format!("ptrace|{us}"));
    denied("A12", format!("vm-read|{us}"));
    denied("A12", format!("pidfd-getfd|{us}"));
    denied("A12", format!("kcmp|{us}"));
    denied("A13", format!("signal|{us}"));
    denied("A14", format!("setuid-mark|{workspace}"));
    for probe in [
        "unshare-user",
        "unshare-mount",
        "clone-user",
        "clone3-user",
        "setns",
        "remount",
        "umount",
        "pivot-root",
        "open-tree",
        "fsopen",
        "move-mount",
        "mount-setattr",
        "chroot",
    ] {
        denied("A16", probe.into());
    }
    denied("A16", format!("mount|{workspace}/mounted"));
    for path in [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper",
        "/sys/fs/cgroup/pids/release_agent",
        "/proc/sys/vm/drop_caches",
        "/proc/irq/default_smp_affinity",
    ] {
        denied("A17", format!("write|{path}"));
    }
    for probe in [
        "bpf",
        "perf",
        "userfaultfd",
        "keyctl",
        "add-key",
        "handle",
        "fanotify",
        "quotactl",
        "swapon",
        "reboot",
        "settime",
        "syslog",
        "acct",
        "sethostname",
    ] {
        denied("A18", probe.into());
    }
    for path in ["/dev/mem", "/dev/kmsg", "/dev/fuse", "/dev/vda", "/proc/kcore"] {
        denied("A18", format!("read|{path}"));
    }
    denied("A19", "io-uring".into());
    if cfg!(target_arch = "x86_64") {
        denied("A20", "i386-socket".into());
    }
    denied("A21", "tiocsti".into());
    denied("A21", "tiocsti-high".into());
    denied("A21", "tioclinux".into());
    denied("A23", format!("unix|{home}/agent.sock"));
    denied("A24", format!("abstract|{}", place.abstract_name));
    // Packet, audit, VSOCK, ALG: more than the Internet needs.
    for probe in ["packet", "netlink-audit", "family|40", "raw"] {
        denied("A25", probe.into());
    }
    denied("A38", "own-program".into());
    denied("A38", "init-program".into());
    let none = |number: &'static str, probe: String| Row {
        number,
        probe,
        strict: Denied,
        relaxed: Denied,
        no_control: Some(CONTAINER),
    };
    rows.extend([
        none("A18", format!("mknod-disk|{workspace}")),
        none("A18", "bytes|/proc/kmsg".into()),
        none("A18", "init-module".into()),
        none("A18", "kexec".into()),
        none("A20", "x32-socket".into()),
        none("A21", "terminal".into()),
        none("A25", "seqpacket-family|38".into()),
        none("A25", "family|31".into()),
    ]);
    // What Relaxed is there for.
    let network = |probe: String| Row { number: "A25", probe, strict: Denied, relaxed: Allowed, no_control: None };
    rows.push(network(format!("tcp|127.0.0.1|{tcp}")));
    rows.push(network(format!("udp|127.0.0.1|{udp}")));
    rows.push(network(format!("fast-open|127.0.0.1|{tcp}")));
    rows.push(network("netlink".into()));
    rows.push(network("listen".into()));
    rows.extend(tcp6.map(|port| network(format!("tcp6|{port}"))));
    // What programs need everywhere.
    let useful = |number: &'static str, probe: String| Row {
        number,
        probe,
        strict: Allowed,
        relaxed: Allowed,
        no_control: None,
    };
    rows.extend([
        useful("A23", "socketpair".into()),
        useful("A45", "thread".into()),
        useful("A46", "memfd-exec".into()),
        useful("use", format!("create|{workspace}/made")),
        useful("use", "create|/tmp/made".into()),
        useful("use", format!("mkdir|{workspace}/directory-{us}")),
        useful("use", "read|/usr/bin/true".into()),
        useful("use", "write|/dev/null".into()),
        useful("use", "read|/dev/urandom".into()),
        useful("use", "read|/proc/self/status".into()),
        useful("use", "stat|/etc/passwd".into()),
    ]);
    rows
}
