//! Line 1: what every other module may use. Ids, the one error type people see, clock, limits.

pub mod clock;
pub mod error;
mod filesystem_mode;
pub mod ids;
pub mod limits;
pub mod redact;
pub mod suggest;

pub use clock::now_ms;
pub use error::{Error, ErrorKind, ProviderErrorClass, Result};
pub use filesystem_mode::FilesystemMode;
pub use ids::{AgentId, EventId, RunId, SessionId, SessionKey, ToolCallId};
