//! OpenClaw's `exec-approvals.json`: who may run what without being asked. Here it is a value in the database.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::core::{Error, Result};

/// The document. Unknown members are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecApprovals {
    /// 1.
    pub version: u64,
    /// For agents that say nothing themselves.
    #[serde(default)]
    pub defaults: ApprovalRules,
    /// By agent id; `*` is every agent.
    #[serde(default)]
    pub agents: BTreeMap<String, AgentApprovals>,
    /// The rest.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What holds when it is stricter than the configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRules {
    /// `deny`, `allowlist`, `full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<String>,
    /// `off`, `on-miss`, `always`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
    /// What holds when nobody decides in time: `deny` (default), `allowlist`, `full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask_fallback: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The same for one agent, with its list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentApprovals {
    /// Programs that need no approval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowlist: Vec<AllowEntry>,
    /// What else holds.
    #[serde(flatten)]
    pub rules: ApprovalRules,
}

/// A program that needs no approval.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AllowEntry {
    /// Stable name of the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A path with `*`, `**` and `~`, or a bare name that is found through `PATH`.
    pub pattern: String,
    /// Regular expression for the arguments as a whole, joined with spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arg_pattern: Option<String>,
    /// Unix milliseconds of the last use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<i64>,
    /// The command of that use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_command: Option<String>,
    /// The program it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_resolved_path: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Default for ExecApprovals {
    fn default() -> Self {
        Self { version: 1, defaults: ApprovalRules::default(), agents: BTreeMap::new(), other: Map::new() }
    }
}

impl ExecApprovals {
    /// Reads a document and refuses what could not do what it seems to say.
    pub fn parse(value: Value) -> Result<Self> {
        let broken = |why: String| {
            Error::user("these are no exec approvals").why(why).hint(
                "Write {version: 1, defaults: {security, ask, askFallback}, agents: {<id>: {allowlist: [{pattern}]}}}.",
            )
        };
        let document: Self = serde_json::from_value(value).map_err(|error| broken(error.to_string()))?;
        if document.version != 1 {
            return Err(broken(format!("version {} is not known here, only 1", document.version)));
        }
        document.check("defaults", &document.defaults).map_err(broken)?;
        for (id, agent) in &document.agents {
            document.check(&format!("agents.{id}"), &agent.rules).map_err(broken)?;
            for (index, entry) in agent.allowlist.iter().enumerate() {
                let place = format!("agents.{id}.allowlist[{index}]");
                super::allowlist::check(entry).map_err(|why| broken(format!("{place}: {why}")))?;
            }
        }
        Ok(document)
    }

    fn check(&self, place: &str, rules: &ApprovalRules) -> Result<(), String> {
        let fits = |value: &Option<String>, names: &[&str]| value.as_deref().is_none_or(|value| names.contains(&value));
        for (key, value, names) in [
            ("security", &rules.security, &["deny", "allowlist", "full"]),
            ("ask", &rules.ask, &["off", "on-miss", "always"]),
            ("askFallback", &rules.ask_fallback, &["deny", "allowlist", "full"]),
        ] {
            if !fits(value, names) {
                return Err(format!("{place}.{key} must be one of {}", names.join(", ")));
            }
        }
        Ok(())
    }

    /// What holds for an agent: its own rules over the defaults, its list and everybody's.
    pub fn of_agent(&self, agent: &str) -> (ApprovalRules, Vec<AllowEntry>) {
        let own = self.agents.get(agent);
        let every = self.agents.get("*");
        let pick = |field: fn(&ApprovalRules) -> &Option<String>| {
            let levels = [own.map(|own| &own.rules), every.map(|every| &every.rules), Some(&self.defaults)];
            levels.into_iter().flatten().find_map(|rules| field(rules).clone())
        };
        let rules = ApprovalRules {
            security: pick(|rules| &rules.security),
            ask: pick(|rules| &rules.ask),
            ask_fallback: pick(|rules| &rules.ask_fallback),
            other: Map::new(),
        };
        let lists = [own, every].into_iter().flatten().flat_map(|agent| agent.allowlist.iter().cloned());
        (rules, lists.collect())
    }

    /// As a client gets it: a bridge's token is not shown.
    pub fn to_public(&self) -> Value {
        let mut value = json!(self);
        if let Some(document) = value.as_object_mut() {
            document.remove("socket");
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openclaws_file_is_read_and_kept() {
        let text = json!({
            "version": 1, "socket": {"path": "/s", "token": "secret"},
            "defaults": {"security": "allowlist", "ask": "on-miss", "askFallback": "deny", "autoAllowSkills": false},
            "agents": {"main": {"ask": "always", "allowlist": [
                {"id": "a", "pattern": "/usr/bin/rg", "argPattern": "-n .*", "source": "allow-always", "commandText": "rg", "lastUsedAt": 5}]},
                "*": {"allowlist": [{"pattern": "ls"}]}},
        });
        let document = ExecApprovals::parse(text.clone()).unwrap();
        assert_eq!(json!(document), text, "nothing is lost");
        assert!(document.to_public().get("socket").is_none());
        let (rules, list) = document.of_agent("main");
        assert_eq!((rules.security.as_deref(), rules.ask.as_deref()), (Some("allowlist"), Some("always")));
        assert_eq!(list.iter().map(|entry| entry.pattern.as_str()).collect::<Vec<_>>(), ["/usr/bin/rg", "ls"]);
        assert_eq!(document.of_agent("other").1.len(), 1);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (value, part) in [
            (json!({"version": 2}), "version 2"),
            (json!({"agents": {}}), "version"),
            (json!({"version": 1, "defaults": {"security": "none"}}), "defaults.security"),
            (json!({"version": 1, "agents": {"a": {"ask": "maybe"}}}), "agents.a.ask"),
            (json!({"version": 1, "agents": {"a": {"allowlist": [{"pattern": ""}]}}}), "agents.a.allowlist[0]"),
            (
                json!({"version": 1, "agents": {"a": {"allowlist": [{"pattern": "ls", "argPattern": "("}]}}}),
                "argPattern",
            ),
            (json!({"version": 1, "agents": {"a": {"allowlist": [{"pattern": "bin/ls"}]}}}), "pattern"),
            (json!([]), "invalid type"),
        ] {
            let error = ExecApprovals::parse(value.clone()).expect_err("refused");
            assert!(error.reason().unwrap_or_default().contains(part), "{value}: {error}");
        }
    }
}
