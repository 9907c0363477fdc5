//! Confinement on Linux: the processes between the gateway and a command.
//!
//! ```text
//! gateway ── self __sandbox-outer (A) ── self __sandbox-supervisor (B) ── command
//! ```
//!
//! A closes what was inherited and makes the new view of the system; B takes the last rights away from itself, says what holds, and starts
//! and watches the command. Both are this program under another role, single-threaded, with nothing in their arguments but the role.
//!
//! | file | job |
//! |---|---|
//! | `setup` | what the gateway tells A and B, and what they answer |

pub mod setup;
