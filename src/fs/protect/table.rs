//! What agents may not change, or not even read, in any workspace: one table, with a reason each.
//!
//! The patterns count at any depth, because a workspace may be a home directory, hold one, or hold other repositories. What is listed either
//! makes a program of the person *run or trust* something the next time they use it (git, an editor, a shell), or is a secret. Files
//! that only advise an agent (`AGENTS.md`, `SOUL.md`, `MEMORY.md` and their like) are not listed on purpose: agents keep their memory there.
//! Neither is `.env`: programs that an agent works on read it, and it works on them.

/// What is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Creating, replacing, removing.
    Write,
    /// Reading and listing as well.
    ReadAndWrite,
}

/// One row.
#[derive(Debug)]
pub(crate) struct Rule {
    /// See [`super::pattern::Pattern`]: `name`, `dir/name`, `a/**/b`, `dir/` for everything below.
    pub(crate) pattern: &'static str,
    /// What is refused.
    pub(crate) access: Access,
    /// For the error message.
    pub(crate) why: &'static str,
}

const fn write(pattern: &'static str, why: &'static str) -> Rule {
    Rule { pattern, access: Access::Write, why }
}

const fn secret(pattern: &'static str, why: &'static str) -> Rule {
    Rule { pattern, access: Access::ReadAndWrite, why }
}

pub(super) const GIT: &str = "git runs or trusts what is there";
const EDITOR: &str = "an editor runs or trusts what is there";
const DIRENV: &str = "direnv runs it when somebody enters the directory";
const MCP: &str = "it names programs that other agents start";
const SHELL: &str = "shells run it when they start";
const LOGIN: &str = "it is started when somebody logs in";
const KEYS: &str = "it holds private keys";
const CREDENTIAL: &str = "it holds credentials";

/// The table.
pub(crate) const RULES: &[Rule] = &[
    // A `.git` file redirects git to another repository; a repository that is replaced brings hooks of its own.
    write(".git", GIT),
    write(".git/**/.git", GIT),
    write(".git/**/hooks/", GIT),
    write(".git/**/config", GIT),
    write(".git/**/config.worktree", GIT),
    // Links between a worktree or submodule and the repository that it belongs to.
    write(".git/**/gitdir", GIT),
    write(".git/**/commondir", GIT),
    write(".gitmodules", GIT),
    // Where `core.hooksPath` usually points.
    write(".husky/", GIT),
    write(".githooks/", GIT),
    write(".config/git/", GIT),
    write(".gitconfig", GIT),
    write(".vscode/tasks.json", EDITOR),
    write(".vscode/settings.json", EDITOR),
    write(".vscode/launch.json", EDITOR),
    write(".vscode/mcp.json", MCP),
    write(".idea/", EDITOR),
    write(".envrc", DIRENV),
    write(".mcp.json", MCP),
    write(".cursor/mcp.json", MCP),
    write(".bashrc", SHELL),
    write(".bash_profile", SHELL),
    write(".bash_login", SHELL),
    write(".bash_logout", SHELL),
    write(".profile", SHELL),
    write(".zshrc", SHELL),
    write(".zshenv", SHELL),
    write(".zprofile", SHELL),
    write(".zlogin", SHELL),
    write(".zlogout", SHELL),
    write(".inputrc", SHELL),
    write(".config/fish/", SHELL),
    write(".config/autostart/", LOGIN),
    write(".config/systemd/user/", LOGIN),
    write("library/launchagents/", LOGIN),
    secret(".ssh/", KEYS),
    secret(".gnupg/", KEYS),
    secret(".netrc", CREDENTIAL),
    secret("_netrc", CREDENTIAL),
    secret(".git-credentials", CREDENTIAL),
    secret(".config/git/credentials", CREDENTIAL),
    secret(".config/gh/hosts.yml", CREDENTIAL),
    secret(".npmrc", CREDENTIAL),
    secret(".pypirc", CREDENTIAL),
    secret(".cargo/credentials", CREDENTIAL),
    secret(".cargo/credentials.toml", CREDENTIAL),
    secret(".aws/", CREDENTIAL),
    secret(".azure/", CREDENTIAL),
    secret(".config/gcloud/", CREDENTIAL),
    secret(".kube/config", CREDENTIAL),
    secret(".docker/config.json", CREDENTIAL),
    secret(".pgpass", CREDENTIAL),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_unique_and_say_why() {
        let mut patterns: Vec<&str> = RULES.iter().map(|rule| rule.pattern).collect();
        patterns.sort_unstable();
        let count = patterns.len();
        patterns.dedup();
        assert_eq!(patterns.len(), count);
        assert!(RULES.iter().all(|rule| !rule.why.is_empty() && rule.pattern == rule.pattern.to_lowercase()));
    }
}
