//! Questions to people: durable, answered once, told to everybody.
//!
//! ```text
//! tool ──ApprovalRequest──▶ RunApprover ──standing grant?──▶ Allowed (standing)
//!                                │ no
//!                                ▼
//!                    row in `approvals` (pending) ──▶ RuntimeEvent::ApprovalRequested ──▶ clients
//!                                │                                                          │
//!        expiry, end of the run, restart ──▶ exactly one verdict ◀── Runtime::resolve_approval
//!                                │
//!                                ▼
//!                    RuntimeEvent::ApprovalResolved, the tool goes on or tells the model why not
//! ```
//! Every question and verdict is in `audit` too, in the same transaction.
//!
//! | file | job |
//! |---|---|
//! | `approver` | [`crate::tools::Approver`] for the tools of a run |
//! | `question` | ask, wait, decide, expire |
//! | `grants` | what an `allow-always` leaves behind |
//! | `document` | the exec approvals document: read, compare and set, note uses |
//! | `shape` | OpenClaw's JSON of all that |

mod approver;
pub mod document;
mod grants;
mod question;
pub mod shape;

pub(super) use approver::RunApprover;
pub use grants::revoke;
pub use question::{Answer, Question};

use crate::core::now_ms;
use crate::state::{ApprovalRow, AuditRow};

/// The audit entry about a question.
fn audit(row: &ApprovalRow, actor: &str, action: &str, outcome: &'static str) -> AuditRow {
    let command: String = row.request["summary"].as_str().unwrap_or_default().chars().take(500).collect();
    AuditRow {
        at: now_ms(),
        actor: actor.to_owned(),
        action: action.to_owned(),
        outcome,
        agent_id: Some(row.agent_id.to_string()),
        session_key: row.session_key.clone(),
        run_id: row.run_id.as_ref().map(ToString::to_string),
        target: Some(row.approval_id.clone()),
        details: serde_json::json!({
            "tool": row.tool, "command": crate::core::redact::text(&command), "status": row.status.as_str(),
            "decision": row.decision, "reason": row.reason,
        }),
    }
}
