use serde_json::json;

use super::Root;
use crate::core::AgentId;
use crate::state::{ApprovalRow, ApprovalStatus, AuditRow, Verdict};

fn question(id: &str, hash: u8) -> ApprovalRow {
    ApprovalRow {
        approval_id: id.to_owned(),
        kind: "exec".to_owned(),
        status: ApprovalStatus::Pending,
        agent_id: AgentId::from("main"),
        session_key: Some("agent:main:main".to_owned()),
        run_id: Some("run".into()),
        tool_call_id: Some("call".to_owned()),
        tool: Some("exec".to_owned()),
        request: json!({"summary": "ls"}),
        request_hash: Some(vec![hash; 32]),
        decision: None,
        decided_by: None,
        reason: None,
        created_at: 10,
        expires_at: Some(20),
        decided_at: None,
    }
}

fn verdict(status: ApprovalStatus, decision: Option<&'static str>, stands_until: Option<i64>) -> Verdict {
    Verdict { status, decision, by: Some("a person".to_owned()), reason: None, at: 15, stands_until }
}

#[test]
fn a_question_is_decided_once() {
    let root = Root::new();
    let store = root.open();
    store.write_blocking(|tx| tx.insert_approval(&question("a", 1))).unwrap();
    assert_eq!(store.read_blocking(|tx| tx.pending_approvals()).unwrap(), [question("a", 1)]);
    let once = verdict(ApprovalStatus::Allowed, Some("allow-once"), None);
    let decided = store.write_blocking(move |tx| tx.decide_approval("a", &once)).unwrap().unwrap();
    assert_eq!((decided.status, decided.decided_at, decided.expires_at), (ApprovalStatus::Allowed, Some(15), Some(20)));
    let deny = verdict(ApprovalStatus::Denied, Some("deny"), None);
    assert_eq!(store.write_blocking(move |tx| tx.decide_approval("a", &deny)).unwrap(), None);
    assert_eq!(store.read_blocking(|tx| tx.approval("a")).unwrap(), Some(decided));
    let other = verdict(ApprovalStatus::Denied, None, None);
    assert_eq!(store.write_blocking(move |tx| tx.decide_approval("missing", &other)).unwrap(), None);
    assert!(store.read_blocking(|tx| tx.pending_approvals()).unwrap().is_empty());
    // What was allowed once does not stand.
    assert!(
        store.read_blocking(|tx| tx.standing_grant(&AgentId::from("main"), "exec", &[1; 32], 16)).unwrap().is_none()
    );
}

#[test]
fn a_permission_stands_for_one_agent_tool_and_fingerprint_until_it_ends() {
    let root = Root::new();
    let store = root.open();
    store
        .write_blocking(|tx| {
            tx.insert_approval(&question("a", 1))?;
            tx.decide_approval("a", &verdict(ApprovalStatus::Allowed, Some("allow-always"), Some(100)))?;
            tx.insert_approval(&question("b", 2))?;
            tx.decide_approval("b", &verdict(ApprovalStatus::Allowed, Some("allow-always"), None))
        })
        .unwrap();
    let stands = |agent: &str, tool: &str, hash: u8, now: i64| {
        let agent = AgentId::from(agent);
        store.read_blocking(|tx| tx.standing_grant(&agent, tool, &[hash; 32], now)).unwrap().is_some()
    };
    assert!(stands("main", "exec", 1, 99) && stands("main", "exec", 2, i64::MAX));
    assert!(!stands("main", "exec", 1, 100), "it has ended");
    assert!(!stands("other", "exec", 1, 50) && !stands("main", "write", 1, 50) && !stands("main", "exec", 3, 50));
    assert_eq!(store.read_blocking(|tx| tx.standing_grants(50)).unwrap().len(), 2);
    assert!(store.write_blocking(|tx| tx.revoke_grant("a", "not needed")).unwrap());
    assert!(!store.write_blocking(|tx| tx.revoke_grant("a", "again")).unwrap());
    assert!(!stands("main", "exec", 1, 50));
    // What does not stand is forgotten, what stands is kept.
    assert_eq!(store.write_blocking(|tx| tx.forget_approvals_before(16)).unwrap(), 1);
    assert!(stands("main", "exec", 2, 50));
}

#[test]
fn what_was_done_is_recorded_in_order() {
    let root = Root::new();
    let store = root.open();
    let row = |actor: &str, outcome| AuditRow {
        at: 5,
        actor: actor.to_owned(),
        action: "approval.decided".to_owned(),
        outcome,
        agent_id: Some("main".to_owned()),
        session_key: None,
        run_id: None,
        target: Some("a".to_owned()),
        details: json!({"decision": "deny"}),
    };
    let (first, second) = (row("one", "ok"), row("two", "denied"));
    let stored = [second.clone(), first.clone()];
    store
        .write_blocking(move |tx| {
            tx.record_audit(&first)?;
            tx.record_audit(&second)
        })
        .unwrap();
    assert_eq!(store.read_blocking(|tx| tx.audit(10)).unwrap(), stored);
    assert_eq!(store.read_blocking(|tx| tx.audit(1)).unwrap().len(), 1);
}
