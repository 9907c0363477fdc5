//! What a gateway is started with.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::config::LoadOptions;
use crate::secrets::Secret;
use crate::state::StatePaths;

/// How callers prove who they are.
#[derive(Debug, Clone)]
pub enum AuthMode {
    /// `Authorization: Bearer <token>`.
    Token(Secret),
    /// The same header with a password a person chose; wrong guesses lock the address out for a while.
    Password(Secret),
    /// Nobody is asked. Origin and Host checks still keep web pages out.
    None,
}

impl AuthMode {
    /// The name in the configuration.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Password(_) => "password",
            Self::None => "none",
        }
    }
}

/// Everything [`super::serve`] needs besides the runtime.
#[derive(Clone)]
pub struct GatewayOptions {
    /// TCP port; 0 takes a free one.
    pub port: u16,
    /// Address to listen on; only loopback addresses are accepted.
    pub bind: IpAddr,
    /// Who may call.
    pub auth: AuthMode,
    /// Web origins (`https://host[:port]`) that may call besides the gateway's own.
    pub allowed_origins: Vec<String>,
    /// Where the state lives.
    pub paths: StatePaths,
    /// How the configuration was loaded; `config.get|set|patch` use the same.
    pub config: LoadOptions,
    /// The file `logs.tail` reads.
    pub log_file: PathBuf,
}
