//! Line 2: the session as an append-only log of eight event kinds. Pure: no I/O, no SQL, no clock.
//!
//! | where | what |
//! |---|---|
//! | [`event`], [`message`] | the eight kinds, content blocks, usage; JSON in and out without loss |
//! | [`projection`] | a set of events as a value: [`SessionState`], its laws, the tip rule |
//! | [`tree`] | children, leaves, branch points, depth |
//! | [`context`], [`repair`] | what a model is sent |
//! | [`timeline`] | state at a position, difference of two states, one line per event |
//! | [`wire`] | messages in OpenClaw's shape for clients |
//! | [`key`] | session keys and agent ids |
//!
//! ```
//! use std::sync::Arc;
//! use openclaw::session::event::MessageReceived;
//! use openclaw::session::{ContentBlock, Event, projection::project};
//!
//! let hello = MessageReceived { content: vec![ContentBlock::text("hello")], ..MessageReceived::default() };
//! let event = Event::new(None, 1_700_000_000_000, None, hello);
//! let again: Event = event.to_json().to_string().parse().expect("what was written can be read");
//! assert_eq!(again, event);
//! let state = project([Arc::new(event)]);
//! assert_eq!(state.context().len(), 1);
//! ```

mod block_json;
mod canonical;
pub mod context;
mod envelope;
pub mod event;
pub mod key;
pub mod message;
pub mod projection;
mod record;
pub mod repair;
mod steps;
#[cfg(test)]
mod tests;
pub mod timeline;
mod tip;
mod totals;
pub mod tree;
pub mod wire;

pub use envelope::EventError;
pub use event::{Event, EventBody};
pub use message::{ChatMessage, ContentBlock, StopReason, Usage};
pub use projection::SessionState;
