//! What the tools of a run ask through.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::question::Question;
use super::{audit, document};
use crate::core::{Result, now_ms};
use crate::runtime::service::Runtime;
use crate::state::{ApprovalRow, ApprovalStatus};
use crate::tools::policy::{ExecApprovals, Used};
use crate::tools::{ApprovalDecision, ApprovalRequest, Approver, CallIdentity};

/// Asks for one run.
pub(in crate::runtime) struct RunApprover {
    pub(in crate::runtime) runtime: Runtime,
    /// How long a question waits.
    pub(in crate::runtime) timeout: Duration,
}

impl Approver for RunApprover {
    fn decide<'a>(&'a self, call: &'a CallIdentity, request: ApprovalRequest) -> BoxFuture<'a, ApprovalDecision> {
        async move {
            match self.try_decide(call, request).await {
                Ok(decision) => decision,
                Err(error) => {
                    tracing::error!(run = %call.run_id, %error, "an approval could not be asked for");
                    let reason = "it needs an approval, and the question could not be recorded".to_owned();
                    ApprovalDecision::Denied { reason }
                }
            }
        }
        .boxed()
    }

    fn approvals(&self) -> BoxFuture<'_, Result<ExecApprovals>> {
        self.runtime.store().read(|tx| Ok(document::load(tx)?.document)).boxed()
    }

    fn used(&self, call: &CallIdentity, entries: &[Used], command: &str) {
        if entries.is_empty() {
            return;
        }
        let (store, agent, entries, command) =
            (self.runtime.store().clone(), call.agent_id.to_string(), entries.to_vec(), command.to_owned());
        tokio::spawn(async move {
            let noted = store.write(move |tx| document::note_use(tx, &agent, &entries, &command, now_ms())).await;
            if let Err(error) = noted {
                tracing::warn!(%error, "the use of an allow-list entry could not be noted");
            }
        });
    }
}

impl RunApprover {
    async fn try_decide(&self, call: &CallIdentity, request: ApprovalRequest) -> Result<ApprovalDecision> {
        if request.may_stand
            && let Some(grant) = self.standing(call, &request).await?
        {
            let by = grant.decided_by.unwrap_or_else(|| "a standing grant".to_owned());
            return Ok(ApprovalDecision::Allowed { by, standing: true });
        }
        // Whoever waits no longer leaves no open question behind.
        let gone = CancellationToken::new();
        let _guard = gone.clone().drop_guard();
        let question = Question {
            id: None,
            agent_id: call.agent_id.clone(),
            session_key: Some(call.session_key.to_string()),
            run_id: Some(call.run_id.clone()),
            tool_call_id: Some(call.tool_call_id.to_string()),
            request,
            timeout: self.timeout,
        };
        let row = self.runtime.ask_approval(question, gone).await?;
        let decided = self.runtime.await_approval(&row.approval_id, None).await?.unwrap_or(row);
        Ok(self.decision(decided))
    }

    /// The permission that stands for exactly this; its use is recorded.
    async fn standing(&self, call: &CallIdentity, request: &ApprovalRequest) -> Result<Option<ApprovalRow>> {
        let (agent, tool, hash) = (call.agent_id.clone(), request.tool.clone(), request.fingerprint);
        let now = now_ms();
        let found = self.runtime.store().read(move |tx| tx.standing_grant(&agent, &tool, &hash, now)).await?;
        let Some(grant) = found else { return Ok(None) };
        let mut entry = audit(&grant, grant.decided_by.as_deref().unwrap_or("openclaw"), "approval.standing", "ok");
        entry.session_key = Some(call.session_key.to_string());
        entry.run_id = Some(call.run_id.to_string());
        self.runtime.store().write(move |tx| tx.record_audit(&entry)).await?;
        Ok(Some(grant))
    }

    fn decision(&self, row: ApprovalRow) -> ApprovalDecision {
        let by = row.decided_by.clone().unwrap_or_else(|| "openclaw".to_owned());
        let seconds = self.timeout.as_secs();
        match row.status {
            ApprovalStatus::Allowed => ApprovalDecision::Allowed { by, standing: false },
            ApprovalStatus::Denied => ApprovalDecision::Denied {
                reason: format!("it was denied by {by}. Do not try it in another form; ask the user how to go on."),
            },
            ApprovalStatus::Expired => ApprovalDecision::Denied {
                reason: format!(
                    "it needs an approval, and nobody gave one within {seconds} seconds. Tell the user what you wanted to do and why."
                ),
            },
            ApprovalStatus::Cancelled | ApprovalStatus::Pending => ApprovalDecision::Denied {
                reason: "it needs an approval, and the run was ended before one came.".to_owned(),
            },
        }
    }
}
