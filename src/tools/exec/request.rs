//! What a call of `exec` asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::support::{Failure, spec};
use crate::config::ExecSettings;
use crate::providers::ToolSpec;

/// Longest command line, in bytes.
const MAX_COMMAND: usize = 128 * 1024;
/// Longest time of one command.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// Shortest time before a command goes on in the background.
const MIN_YIELD: Duration = Duration::from_millis(10);

/// Name, description, schema of the tool.
pub(super) fn tool_spec() -> ToolSpec {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let properties = json!({
        "command": text("Shell command line"),
        "argv": { "type": "array", "items": { "type": "string" }, "description": "Program and arguments, instead of command" },
        "workdir": text("Directory, relative to the workspace"),
        "env": { "type": "object", "additionalProperties": { "type": "string" }, "description": "Further variables" },
        "timeout": { "type": "integer", "description": "Seconds" },
        "background": { "type": "boolean", "description": "Go on after the call; see process" },
        "yieldMs": { "type": "integer", "description": "Go on in the background after that many ms" },
    });
    let description =
        "Run a command in a sandbox, in the workspace. Gives its output and exit code. Standard input is empty.";
    spec("exec", description, properties, &[])
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    command: Option<String>,
    #[serde(default)]
    argv: Vec<String>,
    workdir: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    timeout: Option<i64>,
    #[serde(default)]
    background: bool,
    yield_ms: Option<i64>,
}

/// A call that makes sense.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    /// Program and arguments.
    pub(super) argv: Vec<String>,
    /// The shell of a command line, with its option; empty when the program is started as it is.
    pub(super) shell: Vec<String>,
    /// The command as people read it.
    pub(super) command: String,
    /// As it was written.
    pub(super) workdir: Option<String>,
    /// The call's own variables.
    pub(super) env: Vec<(String, String)>,
    /// Wall time that the call asked for.
    timeout: Option<Duration>,
    /// How long the call waits before the command goes on in the background; `None` = to its end.
    pub(super) patience: Option<Duration>,
    /// The background was asked for by the call, not by the configuration.
    pub(super) asked_to_stay: bool,
    /// The configured wall time.
    default_timeout: Duration,
}

impl Request {
    /// Reads checked arguments. `shell` runs command lines; background is possible only when `may_stay`.
    pub(super) fn parse(
        arguments: Value,
        settings: &ExecSettings,
        shell: &str,
        may_stay: bool,
    ) -> Result<Self, Failure> {
        let given: Arguments = serde_json::from_value(arguments)
            .map_err(|error| Failure::new(format!("The arguments could not be used: {error}.")))?;
        let command = given.command.filter(|command| !command.trim().is_empty());
        let (argv, shell, command) = match (command, given.argv) {
            (Some(command), argv) if argv.is_empty() => {
                let shell = vec![shell.to_owned(), "-c".to_owned()];
                ([shell.as_slice(), std::slice::from_ref(&command)].concat(), shell, command)
            }
            (None, argv) if argv.first().is_some_and(|program| !program.is_empty()) => {
                let line = argv.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
                (argv, Vec::new(), line)
            }
            (Some(_), _) => {
                return Err(Failure::new("command and argv exclude each other: give the one or the other."));
            }
            (None, _) => {
                return Err(Failure::new("Nothing to run: give command, as in {\"command\": \"ls -l\"}, or argv."));
            }
        };
        let size: usize = argv.iter().map(String::len).sum();
        if size > MAX_COMMAND {
            return Err(Failure::new(format!(
                "The command has {size} bytes; {MAX_COMMAND} are allowed. Write it to a file and run that."
            )));
        }
        if argv.iter().any(|word| word.contains('\0')) {
            return Err(Failure::new("The command contains a NUL character, which no program can be given."));
        }
        let milliseconds = |given: i64| Duration::from_millis(u64::try_from(given.max(0)).unwrap_or(0));
        let patience = match (given.background, given.yield_ms) {
            (true, _) => Some(Duration::ZERO),
            (false, Some(given)) => Some(milliseconds(given).max(MIN_YIELD)),
            (false, None) => settings.background_ms.map(|ms| Duration::from_millis(ms).max(MIN_YIELD)),
        };
        let timeout = given
            .timeout
            .and_then(|seconds| u64::try_from(seconds).ok())
            .filter(|seconds| *seconds > 0)
            .map(|seconds| Duration::from_secs(seconds).min(MAX_TIMEOUT));
        Ok(Self {
            argv,
            shell,
            command,
            workdir: given.workdir.filter(|directory| !directory.trim().is_empty()),
            env: given.env.into_iter().collect(),
            timeout,
            asked_to_stay: given.background || given.yield_ms.is_some(),
            patience: patience.filter(|_| may_stay),
            default_timeout: Duration::from_secs(settings.timeout_seconds.max(1)),
        })
    }

    /// Wall time of the command. What may go on in the background ends only when that was asked for.
    pub(super) fn timeout(&self) -> Option<Duration> {
        match self.patience {
            Some(_) => self.timeout,
            None => Some(self.timeout.unwrap_or(self.default_timeout)),
        }
    }
}

/// Whether the call asks to leave the command running; `vfs-only` has to refuse that.
pub(super) fn asks_for_background(arguments: &Value) -> bool {
    arguments["background"].as_bool().unwrap_or(false)
}

/// A word as a shell would need it, for people to read.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_with(arguments: Value, settings: &ExecSettings, may_stay: bool) -> Result<Request, String> {
        Request::parse(arguments, settings, "/bin/sh", may_stay).map_err(|failure| format!("{failure:?}"))
    }

    fn parse(arguments: Value) -> Request {
        parse_with(arguments, &ExecSettings::default(), true).unwrap()
    }

    #[test]
    fn a_line_goes_to_the_shell_and_words_do_not() {
        let line = parse(json!({ "command": "ls | wc", "env": { "A": "1" }, "workdir": "src" }));
        assert_eq!(line.argv, ["/bin/sh", "-c", "ls | wc"]);
        assert_eq!((line.command.as_str(), line.workdir.as_deref()), ("ls | wc", Some("src")));
        assert_eq!(line.env, [("A".to_owned(), "1".to_owned())]);
        let words = parse(json!({ "argv": ["printf", "%s", "it's"] }));
        assert_eq!((words.argv.len(), words.command.as_str()), (3, "printf %s 'it'\\''s'"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |arguments| parse_with(arguments, &ExecSettings::default(), true).unwrap_err();
        assert!(refused(json!({})).contains("Nothing to run"));
        assert!(refused(json!({ "command": "  " })).contains("Nothing to run"));
        assert!(refused(json!({ "argv": [""] })).contains("Nothing to run"));
        assert!(refused(json!({ "command": "ls", "argv": ["ls"] })).contains("exclude each other"));
        assert!(refused(json!({ "command": "a\0b" })).contains("NUL"));
        assert!(refused(json!({ "command": "x".repeat(MAX_COMMAND) })).contains("Write it to a file"));
    }

    #[test]
    fn time_and_background() {
        let seconds = Duration::from_secs;
        assert_eq!(parse(json!({ "command": "x" })).timeout(), Some(seconds(120)));
        assert_eq!(parse(json!({ "command": "x", "timeout": 0 })).timeout(), Some(seconds(120)));
        assert_eq!(parse(json!({ "command": "x", "timeout": -4 })).timeout(), Some(seconds(120)));
        assert_eq!(parse(json!({ "command": "x", "timeout": 1_000_000 })).timeout(), Some(MAX_TIMEOUT));
        let background = parse(json!({ "command": "x", "background": true }));
        assert_eq!((background.patience, background.timeout()), (Some(Duration::ZERO), None));
        let later = parse(json!({ "command": "x", "yieldMs": 500, "timeout": 9 }));
        assert_eq!((later.patience, later.timeout()), (Some(Duration::from_millis(500)), Some(seconds(9))));
        let settings = ExecSettings { background_ms: Some(2000), ..ExecSettings::default() };
        let configured = parse_with(json!({ "command": "x" }), &settings, true).unwrap();
        assert_eq!((configured.patience, configured.timeout()), (Some(seconds(2)), None));
        let kept = parse_with(json!({ "command": "x", "background": true }), &settings, false).unwrap();
        assert_eq!((kept.patience, kept.timeout()), (None, Some(seconds(120))));
        assert!(asks_for_background(&json!({ "background": true })) && !asks_for_background(&json!({})));
    }
}
