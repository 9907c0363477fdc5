//! Which tools a run has, and which of them ask.

use crate::config::{AgentConfig, ToolSettings};

/// OpenClaw's groups, as far as their tools exist here.
const GROUPS: &[(&str, &[&str])] = &[
    ("group:fs", &["read", "write", "edit", "apply_patch", "ls", "find", "grep"]),
    ("group:runtime", &["exec", "process"]),
    ("group:openclaw", &["*"]),
];

/// What a profile has; one that is not here has everything.
const PROFILES: &[(&str, &[&str])] = &[
    ("minimal", &["session_status"]),
    ("coding", &["group:fs", "group:runtime", "image"]),
    ("messaging", &["message"]),
];

/// Other names for a tool, in rules and in calls: OpenClaw's, and those of harnesses that models have learned.
const ALIASES: &[(&str, &str)] = &[
    ("bash", "exec"),
    ("shell", "exec"),
    ("run_command", "exec"),
    ("run_shell_command", "exec"),
    ("terminal", "exec"),
    ("apply-patch", "apply_patch"),
];

/// The tool that a name means; a tool's own name means itself.
pub(in crate::tools) fn tool_name(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, tool)| tool)
}

/// `tools.profile|allow|alsoAllow|deny|ask` of an agent. Rules are names, `*` patterns and groups, without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolPolicy {
    profile: String,
    also_allow: Vec<String>,
    allow: Vec<String>,
    deny: Vec<String>,
    ask: Vec<String>,
}

impl Default for ToolPolicy {
    /// Everything, without asking.
    fn default() -> Self {
        Self::of(&ToolSettings::default(), &[], &[])
    }
}

impl ToolPolicy {
    /// An agent's.
    pub fn of_agent(agent: &AgentConfig) -> Self {
        Self::of(&agent.tools, &agent.tools_allow, &agent.tools_deny)
    }

    /// From settings and the two lists that are kept beside them.
    pub fn of(settings: &ToolSettings, allow: &[String], deny: &[String]) -> Self {
        let mut deny = deny.to_vec();
        if !settings.apply_patch {
            deny.push("apply_patch".to_owned());
        }
        Self {
            profile: settings.profile.clone(),
            also_allow: settings.also_allow.clone(),
            allow: allow.to_vec(),
            deny,
            ask: settings.ask.clone(),
        }
    }

    /// Whether there is the tool: in the profile or added to it, in the allow list if there is one, and not denied. Patches change
    /// files, so whoever may not `write` may not `apply_patch` either.
    pub fn permits(&self, tool: &str) -> bool {
        let profile = PROFILES.iter().find(|(name, _)| *name == self.profile);
        let base = profile.is_none_or(|(_, rules)| rules.iter().any(|rule| matches(rule, tool)))
            || listed(&self.also_allow, tool);
        let denied = listed(&self.deny, tool) || (tool == "apply_patch" && listed(&self.deny, "write"));
        base && (self.allow.is_empty() || listed(&self.allow, tool)) && !denied
    }

    /// Whether each call needs an approval.
    pub fn asks(&self, tool: &str) -> bool {
        listed(&self.ask, tool)
    }
}

fn listed(rules: &[String], tool: &str) -> bool {
    rules.iter().any(|rule| matches(rule, tool))
}

fn matches(rule: &str, tool: &str) -> bool {
    let rule = rule.trim().to_ascii_lowercase();
    if let Some((_, members)) = GROUPS.iter().find(|(group, _)| *group == rule) {
        return members.iter().any(|member| wildcard(member, tool));
    }
    wildcard(tool_name(&rule), tool)
}

/// `*` stands for any text; everything else for itself.
fn wildcard(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len()).filter(|&at| tail.is_char_boundary(at)).any(|at| wildcard(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(rules: &[&str]) -> Vec<String> {
        rules.iter().map(|&rule| rule.to_owned()).collect()
    }

    fn check(name: &str, allow: &[&str], deny: &[&str]) -> bool {
        ToolPolicy::of(&ToolSettings::default(), &own(allow), &own(deny)).permits(name)
    }

    #[test]
    fn deny_wins_and_nothing_means_everything() {
        assert!(check("read", &[], &[]));
        assert!(check("read", &["*"], &[]));
        assert!(check("read", &[" Read "], &[]));
        assert!(!check("write", &["read"], &[]));
        assert!(!check("read", &["read"], &["read"]));
        assert!(!check("read", &["read"], &["*"]));
        assert!(!check("apply_patch", &[], &["write"]) && check("apply_patch", &["apply_patch"], &["edit"]));
    }

    #[test]
    fn groups_patterns_and_aliases() {
        for name in ["read", "write", "edit", "apply_patch", "ls", "find", "grep"] {
            assert!(check(name, &["group:fs"], &[]) && check(name, &["GROUP:OpenClaw"], &[]));
            assert!(!check(name, &[], &["group:fs"]));
            assert!(!check(name, &["group:runtime"], &[]) && !check(name, &["group:memory"], &[]));
        }
        assert!(!check("exec", &["group:fs"], &[]) && check("process", &["group:runtime"], &[]));
        assert!(
            check("exec", &["bash"], &[])
                && !check("exec", &[], &["Bash"])
                && !check("apply_patch", &[], &["apply-patch"])
        );
        assert!(check("grep", &["g*"], &[]) && check("grep", &["*re*"], &[]) && !check("grep", &["g*d"], &[]));
    }

    #[test]
    fn profiles_are_the_ground_and_more_can_be_added() {
        let policy = |profile: &str, also: &[&str], allow: &[&str]| {
            let settings =
                ToolSettings { profile: profile.to_owned(), also_allow: own(also), ..ToolSettings::default() };
            ToolPolicy::of(&settings, &own(allow), &[])
        };
        assert!(policy("full", &[], &[]).permits("anything"));
        assert!(!policy("minimal", &[], &[]).permits("read") && !policy("messaging", &[], &[]).permits("exec"));
        assert!(
            policy("minimal", &["read"], &[]).permits("read") && !policy("minimal", &["read"], &[]).permits("write")
        );
        let coding = policy("coding", &[], &[]);
        assert!(coding.permits("exec") && coding.permits("edit") && !coding.permits("message"));
        // An allow list narrows a profile, it does not widen it.
        assert!(!policy("minimal", &[], &["read"]).permits("read"));
        assert!(policy("coding", &[], &["read"]).permits("read") && !policy("coding", &[], &["read"]).permits("exec"));
    }

    #[test]
    fn asking_and_patches_are_settings() {
        let settings =
            ToolSettings { ask: own(&["group:runtime", "wr*"]), apply_patch: false, ..ToolSettings::default() };
        let policy = ToolPolicy::of(&settings, &[], &[]);
        assert!(policy.asks("exec") && policy.asks("write") && !policy.asks("read"));
        assert!(!policy.permits("apply_patch") && policy.permits("write"));
        assert!(!ToolPolicy::default().asks("exec"));
    }
}
