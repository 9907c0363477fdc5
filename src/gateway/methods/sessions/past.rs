//! A conversation's events, and what it was after each.

use serde_json::{Value, json};

use super::list;
use crate::core::{AgentId, Error, Result, SessionId, SessionKey};
use crate::gateway::methods::spec::Call;
use crate::session::timeline::timeline_json;

/// Events of a page when the caller names no number.
const DEFAULT_LIMIT: usize = 200;

pub(super) async fn timeline(call: Call) -> Result<Value> {
    let (key, agent, session) = transcript(&call).await?;
    let after = call.args.integer("after").unwrap_or(0);
    let limit = call.args.count("limit").unwrap_or(DEFAULT_LIMIT);
    let (read_agent, read_session) = (agent.clone(), session.clone());
    let (events, last_seq) = call
        .services
        .read(move |tx| {
            let events = tx.events(&read_agent, &read_session, after, limit)?;
            let shown = events.iter().map(|stored| (stored.seq, timeline_json(stored.seq, &stored.event)));
            Ok((shown.collect::<Vec<_>>(), tx.last_seq(&read_agent, &read_session)?))
        })
        .await?;
    let reached = events.last().map_or(after, |(seq, _)| *seq);
    let has_more = reached < last_seq && !events.is_empty();
    let mut answer = json!({
        "key": key, "agentId": agent, "sessionId": session,
        "events": events.into_iter().map(|(_, event)| event).collect::<Vec<_>>(),
        "hasMore": has_more, "lastSeq": last_seq,
    });
    if has_more {
        answer["nextAfter"] = reached.into();
    }
    Ok(answer)
}

pub(super) async fn state_at(call: Call) -> Result<Value> {
    let (key, agent, session) = transcript(&call).await?;
    let wanted = call.args.integer("seq");
    let (read_agent, read_session) = (agent.clone(), session.clone());
    let last_seq = call.services.read(move |tx| tx.last_seq(&read_agent, &read_session)).await?;
    if let Some(seq) = wanted
        && seq > last_seq
    {
        return Err(Error::user(format!("sessions.stateAt: there is no event {seq}"))
            .why(format!("the transcript ends with event {last_seq}"))
            .hint("sessions.timeline lists the events"));
    }
    let state = call.services.runtime.state_at(&agent, &session, wanted).await?;
    Ok(json!({
        "key": key, "agentId": agent, "sessionId": session, "seq": wanted.unwrap_or(last_seq), "state": state.to_json(),
    }))
}

/// The transcript, if there is anything in it.
async fn known(call: &Call, agent: &AgentId, session: SessionId) -> Result<SessionId> {
    let (read_agent, read_session) = (agent.clone(), session.clone());
    match call.services.read(move |tx| tx.last_seq(&read_agent, &read_session)).await? {
        0 => Err(Error::not_found(format!("agent {agent} has no transcript {:?}", session.as_str()))
            .hint("leave sessionId out for the conversation's current transcript")),
        _ => Ok(session),
    }
}

/// Which transcript is meant: the named one, else the conversation's current one.
async fn transcript(call: &Call) -> Result<(SessionKey, AgentId, SessionId)> {
    let (key, agent) = call.services.key(call.args.text("key"), call.args.text("agentId"))?;
    let session = match call.args.session_id() {
        Some(session) => known(call, &agent, session).await?,
        None => list::entry(&call.services, &key, &agent).await?.session_id,
    };
    Ok((key, agent, session))
}
