//! `tools.allow` and `tools.deny`: names, `*` patterns and groups, without regard to case.

/// OpenClaw's group names, as far as the tools in them exist here.
const GROUPS: &[(&str, &[&str])] =
    &[("group:fs", &["read", "write", "edit", "ls", "find", "grep"]), ("group:runtime", &["exec", "process"]), ("group:openclaw", &["*"])];

/// Other names for a tool, in rules and in calls: OpenClaw's own, and those of harnesses that models have learned.
const ALIASES: &[(&str, &str)] =
    &[("bash", "exec"), ("shell", "exec"), ("run_command", "exec"), ("run_shell_command", "exec"), ("terminal", "exec")];

/// The tool that a name means; a tool's own name means itself.
pub(super) fn tool_name(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, tool)| tool)
}

/// Whether `name` may run. An empty `allow` allows all; `deny` wins.
pub(super) fn permits(name: &str, allow: &[String], deny: &[String]) -> bool {
    let listed = |rules: &[String]| rules.iter().any(|rule| matches(rule, name));
    (allow.is_empty() || listed(allow)) && !listed(deny)
}

fn matches(rule: &str, name: &str) -> bool {
    let rule = rule.trim().to_ascii_lowercase();
    match GROUPS.iter().find(|(group, _)| *group == rule) {
        Some((_, members)) => members.iter().any(|member| wildcard(member, name)),
        None => wildcard(tool_name(&rule), name),
    }
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

    fn check(name: &str, allow: &[&str], deny: &[&str]) -> bool {
        let own = |rules: &[&str]| rules.iter().map(|&rule| rule.to_owned()).collect::<Vec<_>>();
        permits(name, &own(allow), &own(deny))
    }

    #[test]
    fn deny_wins_and_nothing_means_everything() {
        assert!(check("read", &[], &[]));
        assert!(check("read", &["*"], &[]));
        assert!(check("read", &[" Read "], &[]));
        assert!(!check("write", &["read"], &[]));
        assert!(!check("read", &["read"], &["read"]));
        assert!(!check("read", &["read"], &["*"]));
    }

    #[test]
    fn groups_and_patterns() {
        for name in ["read", "write", "edit", "ls", "find", "grep"] {
            assert!(check(name, &["group:fs"], &[]) && check(name, &["GROUP:OpenClaw"], &[]));
            assert!(!check(name, &[], &["group:fs"]));
            assert!(!check(name, &["group:runtime"], &[]));
        }
        assert!(check("exec", &["Group:Runtime"], &[]) && check("process", &["group:runtime"], &[]));
        assert!(check("exec", &["bash"], &[]) && !check("exec", &[], &["Shell"]) && !check("process", &["bash"], &[]));
        assert!(!check("exec", &["group:fs"], &[]));
        assert!(check("grep", &["g*"], &[]) && check("grep", &["*re*"], &[]) && !check("grep", &["g*d"], &[]));
    }
}
