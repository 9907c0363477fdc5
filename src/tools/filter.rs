//! `tools.allow` and `tools.deny`: names, `*` patterns and groups, without regard to case.

/// OpenClaw's group names, as far as the tools in them exist here.
const GROUPS: &[(&str, &[&str])] =
    &[("group:fs", &["read", "write", "edit", "ls", "find", "grep", "apply_patch"]), ("group:openclaw", &["*"])];

/// Whether `name` may run. An empty `allow` allows all; `deny` wins.
pub(super) fn permits(name: &str, allow: &[String], deny: &[String]) -> bool {
    let listed = |rules: &[String]| rules.iter().any(|rule| matches(rule, name));
    (allow.is_empty() || listed(allow)) && !listed(deny)
}

fn matches(rule: &str, name: &str) -> bool {
    let rule = rule.trim().to_ascii_lowercase();
    match GROUPS.iter().find(|(group, _)| *group == rule) {
        Some((_, members)) => members.iter().any(|member| wildcard(member, name)),
        None => wildcard(&rule, name),
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
        for name in ["read", "write", "edit", "ls", "find", "grep", "apply_patch"] {
            assert!(check(name, &["group:fs"], &[]) && check(name, &["GROUP:OpenClaw"], &[]));
            assert!(!check(name, &[], &["group:fs"]));
            assert!(!check(name, &["group:runtime"], &[]));
        }
        assert!(!check("exec", &["group:fs"], &[]));
        assert!(check("grep", &["g*"], &[]) && check("grep", &["*re*"], &[]) && !check("grep", &["g*d"], &[]));
    }
}
