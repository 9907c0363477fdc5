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
//!
//! As a library, without a gateway:
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use openclaw::config::{self, LoadOptions};
//! use openclaw::providers::ProviderRegistry;
//! use openclaw::runtime::{RunStatus, Runtime, TurnRequest};
//! use openclaw::session::ContentBlock;
//! use openclaw::state::{OpenOptions, StatePaths, Store};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> openclaw::core::Result<()> {
//! # let directory = tempfile::tempdir().expect("a temporary directory");
//! # let root = directory.path().to_owned();
//! let load = LoadOptions {
//!     process_env: BTreeMap::new(), // no keys: the built-in offline model answers
//!     cwd: root.clone(),
//!     state_root: root.clone(),
//!     config_path: None,
//! };
//! let config = Arc::new(config::load(&load)?);
//! let providers = ProviderRegistry::build(&config.view, &config.env)?;
//! let paths = StatePaths::new(&root);
//! let store = Store::open(&paths, &OpenOptions::default())?;
//! let runtime = Runtime::start(store, paths, config, providers).await?;
//!
//! let message = TurnRequest {
//!     content: vec![ContentBlock::text("say: good morning")],
//!     channel: "library".to_owned(),
//!     ..TurnRequest::default()
//! };
//! let accepted = runtime.submit(message).await?; // durable from here on
//! let outcome = runtime.wait(&accepted.run_id, None).await?.expect("no time limit was given");
//! assert_eq!(outcome.status, RunStatus::Ok);
//! assert!(outcome.text.contains("good morning"));
//!
//! runtime.shutdown(Duration::from_secs(5)).await?;
//! runtime.store().close().await?;
//! # Ok(())
//! # }
//! ```

mod admission;
pub mod agent_loop;
pub mod approvals;
pub mod artifacts;
mod breaker;
mod calls;
mod drive;
mod durable;
mod ending;
mod entries;
pub mod explain;
pub mod files;
pub mod host;
mod images;
mod inline;
mod lanes;
mod live;
pub mod modes;
pub mod prepared;
pub mod prompt;
mod recovery;
mod registry;
mod request;
mod service;
mod sessions;
mod submit;
mod teller;
#[cfg(test)]
mod tests;
pub mod trajectory;
mod trajectory_export;
pub mod types;
mod weight;

pub use prepared::PreparedAgentRun;
pub use service::Runtime;
pub use trajectory_export::content as artifact_content;
pub use types::{Accepted, AcceptedStatus, RunEvent, RunEventBody, RunOutcome, RunStatus, RuntimeEvent, TurnRequest};
