use std::path::{Path, PathBuf};

use crate::fs::Program;
use crate::tools::policy::{AllowEntry, Ask, Decision, ExecPolicy, Place, Security, decide};

/// A machine on which every bare name is a program in `/usr/bin`, the workspace is `/w`, and some files are links.
pub(super) fn find(name: &str) -> Option<Program> {
    let program = |found: &str, real: &str| Some(Program { found: PathBuf::from(found), real: PathBuf::from(real) });
    match name {
        "" | "missing" => None,
        "harmless-link" => program("/usr/local/bin/harmless-link", "/usr/bin/dash"),
        "python" => program("/usr/bin/python", "/usr/bin/python3.13"),
        "sh" => program("/bin/sh", "/usr/bin/dash"),
        "applet-ls" => program("/usr/local/bin/ls", "/bin/busybox"),
        "applet-ash" => program("/usr/local/bin/ash", "/bin/busybox"),
        absolute if absolute.starts_with('/') => program(absolute, absolute),
        relative if relative.contains('/') => {
            let path = format!("/w/{relative}");
            program(&path, &path)
        }
        bare => {
            let path = format!("/usr/bin/{bare}");
            program(&path, &path)
        }
    }
}

pub(super) fn policy(patterns: &[&str]) -> ExecPolicy {
    ExecPolicy {
        security: Security::Allowlist,
        ask: Ask::OnMiss,
        fallback: Security::Deny,
        allowlist: patterns
            .iter()
            .map(|pattern| AllowEntry { pattern: (*pattern).to_owned(), ..AllowEntry::default() })
            .collect(),
        safe_programs: Vec::new(),
        strict_inline_eval: true,
    }
}

pub(super) fn decision(policy: &ExecPolicy, command: &str) -> Decision {
    let writable = [PathBuf::from("/w"), PathBuf::from("/tmp")];
    decide(policy, &Place { find: &find, writable: &writable, home: Some(Path::new("/home/a")) }, command)
}

/// Everything that a name or a path can reach is listed: only the reading of the command is left to object.
pub(super) fn everything() -> ExecPolicy {
    policy(&["*", "/**"])
}
