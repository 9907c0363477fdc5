//! Which gateway is meant, and the secret it gets.

use std::time::Duration;

use clap::Args;
use hyper::Uri;

use crate::cli::context::Context;
use crate::config::LoadedConfig;
use crate::core::{Error, Result};
use crate::secrets::{Secret, SecretInput};
use crate::state::token;

/// How long a gateway may take to answer unless `--timeout` says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Flags of every command that talks to a gateway.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConnectArgs {
    /// Gateway to talk to (ws:// or http://); default: the one of this machine.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Port of this machine's gateway.
    #[arg(long, value_name = "PORT", conflicts_with = "url")]
    pub(crate) port: Option<u16>,
    /// Gateway token.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Gateway password, where it uses one.
    #[arg(long, value_name = "PASSWORD", conflicts_with = "token")]
    pub(crate) password: Option<String>,
    /// Milliseconds to wait for an answer [default: 5000].
    #[arg(long, value_name = "MS")]
    pub(crate) timeout: Option<u64>,
}

impl ConnectArgs {
    /// The wait for an answer.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout.map_or(DEFAULT_TIMEOUT, Duration::from_millis)
    }
}

/// A gateway's address and our secret for it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    tls: bool,
    authority: String,
    host: String,
    base: String,
    /// The token or password to present.
    pub(crate) secret: Option<Secret>,
    /// A person named this gateway, so nothing else may stand in for it.
    pub(crate) explicit: bool,
}

impl Target {
    /// By flags, environment, configuration, in this order. A broken configuration counts as none, because most
    /// questions to a gateway can still be asked.
    pub(crate) fn resolve(context: &Context, args: &ConnectArgs, config: Option<&LoadedConfig>) -> Result<Self> {
        let port = context.port(args.port, config)?;
        let local = format!("ws://127.0.0.1:{port}");
        let remote = config.and_then(|config| config.view.gateway.remote_url.clone()).filter(|_| args.port.is_none());
        let from_env = context.env("OPENCLAW_GATEWAY_URL").map(ToOwned::to_owned).filter(|_| args.port.is_none());
        let (url, from) = match (args.url.clone(), from_env, remote) {
            (Some(url), _, _) => (url, From::Flag),
            (None, Some(url), _) => (url, From::Environment),
            (None, None, Some(url)) => (url, From::Configuration),
            (None, None, None) => (local.clone(), From::Local),
        };
        let mut target = Self::parse(&url)?;
        target.explicit = from != From::Local;
        let local = Self::parse(&local)?;
        let is_local = target.is_loopback() && target.port() == local.port() && !target.tls;
        target.secret = find_secret(context, args, config, from, is_local)?;
        Ok(target)
    }

    /// `ws://host:port/base`, also with `wss`, `http`, `https`, or without a scheme.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let wrong = |why: String| {
            Error::user(format!("'{url}' is not the address of a gateway"))
                .why(why)
                .hint("use a form like ws://127.0.0.1:18789")
        };
        let text = url.trim();
        let text = if text.contains("://") { text.to_owned() } else { format!("ws://{text}") };
        let uri: Uri = text.parse().map_err(|error| wrong(format!("{error}")))?;
        let tls = match uri.scheme_str() {
            Some("ws" | "http") => false,
            Some("wss" | "https") => true,
            other => {
                return Err(wrong(format!("the scheme '{}' is none of ws, wss, http, https", other.unwrap_or(""))));
            }
        };
        let authority = uri.authority().ok_or_else(|| wrong("it names no host".to_owned()))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it contains a user name; pass the secret with --token".to_owned()));
        }
        Ok(Self {
            tls,
            authority: authority.as_str().to_owned(),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            base: uri.path().trim_end_matches('/').to_owned(),
            secret: None,
            explicit: true,
        })
    }

    /// For people: `ws://127.0.0.1:18789`.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}{}", if self.tls { "wss" } else { "ws" }, self.authority, self.base)
    }

    /// Where one-shot calls go.
    pub(crate) fn rpc_url(&self) -> String {
        format!("{}://{}{}/rpc", if self.tls { "https" } else { "http" }, self.authority, self.base)
    }

    /// Where streams go.
    pub(crate) fn ws_url(&self) -> String {
        format!("{}/ws", self.url())
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether the secret would cross a network unencrypted.
    pub(crate) fn is_exposed(&self) -> bool {
        !self.tls && !self.is_loopback() && self.secret.is_some()
    }

    fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    fn port(&self) -> u16 {
        let written = self.authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        written.unwrap_or(if self.tls { 443 } else { 80 })
    }
}

/// Who named the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Flag,
    Environment,
    Configuration,
    Local,
}

/// The secret for a gateway. Secrets of this machine's gateway are offered to this machine's gateway only: an address
/// given by flag or environment must not be able to collect them.
fn find_secret(
    context: &Context,
    args: &ConnectArgs,
    config: Option<&LoadedConfig>,
    from: From,
    is_local: bool,
) -> Result<Option<Secret>> {
    if let Some(text) = args.token.as_ref().or(args.password.as_ref()) {
        return Ok(Some(Secret::new(text.clone())));
    }
    let variable =
        ["OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_PASSWORD"].into_iter().find_map(|name| context.env(name));
    if let Some(text) = variable {
        return Ok(Some(Secret::new(text)));
    }
    let gateway = config.map(|config| &config.view.gateway);
    let input: Option<&SecretInput> = match gateway {
        Some(gateway) if from == From::Configuration => gateway.remote_token.as_ref(),
        Some(gateway) if is_local && gateway.auth_mode == "password" => gateway.password.as_ref(),
        Some(gateway) if is_local => gateway.token.as_ref(),
        _ => None,
    };
    if let (Some(input), Some(config)) = (input, config) {
        return context.secrets(config).resolve(input).map(Some);
    }
    if is_local { token::read(&context.paths) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_many_forms_are_understood() {
        for (text, rpc, ws) in [
            ("ws://127.0.0.1:18789", "http://127.0.0.1:18789/rpc", "ws://127.0.0.1:18789/ws"),
            ("localhost:1", "http://localhost:1/rpc", "ws://localhost:1/ws"),
            ("https://claw.example/base/", "https://claw.example/base/rpc", "wss://claw.example/base/ws"),
            ("http://[::1]:80", "http://[::1]:80/rpc", "ws://[::1]:80/ws"),
        ] {
            let target = Target::parse(text).expect(text);
            assert_eq!((target.rpc_url().as_str(), target.ws_url().as_str()), (rpc, ws));
        }
    }

    #[test]
    fn other_addresses_are_refused() {
        for text in ["ftp://x", "ws://", "ws://user:pass@host:1", "not a url", ""] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn loopback_is_recognised() {
        for (text, loopback) in
            [("ws://127.0.0.1:1", true), ("ws://[::1]:1", true), ("ws://localhost:1", true), ("ws://10.0.0.1:1", false)]
        {
            let mut target = Target::parse(text).expect(text);
            target.secret = Some(Secret::new("t"));
            assert_eq!(target.is_loopback(), loopback);
            assert_eq!(target.is_exposed(), !loopback);
        }
    }
}
