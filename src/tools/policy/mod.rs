//! What may run, and when a person is asked first. Pure: settings, a list and a command in, a decision out.
//!
//! The boundary is the sandbox; this is for people. An allow list says which programs need no second look, and everything whose effect
//! cannot be read from the command's text (shells, wrappers, expansions, inline code) is never allowed by it.
//!
//! ```text
//! tools.profile|allow|deny ──▶ ToolPolicy ──▶ which tools a run has, which of them ask
//! tools.exec.* + exec approvals + sandbox level ──▶ ExecPolicy ─┐
//! command ──▶ shell::read ──▶ simple commands ──▶ carriers ─────┼─▶ decide ──▶ Allow | Ask | Deny
//! allow list, safe programs ──▶ listed? ────────────────────────┘               │
//!                                        Binding (argv, cwd, programs, environment) ──▶ Approver
//! ```
//!
//! | file | job |
//! |---|---|
//! | `availability` | [`ToolPolicy`]: profiles, groups, allow, deny, ask |
//! | `settings` | [`ExecPolicy`]: the strictest of configuration and approvals document |
//! | `document` | [`ExecApprovals`]: OpenClaw's `exec-approvals.json` |
//! | `shell/` | a reader of shell lines that gives up rather than guesses |
//! | `carriers/` | programs that run other programs, and the arguments that make them |
//! | `allowlist`, `safe_programs` | does an entry cover this program with these arguments |
//! | `decide` | `decide` |
//! | `binding` | [`Binding`]: what exactly an approval is about |
//! | `authorize` | `authorize`: decide, ask, and look again before it starts |

mod allowlist;
mod authorize;
mod availability;
mod binding;
mod carriers;
mod decide;
mod document;
mod safe_programs;
mod settings;
mod shell;
#[cfg(test)]
mod tests;

pub use authorize::{Authorized, ExecRequest, authorize};
pub use availability::ToolPolicy;
pub(super) use availability::tool_name;
pub use binding::{Binding, fingerprint};
pub use decide::{Decision, Place, Used, decide};
pub use document::{AgentApprovals, AllowEntry, ApprovalRules, ExecApprovals};
pub use settings::{Ask, ExecPolicy, Security};
