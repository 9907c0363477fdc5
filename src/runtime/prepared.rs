//! A run as data: everything a host needs to carry it out, nothing that cannot be written down.
//!
//! What a run may do is decided when its message is taken and kept here: a worker gets the decision, never the means to make
//! another one. Rows of earlier versions, which wait in `runs` across an upgrade, are read by [`PreparedAgentRun::from_json`].
//!
//! | version | adds |
//! |---|---|
//! | 1 | message, models, limits, workspace, allowed and denied tools |
//! | 2 | file system mode, settings of tools and sandbox, trajectory |

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::{SandboxSettings, ToolSettings};
use crate::core::{AgentId, Error, ErrorKind, EventId, FilesystemMode, Result, RunId, SessionId, SessionKey};
use crate::providers::ThinkingLevel;
use crate::session::ContentBlock;

/// Version written by this program.
pub const PREPARED_VERSION: u32 = 2;

/// A run that is ready to start. Serialisable; holds no key and no handle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreparedAgentRun {
    /// [`PREPARED_VERSION`].
    pub version: u32,
    /// The run.
    pub run_id: RunId,
    /// Its agent.
    pub agent_id: AgentId,
    /// Its session.
    pub session_key: SessionKey,
    /// Its transcript.
    pub session_id: SessionId,
    /// The user message's event; the run's own events follow it.
    pub message_event_id: EventId,
    /// The user message while it is only stored here, that is while the run waits in its lane.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<ContentBlock>,
    /// Where the message came from.
    pub channel: String,
    /// Model references to try, in order; empty = the session's, the agent's, or the gateway's default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Reasoning effort asked for by the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<ThinkingLevel>,
    /// Most model calls.
    pub max_steps: u32,
    /// Wall time from the start of the run, in milliseconds.
    pub timeout_ms: u64,
    /// Workspace directory.
    pub workspace: PathBuf,
    /// Tool policy: allowed names and groups; empty = all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools_allow: Vec<String>,
    /// Tool policy: forbidden names and groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools_deny: Vec<String>,
    /// Appended to the system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_system_prompt: Option<String>,
    /// Which files it works in.
    pub filesystem_mode: FilesystemMode,
    /// The agent's other settings of tools.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tools: ToolSettings,
    /// How its commands are confined.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sandbox: SandboxSettings,
    /// Whether what models are sent and answer is kept as an artifact.
    #[serde(default, skip_serializing_if = "is_default")]
    pub trajectory: bool,
}

impl PreparedAgentRun {
    /// Reads what this program or an earlier version of it wrote.
    pub fn from_json(mut value: Value) -> Result<Self> {
        match value["version"].as_u64() {
            Some(2) => {}
            Some(1) => {
                value["version"] = PREPARED_VERSION.into();
                // All runs were in the workspace on the host.
                value["filesystemMode"] = json!(FilesystemMode::Disk);
            }
            Some(other) => {
                return Err(Error::new(ErrorKind::State, format!("the prepared run has version {other}"))
                    .why(format!("this program reads versions 1 to {PREPARED_VERSION}"))
                    .hint("a later version of openclaw wrote it: start that one"));
            }
            None => return Err(Error::new(ErrorKind::State, "the prepared run does not say its version")),
        }
        serde_json::from_value(value)
            .map_err(|error| Error::new(ErrorKind::State, "the prepared run cannot be read").source(error))
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WorkspaceAccess;

    const V1: &str = include_str!("../../tests/golden/prepared-v1.json");
    const V2: &str = include_str!("../../tests/golden/prepared-v2.json");

    fn parse(text: &str) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    /// Without settings that differ from the defaults, as version 1 has it.
    fn plain() -> PreparedAgentRun {
        PreparedAgentRun {
            version: PREPARED_VERSION,
            run_id: "run-1".into(),
            agent_id: "main".into(),
            session_key: "agent:main:main".into(),
            session_id: "0197aaaa-0000-7000-8000-000000000001".into(),
            message_event_id: "0197aaaa-0000-7000-8000-000000000002".into(),
            content: vec![ContentBlock::text("hello")],
            channel: "cli".to_owned(),
            models: vec!["fake/plain".to_owned()],
            thinking: Some(ThinkingLevel::Low),
            max_steps: 64,
            timeout_ms: 600_000,
            workspace: "/home/ada/.openclaw/workspace".into(),
            tools_allow: vec!["group:fs".to_owned()],
            tools_deny: vec!["write".to_owned()],
            extra_system_prompt: Some("be brief".to_owned()),
            filesystem_mode: FilesystemMode::Disk,
            tools: ToolSettings::default(),
            sandbox: SandboxSettings::default(),
            trajectory: false,
        }
    }

    #[test]
    fn a_row_of_version_1_is_a_run_on_the_host() {
        assert_eq!(PreparedAgentRun::from_json(parse(V1)).expect("readable"), plain());
    }

    #[test]
    fn version_2_reads_and_writes_the_same() {
        let mut run = PreparedAgentRun { filesystem_mode: FilesystemMode::VfsOnly, trajectory: true, ..plain() };
        run.tools.profile = "coding".to_owned();
        run.tools.exec.timeout_seconds = 30;
        run.sandbox.level = Some("relaxed".to_owned());
        run.sandbox.workspace_access = WorkspaceAccess::ReadOnly;
        run.sandbox.mounts = vec![("/srv/data".into(), false)];
        run.sandbox.limits.processes = Some(64);
        assert_eq!(PreparedAgentRun::from_json(parse(V2)).expect("readable"), run);
        assert_eq!(serde_json::to_value(&run).expect("JSON"), parse(V2));
    }

    #[test]
    fn default_settings_take_no_space() {
        let json = serde_json::to_value(plain()).expect("JSON");
        for absent in ["tools", "sandbox", "trajectory"] {
            assert_eq!(json.get(absent), None, "{absent}");
        }
    }

    #[test]
    fn other_versions_and_none_are_refused() {
        for (version, said) in [(json!(3), "version 3"), (json!(0), "version 0"), (json!(null), "does not say")] {
            let mut value = parse(V2);
            value["version"] = version;
            let error = PreparedAgentRun::from_json(value).expect_err("unknown");
            assert_eq!(error.kind(), ErrorKind::State);
            assert!(error.message().contains(said), "{error}");
        }
        let mut value = parse(V2);
        value.as_object_mut().expect("an object").remove("filesystemMode");
        PreparedAgentRun::from_json(value).expect_err("a run of version 2 says where it works");
    }
}
