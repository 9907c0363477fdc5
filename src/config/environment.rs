//! Where variables come from: the process, `./.env`, `<state root>/.env`, then the `env` block of the configuration.

use std::collections::BTreeMap;
use std::path::Path;

use super::LoadOptions;
use super::dotenv;
use super::error::{Fault, Problem};
use super::files;
use super::json5::Node;
use super::path::join;
use super::substitute;
use super::{ConfigIssue, issue};
use crate::core::limits::MAX_CONFIG_BYTES;
use crate::secrets::Environment;

/// Names that a `.env` in the working directory may not set: whoever controls that directory must not choose where
/// the configuration is read from, what the loader trusts, where agents' files are, or where requests with keys go.
fn is_guarded(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "OPENCLAW_STATE_DIR",
        "OPENCLAW_CONFIG_PATH",
        "OPENCLAW_HOME",
        "OPENCLAW_PROFILE",
        "OPENCLAW_INCLUDE_ROOTS",
        "OPENCLAW_OAUTH_DIR",
        "OPENCLAW_AGENT_DIR",
        "OPENCLAW_GATEWAY_URL",
        "OPENCLAW_AGENT_WORKER_MODE",
        "OPENCLAW_AGENT_WORKER_FILESYSTEM_MODE",
        "OPENCLAW_AGENT_WORKER_PERMISSION_MODE",
        "PATH",
        "HOME",
        "SHELL",
        "NODE_OPTIONS",
        "BASH_ENV",
        "ENV",
        "PYTHONPATH",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ];
    let upper = name.to_uppercase();
    NAMES.contains(&upper.as_str())
        || upper.starts_with("LD_")
        || upper.starts_with("DYLD_")
        || upper.ends_with("_BASE_URL")
        || upper.ends_with("_PROXY")
}

/// The environment before the configuration has been read. Unreadable or oddly written `.env` files are warnings.
pub(super) fn base(options: &LoadOptions, warnings: &mut Vec<ConfigIssue>) -> BTreeMap<String, String> {
    let mut vars = options.process_env.clone();
    let state_file = options.state_root.join(".env");
    let local_file = options.cwd.join(".env");
    if !options.cwd.as_os_str().is_empty() && local_file != state_file {
        merge_file(&mut vars, &local_file, true, warnings);
    }
    merge_file(&mut vars, &state_file, false, warnings);
    vars
}

fn merge_file(vars: &mut BTreeMap<String, String>, path: &Path, guarded: bool, warnings: &mut Vec<ConfigIssue>) {
    let text = match files::read_text(path, MAX_CONFIG_BYTES) {
        Ok(Some(text)) => text,
        Ok(None) => return,
        Err(error) => return warnings.push(issue("", format!("{} was not used: {error}", path.display()))),
    };
    let parsed = dotenv::parse(&text);
    for line in parsed.bad_lines {
        warnings.push(ConfigIssue {
            line: Some(line),
            ..issue("", format!("{}:{line} is no `NAME=value` and was not used", path.display()))
        });
    }
    for (name, value) in parsed.vars {
        if guarded && is_guarded(&name) {
            warnings.push(issue(
                "",
                format!("{} sets {name}, which a working directory may not choose; it was not used", path.display()),
            ));
        } else {
            vars.entry(name).or_insert(value);
        }
    }
}

/// Adds `env.vars` and the direct string keys under `env`, each only where nothing is set.
pub(super) fn add_block(vars: &mut BTreeMap<String, String>, root: &Node, warnings: &mut Vec<ConfigIssue>) {
    let Some(block) = root.get("env") else { return };
    let known = Environment { vars: vars.clone() };
    let sections = [(Some(block), "env"), (block.get("vars"), "env.vars")];
    for (section, path) in sections.into_iter().rev() {
        for member in section.map_or(&[][..], Node::members) {
            let Some(raw) = member.value.as_str() else { continue };
            // A value with variables of its own that are missing is reported when the whole file is substituted.
            let value = substitute::text(raw, &known).unwrap_or_else(|_missing| raw.to_owned());
            if member.key.is_empty() || member.key.contains(['=', '\0']) || value.contains('\0') {
                warnings.push(issue(
                    &join(path, &member.key),
                    "this is no name or value a variable can have; it was not used",
                ));
            } else if vars.get(&member.key).is_none_or(|set| set.trim().is_empty()) {
                vars.insert(member.key.clone(), value);
            }
        }
    }
    let shell = block.get("shellEnv").and_then(|shell| shell.get("enabled"));
    if shell.is_some_and(|enabled| enabled.to_value() == serde_json::Value::Bool(true)) {
        warnings.push(issue(
            "env.shellEnv.enabled",
            "importing variables from the login shell is not supported by this version; set them in `.env` or `env.vars`",
        ));
    }
}

/// The variable `HOME`.
pub(super) fn home(vars: &BTreeMap<String, String>) -> Option<&Path> {
    vars.get("HOME").filter(|home| !home.is_empty()).map(Path::new)
}

/// A problem for a missing home directory, when `~` has to be expanded.
pub(super) fn no_home(file: &Path) -> Problem {
    Problem::file(Fault::File, file, "the environment variable HOME is not set, so `~` has no meaning")
}
