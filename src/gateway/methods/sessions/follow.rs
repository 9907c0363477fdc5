//! Subscriptions. They belong to a WebSocket connection and end with it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::list;
use crate::core::{Error, Result, now_ms};
use crate::gateway::events::Connection;
use crate::gateway::methods::spec::Call;
use crate::runtime::approvals::shape;

pub(super) async fn subscribe(call: Call) -> Result<Value> {
    let connection = connection(&call)?;
    call.services.hub.follow_everything(connection, true);
    if call.args.is_empty() {
        return Ok(json!({"subscribed": true}));
    }
    // Subscribed first, so that no change between the list and the first event is missed.
    let list = list::page(&call).await?;
    Ok(json!({"subscribed": true, "list": list}))
}

pub(super) fn unsubscribe(call: &Call) -> Result<Value> {
    call.services.hub.follow_everything(connection(call)?, false);
    Ok(json!({"subscribed": false}))
}

pub(super) async fn messages_subscribe(call: Call) -> Result<Value> {
    let (key, _) = call.services.key(call.args.text("key"), call.args.text("agentId"))?;
    call.services.hub.follow_session(connection(&call)?, &key)?;
    let mut answer = json!({"subscribed": true, "key": key});
    if call.args.flag("includeApprovals") == Some(true) {
        // What was asked before this connection could hear of it.
        let pending = call.services.runtime.pending_approvals().await?;
        let of_session = pending.iter().filter(|row| row.session_key.as_deref() == Some(key.as_str()));
        answer["approvalReplay"] = json!({
            "sessionKey": key, "updatedAtMs": now_ms(), "truncated": false,
            "approvals": of_session.map(shape::approval).collect::<Vec<_>>(),
        });
    }
    Ok(answer)
}

pub(super) fn messages_unsubscribe(call: &Call) -> Result<Value> {
    let (key, _) = call.services.key(call.args.text("key"), call.args.text("agentId"))?;
    call.services.hub.unfollow_session(connection(call)?, &key);
    Ok(json!({"subscribed": false, "key": key}))
}

fn connection(call: &Call) -> Result<&Arc<Connection>> {
    call.caller.connection.as_ref().ok_or_else(|| {
        Error::user("events cannot be sent to this caller")
            .why("an HTTP request ends with its answer")
            .hint("connect a WebSocket to /ws and subscribe there")
    })
}
