//! Kills what a supervisor left behind because it was killed itself, where no namespace dies with it.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::sandbox::supervisor::process_stat;

/// Rounds of looking: who is killed in one round cannot start anybody in the next.
const ROUNDS: usize = 20;

/// Kills every process of the session that an outer stage began. To be called before the stage is reaped: until then the number of its
/// session belongs to nobody else.
pub(super) fn kill_session(outer: u32) {
    let Ok(session) = i32::try_from(outer) else { return };
    for _ in 0..ROUNDS {
        let mut found = false;
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
            let Some(pid) = pid.filter(|pid| *pid != session) else { continue };
            if process_stat(pid).is_some_and(|stat| stat.session == session && !stat.ended) {
                found = true;
                // dropped: it has ended meanwhile
                kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap_or(());
            }
        }
        if !found {
            return;
        }
    }
}
