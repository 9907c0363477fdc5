//! What the system says about processes.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Load averages.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

/// From spawn to exit; an exit code other than 0 is an error.
pub(crate) fn time(command: &mut Command) -> Result<Duration, String> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status().map_err(|error| error.to_string())?;
    let took = began.elapsed();
    if status.success() { Ok(took) } else { Err(format!("{command:?} ended with {status}")) }
}

/// All children, grandchildren and so on of `root`, and `root` itself: a peer may work in several processes.
fn family(root: u32) -> Vec<u32> {
    let mut family = vec![root];
    let mut at = 0;
    while at < family.len() {
        let pid = family[at];
        at += 1;
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            family.extend(text.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        }
    }
    family
}

/// Resident memory in MB (10⁶ bytes) and number of threads.
pub(crate) fn memory(root: u32) -> (f64, f64) {
    let (mut kib, mut threads) = (0.0, 0.0);
    for pid in family(root) {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default()
        };
        kib += field("VmRSS:");
        threads += field("Threads:");
    }
    (kib * 1024.0 / 1e6, threads)
}

/// Clock ticks of processor time used so far (100 per second).
pub(crate) fn ticks(root: u32) -> f64 {
    family(root)
        .into_iter()
        .map(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // The name in parentheses may contain blanks.
            let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
            let number = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
            number(11) + number(12)
        })
        .sum()
}

/// Asks a process to end and waits; kills it when it does not.
pub(crate) fn stop(child: &mut Child) -> Result<(), String> {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).map_err(|error| error.to_string())?;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        if child.try_wait().map_err(|error| error.to_string())?.is_some() {
            return Ok(());
        }
        pause(Duration::from_millis(1));
    }
    child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
    Err("it did not end within 20 s and was killed".to_owned())
}

/// Lets time pass on a thread that has nothing else to do.
pub(crate) fn pause(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}
