//! git: its configuration, remotes and several options run programs.

use super::Arguments;

/// Subcommands that run nothing by themselves but hooks of the repository, which agents cannot write.
const SUBCOMMANDS: &[&str] = &[
    "add",
    "apply",
    "blame",
    "branch",
    "cat-file",
    "check-ignore",
    "checkout",
    "cherry-pick",
    "clean",
    "clone",
    "commit",
    "count-objects",
    "describe",
    "diff",
    "diff-tree",
    "fetch",
    "for-each-ref",
    "fsck",
    "gc",
    "grep",
    "init",
    "log",
    "ls-files",
    "ls-tree",
    "merge",
    "merge-base",
    "mv",
    "name-rev",
    "pull",
    "push",
    "range-diff",
    "rebase",
    "reflog",
    "remote",
    "reset",
    "restore",
    "rev-list",
    "rev-parse",
    "revert",
    "rm",
    "shortlog",
    "show",
    "show-ref",
    "stash",
    "status",
    "switch",
    "symbolic-ref",
    "tag",
    "version",
    "whatchanged",
];

/// Long options that name a program, a configuration or a file to write.
const OPTIONS: &[&str] = &[
    "upload-pack",
    "receive-pack",
    "exec",
    "ext-diff",
    "textconv",
    "open-files-in-pager",
    "config",
    "config-env",
    "template",
    "output",
    "separate-git-dir",
    "interactive",
    "strategy",
    "edit-description",
    "git-dir",
    "work-tree",
    "exec-path",
    "help",
];

const WHY: &str = "can run other programs with these arguments";

pub(super) fn objection(name: &str, arguments: &Arguments<'_>) -> Option<&'static str> {
    if name != "git" {
        return None;
    }
    let mut texts = arguments.texts().skip_while(|text| matches!(*text, "--no-pager" | "-P"));
    let subcommand = texts.next()?;
    let rest: Vec<&str> = texts.collect();
    let short = |letters: &str| arguments.has_short(letters);
    let remote = matches!(subcommand, "clone" | "fetch" | "pull" | "push" | "remote");
    let bad = !SUBCOMMANDS.contains(&subcommand)
        || arguments.has_long(OPTIONS)
        || match subcommand {
            "clone" | "fetch" | "pull" => short("uc"),
            "grep" => short("O"),
            "rebase" => short("xis"),
            "merge" | "cherry-pick" | "revert" => short("sX"),
            _ => false,
        }
        || (remote && rest.iter().any(|text| text.contains("::") || text.contains("://-")));
    bad.then_some(WHY)
}
