//! What exactly an approval is about.

use std::ffi::OsString;
use std::path::Path;

use ring::digest::{Context, SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fs::ProgramIdentity;
use crate::sandbox::SandboxLevel;

/// A decision holds for exactly this and nothing else. It names no run, so that `allow-always` can hold for later ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// Program and arguments; for a line of shell `[shell, "-c", line]`.
    pub argv: Vec<String>,
    /// Absolute directory it starts in.
    pub cwd: String,
    /// The programs that can be read from the line, and the shell.
    pub executables: Vec<ProgramIdentity>,
    /// SHA-256 of the environment, in hexadecimal: the values are nobody's business.
    pub environment: String,
    /// How it is confined.
    pub sandbox: SandboxLevel,
}

impl Binding {
    /// For clients and the database.
    pub fn to_value(&self) -> Value {
        serde_json::json!(self)
    }

    /// See [`fingerprint`].
    pub fn fingerprint(&self) -> [u8; 32] {
        fingerprint(&self.to_value())
    }
}

/// SHA-256 over a binding, whatever the order of its members.
pub fn fingerprint(binding: &Value) -> [u8; 32] {
    let mut text = String::new();
    canonical(binding, &mut text);
    bytes(digest(&SHA256, text.as_bytes()).as_ref())
}

/// SHA-256 of an environment, in hexadecimal; the order does not matter. What differs from run to run must not be in it.
pub(super) fn environment_digest(environment: &[(OsString, OsString)]) -> String {
    let mut sorted: Vec<_> =
        environment.iter().map(|(name, value)| (name.as_encoded_bytes(), value.as_encoded_bytes())).collect();
    sorted.sort_unstable();
    let mut context = Context::new(&SHA256);
    for (name, value) in sorted {
        for part in [name, value] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
    }
    data_encoding::HEXLOWER.encode(context.finish().as_ref())
}

/// A path as text that two different paths never share.
pub(super) fn path_text(path: &Path) -> String {
    path.to_str().map_or_else(|| format!("{path:?}"), str::to_owned)
}

fn bytes(hash: &[u8]) -> [u8; 32] {
    let mut array = [0; 32];
    array.copy_from_slice(hash);
    array
}

/// JSON with sorted members.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| key.as_str());
            text.push('{');
            for (key, member) in sorted {
                text.extend([&Value::from(key.as_str()).to_string(), ":"]);
                canonical(member, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(elements) => {
            text.push('[');
            for element in elements {
                canonical(element, text);
                text.push(',');
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn binding() -> Binding {
        let identity = ProgramIdentity {
            path: "/usr/bin/ls".into(),
            device: 1,
            inode: 2,
            size: 3,
            modified_ns: "4".into(),
            changed_ns: "5".into(),
        };
        Binding {
            argv: vec!["/bin/sh".into(), "-c".into(), "ls".into()],
            cwd: "/w".into(),
            executables: vec![identity],
            environment: environment_digest(&[("A".into(), "1".into())]),
            sandbox: SandboxLevel::None,
        }
    }

    #[test]
    fn every_part_changes_the_fingerprint() {
        let first = binding().fingerprint();
        assert_eq!(binding().fingerprint(), first);
        let changes: [fn(&mut Binding); 9] = [
            |binding| binding.argv[2].push(' '),
            |binding| binding.argv.push(String::new()),
            |binding| binding.cwd.push('x'),
            |binding| binding.executables[0].inode += 1,
            |binding| binding.executables[0].size += 1,
            |binding| binding.executables[0].changed_ns.push('0'),
            |binding| binding.executables.clear(),
            |binding| binding.environment = environment_digest(&[]),
            |binding| binding.sandbox = SandboxLevel::Strict,
        ];
        let mut seen = vec![first];
        for change in changes {
            let mut other = binding();
            change(&mut other);
            seen.push(other.fingerprint());
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), changes.len() + 1);
    }

    #[test]
    fn order_does_not_matter_and_borders_do() {
        assert_eq!(fingerprint(&json!({"a": 1, "b": [2]})), fingerprint(&json!({"b": [2], "a": 1})));
        assert_ne!(fingerprint(&json!(["a", "b"])), fingerprint(&json!(["a,b"])));
        let digest = |pairs: &[(&str, &str)]| {
            environment_digest(&pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect::<Vec<_>>())
        };
        assert_eq!(digest(&[("A", "1"), ("B", "2")]), digest(&[("B", "2"), ("A", "1")]));
        assert_ne!(digest(&[("A", "1"), ("B", "2")]), digest(&[("A", "1B"), ("", "2")]));
    }
}
