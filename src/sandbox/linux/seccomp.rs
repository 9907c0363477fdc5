//! System call filters.
//!
//! A deny list: what programs ordinarily need stays allowed, and namespaces and Landlock carry the rest. What is refused is what widens the
//! kernel's attack surface, makes namespaces or mounts, looks into other processes, or opens sockets. `clone3` keeps its flags in memory, where
//! a filter cannot look: it is said not to exist, so that C libraries fall back to `clone`.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

use super::setup::{At, StageFailure};

const STAGE: &str = "system call filter";

/// `fchmodat2` has the same number on all architectures.
const FCHMODAT2: i64 = 452;
/// `open_tree_attr` too.
const OPEN_TREE_ATTR: i64 = 467;

/// Refused whatever their arguments are.
const DENIED: &[i64] = &[
    // Looking into other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Reaches other system calls past this filter.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    OPEN_TREE_ATTR,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_unshare,
    // Kernel interfaces with a history, which need rights that are gone anyway.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_acct,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_syslog,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_nfsservctl,
    libc::SYS_lookup_dcookie,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS__sysctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Flags of `clone` that make namespaces.
const NEW_NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Terminal requests that put characters into somebody's input. The kernel looks at 32 bits of the number, so the filter does.
const TERMINAL_INJECTION: [u64; 2] = [0x5412, 0x541c];

/// Set-user-ID and set-group-ID: a file so marked on the host's disk would give its rights to whoever runs it there.
const SET_ID_BITS: [u64; 2] = [0o4000, 0o2000];

/// Where the mode is among the arguments of the calls that change it.
const CHANGE_MODE: &[(i64, u8)] = &[
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chmod, 1),
    (libc::SYS_fchmod, 1),
    (libc::SYS_fchmodat, 2),
    (FCHMODAT2, 2),
];

/// The same call in the x32 numbering of x86-64.
const X32_BIT: i64 = 0x4000_0000;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// A condition on the lower 32 bits of an argument: what the kernel reads of flags, families, modes and request numbers.
fn when(argument: u8, operation: SeccompCmpOp, value: u64) -> Result<SeccompCondition, StageFailure> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operation, value).at(STAGE)
}

/// Matches when all conditions do.
fn all_of(conditions: Vec<SeccompCondition>) -> Result<SeccompRule, StageFailure> {
    SeccompRule::new(conditions).at(STAGE)
}

/// A C constant as the filter compares it.
fn constant(value: i32) -> u64 {
    u64::from(value.unsigned_abs())
}

/// Sockets: none, or those of the Internet and of the kernel's routing tables, which name resolution asks.
fn socket_rules(network: bool) -> Result<Vec<SeccompRule>, StageFailure> {
    if !network {
        return Ok(Vec::new());
    }
    let families = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let others = families.iter().map(|family| when(0, SeccompCmpOp::Ne, constant(*family)));
    Ok(vec![
        all_of(others.collect::<Result<_, _>>()?)?,
        all_of(vec![
            when(0, SeccompCmpOp::Eq, constant(libc::AF_NETLINK))?,
            when(2, SeccompCmpOp::Ne, constant(libc::NETLINK_ROUTE))?,
        ])?,
    ])
}

/// Everything that is refused.
fn rules(network: bool) -> Result<Rules, StageFailure> {
    let mut rules: Rules = DENIED.iter().map(|number| (*number, Vec::new())).collect();
    rules.insert(libc::SYS_socket, socket_rules(network)?);
    // A pair of connected sockets reaches nobody, and programs talk to their children with it.
    rules.insert(libc::SYS_socketpair, vec![all_of(vec![when(0, SeccompCmpOp::Ne, constant(libc::AF_UNIX))?])?]);
    let bits = |argument: u8, mask: u64| all_of(vec![when(argument, SeccompCmpOp::MaskedEq(mask), mask)?]);
    let namespaces = NEW_NAMESPACES.iter().map(|flag| bits(0, constant(*flag)));
    rules.insert(libc::SYS_clone, namespaces.collect::<Result<_, _>>()?);
    let requests = TERMINAL_INJECTION.iter().map(|request| all_of(vec![when(1, SeccompCmpOp::Eq, *request)?]));
    rules.insert(libc::SYS_ioctl, requests.collect::<Result<_, _>>()?);
    for (number, argument) in CHANGE_MODE {
        let marks = SET_ID_BITS.iter().map(|mark| bits(*argument, *mark));
        rules.insert(*number, marks.collect::<Result<_, _>>()?);
    }
    if cfg!(target_arch = "x86_64") {
        let twins: Rules = rules.iter().map(|(number, rules)| (number | X32_BIT, rules.clone())).collect();
        rules.extend(twins);
    }
    Ok(rules)
}

fn compile(rules: Rules, error: i32) -> Result<BpfProgram, StageFailure> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).at(STAGE)?;
    let refusal = SeccompAction::Errno(error.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refusal, architecture).at(STAGE)?;
    BpfProgram::try_from(filter).at(STAGE)
}

/// Puts the filters in force for this process and all that it starts. A process of another architecture is killed at its first call.
pub fn apply(network: bool) -> Result<(), StageFailure> {
    let mut hidden: Rules = [(libc::SYS_clone3, Vec::new())].into();
    if cfg!(target_arch = "x86_64") {
        hidden.insert(libc::SYS_clone3 | X32_BIT, Vec::new());
    }
    let hidden = compile(hidden, libc::ENOSYS)?;
    let denied = compile(rules(network)?, libc::EPERM)?;
    apply_filter(&hidden).at(STAGE)?;
    apply_filter(&denied).at(STAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_compile_and_fit_the_kernels_bound() {
        for network in [false, true] {
            let rules = rules(network).unwrap();
            assert!(rules[&libc::SYS_socket].is_empty() != network);
            let program = compile(rules, libc::EPERM).unwrap();
            assert!(program.len() > 200 && program.len() < 4096, "{}", program.len());
        }
    }

    #[test]
    fn a_filtered_thread_is_refused_what_others_may() {
        let free = std::net::UdpSocket::bind("127.0.0.1:0");
        assert!(free.is_ok(), "the positive control");
        // Filters hold for one thread here: the other tests of this process go on.
        let refused = std::thread::spawn(|| {
            apply(false).unwrap();
            let inet = std::net::UdpSocket::bind("127.0.0.1:0").map(|_| ());
            let unix = std::os::unix::net::UnixDatagram::unbound().map(|_| ());
            let pair = std::os::unix::net::UnixStream::pair().map(|_| ());
            let spawned = std::process::Command::new("/bin/true").status();
            let user = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER);
            (inet, unix, pair, spawned, user)
        })
        .join()
        .unwrap();
        let errors = [refused.0.unwrap_err(), refused.1.unwrap_err(), refused.4.unwrap_err().into()];
        assert!(errors.iter().all(|error| error.kind() == std::io::ErrorKind::PermissionDenied), "{errors:?}");
        assert!(refused.2.is_ok() && refused.3.unwrap().success());
    }
}
