//! Commands of everyday work, with their programs on the list: an allow list that asks about these would be switched off.

use super::support::{decision, policy};
use crate::tools::policy::{AllowEntry, Ask, Decision, ExecPolicy, Security};

const LISTED: &[&str] = &[
    "/usr/bin/ls",
    "/usr/bin/cat",
    "/usr/bin/git",
    "rg",
    "grep",
    "find",
    "wc",
    "head",
    "tail",
    "sort",
    "uniq",
    "cut",
    "tr",
    "diff",
    "sed",
    "awk",
    "cargo",
    "rustc",
    "go",
    "npm",
    "python3",
    "node",
    "gcc",
    "tar",
    "mkdir",
    "cp",
    "mv",
    "rm",
    "touch",
    "jq",
    "date",
    "du",
    "df",
    "stat",
    "file",
    "tree",
    "which",
    "ps",
    "curl",
    "basename",
    "/usr/bin/*sum",
];

const COMMANDS: &[&str] = &[
    "ls",
    "ls -la src tests",
    "ls src/*.rs",
    "ls ~/notes",
    "cat Cargo.toml",
    "cat -n 'a file with spaces.txt'",
    "cat README.md | head -n 20",
    "git status",
    "git --no-pager log --oneline -n 5",
    "git diff --stat",
    "git diff HEAD~1 -- src/lib.rs",
    "git add -A && git commit -m 'fix: one thing; and \"another\"'",
    "git commit -am \"it's done (really)\"",
    "git push -u origin main",
    "git checkout -b feature/x",
    "git switch -c feature/x",
    "git show HEAD:src/main.rs",
    "git log --format='%h %s' | head -5",
    "git stash pop",
    "git rebase main",
    "rg -n 'fn main' src",
    "rg --files -g '*.rs' | wc -l",
    "grep -rn \"TODO\" src 2>/dev/null",
    "grep -E '^(a|b)$' file | sort | uniq -c | sort -rn | head",
    "find . -name '*.rs' -type f",
    "find . ! -path './target/*' -newer Cargo.toml",
    "wc -l src/lib.rs src/main.rs",
    "head -c 100 data.bin",
    "tail -n 50 log.txt",
    "cut -d, -f1 data.csv | sort -u",
    "tr a-z A-Z < names.txt",
    "diff -u a.txt b.txt",
    "sed -n '10,20p' src/lib.rs",
    "sed -n 1,5p file",
    "sed 's/foo/bar/g' file",
    "sed -i 's|a/b|c/d|' file",
    "sed -E -e 's/[0-9]+/N/g' -e '/^#/d' file",
    "awk '{print $1}' file",
    "awk -F: '{ sum += $3 } END { print sum }' file",
    "awk -F , 'NR == 2 {print $2}' data.csv",
    "cargo build --release",
    "cargo test --lib -- --nocapture name",
    "cargo clippy --all-targets -- -D warnings 2>&1 | tail -n 30",
    "cargo fmt --check",
    "rustc --version",
    "go test ./...",
    "go build -o bin/app ./cmd/app",
    "npm test",
    "npm run build",
    "npm install --save-dev vitest",
    "python3 script.py --verbose input.txt",
    "python3 -m pytest -q tests",
    "python3 --version",
    "node server.js",
    "gcc -O2 -Wall -o prog main.c && ls prog",
    "tar -czf out.tar.gz src",
    "tar xzf out.tar.gz",
    "mkdir -p a/b/c",
    "cp -r a b; mv b c",
    "rm -rf target/tmp",
    "touch a b c",
    "jq '.items[] | .name' data.json",
    "cat data.json | jq -r .version",
    "date +%Y-%m-%d",
    "du -sh .",
    "cd src && ls",
    "cd src && rg -l unsafe || echo none",
    "echo done",
    "echo 'a > b'",
    "printf '%s\\n' a b",
    "test -f Cargo.toml && echo yes",
    "[ -d src ] && ls src",
    "true; false || true",
    "pwd",
    "ls \\\n  -l",
    "curl -s https://example.com",
    "sha256sum Cargo.lock",
    "which cargo",
    "cargo check 2>&1 >/dev/null",
];

#[test]
fn listed_programs_run_without_a_question() {
    let policy = policy(LISTED);
    let mut asked = Vec::new();
    for command in COMMANDS {
        if !matches!(decision(&policy, command), Decision::Allow { .. }) {
            asked.push((*command, decision(&policy, command)));
        }
    }
    assert!(asked.is_empty(), "{asked:#?}");
    assert!(COMMANDS.len() > 40);
}

#[test]
fn without_their_entries_the_same_commands_ask() {
    let empty = policy(&[]);
    let builtins_only = ["echo", "printf", "test", "[ -d", "true", "pwd", "cd"];
    for command in COMMANDS.iter().filter(|command| !builtins_only.iter().any(|name| command.starts_with(name))) {
        // `--version` alone harms nobody, but it is not listed either.
        assert!(matches!(decision(&empty, command), Decision::Ask { .. }), "{command}");
    }
}

#[test]
fn entries_that_were_used_are_named() {
    let Decision::Allow { used } = decision(&policy(LISTED), "git status && git diff | head -5 && echo") else {
        panic!("it is listed");
    };
    let patterns: Vec<_> = used.iter().map(|one| (one.pattern.as_str(), one.resolved.to_str().unwrap())).collect();
    assert_eq!(patterns, [("/usr/bin/git", "/usr/bin/git"), ("head", "/usr/bin/head")]);
}

#[test]
fn argument_patterns_narrow_an_entry() {
    let mut narrow = policy(&[]);
    narrow.allowlist = vec![AllowEntry {
        pattern: "git".to_owned(),
        arg_pattern: Some("(status|diff)( --stat)?".to_owned()),
        ..AllowEntry::default()
    }];
    assert!(matches!(decision(&narrow, "git status"), Decision::Allow { .. }));
    assert!(matches!(decision(&narrow, "git diff --stat"), Decision::Allow { .. }));
    for command in ["git push", "git 'status --stat'", "git status s*", "git status; git push"] {
        assert!(matches!(decision(&narrow, command), Decision::Ask { .. }), "{command}");
    }
}

#[test]
fn links_of_a_program_of_many_names_are_what_they_are_called() {
    let policy = policy(&["*"]);
    assert!(matches!(decision(&policy, "applet-ls -l"), Decision::Allow { .. }));
    assert!(matches!(decision(&policy, "applet-ash -c id"), Decision::Ask { .. }));
}

#[test]
fn safe_programs_need_no_entry() {
    let policy =
        ExecPolicy { safe_programs: vec!["head".to_owned(), "tr".to_owned(), "sh".to_owned()], ..policy(&["cat"]) };
    assert!(matches!(decision(&policy, "cat a | tr a-z A-Z | head -n 5"), Decision::Allow { .. }));
    assert!(matches!(decision(&policy, "head /etc/passwd"), Decision::Ask { .. }));
    assert!(matches!(decision(&policy, "cat a | sh"), Decision::Ask { .. }), "a shell is no safe program");
}

#[test]
fn security_and_ask_decide_what_a_miss_means() {
    let with =
        |security: Security, ask: Ask, fallback: Security| ExecPolicy { security, ask, fallback, ..policy(&["ls"]) };
    let kind = |policy: &ExecPolicy, command: &str| match decision(policy, command) {
        Decision::Allow { .. } => "allow",
        Decision::Ask { allow_unanswered: true, .. } => "ask, else allow",
        Decision::Ask { .. } => "ask",
        Decision::Deny { .. } => "deny",
    };
    let mut table = String::new();
    for security in [Security::Deny, Security::Allowlist, Security::Full] {
        for ask in [Ask::Off, Ask::OnMiss, Ask::Always] {
            for fallback in [Security::Deny, Security::Allowlist, Security::Full] {
                let policy = with(security, ask, fallback);
                let row = ["ls", "cat a", "sh -c id"].map(|command| kind(&policy, command));
                let names = format!("{} {} {}", security.as_str(), ask.as_str(), fallback.as_str());
                table.push_str(&format!("{names:<28} {}\n", row.join(" | ")));
            }
        }
    }
    insta::assert_snapshot!(table, @r#"
    deny off deny                deny | deny | deny
    deny off allowlist           deny | deny | deny
    deny off full                deny | deny | deny
    deny on-miss deny            deny | deny | deny
    deny on-miss allowlist       deny | deny | deny
    deny on-miss full            deny | deny | deny
    deny always deny             deny | deny | deny
    deny always allowlist        deny | deny | deny
    deny always full             deny | deny | deny
    allowlist off deny           allow | deny | deny
    allowlist off allowlist      allow | deny | deny
    allowlist off full           allow | deny | deny
    allowlist on-miss deny       allow | ask | ask
    allowlist on-miss allowlist  allow | ask | ask
    allowlist on-miss full       allow | ask, else allow | ask, else allow
    allowlist always deny        ask | ask | ask
    allowlist always allowlist   ask, else allow | ask | ask
    allowlist always full        ask, else allow | ask, else allow | ask, else allow
    full off deny                allow | allow | allow
    full off allowlist           allow | allow | allow
    full off full                allow | allow | allow
    full on-miss deny            allow | allow | allow
    full on-miss allowlist       allow | allow | allow
    full on-miss full            allow | allow | allow
    full always deny             ask | ask | ask
    full always allowlist        ask, else allow | ask | ask
    full always full             ask, else allow | ask, else allow | ask, else allow
    "#);
    for command in ["ls", "sh -c id"] {
        let decision = decision(&with(Security::Full, Ask::Always, Security::Deny), command);
        assert!(matches!(decision, Decision::Ask { may_stand: false, .. }), "always means always");
    }
}
