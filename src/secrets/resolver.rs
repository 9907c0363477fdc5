//! References to secrets.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::provider::{EnvProvider, Provider, parse};
use super::{Environment, Secret, SecretInput, SecretRef, exec, file};
use crate::config::SECRET_DEFAULTS_KEY;
use crate::core::suggest::did_you_mean;
use crate::core::{Error, ErrorKind, Result};

/// Resolves secret inputs. `providers` is the `secrets.providers` section of the configuration (JSON). Caches nothing on disk.
pub struct SecretResolver {
    providers: Value,
    env: Environment,
    config_dir: PathBuf,
    cache: Mutex<HashMap<SecretRef, Secret>>,
}

impl std::fmt::Debug for SecretResolver {
    /// Nothing inside is for showing.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SecretResolver").finish_non_exhaustive()
    }
}

impl SecretResolver {
    /// `config_dir` is where relative paths of file providers start.
    pub fn new(providers: Value, env: Environment, config_dir: PathBuf) -> Self {
        Self { providers, env, config_dir, cache: Mutex::default() }
    }

    /// The secret. File and exec references block the thread until the file is read or the command has answered
    /// (5 s unless configured otherwise); what was found is kept in memory. Errors are of kind `Config` and name the
    /// reference, never the secret.
    pub fn resolve(&self, input: &SecretInput) -> Result<Secret> {
        match input {
            SecretInput::Plain(text) => match text.strip_prefix('$').filter(|name| is_variable(name)) {
                Some(name) => {
                    self.variable(&EnvProvider::default(), name).map_err(|why| unresolved("env", "default", name, &why))
                }
                None => Ok(Secret::new(text.clone())),
            },
            SecretInput::Ref(reference) => self.reference(reference),
        }
    }

    fn reference(&self, reference: &SecretRef) -> Result<Secret> {
        if let Some(secret) = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(reference) {
            return Ok(secret.clone());
        }
        let secret = self
            .look_up(reference)
            .map_err(|why| unresolved(&reference.source, &reference.provider, &reference.id, &why))?;
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).insert(reference.clone(), secret.clone());
        Ok(secret)
    }

    fn look_up(&self, reference: &SecretRef) -> std::result::Result<Secret, String> {
        let secret = match self.provider(reference)? {
            Provider::Env(provider) => self.variable(&provider, &reference.id)?,
            Provider::File(provider) => file::read(&provider, &reference.id, &self.config_dir, self.env.get("HOME"))?,
            Provider::Exec(provider) => exec::ask(&provider, &reference.provider, &reference.id, &self.env)?,
        };
        if secret.expose().is_empty() { Err("the secret is empty".into()) } else { Ok(secret) }
    }

    fn provider(&self, reference: &SecretRef) -> std::result::Result<Provider, String> {
        let source = reference.source.as_str();
        if !matches!(source, "env" | "file" | "exec") {
            return Err(format!("the source `{source}` is none of env, file, exec"));
        }
        let mut alias = reference.provider.as_str();
        if alias == "default" && self.providers.get(alias).is_none() {
            let default = self.providers.get(SECRET_DEFAULTS_KEY).and_then(|defaults| defaults.get(source));
            alias = default.and_then(Value::as_str).unwrap_or(alias);
        }
        let Some(options) = self.providers.get(alias).filter(|_| alias != SECRET_DEFAULTS_KEY) else {
            if source == "env" && (alias == "default" || reference.provider == "default") {
                return Ok(Provider::Env(EnvProvider::default()));
            }
            let names =
                self.providers.as_object().map(|providers| providers.keys().map(String::as_str)).into_iter().flatten();
            let meant = did_you_mean(alias, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            return Err(format!("`secrets.providers` has no provider `{alias}`{meant}"));
        };
        if options.get("source").and_then(Value::as_str) != Some(source) {
            return Err(format!("the provider `{alias}` has another source than `{source}`"));
        }
        parse(options).map_err(|why| format!("the provider `{alias}` cannot be used: {why}"))
    }

    fn variable(&self, provider: &EnvProvider, name: &str) -> std::result::Result<Secret, String> {
        if !is_variable(name) {
            return Err("the id of an env reference is a variable name like OPENAI_API_KEY".into());
        }
        if provider.allowlist.as_ref().is_some_and(|allowed| !allowed.iter().any(|allowed| allowed == name)) {
            return Err(format!("{name} is not in the provider's allowlist"));
        }
        self.env.get(name).map(Secret::new).ok_or_else(|| format!("the variable {name} is unset or empty"))
    }
}

/// `^[A-Z][A-Z0-9_]{0,127}$`.
fn is_variable(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

fn unresolved(source: &str, provider: &str, id: &str, why: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the secret {source}:{provider}:{id} could not be resolved"))
        .why(why)
        .hint("Correct the reference or its provider under `secrets.providers`.")
        .details(json!({"source": source, "provider": provider, "id": id}))
}
