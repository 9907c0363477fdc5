//! How a command ended, in one line.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::Exit;

/// For the model: `exit code 2`, `ended by signal 9 (SIGKILL)`, `timed out after 120 s; …`. Times that differ from call to call are
/// left out, so that a repeated call is seen to give the same.
pub(crate) fn line(exit: &Exit, timeout: Option<Duration>) -> String {
    if exit.timed_out {
        let limit = timeout.map(|limit| format!(" after {} s", limit.as_secs())).unwrap_or_default();
        return format!("timed out{limit}; everything it had started was ended");
    }
    let bound = exit.reason.as_deref().map(|reason| match reason {
        "memory" => "; it reached its memory limit",
        "cpu" => "; it reached its limit of processor time",
        "file_size" => "; it reached the limit of a file's size",
        _ => "; it reached a limit of the sandbox",
    });
    let bound = bound.unwrap_or_default();
    match (exit.code, exit.signal) {
        _ if exit.killed => "stopped; everything it had started was ended".to_owned(),
        (_, Some(signal)) => format!("ended by signal {signal}{}{bound}", signal_name(signal)),
        (Some(code), None) => format!("exit code {code}{bound}"),
        (None, None) => format!("ended in an unknown way{bound}"),
    }
}

fn signal_name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal).map(|signal| format!(" ({signal})")).unwrap_or_default()
}

/// For clients.
pub(crate) fn details(exit: &Exit) -> Value {
    json!({
        "exitCode": exit.code,
        "signal": exit.signal,
        "durationMs": exit.duration_ms,
        "timedOut": exit.timed_out,
        "killed": exit.killed,
        "limit": exit.reason,
        "cpuMs": exit.cpu_ms,
        "maxRssBytes": exit.max_rss_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ending_has_its_words() {
        let shown = |exit: Exit| line(&exit, Some(Duration::from_secs(5)));
        insta::assert_snapshot!(shown(Exit { code: Some(2), ..Exit::default() }), @"exit code 2");
        insta::assert_snapshot!(shown(Exit { signal: Some(9), reason: Some("memory".into()), ..Exit::default() }), @"ended by signal 9 (SIGKILL); it reached its memory limit");
        insta::assert_snapshot!(shown(Exit { signal: Some(44), ..Exit::default() }), @"ended by signal 44");
        insta::assert_snapshot!(shown(Exit { signal: Some(15), timed_out: true, ..Exit::default() }), @"timed out after 5 s; everything it had started was ended");
        insta::assert_snapshot!(shown(Exit { signal: Some(9), killed: true, ..Exit::default() }), @"stopped; everything it had started was ended");
        insta::assert_snapshot!(shown(Exit::default()), @"ended in an unknown way");
    }
}
