//! Ask, wait, decide, expire.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::audit;
use crate::core::{AgentId, Error, ErrorKind, Result, RunId, now_ms};
use crate::runtime::service::Runtime;
use crate::runtime::types::RuntimeEvent;
use crate::state::{ApprovalRow, ApprovalStatus, Verdict};
use crate::tools::ApprovalRequest;

/// Terminal questions are kept this long.
const KEPT_MS: i64 = 30 * 24 * 3_600_000;

/// What a person answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// This time.
    AllowOnce,
    /// This and every later time, for exactly the same.
    AllowAlways,
    /// No.
    Deny,
}

impl Answer {
    /// All answers.
    pub const ALL: [Self; 3] = [Self::AllowOnce, Self::AllowAlways, Self::Deny];

    /// `allow-once`, `allow-always`, `deny`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowOnce => "allow-once",
            Self::AllowAlways => "allow-always",
            Self::Deny => "deny",
        }
    }

    /// The answer with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|answer| answer.as_str() == name)
    }
}

/// Who wants to know, and what.
#[derive(Debug, Clone)]
pub struct Question {
    /// A name for the question; `None` = a fresh one.
    pub id: Option<String>,
    /// For whom.
    pub agent_id: AgentId,
    /// In which conversation.
    pub session_key: Option<String>,
    /// In which run.
    pub run_id: Option<RunId>,
    /// For which call.
    pub tool_call_id: Option<String>,
    /// What.
    pub request: ApprovalRequest,
    /// How long it can be decided.
    pub timeout: Duration,
}

impl Runtime {
    /// Puts a question; it is durable and told to everybody when this returns. It ends as expired when its time is over, and as cancelled
    /// when `gone` is.
    pub async fn ask_approval(&self, question: Question, gone: CancellationToken) -> Result<ApprovalRow> {
        let runtime = self.clone();
        // A task of its own: a caller that goes away meanwhile must not leave a question that nobody ends.
        let asked = tokio::spawn(async move {
            let row = row_of(&question);
            let stored = row.clone();
            runtime
                .store()
                .write(move |tx| {
                    if tx.approval(&stored.approval_id)?.is_some() {
                        return Err(Error::new(
                            ErrorKind::Conflict,
                            format!("there is an approval {} already", stored.approval_id),
                        )
                        .hint("leave the id out to get a fresh one"));
                    }
                    tx.insert_approval(&stored)?;
                    tx.record_audit(&audit(&stored, &format!("agent {}", stored.agent_id), "approval.requested", "ok"))
                })
                .await?;
            runtime.broadcast(RuntimeEvent::ApprovalRequested { approval: Arc::new(row.clone()) });
            tokio::spawn(runtime.clone().guard(row.clone(), gone));
            Ok(row)
        });
        asked.await.map_err(|error| Error::internal("an approval could not be asked for").source(error))?
    }

    /// Ends a question that nobody decides.
    async fn guard(self, row: ApprovalRow, gone: CancellationToken) {
        let left = row.expires_at.unwrap_or(i64::MAX).saturating_sub(now_ms());
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        let id = row.approval_id.as_str();
        let verdict = tokio::select! {
            decided = self.await_approval(id, None) => {
                if let Err(error) = decided {
                    tracing::debug!(id, %error, "an approval is not watched any more");
                }
                return;
            }
            () = gone.cancelled() => end(ApprovalStatus::Cancelled, "whoever asked is gone"),
            () = tokio::time::sleep(left) => unanswered(&row),
        };
        if let Err(error) = self.settle(id.to_owned(), verdict).await {
            // The next start ends it.
            tracing::warn!(id, %error, "the end of an approval could not be stored");
        }
    }

    /// Waits until a question is decided; `None` when `timeout` passes first.
    pub async fn await_approval(&self, id: &str, timeout: Option<Duration>) -> Result<Option<ApprovalRow>> {
        let mut changes = self.shared.approvals.subscribe();
        let decided = async {
            loop {
                changes.borrow_and_update();
                let row = self.approval(id).await?;
                if row.status != ApprovalStatus::Pending {
                    return Ok(row);
                }
                changes
                    .changed()
                    .await
                    .map_err(|error| Error::internal("approvals are not watched any more").source(error))?;
            }
        };
        match timeout {
            None => decided.await.map(Some),
            Some(limit) => tokio::time::timeout(limit, decided).await.map_or(Ok(None), |decided| decided.map(Some)),
        }
    }

    /// The question with this id, or with an id that begins so if only one pending question does.
    pub async fn approval(&self, id: &str) -> Result<ApprovalRow> {
        let wanted = id.to_owned();
        self.store()
            .read(move |tx| {
                if let Some(row) = tx.approval(&wanted)? {
                    return Ok(row);
                }
                let mut near: Vec<_> =
                    tx.pending_approvals()?.into_iter().filter(|row| row.approval_id.starts_with(&wanted)).collect();
                match (near.pop(), near.is_empty()) {
                    (Some(row), true) if !wanted.is_empty() => Ok(row),
                    _ => Err(unknown(&wanted)),
                }
            })
            .await
    }

    /// Questions that nobody has decided, oldest first.
    pub async fn pending_approvals(&self) -> Result<Vec<ApprovalRow>> {
        self.store().read(|tx| tx.pending_approvals()).await
    }

    /// Decides a question. Only the first answer counts: a later one is a `Conflict`.
    pub async fn resolve_approval(
        &self,
        id: &str,
        answer: Answer,
        by: &str,
        grant_days: Option<u64>,
    ) -> Result<ApprovalRow> {
        let row = self.approval(id).await?;
        if answer == Answer::AllowAlways && row.request["mayStand"] != true {
            return Err(Error::user("this cannot be allowed for always")
                .why("what it runs cannot be read from it, or every call needs its own approval here")
                .hint("allow it once: allow-once"));
        }
        let days = grant_days.unwrap_or_else(|| {
            let config = self.config();
            config.view.agent(&row.agent_id).map_or(90, |agent| agent.tools.exec.grant_expiry_days)
        });
        let stands_until =
            now_ms().saturating_add(i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(24 * 3_600_000));
        let verdict = Verdict {
            status: if answer == Answer::Deny { ApprovalStatus::Denied } else { ApprovalStatus::Allowed },
            decision: Some(answer.as_str()),
            by: Some(by.to_owned()),
            reason: None,
            at: now_ms(),
            stands_until: (answer == Answer::AllowAlways).then_some(stands_until),
        };
        // Its time may be over although the task that says so has not come to it.
        if row.status == ApprovalStatus::Pending && row.expires_at.is_some_and(|end| end <= verdict.at) {
            self.settle(row.approval_id.clone(), unanswered(&row)).await?;
            return Err(decided_already(&self.approval(&row.approval_id).await?));
        }
        match self.settle(row.approval_id.clone(), verdict).await? {
            Some(row) => Ok(row),
            None => Err(decided_already(&self.approval(&row.approval_id).await?)),
        }
    }

    /// Records a verdict and tells everybody; `None` if there was one already.
    async fn settle(&self, id: String, verdict: Verdict) -> Result<Option<ApprovalRow>> {
        let settled = self
            .store()
            .write(move |tx| {
                let row = tx.decide_approval(&id, &verdict)?;
                if let Some(row) = &row {
                    let outcome = if row.status == ApprovalStatus::Allowed { "ok" } else { "denied" };
                    let actor = row.decided_by.as_deref().unwrap_or("openclaw");
                    tx.record_audit(&audit(row, actor, "approval.decided", outcome))?;
                }
                Ok(row)
            })
            .await?;
        if let Some(row) = &settled {
            self.shared.approvals.send_modify(|count| *count = count.wrapping_add(1));
            self.broadcast(RuntimeEvent::ApprovalResolved { approval: Arc::new(row.clone()) });
        }
        Ok(settled)
    }

    /// Ends what a dead process left undecided: whoever asked is gone with it.
    pub(in crate::runtime) async fn recover_approvals(&self) -> Result<()> {
        self.store()
            .write(|tx| {
                let now = now_ms();
                for row in tx.pending_approvals()? {
                    let verdict = end(ApprovalStatus::Expired, "the gateway was started again");
                    if let Some(row) = tx.decide_approval(&row.approval_id, &verdict)? {
                        tx.record_audit(&audit(&row, "openclaw", "approval.decided", "denied"))?;
                    }
                }
                tx.forget_approvals_before(now.saturating_sub(KEPT_MS))?;
                Ok(())
            })
            .await
    }
}

fn row_of(question: &Question) -> ApprovalRow {
    let request = &question.request;
    let now = now_ms();
    let timeout = i64::try_from(question.timeout.as_millis()).unwrap_or(i64::MAX);
    ApprovalRow {
        approval_id: question.id.clone().unwrap_or_else(|| RunId::generate().to_string()),
        kind: request.kind.to_owned(),
        status: ApprovalStatus::Pending,
        agent_id: question.agent_id.clone(),
        session_key: question.session_key.clone(),
        run_id: question.run_id.clone(),
        tool_call_id: question.tool_call_id.clone(),
        tool: Some(request.tool.clone()),
        request: json!({
            "summary": request.summary, "reason": request.reason, "binding": request.binding,
            "mayStand": request.may_stand, "allowUnanswered": request.allow_unanswered,
        }),
        request_hash: Some(request.fingerprint.to_vec()),
        decision: None,
        decided_by: None,
        reason: None,
        created_at: now,
        expires_at: Some(now.saturating_add(timeout)),
        decided_at: None,
    }
}

/// What becomes of a question that nobody decided in time.
fn unanswered(row: &ApprovalRow) -> Verdict {
    if row.request["allowUnanswered"] == true {
        return Verdict {
            decision: Some(Answer::AllowOnce.as_str()),
            by: Some("askFallback".to_owned()),
            ..end(ApprovalStatus::Allowed, "nobody decided in time, and askFallback allows it")
        };
    }
    end(ApprovalStatus::Expired, "nobody decided in time")
}

fn end(status: ApprovalStatus, reason: &str) -> Verdict {
    Verdict { status, decision: None, by: None, reason: Some(reason.to_owned()), at: now_ms(), stands_until: None }
}

fn unknown(id: &str) -> Error {
    Error::not_found(format!("there is no approval {id}"))
        .hint("openclaw approvals pending lists those that wait")
        .details(json!({"code": "APPROVAL_NOT_FOUND", "id": id}))
}

fn decided_already(row: &ApprovalRow) -> Error {
    let by = row.decided_by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    Error::new(ErrorKind::Conflict, format!("the approval is {}{by} already", row.status.as_str()))
        .why("only the first decision counts")
        .details(json!({
            "code": "APPROVAL_ALREADY_RESOLVED", "id": row.approval_id, "status": row.status.as_str(),
            "decision": row.decision, "resolvedBy": row.decided_by,
        }))
}
