//! What an `allow-always` leaves behind.

use serde_json::json;

use super::audit;
use crate::core::{Error, ErrorKind, Result, now_ms};
use crate::state::{ApprovalRow, WriteTx};

/// Takes a permission back. The rows of approvals are the grants, so a later identical call asks again.
pub fn revoke(tx: &WriteTx<'_>, id: &str, by: &str) -> Result<()> {
    let row: ApprovalRow =
        tx.approval(id)?.filter(|row| row.decision.as_deref() == Some("allow-always")).ok_or_else(|| {
            Error::not_found(format!("there is no standing grant {id}"))
                .hint("openclaw approvals grants lists them")
                .details(json!({"code": "APPROVAL_NOT_FOUND", "id": id}))
        })?;
    if !tx.revoke_grant(id, &format!("revoked by {by}"))? {
        return Err(Error::new(ErrorKind::Conflict, format!("the grant {id} does not stand any more"))
            .why(row.reason.unwrap_or_else(|| "it has ended".to_owned())));
    }
    let mut entry = audit(&row, by, "grant.revoked", "ok");
    entry.at = now_ms();
    tx.record_audit(&entry)
}
