//! The state directory and the gateway's token in it.

use std::path::Path;

use crate::doctor::files::{self, is_writable};
use crate::doctor::{Facts, Finding, Severity};

pub(super) const DIRECTORY: &str = "state.directory";
pub(super) const TOKEN: &str = "state.token";

/// It exists, is ours, private and writable.
pub(super) fn directory(facts: &Facts<'_>) -> Vec<Finding> {
    let paths = &facts.at.paths;
    let mut findings = Vec::new();
    match files::look(&paths.root) {
        Ok(None) => {
            return vec![
                Finding::new(DIRECTORY, Severity::Info, shown(&paths.root), "it does not exist yet")
                    .effect("the first start makes it")
                    .fix("start the gateway once", Some("openclaw gateway run".to_owned())),
            ];
        }
        Ok(Some(_)) => {}
        Err(error) => {
            return vec![
                Finding::new(DIRECTORY, Severity::Error, shown(&paths.root), format!("it cannot be read: {error}"))
                    .effect("nothing can be stored")
                    .fix("give it to the user who runs openclaw", None),
            ];
        }
    }
    for directory in [paths.root.clone(), paths.state_dir()] {
        findings.extend(private_directory(&directory));
    }
    findings
}

fn private_directory(path: &Path) -> Vec<Finding> {
    let Ok(Some(found)) = files::look(path) else { return Vec::new() };
    let mut findings = Vec::new();
    if !found.is_directory && !found.is_link {
        findings.push(
            Finding::new(DIRECTORY, Severity::Error, shown(path), "it is not a directory")
                .effect("nothing can be stored")
                .fix("move the file away", Some(format!("mv {0} {0}.old", quoted(path)))),
        );
        return findings;
    }
    if !is_writable(path) {
        findings.push(
            Finding::new(DIRECTORY, Severity::Error, shown(path), "this user cannot write there")
                .effect("the gateway cannot start")
                .fix("make it writable for its owner", Some(format!("chmod u+rwx {}", quoted(path)))),
        );
    }
    if !found.is_link && found.mode & 0o077 != 0 {
        findings.push(
            Finding::new(DIRECTORY, Severity::Warning, shown(path), format!("its mode is {:04o}", found.mode))
                .effect("other users of this machine may look into it")
                .fix("its mode becomes 0700", Some(format!("chmod 700 {}", quoted(path)))),
        );
    }
    if !found.is_ours {
        findings.push(
            Finding::new(DIRECTORY, Severity::Warning, shown(path), "it belongs to another user")
                .effect("files made there may be unreadable for the gateway, or readable for that user"),
        );
    }
    findings
}

/// The token is private.
pub(super) fn token(facts: &Facts<'_>) -> Vec<Finding> {
    let path = facts.at.paths.gateway_token();
    match files::look(&path) {
        Ok(Some(found)) if found.is_link => vec![
            Finding::new(TOKEN, Severity::Error, shown(&path), "it is a symbolic link")
                .effect("links are not followed for secrets, so the gateway cannot use it")
                .fix("remove it; the next start makes a fresh token", Some(format!("rm {}", quoted(&path)))),
        ],
        Ok(found) => found.filter(|found| found.mode & 0o077 != 0).map_or_else(Vec::new, |found| {
            vec![
                Finding::new(TOKEN, Severity::Error, shown(&path), format!("its mode is {:04o}", found.mode))
                    .effect("other users of this machine can use the gateway as you")
                    .fix("its mode becomes 0600", Some(format!("chmod 600 {}", quoted(&path)))),
            ]
        }),
        Err(error) => {
            vec![Finding::new(TOKEN, Severity::Error, shown(&path), format!("it cannot be looked at: {error}"))]
        }
    }
}

/// A path for people.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A path for a POSIX shell.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+@%:,".contains(character);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
