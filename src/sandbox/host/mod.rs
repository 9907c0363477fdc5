//! The gateway's side of a sandbox with a supervisor (Linux).
//!
//! | file | job |
//! |---|---|
//! | `backends` | which means are used for a policy |
//! | `probes` | what the means guarantee here, tried out |
//! | `remedy` | what would help |
//! | `means` | what every start takes: the spawner, control groups |
//! | `plan` | what the stages are told |
//! | `spawner` | the thread that starts outer stages and reaps those that nobody waits for |
//! | `outer` | a started stage: wait, kill, reap |
//! | `launch` | from a plan to a running command: set-up, projection, the supervisor's answers |
//! | `drive` | the task beside a running command: output, events, requests, backstops |
//! | `sweep` | what a killed supervisor left behind |

mod backends;
mod drive;
mod launch;
mod means;
mod outer;
mod plan;
mod probes;
mod remedy;
mod spawner;
mod sweep;

use std::time::Duration;

pub(super) use backends::Backends;

/// How long a supervisor may take to do what it has to, beyond the time the command has. Then it is killed.
const PATIENCE: Duration = Duration::from_secs(5);
