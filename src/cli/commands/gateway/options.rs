//! Flags of `gateway run`, and what they and the configuration add up to.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::Args;

use crate::cli::commands::files;
use crate::cli::context::Context;
use crate::config::LoadedConfig;
use crate::core::{Error, ErrorKind, Result};
use crate::gateway::AuthMode;
use crate::secrets::{Secret, SecretInput};
use crate::state::token;

/// Largest password file.
const MAX_PASSWORD_FILE: u64 = 4 * 1024;

/// Flags of `gateway run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Port to listen on [default: gateway.port, else 18789].
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Where to listen: loopback or auto (the same here).
    #[arg(long, value_name = "MODE")]
    bind: Option<String>,
    /// How callers prove who they are: token, password or none.
    #[arg(long, value_name = "MODE")]
    auth: Option<String>,
    /// Token callers must show [default: one made on the first start].
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Password callers must show.
    #[arg(long, value_name = "PASSWORD", conflicts_with = "token")]
    password: Option<String>,
    /// Read that password from FILE.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["token", "password"])]
    password_file: Option<PathBuf>,
    /// Also print the log on stderr.
    #[arg(long)]
    pub(super) verbose: bool,
    /// Start without any configuration (always so here; accepted for scripts).
    #[arg(long, hide = true)]
    allow_unconfigured: bool,
}

impl RunArgs {
    /// The port.
    pub(super) fn port(&self, context: &Context, config: &LoadedConfig) -> Result<u16> {
        context.port(self.port, Some(config))
    }

    /// The address to listen on.
    pub(super) fn bind(&self, config: &LoadedConfig) -> Result<IpAddr> {
        let mode = self.bind.as_deref().unwrap_or(&config.view.gateway.bind);
        match mode {
            "" | "loopback" | "auto" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            other => Err(Error::new(ErrorKind::Policy, format!("the gateway cannot listen on '{other}'"))
                .why("this version listens on this machine only")
                .hint("use --bind loopback (gateway.bind), and reach it from elsewhere through an SSH tunnel")),
        }
    }

    /// How callers prove who they are. A token is made on the first start.
    pub(super) fn auth(&self, context: &Context, config: &LoadedConfig) -> Result<AuthMode> {
        let given = if self.password.is_some() || self.password_file.is_some() {
            Some("password")
        } else {
            self.token.as_ref().map(|_| "token")
        };
        let mode = self.auth.as_deref().or(given).unwrap_or(&config.view.gateway.auth_mode);
        match mode {
            "" | "token" => self.token(context, config).map(AuthMode::Token),
            "password" => self.password(context, config).map(AuthMode::Password),
            "none" => Ok(AuthMode::None),
            other => Err(Error::new(ErrorKind::Config, format!("the auth mode '{other}' is not available"))
                .why("this version knows token, password and none")
                .hint("use --auth token, or openclaw config set gateway.auth.mode token")),
        }
    }

    fn token(&self, context: &Context, config: &LoadedConfig) -> Result<Secret> {
        if let Some(text) = &self.token {
            return not_empty(text, "--token");
        }
        if let Some(text) = context.env("OPENCLAW_GATEWAY_TOKEN") {
            return Ok(Secret::new(text));
        }
        match &config.view.gateway.token {
            Some(input) => resolve(context, config, input, "gateway.auth.token"),
            None => token::load_or_create(&context.paths),
        }
    }

    fn password(&self, context: &Context, config: &LoadedConfig) -> Result<Secret> {
        if let Some(text) = &self.password {
            return not_empty(text, "--password");
        }
        if let Some(path) = &self.password_file {
            let text = files::read_text(path, &context.load.cwd, MAX_PASSWORD_FILE, "password")?;
            return not_empty(text.trim_end_matches(['\r', '\n']), "the password file");
        }
        if let Some(text) = context.env("OPENCLAW_GATEWAY_PASSWORD") {
            return Ok(Secret::new(text));
        }
        match &config.view.gateway.password {
            Some(input) => resolve(context, config, input, "gateway.auth.password"),
            None => Err(Error::new(ErrorKind::Config, "no gateway password is set")
                .why("the auth mode is password")
                .hint("set OPENCLAW_GATEWAY_PASSWORD, or use --password-file")),
        }
    }
}

fn resolve(context: &Context, config: &LoadedConfig, input: &SecretInput, key: &str) -> Result<Secret> {
    let secret = context.secrets(config).resolve(input)?;
    not_empty(secret.expose(), key)
}

fn not_empty(text: &str, what: &str) -> Result<Secret> {
    if text.trim().is_empty() {
        return Err(Error::new(ErrorKind::Config, format!("{what} is empty"))
            .why("an empty secret would let everybody in")
            .hint("give it a value, or leave it out for a generated token"));
    }
    Ok(Secret::new(text))
}
