//! Flags that build a `secrets.providers.<alias>` object.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use crate::core::{Error, Result};

/// Flags of the builder.
#[derive(Debug, Default, Args)]
#[expect(clippy::struct_field_names, reason = "the names are the flags, and clap derives the flags from them")]
pub(super) struct ProviderArgs {
    /// Where the provider's secrets are.
    #[arg(long, value_name = "SOURCE", value_enum, hide = true)]
    provider_source: Option<ProviderSource>,
    /// env: variable that may be read (repeatable).
    #[arg(long, value_name = "VAR", hide = true)]
    provider_allowlist: Vec<String>,
    /// file: path.
    #[arg(long, value_name = "PATH", hide = true)]
    provider_path: Option<String>,
    /// file: singleValue or json.
    #[arg(long, value_name = "MODE", hide = true)]
    provider_mode: Option<String>,
    /// file: most bytes.
    #[arg(long, value_name = "BYTES", hide = true)]
    provider_max_bytes: Option<u64>,
    /// file, exec: time allowed, in milliseconds.
    #[arg(long, value_name = "MS", hide = true)]
    provider_timeout_ms: Option<u64>,
    /// exec: absolute path of the command.
    #[arg(long, value_name = "PATH", hide = true)]
    provider_command: Option<String>,
    /// exec: argument (repeatable).
    #[arg(long, value_name = "ARG", allow_hyphen_values = true, hide = true)]
    provider_arg: Vec<String>,
    /// exec: variable to set, KEY=VALUE (repeatable).
    #[arg(long, value_name = "KEY=VALUE", hide = true)]
    provider_env: Vec<String>,
    /// exec: variable to pass on (repeatable).
    #[arg(long, value_name = "VAR", hide = true)]
    provider_pass_env: Vec<String>,
    /// exec: directory the command must be in (repeatable).
    #[arg(long, value_name = "PATH", hide = true)]
    provider_trusted_dir: Vec<String>,
    /// exec: silence allowed, in milliseconds.
    #[arg(long, value_name = "MS", hide = true)]
    provider_no_output_timeout_ms: Option<u64>,
    /// exec: most bytes of output.
    #[arg(long, value_name = "BYTES", hide = true)]
    provider_max_output_bytes: Option<u64>,
    /// exec: the output must be JSON.
    #[arg(long, hide = true)]
    provider_json_only: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProviderSource {
    Env,
    File,
    Exec,
}

impl ProviderArgs {
    /// The object the flags describe; `None` without `--provider-source`.
    pub(super) fn value(&self) -> Result<Option<Value>> {
        let Some(source) = self.provider_source else {
            return Ok(None);
        };
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| {
            let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            if !empty {
                object.insert(name.to_owned(), value);
            }
        };
        match source {
            ProviderSource::Env => {
                put("source", "env".into());
                put("allowlist", self.provider_allowlist.clone().into());
            }
            ProviderSource::File => {
                put("source", "file".into());
                put("path", needed(self.provider_path.as_ref(), "--provider-path")?);
                put("mode", self.provider_mode.clone().into());
                put("maxBytes", self.provider_max_bytes.into());
                put("timeoutMs", self.provider_timeout_ms.into());
            }
            ProviderSource::Exec => {
                put("source", "exec".into());
                put("command", needed(self.provider_command.as_ref(), "--provider-command")?);
                put("args", self.provider_arg.clone().into());
                put("env", environment(&self.provider_env)?);
                put("passEnv", self.provider_pass_env.clone().into());
                put("trustedDirs", self.provider_trusted_dir.clone().into());
                put("timeoutMs", self.provider_timeout_ms.into());
                put("noOutputTimeoutMs", self.provider_no_output_timeout_ms.into());
                put("maxOutputBytes", self.provider_max_output_bytes.into());
                put("jsonOnly", if self.provider_json_only { true.into() } else { Value::Null });
            }
        }
        Ok(Some(Value::Object(object)))
    }
}

fn needed(value: Option<&String>, flag: &str) -> Result<Value> {
    value.map(|text| text.as_str().into()).ok_or_else(|| {
        Error::user(format!("{flag} is missing")).why("this kind of provider needs it").hint(format!("add {flag}"))
    })
}

fn environment(pairs: &[String]) -> Result<Value> {
    if pairs.is_empty() {
        return Ok(Value::Null);
    }
    let mut object = Map::new();
    for pair in pairs {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::user(format!("--provider-env '{pair}' has no '='")).hint("write it as NAME=value"))?;
        object.insert(name.to_owned(), value.into());
    }
    Ok(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flags_become_the_object_of_the_file() {
        let args = ProviderArgs {
            provider_source: Some(ProviderSource::Exec),
            provider_command: Some("/usr/bin/pass".into()),
            provider_arg: vec!["show".into()],
            provider_env: vec!["A=b=c".into()],
            provider_json_only: true,
            ..ProviderArgs::default()
        };
        let expected = json!({"source": "exec", "command": "/usr/bin/pass", "args": ["show"], "env": {"A": "b=c"}, "jsonOnly": true});
        assert_eq!(args.value().expect("complete"), Some(expected));
        assert_eq!(ProviderArgs::default().value().expect("nothing asked"), None);
        let file = ProviderArgs { provider_source: Some(ProviderSource::File), ..ProviderArgs::default() };
        assert!(file.value().is_err());
    }
}
