//! The gateway's port.

use crate::doctor::probe::{Listener, listener};
use crate::doctor::{Facts, Finding, Severity, files};

use super::state_dir::shown;

pub(super) const PORT: &str = "gateway.port";

/// The gateway answers there, or nobody does.
pub(super) fn port(facts: &Facts<'_>) -> Vec<Finding> {
    let port = facts.at.port;
    let target = format!("127.0.0.1:{port}");
    match listener(port) {
        Listener::Gateway => Vec::new(),
        Listener::Nobody if files::is_locked(&facts.at.paths.state_dir()) => vec![
            Finding::new(
                PORT,
                Severity::Warning,
                shown(&facts.at.paths.state_dir()),
                format!("a process holds the state directory, but nothing answers at {target}"),
            )
            .effect("a gateway on another port, one that starts or stops, or a turn running in its own process")
            .fix("if it is a gateway, use its port", Some("openclaw config get gateway.port".to_owned())),
        ],
        Listener::Nobody => vec![
            Finding::new(PORT, Severity::Info, target, "no gateway is running")
                .effect("commands run turns in their own process; nothing answers apps and channels")
                .fix("start it", Some("openclaw gateway run".to_owned())),
        ],
        other => {
            let seen = if other == Listener::Silent {
                "something accepts connections there and stays silent"
            } else {
                "another program answers there"
            };
            vec![
                Finding::new(PORT, Severity::Error, target, seen)
                    .effect("the gateway cannot listen on that port, or hangs")
                    .fix(
                        "choose another port, or end that program",
                        Some(format!("openclaw config set gateway.port {}", beside(port))),
                    ),
            ]
        }
    }
}

/// A port near by.
fn beside(port: u16) -> u16 {
    port.checked_add(1).unwrap_or(18_790)
}
