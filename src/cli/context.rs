//! What every command starts from: flags, environment, directories, output.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::{self, LoadOptions, LoadedConfig};
use crate::core::{Error, ErrorKind, Result};
use crate::secrets::SecretResolver;
use crate::state::{Access, OpenOptions, StatePaths, Store};

use super::args::Globals;
use super::output::Output;

/// Port of the gateway unless something else is said.
const DEFAULT_PORT: u16 = 18_789;
/// Port under `--dev`.
const DEV_PORT: u16 = 19_001;

/// The surroundings of one command.
#[derive(Clone)]
pub(crate) struct Context {
    /// Flags of every command.
    pub(crate) globals: Globals,
    /// Where the state lives.
    pub(crate) paths: StatePaths,
    /// How to load the configuration.
    pub(crate) load: LoadOptions,
    /// Where text goes.
    pub(crate) out: Output,
}

impl Context {
    /// From the process: its environment and working directory.
    pub(crate) fn from_process(globals: Globals, out: Output) -> Result<Self> {
        let env: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let cwd = std::env::current_dir().map_err(|error| {
            Error::new(ErrorKind::State, "cannot tell the current directory")
                .hint("change to a directory that exists")
                .source(error)
        })?;
        Self::build(globals, out, env, cwd)
    }

    /// From given surroundings.
    pub(crate) fn build(globals: Globals, out: Output, env: BTreeMap<String, String>, cwd: PathBuf) -> Result<Self> {
        let profile = if globals.dev { Some("dev") } else { globals.profile.as_deref() };
        let root = config::state_root(&env, profile)?;
        let config_path = env.get("OPENCLAW_CONFIG_PATH").filter(|path| !path.trim().is_empty()).map(PathBuf::from);
        let load = LoadOptions { process_env: env, cwd, state_root: root.clone(), config_path };
        Ok(Self { globals, paths: StatePaths::new(root), load, out })
    }

    /// The configuration; a missing file is the empty one.
    pub(crate) fn config(&self) -> Result<LoadedConfig> {
        config::load(&self.load)
    }

    /// The configuration file's path, also while it is broken or missing.
    pub(crate) fn config_path(&self) -> PathBuf {
        config::config_path(&self.load)
    }

    /// A variable of the process environment; empty counts as unset.
    pub(crate) fn env(&self, name: &str) -> Option<&str> {
        self.load.process_env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The gateway's port: flag, `OPENCLAW_GATEWAY_PORT`, `gateway.port`, `--dev`, default.
    pub(crate) fn port(&self, flag: Option<u16>, config: Option<&LoadedConfig>) -> Result<u16> {
        if let Some(port) = flag {
            return Ok(port);
        }
        if let Some(text) = self.env("OPENCLAW_GATEWAY_PORT") {
            return text.trim().parse().map_err(|error| {
                Error::user(format!("OPENCLAW_GATEWAY_PORT is not a port: '{text}'"))
                    .hint("use a number from 1 to 65535, or unset the variable")
                    .source(Box::<dyn std::error::Error + Send + Sync>::from(error))
            });
        }
        let written =
            config.filter(|config| config.resolved.pointer("/gateway/port").is_some_and(|port| !port.is_null()));
        Ok(match written {
            Some(config) => config.view.gateway.port,
            None if self.globals.dev => DEV_PORT,
            None => DEFAULT_PORT,
        })
    }

    /// Resolver for secrets named in the configuration.
    pub(crate) fn secrets(&self, config: &LoadedConfig) -> SecretResolver {
        let directory = config.path.parent().map_or_else(|| self.paths.root.clone(), PathBuf::from);
        SecretResolver::new(config.view.secret_providers.clone(), config.env.clone(), directory)
    }

    /// The database, read-only; `None` if there is none yet.
    pub(crate) fn store(&self) -> Result<Option<Store>> {
        match Store::open(&self.paths, &OpenOptions { durability_full: false, access: Access::Read }) {
            Ok(store) => Ok(Some(store)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The log file the gateway writes.
    pub(crate) fn log_file(&self, config: Option<&LoadedConfig>) -> PathBuf {
        config.and_then(|config| config.view.log_file.clone()).unwrap_or_else(|| self.paths.log_file())
    }
}
