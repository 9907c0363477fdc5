//! What a message must be like, and what becomes of it as a run.

use std::path::PathBuf;
use std::time::Duration;

use super::modes;
use super::prepared::{PREPARED_VERSION, PreparedAgentRun};
use super::service::Runtime;
use super::trajectory;
use super::types::TurnRequest;
use crate::config::AgentConfig;
use crate::core::limits::{MAX_KEY_BYTES, MAX_MESSAGE_BYTES};
use crate::core::{AgentId, Error, ErrorKind, EventId, Result, RunId, SessionKey};
use crate::providers::ThinkingLevel;
use crate::session::message::ContentBlock;
use crate::state::StatePaths;

impl Runtime {
    /// The run that a message asks for. Its transcript is not known yet.
    pub(super) fn prepare(
        &self,
        request: &TurnRequest,
        run_id: RunId,
        key: &SessionKey,
        agent_id: &AgentId,
    ) -> Result<PreparedAgentRun> {
        let setup = self.setup();
        let agent =
            setup.config.view.agent(agent_id).ok_or_else(|| Error::not_found(format!("no agent {agent_id}")))?;
        let models = match &request.model {
            Some(reference) => vec![setup.providers.resolve(reference)?.info.reference()],
            None => Vec::new(),
        };
        let thinking = request.thinking.as_deref().map(parse_thinking).transpose()?;
        let timeout = request.timeout.unwrap_or(Duration::from_secs(agent.timeout_seconds));
        Ok(PreparedAgentRun {
            version: PREPARED_VERSION,
            run_id,
            agent_id: agent_id.clone(),
            session_key: key.clone(),
            session_id: "".into(),
            message_event_id: EventId::generate(),
            content: request.content.clone(),
            channel: request.channel.clone(),
            models,
            thinking,
            max_steps: agent.max_steps,
            timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            workspace: self.workspace_of(agent),
            tools_allow: agent.tools_allow.clone(),
            tools_deny: agent.tools_deny.clone(),
            extra_system_prompt: request.extra_system_prompt.clone(),
            filesystem_mode: modes::of_run(agent, modes::of_agent(&setup.config, agent)?, request.filesystem_mode)?,
            tools: agent.tools.clone(),
            sandbox: agent.sandbox.clone(),
            trajectory: match request.trajectory {
                Some(wanted) => wanted,
                None => trajectory::by_default(setup.config.view.trajectory, &setup.config.env)?,
            },
        })
    }

    /// The agent's workspace directory.
    pub fn workspace_of(&self, agent: &AgentConfig) -> PathBuf {
        workspace_of(&self.shared.paths, agent)
    }
}

/// An agent's workspace directory.
pub(super) fn workspace_of(paths: &StatePaths, agent: &AgentConfig) -> PathBuf {
    match &agent.workspace {
        Some(path) => path.clone(),
        None if agent.is_default => paths.default_workspace(),
        None => paths.root.join(format!("workspace-{}", agent.id)),
    }
}

/// Refuses what is empty, too long or not text.
pub(super) fn check_content(content: &[ContentBlock]) -> Result<()> {
    let mut bytes = 0;
    let mut filled = false;
    for block in content {
        match block.as_text() {
            Some(text) => {
                if text.contains('\0') {
                    return Err(Error::user("the message contains a NUL character").hint("remove it and send again"));
                }
                bytes += text.len();
                filled |= !text.trim().is_empty();
            }
            None => filled = true,
        }
    }
    if !filled {
        return Err(Error::user("the message is empty").hint("send some text or an image"));
    }
    if bytes > MAX_MESSAGE_BYTES {
        return Err(Error::new(ErrorKind::TooLarge, format!("the message has {bytes} bytes"))
            .why(format!("the limit is {MAX_MESSAGE_BYTES} bytes"))
            .hint("put the text into a file in the workspace and ask the agent to read it"));
    }
    Ok(())
}

/// Refuses keys that cannot be stored and shown.
pub(super) fn check_idempotency_key(text: &str) -> Result<&str> {
    let usable = !text.is_empty() && text.len() <= MAX_KEY_BYTES && !text.chars().any(char::is_control);
    usable.then_some(text).ok_or_else(|| {
        Error::user("the idempotencyKey is not usable")
            .hint(format!("use 1 to {MAX_KEY_BYTES} bytes without control characters; a UUID is a good choice"))
    })
}

/// A thinking level by its name.
pub(super) fn parse_thinking(text: &str) -> Result<ThinkingLevel> {
    ThinkingLevel::parse(text).ok_or_else(|| {
        Error::user(format!("unknown thinking level {text:?}")).hint("use off, minimal, low, medium or high")
    })
}
