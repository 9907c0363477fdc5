//! What holds for an agent's commands: the strictest of configuration, approvals document and sandbox level.

use super::ToolPolicy;
use super::document::{AllowEntry, ExecApprovals};
use crate::config::ToolSettings;
use crate::sandbox::SandboxLevel;

/// Which commands may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Security {
    /// None.
    Deny,
    /// Listed ones.
    Allowlist,
    /// All.
    Full,
}

/// When a person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    /// Never.
    Off,
    /// About commands that are not listed.
    OnMiss,
    /// About every command.
    Always,
}

impl Security {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "deny" => Some(Self::Deny),
            "allowlist" => Some(Self::Allowlist),
            "full" => Some(Self::Full),
            _ => None,
        }
    }

    /// The name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Allowlist => "allowlist",
            Self::Full => "full",
        }
    }
}

impl Ask {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "off" => Some(Self::Off),
            "on-miss" => Some(Self::OnMiss),
            "always" => Some(Self::Always),
            _ => None,
        }
    }

    /// The name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::OnMiss => "on-miss",
            Self::Always => "always",
        }
    }
}

/// Everything `decide` needs to know about an agent.
#[derive(Debug, Clone)]
pub struct ExecPolicy {
    /// Which commands may run.
    pub security: Security,
    /// When a person is asked.
    pub ask: Ask,
    /// What holds when nobody answers.
    pub fallback: Security,
    /// The agent's list and everybody's.
    pub allowlist: Vec<AllowEntry>,
    /// Programs that only filter their input.
    pub safe_programs: Vec<String>,
    /// Inline code is never covered by the list.
    pub strict_inline_eval: bool,
}

impl ExecPolicy {
    /// Without a word in the configuration, the sandbox decides: inside of one everything may run, without one only what is listed or
    /// approved. The approvals document can only make it stricter. `tools.ask` with `exec` in it asks about every command.
    pub fn new(settings: &ToolSettings, document: &ExecApprovals, agent: &str, level: SandboxLevel) -> Self {
        let confined = level != SandboxLevel::None;
        let (security, ask) = if confined { (Security::Full, Ask::Off) } else { (Security::Allowlist, Ask::OnMiss) };
        // A name that validation let through but nobody knows counts as the strictest.
        let security =
            settings.exec.security.as_deref().map_or(security, |name| Security::parse(name).unwrap_or(Security::Deny));
        let ask = settings.exec.ask.as_deref().map_or(ask, |name| Ask::parse(name).unwrap_or(Ask::Always));
        let (rules, allowlist) = document.of_agent(agent);
        let document_security = rules.security.as_deref().map(|name| Security::parse(name).unwrap_or(Security::Deny));
        let document_ask = rules.ask.as_deref().map(|name| Ask::parse(name).unwrap_or(Ask::Always));
        let every_call = ToolPolicy::of(settings, &[], &[]).asks("exec").then_some(Ask::Always);
        Self {
            security: document_security.map_or(security, |other| security.min(other)),
            ask: ask.max(document_ask.unwrap_or(Ask::Off)).max(every_call.unwrap_or(Ask::Off)),
            fallback: rules.ask_fallback.as_deref().and_then(Security::parse).unwrap_or(Security::Deny),
            allowlist,
            safe_programs: settings.exec.safe_bins.clone(),
            strict_inline_eval: settings.exec.strict_inline_eval,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(
        security: Option<&str>,
        ask: Option<&str>,
        document: serde_json::Value,
        level: SandboxLevel,
    ) -> (Security, Ask) {
        let mut settings = ToolSettings::default();
        settings.exec.security = security.map(str::to_owned);
        settings.exec.ask = ask.map(str::to_owned);
        let policy = ExecPolicy::new(&settings, &ExecApprovals::parse(document).unwrap(), "main", level);
        (policy.security, policy.ask)
    }

    #[test]
    fn the_sandbox_level_gives_the_default() {
        let nothing = json!({"version": 1});
        for level in [SandboxLevel::Strict, SandboxLevel::Relaxed] {
            assert_eq!(policy(None, None, nothing.clone(), level), (Security::Full, Ask::Off));
        }
        assert_eq!(policy(None, None, nothing.clone(), SandboxLevel::None), (Security::Allowlist, Ask::OnMiss));
        assert_eq!(policy(Some("full"), Some("off"), nothing, SandboxLevel::None), (Security::Full, Ask::Off));
    }

    #[test]
    fn the_document_only_makes_it_stricter() {
        let strict = json!({"version": 1, "defaults": {"security": "deny", "ask": "always"}});
        let loose = json!({"version": 1, "defaults": {"security": "full", "ask": "off"}});
        assert_eq!(policy(None, None, strict, SandboxLevel::Strict), (Security::Deny, Ask::Always));
        assert_eq!(policy(None, None, loose, SandboxLevel::None), (Security::Allowlist, Ask::OnMiss));
        let own = json!({"version": 1, "defaults": {"security": "deny"}, "agents": {"main": {"security": "full"}}});
        assert_eq!(policy(None, None, own, SandboxLevel::Strict).0, Security::Full);
    }

    #[test]
    fn unknown_names_and_the_general_list_are_strict() {
        let nothing = json!({"version": 1});
        assert_eq!(policy(Some("x"), Some("y"), nothing, SandboxLevel::Strict), (Security::Deny, Ask::Always));
        let settings = ToolSettings { ask: vec!["group:runtime".to_owned()], ..ToolSettings::default() };
        let policy = ExecPolicy::new(&settings, &ExecApprovals::default(), "main", SandboxLevel::Strict);
        assert_eq!((policy.ask, policy.fallback), (Ask::Always, Security::Deny));
    }
}
