//! Line 6: from a message to a finished turn.
//!
//! ```text
//! TurnRequest ──submit──▶ lane (one run per session, FIFO, bounded) ──▶ PreparedAgentRun, durable in `runs`
//!      │                                                                     │ global cap
//!      ▼                                                                     ▼
//!  Accepted (after COMMIT)                        agent_loop::run(prepared, context, &dyn RunHost)
//!                                                  model ⇄ tools, one transaction per step, events to subscribers
//! ```
//! [`agent_loop`] is written once against [`host::RunHost`]; `inline` is the host inside the gateway process. A worker
//! process speaks the same trait over its broker connection. Everything durable goes through `state`; what is kept in memory
//! (live projections in `live`, recent outcomes in `registry`) is only ever fed from committed rows.

mod admission;
pub mod agent_loop;
mod breaker;
mod calls;
mod drive;
mod durable;
mod ending;
mod entries;
pub mod host;
mod images;
mod inline;
mod lanes;
mod live;
pub mod prepared;
pub mod prompt;
mod recovery;
mod registry;
mod request;
mod service;
mod sessions;
mod submit;
#[cfg(test)]
mod tests;
pub mod types;
mod weight;

pub use prepared::PreparedAgentRun;
pub use service::Runtime;
pub use types::{Accepted, AcceptedStatus, RunEvent, RunEventBody, RunOutcome, RunStatus, RuntimeEvent, TurnRequest};
