//! The attack suite: every row of the design's attack list that concerns commands, tried for real against `openclaw sandbox run`.
//!
//! `attacker.c` holds the single-step probes; [`table`] says for each what has to come of it at which level, and [`matrix`] runs all of them as
//! root and as a user without rights, with user namespaces allowed and blocked, each beside its positive control: the same probe by the same user
//! without a sandbox. [`deeds`] holds what takes more than one step: fork bombs, memory, output, background processes, set-up failures,
//! repositories. What cannot run on this machine is listed in [`NOT_HERE`], with the reason.

mod deeds;
mod matrix;
mod place;
mod repositories;
mod setup;
mod table;
mod workspaces;

/// Rows of the attack list that no test here covers, and why.
pub(super) const NOT_HERE: &[(&str, &str)] = &[
    (
        "A5",
        "no case-insensitive or normalising file system on this machine; the comparison itself is tested in fs::protect",
    ),
    ("A26", "there is no proxied allow-list of hosts: the network is off or on"),
    (
        "A38 (as seen from another container)",
        "needs a container runtime; writing to the own program is probe own-program",
    ),
    ("A43 (autofs, 9p, FUSE)", "this kernel's file systems: ext4, tmpfs, overlay; bind mounts and tmpfs are covered"),
    ("A44 (chrome, docker)", "not installed for the tests; nested namespaces are probes unshare-user and clone3-user"),
    ("A45 (Go, musl)", "no such compiler is installed for the tests; Rust and glibc threads are covered"),
    ("A47", "Windows; the flags are unit-tested, nothing was run"),
    ("A48", "macOS; the profile text is unit-tested, nothing was run"),
    (
        "B49-B58",
        "worker processes are the next issue; the file and system call rules they will use are the ones tested here",
    ),
    ("bubblewrap >= 0.12", "Debian 12 has 0.8.0; its arguments are unit-tested and 0.8.0 is run where it may be used"),
];

#[test]
fn what_is_not_covered_has_a_reason() {
    for (row, reason) in NOT_HERE {
        eprintln!("not run here: {row}: {reason}");
        assert!(reason.len() > 20, "{row}");
    }
}
